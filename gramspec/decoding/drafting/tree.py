"""Draft trees: drafted tokens, how their siblings were drawn, and the rows they were drawn from.

Law: whatever was drawn stays in the tree; a branch names the row its candidates were really drawn from.
Source: laws, "Verification rules", traps 1, 2 and 4; SpecInfer (2305.09781), SpecTr (2310.15141).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.kernel import Node, StepLaw, child_node
from gramspec.errors import DraftError

SiblingLaw = Literal["iid", "wor", "greedy", "fixed"]


class Branch(NamedTuple):
    """Drafted children of one node, drawn together.

    Attributes
    ----------
    tokens : tuple of int
        Candidates in the order they were drawn.
    law : {"iid", "wor", "greedy", "fixed"}
        "iid": each from `row`, with replacement; a token drawn twice stays twice (one candidate: an
        ordinary draft). "wor": from `row` without replacement. "greedy": all but the last are chosen by
        the drafter, the last is drawn from the rest of `row`, renormalised. "fixed": none was drawn.
    row : ndarray of float64, shape (width,), or None
        The row q; None for "fixed".
    """

    tokens: tuple[int, ...]
    law: SiblingLaw
    row: NDArray[np.float64] | None


class DraftPlan(NamedTuple):
    """How much may be drafted in one round; settled before anything of the round is drawn.

    Attributes
    ----------
    length : int
        Tokens on a path at most.
    width : int
        Candidates of one node at most.
    nodes : int or None
        Tokens in the tree at most; None: ``length`` for a width of one, otherwise no bound of its own.
    least : float
        Estimated probability of being kept below which drafters that have an estimate draft nothing.
    """

    length: int
    width: int = 1
    nodes: int | None = None
    least: float = 0.0

    @property
    def most(self) -> int:
        """Tokens in the tree at most."""
        if self.nodes is not None:
            return self.nodes
        return self.length if self.width == 1 else sum(self.width**d for d in range(1, self.length + 1))


class DraftTree:
    """A drafted tree below the node where the attempt stands.

    Parameters
    ----------
    nodes : sequence of Node or None
        The root, then the node after each distinct drafted token; None after an EOS id. Parents come
        before their children.
    parents : sequence of int
        Index of each node's parent; -1 for the root.
    tokens : sequence of int
        Token that leads to each node; -1 for the root.
    branches : sequence of tuple of Branch
        Drafted children of each node, verified in turn; a "fixed" branch comes last.

    Raises
    ------
    DraftError
        When the four do not describe a tree.
    """

    def __init__(
        self,
        nodes: Sequence[Node | None],
        parents: Sequence[int],
        tokens: Sequence[int],
        branches: Sequence[tuple[Branch, ...]],
    ) -> None:
        n = len(nodes)
        if n == 0 or nodes[0] is None or not len(parents) == len(tokens) == len(branches) == n:
            raise DraftError(
                f"a draft tree of {n} nodes has {len(parents)} parents, {len(tokens)} tokens and"
                f" {len(branches)} branches; one of each per node is needed, and a root that is no EOS"
            )
        self.nodes = tuple(nodes)
        self.parents = tuple(parents)
        self.tokens = tuple(tokens)
        self.branches = tuple(branches)
        self._children: tuple[dict[int, int], ...] = tuple({} for _ in range(n))
        for i in range(1, n):
            parent = self.parents[i]
            if not 0 <= parent < i or self.nodes[parent] is None:
                raise DraftError(f"node {i} of a draft tree has parent {parent}: none before it that goes on")
            self._children[parent][self.tokens[i]] = i
        for i, group in enumerate(self.branches):
            for branch in group:
                for token in branch.tokens:
                    if token not in self._children[i]:
                        raise DraftError(f"token {token} was drafted at node {i}, but the tree dropped it")

    @classmethod
    def root(cls, node: Node) -> DraftTree:
        """A tree without drafted tokens."""
        return cls((node,), (-1,), (-1,), ((),))

    @classmethod
    def chain(
        cls, tokens: Sequence[int], rows: Sequence[NDArray[np.float64] | None], nodes: Sequence[Node]
    ) -> DraftTree:
        """A chain; a row None says that its token was not drawn.

        Parameters
        ----------
        tokens : sequence of int
            Drafted tokens; only the last one may be an EOS id.
        rows : sequence of ndarray or None
            The row each token was drawn from.
        nodes : sequence of Node
            The node before each drafted token, and the node after the last one unless that is an EOS id.
        """
        n = len(tokens)
        branches = [
            (Branch((token,), "fixed" if row is None else "iid", row),)
            for token, row in zip(tokens, rows, strict=True)
        ]
        held: list[Node | None] = list(nodes)
        if len(held) == n:
            held.append(None)
        return cls(held, range(-1, n), (-1, *tokens), (*branches, ()))

    def as_chain(self) -> tuple[tuple[int, ...], tuple[NDArray[np.float64], ...], tuple[Node, ...]]:
        """Tokens, rows and nodes of a tree that is a chain of drawn tokens.

        Raises
        ------
        DraftError
            When it is another tree.
        """
        rows = []
        for i, group in enumerate(self.branches[:-1]):
            one = len(group) == 1 and len(group[0].tokens) == 1 and group[0].row is not None
            if not one or self.parents[i + 1] != i:
                raise DraftError("a chain of drawn tokens is needed, one at each node; this draft is a tree")
            row = group[0].row
            assert row is not None
            rows.append(row)
        return self.tokens[1:], tuple(rows), tuple(node for node in self.nodes if node is not None)

    def children(self, index: int) -> dict[int, int]:
        """Token and node index of each child."""
        return self._children[index]

    @property
    def drafted(self) -> int:
        """Distinct drafted tokens."""
        return len(self.nodes) - 1

    @property
    def depth(self) -> int:
        """Tokens on the longest path."""
        depths = [0] * len(self.nodes)
        for i in range(1, len(self.nodes)):
            depths[i] = depths[self.parents[i]] + 1
        return max(depths)

    def to_score(self) -> tuple[list[int], list[int], list[int]]:
        """What the target has to score: node indices with a row, then tokens and parents for `score`.

        Returns
        -------
        tuple of list of int
            Indices of the nodes that go on (the root first: row k of the target's answer belongs to the
            k-th of them); the token of each but the root; its parent in the numbering of `score`.
        """
        inner = [i for i, node in enumerate(self.nodes) if node is not None]
        place = {index: k - 1 for k, index in enumerate(inner)}  # the root is -1
        return inner, [self.tokens[i] for i in inner[1:]], [place[self.parents[i]] for i in inner[1:]]


class TreeBuilder:
    """Grows a draft tree node by node.

    Parameters
    ----------
    law : StepLaw
        The law to be sampled.
    node : Node
        The root.
    """

    def __init__(self, law: StepLaw, node: Node) -> None:
        self.law = law
        self.nodes: list[Node | None] = [node]
        self.parents = [-1]
        self.tokens = [-1]
        self.branches: list[list[Branch]] = [[]]
        self._children: list[dict[int, int]] = [{}]

    @property
    def drafted(self) -> int:
        """Distinct tokens drafted so far."""
        return len(self.nodes) - 1

    def child(self, index: int, token: int) -> int | None:
        """The node after `token`, if it has been drafted at that node."""
        return self._children[index].get(token)

    def grow(self, index: int, branch: Branch) -> list[int]:
        """Add a branch below a node.

        Parameters
        ----------
        index : int
            The node.
        branch : Branch
            Its children; tokens have a positive factor at that node.

        Returns
        -------
        list of int
            Index of the node after each candidate, repeated where a token is.

        Raises
        ------
        DraftError
            When the node cannot have children, a token cannot follow, or a drawn branch comes after a
            fixed one.
        """
        node = self.nodes[index]
        if node is None or node.remaining < 1:
            raise DraftError(f"nothing can be drafted at node {index}: it is the end of its text")
        if self.branches[index] and self.branches[index][-1].law == "fixed":
            raise DraftError(f"node {index} has a fixed branch already, which has to be its last")
        factors = self.law.children(node)
        found = []
        for token in branch.tokens:
            if not 0 <= token < len(factors) or not factors[token] > 0.0:
                raise DraftError(
                    f"token {token} cannot follow {list(node.prefix)}: it is never drafted there"
                )
            known = self._children[index].get(token)
            if known is None:
                known = len(self.nodes)
                self._children[index][token] = known
                self.nodes.append(None if token in self.law.eos_ids else child_node(self.law, node, token))
                self.parents.append(index)
                self.tokens.append(token)
                self.branches.append([])
                self._children.append({})
            found.append(known)
        self.branches[index].append(branch)
        return found

    def build(self) -> DraftTree:
        """The tree as it is now."""
        return DraftTree(self.nodes, self.parents, self.tokens, [tuple(b) for b in self.branches])
