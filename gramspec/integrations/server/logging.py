"""Structured logs: one JSON object a line, one line a request.

Law: no prompt, no text, no key and no grammar is logged; ids from clients are kept only if they are plain.
Source: https://jsonlines.org.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
import uuid
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from starlette.types import Scope

NAME: Final = "gramspec.server"
LEVELS: Final = ("debug", "info", "warning", "error", "critical")
_PLAIN: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_FACTS: Final = "gramspec_facts"

logger = logging.getLogger(NAME)


class JsonLines(logging.Formatter):
    """A record as one line of JSON: time, level, event, and its facts."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, _FACTS, {}),
        }
        if record.name != NAME:
            line["logger"] = record.name
        if record.exc_info and record.exc_info[0] is not None:
            # Frames and the kind of the error; its message may hold what a client sent.
            line["error"] = record.exc_info[0].__name__
            frames = traceback.extract_tb(record.exc_info[2])
            line["frames"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-20:]]
        return json.dumps(line, ensure_ascii=True, default=str)


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Write the logs of the server, and those of uvicorn, as JSON lines.

    Parameters
    ----------
    level : str
        One of `LEVELS`.
    stream : file, optional
        None: stderr.
    """
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(JsonLines())
    for name in (NAME, "uvicorn", "uvicorn.error"):
        one = logging.getLogger(name)
        one.handlers = [handler]
        one.setLevel(level.upper())
        one.propagate = False
    access = logging.getLogger("uvicorn.access")  # each request has its own line already
    access.handlers = []
    access.propagate = False


def log(event: str, *, level: int = logging.INFO, error: BaseException | None = None, **facts: Any) -> None:
    """Write one line.

    Parameters
    ----------
    event : str
        What happened, a word.
    level : int
        As in `logging`.
    error : BaseException, optional
        Whose kind and frames are added, without its message.
    **facts
        What else there is to say; never what a client wrote.
    """
    info = (type(error), error, error.__traceback__) if error is not None else None
    logger.log(level, event, exc_info=info, extra={_FACTS: facts})


def request_id(header: bytes | None) -> str:
    """The id of a request: the client's if it is plain, else a new one.

    Parameters
    ----------
    header : bytes or None
        ``x-request-id``.
    """
    given = (header or b"").decode("latin-1")
    return given if _PLAIN.fullmatch(given) else f"req-{uuid.uuid4().hex}"


def note(scope: Scope, **facts: Any) -> None:
    """Add facts to the line of a request: model, tokens, guarantee.

    Parameters
    ----------
    scope : ASGI scope
        ``request.scope``.
    **facts
        Never what the client wrote.
    """
    scope.setdefault("state", {}).setdefault(_FACTS, {}).update(facts)


def noted(scope: Scope) -> dict[str, Any]:
    """What `note` has added."""
    found: dict[str, Any] = scope.get("state", {}).get(_FACTS, {})
    return found
