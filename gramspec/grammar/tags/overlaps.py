"""Where strings that are looked for in free text overlap each other.

Law: an occurrence of a trigger is the first of all iff no other one ends inside it and none that ends inside
it, or with it, begins in the text before; the beginnings of the latter are what that text may not end with.
Cost: linear in the total length (Aho and Corasick), and the overlaps found.
Source: Aho and Corasick, CACM 18(6), 1975.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from gramspec.errors import GrammarError, LimitError

_MOST_BYTES: Final = 1 << 20
_MOST_OVERLAPS: Final = 50_000


@dataclass(frozen=True, slots=True)
class Overlaps:
    """What stands in the way of triggers.

    Parameters
    ----------
    inside : tuple
        For each trigger the number of a word that ends inside it, or None. Excluded words follow the
        triggers in numbering, and count when they end with the trigger too.
    before : tuple of frozenset of bytes
        For each trigger what the text before it may not end with, lest another word ends earlier or a
        longer one ends at the same place.
    """

    inside: tuple[int | None, ...]
    before: tuple[frozenset[bytes], ...]


@dataclass(slots=True)
class _Trie:
    """Nodes are numbers; node 0 is the empty string."""

    children: list[dict[int, int]] = field(default_factory=lambda: [{}])
    depth: list[int] = field(default_factory=lambda: [0])
    word: list[int | None] = field(default_factory=lambda: [None])  # a word that ends here
    links: list[int] = field(default_factory=lambda: [0])
    ending: list[int | None] = field(default_factory=list)  # a word that ends here or in a suffix

    def add(self, data: bytes, number: int) -> int:
        node = 0
        for byte in data:
            known = self.children[node].get(byte)
            if known is None:
                known = len(self.children)
                self.children[node][byte] = known
                self.children.append({})
                self.depth.append(self.depth[node] + 1)
                self.word.append(None)
                self.links.append(0)
            node = known
        if self.word[node] is None:
            self.word[node] = number
        return node

    def link(self) -> None:
        self.ending = list(self.word)
        waiting = deque(self.children[0].values())
        while waiting:
            node = waiting.popleft()
            if self.ending[node] is None:
                self.ending[node] = self.ending[self.links[node]]
            for byte, child in self.children[node].items():
                link = self.links[node]
                while link and byte not in self.children[link]:
                    link = self.links[link]
                self.links[child] = self.children[link].get(byte, 0)
                waiting.append(child)


def overlaps(triggers: Sequence[bytes], excludes: Sequence[bytes]) -> Overlaps:
    """How triggers overlap each other and excluded words; all are non-empty.

    Raises
    ------
    LimitError
        If the words are too long together or overlap in too many ways.
    """
    words = [*triggers, *excludes]
    if sum(map(len, words)) > _MOST_BYTES:
        raise LimitError("max_nodes", f"triggers and excluded texts of more than {_MOST_BYTES} bytes")
    trie = _Trie()
    ends = [trie.add(word, number) for number, word in enumerate(words)]
    trie.link()
    before = _before(trie, words, ends, len(triggers))
    banned = dict(zip(ends[len(triggers) :], range(len(triggers), len(words)), strict=True))
    blocked: list[frozenset[bytes]] = []
    inside: list[int | None] = []
    for trigger in triggers:
        node, found, texts = 0, None, frozenset[bytes]()
        for place, byte in enumerate(trigger):
            node = trie.children[node][byte]
            texts |= before.get(node, frozenset())
            met = trie.ending[node]
            if met is not None and found is None and place + 1 < len(trigger):
                found = met
        if found is None:
            found = _excluded_end(trie, node, banned)
        blocked.append(texts)
        inside.append(found)
    return Overlaps(tuple(inside), tuple(blocked))


def _before(trie: _Trie, words: list[bytes], ends: list[int], triggers: int) -> dict[int, frozenset[bytes]]:
    """For nodes that some word ends with: what is before them in these words."""
    reached: set[int] = set()  # prefixes of triggers
    for word in words[:triggers]:
        node = 0
        for byte in word:
            node = trie.children[node][byte]
            reached.add(node)
    found: dict[int, set[bytes]] = {}
    count = 0
    for word, end in zip(words, ends, strict=True):
        node = trie.links[end]
        while node:
            if node in reached:
                found.setdefault(node, set()).add(word[: len(word) - trie.depth[node]])
                count += 1
                if count > _MOST_OVERLAPS:
                    raise LimitError(
                        "max_nodes", f"triggers and excluded texts overlap in more than {_MOST_OVERLAPS} ways"
                    )
            node = trie.links[node]
    return {node: frozenset(texts) for node, texts in found.items()}


def _excluded_end(trie: _Trie, node: int, banned: dict[int, int]) -> int | None:
    """An excluded word that ends where a trigger does and is no longer."""
    while node and node not in banned:
        node = trie.links[node]
    return banned.get(node)


def refuse_inside(
    found: Overlaps, triggers: Sequence[bytes], excludes: Sequence[bytes], places: Sequence[str]
) -> None:
    """Raise for the first trigger that can never be completed.

    Raises
    ------
    GrammarError
        At its place.
    """
    for number, other in enumerate(found.inside):
        if other is None:
            continue
        excluded = other >= len(triggers)
        word = excludes[other - len(triggers)] if excluded else triggers[other]
        what = "excluded text" if excluded else "trigger"
        raise GrammarError(
            places[number] if number < len(places) else f"/{number}",
            f"the trigger {_shown(triggers[number])} can never be reached:"
            f" the {what} {_shown(word)} {'stands in it' if excluded else 'ends the text inside it'}",
            "take one of them out",
        )


def _shown(word: bytes) -> str:
    return repr(word.decode("utf-8", "replace"))
