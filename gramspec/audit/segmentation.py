"""Segmentations of a text: the many token sequences with the same bytes.

Law: every sequence made here decodes to the text. Cost: length times the longest token.
"""

from __future__ import annotations

import random
import weakref

from gramspec.audit.driving import Tokens
from gramspec.vocabulary import Vocabulary


class Segmenter:
    """Makes token sequences of texts.

    Parameters
    ----------
    vocabulary : Vocabulary
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._ids: dict[bytes, list[int]] = {}
        for number, token in enumerate(vocabulary.tokens):
            if token:
                self._ids.setdefault(token, []).append(number)
        self._longest = max(map(len, self._ids), default=0)

    def greedy(self, raw: bytes) -> Tokens | None:
        """The longest token at each place; None if that cannot be completed."""
        found, place = [], 0
        while place < len(raw):
            length = next(
                (n for n in range(self._longest, 0, -1) if raw[place : place + n] in self._ids), None
            )
            if length is None or place + length > len(raw):
                return None
            found.append(self._ids[raw[place : place + length]][0])
            place += length
        return tuple(found)

    def single(self, raw: bytes) -> Tokens | None:
        """One token a byte; None if some byte is no token."""
        pieces = [raw[i : i + 1] for i in range(len(raw))]
        return tuple(self._ids[p][0] for p in pieces) if all(p in self._ids for p in pieces) else None

    def at_random(self, raw: bytes, choose: random.Random) -> Tokens | None:
        """A segmentation at random; None if a dead end was met."""
        found, place = [], 0
        while place < len(raw):
            fits = [n for n in range(1, self._longest + 1) if raw[place : place + n] in self._ids]
            fits = [n for n in fits if place + n <= len(raw)]
            if not fits:
                return None
            length = choose.choice(fits)
            found.append(choose.choice(self._ids[raw[place : place + length]]))
            place += length
        return tuple(found)

    def several(self, raw: bytes, choose: random.Random, most: int) -> list[Tokens]:
        """Different segmentations: greedy, single bytes, and random ones."""
        made = [
            self.greedy(raw),
            self.single(raw),
            *(self.at_random(raw, choose) for _ in range(max(0, most - 2))),
        ]
        return list(dict.fromkeys(ids for ids in made if ids is not None))[:most]


_segmenters: weakref.WeakKeyDictionary[Vocabulary, Segmenter] = weakref.WeakKeyDictionary()


def segmenter(vocabulary: Vocabulary) -> Segmenter:
    """The segmenter of a vocabulary, made once."""
    made = _segmenters.get(vocabulary)
    if made is None:
        made = _segmenters[vocabulary] = Segmenter(vocabulary)
    return made
