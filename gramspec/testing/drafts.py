"""Small draft trees over a free language: rows by prefix, ways to grow a tree, and what a verifier emits.

Law: `emitted_law` enumerates every draw of the tree and every choice of the verifier.
Cost: one run per leaf; a way to grow draws five tokens at most. Source: laws, "Verification rules".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gramspec.audit.enumerate import outcome_masses
from gramspec.decoding.drafting.tree import Branch, DraftTree, SiblingLaw, TreeBuilder
from gramspec.decoding.kernel import Node
from gramspec.decoding.random import RandomSource
from gramspec.decoding.verification.candidates import without
from gramspec.decoding.verification.descent import Rule
from gramspec.decoding.verification.protocol import Verifier

WIDTH = 3  # tokens 0, 1, 2; 0 is EOS; symbol 3 is †
EOS, DEAD = 0, WIDTH
Rows = Callable[[tuple[int, ...]], NDArray[np.float64]]


def random_kernel(seed: int, *, impossible: float = 0.25, coin: bool = True, width: int = WIDTH) -> Rows:
    """Rows over tokens and †, by prefix; some entries are zero."""

    def row(prefix: tuple[int, ...]) -> NDArray[np.float64]:
        rng = np.random.default_rng([seed, len(prefix), *prefix])
        weights = rng.dirichlet(np.full(width + 1, 0.8))
        weights[rng.random(width + 1) < impossible] = 0.0
        if not coin:
            weights[width] = 0.0
        if weights.sum() <= 0.0:
            weights[1] = 1.0
        return np.asarray(weights / weights.sum())

    return row


def draft_rows(seed: int, target: Rows, kind: int) -> Rows:
    """Rows over tokens: independent of the target, equal to it up to †, or with other zeros."""

    def row(prefix: tuple[int, ...]) -> NDArray[np.float64]:
        width = len(target(prefix)) - 1
        if kind == 1:
            weights = target(prefix)[:width].copy()
        else:
            weights = random_kernel(seed + 1, impossible=0.25 * kind, width=width)(prefix)[:width]
        if weights.sum() <= 0.0:
            weights = np.ones(width)
            weights[0] = 0.0
        return np.asarray(weights / weights.sum())

    return row


class _Free:
    """The grammar that allows everything."""

    def fork(self) -> _Free:
        return self

    def advance(self, token: int) -> None:
        """Nothing changes."""


class FreeLaw:
    """As much of a `StepLaw` as growing a tree takes; every token may follow."""

    name: Literal["conditional", "masked"] = "conditional"
    potential = None
    eos_ids = frozenset({EOS})

    def __init__(self, width: int = WIDTH) -> None:
        self.width = width

    def root(self) -> Node:
        """The node before the first token."""
        return Node((), _Free(), 100, 1.0)

    def children(self, node: Node) -> NDArray[np.float64]:
        """One for every token."""
        return np.ones(self.width)

    def kernel(self, node: Node, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rows are given by prefix, not by logits."""
        raise NotImplementedError("rows of a free law come from a function of the prefix")


def draw(random: RandomSource, row: NDArray[np.float64], law: SiblingLaw, count: int) -> Branch:
    """A branch drawn by one sibling law; fewer candidates where the row runs out.

    Parameters
    ----------
    random : RandomSource
        Source of every choice.
    row : ndarray, shape (width,)
        The row; "greedy" and "fixed" take its largest entries.
    law : {"iid", "wor", "greedy", "fixed"}
        How.
    count : int
        Candidates.
    """
    ranked = sorted(range(len(row)), key=lambda v: (-row[v], v))
    if law == "fixed":
        return Branch(tuple(ranked[:count]), "fixed", None)
    count = count if law == "iid" else min(count, int(np.count_nonzero(row)))
    tokens = ranked[: count - 1] if law == "greedy" else []
    left = without(row, tokens)
    while len(tokens) < count:
        tokens.append(random.choose(left))
        if law == "wor" and len(tokens) < count:
            left = without(left, tokens)
    return Branch(tuple(tokens), law, row)


class Growth:
    """Grows one tree.

    Parameters
    ----------
    draft : callable
        Draft row by prefix.
    random : RandomSource
        Source of every choice.
    width : int
        Tokens of the vocabulary.
    """

    def __init__(self, draft: Rows, random: RandomSource, width: int = WIDTH) -> None:
        self.draft = draft
        self.random = random
        self.builder = TreeBuilder(FreeLaw(width), FreeLaw(width).root())

    def row(self, index: int) -> NDArray[np.float64]:
        """The draft row of a node."""
        node = self.builder.nodes[index]
        assert node is not None
        return self.draft(node.prefix)

    def add(self, index: int, law: SiblingLaw, count: int) -> list[int]:
        """A branch below a node; the distinct children that go on."""
        found = self.builder.grow(index, draw(self.random, self.row(index), law, count))
        return [i for i in dict.fromkeys(found) if self.builder.nodes[i] is not None]

    def token(self, index: int) -> int:
        """The token that leads to a node."""
        return self.builder.tokens[index]


Way = Callable[[Growth], None]


def chain(length: int, *, law: SiblingLaw = "iid", stop: int | None = None) -> Way:
    """A chain; it ends after a token `stop`, which stays."""

    def grow(growth: Growth) -> None:
        at = 0
        for _ in range(length):
            below = growth.add(at, law, 1)
            if not below or growth.token(below[0]) == stop:
                return
            at = below[0]

    return grow


def bushy(law: SiblingLaw, *counts: int) -> Way:
    """`counts[d]` candidates at every node of depth d, five drawn tokens at most."""

    def grow(growth: Growth) -> None:
        level, left = [0], 5
        for count in counts:
            below: list[int] = []
            for index in level:
                if left >= count:
                    left -= count
                    below.extend(growth.add(index, law, count))
            level = below

    return grow


def mixed(law: SiblingLaw, count: int, *, deeper: bool = True) -> Way:
    """A drawn branch, then a fixed one that may repeat its tokens; below the first child once more."""

    def grow(growth: Growth) -> None:
        below = growth.add(0, law, count) + growth.add(0, "fixed", 2)
        if deeper:
            for index in dict.fromkeys(below[-1:] + below[:1]):
                growth.add(index, law, 1)
                growth.add(index, "fixed", 1)

    return grow


def two_branches(first: SiblingLaw, second: SiblingLaw, count: int = 2) -> Way:
    """Two branches at the root, verified in turn."""

    def grow(growth: Growth) -> None:
        growth.add(0, first, count)
        growth.add(0, second, count)

    return grow


def one_at_a_time(growth: Growth) -> None:
    """Siblings without replacement as branches of their own; each looks at what was drawn before.

    The first child is grown before its sibling is drawn, and the sibling is only drawn after some of its
    children; the second sibling decides how far the first one goes on.
    """
    q = growth.row(0)
    (first,) = growth.builder.grow(0, Branch((growth.random.choose(q),), "iid", q))
    if growth.builder.nodes[first] is not None:
        below = growth.add(first, "iid", 1)
        if below and growth.token(below[0]) == 1:
            growth.add(first, "iid", 1)
    rest = without(q, [growth.token(first)])
    if rest.any() and growth.token(first) != 2:
        (second,) = growth.builder.grow(0, Branch((growth.random.choose(rest),), "iid", rest))
        if growth.token(second) == 2 and growth.builder.nodes[first] is not None:
            growth.add(first, "iid", 1)


def after_a_look_below(growth: Growth) -> None:
    """A chain of two; what its last token is decides where a sibling is drawn, or whether any is.

    A rule picked by the shape of the tree is picked by that token here.
    """
    q = growth.row(0)
    (first,) = growth.builder.grow(0, Branch((growth.random.choose(q),), "iid", q))
    if growth.builder.nodes[first] is None:
        return
    row = growth.row(first)
    (last,) = growth.builder.grow(first, Branch((growth.random.choose(row),), "iid", row))
    for at, before, q_at in ((first, last, row), (0, first, q)):
        rest = without(q_at, [growth.token(before)])
        if growth.token(last) == (1 if at == first else 2) and rest.any():
            growth.builder.grow(at, Branch((growth.random.choose(rest),), "iid", rest))


def drawn_after_it_was_chosen(growth: Growth) -> None:
    """A child that a greedy branch chose, tokens below it, and a draw that may meet it, if those allow.

    What is below the child was not drawn after the child was.
    """
    (first, *_) = growth.builder.grow(0, draw(growth.random, growth.row(0), "greedy", 2))
    if growth.builder.nodes[first] is None:
        return
    below = growth.builder.grow(first, draw(growth.random, growth.row(first), "iid", 1))
    if growth.token(below[0]) == 1:
        growth.builder.grow(0, draw(growth.random, growth.row(0), "iid", 1))


def another_after(law: SiblingLaw, token: int = 1) -> Way:
    """A second candidate of the same branch, drawn only if the first was `token`."""

    def grow(growth: Growth) -> None:
        q = growth.row(0)
        tokens = [growth.random.choose(q)]
        left = without(q, tokens) if law == "wor" else q
        if tokens[0] == token and left.any():
            tokens.append(growth.random.choose(left))
        for index in dict.fromkeys(growth.builder.grow(0, Branch(tuple(tokens), law, q))):
            if growth.builder.nodes[index] is not None:
                growth.add(index, law, 1)

    return grow


def by_chance(seed: int, most: int = 4) -> Way:
    """Any tree of up to `most` drawn tokens; each step depends on all that was drawn before it.

    Parameters
    ----------
    seed : int
        What is done after which tokens.
    most : int
        Drawn tokens, and as many fixed ones.
    """

    def grow(growth: Growth) -> None:
        builder = growth.builder
        drawn = steps = 0
        closed: set[int] = set()
        while drawn < most and steps < 2 * most:
            steps += 1
            dice = np.random.default_rng([seed, steps, *(t + 1 for t in builder.tokens)])
            open_nodes = [i for i, n in enumerate(builder.nodes) if n is not None and i not in closed]
            if not open_nodes or dice.random() < 0.1:
                return
            at = open_nodes[int(dice.integers(len(open_nodes)))]
            law: SiblingLaw = ("iid", "wor", "greedy", "fixed")[int(dice.choice(4, p=(0.4, 0.3, 0.2, 0.1)))]
            count = min(int(dice.choice((1, 1, 1, 2, 3))), most - drawn)
            used = [t for b in builder.branches[at] for t in b.tokens]
            row = growth.row(at)
            if law != "fixed" and used and dice.random() < 0.7:
                row = without(row, used)
            if not row.any():
                continue
            branch = draw(growth.random, row, law, count)
            builder.grow(at, branch)
            if law == "fixed":
                closed.add(at)
            else:
                drawn += 1 if law == "greedy" else len(branch.tokens)

    return grow


class Emitted(NamedTuple):
    """What one round over drafted trees comes to.

    Attributes
    ----------
    law : dict
        Mass of each tuple of symbols (accepted tokens, then the symbol after them).
    accepted : float
        Expected number of accepted tokens.
    met : float
        Probability that at least one drafted token is emitted.
    """

    law: dict[tuple[int, ...], float]
    accepted: float
    met: float


def emitted_law(verifier: Verifier, way: Way, target: Rows, draft: Rows) -> Emitted:
    """Draft a tree, verify it; every choice enumerated.

    Parameters
    ----------
    verifier : Verifier
        The rule.
    way : callable
        Grows the tree.
    target, draft : callable
        Rows by prefix, over V ∪ {†} and over V.
    """

    def decode(random: RandomSource) -> tuple[tuple[int, ...], int]:
        growth = Growth(draft, random, len(target(())) - 1)
        way(growth)
        tree = growth.builder.build()
        kernels = [None if node is None else target(node.prefix) for node in tree.nodes]
        verdict = verifier.verify(tree, kernels, random)
        _check_path(tree, verdict)
        emitted = () if verdict.next is None else (int(verdict.next),)
        return tuple(tree.tokens[i] for i in verdict.path) + emitted, len(verdict.path)

    found, lost = outcome_masses(decode, unresolved_errors=())
    assert lost <= 1e-12
    law: dict[tuple[int, ...], float] = {}
    for (symbols, _), mass in found.items():
        law[symbols] = law.get(symbols, 0.0) + mass
    return Emitted(
        law,
        sum(n * mass for (_, n), mass in found.items()),
        sum(mass for (_, n), mass in found.items() if n > 0),
    )


def node_acceptance(
    rule: Rule, kernel: NDArray[np.float64], row: NDArray[np.float64], law: SiblingLaw, count: int
) -> float:
    """Probability that the symbol at one node is one of its candidates, under the rule of a branch.

    Parameters
    ----------
    rule : callable
        Rule of `Descent`.
    kernel : ndarray, shape (width + 1,)
        K.
    row : ndarray, shape (width,)
        q; "greedy" and "fixed" choose its largest entries.
    law : {"iid", "wor", "greedy", "fixed"}
        How candidates are drawn.
    count : int
        Candidates.
    """

    def met(random: RandomSource) -> float:
        branch = draw(random, row, law, count)
        step = rule(kernel, branch, random)
        return 1.0 if step.token is not None else float(step.rest[sorted(set(branch.tokens))].sum())

    found, _ = outcome_masses(met, unresolved_errors=())
    return sum(share * mass for share, mass in found.items())


def _check_path(tree: DraftTree, verdict: Any) -> None:
    at = 0
    for index in verdict.path:
        assert tree.parents[index] == at, (tree.parents, verdict)
        at = index
    assert (verdict.next is None) == (tree.nodes[at] is None), verdict


def distance(target: Rows, law: dict[tuple[int, ...], float]) -> float:
    """Largest error of the first symbols, where what is short goes on by the target; EOS and † end it."""
    depth = max(len(symbols) for symbols in law)
    dead = len(target(())) - 1

    def over(symbols: tuple[int, ...]) -> bool:
        return len(symbols) >= depth or symbols[-1:] in ((EOS,), (dead,))

    def followed(start: dict[tuple[int, ...], float]) -> dict[tuple[int, ...], float]:
        found: dict[tuple[int, ...], float] = {}
        todo = list(start.items())
        while todo:
            symbols, mass = todo.pop()
            if over(symbols):
                found[symbols] = found.get(symbols, 0.0) + mass
            else:
                row = enumerate(target(symbols).tolist())
                todo.extend(((*symbols, v), mass * share) for v, share in row if share > 0.0)
        return found

    found, expected = followed(law), followed({(): 1.0})
    return max(abs(found.get(k, 0.0) - expected.get(k, 0.0)) for k in {*found, *expected})
