"""`Brackets`: certified lower and upper bounds of Φ at prefixes, by listing the likeliest members first.

Law: low(x) = Σ p of the members found below x, high(x) = low(x) + Σ p of what is viable and not looked at,
so low <= Φ <= high (up to the row noise of the model); equal once nothing is left. `estimates` are unbiased.
Cost: one row and one exact mask for each prefix that is looked at; bounds are one pass over those.
Source: laws, "One frame for everything" (Φ as the mass of L); best-first search.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gramspec.errors import OptionError
from gramspec.kernels.inverse_cdf import pick
from gramspec.validity.diagnostics import Uniform, masked_runs
from gramspec.validity.graded import check_number
from gramspec.validity.protocol import CompiledLanguage
from gramspec.validity.reading import RowReader

_CLOSED = 1e-12  # what is left of a row of float64 when all of it has been looked at


class Bracket(NamedTuple):
    """Bounds of Φ at one prefix.

    Attributes
    ----------
    low, high : float
        Φ lies between them.
    closed : bool
        Whether nothing is left between them: both are Φ itself.
    """

    low: float
    high: float
    closed: bool


class Guess(NamedTuple):
    """An estimate of Φ between its bounds.

    Attributes
    ----------
    mean : float
        Unbiased; within the bounds.
    error : float
        Its standard error, with what one run more or less could change added in squares.
    runs : int
        How many runs it is made of; 0 where the bounds meet.
    """

    mean: float
    error: float
    runs: int


class Member(NamedTuple):
    """A member that was found.

    Attributes
    ----------
    tokens : tuple of int
        EOS included.
    p : float
        Its probability after the prefix the search began at.
    masked : float
        The same under local masking.
    """

    tokens: tuple[int, ...]
    p: float
    masked: float


class Opened:
    """A prefix that was looked at.

    Attributes
    ----------
    prefix : tuple of int
    p : ndarray
        The row of the target there, as wide as the vocabulary.
    viable : ndarray of bool
        Tokens after which an ending within the budget exists (before residual predicates).
    allowed : float
        Σ p over the viable tokens: what masking divides by.
    """

    __slots__ = (
        "_order",
        "allowed",
        "children",
        "ends",
        "masked",
        "mass",
        "number",
        "origin",
        "p",
        "parent",
        "prefix",
        "remaining",
        "state",
        "token",
        "viable",
    )

    def __init__(
        self,
        number: int,
        prefix: tuple[int, ...],
        state: Any,
        remaining: int,
        parent: Opened | None,
        p: NDArray[np.float64],
        ends: NDArray[np.int64],
    ) -> None:
        self.number = number
        self.prefix = prefix
        self.state = state
        self.remaining = remaining
        self.parent = parent
        self.token = prefix[-1] if parent is not None else -1
        self.viable: NDArray[np.bool_] = state.viable(remaining, exact=True)
        self.p = p[: len(self.viable)]
        self.allowed = float(self.p[self.viable].sum())
        self.ends = [int(t) for t in ends if self.viable[t]]
        self.children: dict[int, Opened] = {}
        self.mass = self.masked = 1.0
        self.origin = True
        inner = self.viable.copy()
        inner[ends] = False
        ids = np.flatnonzero(inner & (self.p > 0.0)).astype(np.int32)
        self._order: NDArray[np.int32] = ids[np.argsort(-self.p[ids], kind="stable")]

    @property
    def ranked(self) -> NDArray[np.int32]:
        """Viable tokens that do not end the text, the most probable first."""
        return self._order

    def ended(self) -> float:
        """Mass of the endings here."""
        return float(self.p[self.ends].sum())

    def left(self) -> NDArray[np.float64]:
        """P of the ranked tokens, zero for those that were looked at."""
        p = self.p[self._order].copy()
        if self.children:
            p[np.isin(self._order, list(self.children))] = 0.0
        return p


class Brackets:
    """A search for the members of a grammar below a prefix, and what it tells of Φ.

    Parameters
    ----------
    compiled : CompiledGrammar
        The language and its vocabulary.
    reader : RowReader
        Rows of the target, under the law that is asked about.
    prefix : sequence of int
        Where the search begins: tokens that the grammar allows.
    budget : int
        Tokens that may come after it, EOS included.
    max_prefixes : int
        Prefixes looked at most.
    max_bytes : int
        Bytes of rows held at most; reached, the search ends like one that reached `max_prefixes`.

    Raises
    ------
    OptionError
        If the grammar does not allow the prefix, or an option is out of range.
    """

    def __init__(
        self,
        compiled: CompiledLanguage,
        reader: RowReader,
        prefix: Sequence[int],
        budget: int,
        *,
        max_prefixes: int = 1_000,
        max_bytes: int = 1 << 28,
    ) -> None:
        for name, value in (("budget", budget), ("max_prefixes", max_prefixes), ("max_bytes", max_bytes)):
            check_number(name, value, 1)
        state = compiled.matcher()
        if state.advance_many(list(prefix)) < len(prefix):
            raise OptionError(f"prefix {list(prefix)}: not allowed by the grammar")
        self.compiled = compiled
        self.base = tuple(int(t) for t in prefix)
        self.opened: list[Opened] = []
        self._reader = reader
        self._max_prefixes = min(max_prefixes, max(1, max_bytes // (13 * len(compiled.vocabulary))))
        self._eos = np.asarray(sorted(compiled.vocabulary.eos_ids), dtype=np.int64)
        self._heap: list[tuple[float, int, int]] = []
        self.root = self._keep(Opened(0, self.base, state, budget, None, reader.row(self.base), self._eos))

    # -- searching ----------------------------------------------------------------------------------

    def follow(self, tokens: Sequence[int]) -> list[Opened]:
        """Look at every prefix along a text; from each of them the search begins anew, with mass one.

        Parameters
        ----------
        tokens : sequence of int
            After the prefix the search began at; viable ones, without EOS.

        Returns
        -------
        list of Opened
            The root, then the prefix after each token.
        """
        path = [self.root]
        for token in tokens:
            found = path[-1].children.get(token)
            if found is None:
                [found] = self._open([(path[-1], int(token))])
            if not found.origin:
                found.origin, found.mass, found.masked = True, 1.0, 1.0
                self._queue(found, 0)
            path.append(found)
        return path

    def look_at(self, node: Opened, tokens: Iterable[int]) -> None:
        """Look at these tokens after a prefix, whatever their probability.

        Parameters
        ----------
        node : Opened
            A prefix that was looked at.
        tokens : iterable of int
            Viable ones; those that were looked at already cost nothing.
        """
        wanted = [(node, int(t)) for t in tokens if int(t) not in node.children and t not in self._eos]
        self._open(wanted[: max(0, self._max_prefixes - len(self.opened))])

    def search(self, prefixes: int, *, at_once: int = 16) -> bool:
        """Look at more prefixes, those first that are likely under the model or under masking.

        Parameters
        ----------
        prefixes : int
            How many.
        at_once : int
            Rows asked for in one forward.

        Returns
        -------
        bool
            Whether there is anything left to look at within the bounds of the search.
        """
        most = min(prefixes, self._max_prefixes - len(self.opened))
        while most > 0 and self._heap:
            batch: list[tuple[Opened, int]] = []
            while self._heap and len(batch) < min(at_once, most):
                _, number, rank = heappop(self._heap)
                node = self.opened[number]
                token = int(node.ranked[rank])
                self._queue(node, rank + 1)
                if token not in node.children:
                    batch.append((node, token))
            self._open(batch)
            most -= len(batch)
        return bool(self._heap) and len(self.opened) < self._max_prefixes

    def _open(self, wanted: Sequence[tuple[Opened, int]]) -> list[Opened]:
        """Look at several children; their rows come from one forward over a tree."""
        if not wanted:
            return []
        skip = len(self.base)
        place: dict[tuple[int, ...], int] = {(): -1}
        tokens: list[int] = []
        parents: list[int] = []
        for node, token in wanted:
            path = (*node.prefix[skip:], token)
            for end in range(1, len(path) + 1):
                if path[:end] not in place:
                    place[path[:end]] = len(tokens)
                    tokens.append(path[end - 1])
                    parents.append(place[path[: end - 1]])
        rows = list(self._reader.tree(tokens, parents, self.base))
        found = []
        for node, token in wanted:
            prefix = (*node.prefix, token)
            state = node.state.fork()
            state.advance(token)
            row = rows[place[prefix[skip:]] + 1]
            child = Opened(len(self.opened), prefix, state, node.remaining - 1, node, row, self._eos)
            share = float(node.p[token])
            child.origin = False
            child.mass = node.mass * share
            child.masked = node.masked * share / node.allowed if node.allowed > 0.0 else 0.0
            node.children[token] = child
            found.append(self._keep(child))
        return found

    def _keep(self, node: Opened) -> Opened:
        self.opened.append(node)
        self._queue(node, 0)
        return node

    def _queue(self, node: Opened, rank: int) -> None:
        if rank < len(node.ranked):
            share = float(node.p[node.ranked[rank]])
            likely = share * max(node.mass, node.masked / node.allowed)
            heappush(self._heap, (-likely, node.number, rank))

    # -- what it tells --------------------------------------------------------------------------------

    def bounds(self) -> dict[tuple[int, ...], Bracket]:
        """Bounds of Φ at every prefix that was looked at."""
        found: dict[tuple[int, ...], Bracket] = {}
        for node in sorted(self.opened, key=lambda each: -len(each.prefix)):
            rest = float(node.left().sum())
            low = high = node.ended()
            closed = rest <= _CLOSED
            for token, child in node.children.items():
                below = found[child.prefix]
                low += node.p[token] * below.low
                high += node.p[token] * below.high
                closed = closed and (below.closed or node.p[token] == 0.0)
            low = float(low)
            found[node.prefix] = Bracket(low, low if closed else min(1.0, float(high + rest)), bool(closed))
        return found

    def members(self) -> list[Member]:
        """Members found, with their probabilities after the prefix the search began at."""
        found = []
        reached = {self.base: (1.0, 1.0)}
        for node in sorted(self.opened, key=lambda each: len(each.prefix)):
            p, masked = reached[node.prefix]
            for token, child in node.children.items():
                share = float(node.p[token])
                reached[child.prefix] = p * share, masked * share / node.allowed if share > 0.0 else 0.0
            for token in node.ends:
                share = float(node.p[token])
                tokens = (*node.prefix[len(self.base) :], token)
                found.append(Member(tokens, p * share, masked * share / node.allowed if share > 0.0 else 0.0))
        return found

    def estimates(self, wanted: Sequence[tuple[Opened, Bracket, int]], uniform: Uniform) -> list[Guess]:
        """Φ at several prefixes: what is certain, and runs under the mask from what was not looked at.

        Parameters
        ----------
        wanted : sequence of (Opened, Bracket, int)
            Prefixes that were looked at, their bounds, and how many runs for each, at least 2. All runs are
            made side by side.
        uniform : callable
            Source of random numbers.
        """
        starts: list[tuple[tuple[int, ...], Any, int]] = []
        gaps: list[float] = []
        for node, bracket, runs in wanted:
            check_number("runs", runs, 2)
            gap, begun = (0.0, []) if bracket.closed else self._starts(node, runs, uniform)
            gaps.append(gap)
            starts.extend(begun)
        weights = masked_runs(self.compiled, self._reader, starts, uniform)
        found: list[Guess] = []
        begin = 0
        for (_, bracket, runs), gap in zip(wanted, gaps, strict=True):
            if bracket.closed:
                found.append(Guess(bracket.low, 0.0, 0))
                continue
            own = weights[begin : begin + runs]
            begin += runs
            # Runs that all weigh the same are no proof that the next one would.
            error = gap * sqrt(float(own.var(ddof=1)) / runs + 1.0 / runs**2)
            found.append(Guess(bracket.low + gap * float(own.mean()), error, runs))
        return found

    def _starts(
        self, node: Opened, runs: int, uniform: Uniform
    ) -> tuple[float, list[tuple[tuple[int, ...], Any, int]]]:
        """Mass below a prefix that was not looked at, and places in it drawn by their mass."""
        below = [(node, 1.0)]
        for each, mass in below:  # grows: parents before children
            below.extend((child, mass * float(each.p[t])) for t, child in each.children.items())
        lefts = [each.left() for each, _ in below]
        masses = np.array([mass * float(left.sum()) for (_, mass), left in zip(below, lefts, strict=True)])
        starts = []
        for _ in range(runs):
            chosen = pick(masses, uniform())
            each, left = below[chosen][0], lefts[chosen]
            token = int(each.ranked[pick(left, uniform())])
            state = each.state.fork()
            state.advance(token)
            starts.append(((*each.prefix, token), state, each.remaining - 1))
        return float(masses.sum()), starts
