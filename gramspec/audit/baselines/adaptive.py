"""ASAp, ARS and CARS: samplers that learn the mass of visited prefixes in a trie.

Law: `Ars` and `Cars` exact, P(y | y ∈ L): an attempt returns y with probability p(y)/θ(ε), θ as it began;
`Asap` normalises where those restart, so it is biased until its trie is full. Cost: a forward per token.
Source: Park et al. (2405.21047) for ASAp; Parys et al. (2510.01902) for ARS and CARS.
"""

from __future__ import annotations

import numpy as np

from gramspec.audit.baselines.protocol import Problem, Row, Sampler, Tokens
from gramspec.decoding.random import RandomSource
from gramspec.errors import DeadEndError


class _Node:
    """A visited prefix: mass θ, the mass of tokens without an edge, and its edges."""

    __slots__ = ("children", "parent", "rest", "shares", "theta", "token")

    def __init__(self, parent: _Node | None, token: int) -> None:
        self.parent = parent
        self.token = token
        self.theta = 1.0
        self.rest: float | None = None  # None: the row has not been seen
        self.shares: dict[int, float] = {}  # p of each token with an edge
        self.children: dict[int, _Node | None] = {}  # None: certainly invalid

    def reweigh(self, weights: Row, p: Row) -> Row:
        """`weights` with p·θ of the child at every edge."""
        for token, child in self.children.items():
            weights[token] = 0.0 if child is None else p[token] * child.theta
        return weights

    def update(self) -> None:
        """Set θ from the edges, here and in the ancestors."""
        node: _Node | None = self
        while node is not None:
            assert node.rest is not None
            node.theta = node.rest + sum(
                share * child.theta
                for share, child in zip(node.shares.values(), node.children.values(), strict=True)
                if child is not None
            )
            node = node.parent

    def child(self, token: int, p: float, base: float) -> _Node:
        """The edge of a viable token, made when it is first taken."""
        found = self.children.get(token)
        if found is None:
            found = _Node(self, token)
            self._attach(token, p, base, found)
        return found

    def refuse(self, token: int, p: float, base: float) -> None:
        """The edge of an invalid token."""
        self._attach(token, p, base, None)

    def _attach(self, token: int, p: float, base: float, child: _Node | None) -> None:
        assert self.rest is not None
        self.rest = max(0.0, self.rest - p * base)
        self.shares[token] = p
        self.children[token] = child


class Ars(Sampler):
    """Adaptive rejection sampling: what was found invalid is never sampled again.

    Parameters
    ----------
    problem : Problem
        What is sampled.
    max_forwards : int or None
        Forwards of one draw after which no further attempt begins.

    Notes
    -----
    A prefix seen for the first time is left by the unmodified p; later ones by p·θ, normalised.
    """

    name = "ars"
    masks = False

    def __init__(self, problem: Problem, *, max_forwards: int | None = None) -> None:
        super().__init__(problem, max_forwards=max_forwards)
        self._root = _Node(None, -1)

    @property
    def theta(self) -> float:
        """θ(ε): an upper bound on Φ(ε), and the denominator of the next attempt's acceptance."""
        return self._root.theta

    def draw(self, random: RandomSource) -> Tokens:
        """Draw one sample.

        Raises
        ------
        BudgetExhaustedError
            When no attempt within the budget ended in the grammar.
        UndefinedLawError
            When θ(ε) has become 0.
        """
        self.begin_draw()
        while True:
            self.begin_attempt()
            tokens = self._attempt(random)
            if tokens is not None:
                return tokens

    def _attempt(self, random: RandomSource) -> Tokens | None:
        walk = self.walk()
        node = self._root
        while True:
            p = walk.row()
            viable = walk.viable()
            base = viable if self.masks else np.ones_like(p)
            new = node.rest is None
            if new:
                node.rest = float((p * base).sum())
            plain = new and not (self.masks and node is self._root)  # CARS masks the root on its first visit
            weights = p if plain else node.reweigh(p * base, p)
            if not float(weights.sum()) > 0.0:
                node.update()
                self.undefined()
            token = random.choose(weights)
            if not viable[token]:
                if base[token] != 0.0:
                    node.refuse(token, float(p[token]), float(base[token]))
                node.update()
                return None
            if token in self.eos_ids:
                node.update()
                return (*walk.prefix, token)
            node = node.child(token, float(p[token]), float(base[token]))
            walk.push(token)


class Cars(Ars):
    """Constrained adaptive rejection sampling: a visited prefix also learns its whole mask."""

    name = "cars"
    masks = True


class Asap(Sampler):
    """Adaptive sampling with approximate expected futures (ASAp, of grammar-aligned decoding).

    Parameters
    ----------
    problem : Problem
        What is sampled.

    Notes
    -----
    At every prefix v ∝ p(v|x)·c(xv)·1[v viable], where c is 1 until its prefix was visited and then
    Σ p·c over its children, carried to the root at once.
    """

    name = "asap"
    guarantee = "biased"

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self._root = _Node(None, -1)

    def draw(self, random: RandomSource) -> Tokens:
        """Draw one sample.

        Raises
        ------
        DeadEndError
            When the model gives no viable token any probability.
        """
        self.begin_draw()
        self.begin_attempt()
        walk = self.walk()
        node = self._root
        while True:
            p = walk.row()
            viable = walk.viable()
            masked = p * viable
            if node.rest is None:
                node.rest = float(masked.sum())
                node.update()
            weights = node.reweigh(masked, p)
            if not float(weights.sum()) > 0.0:
                raise DeadEndError(f"asap: no viable token has any probability after {list(walk.prefix)}")
            token = random.choose(weights)
            if token in self.eos_ids:
                return (*walk.prefix, token)
            node = node.child(token, float(p[token]), 1.0)
            walk.push(token)
