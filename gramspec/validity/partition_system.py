"""A grammar as a polynomial system: one variable an expression, its partition function under byte weights.

Law: Z(e) = Σ of the weights of the texts of e, each text once for each way to derive it; the stack of a
configuration multiplies: Z(state, X₁ … Xₙ) = Z(state)·Z(X₁)···Z(Xₙ), and the ways of a stack set add up.
Cost: a look-up a variable that is known; a new one is explored and solved once.
Source: theory, section 4; Etessami and Yannakakis, JACM 56(1), 2009 (1-exit recursive Markov chains).

An expression may have very many states (integers with exponents, objects whose keys come in any order). They
are explored by the chance to be reached when every state goes on by its own weights; what is too unlikely, or
beyond the bound, counts as one shortest text. `ExpressionSystem.cut` says how often that was.

Exact otherwise: bounded repetitions, key order, declared keys, numbers of members and conditions on them are
states of the native engine. Approximate: the names of undeclared keys written before are forgotten, so texts
that repeat such a key are counted too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gramspec import _native
from gramspec.validity.partition_solve import Component, PolynomialSystem, SolveLimits, solve

EMPTY_TEXT: Final = 1  # the native expression of the empty text

Floats = NDArray[np.float64]
ByteWeightsOf = Callable[[int, "tuple[tuple[int, int, int], ...]", bool], Floats]
"""Weights of the 256 bytes in a state: native expression, its arcs, whether nothing else may come."""

KeyParts = list[tuple[int, bool, list[tuple[int, int]]]]


@dataclass(frozen=True)
class ExploreLimits:
    """Bounds of an exploration.

    Parameters
    ----------
    states : int
        Expressions explored for the first one asked for.
    later : int
        Expressions explored for each one asked for later, and unknown then.
    least_reach : float
        Chance to be reached below which a state is not explored.
    """

    states: int = 20_000
    later: int = 2_000
    least_reach: float = 1e-8


class ExpressionSystem:
    """The partition functions of the expressions of one engine, explored and solved when asked for.

    Parameters
    ----------
    core : Engine
        The native engine.
    weights_of : callable
        Weights of the bytes in a state.
    edge_weight : callable
        Weight of a token edge by token id.
    edge_length : int
        Bytes that a token edge counts for.
    explore : ExploreLimits
    limits : SolveLimits
    """

    def __init__(
        self,
        core: Any,
        weights_of: ByteWeightsOf,
        edge_weight: Callable[[int], float],
        *,
        edge_length: int = 1,
        explore: ExploreLimits | None = None,
        limits: SolveLimits | None = None,
    ) -> None:
        self.core = core
        self.explore = explore or ExploreLimits()
        self.limits = limits or SolveLimits()
        self.system = PolynomialSystem()
        self.values: Floats = np.zeros(0)
        self.components: list[Component] = []
        self._weights_of = weights_of
        self._edge_weight = edge_weight
        self._edge_length = edge_length
        self._variables: dict[int, int] = {}
        self._cut: set[int] = set()
        self._inside: set[int] = set()  # the only way on where they are reached
        self._heap: list[tuple[float, int]] = []  # minus the chance to be reached, expression
        self._keys: list[tuple[int, KeyParts]] = []
        one = self._variables[EMPTY_TEXT] = self.system.variable()
        self.system.add(one, 1.0)

    @property
    def cut(self) -> int:
        """Expressions that were reached and not explored."""
        return len(self._cut)

    def variable(self, expr: int) -> int:
        """The variable of an expression; its value is known when this returns.

        Raises
        ------
        DivergenceError, LimitError, OptionError
            As those of `solve` and of the engine.
        """
        known = self._variables.get(expr)
        if known is None or expr in self._cut or known >= len(self.values):
            self.require([expr])
            known = self._variables[expr]
        return known

    def value(self, expr: int) -> float:
        """Z of an expression."""
        variable = self.variable(expr)  # may replace the array
        return float(self.values[variable])

    def require(self, exprs: Iterable[int]) -> None:
        """Explore and solve whatever these expressions depend on."""
        before = dict(self._variables), set(self._cut)
        try:
            for expr in exprs:
                if expr in self._cut:  # asked for by name: explored from here on
                    self._cut.remove(expr)
                    del self._variables[expr]
                self._of(expr, 1.0)
            self._explore_all(self.explore.later if len(self.values) > 1 else self.explore.states)
            self._solve()
        except BaseException:
            self._undo(*before)
            raise

    # -- exploration ------------------------------------------------------------------------------

    def _of(self, expr: int, reach: float) -> int:
        known = self._variables.get(expr)
        if known is None:
            known = self._variables[expr] = self.system.variable()
            heappush(self._heap, (-reach, expr))
        return known

    def _explore_all(self, most: int) -> None:
        explored: set[int] = set()
        while self._heap and len(explored) < most and -self._heap[0][0] >= self.explore.least_reach:
            reach, expr = heappop(self._heap)
            explored.add(expr)
            self._explore(expr, -reach)
        mean = self._mean_weight()
        for _, expr in self._heap:
            shortest = self.core.shortest(expr)
            self.system.add(self._variables[expr], mean ** min(shortest or 0, 10_000))
            self._cut.add(expr)
        self._heap.clear()

    def _mean_weight(self) -> float:
        weights = self._weights_of(EMPTY_TEXT, (), False)
        total = float(weights.sum())
        return float((weights**2).sum()) / total if total > 0.0 else 0.0

    def _explore(self, expr: int, reach: float) -> None:
        system, variable = self.system, self._variables[expr]
        if _native.partition_is_key(self.core, expr):
            parts = _native.partition_key(self.core, expr)
            share = reach / max(len(parts), 1)
            for rest, _, follow in parts:
                self._of(rest, share)
                for head, tail in follow:
                    self._of(head, share)
                    self._of(tail, share)
            self._keys.append((expr, parts))
            return
        monomials = _native.partition_expansion(self.core, expr)
        inside = expr in self._inside
        if monomials != [[expr]]:
            if inside and len(monomials) == 1:
                self._inside.update(monomials[0][:1])
            for word in monomials:
                system.add(variable, 1.0, [self._of(e, reach / len(monomials)) for e in word])
            return
        nullable, arcs, calls, tokens = _native.partition_head(self.core, expr)
        if nullable:
            system.add(variable, 1.0)
        forced = inside and not (nullable or calls or tokens)
        weights = self._weights_of(expr, tuple(arcs), forced)
        self._inside.update(target for _, _, target in arcs)
        if inside and len(calls) == 1 and not (nullable or arcs or tokens):
            self._inside.add(calls[0][0])
        to: dict[int, float] = {}
        for low, high, target in arcs:
            to[target] = to.get(target, 0.0) + float(weights[low : high + 1].sum())
        ways = bool(arcs) + len(calls) + len(tokens)
        share = reach / max(ways, 1)
        total = sum(to.values())
        for target, weight in to.items():
            here = share * weight / total if total > 0.0 else share
            system.add(variable, weight, [self._of(target, here)], length=1)
        for token, target in tokens:
            # An edge below zero is a set of tokens.
            edge = (
                self._edge_weight(token)
                if token >= 0
                else sum(map(self._edge_weight, self.core.edge_tokens(token)))
            )
            system.add(variable, edge, [self._of(target, share)], length=self._edge_length)
        for callee, rest in calls:
            system.add(variable, 1.0, [self._of(callee, share), self._of(rest, share)])

    def _solve(self) -> None:
        values = self.values
        if self._keys:
            rests = self._below(rest for _, parts in self._keys for rest, _, _ in parts)
            values = solve(self.system, limits=self.limits, damp=True, values=values, variables=rests).values
            for expr, parts in self._keys:
                self._mix(self._variables[expr], parts, values)
            self._keys.clear()
        fresh = range(len(self.values), len(self.system))
        found = solve(self.system, limits=self.limits, damp=True, values=values, variables=fresh)
        self.values = found.values
        self.components += [c for c in found.components if c.iterations]

    def _below(self, exprs: Iterable[int]) -> list[int]:
        """Unsolved variables that some expressions depend on."""
        todo = [self._variables[e] for e in exprs]
        seen: set[int] = set()
        while todo:
            v = todo.pop()
            if v >= len(self.values) and v not in seen:
                seen.add(v)
                todo += self.system.successors(v)
        return sorted(seen)

    def _mix(self, variable: int, parts: KeyParts, values: Floats) -> None:
        """A key being written becomes each key it may be, by the weight of the rest of its spelling."""
        masses = [float(values[self._variables[rest]]) for rest, _, _ in parts]
        declared = sum(m for m, part in zip(masses, parts, strict=True) if part[1])
        masses = [m if part[1] else max(m - declared, 0.0) for m, part in zip(masses, parts, strict=True)]
        total = sum(masses)
        if total == 0.0:  # too small for a float: all alike
            masses, total = [1.0] * len(parts), float(len(parts))
        for mass, (_, _, follow) in zip(masses, parts, strict=True):
            for head, tail in follow:
                self.system.add(variable, mass / total, [self._variables[head], self._variables[tail]])

    def _undo(self, variables: dict[int, int], cut: set[int]) -> None:
        """After an error: what was explored in vain may be explored again."""
        solved = len(self.values)
        self._variables, self._cut = variables, cut
        for terms in (self.system.constants, self.system.linear, self.system.products):
            del terms[solved:]
        self._heap.clear()
        self._keys.clear()
