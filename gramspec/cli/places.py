"""Places in a text, for people: line, column, caret, and where in a JSON document.

Law: columns count characters from 1, bytes count from 0; the caret stands under the character meant.
Cost: one pass over the text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len

from gramspec.automaton.wording import visible

_BEFORE: Final = 60
_AFTER: Final = 30


@dataclass(frozen=True, slots=True)
class Spot:
    """A byte offset as people count.

    Parameters
    ----------
    byte : int
        From 0.
    line, column : int
        From 1; columns are characters.
    shown : str
        The part of the line around the spot, one printable character for each character.
    caret : str
        Spaces and a caret: the line to print below `shown`.
    """

    byte: int
    line: int
    column: int
    shown: str
    caret: str


def spot(text: bytes, offset: int) -> Spot:
    """Where a byte offset is."""
    before = text[:offset].decode("utf-8", "replace")
    line = before.count("\n") + 1
    head = before.rsplit("\n", 1)[-1]
    tail = text[offset:].decode("utf-8", "replace").split("\n", 1)[0]
    left = ("…" if len(head) > _BEFORE else "") + visible(head[-_BEFORE:])
    right = visible(tail[:_AFTER]) + ("…" if len(tail) > _AFTER else "")
    return Spot(offset, line, len(head) + 1, left + right, " " * cell_len(left) + "^")


def json_pointer(text: bytes) -> str:
    """JSON pointer of the place where the prefix of a JSON text ends.

    Within a value it is that value's pointer; where a key or a comma is due, the object's or the array's.

    Parameters
    ----------
    text : bytes
        A prefix of a JSON text.
    """
    path: list[str | int | None] = []  # per open bracket: index, key, or None where a key is due
    arrays: list[bool] = []
    position = 0
    ended = False  # a string, an object or an array is over: what is due belongs to what holds it
    while position < len(text):
        byte = text[position : position + 1]
        if byte == b'"':
            end = _string_end(text, position)
            if end is None:
                break
            if arrays and not arrays[-1] and path[-1] is None:
                path[-1] = _unescape(text[position + 1 : end])
            else:
                ended = True
            position = end
        elif byte in (b"{", b"["):
            arrays.append(byte == b"[")
            path.append(0 if arrays[-1] else None)
        elif byte in (b"}", b"]") and arrays:
            arrays.pop()
            path.pop()
            ended = True
        elif byte == b"," and arrays:
            last = path[-1]
            path[-1] = last + 1 if isinstance(last, int) else None
            ended = False
        position += 1
    if ended and path:
        path.pop()
    steps = [str(step).replace("~", "~0").replace("/", "~1") for step in path if step is not None]
    return "".join("/" + step for step in steps)


def json_offset(text: str, pointer: str) -> int | None:
    """Where the value of a JSON pointer begins in a JSON text; that of the last part that is there.

    Parameters
    ----------
    text : str
        The document.
    pointer : str
        As in RFC 6901, with or without ``#`` before it.

    Returns
    -------
    int or None
        A character offset; None where text or pointer cannot be read.
    """
    pointer = pointer.removeprefix("#")
    if pointer and not pointer.startswith("/"):
        return None
    steps = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    try:
        at = _blanks(text, 0)
        for step in steps:
            below = _member(text, at, step)
            if below is None:
                break
            at = below
    except (ValueError, RecursionError, IndexError):
        return None
    return at


def _blanks(text: str, at: int) -> int:
    while text[at] in " \t\n\r":
        at += 1
    return at


def _member(text: str, at: int, step: str) -> int | None:
    """Where a member of the object or array at a place begins; None where there is none of that name."""
    if text[at] not in "{[":
        return None
    is_object, close = text[at] == "{", "}" if text[at] == "{" else "]"
    decoder = json.JSONDecoder(strict=False)
    found, index = None, 0
    at = _blanks(text, at + 1)
    while text[at] != close:
        name = str(index)
        if is_object:
            name, at = decoder.raw_decode(text, at)
            at = _blanks(text, _blanks(text, at) + 1)
        if name == step:
            found = at  # of keys that are written twice the last one counts
        _, at = decoder.raw_decode(text, at)
        at = _blanks(text, at)
        if text[at] == ",":
            at = _blanks(text, at + 1)
        index += 1
    return found


def _string_end(text: bytes, begin: int) -> int | None:
    position = begin + 1
    while position < len(text):
        if text[position] == 0x22:
            return position
        position += 2 if text[position] == 0x5C else 1
    return None


def _unescape(body: bytes) -> str:
    return str(json.loads(b'"' + body + b'"', strict=False))
