"""The databases that a server was told of: their tables, and statements run on them.

Law: a client names a database and never sees its URL; one that is away is an answer, and the server lives on.
Cost: the tables are read for every request, in a few milliseconds of a thread; so a changed table is known.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from starlette.requests import Request

from gramspec.errors import CancelledError, GramspecError
from gramspec.grammar.sql.catalog import Dialect, Schema
from gramspec.grammar.sql.schema import dialect_named, read_schema
from gramspec.integrations.server.errors import ApiError, deadline_passed
from gramspec.integrations.server.logging import log
from gramspec.integrations.server.server import gone
from gramspec.integrations.server.settings import Settings
from gramspec.integrations.sql_questions import dialect_of_url
from gramspec.integrations.sql_results import Result, runner

_THREADS: Final = 4

T = TypeVar("T")


class Databases:
    """What is asked of the databases of one server.

    Parameters
    ----------
    settings : Settings
        Names and URLs, and limits.

    Raises
    ------
    OptionError
        For what is no URL of a database that statements are made for.
    """

    def __init__(self, settings: Settings) -> None:
        self._urls: Mapping[str, str] = settings.databases
        self._settings = settings
        self._dialects = {
            name: dialect_named(dialect_of_url(url, f"database {name}:")) for name, url in self._urls.items()
        }
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="gramspec-sql")

    def names(self) -> list[str]:
        """The databases there are."""
        return list(self._urls)

    def named(self, name: str | None) -> str:
        """The database that is meant: the one named, or the only one.

        Raises
        ------
        ApiError
            404 if there is none of that name, 400 if none is named and there are several.
        """
        if name is None:
            if len(self._urls) == 1:
                return next(iter(self._urls))
            if self._urls:
                listed = ", ".join(self._urls)
                message = f"database: one of {listed} must be named"
                raise ApiError(400, message, code="missing_field", param="database")
        if name is None or name not in self._urls:
            said = "the server has no database" if not self._urls else f"there is no database {name!r:.100}"
            hint = f"; there are {', '.join(self._urls)}" if self._urls else ""
            raise ApiError(404, said + hint, code="database_not_found", param="database")
        return name

    def dialect(self, name: str) -> Dialect:
        """The dialect of a database."""
        return self._dialects[name]

    async def schema(self, request: Request, name: str) -> Schema:
        """The tables of a database, as they are now.

        Raises
        ------
        ApiError
            503 if it is away.
        """

        def read(stopped: Callable[[], bool]) -> Schema:
            try:
                return read_schema(self._urls[name], self._dialects[name])
            except GramspecError as error:
                raise _away(name, str(error)) from None

        return await self._in_thread(request, read, self._settings.request_seconds)

    async def run(
        self,
        request: Request,
        name: str,
        statements: Sequence[str],
        *,
        write: bool,
        rows: int,
        seconds: float,
        until: float,
    ) -> list[Result]:
        """The results of statements, one after the other on one connection.

        Parameters
        ----------
        request : Request
            Whose client may leave.
        name : str
            The database.
        statements : sequence of str
        write : bool
            Whether they may write.
        rows : int
            Of each result.
        seconds : float
            For each statement.
        until : float
            Of `time.monotonic`, when all must be over.

        Raises
        ------
        ApiError
            503 if the database is away, 504 if the time is over.
        """

        def run(stopped: Callable[[], bool]) -> list[Result]:
            found: list[Result] = []
            try:
                with runner(
                    self._urls[name], write=write, most_rows=rows, seconds=seconds, stopped=stopped
                ) as on:
                    for statement in statements:
                        if stopped():
                            break
                        found.append(on.run(statement))
                        if found[-1].lost:
                            raise _away(name, found[-1].error)
            except GramspecError as error:
                raise _away(name, str(error)) from None
            return found

        return await self._in_thread(request, run, max(0.0, until - time.monotonic()))

    async def _in_thread(
        self, request: Request, work: Callable[[Callable[[], bool]], T], seconds: float
    ) -> T:
        """What a function gives in a thread; it is told when nobody waits any more."""
        given_up = threading.Event()
        coming = asyncio.wrap_future(self._threads.submit(work, given_up.is_set))
        left = asyncio.ensure_future(gone(request))
        try:
            watched: set[asyncio.Future[Any]] = {coming, left}
            done, _ = await asyncio.wait(watched, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if coming in done:
                return coming.result()
            if done:
                raise CancelledError("the client has left")
            raise deadline_passed(self._settings.request_seconds)
        finally:
            given_up.set()
            left.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await left
            if not coming.done():
                coming.cancel()


def databases_of(request: Request) -> Databases:
    """The databases behind the application that a request came to."""
    found: Databases = request.app.state.databases
    return found


def plain(value: Any) -> Any:
    """A value of a row as JSON has it: bytes in hexadecimal, all that JSON does not know as text."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return str(value)


def _away(name: str, reason: str) -> ApiError:
    # The reason may name places on the server, which are for its log alone.
    log("database_unavailable", level=logging.ERROR, database=name, reason=reason)
    return ApiError(
        503,
        f"the database {name!r} cannot be read now",
        code="database_unavailable",
        headers={"retry-after": "5"},
    )
