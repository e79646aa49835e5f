"""`SeenPrefixes`: what a drafter remembers of the target's rows, and where they say mass will be lost.

Law: none; a memory of rows p and of h as they were read, for proposals only.
Cost: a visit is O(V) once and a sum of the kept tokens for each prefix above.
Source: laws, "PrefixTrie(base)", "Rows of
rejected draft positions are free observations"; token recycling (2408.08696), keyed by automaton state.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.drafting.tree import DraftTree
from gramspec.decoding.kernel import Node

Row = NDArray[np.float64]
Class = Hashable  # equal for prefixes after which the same tokens may follow
_BRANCHES = 64  # tokens of one row that a search goes on with
_KEPT = 4  # times the places still to be looked at, which a search keeps before it drops the worst


class Seen:
    """A prefix whose law row is known, on the tokens that may follow.

    Attributes
    ----------
    tokens : ndarray of int32
        Kept tokens, ascending.
    p, h : ndarray of float64
        Their p, and h as it was read.
    now : ndarray of float64
        What is assumed of them by now: S where the prefix is known, else h.
    rest : float
        Σ p·h of the tokens that were not kept.
    kind : hashable
        Class of the prefix.
    children : dict of int to Seen
        Known prefixes one token further.
    mass : float
        S as far as it is known.
    """

    __slots__ = ("before", "children", "h", "kind", "mass", "now", "p", "place", "rest", "tokens")

    def __init__(self, node: Node, kind: Class, most: int, before: Seen | None, token: int) -> None:
        assert node.p is not None and node.children is not None
        product = node.p * node.children
        kept = np.flatnonzero(product)
        total = float(product.sum())
        self.rest = 0.0
        if len(kept) > most:
            kept = np.sort(kept[np.argpartition(-product[kept], most)[:most]])
            self.rest = max(0.0, total - float(product[kept].sum()))
        self.tokens = kept.astype(np.int32)
        self.p = node.p[kept]
        self.h = node.children[kept]
        self.now = self.h.copy()
        self.kind = kind
        self.children: dict[int, Seen] = {}
        self.mass = total
        self.before = before
        self.place = -1 if before is None else before.find(token)

    def find(self, token: int) -> int:
        """Index of a kept token; -1 for another."""
        k = int(np.searchsorted(self.tokens, token))
        return k if k < len(self.tokens) and self.tokens[k] == token else -1

    def settle(self) -> None:
        """Bring `mass` up to date, and tell the prefix before."""
        self.mass = self.rest + float(self.p @ self.now)
        if self.before is not None and self.place >= 0:
            self.before.now[self.place] = min(self.mass, float(self.before.h[self.place]))


class Place(NamedTuple):
    """A prefix that is not known yet and is worth a look.

    Attributes
    ----------
    path : tuple of int
        Tokens after the prefix the search began at.
    gain : float
        Expected fall of S there once the row is known.
    """

    path: tuple[int, ...]
    gain: float


class _Mean:
    __slots__ = ("count", "total")

    def __init__(self) -> None:
        self.count = 0.0
        self.total = 0.0

    def add(self, value: float) -> None:
        self.count += 1.0
        self.total += value

    def towards(self, prior: float) -> float:
        return (self.total + prior) / (self.count + 1.0)


_Entry = tuple[float, int, int, "Seen | None", tuple[int, ...], float, bool]


class SeenPrefixes:
    """Remembers rows by prefix and, for prefixes never seen, by the class before them and the last token.

    Parameters
    ----------
    most : int
        Tokens kept of a row at most. Where much of the likely mass turns out to be lost, what was unlikely
        at first is all that counts.
    max_entries : int
        Kept tokens in memory (28 bytes each); beyond, all is forgotten but the mean losses.
    """

    def __init__(self, *, most: int = 8192, max_entries: int = 4_000_000) -> None:
        self.most = most
        self.max_entries = max_entries
        self.entries = 0
        self.root: Seen | None = None
        self._last: dict[tuple[Class, int], Seen] = {}
        self._lost: dict[Class, dict[int, _Mean]] = {}
        self._lost_after: dict[Class, _Mean] = {}
        self._lost_anywhere = _Mean()

    def find(self, prefix: Sequence[int]) -> Seen | None:
        """What is known of a prefix."""
        at = self.root
        for token in prefix:
            if at is None:
                return None
            at = at.children.get(token)
        return at

    def like(self, before: Seen, token: int) -> Seen | None:
        """The last prefix seen after the same token and a prefix of the same class."""
        return self._last.get((before.kind, token))

    def loss(self, before: Seen, token: int) -> float:
        """Expected share of h that a prefix turns out not to have.

        Parameters
        ----------
        before : Seen
            The prefix without its last token.
        token : int
            The last token.
        """
        middle = self._middle(before)
        found = self._lost.get(before.kind, {}).get(token)
        return middle if found is None else found.towards(middle)

    def _middle(self, before: Seen) -> float:
        """Expected loss after a prefix of its class, whatever the token."""
        general = self._lost_anywhere.towards(0.5)
        after = self._lost_after.get(before.kind)
        return general if after is None else after.towards(general)

    def observe(self, tree: DraftTree) -> None:
        """Remember every row of a scored tree.

        Parameters
        ----------
        tree : DraftTree
            Its nodes hold their rows.
        """
        if self.entries > self.max_entries:
            self.root = None
            self._last.clear()
            self.entries = 0
        start = tree.nodes[0]
        assert start is not None
        above = self._above(start.prefix)
        if above is None:
            return  # its beginning was forgotten
        seen: list[Seen | None] = [None] * len(tree.nodes)
        for i, node in enumerate(tree.nodes):
            if node is None or node.p is None:
                continue
            if i:
                before, token = seen[tree.parents[i]], tree.tokens[i]
                if before is None:
                    continue
            else:
                before, token = (above[-1], start.prefix[-1]) if above else (None, -1)
            seen[i] = self._learn(node, before, token)
        for found in (*reversed(seen), *reversed(above)):
            if found is not None:
                found.settle()

    def _above(self, prefix: Sequence[int]) -> list[Seen] | None:
        """What is known of all shorter prefixes; None where one is not known."""
        above: list[Seen] = []
        at = self.root
        for token in prefix:
            if at is None:
                return None
            above.append(at)
            at = at.children.get(token)
        return above

    def _learn(self, node: Node, before: Seen | None, token: int) -> Seen:
        known = self.root if before is None else before.children.get(token)
        if known is not None:
            return known
        assert node.children is not None
        found = Seen(node, _class(node), self.most, before, token)
        self.entries += len(found.tokens) + 16
        if before is None:
            self.root = found
            return found
        before.children[token] = found
        lost = 1.0 - min(1.0, found.mass / node.h) if node.h > 0.0 else 0.0
        self._last[before.kind, token] = found
        self._lost.setdefault(before.kind, {}).setdefault(token, _Mean()).add(lost)
        self._lost_after.setdefault(before.kind, _Mean()).add(lost)
        self._lost_anywhere.add(lost)
        return found

    def places(self, start: Seen, eos: frozenset[int], deepest: int, looked: int) -> Iterator[Place]:
        """Unknown prefixes below a known one, falling in what a look at them is expected to teach.

        Parameters
        ----------
        start : Seen
            Where the search begins.
        eos : frozenset of int
            Tokens that end a sequence.
        deepest : int
            Longest path.
        looked : int
            Prefixes the search looks at, at most.
        """
        count = 0
        least = 0.0  # what falls below it is not reached any more
        # Entries: bound on the gain below, tie, token, what was before and its path, reach, whether known.
        heap: list[_Entry] = [(-start.mass, 0, -1, None, (), 1.0, True)]
        while heap and count < looked:
            if len(heap) > _KEPT * looked:
                heap = heapq.nsmallest(looked - count, heap)  # sorted, so a heap
                least = -heap[-1][0]
            bound, _, token, before, path, reach, known = heapq.heappop(heap)
            count += 1
            row: Seen | None = start
            if before is not None:
                path = (*path, token)
                row = before.children[token] if known else self.like(before, token)
            if not known:
                yield Place(path, -bound)
            if row is None or len(path) >= deepest:
                continue
            worth = reach * row.p * (row.now if known else 1.0)
            if len(worth) > _BRANCHES:
                best = np.argpartition(-worth, _BRANCHES)[:_BRANCHES]
                best = best[(worth[best] > 0.0) & (worth[best] >= least)]
            else:
                best = np.flatnonzero((worth > 0.0) & (worth >= least))
            middle = self._middle(row)
            losses = self._lost.get(row.kind, {})
            for token, value, p in zip(
                row.tokens[best].tolist(), worth[best].tolist(), row.p[best].tolist(), strict=True
            ):
                if token in eos:
                    continue
                seen = known and token in row.children
                if not seen:
                    lost = losses.get(token)
                    value *= middle if lost is None else lost.towards(middle)
                if value > 0.0 and value >= least:  # ties have one row before them: other tokens
                    heapq.heappush(heap, (-value, count, token, row, path, reach * p, seen))


def _class(node: Node) -> Class:
    key: Class = getattr(node.matcher, "mask_key", None)
    if key is not None:
        return key
    assert node.children is not None
    return np.packbits(node.children > 0.0).tobytes()
