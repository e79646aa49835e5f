"""Routes of the page: the page itself, its files, and what it asks for.

Law: nothing that takes time runs on the event loop; every question has a time after which it is given up,
and an earlier one after which it answers with what it has found. Source: `docs/playground.md`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, StreamingResponse
from starlette.responses import Response

from gramspec.errors import GrammarError
from gramspec.integrations.server.cache import Cancellable
from gramspec.integrations.server.engine import Work
from gramspec.integrations.server.errors import RESPONSES, ApiError, api_error
from gramspec.integrations.server.playground import comparing, reading, sampling
from gramspec.integrations.server.playground.describing import describe, measure
from gramspec.integrations.server.playground.grammars import key_of, make_grammar, spot_of
from gramspec.integrations.server.playground.requests import (
    LONGEST_GRAMMAR,
    MOST_TOKENS,
    CompareRequest,
    CompileRequest,
    GrammarText,
    SampleRequest,
    StepRequest,
    TraceRequest,
)
from gramspec.integrations.server.server import server_of, until
from gramspec.matching import CompiledGrammar

T = TypeVar("T")

_STATIC: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FILES: Final = {path.name: path for path in sorted(_STATIC.iterdir()) if path.suffix in _TYPES}
_SECONDS: Final = 45.0  # until a question is given up
_ENOUGH: Final = {"step": 6.0, "trace": 4.0, "sample": 15.0, "compare": 25.0}  # until it looks no further

_LINES: Final[dict[int | str, dict[str, Any]]] = {
    **RESPONSES,
    200: {
        "description": "Lines of JSON",
        "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
    },
}

router = APIRouter()


@router.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
def page() -> Response:
    """The playground."""
    return FileResponse(
        _STATIC / "index.html", media_type="text/html; charset=utf-8", headers={"cache-control": "no-cache"}
    )


@router.get("/playground/static/{name}", include_in_schema=False)
def static(name: str) -> Response:
    """A file of the page."""
    path = _FILES.get(name)
    if path is None:
        raise ApiError(404, "the page has no such file", code="not_found")
    return FileResponse(path, media_type=_TYPES[path.suffix], headers={"cache-control": "no-cache"})


@router.get("/playground/info", tags=["playground"], responses=RESPONSES)
async def info(request: Request) -> dict[str, Any]:
    """What the page is in front of."""
    server = server_of(request)
    return {
        "model": server.model_name,
        "vocabulary": len(server.vocabulary),
        "longest_grammar": LONGEST_GRAMMAR,
        "most_tokens": min(MOST_TOKENS, server.target.max_length or MOST_TOKENS),
    }


@router.post("/playground/compile", tags=["playground"], responses=RESPONSES)
async def compile_(request: Request, body: CompileRequest) -> dict[str, Any]:
    """A grammar: its drawing, facts of its language, and what the vocabulary makes of it."""
    compiled = await _compiled(request, body.grammar)
    server = server_of(request)

    def task(work: Work) -> dict[str, Any]:
        return describe(compiled.grammar) | {"compiled": measure(Cancellable(compiled, work.cancel))}

    return await server.finished(request, server.engine.submit(task, seconds=_SECONDS))


@router.post("/playground/step", tags=["playground"], responses=RESPONSES)
async def step(request: Request, body: StepRequest) -> dict[str, Any]:
    """What may follow some tokens: probability under the model, masked and conditional, and Φ."""
    return await _asked(request, body, reading.step, "step")


@router.post("/playground/trace", tags=["playground"], responses=RESPONSES)
async def trace(request: Request, body: TraceRequest) -> dict[str, Any]:
    """A text token by token, up to the place where the grammar refuses it."""
    return await _asked(request, body, reading.trace, "trace")


@router.post("/playground/compare", tags=["playground"], responses=RESPONSES)
async def compare(request: Request, body: CompareRequest) -> dict[str, Any]:
    """The likeliest texts under the conditional and the masked law, and how far apart the laws are."""
    return await _asked(request, body, comparing.compare, "compare")


@router.post("/playground/sample", tags=["playground"], responses=_LINES, response_class=StreamingResponse)
async def sample(request: Request, body: SampleRequest) -> Response:
    """One draw; a line of JSON for each attempt as it ends, then one for the text (application/x-ndjson)."""
    compiled = await _compiled(request, body.grammar)
    server = server_of(request)
    loop = asyncio.get_running_loop()
    events: asyncio.Queue[sampling.Event | None] = asyncio.Queue()

    def show(event: sampling.Event | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            loop.call_soon_threadsafe(events.put_nowait, event)

    def task(work: Work) -> None:
        sampling.sample(work.target, Cancellable(compiled, work.cancel), body, _going(work, "sample"), show)

    # Rows computed beside those of others differ in their last digits, and a seed promises to repeat itself.
    job = server.engine.submit(task, seconds=_SECONDS, alone=server.alone(body.seed))
    job.future.add_done_callback(lambda _: show(None))
    try:
        first = await until(request, asyncio.ensure_future(events.get()))
        if first is None:
            job.future.result()  # an error, which still has a status of its own
    except BaseException:
        job.stop("client")
        raise

    async def lines() -> AsyncIterator[bytes]:
        event = first
        try:
            while event is not None:
                yield _line(event)
                event = await events.get()
            job.future.result()
        except Exception as error:
            said = json.loads(bytes(api_error(error).response().body))
            yield _line({"event": "error", **said})
        finally:
            job.stop("client")

    return StreamingResponse(
        lines(), media_type="application/x-ndjson", headers={"cache-control": "no-store"}
    )


def _line(event: sampling.Event) -> bytes:
    return json.dumps(event, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace") + b"\n"


async def _compiled(request: Request, source: GrammarText) -> CompiledGrammar:
    """The grammar of a question, from the cache; an error says where in the text it is."""
    try:
        return await server_of(request).compiled(
            request,
            key_of(source),
            lambda: make_grammar(source),
            size=len(source.text.encode("utf-8", "replace")),
        )
    except GrammarError as error:
        answer = api_error(error, param="grammar.text")
        spot = spot_of(error, source.text)
        if spot is not None:
            answer.details = {**(answer.details or {}), **spot._asdict()}
        raise answer from error


async def _asked(
    request: Request, body: Any, answer: Callable[[Any, CompiledGrammar, Any, reading.Going], T], name: str
) -> T:
    compiled = await _compiled(request, body.grammar)
    server = server_of(request)

    def task(work: Work) -> T:
        return answer(work.target, Cancellable(compiled, work.cancel), body, _going(work, name))

    alone = server.alone(getattr(body, "seed", None))
    return await server.finished(request, server.engine.submit(task, seconds=_SECONDS, alone=alone))


def _going(work: Work, name: str) -> reading.Going:
    until = time.monotonic() + _ENOUGH[name]

    def going() -> bool:
        work.check()
        return time.monotonic() < until

    return going
