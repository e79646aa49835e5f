"""Drafters that draw nothing: candidates with estimated probabilities, grown into a tree of fixed branches.

Law: every branch is "fixed", so the symbol that comes is drawn from K and meets the tree or not, whatever
the estimates are worth; they are read before, and changed after, the verdicts of a round.
Cost: per drafted node one matcher fork and one look-up in the tables; a heap of at most width × nodes.
Source: laws, "Verification rules" (match) and trap 4; growth: Sequoia (2402.12374), DySpec (2410.11744);
PUCT as in ADED (2407.12021).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from heapq import heappop, heappush
from math import sqrt
from typing import Literal, NamedTuple

import numpy as np

from gramspec.decoding.drafting.tree import Branch, DraftPlan, DraftTree
from gramspec.decoding.kernel import Node, StepLaw, child_node
from gramspec.decoding.random import RandomSource
from gramspec.errors import OptionError

Growth = Literal["best", "puct"]

TOP = 12  # tokens of a row that are worth remembering
_SMALLEST = 0.02  # share of a row below which a token is never remembered
_PUCT = 1.0
_REMEMBERED = 1 << 16  # prefixes


class Suggestion(NamedTuple):
    """What a source expects after one prefix.

    Attributes
    ----------
    items : sequence of (int, float)
        Tokens, each once, with estimated probabilities that sum to one at most.
    confidence : int
        Class of the evidence behind them; its reliability is learned class by class.
    sure : bool
        Whether other sources need not be asked.
    """

    items: Sequence[tuple[int, float]]
    confidence: int = 0
    sure: bool = False


NOTHING = Suggestion(())


class Seen(NamedTuple):
    """What a round showed at one prefix.

    Attributes
    ----------
    prefix : tuple of int
        The prefix, prompt excluded.
    state : hashable
        Class of the grammar state there.
    tokens, shares : tuple of int, tuple of float
        The most probable tokens of the law there and their probabilities given that † does not come.
    """

    prefix: tuple[int, ...]
    state: Hashable
    tokens: tuple[int, ...]
    shares: tuple[float, ...]


def state_class(node: Node) -> Hashable:
    """Key of the grammar state at a node: equal keys, equal masks; None where matchers have no key.

    Parameters
    ----------
    node : Node
        The node.
    """
    return getattr(node.matcher, "mask_key", None)


class Known:
    """Prefixes whose rows have been learned: a row that is met again and again is learned once."""

    def __init__(self) -> None:
        self._prefixes: set[tuple[int, ...]] = set()

    def __contains__(self, prefix: tuple[int, ...]) -> bool:
        """Whether its row has been learned."""
        return prefix in self._prefixes

    def add(self, prefix: tuple[int, ...]) -> bool:
        """Whether the prefix is new."""
        if prefix in self._prefixes:
            return False
        if len(self._prefixes) >= _REMEMBERED:
            self._prefixes.clear()
        self._prefixes.add(prefix)
        return True


def seen_in(
    nodes: Sequence[Node | None], known: Known, *, most: int = TOP, least: float = _SMALLEST
) -> list[Seen]:
    """What the target showed in a round for the first time; parents first.

    Parameters
    ----------
    nodes : sequence of Node or None
        Nodes of a tree that has been scored.
    known : Known
        What has been learned before; it grows.
    most : int
        Tokens of a row that are worth remembering.
    least : float
        Share of a row below which a token is never remembered.
    """
    found = []
    for node in nodes:
        if node is None or node.kernel is None or not node.mass > 0.0 or not known.add(node.prefix):
            continue
        kernel = node.kernel
        alive = 1.0 - float(kernel[-1])
        ids = np.flatnonzero(kernel[:-1] > least * alive)
        shares = kernel[ids] / alive
        if len(ids) > most:
            order = np.argsort(-shares, kind="stable")[:most]
            ids, shares = ids[order], shares[order]
        found.append(Seen(node.prefix, state_class(node), tuple(ids.tolist()), tuple(shares.tolist())))
    return found


class Grower:
    """Grows fixed branches below the nodes of a tree, which may hold drawn ones already.

    Parameters
    ----------
    law : StepLaw
        The law to be sampled.
    tree : DraftTree
        What is there; nothing of it is taken away.
    plan : DraftPlan
        Bounds of the whole tree.
    candidates : callable
        Tokens with estimated probabilities after a node that goes on.
    kept : callable
        Estimated probability that one of the drawn candidates of a node is kept.
    """

    def __init__(
        self,
        law: StepLaw,
        tree: DraftTree,
        plan: DraftPlan,
        candidates: Callable[[Node], Sequence[tuple[int, float]]],
        kept: Callable[[Node], float] = lambda _: 0.5,
    ) -> None:
        self._law = law
        self._plan = plan
        self._candidates = candidates
        self._kept = kept
        self._nodes = list(tree.nodes)
        self._parents = list(tree.parents)
        self._tokens = list(tree.tokens)
        self._drawn = tree.branches
        self._children = [dict(tree.children(i)) for i in range(len(tree.nodes))]
        self._fixed: list[list[int]] = [[] for _ in tree.nodes]
        self._depth = [0] * len(tree.nodes)
        for i in range(1, len(self._depth)):
            self._depth[i] = self._depth[self._parents[i]] + 1

    def best_first(self, least: float) -> DraftTree:
        """Take the paths that are most probable by the estimates, one node after another.

        Among all trees of so many nodes this one has the largest expected accepted length, if the
        estimates are right.

        Parameters
        ----------
        least : float
            Paths below this estimated probability are dropped before the target sees them.
        """
        heap: list[tuple[float, int, int, int]] = []
        order = 0
        values = [0.0] * len(self._nodes)
        values[0] = 1.0
        for i, parent in enumerate(self._parents):
            if i:
                above = self._nodes[parent]
                assert above is not None
                values[i] = values[parent] * self._kept(above) / max(1, len(self._drawn_tokens(parent)))
            order = self._open(i, values[i], heap, order, least)
        while heap and len(self._nodes) - 1 < self._plan.most:
            value, _, parent, token = heappop(heap)
            if self._full(parent):
                continue
            child = self._add(parent, token)
            if len(self._nodes) - 1 < self._plan.most:
                order = self._open(child, -value, heap, order, least)
        return self._build()

    def _open(
        self, index: int, value: float, heap: list[tuple[float, int, int, int]], order: int, least: float
    ) -> int:
        taken = self._children[index]
        node = self._nodes[index]
        rest = value * (1.0 - self._kept(node)) if taken and node is not None else value
        if rest < least:
            return order
        for token, share in self._choices(index):
            worth = rest * share
            if worth >= least and token not in taken:
                heappush(heap, (-worth, order, index, token))
                order += 1
        return order

    def puct(self, least: float) -> DraftTree:
        """Simulations that weigh how probable a token is against how often it has been followed.

        Parameters
        ----------
        least : float
            Tokens below this estimated probability are not followed.
        """
        known: dict[int, list[tuple[int, float]]] = {}
        visits = [1] * len(self._nodes)
        for _ in range(4 * self._plan.most):
            if len(self._nodes) - 1 >= self._plan.most:
                break
            at, path = 0, [0]
            while True:
                if at not in known:
                    known[at] = [(t, p) for t, p in self._choices(at) if p >= least]
                best, token = -1.0, -1
                for t, p in known[at]:
                    child = self._children[at].get(t)
                    if child is None and self._full(at):
                        continue
                    n = visits[child] if child is not None else 0
                    score = p + _PUCT * p * sqrt(visits[at]) / (1 + n)
                    if score > best:
                        best, token = score, t
                if token < 0:
                    break
                child = self._children[at].get(token)
                if child is None:
                    path.append(self._add(at, token))
                    visits.append(0)
                    break
                path.append(child)
                at = child
            for i in path:
                visits[i] += 1
        return self._build()

    def _choices(self, index: int) -> list[tuple[int, float]]:
        """Candidates of a node that can follow."""
        node = self._nodes[index]
        if node is None or node.remaining < 1 or self._depth[index] >= self._plan.length:
            return []
        factors = self._law.children(node)  # its kernel needs them too
        width = len(factors)
        items = self._candidates(node)
        return [(t, p) for t, p in items if 0 <= t < width and p > 0.0 and factors[t] > 0.0]

    def _drawn_tokens(self, index: int) -> tuple[int, ...]:
        if index >= len(self._drawn):
            return ()
        return tuple(t for branch in self._drawn[index] for t in branch.tokens)

    def _full(self, index: int) -> bool:
        return len(self._drawn_tokens(index)) + len(self._fixed[index]) >= self._plan.width

    def _add(self, parent: int, token: int) -> int:
        node = self._nodes[parent]
        assert node is not None
        index = len(self._nodes)
        self._nodes.append(None if token in self._law.eos_ids else child_node(self._law, node, token))
        self._parents.append(parent)
        self._tokens.append(token)
        self._children[parent][token] = index
        self._children.append({})
        self._fixed[parent].append(token)
        self._fixed.append([])
        self._depth.append(self._depth[parent] + 1)
        return index

    def _build(self) -> DraftTree:
        branches = []
        for i, fixed in enumerate(self._fixed):
            group = self._drawn[i] if i < len(self._drawn) else ()
            if fixed:
                if group and group[-1].law == "fixed":  # one fixed branch, and the last
                    fixed = [*group[-1].tokens, *fixed]
                    group = group[:-1]
                group = (*group, Branch(tuple(fixed), "fixed", None))
            branches.append(group)
        return DraftTree(self._nodes, self._parents, self._tokens, branches)


class SourceDrafter(ABC):
    """A drafter made from one source of candidates.

    Parameters
    ----------
    growth : {"best", "puct"}
        How the tree grows within the plan: the most probable paths first, or by PUCT simulations.
    least : float
        Estimated probability below which a path is dropped before the target sees it; between 0 and 1.

    Raises
    ------
    OptionError
        When an option is out of range.
    """

    name = "source"

    def __init__(self, *, growth: Growth = "best", least: float = 0.01) -> None:
        if growth not in ("best", "puct"):
            raise OptionError(f"growth={growth!r}: 'best' or 'puct' is needed")
        if not 0.0 <= least <= 1.0:
            raise OptionError(f"least={least!r}: a probability is needed")
        self._growth = growth
        self._least = least
        self._known = Known()

    @abstractmethod
    def suggest(self, node: Node) -> Suggestion:
        """What may come after a node that goes on; nothing is learned here.

        Parameters
        ----------
        node : Node
            The node, its `children` read; its matcher may be asked, never moved.
        """

    def begin(self, node: Node) -> None:
        """A round begins at `node`; called before its candidates are asked for."""
        return None

    def learn(self, seen: Sequence[Seen], text: Sequence[int]) -> None:
        """Learn from a round, after all of its verdicts.

        Parameters
        ----------
        seen : sequence of Seen
            What the target showed for the first time, parents first.
        text : sequence of int
            All tokens after the prompt, those of the round included.
        """
        return None

    def propose(self, law: StepLaw, node: Node, plan: DraftPlan, random: RandomSource) -> DraftTree:
        """Draft a tree below `node`; see `Drafter.propose`. Nothing is drawn."""
        self.begin(node)
        grower = Grower(law, DraftTree.root(node), plan, self._items)
        least = max(self._least, plan.least)
        return grower.puct(least) if self._growth == "puct" else grower.best_first(least)

    def _items(self, node: Node) -> Sequence[tuple[int, float]]:
        return self.suggest(node).items

    def observe(self, tree: DraftTree, emitted: Sequence[int]) -> None:
        """Learn from a round; see `LearningDrafter.observe`."""
        root = tree.nodes[0]
        assert root is not None
        self.learn(seen_in(tree.nodes, self._known), (*root.prefix, *emitted))
