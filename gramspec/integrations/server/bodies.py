"""Request bodies: bounded in bytes, in seconds and in depth, and JSON to the letter.

Law: what passes is UTF-8 JSON of RFC 8259 with no key twice, no half of a surrogate pair and no number that
Python would change; everything else is refused before any route sees it.
Cost: one parse more of each body.
Source: https://www.rfc-editor.org/rfc/rfc8259.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from typing import Any, Final

from starlette.types import Message, Receive, Scope

from gramspec.integrations.server.errors import ApiError

MAX_DEPTH: Final = 128
_LONGEST_NUMBER: Final = 1_000
_ENDS: Final = re.compile(rb"[\[\]{}]")
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_HALF: Final = re.compile(r"\\u[dD][89abAB]|\\u[dD][c-fC-F]")


class ClientGone(Exception):
    """The client left before its body had arrived; nobody waits for an answer."""


async def read_body(scope: Scope, receive: Receive, *, most_bytes: int, seconds: float) -> bytes:
    """The whole body of a request.

    Parameters
    ----------
    scope, receive : ASGI
        The request.
    most_bytes : int
        A longer one is refused, by its announced length or, sent in chunks, as soon as it is longer.
    seconds : float
        In which all of it must have come.

    Raises
    ------
    ApiError
        413 or 408.
    ClientGone
        When the connection closed first.
    """
    announced = dict(scope["headers"]).get(b"content-length")
    if announced is not None and (not announced.isdigit() or len(announced) > 18):
        raise ApiError(400, "content-length is no number", code="invalid_header")
    if announced is not None and int(announced) > most_bytes:
        raise _too_large(most_bytes)
    parts: list[bytes] = []
    total = 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                message: Message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                part: bytes = message.get("body", b"")
                total += len(part)
                if total > most_bytes:
                    raise _too_large(most_bytes)
                parts.append(part)
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        raise ApiError(
            408,
            f"the body had not arrived after {seconds:g} s",
            code="request_timeout",
            headers={"connection": "close"},
        ) from None


def check_json(scope: Scope, body: bytes) -> None:
    """Refuse a body that is no plain JSON.

    Parameters
    ----------
    scope : ASGI
        The request, for its content type.
    body : bytes
        All of it.

    Raises
    ------
    ApiError
        415 for another content type, 400 for anything in the body.
    """
    headers = dict(scope["headers"])
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != b"application/json" and not (kind.startswith(b"application/") and kind.endswith(b"+json")):
        raise ApiError(
            415,
            "the body must be JSON: content-type: application/json",
            code="unsupported_media_type",
        )
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise ApiError(415, "compressed bodies are not read", code="unsupported_media_type")
    if not body:
        raise ApiError(400, "the body is empty", code="invalid_json")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise _no_json(f"byte {error.start} is not UTF-8") from None
    _check_depth(body)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_constant,
            parse_int=_whole,
            parse_float=_fraction,
        )
    except json.JSONDecodeError as error:
        raise _no_json(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise _too_deep() from None
    if _HALF.search(text) is not None:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise _no_json("a string holds half of a surrogate pair") from None


def _check_depth(body: bytes) -> None:
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for mark in _ENDS.findall(_STRING.sub(b"", body)):
        depth += 1 if mark in b"[{" else -1
        if depth > MAX_DEPTH:
            raise _too_deep()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _no_json(f"the key {_cut(twice)!r} stands twice in one object", "duplicate_key")
    return found


def _constant(name: str) -> Any:
    raise _no_json(f"{name} is no JSON number")


def _whole(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise _no_json(f"a number has {len(text)} digits; {_LONGEST_NUMBER} are the most")
    return int(text)


def _fraction(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _no_json(f"the number {_cut(text)} is beyond what a double holds")
    return value


def _cut(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= 40 else text[:40] + "…"


def _no_json(reason: str, code: str = "invalid_json") -> ApiError:
    return ApiError(400, f"the body is no JSON: {reason}" if code == "invalid_json" else reason, code=code)


def _too_large(most_bytes: int) -> ApiError:
    # What is still being sent is not read; the connection is of no more use.
    return ApiError(
        413,
        f"the body is larger than the {most_bytes:,} bytes that are taken",
        code="body_too_large",
        headers={"connection": "close"},
    )


def _too_deep() -> ApiError:
    return ApiError(400, f"the body nests more than {MAX_DEPTH} levels deep", code="too_deep")
