"""Random walks along masks: what is allowed never ends nowhere, and what ends is a member.

Law: following masks until EOS gives a member; with exact masks no mask on the way is empty.
Source: API, section 3 (`Matcher`).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import gramspec as gs

EOS = 300
# All bytes, and tokens that cross the borders between keys, strings, numbers and punctuation.
_PIECES = [b'{"a":', b'"a"', b'"b', b'":', b'",', b'"}', b"}]", b',"', b'{"', b'["', b"true", b"fal", b"null"]
_PIECES += [
    b"11",
    b"0.5",
    b".5",
    b"1,",
    b"]}",
    b"ab",
    b'a"',
    b"\\u00",
    b"[[",
    b"}}",
    b", ",
    b"\n  ",
    b"\xc3\xa4",
]
BYTES: list[bytes | None] = [bytes([b]) for b in range(256)]
COMPLETE = [*BYTES, *_PIECES, *[None] * (EOS - 256 - len(_PIECES)), None]
# Without most bytes: some members cannot be spelled, and masks must not lead towards them.
_SOME: set[bytes] = {bytes([b]) for b in b'{}[],:"0125.-abcu\\trefalsn '}
PARTIAL = [token if token is None or len(token) > 1 or token in _SOME else None for token in COMPLETE]


@dataclass
class Walked:
    """Texts that ended in EOS, prefixes with an empty mask, and walks that were cut off."""

    texts: list[bytes]
    dead: list[bytes]
    cut: int


def vocabulary(*, complete: bool) -> gs.Vocabulary:
    """A vocabulary of 301 ids with one EOS."""
    return gs.Vocabulary(COMPLETE if complete else PARTIAL, [EOS])


def walk(compiled: gs.CompiledGrammar, seed: int, *, walks: int = 8, steps: int = 120) -> Walked:
    """Walk so many times; after half of the steps, what closes a value is preferred."""
    choose = random.Random(seed)
    found = Walked([], [], 0)
    for _ in range(walks):
        matcher = compiled.matcher()
        text = b""
        for step in range(steps):
            ids = [int(i) for i in matcher.allowed_ids()]
            if not ids:
                found.dead.append(text)
                break
            token = EOS if EOS in ids and choose.random() < 0.7 else _choice(ids, choose, step > steps // 2)
            matcher.advance(token)
            if token == EOS:
                found.texts.append(text)
                break
            text += COMPLETE[token] or b""
        else:
            found.cut += 1
    return found


def _choice(ids: list[int], choose: random.Random, closing: bool) -> int:
    """A token: kinds of first bytes are about equally likely, so that strings do not swamp the rest."""
    kinds: dict[int, list[int]] = {}
    for token in ids:
        first = (COMPLETE[token] or b"\0")[0]
        kind = (
            first
            if first in b'{}[],:"-.'
            else 97
            if 97 <= first < 123
            else 48
            if 48 <= first < 58
            else first >> 6
        )
        kinds.setdefault(kind, []).append(token)
    if closing:
        for first in b'}]"':
            if first in kinds:
                return min(kinds[first])
    return choose.choice(kinds[choose.choice(sorted(kinds))])
