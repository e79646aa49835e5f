"""Walks along the masks of a small vocabulary, with what must hold of every state on the way.

Law: exact masks never run dry; an allowed token is read, another is refused and changes nothing; a text that
ends is a member; within the fewest tokens that the exact search tells, some ending is met.
Source: API, section 3 (`Matcher`).
"""

from __future__ import annotations

import random

import numpy as np

import gramspec as gs
from gramspec.errors import LimitError
from tests.conformance.walks import COMPLETE, EOS, PARTIAL
from tests.fuzz.harness import check

LONG = 300
# Beside single bytes and pieces of JSON: letters by the hundred (longer than a byte counts) and duplicates.
EXTRA: list[bytes | None] = [
    b"a" * LONG,
    b"ab",
    b'"',
    b"aa",
    b"\xf0\x9f\x98\x80",
    b"\x9f\x98",
    b"  ",
    b"b" * 9,
]
FAR = 40  # tokens to an ending that are searched for exactly


def vocabulary(*, complete: bool) -> gs.Vocabulary:
    """About 310 ids with one EOS; without `complete` most bytes are no tokens of their own."""
    return gs.Vocabulary([*(COMPLETE if complete else PARTIAL), *EXTRA], [EOS])


def walk(
    compiled: gs.CompiledGrammar, choose: random.Random, steps: int, *, exact: bool | None = None
) -> bytes | None:
    """One walk: the text that it ends in, or None if cut off. Masks are exact as they say, or as told."""
    exact = compiled.masks_exact if exact is None else exact
    matcher = compiled.matcher()
    tokens = compiled.vocabulary.tokens
    text = b""
    for _ in range(steps):
        ids = matcher.allowed_ids()
        if not len(ids):
            check(not exact, f"no token is allowed after {text!r}")
            return None
        check(bool(EOS in ids) == matcher.is_accepting, f"EOS and is_accepting differ after {text!r}")
        _refuse(matcher, ids, choose)
        token = EOS if EOS in ids and choose.random() < 0.3 else int(ids[choose.randrange(len(ids))])
        if not _read(matcher, token, text, exact):
            return None
        if token == EOS:
            return text
        text += tokens[token] or b""
    return _close(compiled, matcher, text, choose, exact)


def _refuse(matcher: gs.Matcher, ids: np.ndarray, choose: random.Random) -> None:
    """A token outside the mask is refused."""
    token = choose.randrange(-2, EOS + len(EXTRA) + 2)
    if token not in ids:
        check(matcher.advance_many([token]) == 0, f"token {token} is read though its mask bit is clear")


def _read(matcher: gs.Matcher, token: int, text: bytes, exact: bool) -> bool:
    """Read a token that is allowed; False where only a residual predicate may have refused it."""
    read = matcher.advance_many([token]) == 1
    check(read or not exact, f"token {token} is refused after {text!r} though its mask bit is set")
    return read


def _close(
    compiled: gs.CompiledGrammar, matcher: gs.Matcher, text: bytes, choose: random.Random, exact: bool
) -> bytes | None:
    """Go to an ending by the fewest tokens, where the search for them stays within its limits."""
    try:
        fewest = matcher.min_tokens(exact=True, cap=FAR)
        if fewest > FAR:
            return None
        check(matcher.min_tokens() <= fewest, f"the bound on the fewest tokens is none after {text!r}")
        for left in range(fewest, 0, -1):
            ids = np.flatnonzero(matcher.viable(left, exact=True))
            if not exact and not len(ids):
                return None
            check(len(ids) > 0, f"{left} tokens end no text after {text!r}")
            token = int(ids[choose.randrange(len(ids))])
            if not _read(matcher, token, text, exact):
                return None
            if token == EOS:
                return text
            text += compiled.vocabulary.tokens[token] or b""
    except LimitError:
        return None
    check(not exact, f"the fewest tokens lead to no ending: {text!r}")
    return None
