"""Weighted pushdown systems: masses of runs that empty the stack, as one matrix a stack symbol.

Law: M_X[s, t] is the mass of the runs from state s that pop X and end in state t, the least solution of
M_X[s, t] = Σ w over pops + Σ w·M_Y[u, t] + Σ w·(M_Y M_Z)[u, t]; a configuration (s, X₁ … Xₙ) is worth
e_sᵀ·M_X₁ ··· M_Xₙ·f.
Cost: |Q|² unknowns a symbol, solved once; a push |Q|² products, a pop none, a look-up |Q|.
Source: Esparza, Kucera, Mayr, LICS 2004; Etessami and Yannakakis, JACM 56(1), 2009; theory, section 4.

Grammars have one control state, so `Partition` multiplies numbers; more states are for proxies that remember
something beside the stack (the last class of bytes, a hidden state).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gramspec.errors import OptionError
from gramspec.validity.partition_solve import Component, PolynomialSystem, SolveLimits, solve

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Transition:
    """With weight w, in `state` with `symbol` on top: go to `target` and put `word` in the symbol's place.

    Parameters
    ----------
    state, target : int
    symbol : hashable
    word : tuple of hashable
        Symbols, the new top first; empty: a pop.
    weight : float
    """

    state: int
    symbol: Hashable
    target: int
    word: tuple[Hashable, ...]
    weight: float


class Pushdown:
    """A pushdown system and its masses.

    Parameters
    ----------
    states : int
        Number of control states.
    transitions : iterable of Transition
    final : array of float, shape (states,)
        f: what an empty stack is worth in each state.
    limits : SolveLimits, optional

    Attributes
    ----------
    components : tuple of Component
        How the recursive parts were solved.

    Raises
    ------
    OptionError
        If a state is unknown, a weight is negative, or `final` has another length.
    DivergenceError
        If a mass is infinite.
    """

    def __init__(
        self,
        states: int,
        transitions: Iterable[Transition],
        final: ArrayLike,
        *,
        limits: SolveLimits | None = None,
    ) -> None:
        self.states = states
        self.final = np.asarray(final, dtype=np.float64)
        if states < 1 or self.final.shape != (states,) or (self.final < 0).any():
            raise OptionError(f"final: {states} numbers, none negative, one a state (at least one state)")
        self._symbols: dict[Hashable, int] = {}
        system = PolynomialSystem()
        for rule in transitions:
            self._add(system, rule)
        solution = solve(system, limits=limits)
        shape = len(self._symbols), states, states
        self._matrices = solution.values[self._blocks].reshape(shape) if self._blocks else np.zeros(shape)
        self.components: tuple[Component, ...] = solution.components

    @property
    def _blocks(self) -> list[int]:
        return [v for first in self._symbols.values() for v in range(first, first + self.states**2)]

    def _first(self, system: PolynomialSystem, symbol: Hashable) -> int:
        """The unknown [0, symbol, 0]; those of a symbol are next to each other."""
        if symbol not in self._symbols:
            self._symbols[symbol] = system.variable()
            for _ in range(self.states**2 - 1):
                system.variable()
        return self._symbols[symbol]

    def _add(self, system: PolynomialSystem, rule: Transition) -> None:
        n = self.states
        for state in (rule.state, rule.target):
            if not 0 <= state < n:
                raise OptionError(f"{rule}: state {state} is not one of {n}")
        top = self._first(system, rule.symbol) + rule.state * n
        if not rule.word:
            system.add(top + rule.target, rule.weight)
            return
        blocks = [self._first(system, symbol) for symbol in rule.word]
        # The rest of a word is summed over the states between, once for each pair: |Q|³ a symbol of the word.
        rest = blocks.pop()
        while len(blocks) > 1:
            rest = self._product(system, blocks.pop(), rest)
        for t in range(n):
            if not blocks:
                system.add(top + t, rule.weight, [rest + rule.target * n + t])
            for between in range(n) if blocks else ():
                factors = [blocks[0] + rule.target * n + between, rest + between * n + t]
                system.add(top + t, rule.weight, factors)

    def _product(self, system: PolynomialSystem, left: int, right: int) -> int:
        n = self.states
        both = [system.variable() for _ in range(n * n)]
        for s in range(n):
            for t in range(n):
                for between in range(n):
                    system.add(both[s * n + t], 1.0, [left + s * n + between, right + between * n + t])
        return both[0]

    def matrix(self, symbol: Hashable) -> Floats:
        """M of a symbol, shape (states, states); zero for one that no transition mentions."""
        places = list(self._symbols)
        if symbol not in self._symbols:
            return np.zeros((self.states, self.states))
        found: Floats = self._matrices[places.index(symbol)]
        return found

    def stack(self, word: Sequence[Hashable] = ()) -> Stack:
        """A stack of symbols, the top first."""
        stack = Stack(self, self.final, None)
        for symbol in reversed(word):
            stack = stack.push(symbol)
        return stack


@dataclass(frozen=True)
class Stack:
    """A stack that keeps what it is worth: v = M_X₁ ··· M_Xₙ·f. Immutable; stacks share what lies below.

    Parameters
    ----------
    system : Pushdown
    vector : ndarray of float64, shape (states,)
        Mass of emptying the stack, from each state.
    below : Stack or None
        Without the top; None: the stack is empty.
    """

    system: Pushdown
    vector: Floats
    below: Stack | None

    def push(self, symbol: Hashable) -> Stack:
        """With one more symbol on top."""
        return Stack(self.system, self.system.matrix(symbol) @ self.vector, self)

    def pop(self) -> Stack:
        """Without the top.

        Raises
        ------
        IndexError
            If the stack is empty.
        """
        if self.below is None:
            raise IndexError("the stack is empty")
        return self.below

    def value(self, state: int) -> float:
        """Mass of emptying the stack from a state."""
        return float(self.vector[state])
