"""What suites do with a compiled grammar: read, walk, probe; each a function that can run in another process.

Law: a function takes a compiled grammar and its vocabulary, then keywords; arguments and answers are plain
frozen data. `drive` runs it beside the engine, wherever that is. Cost: one mask a token read.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gramspec.vocabulary import Vocabulary

Tokens = tuple[int, ...]
_CLOSING: Final = b'}])"'


def drive(compiled: Any, vocabulary: Vocabulary, function: Callable[..., Any], **arguments: Any) -> Any:
    """Run a function of this module beside the engine.

    Raises
    ------
    EngineFault
        If the engine raises, hangs or dies.
    """
    call = getattr(compiled, "call", None)
    if call is None:
        return function(compiled, vocabulary, **arguments)
    return call(f"{function.__module__}:{function.__name__}", **arguments)


@dataclass(frozen=True)
class Reading:
    """How an engine read a sequence.

    Parameters
    ----------
    taken : int
        Tokens taken before the first that was refused.
    complete : bool
        All were taken, and the mask then allows EOS.
    accepting : bool
        What the matcher itself says then.
    masked : int
        Index of the first token that was taken against the mask; -1 if there is none.
    unmasked : int
        Index of the first token that was refused though the mask allows it; -1 if there is none.
    """

    taken: int
    complete: bool
    accepting: bool
    masked: int = -1
    unmasked: int = -1


def read(compiled: Any, vocabulary: Vocabulary, *, sequences: Sequence[Tokens]) -> list[Reading]:
    """Read sequences, each from the beginning, along with the masks."""
    return [_read(compiled.matcher(), vocabulary, ids) for ids in sequences]


def _read(matcher: Any, vocabulary: Vocabulary, ids: Tokens) -> Reading:
    masked = unmasked = -1
    for index, token in enumerate(ids):
        allowed = bool(matcher.mask()[token])
        if not matcher.advance(token):
            return Reading(index, False, False, masked, index if allowed else unmasked)
        if not allowed and masked < 0:
            masked = index
    mask = matcher.mask()
    return Reading(len(ids), _may_end(mask, vocabulary), bool(matcher.is_accepting), masked, unmasked)


def _may_end(mask: NDArray[np.bool_], vocabulary: Vocabulary) -> bool:
    return any(bool(mask[end]) for end in vocabulary.eos_ids)


@dataclass(frozen=True)
class Walk:
    """A random walk along masks.

    Parameters
    ----------
    ids : tuple of int
        Tokens read, without EOS.
    end : str
        ``eos``: the end was chosen. ``dead``: the mask is empty. ``refused``: the engine refused `token`,
        which its mask allows. ``cut``: too many steps. ``slow``: no time left.
    token : int
        The refused token.
    """

    ids: Tokens
    end: str
    token: int = -1


def walks(
    compiled: Any,
    vocabulary: Vocabulary,
    *,
    seed: int,
    count: int,
    steps: int,
    seconds: float = math.inf,
) -> list[Walk]:
    """Walk along masks at random; after half of the steps what closes is preferred.

    `seconds` of computing end the walk and begin no other: many calls of a slow engine are no hang.
    """
    choose, until = random.Random(seed), time.process_time() + seconds
    found: list[Walk] = []
    while len(found) < count and time.process_time() < until:
        found.append(_walk(compiled.matcher(), vocabulary, choose, (), steps, steps // 2, until))
    return found


def _walk(
    matcher: Any,
    vocabulary: Vocabulary,
    choose: random.Random,
    start: Tokens,
    steps: int,
    free: int,
    until: float,
    tried: dict[bytes, set[int]] | None = None,
) -> Walk:
    ids = list(start)
    counts: dict[int, int] = {}
    for step in range(steps):
        if time.process_time() > until:
            return Walk(tuple(ids), "slow")
        mask = matcher.mask()
        allowed = np.flatnonzero(mask)
        here = None if tried is None else tried.setdefault(mask.tobytes(), set())
        if not len(allowed):
            return Walk(tuple(ids), "dead")
        if _may_end(mask, vocabulary) and (len(allowed) <= len(vocabulary.eos_ids) or choose.random() < 0.5):
            return Walk(tuple(ids), "eos")
        usable = [int(t) for t in allowed if t not in vocabulary.eos_ids]
        token = _choice(usable, vocabulary, choose, counts, here, closing=step >= free)
        counts[token] = counts.get(token, 0) + 1
        if here is not None:
            here.add(token)
        if not matcher.advance(token):
            return Walk(tuple(ids), "refused", token)
        ids.append(token)
    return Walk(tuple(ids), "cut")


def _choice(
    usable: list[int],
    vocabulary: Vocabulary,
    choose: random.Random,
    counts: dict[int, int],
    here: set[int] | None,
    *,
    closing: bool,
) -> int:
    """A token: classes of first bytes are about equally likely, so that letters do not swamp the rest.

    A search for an end prefers what closes, then what has not been tried under this mask (`here`).
    """
    classes: dict[int, list[int]] = {}
    for token in usable:
        classes.setdefault(_class_of(vocabulary.tokens[token] or b"\0"), []).append(token)
    if closing and choose.random() < 0.8:
        closers = [t for first in _CLOSING for t in classes.get(first, ()) if _closes(vocabulary.tokens[t])]
        if closers:
            return min(closers, key=lambda t: (len(vocabulary.tokens[t] or b""), t))
        fresh = [t for t in usable if here is not None and t not in here]
        if fresh:
            return choose.choice(fresh)
        # What has been chosen least often: that leaves loops sooner.
        fewest = min(counts.get(t, 0) for t in usable)
        return choose.choice([t for t in usable if counts.get(t, 0) == fewest])
    return choose.choice(classes[choose.choice(sorted(classes))])


def _class_of(token: bytes) -> int:
    first = token[0]
    if first in b'{}[]()<>,:;"-+.*\\/ \n':
        return first
    if chr(first).isalpha() and first < 128:
        return ord("a")
    if chr(first).isdigit() and first < 128:
        return ord("0")
    return 256 + (first >> 6) if first >= 128 else 33


def _closes(token: bytes | None) -> bool:
    return token is not None and all(byte in _CLOSING for byte in token)


@dataclass(frozen=True)
class Ending:
    """Whether an end was found from a prefix.

    Parameters
    ----------
    found : tuple of int or None
        A whole sequence that ends.
    dead : tuple of int or None
        A prefix with an empty mask that was met.
    states : int
        Masks looked at.
    closed : bool
        Every token of every mask that was met has been tried, and led to one of these masks.
    """

    found: Tokens | None
    dead: Tokens | None
    states: int
    closed: bool


def ending(
    compiled: Any,
    vocabulary: Vocabulary,
    *,
    ids: Tokens,
    seed: int,
    tries: int,
    steps: int,
    seconds: float = math.inf,
) -> Ending | None:
    """Look for an end from a prefix by walks that prefer what closes; None if there is no time for all."""
    choose, until = random.Random(seed), time.process_time() + seconds
    dead, states = None, 0
    tried: dict[bytes, set[int]] = {}
    for attempt in range(tries):
        matcher = compiled.matcher()
        if not all(matcher.advance(token) for token in ids):
            return Ending(None, ids, states, False)
        walk = _walk(
            matcher, vocabulary, choose, ids, steps, 0 if attempt % 2 == 0 else steps // 4, until, tried
        )
        states += len(walk.ids) - len(ids) + 1
        if walk.end == "eos":
            return Ending(walk.ids, None, states, False)
        if walk.end == "slow":
            return None
        if walk.end == "dead":
            dead = dead or walk.ids
    closed = all(len(tokens) == mask.count(1) for mask, tokens in tried.items())
    return Ending(None, dead, states, closed)


@dataclass(frozen=True)
class Probe:
    """Every token tried at a prefix, one by one.

    Parameters
    ----------
    allowed : tuple of int
        Ids that the mask allows.
    taken : tuple of int
        Ids that `advance` takes.
    accepting : bool
        What the matcher says.
    """

    allowed: Tokens
    taken: Tokens
    accepting: bool


def probe(
    compiled: Any, vocabulary: Vocabulary, *, ids: Tokens, fork: bool, seconds: float = math.inf
) -> Probe | None:
    """Try every token at a prefix, on a fork each or after reading it again.

    None if it is refused, or there is no time for all.
    """
    until = time.process_time() + seconds
    matcher = compiled.matcher()
    if not all(matcher.advance(token) for token in ids):
        return None
    allowed = tuple(int(t) for t in np.flatnonzero(matcher.mask()))
    taken = []
    for token in range(len(vocabulary)):
        if time.process_time() > until:
            return None
        if fork:
            trial = matcher.fork()
        else:
            trial = compiled.matcher()
            for earlier in ids:
                trial.advance(earlier)
        if trial.advance(token):
            taken.append(token)
    return Probe(allowed, tuple(taken), bool(matcher.is_accepting))


def masks_after(compiled: Any, vocabulary: Vocabulary, *, sequences: Sequence[Tokens]) -> list[Tokens | None]:
    """The allowed ids after each sequence; None where a token is refused."""
    found: list[Tokens | None] = []
    for ids in sequences:
        matcher = compiled.matcher()
        taken = all(matcher.advance(token) for token in ids)
        found.append(tuple(int(t) for t in np.flatnonzero(matcher.mask())) if taken else None)
    return found


@dataclass(frozen=True)
class Turn:
    """Where a matcher was not what it had been.

    Parameters
    ----------
    how : str
        ``rollback`` or ``fork``.
    ids : tuple of int
        Tokens read before.
    back : int
        Tokens taken back; for a fork 0.
    lost, added : int
        Ids that the mask allowed before and does not now, and the other way round.
    """

    how: str
    ids: Tokens
    back: int
    lost: int
    added: int


def turns(
    compiled: Any, vocabulary: Vocabulary, *, ids: Tokens, seed: int, rollback: bool, fork: bool
) -> tuple[dict[str, int], list[Turn]]:
    """Read, go back and forth at random, go on with forks: comparisons of each kind, and what differed."""
    choose = random.Random(seed)
    plain, masks = compiled.matcher(), []
    made = {name: 0 for name, asked in (("rollback", rollback), ("fork", fork)) if asked}
    for token in ids:
        masks.append(plain.mask())
        if not plain.advance(token):
            break
    else:
        masks.append(plain.mask())
    length, wrong = len(masks) - 1, []

    def compare(how: str, matcher: Any, place: int, back: int) -> None:
        made[how] += 1
        now, before = matcher.mask(), masks[place]
        if (now != before).any():
            lost, added = int((before & ~now).sum()), int((now & ~before).sum())
            wrong.append(Turn(how, ids[: place + back], back, lost, added))

    if rollback:
        matcher, place = compiled.matcher(), 0
        for _ in range(min(12, 2 * length)):
            forward = choose.randint(1, min(8, length - place)) if place < length else 0
            for token in ids[place : place + forward]:
                matcher.advance(token)
            place += forward
            back = choose.randint(1, min(place, 8))
            matcher.rollback(back)
            place -= back
            compare("rollback", matcher, place, back)
    if fork:
        matcher = compiled.matcher()
        for place in range(length):
            other = matcher.fork()
            allowed = np.flatnonzero(masks[place])
            if len(allowed):
                other.advance(int(choose.choice(list(allowed))))
            compare("fork", matcher, place, 0)
            matcher.advance(ids[place])
    return made, wrong
