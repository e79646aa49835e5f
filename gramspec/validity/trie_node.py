"""The learned mass of one law: visited prefixes, what their rows have shown, and how it reaches the root.

Law: after a visit h(x) = Σ p·(base of unvisited) + Σ p·(h of visited), carried up; values only fall while an
attempt is alive. Cost: a visit is O(V) for the unvisited mass and O(depth) small sums up to the root.
Source: laws, "PrefixTrie(base)" and "The snapshot rule"; CARS (arXiv 2510.01902), with a coin.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import exp, inf, log

import numpy as np
from numpy.typing import NDArray

from gramspec.validity.protocol import CompiledLanguage, Contract, GrammarState, Potential, Visit

_STORED_ROW_ENTRIES = 4096  # larger untruncated rows are not kept: their h is published with a margin


@dataclass(frozen=True, slots=True)
class TrieKey:
    """Everything that defines P*: learned mass is shared only between equal keys.

    Parameters
    ----------
    model : str
        Fingerprint of the target (weights, adapters, dtype, back-end).
    prompt : tuple of int
        Prompt ids.
    temperature, top_k, top_p : float, int, float
        What turns logits into p.
    language : str
        Fingerprint of the compiled grammar, its vocabulary included.
    eos_ids : tuple of int
        Tokens that end a sequence.
    base : str
        Name of the base potential.
    budget : int
        Largest number of new tokens, EOS included.
    """

    model: str
    prompt: tuple[int, ...]
    temperature: float
    top_k: int
    top_p: float
    language: str
    eos_ids: tuple[int, ...]
    base: str
    budget: int

    def checked(self) -> TrieKey:
        """The key itself.

        Raises
        ------
        ValueError
            When a part is of another type.
        """
        whole = (*self.prompt, self.top_k, *self.eos_ids, self.budget)
        words = (self.model, self.language, self.base)
        good = all(isinstance(v, int) and not isinstance(v, bool) for v in whole)
        good = good and all(isinstance(v, str) for v in words)
        good = good and all(isinstance(v, float) for v in (self.temperature, self.top_p))
        if not good or self.budget < 1:
            raise ValueError(f"{self} has parts of a wrong type")
        return self

    def wider(self, other: TrieKey) -> bool:
        """Whether `other` differs in nothing but a larger budget.

        Parameters
        ----------
        other : TrieKey
            Another key.
        """
        return other.budget > self.budget and replace(other, budget=self.budget) == self


class TrieNode:
    """One visited prefix; `slots` maps a visited child's token to its place in the arrays."""

    __slots__ = (
        "base",
        "child_h",
        "child_p",
        "h",
        "nodes",
        "parent",
        "row",
        "slots",
        "stamp",
        "token",
        "unvisited",
    )

    def __init__(self, parent: TrieNode | None, token: int, base: float) -> None:
        self.parent = parent
        self.token = token
        self.base = base
        self.h = base
        self.unvisited: float | None = None  # None: row never seen, h is the base
        self.slots: dict[int, int] = {}
        self.nodes: list[TrieNode] = []
        self.child_p: NDArray[np.float64] = np.empty(0)
        self.child_h: NDArray[np.float64] = np.empty(0)
        self.row: tuple[NDArray[np.int32], NDArray[np.float64]] | None = None
        self.stamp = 0

    def child(self, token: int) -> TrieNode | None:
        """The visited child."""
        slot = self.slots.get(token)
        return None if slot is None else self.nodes[slot]

    def attach(self, token: int, p: float, base: float) -> TrieNode:
        """Add a visited child with its probability and base value."""
        node = TrieNode(self, token, base)
        slot = len(self.nodes)
        if slot == len(self.child_p):
            room = max(2, 2 * slot)
            self.child_p = np.concatenate([self.child_p, np.empty(room - slot)])
            self.child_h = np.concatenate([self.child_h, np.empty(room - slot)])
        self.slots[token] = slot
        self.nodes.append(node)
        self.child_p[slot] = p
        self.child_h[slot] = base
        return node

    def detach(self, child: TrieNode) -> None:
        """Forget a leaf: its mass counts as unvisited again."""
        slot = self.slots.pop(child.token)
        assert self.unvisited is not None
        self.unvisited += float(self.child_p[slot]) * child.base
        last = self.nodes.pop()
        if last is not child:
            self.nodes[slot] = last
            self.slots[last.token] = slot
            self.child_p[slot] = self.child_p[len(self.nodes)]
            self.child_h[slot] = self.child_h[len(self.nodes)]

    def mass(self) -> float:
        """S(x) as far as it is known; every term is non-negative, so nothing cancels."""
        assert self.unvisited is not None
        k = len(self.nodes)
        return self.unvisited + float(self.child_p[:k] @ self.child_h[:k])


class LearnedMass:
    """The learned potential of one key: contract of its base, values that only fall during attempts.

    Parameters
    ----------
    base : Potential
        Value of prefixes not visited yet.
    budget : int
        Largest number of new tokens, EOS included.
    row_noise : float
        Bound on the relative difference between two evaluations of one row.
    truncated : bool
        Whether p is cut by top-k or top-p; then a noisy row could change its support and is kept.
    max_nodes, max_row_bytes : int
        Memory bounds.
    """

    def __init__(
        self,
        base: Potential,
        budget: int,
        *,
        row_noise: float = 0.0,
        truncated: bool = False,
        max_nodes: int = 100_000,
        max_row_bytes: int = 1 << 28,
    ) -> None:
        self.base = base
        self.budget = budget
        self.row_noise = row_noise
        self.truncated = truncated
        self.max_nodes = max_nodes
        self.max_row_bytes = max_row_bytes
        self.lock = threading.RLock()  # calls of several threads may share what is learned
        self.live = 0
        self.nodes = 1
        self._row_bytes = 0
        self.clock = 0
        self.root = TrieNode(None, -1, exp(base.log_h(base.compiled.matcher(), (), budget)))

    @property
    def name(self) -> str:
        """Name of the function."""
        return f"prefix-trie({self.base.name})"

    @property
    def contract(self) -> Contract:
        """The contract of the base; learned values are bounds, so E becomes S."""
        return "S"

    @property
    def compiled(self) -> CompiledLanguage:
        """The language and vocabulary of the base."""
        return self.base.compiled

    @property
    def root_h(self) -> float:
        """h(ε), a certified upper bound on Φ(ε) (up to row noise)."""
        return self.root.h

    def log_h(self, state: GrammarState, prefix: Sequence[int], budget: int) -> float:
        """Return log h at a prefix: learned where visited, the base elsewhere."""
        with self.lock:
            node = self._find(prefix)
            if node is not None:
                return log(node.h) if node.h > 0 else -inf
        return self.base.log_h(state, prefix, budget)

    def h_children(self, state: GrammarState, prefix: Sequence[int], budget: int) -> NDArray[np.float64]:
        """h(xv) for every token: the base, overridden for visited children."""
        h = self.base.h_children(state, prefix, budget)
        with self.lock:
            node = self._find(prefix)
            if node is not None and node.nodes:
                k = len(node.nodes)
                h[np.fromiter(node.slots.keys(), np.int64, k)] = node.child_h[
                    np.fromiter(node.slots.values(), np.int64, k)
                ]
        return h

    def remembered_row(self, prefix: Sequence[int], width: int) -> NDArray[np.float64] | None:
        """The law row first seen at `prefix`, on the tokens with h > 0; None where none is kept."""
        with self.lock:
            node = self._find(prefix)
            kept = None if node is None else node.row
        if kept is None:
            return None
        row = np.zeros(width)
        row[kept[0]] = kept[1]
        return row

    def begin(self) -> None:
        """An attempt begins: nothing is evicted until it ends."""
        with self.lock:
            self.live += 1

    def end(self) -> None:
        """An attempt has ended; with none alive, memory is brought back under its bound."""
        with self.lock:
            if self.live < 1:
                raise ValueError("end() without begin()")
            self.live -= 1
            if self.live == 0 and self.nodes > self.max_nodes:
                self._evict(int(0.9 * self.max_nodes))

    def observe(self, visits: Sequence[Visit]) -> None:
        """Learn S(x) at each visited prefix and carry it to the root.

        Parameters
        ----------
        visits : sequence of Visit
            Prefixes in any order; a prefix is learned only below prefixes learned before it.
        """
        with self.lock:
            self.clock += 1
            learned = [self._learn(visit) for visit in sorted(visits, key=lambda v: len(v.prefix))]
            for node in reversed(learned):
                if node is not None:
                    self._publish(node)

    def _learn(self, visit: Visit) -> TrieNode | None:
        node = self._find(visit.prefix)
        if node is None or not self._keep_row(node, visit):
            return None
        p = visit.p if node.row is None else self._dense(node.row, len(visit.p))
        for token in visit.followed:
            # An attempt may be longer than the bound allows; what does not fit stays at its base.
            if token in node.slots or self.nodes >= 2 * self.max_nodes:
                continue
            if visit.children[token] > 0 and p[token] > 0:
                node.attach(token, float(p[token]), float(visit.children[token]))
                self.nodes += 1
        rest = p * visit.children
        if node.nodes:
            rest[np.fromiter(node.slots.keys(), np.int64, len(node.nodes))] = 0.0
        node.unvisited = float(rest.sum())
        node.stamp = self.clock
        return node

    def _keep_row(self, node: TrieNode, visit: Visit) -> bool:
        """Keep a noisy row as p; False when the visit must not be learned for want of memory."""
        if self.row_noise == 0.0 or node.row is not None:
            return True
        if node.unvisited is not None:  # learned from an unkept row: the margin covers it
            return True
        ids = np.flatnonzero((visit.p > 0) & (visit.children > 0)).astype(np.int32)
        size = 12 * len(ids)
        fits = self._row_bytes + size <= self.max_row_bytes
        if fits and (self.truncated or len(ids) <= _STORED_ROW_ENTRIES):
            self.keep_row(node, ids, visit.p[ids].copy())
            return True
        return not self.truncated

    def keep_row(self, node: TrieNode, ids: NDArray[np.int32], p: NDArray[np.float64]) -> None:
        """Keep the law row of a node on the tokens that may follow.

        Parameters
        ----------
        node : TrieNode
            A node without a row.
        ids, p : ndarray
            Tokens and their probabilities.
        """
        node.row = (ids, p)
        self._row_bytes += 12 * len(ids)

    def narrowed(self, budget: int) -> LearnedMass:
        """What was learned, as a bound for a smaller number of new tokens: min(h, base at that number).

        Mass of unvisited tokens is taken over as it is, an upper bound since the base grows with the budget.

        Parameters
        ----------
        budget : int
            At most this one's.
        """
        twin = LearnedMass(
            self.base,
            budget,
            row_noise=self.row_noise,
            truncated=self.truncated,
            max_nodes=self.max_nodes,
            max_row_bytes=self.max_row_bytes,
        )
        copied: list[TrieNode] = []
        with self.lock:
            twin.clock = self.clock
            start: tuple[int, ...] = ()
            stack = [(self.root, twin.root, self.base.compiled.matcher(), start)]
            while stack:
                wide, node, state, prefix = stack.pop()
                copied.append(node)
                node.unvisited, node.stamp = wide.unvisited, wide.stamp
                if wide.row is not None:
                    twin.keep_row(node, *wide.row)
                left = budget - len(prefix) - 1
                for token, slot in wide.slots.items() if left > 0 else ():
                    below = state.fork()
                    below.advance(token)
                    path = (*prefix, token)
                    base = exp(self.base.log_h(below, path, left))
                    if base > 0.0:
                        child = node.attach(token, float(wide.child_p[slot]), base)
                        twin.nodes += 1
                        stack.append((wide.nodes[slot], child, below, path))
        for node in reversed(copied):
            if node.unvisited is not None:
                margin = 1.0 if node.row is not None else 1.0 + self.row_noise
                node.h = min(node.base, node.mass() * margin)
            if node.parent is not None:
                node.parent.child_h[node.parent.slots[node.token]] = node.h
        return twin

    @staticmethod
    def _dense(row: tuple[NDArray[np.int32], NDArray[np.float64]], width: int) -> NDArray[np.float64]:
        p = np.zeros(width)
        p[row[0]] = row[1]
        return p

    def _publish(self, node: TrieNode, *, may_rise: bool = False) -> None:
        """Set h(x) to S(x) (with a margin for rows that are not kept) and carry it to the root."""
        current: TrieNode | None = node
        while current is not None:
            margin = 1.0 if current.row is not None else 1.0 + self.row_noise
            h = min(current.base if may_rise else current.h, current.mass() * margin)
            if h == current.h and current is not node:
                return
            current.h = h
            if current.parent is not None:
                current.parent.child_h[current.parent.slots[current.token]] = h
            current = current.parent

    def _find(self, prefix: Sequence[int]) -> TrieNode | None:
        node: TrieNode | None = self.root
        for token in prefix:
            assert node is not None
            node = node.child(token)
            if node is None:
                return None
        return node

    def _evict(self, target: int) -> None:
        """Forget the leaves unseen for longest until `target` nodes are left; h rises to the base there."""
        while self.nodes > target:
            leaves = [n for n in self.walk() if not n.nodes and n.parent is not None]
            leaves.sort(key=lambda n: n.stamp)
            if not leaves:
                return
            for leaf in leaves[: self.nodes - target]:
                parent = leaf.parent
                assert parent is not None
                parent.detach(leaf)
                self.nodes -= 1
                if leaf.row is not None:
                    self._row_bytes -= 12 * len(leaf.row[0])
                self._publish(parent, may_rise=True)

    def walk(self) -> Iterator[TrieNode]:
        """Every visited prefix, parents before children."""
        stack = [self.root]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(node.nodes)
