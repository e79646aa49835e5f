"""Masses by length: the same partition functions, counted by how many bytes a text has.

Law: entry n ≤ T of a series is the mass of the texts of n bytes, the last entry that of all longer ones.
Cost: one linear solve for each of T lengths, and T²/2 products for each product of two expressions; T² for
each product of two series later.
Source: theory, section 4 (generating functions for a bounded length); Knuth, TAOCP 2, 4.7 (power series).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gramspec.errors import DivergenceError, OptionError
from gramspec.validity.partition_solve import PolynomialSystem, SolveLimits, solve

Floats = NDArray[np.float64]


class Algebra(Protocol):
    """What the values of expressions are: numbers, or series by length."""

    def extend(self, system: PolynomialSystem, values: Floats) -> None:
        """Take over the solution of a system that has grown."""
        ...

    def one(self) -> Any:
        """Value of the empty text."""
        ...

    def zero(self) -> Any:
        """Value of the empty language."""
        ...

    def of(self, variable: int) -> Any:
        """Value of a variable."""
        ...

    def times(self, a: Any, b: Any) -> Any:
        """Value of a concatenation."""
        ...

    def masses(self, values: Sequence[Any], below: Any, tokens: int) -> Floats:
        """Mass of each value times `below`, within so many tokens."""
        ...


class Numbers:
    """Masses of all lengths together: no budget is looked at."""

    def __init__(self) -> None:
        self._values: Floats = np.zeros(0)

    def extend(self, system: PolynomialSystem, values: Floats) -> None:
        """Keep the solution."""
        self._values = values

    def one(self) -> float:
        """1.0."""
        return 1.0

    def zero(self) -> float:
        """0.0."""
        return 0.0

    def of(self, variable: int) -> float:
        """Z."""
        return float(self._values[variable])

    def times(self, a: float, b: float) -> float:
        """The product."""
        return a * b

    def masses(self, values: Sequence[float], below: float, tokens: int) -> Floats:
        """The products."""
        return np.asarray(values, dtype=np.float64) * below


class Series:
    """Masses by length, and how many bytes a number of tokens holds.

    Parameters
    ----------
    most : int
        T, the longest length told apart; at least 1.
    token_lengths : array of float
        Distribution of the bytes of one token; entry n: exactly n bytes.
    max_bytes : int
        Memory for the series of all expressions.

    Notes
    -----
    The tokens of a text are taken to be as long as independent draws from `token_lengths`: n bytes fit into k
    tokens with the chance that k draws add up to n or more. Where all tokens are single bytes this is exact.
    """

    def __init__(self, most: int, token_lengths: Floats, *, max_bytes: int = 1 << 30) -> None:
        if most < 1:
            raise OptionError(f"the longest length told apart is at least 1, not {most}")
        self.most = most
        self.max_bytes = max_bytes
        self._rows: Floats = np.zeros((0, most + 2))
        lengths = np.zeros(most + 2)
        for n, chance in enumerate(np.asarray(token_lengths, dtype=np.float64)):
            lengths[min(n, most + 1)] += chance
        if lengths[0] > 0.0 or not np.isclose(lengths.sum(), 1.0):
            raise OptionError("token lengths: a distribution over 1, 2, … bytes")
        self._lengths = lengths
        sure = np.zeros(most + 2)
        sure[0] = 1.0
        self._sums = [sure]  # distribution of the bytes of k tokens
        self._fits: list[Floats] = [_tails(sure)]

    # -- solution ---------------------------------------------------------------------------------

    def extend(self, system: PolynomialSystem, values: Floats) -> None:
        """Find the series of the variables that are new."""
        first, n = len(self._rows), len(system)
        if n * (self.most + 2) * 8 > self.max_bytes:
            raise OptionError(
                f"series of {n} expressions up to {self.most} bytes take more than {self.max_bytes} bytes of"
                " memory: give a smaller max_bytes to Partition, or None for masses without a budget"
            )
        if n == first:
            return
        fresh = _Recurrence(system, first, n, self._rows, self.most).solve()
        rows = np.zeros((n, self.most + 2))
        rows[:first] = self._rows
        rows[first:, : self.most + 1] = fresh
        rows[first:, self.most + 1] = np.maximum(values[first:n] - fresh.sum(axis=1), 0.0)
        self._rows = rows

    # -- algebra ----------------------------------------------------------------------------------

    def one(self) -> Floats:
        """All mass at length 0."""
        out = np.zeros(self.most + 2)
        out[0] = 1.0
        return out

    def zero(self) -> Floats:
        """No mass."""
        return np.zeros(self.most + 2)

    def of(self, variable: int) -> Floats:
        """The series of a variable."""
        row: Floats = self._rows[variable]
        return row

    def times(self, a: Floats, b: Floats) -> Floats:
        """Convolution; what becomes too long stays in the last entry."""
        out = np.zeros(self.most + 2)
        first, second = np.flatnonzero(a[:-1]), np.flatnonzero(b[:-1])
        if len(first) and len(second):  # only where there is mass: most frames have few lengths
            low = int(first[0] + second[0])
            product = np.convolve(a[first[0] : first[-1] + 1], b[second[0] : second[-1] + 1])
            room = max(0, self.most + 1 - low)
            out[low : low + min(room, len(product))] = product[:room]
        out[-1] = max(0.0, float(a.sum() * b.sum() - out.sum()))
        return out

    def masses(self, values: Sequence[Floats], below: Floats, tokens: int) -> Floats:
        """Chance-weighted mass of what fits into `tokens` tokens."""
        if not len(values):
            return np.zeros(0)
        fit = self.fit(tokens)
        # need[n]: mass below that still fits when n bytes come before it.
        padded = np.concatenate([fit, np.full(self.most + 1, fit[-1])])
        need = np.correlate(padded, below, mode="valid") if below[1:].any() else below[0] * fit
        result: Floats = np.asarray(values) @ need
        return result

    def fit(self, tokens: int) -> Floats:
        """Chance that n bytes fit into so many tokens; the last entry: more than T bytes."""
        if tokens < 0:
            return np.zeros(self.most + 2)
        tokens = min(tokens, self.most + 1)  # every token has a byte at least: all fits
        while len(self._fits) <= tokens:
            last = self._sums[-1]
            following: Floats = np.convolve(last, self._lengths).astype(np.float64)
            following[self.most + 1] = following[self.most + 1 :].sum()
            self._sums.append(following[: self.most + 2])
            self._fits.append(_tails(self._sums[-1]))
        return self._fits[tokens]


def _tails(chances: Floats) -> Floats:
    tails: Floats = np.minimum(np.cumsum(chances[::-1])[::-1], 1.0)
    return tails


class _Recurrence:
    """Series of the variables first … n−1, length by length."""

    def __init__(self, system: PolynomialSystem, first: int, n: int, known: Floats, most: int) -> None:
        self.system, self.first, self.n, self.most = system, first, n, most
        linear = [(v - first, a, i, k) for v in range(first, n) for a, i, k in system.linear[v]]
        products = [(v - first, a, i, j) for v in range(first, n) for a, i, j in system.products[v]]
        mentioned = {i for _, _, i, _ in linear} | {i for p in products for i in p[2:]}
        old = sorted(i for i in mentioned if i < first)
        # Columns: the new variables, then the old ones that they mention.
        self.column = {v: v - first for v in range(first, n)}
        self.column |= {v: n - first + k for k, v in enumerate(old)}
        self.size = n - first
        self.table = np.zeros((most + 1, self.size + len(old)))
        if old:
            self.table[:, self.size :] = known[old, : most + 1].T
        self.lin = self._arrays([(r, a, self.column[i], k) for r, a, i, k in linear])
        self.pro = self._arrays([(r, a, self.column[i], self.column[j]) for r, a, i, j in products])

    @staticmethod
    def _arrays(terms: list[tuple[int, float, int, int]]) -> tuple[Any, Any, Any, Any]:
        rows, factors, left, right = zip(*terms, strict=True) if terms else ((), (), (), ())
        ids = (np.array(x, dtype=np.int64) for x in (rows, left, right))
        row, one, two = ids
        return row, np.array(factors, dtype=np.float64), one, two

    def solve(self) -> Floats:
        """The series, [variable, length]."""
        table, size = self.table, self.size
        table[0, :size] = self._empty_texts()
        at_once = self._at_once()
        row, factor, column, length = self.lin
        lengths = [(k, length == k) for k in np.unique(length).tolist()]
        p_row, p_factor, left, right = self.pro
        lefts = np.zeros((self.most + 1, len(left)))
        rights = np.zeros((self.most + 1, len(right)))
        lefts[0], rights[0] = table[0, left], table[0, right]
        for n in range(1, self.most + 1):
            here = np.zeros(size)
            for k, chosen in lengths:
                if k <= n:  # entries of this length that are not known yet are zero: `at_once` is for them
                    np.add.at(here, row[chosen], factor[chosen] * table[n - k, column[chosen]])
            if len(left):
                # The same holds for the first and the last of the pairs.
                sums = np.einsum("kp,kp->p", lefts[1:n], rights[n - 1 : 0 : -1])
                sums += lefts[0] * table[n, right] + rights[0] * table[n, left]
                np.add.at(here, p_row, p_factor * sums)
            table[n, :size] = at_once(here)
            lefts[n], rights[n] = table[n, left], table[n, right]
        return np.ascontiguousarray(table[:, :size].T)

    def _empty_texts(self) -> Floats:
        """Weights of the empty text: the system without what reads a byte."""
        part = PolynomialSystem()
        size = self.table.shape[1]
        for _ in range(size):
            part.variable()
        for v in range(self.first, self.n):
            part.add(self.column[v], self.system.constants[v])
            for a, i, length in self.system.linear[v]:
                if length == 0:
                    part.add(self.column[v], a, [self.column[i]])
            for a, i, j in self.system.products[v]:
                part.add(self.column[v], a, [self.column[i], self.column[j]])
        values = self.table[0].copy()
        limits = SolveLimits(max_variables=max(1, size))
        found = solve(part, values=values, variables=range(self.size), damp=True, limits=limits)
        empty: Floats = found.values[: self.size]
        return empty

    def _at_once(self) -> Any:
        """Solves y = A y + b, A what leads to a text of the same length without reading a byte."""
        row, factor, column, length = self.lin
        p_row, p_factor, left, right = self.pro
        same = (length == 0) & (column < self.size)
        rows = [row[same], p_row[left < self.size], p_row[right < self.size]]
        columns = [column[same], left[left < self.size], right[right < self.size]]
        entries = [
            factor[same],
            (p_factor * self.table[0, right])[left < self.size],
            (p_factor * self.table[0, left])[right < self.size],
        ]
        entry, at = np.concatenate(entries), (np.concatenate(rows), np.concatenate(columns))
        if not entry.any():
            return lambda b: b
        from scipy.sparse import csc_matrix, identity
        from scipy.sparse.linalg import splu

        ones = np.ones(self.size)
        matrix = csc_matrix((entry, at), shape=(self.size, self.size))
        for damping in (1.0, *(0.9 * 0.8**k for k in range(40))):
            try:
                solver = splu(identity(self.size, format="csc") - damping * matrix)
            except RuntimeError:  # singular
                continue
            if (solver.solve(ones) >= 1.0 - 1e-9).all():
                return solver.solve
        raise DivergenceError("texts that read nothing", "rules lead to each other without end")
