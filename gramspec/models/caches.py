"""Caches: the states of one token sequence, cropped or replayed so that they follow every rollback.

Law: rows never depend on what was scored and dropped before. At most one `crop` between two forwards.
Cost: only tokens that the cache does not hold are fed. Source: `transformers.cache_utils`.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from gramspec.models.network import Network, Rows
from gramspec.models.trees import is_chain

KEPT_ROWS = 16  # rows remembered before the end of the committed tokens
KEPT_MARKS = 8  # copies of recurrent states kept besides the prompt's


class SequenceCache(ABC):
    """The cached states behind one sequence.

    Parameters
    ----------
    network : Network
        The model that fills the cache.
    prompt_length : int
        Tokens that are never taken back.
    """

    _cache: Any

    def __init__(self, network: Network, prompt_length: int) -> None:
        self._network = network
        self._prompt_length = prompt_length
        self._clear()

    def score(self, tokens: Sequence[int], nodes: Sequence[int], parents: Sequence[int]) -> Rows:
        """Rows after `tokens` and after each node of the tree that follows them."""
        try:
            rows = self._score(list(tokens), nodes, parents)
            if nodes and np.isnan(rows.max()):
                # Attention gives hidden tokens the weight 0, and 0 * NaN is NaN: one bad node spoils the rows
                # of others. Token by token, only the rows behind it are bad.
                self._clear()
                root = self._settle(list(tokens))
                rows = score_paths(self._network, self._cache, root, nodes, parents, singly=True)
            return rows
        except BaseException:
            self._clear()  # an interrupted forward leaves layers of different lengths
            raise

    def prepare(self, tokens: Sequence[int], nodes: Sequence[int], parents: Sequence[int]) -> Feed | None:
        """What a forward shared with other sequences has to feed; None where this cache scores alone.

        `absorb` or `drop` must follow.
        """
        return None

    def absorb(self, feed: Feed, fresh: Rows | None) -> Rows:
        """Take the rows of a shared forward; return what `score` would."""
        raise NotImplementedError(f"{type(self).__name__} scores alone")

    def drop(self) -> None:
        """A shared forward has failed: hold nothing."""
        self._clear()

    @abstractmethod
    def fork(self) -> SequenceCache:
        """Return an independent copy."""

    @abstractmethod
    def _clear(self) -> None:
        """Hold nothing."""

    @abstractmethod
    def _settle(self, tokens: list[int]) -> Rows:
        """Bring the states to exactly `tokens`; return the row after them."""

    @abstractmethod
    def _score(self, tokens: list[int], nodes: Sequence[int], parents: Sequence[int]) -> Rows:
        """Rows as `score` returns them, where no row is NaN."""


class Feed(NamedTuple):
    """Tokens that a forward has to feed to one cache.

    Attributes
    ----------
    ids : list of int
        The tokens, parents before children; empty when every row is known.
    links : list of int
        Parent of each within `ids`, -1 for the last token in the cache.
    cache : transformers.Cache or None
        Holds `held` tokens.
    held : int
        Tokens in the cache.
    keep : int
        Rows wanted, after the last tokens.
    settled : int
        Tokens of the sequence before the first drafted one.
    nodes, parents : list of int
        The drafted tree.
    """

    ids: list[int]
    links: list[int]
    cache: Any
    held: int
    keep: int
    settled: int
    nodes: list[int]
    parents: list[int]


def open_cache(network: Network, prompt_length: int) -> SequenceCache:
    """Return an empty cache of the sort that fits the network."""
    if network.kind == "recurrent":
        return ReplayCache(network, prompt_length)
    return CropCache(network, prompt_length)


def common_length(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the longest common prefix."""
    shorter = min(len(a), len(b))
    if a[:shorter] == b[:shorter]:
        return shorter
    return next(i for i in range(shorter) if a[i] != b[i])


def score_paths(
    network: Network,
    start: Any,
    root: Rows,
    nodes: Sequence[int],
    parents: Sequence[int],
    *,
    singly: bool = False,
) -> Rows:
    """Score a tree path by path from copies of `start`, whose own row is `root`.

    Each stretch without a branch is one forward, or one per token: `singly`, or as the family needs.
    """
    result = np.empty((len(nodes) + 1, network.width), dtype=root.dtype)
    result[0] = root
    children: list[list[int]] = [[] for _ in range(len(nodes) + 1)]
    for node, parent in enumerate(parents):
        children[parent + 1].append(node)
    stack = [(first, start) for first in reversed(children[0])]
    while stack:
        node, origin = stack.pop()
        stretch = [node]
        while len(children[stretch[-1] + 1]) == 1 and not singly:
            stretch.append(children[stretch[-1] + 1][0])
        cache = copy.deepcopy(origin)
        rows = feed(network, cache, [nodes[i] for i in stretch], len(stretch), warm=True)
        for i, row in zip(stretch, rows, strict=True):
            result[i + 1] = row
        stack.extend((child, cache) for child in reversed(children[stretch[-1] + 1]))
    return result


def feed(network: Network, cache: Any, ids: Sequence[int], keep: int, *, warm: bool) -> Rows:
    """Feed a chain, one token per forward where a warm cache of the family needs that."""
    if not warm or network.chunks or len(ids) == 1:
        return network.run(ids, cache, keep)
    rows = [network.run([token], cache, 1) for token in ids]
    return np.concatenate(rows[len(ids) - keep :])


class CropCache(SequenceCache):
    """A cache whose tail can be cropped: attention layers, sliding windows, convolutions.

    Slots are the positions of the cache: `held` is a chain and, after a tree was scored in one
    forward, `tree` holds its nodes. Before the next forward the slots that lead to the wanted
    tokens are kept (a crop, or a selection for a path through a tree), the others dropped.
    """

    _base: tuple[Any, list[int]] | None = None  # windows only: the prompt without its last token

    def _clear(self) -> None:
        self._cache: Any = None
        self._held: list[int] = []
        self._tree: list[int] = []
        self._tree_parents: list[int] = []
        self._rows: dict[int, Rows] = {}  # slot -> row after it
        self._floor = 0  # a window cannot be cropped below its last crop

    def _score(self, tokens: list[int], nodes: Sequence[int], parents: Sequence[int]) -> Rows:
        chain = is_chain(parents)
        if not chain and not self._network.trees:
            root = self._settle(tokens)
            return score_paths(self._network, self._cache, root, nodes, parents)
        feed = self.prepare(tokens, nodes, parents)
        fresh: Rows | None = None
        if feed.ids and chain:
            fresh = self._network.run(feed.ids, feed.cache, feed.keep)
        elif feed.ids:
            fresh = self._network.run_tree(feed.ids, feed.links, feed.cache, feed.held, feed.keep)
        return self.absorb(feed, fresh)

    def prepare(self, tokens: Sequence[int], nodes: Sequence[int], parents: Sequence[int]) -> Feed:
        """What has to be fed: the cache is cropped to what it shares with the wanted tokens."""
        tokens, nodes, parents = list(tokens), list(nodes), list(parents)
        return (
            self._chain(tokens, nodes, parents)
            if is_chain(parents)
            else self._branches(tokens, nodes, parents)
        )

    def absorb(self, feed: Feed, fresh: Rows | None) -> Rows:
        """Remember the rows of a forward, and answer for the whole tree."""
        first, total = feed.settled, feed.settled + len(feed.nodes)
        if feed.ids and is_chain(feed.parents):
            self._held.extend(feed.ids)
        elif feed.ids:
            self._held.extend(feed.ids[: len(feed.ids) - len(feed.nodes)])
            self._tree, self._tree_parents = feed.nodes, feed.parents
        if fresh is not None:
            self._store(range(total - feed.keep, total), fresh, first)
            slots = list(range(first - 1, total))
        else:  # every row was known, the cache was left as it is
            slots = feed.links
        return np.stack([self._rows[slot] for slot in slots])

    def fork(self) -> CropCache:
        """Return an independent copy."""
        other = CropCache(self._network, self._prompt_length)
        other._base = self._base  # never changed in place
        other._cache = copy.deepcopy(self._cache)
        other._held = list(self._held)
        other._tree = list(self._tree)
        other._tree_parents = list(self._tree_parents)
        other._rows = dict(self._rows)
        other._floor = self._floor
        return other

    def _chain(self, tokens: list[int], nodes: list[int], parents: list[int]) -> Feed:
        """Rows after ``full[:first]``, ``full[:first + 1]``, ..., ``full``."""
        full, first = [*tokens, *nodes], len(tokens)
        matched = self._match(full)
        wanted = range(first - 1, len(full))
        unknown = [i for i in wanted if i >= len(matched) or matched[i] not in self._rows]
        if not unknown:
            return Feed([], [matched[i] for i in wanted], None, 0, 0, first, nodes, parents)
        begin = self._keep(full, min(unknown[0], len(matched)), matched)
        ids = full[begin:]
        keep = len(full) - max(begin, first - 1)
        return Feed(ids, list(range(-1, len(ids) - 1)), self._open(), begin, keep, first, nodes, parents)

    def _settle(self, tokens: list[int]) -> Rows:
        last = len(tokens) - 1
        matched = self._match(tokens)
        known = len(matched) == len(tokens) and matched[last] in self._rows
        held = self._keep(tokens, len(matched) if known else min(len(matched), last), matched)
        if held < len(tokens):
            fresh = self._network.run(tokens[held:], self._open(), 1)
            self._held.extend(tokens[held:])
            self._store(range(last, len(tokens)), fresh, len(tokens))
        return self._rows[last]

    def _branches(self, tokens: list[int], nodes: list[int], parents: list[int]) -> Feed:
        matched = self._match(tokens)
        last = len(tokens) - 1
        begin = len(matched)
        if begin == len(tokens) and matched[last] not in self._rows:
            begin = last
        begin = self._keep(tokens, begin, matched)
        pending = tokens[begin:]
        shift = len(pending)
        links = list(range(-1, shift - 1)) + [
            parent + shift if parent >= 0 else shift - 1 for parent in parents
        ]
        keep = len(nodes) + (1 if pending else 0)
        return Feed([*pending, *nodes], links, self._open(), begin, keep, len(tokens), nodes, parents)

    def _open(self) -> Any:
        if self._cache is None:
            self._cache = self._network.new_cache()
        return self._cache

    def _match(self, full: list[int]) -> list[int]:
        """Slots that hold a prefix of `full`, in its order."""
        length = common_length(self._held, full)
        slots = list(range(length))
        if length < len(self._held) or not self._tree:
            return slots
        node = -1
        for token in full[length:]:
            node = next(
                (
                    i
                    for i in range(node + 1, len(self._tree))
                    if self._tree_parents[i] == node and self._tree[i] == token
                ),
                len(self._tree),
            )
            if node == len(self._tree):
                break
            slots.append(len(self._held) + node)
        return slots

    def _keep(self, full: list[int], length: int, slots: list[int] | None = None) -> int:
        """Drop all but the first `length` of `slots`; return how many tokens the cache then holds."""
        if slots is None:
            slots = self._match(full)
        slots = slots[:length]
        present = len(self._held) + len(self._tree)
        if length == 0:
            self._clear()
            return 0
        if length == present:
            self._fold(full, slots)
            return length
        if self._network.kind == "window":
            if length < self._floor:
                return self._rebase()
            self._mark_base(present, length)
            self._floor = length
        if slots[-1] == length - 1:
            self._cache.crop(length - present)
        else:
            self._select(slots)
        self._fold(full, slots)
        return length

    def _fold(self, full: list[int], slots: list[int]) -> None:
        """Name the kept slots 0, 1, ... and forget the tree."""
        if self._tree or len(slots) < len(self._held):
            # Copies, so that one kept row does not keep the rows of a whole tree in memory.
            self._rows = {new: self._rows[old].copy() for new, old in enumerate(slots) if old in self._rows}
            self._held = full[: len(slots)]
            self._tree, self._tree_parents = [], []

    def _select(self, slots: list[int]) -> None:
        """Keep a path through a tree; only plain attention layers hold trees."""
        for layer in self._cache.layers:
            if layer.is_initialized:
                index = torch.tensor(slots, device=layer.keys.device)
                layer.keys = layer.keys.index_select(-2, index)
                layer.values = layer.values.index_select(-2, index)

    def _store(self, slots: range, rows: Rows, first: int) -> None:
        """Remember new rows; forget those far before the `first` token that is not committed."""
        for slot, row in zip(slots, rows, strict=True):
            self._rows[slot] = row
        for slot in [slot for slot in self._rows if slot < first - 1 - KEPT_ROWS]:
            del self._rows[slot]

    def _mark_base(self, present: int, length: int) -> None:
        """Before a window is first trimmed, keep the prompt's states for later restarts."""
        size = self._prompt_length - 1
        if self._base is None and self._floor == 0 and 0 < size <= length:
            cache = copy.deepcopy(self._cache)
            cache.crop(size - present)
            self._base = (cache, self._held[:size])

    def _rebase(self) -> int:
        """Begin again from the prompt's states, or from nothing; return how many tokens are held."""
        base = self._base
        self._clear()
        if base is None:
            return 0
        self._cache = copy.deepcopy(base[0])
        self._held = list(base[1])
        self._floor = len(self._held)
        return self._floor


class _Mark(NamedTuple):
    length: int
    cache: Any
    row: Rows


class ReplayCache(SequenceCache):
    """A cache that cannot be cropped: recurrent states are copied, and accepted tokens replayed.

    Copies are kept at the prompt and at the last `KEPT_MARKS` committed ends that were scored.
    """

    def _clear(self) -> None:
        self._cache: Any = None
        self._held: list[int] = []
        self._row: Rows | None = None  # after everything held
        self._marks: list[_Mark] = []  # ascending, all along `held`

    def _score(self, tokens: list[int], nodes: Sequence[int], parents: Sequence[int]) -> Rows:
        root = self._settle(tokens)
        if not nodes:
            return root[None].copy()
        if not is_chain(parents):
            return score_paths(self._network, self._cache, root, nodes, parents)
        rows = feed(self._network, self._cache, nodes, len(nodes), warm=True)
        self._held.extend(nodes)
        self._row = rows[-1]
        return np.concatenate([root[None], rows])

    def fork(self) -> ReplayCache:
        """Return an independent copy; marks are shared, they never change in place."""
        other = ReplayCache(self._network, self._prompt_length)
        other._cache = copy.deepcopy(self._cache)
        other._held = list(self._held)
        other._row = self._row
        other._marks = list(self._marks)
        return other

    def _settle(self, tokens: list[int]) -> Rows:
        common = common_length(self._held, tokens)
        if common < len(self._held):
            self._marks = [mark for mark in self._marks if mark.length <= common]
            if self._marks:
                mark = self._marks[-1]
                self._cache, self._row = copy.deepcopy(mark.cache), mark.row
                self._held = tokens[: mark.length]
            else:
                self._clear()
        if not self._held:
            self._cache = self._network.new_cache()
            self._extend(tokens[: self._prompt_length], warm=False)
        if len(self._held) < len(tokens):
            self._extend(tokens[len(self._held) :], warm=True)
        elif not self._marks or self._marks[-1].length < len(tokens):
            self._mark()
        assert self._row is not None
        return self._row

    def _extend(self, ids: list[int], *, warm: bool) -> None:
        self._row = feed(self._network, self._cache, ids, 1, warm=warm)[-1]
        self._held.extend(ids)
        self._mark()

    def _mark(self) -> None:
        assert self._row is not None
        self._marks.append(_Mark(len(self._held), copy.deepcopy(self._cache), self._row))
        if len(self._marks) > KEPT_MARKS + 1:
            del self._marks[1]  # the first is the prompt's
