"""`GradedPotential`: what potentials with values between zero and one have in common.

Law: zero exactly where `Viability` is zero, h(y·EOS) = 1[y ∈ L], and h(xv) at xv is what its parent said.
Cost: one array of h per prefix is remembered under a byte limit. Source: laws, "The snapshot rule".
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Sequence
from math import inf, log
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gramspec.errors import OptionError
from gramspec.validity.protocol import CompiledLanguage, Contract, GrammarState
from gramspec.validity.viability import Viability


class Group(NamedTuple):
    """Tokens that lead to one state.

    Attributes
    ----------
    key : hashable
        Of the state, see `state_key`.
    state : Matcher
        After any one of the tokens.
    tokens : ndarray of int64
        The tokens, in the order they were asked for.
    """

    key: Hashable
    state: Any
    tokens: NDArray[np.int64]


def canonical(state: GrammarState) -> Any:
    """A copy of a state whose keys, and those of its forks, can be compared with each other."""
    copy = state.fork()
    copy.min_tokens()  # a matcher that has loaded a part of its grammar goes over to the whole of it
    return copy


def state_key(state: Any, prefix: Sequence[int]) -> Hashable:
    """A key that is equal only for equal states: the matcher's own, or else the prefix itself."""
    key: Hashable = getattr(state, "mask_key", None)
    return ("prefix", *prefix) if key is None else key


def successors(state: Any, prefix: Sequence[int], tokens: Iterable[int]) -> list[Group]:
    """Tokens grouped by the state that they lead to: one fork and one advance for each token.

    Parameters
    ----------
    state : Matcher
        From `canonical`; unchanged.
    prefix : sequence of int
        What it has read.
    tokens : iterable of int
        Allowed tokens, no EOS ids.
    """
    found: dict[Hashable, tuple[Any, list[int]]] = {}
    for token in tokens:
        after = state.fork()
        after.advance(token)
        found.setdefault(state_key(after, (*prefix, token)), (after, []))[1].append(token)
    return [Group(key, after, np.asarray(ids, dtype=np.int64)) for key, (after, ids) in found.items()]


def likeliest(tokens: NDArray[np.int64], mass: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """At most `count` of the tokens, the largest mass first; equal ones by id.

    Parameters
    ----------
    tokens : ndarray of int
        Ascending.
    mass : ndarray
        By token id.
    count : int
        At least 0.
    """
    own = mass[tokens]
    if count < len(tokens):
        smallest = np.partition(own, len(own) - count)[len(own) - count] if count else np.inf
        chosen = np.flatnonzero(own >= smallest)
        tokens, own = tokens[chosen], own[chosen]
    return tokens[np.argsort(-own, kind="stable")][:count]


def fill_rest(
    h: NDArray[np.float64], p: NDArray[np.float64], evaluated: NDArray[np.int64], otherwise: float
) -> None:
    """Give tokens that were not evaluated the mean of those that were, weighted by p.

    A tail left at 1 beside small values would draw a proposal to what nobody has looked at.

    Parameters
    ----------
    h : ndarray, shape (V,)
        Values of the evaluated tokens; changed in place.
    p : ndarray
        Row of a model, at least as wide.
    evaluated : ndarray of int
        Tokens whose values stand.
    otherwise : float
        Where p gives the evaluated tokens no mass.
    """
    weight = float(p[evaluated].sum())
    mean = float(p[evaluated] @ h[evaluated]) / weight if weight > 0.0 else otherwise
    rest = np.ones(len(h), dtype=np.bool_)
    rest[evaluated] = False
    h[rest] = mean


def check_number(name: str, value: float, low: float, high: float = inf, *, open_low: bool = False) -> None:
    """Refuse an option outside its range.

    Raises
    ------
    OptionError
        Naming the option.
    """
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
    if not good or (open_low and value == low):
        edge = "above" if open_low else "at least"
        upper = "" if high == inf else f" and at most {high:g}"
        raise OptionError(f"{name}={value!r}: a number {edge} {low:g}{upper} is needed")


class GradedPotential(ABC):
    """A potential that grades viable prefixes; subclasses say how.

    Parameters
    ----------
    compiled : CompiledGrammar
        The language and its vocabulary.
    floor : float
        Least value on viable prefixes; 0 only under contract S or E.
    memo_bytes : int
        Bytes of remembered children; beyond, those unread for longest are forgotten.
    """

    name: str
    contract: Contract

    def __init__(self, compiled: CompiledLanguage, *, floor: float, memo_bytes: int = 1 << 26) -> None:
        check_number("memo_bytes", memo_bytes, 0)
        self.compiled = compiled
        self.floor = floor
        self.memo_bytes = memo_bytes
        self._viability = Viability(compiled)
        self._eos = np.asarray(sorted(compiled.vocabulary.eos_ids), dtype=np.int64)
        self._memo: OrderedDict[tuple[tuple[int, ...], int], NDArray[np.float64]] = OrderedDict()

    def log_h(self, state: GrammarState, prefix: Sequence[int], budget: int) -> float:
        """Return log h at a prefix; what its parent said of it, except at the root."""
        if state.is_finished:
            return 0.0
        if state.min_tokens() > budget:
            return -inf
        if not prefix:
            h = max(self.floor, min(1.0, self._root(canonical(state), budget)))
        else:
            above = tuple(int(t) for t in prefix[:-1])
            parent = self.compiled.matcher()
            for token in above:
                parent.advance(token)
            h = float(self._children(parent, above, budget + 1)[prefix[-1]])
        return log(h) if h > 0.0 else -inf

    def h_children(self, state: GrammarState, prefix: Sequence[int], budget: int) -> NDArray[np.float64]:
        """h(xv) for every token; float64 [V], a fresh array."""
        return self._children(state, tuple(int(t) for t in prefix), budget).copy()

    def _children(self, state: GrammarState, prefix: tuple[int, ...], budget: int) -> NDArray[np.float64]:
        known = self._memo.get((prefix, budget))
        if known is not None:
            self._memo.move_to_end((prefix, budget))
            return known
        h = self._viability.h_children(state, prefix, budget)
        inner = h > 0.0
        inner[self._eos] = False
        tokens = np.flatnonzero(inner)
        if len(tokens):
            values = self._interior(canonical(state), prefix, budget, tokens)
            h[tokens] = np.clip(values, self.floor, 1.0)
        self._memo[prefix, budget] = h
        while len(self._memo) * h.nbytes > self.memo_bytes and len(self._memo) > 1:
            self._memo.popitem(last=False)
        return h

    @abstractmethod
    def _root(self, state: Any, budget: int) -> float:
        """h(ε), where an ending is possible."""

    @abstractmethod
    def _interior(
        self, state: Any, prefix: tuple[int, ...], budget: int, tokens: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """h(xv) for viable tokens v that are no EOS ids; `budget` counts from x on."""

    def __repr__(self) -> str:
        return f"<{self.name}, contract {self.contract}>"
