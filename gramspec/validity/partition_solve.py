"""Least fixed points of monotone polynomial systems x = F(x): components, then Newton from zero.

Law: with non-negative coefficients Newton from 0 rises to the least fixed point, whatever the system, if that
point is finite; a component without a finite one is refused by name (or damped on request).
Cost: linear in the terms for the components; a few sparse factorisations for each recursive component
(5 to 12 away from criticality; one bit an iteration at criticality).
Source: Esparza, Kiefer, Luttenberger, SIAM J. Comput. 39(6), 2010 (Newton); Etessami and Yannakakis, JACM
56(1), 2009 (components, zero variables); Tarjan, SIAM J. Comput. 1(2), 1972.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gramspec.errors import DivergenceError, OptionError

Floats = NDArray[np.float64]

_DENSE: Final = 48  # variables up to which a dense factorisation is faster
_HUGE: Final = 1e60
_DAMPINGS: Final = 60


@dataclass
class PolynomialSystem:
    """Equations x_v = c_v + Σ a·x_i + Σ a·x_i·x_j, one a variable; products of more are folded.

    Every coefficient is at least zero. A linear term may carry a length, which `solve` does not look at: it
    is there for the bounded solution (`gramspec.validity.partition_series`).
    """

    constants: list[float] = field(default_factory=list)
    linear: list[list[tuple[float, int, int]]] = field(default_factory=list)  # coefficient, variable, length
    products: list[list[tuple[float, int, int]]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.constants)

    def variable(self) -> int:
        """A new variable, zero until terms are added to it."""
        self.constants.append(0.0)
        self.linear.append([])
        self.products.append([])
        return len(self.constants) - 1

    def add(self, variable: int, coefficient: float, factors: Sequence[int] = (), length: int = 0) -> None:
        """Add a·Π factors to the equation of a variable.

        Parameters
        ----------
        variable : int
        coefficient : float
        factors : sequence of int
            Variables; none: a constant.
        length : int
            Bytes that the term reads; only with one factor.

        Raises
        ------
        OptionError
            If the coefficient is negative or no finite number.
        """
        if not (np.isfinite(coefficient) and coefficient >= 0.0):
            raise OptionError(f"coefficient {coefficient!r} of variable {variable}: a finite number >= 0")
        if length and len(factors) != 1:
            raise OptionError(f"a term of variable {variable} reads {length} bytes, so it has one factor")
        if coefficient == 0.0:
            return
        if not factors:
            self.constants[variable] += coefficient
        elif len(factors) == 1:
            self.linear[variable].append((coefficient, factors[0], length))
        else:
            last = factors[-1]
            for factor in reversed(factors[1:-1]):
                both = self.variable()
                self.products[both].append((1.0, factor, last))
                last = both
            self.products[variable].append((coefficient, factors[0], last))

    def successors(self, variable: int) -> list[int]:
        """Variables that the equation of one mentions."""
        found = [i for _, i, _ in self.linear[variable]]
        for _, i, j in self.products[variable]:
            found += (i, j)
        return found


@dataclass(frozen=True)
class SolveLimits:
    """Bounds of a solution.

    Parameters
    ----------
    max_variables : int
        Variables of one system.
    max_iterations : int
        Newton steps of one component.
    tolerance : float
        Relative size of the last step.
    """

    max_variables: int = 200_000
    max_iterations: int = 200
    tolerance: float = 1e-13


@dataclass(frozen=True)
class Component:
    """How one strongly connected component was solved.

    Parameters
    ----------
    variables : tuple of int
    iterations : int
        Newton steps; 0 where nothing is recursive or everything is zero.
    damping : float
        Factor on the terms inside the component; below 1 where there is no finite solution.
    """

    variables: tuple[int, ...]
    iterations: int
    damping: float = 1.0


@dataclass(frozen=True)
class Solution:
    """Values of the variables, and how each component was solved.

    Parameters
    ----------
    values : ndarray of float64
    components : tuple of Component
        In the order solved: what a component mentions comes before it.
    """

    values: Floats
    components: tuple[Component, ...]

    @property
    def iterations(self) -> int:
        """Newton steps of the component that took most."""
        return max((c.iterations for c in self.components), default=0)

    @property
    def damped(self) -> int:
        """Components that have no finite solution and were damped."""
        return sum(c.damping < 1.0 for c in self.components)


def components_of(system: PolynomialSystem, variables: Iterable[int]) -> list[list[int]]:
    """Strongly connected components among some variables, dependencies first; iterative."""
    wanted = set(variables)
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    open_: list[int] = []
    is_open: set[int] = set()
    out: list[list[int]] = []
    for start in sorted(wanted):
        if start in order:
            continue
        work: list[tuple[int, list[int]]] = [(start, _next(system, start, wanted))]
        order[start] = low[start] = len(order)
        open_.append(start)
        is_open.add(start)
        while work:
            v, rest = work[-1]
            if rest:
                w = rest.pop()
                if w not in order:
                    order[w] = low[w] = len(order)
                    open_.append(w)
                    is_open.add(w)
                    work.append((w, _next(system, w, wanted)))
                elif w in is_open:
                    low[v] = min(low[v], order[w])
                continue
            work.pop()
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[v])
            if low[v] == order[v]:
                component: list[int] = []
                while not component or component[-1] != v:
                    component.append(open_.pop())
                    is_open.discard(component[-1])
                out.append(sorted(component))
    return out


def _next(system: PolynomialSystem, variable: int, wanted: set[int]) -> list[int]:
    return [w for w in dict.fromkeys(system.successors(variable)) if w in wanted]


def solve(
    system: PolynomialSystem,
    *,
    limits: SolveLimits | None = None,
    damp: bool = False,
    values: Floats | None = None,
    variables: Iterable[int] | None = None,
) -> Solution:
    """The least fixed point of a system.

    Parameters
    ----------
    system : PolynomialSystem
    limits : SolveLimits, optional
    damp : bool
        Where a component has no finite solution, weaken the terms inside it by the largest factor of a short
        list that gives one, instead of an error.
    values : ndarray, optional
        Values known before, by variable; those of the first variables are enough.
    variables : iterable of int, optional
        Variables to solve; they mention no others but those known. All by default.

    Returns
    -------
    Solution

    Raises
    ------
    DivergenceError
        If a component has no finite solution, or takes more than `max_iterations`.
    OptionError
        If the system has more than `max_variables`.
    """
    limits = limits or SolveLimits()
    n = len(system)
    if n > limits.max_variables:
        raise OptionError(
            f"the system has {n} variables, more than SolveLimits.max_variables = {limits.max_variables}"
        )
    x = np.zeros(n)
    if values is not None:
        x[: len(values)] = values
    wanted = range(n) if variables is None else variables
    done = tuple(_solve_component(system, part, x, limits, damp) for part in components_of(system, wanted))
    return Solution(x, done)


def _solve_component(
    system: PolynomialSystem, variables: list[int], x: Floats, limits: SolveLimits, damp: bool
) -> Component:
    if len(variables) == 1 and variables[0] not in system.successors(variables[0]):
        v = variables[0]
        value = system.constants[v] + sum(a * x[i] for a, i, _ in system.linear[v])
        x[v] = value + sum(a * x[i] * x[j] for a, i, j in system.products[v])
        return Component((v,), 0)
    part = _Part(system, variables, x)
    damping = 1.0
    for attempt in range(_DAMPINGS):
        found = part.newton(damping, limits)
        if isinstance(found, tuple):
            x[variables] = found[0]
            return Component(tuple(variables), found[1], damping)
        if not damp:
            raise DivergenceError(
                f"variables {variables[:6]}{' …' if len(variables) > 6 else ''}",
                found,
                "give the terms smaller weights, or bound the length of the texts",
            )
        damping = 0.9 if attempt == 0 else damping * 0.8
    raise DivergenceError(f"variables {variables[:6]}", "no damping gives a finite solution", "")


class _Part:
    """One component as a system of its own, y = c + L y + Σ a y_i y_j; earlier values are inside c and L."""

    def __init__(self, system: PolynomialSystem, variables: list[int], x: Floats) -> None:
        at = {v: k for k, v in enumerate(variables)}
        self.size = len(variables)
        self.constants = np.zeros(self.size)
        linear: dict[tuple[int, int], float] = {}
        products: list[tuple[float, int, int, int]] = []

        def add(row: int, coefficient: float, column: int) -> None:
            if coefficient != 0.0:
                linear[row, column] = linear.get((row, column), 0.0) + coefficient

        for row, v in enumerate(variables):
            self.constants[row] = system.constants[v]
            for a, i, _ in system.linear[v]:
                if i in at:
                    add(row, a, at[i])
                else:
                    self.constants[row] += a * x[i]
            for a, i, j in system.products[v]:
                if i in at and j in at:
                    products.append((a, row, at[i], at[j]))
                elif i in at:
                    add(row, a * x[j], at[i])
                elif j in at:
                    add(row, a * x[i], at[j])
                else:
                    self.constants[row] += a * x[i] * x[j]
        self.lin_row = np.array([r for r, _ in linear], dtype=np.int64)
        self.lin_col = np.array([c for _, c in linear], dtype=np.int64)
        self.lin = np.array(list(linear.values()), dtype=np.float64)
        self.row = np.array([p[1] for p in products], dtype=np.int64)
        self.left = np.array([p[2] for p in products], dtype=np.int64)
        self.right = np.array([p[3] for p in products], dtype=np.int64)
        self.factor = np.array([p[0] for p in products], dtype=np.float64)
        self._drop_zeros()

    def _drop_zeros(self) -> None:
        """Variables that no derivation makes positive are zero; Newton is for the others."""
        positive = self.constants > 0.0
        before = -1
        while before != int(positive.sum()):
            before = int(positive.sum())
            positive[self.lin_row[positive[self.lin_col]]] = True
            positive[self.row[positive[self.left] & positive[self.right]]] = True
        self.positive = positive
        keep = positive[self.lin_row] & positive[self.lin_col]
        self.lin_row, self.lin_col, self.lin = self.lin_row[keep], self.lin_col[keep], self.lin[keep]
        keep = positive[self.row] & positive[self.left] & positive[self.right]
        self.row, self.left, self.right = self.row[keep], self.left[keep], self.right[keep]
        self.factor = self.factor[keep]

    def newton(self, damping: float, limits: SolveLimits) -> tuple[Floats, int] | str:
        """The solution and the number of steps, or why there is none."""
        y = np.zeros(self.size)
        if not self.positive.any():
            return y, 0
        lin, factor = damping * self.lin, damping * self.factor
        last = np.inf
        for step in range(1, limits.max_iterations + 1):
            value = self.constants.copy()
            np.add.at(value, self.lin_row, lin * y[self.lin_col])
            np.add.at(value, self.row, factor * y[self.left] * y[self.right])
            residual = np.maximum(value - y, 0.0)  # rounding only: below the fixed point F(y) >= y
            delta = self._linear_solve(lin, factor, y, residual)
            scale = y + np.abs(residual) + 1e-300
            if delta is None or not np.isfinite(delta).all() or (delta < -1e-6 * scale).any():
                return f"has no finite solution (step {step} of Newton's method)"
            delta = np.maximum(delta, 0.0)
            y += delta
            if y.max() > _HUGE:
                return f"has no finite solution (step {step} of Newton's method)"
            size = float((delta[self.positive] / y[self.positive].clip(1e-300)).max())
            # At criticality rounding ends the progress first: steps shrink by a half, then wander.
            if size <= limits.tolerance or (size < 1e-7 and size >= last):
                return y, step
            last = size
        return f"has not converged in max_iterations = {limits.max_iterations} steps"

    def _linear_solve(self, lin: Floats, factor: Floats, y: Floats, residual: Floats) -> Floats | None:
        rows = np.concatenate([self.lin_row, self.row, self.row])
        columns = np.concatenate([self.lin_col, self.left, self.right])
        entries = np.concatenate([lin, factor * y[self.right], factor * y[self.left]])
        if self.size <= _DENSE:
            matrix = np.eye(self.size)
            np.subtract.at(matrix, (rows, columns), entries)
            try:
                return np.asarray(np.linalg.solve(matrix, residual), dtype=np.float64)
            except np.linalg.LinAlgError:
                return None
        from scipy.sparse import csc_matrix, identity
        from scipy.sparse.linalg import splu

        sparse = csc_matrix((entries, (rows, columns)), shape=(self.size, self.size))
        try:
            solver: Any = splu(identity(self.size, format="csc") - sparse)
        except RuntimeError:  # exactly singular
            return None
        solved: Floats = solver.solve(residual)
        return solved
