"""Potentials made of potentials: `Minimum`, `Mixture`, `Restricted` and `Product`.

Law: the minimum and a convex mixture of S functions, and a product with an indicator, keep contract S; any
other product has contract W (two S functions multiplied reach ρ = 4.9). Nothing is fitted.
Cost: that of the parts. Source: laws, "Combining".
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import exp, inf, log

import numpy as np
from numpy.typing import NDArray

from gramspec.errors import OptionError
from gramspec.validity.protocol import Contract, GrammarState, LearningPotential, Potential
from gramspec.validity.viability import Viability


class _Combination(ABC):
    """Several potentials of one language."""

    name: str
    contract: Contract

    def __init__(self, kind: str, parts: Sequence[Potential]) -> None:
        if len(parts) < 2:
            raise OptionError(f"{kind}: at least two potentials are needed, {len(parts)} given")
        for part in parts:
            if not isinstance(part, Potential):
                raise OptionError(f"{kind}: {part!r} is no Potential")
            if isinstance(part, LearningPotential):
                raise OptionError(
                    f"{kind}: {part.name!r} learns, and a combination passes no rows on to its parts"
                    "\n  hint: combine the bases, and put the PrefixTrie on top: PrefixTrie(Minimum(...))"
                )
            if part.compiled.fingerprint != parts[0].compiled.fingerprint:
                raise OptionError(
                    f"{kind}: {part.name!r} speaks of another grammar or vocabulary than {parts[0].name!r}"
                )
        self.parts = tuple(parts)
        self.compiled = parts[0].compiled
        self._eos = np.asarray(sorted(self.compiled.vocabulary.eos_ids), dtype=np.int64)

    def log_h(self, state: GrammarState, prefix: Sequence[int], budget: int) -> float:
        """Return log h at a prefix."""
        values = np.array([[exp(part.log_h(state, prefix, budget))] for part in self.parts])
        h = float(self._combine(values)[0])
        return log(h) if h > 0.0 else -inf

    def h_children(self, state: GrammarState, prefix: Sequence[int], budget: int) -> NDArray[np.float64]:
        """h(xv) for every token; float64 [V], a fresh array."""
        values = np.stack([part.h_children(state, prefix, budget) for part in self.parts])
        h = self._combine(values)
        h[self._eos] = values[0, self._eos]  # zero or one in every part, whatever the weights add up to
        return h

    @abstractmethod
    def _combine(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """From h of each part, one per row, to h."""

    def __repr__(self) -> str:
        return f"<{self.name}, contract {self.contract}>"


def _refuse_weak(kind: str, parts: Sequence[Potential]) -> None:
    for part in parts:
        if part.contract == "W":
            raise OptionError(
                f"{kind}: {part.name!r} has contract W, and {kind} promises S"
                "\n  hint: Product(...) combines any potentials under contract W"
            )


class Minimum(_Combination):
    """The smallest of several bounds: contract S.

    Parameters
    ----------
    *parts : Potential
        With contract E or S.

    Raises
    ------
    OptionError
        If a part has contract W, learns, or speaks of another language.
    """

    contract: Contract = "S"

    def __init__(self, *parts: Potential) -> None:
        super().__init__("Minimum", parts)
        _refuse_weak("Minimum", parts)
        self.name = f"min({', '.join(part.name for part in parts)})"

    def _combine(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        least: NDArray[np.float64] = values.min(axis=0)
        return least


class Mixture(_Combination):
    """A convex mixture of bounds: contract S.

    Parameters
    ----------
    *parts : Potential
        With contract E or S.
    weights : sequence of float
        Positive, one for each part; they are divided by their sum.

    Raises
    ------
    OptionError
        If a part has contract W, learns, or speaks of another language, or the weights are no weights.
    """

    contract: Contract = "S"

    def __init__(self, *parts: Potential, weights: Sequence[float]) -> None:
        super().__init__("Mixture", parts)
        _refuse_weak("Mixture", parts)
        array = np.asarray(weights, dtype=np.float64)
        if array.shape != (len(parts),) or not np.isfinite(array).all() or not (array > 0.0).all():
            raise OptionError(
                f"Mixture: weights={list(weights)!r}; {len(parts)} positive numbers are needed, one per part"
            )
        self.weights = array / array.sum()
        terms = (f"{w:.6g}·{part.name}" for w, part in zip(self.weights, parts, strict=True))
        self.name = f"mix({', '.join(terms)})"

    def _combine(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        mixed: NDArray[np.float64] = self.weights @ values
        return mixed


class Restricted(_Combination):
    """A potential times the indicator of viable prefixes: the contract of the potential.

    Parameters
    ----------
    potential : Potential
        Of any contract.
    indicator : Viability
        Zero or one; once zero it stays zero, which keeps contract S.

    Raises
    ------
    OptionError
        If the indicator is none, or the two speak of different languages.
    """

    def __init__(self, potential: Potential, indicator: Potential) -> None:
        if not isinstance(indicator, Viability):
            name = getattr(indicator, "name", repr(indicator))
            raise OptionError(
                f"Restricted: {name!r} is no indicator; only a product with Viability keeps a contract"
                "\n  hint: Product(...) multiplies any potentials under contract W"
            )
        super().__init__("Restricted", (potential, indicator))
        self.contract: Contract = potential.contract
        self.name = f"restricted({potential.name})"

    def _combine(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        product: NDArray[np.float64] = values.prod(axis=0)
        return product


class Product(_Combination):
    """The product of any potentials: contract W, whatever the parts promise.

    Parameters
    ----------
    *parts : Potential
        Of any contract.
    floor : float
        Least value where every part is positive.

    Raises
    ------
    OptionError
        If a part learns or speaks of another language.
    """

    contract: Contract = "W"

    def __init__(self, *parts: Potential, floor: float = 1e-12) -> None:
        super().__init__("Product", parts)
        if not 0.0 < floor <= 1.0:
            raise OptionError(f"Product: floor={floor!r}; a number above 0 and at most 1 is needed")
        self.floor = floor
        self.name = f"product({', '.join(part.name for part in parts)}; floor {floor:g})"

    def _combine(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        product = values.prod(axis=0)
        return np.where((values > 0.0).all(axis=0), np.maximum(product, self.floor), 0.0)
