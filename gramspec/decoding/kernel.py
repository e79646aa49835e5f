"""Nodes of an attempt and the kernel K(.|x) over V ∪ {†} that a verifier runs against.

Law: killed K(v|x) = p(v|x)·h(xv)/h(x), K(†|x) = 1 - ρ(x); twisted K(v|x) = p(v|x)·h(xv)/S(x);
masked K(v|x) = p(v|x)·1[v viable]/Z(x).
Source: laws, "One frame for everything" and "The snapshot rule". † is the index after the last token.
"""

from __future__ import annotations

from math import exp, inf
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.rows import RowLaw, fit_width
from gramspec.errors import ContractError, OptionError
from gramspec.validity.protocol import CompiledLanguage, Contract, LearningPotential, Potential


class Node:
    """One prefix of an attempt: what was read there is read once and kept.

    Attributes
    ----------
    prefix : tuple of int
        Generated tokens.
    matcher : Matcher
        Grammar state after `prefix`, owned by this node.
    remaining : int
        Tokens that may still come, EOS included.
    h : float
        h(x) as the parent's kernel read it; the coin at x divides by this scalar.
    children : ndarray or None
        h(xv) for every token, read when first needed.
    p, kernel : ndarray or None
        Law row and K row, once the target's row is known.
    mass : float
        S(x) = Σ p·h(xv), once the target's row is known.
    """

    __slots__ = ("_kernel", "_mass", "_owed", "_p", "children", "h", "matcher", "prefix", "remaining")

    def __init__(self, prefix: tuple[int, ...], matcher: Any, remaining: int, h: float) -> None:
        self.prefix = prefix
        self.matcher = matcher
        self.remaining = remaining
        self.h = h
        self.children: NDArray[np.float64] | None = None
        self._p: NDArray[np.float64] | None = None
        self._kernel: NDArray[np.float64] | None = None
        self._mass = 0.0
        self._owed: tuple[StepLaw, NDArray[np.float64]] | None = None

    @property
    def p(self) -> NDArray[np.float64] | None:
        """Law row."""
        if self._owed is not None:
            self._pay()
        return self._p

    @property
    def kernel(self) -> NDArray[np.float64] | None:
        """K row."""
        if self._owed is not None:
            self._pay()
        return self._kernel

    @property
    def mass(self) -> float:
        """S(x)."""
        if self._owed is not None:
            self._pay()
        return self._mass

    def read(self, p: NDArray[np.float64], mass: float, kernel: NDArray[np.float64]) -> None:
        """Note what the target's row came to.

        Parameters
        ----------
        p, mass, kernel
            As the attributes.
        """
        self._p, self._mass, self._kernel = p, mass, kernel

    def owe(self, law: StepLaw, logits: NDArray[np.float64]) -> None:
        """Note the target's row; p, S and K are computed when they are asked for.

        A wide tree shows many rows and a verdict asks for few of them. Only for a law whose K does not
        change while it is owed: one without a potential.

        Parameters
        ----------
        law : StepLaw
            What turns the row into K.
        logits : ndarray, shape (width,)
            The target's row.
        """
        self._owed = law, logits

    def _pay(self) -> None:
        assert self._owed is not None
        (law, logits), self._owed = self._owed, None
        law.kernel(self, logits)


class StepLaw(Protocol):
    """The law that one decoding loop samples, as rows over V ∪ {†}."""

    @property
    def name(self) -> Literal["conditional", "masked"]:
        """Name of the law, as in the report."""
        ...

    @property
    def width(self) -> int:
        """Width of the target's rows; also the index of †."""
        ...

    @property
    def eos_ids(self) -> frozenset[int]:
        """Tokens that end a sequence."""
        ...

    @property
    def potential(self) -> Potential | None:
        """What h is read from, where the law has one."""
        ...

    def root(self) -> Node:
        """The node before the first token."""
        ...

    def children(self, node: Node) -> NDArray[np.float64]:
        """Factor on p for every token (zero: never drafted), float64 [width]; read once per node."""
        ...

    def kernel(self, node: Node, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """K(.|x), float64 [width + 1]; also fills in the node's `p`, `mass` and `kernel`."""
        ...


class _LawBase:
    def __init__(self, compiled: CompiledLanguage, rows: RowLaw, *, budget: int, width: int) -> None:
        self.compiled = compiled
        self.rows = rows
        self.budget = budget
        self.width = width
        self.eos_ids = frozenset(int(i) for i in compiled.vocabulary.eos_ids)


class _PotentialLaw(_LawBase):
    """What laws over a potential share: h is read once a node, and the law row first seen is kept."""

    name: Literal["conditional", "masked"] = "conditional"

    def __init__(
        self, potential: Potential, rows: RowLaw, *, budget: int, width: int, row_noise: float = 0.0
    ) -> None:
        super().__init__(potential.compiled, rows, budget=budget, width=width)
        self.potential: Potential | None = potential
        self._potential = potential
        self._memory = potential if isinstance(potential, LearningPotential) else None
        self._row_noise = row_noise
        self._noise = rows.noise(row_noise)
        self.rho_max = 0.0

    def children(self, node: Node) -> NDArray[np.float64]:
        """h(xv) for every token: read from the potential once, then kept with the node."""
        if node.children is None:
            h = self._potential.h_children(node.matcher, node.prefix, node.remaining)
            node.children = fit_width(h, self.width)
        return node.children

    def _law_row(self, node: Node, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        p = self._memory.remembered_row(node.prefix, self.width) if self._memory is not None else None
        return p if p is not None else self.rows.row(logits, node.prefix)


class KilledLaw(_PotentialLaw):
    """The grammar-conditional law with a restart symbol, for a potential with contract S (or E).

    Parameters
    ----------
    potential : Potential
        Bound to one key where it learns.
    rows : RowLaw
        What turns logits into p.
    budget : int
        Largest number of new tokens, EOS included.
    width : int
        Width of the target's rows; tokens beyond the vocabulary have h = 0.
    row_noise : float
        Bound on the relative difference between two evaluations of one row of the model; the law's
        temperature scales it.
    """

    def __init__(
        self, potential: Potential, rows: RowLaw, *, budget: int, width: int, row_noise: float = 0.0
    ) -> None:
        if potential.contract == "W":
            raise OptionError(f"potential {potential.name!r} has contract W; restart sampling needs E or S")
        super().__init__(potential, rows, budget=budget, width=width, row_noise=row_noise)
        self._exact = potential.contract == "E"

    def root(self) -> Node:
        """The node before the first token, with h(ε) as it is now."""
        matcher = self.compiled.matcher()
        return Node((), matcher, self.budget, exp(self._potential.log_h(matcher, (), self.budget)))

    def kernel(self, node: Node, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """K(.|x) over V ∪ {†}.

        Raises
        ------
        ContractError
            When ρ(x) exceeds one by more than the row noise allows; under contract E also when it falls
            short of one.
        """
        h = self.children(node)
        p = self._law_row(node, logits)
        mass = p * h
        total = float(mass.sum())
        rho = total / node.h
        check_rho(self._potential, node, total, self._noise)
        self.rho_max = max(self.rho_max, rho)
        kernel = np.empty(self.width + 1)
        np.divide(mass, total if self._exact else max(total, node.h), out=kernel[:-1])
        kernel[-1] = 0.0 if self._exact else max(0.0, 1.0 - rho)
        node.read(p, total, kernel)
        return kernel


class TwistedLaw(_PotentialLaw):
    """Proposals r(v|x) = p(v|x)·h(xv)/S(x) for any h; what they lack to p(y)·1[y ∈ L] is a weight.

    † stands for S(x) = 0 and has probability one there, zero elsewhere. The weight of a finished text is
    p(y)/K(y) = h(ε)·∏ρ, that of a prefix p(x)·h(x)/K(x); what ended in † weighs nothing.

    Parameters
    ----------
    potential : Potential
        Any contract; positive where a member of the grammar can still be reached.
    rows : RowLaw
        What turns logits into p.
    budget : int
        Largest number of new tokens, EOS included.
    width : int
        Width of the target's rows; tokens beyond the vocabulary have h = 0.
    row_noise : float
        As for `KilledLaw`.
    """

    @property
    def contract(self) -> Contract:
        """Contract of the potential."""
        return self._potential.contract

    def on(self, potential: Potential) -> TwistedLaw:
        """The same law with another potential.

        Parameters
        ----------
        potential : Potential
            For the same grammar.
        """
        return TwistedLaw(
            potential, self.rows, budget=self.budget, width=self.width, row_noise=self._row_noise
        )

    def root(self) -> Node:
        """The node before the first token, with h(ε) as it is now."""
        matcher = self.compiled.matcher()
        h = exp(self._potential.log_h(matcher, (), self.budget))
        if not 0.0 <= h < inf:
            raise ContractError(f"potential {self._potential.name!r}: h = {h!r} before the first token")
        return Node((), matcher, self.budget, h)

    def kernel(self, node: Node, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """The twisted row over V ∪ {†}.

        Raises
        ------
        ContractError
            When h is negative, infinite or no number, or breaks contract E or S.
        """
        p = self._law_row(node, logits)
        h = self.children(node)
        mass = p * h
        total = float(mass.sum())
        if not total < inf or float(h.min()) < 0.0:
            raise ContractError(
                f"potential {self._potential.name!r} is no finite, non-negative number for some token after"
                f" {list(node.prefix)}"
            )
        check_rho(self._potential, node, total, self._noise)
        kernel = np.zeros(self.width + 1)
        if total > 0.0:
            np.divide(mass, total, out=kernel[:-1])
        else:
            kernel[-1] = 1.0
        self.rho_max = max(self.rho_max, total / node.h)
        node.read(p, total, kernel)
        return kernel


class MaskedLaw(_LawBase):
    """Local masking: p restricted to the exactly viable tokens and renormalised at every step.

    † stands for a dead end (Z = 0) and has probability one there, zero elsewhere.

    Parameters
    ----------
    compiled : CompiledGrammar
        The language and its vocabulary.
    rows : RowLaw
        What turns logits into p.
    budget : int
        Largest number of new tokens, EOS included.
    width : int
        Width of the target's rows.
    """

    name: Literal["conditional", "masked"] = "masked"
    potential: Potential | None = None

    def __init__(self, compiled: CompiledLanguage, rows: RowLaw, *, budget: int, width: int) -> None:
        super().__init__(compiled, rows, budget=budget, width=width)

    def root(self) -> Node:
        """The node before the first token."""
        return Node((), self.compiled.matcher(), self.budget, 1.0)

    def children(self, node: Node) -> NDArray[np.float64]:
        """1.0 for each token after which an ending within the budget exists."""
        if node.children is None:
            viable = node.matcher.viable(node.remaining, exact=True).astype(np.float64)
            node.children = fit_width(viable, self.width)
        return node.children

    def kernel(self, node: Node, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """The masked row over V ∪ {†}."""
        p = self.rows.row(logits, node.prefix)
        mass = p * self.children(node)
        total = float(mass.sum())
        kernel = np.zeros(self.width + 1)
        if total > 0.0:
            np.divide(mass, total, out=kernel[:-1])
        else:
            kernel[-1] = 1.0
        node.read(p, total, kernel)
        return kernel


def check_rho(potential: Potential, node: Node, mass: float, noise: float) -> None:
    """Hold a potential to its contract at one prefix: ρ <= 1 under S, ρ = 1 under E, up to row noise.

    Parameters
    ----------
    potential : Potential
        Whose values `node.h` and `mass` are made of.
    node : Node
        The prefix.
    mass : float
        S(x).
    noise : float
        Bound on the relative difference between two evaluations of a law row.

    Raises
    ------
    ContractError
        Naming the prefix and ρ.
    """
    if potential.contract == "W":
        return
    rho, tolerance = mass / node.h, 2 * noise + 1e-9
    if not rho <= 1.0 + tolerance or (potential.contract == "E" and rho < 1.0 - tolerance):
        raise ContractError(
            f"potential {potential.name!r} broke contract {potential.contract} after {list(node.prefix)}:"
            f" rho = {rho!r} (h = {node.h!r}, S = {mass!r})"
        )


def child_node(law: StepLaw, node: Node, token: int) -> Node:
    """The node after one more token; its h is the scalar the parent's kernel was built with.

    Parameters
    ----------
    law : StepLaw
        Whose `children` the parent was read with.
    node : Node
        The parent.
    token : int
        A token with a positive factor, not an EOS id.
    """
    matcher = node.matcher.fork()
    matcher.advance(token)
    return Node((*node.prefix, token), matcher, node.remaining - 1, float(law.children(node)[token]))
