"""Bytes to tokens: which segmentations of a known byte string a model is likely to write.

Law: only estimates; every segmentation of a member is a member, and the target chooses among them.
Cost: bytes × longest token look-ups for a new string, none for a suffix of a known one; bounded memory.
Source: unigram segmentation (Kudo, 1804.10959) with Zipf's law for the ranks of a merged vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from gramspec.vocabulary import Vocabulary

_LONGEST = 64  # bytes of a string that are looked at
_REMEMBERED = 4096  # strings
_SKIPPED = 1e-12  # share of a byte without a token


class Segmenter:
    """Posterior over the first token of a byte string under a unigram model of the vocabulary.

    The probability of a token is Zipf's, by its rank: vocabularies made by merging list common tokens
    first, and longer tokens win because they replace a product by one factor.

    Parameters
    ----------
    vocabulary : Vocabulary
        Token bytes.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._ids: dict[bytes, int] = {}
        for i, spelled in enumerate(vocabulary.tokens):
            if spelled and spelled not in self._ids:
                self._ids[spelled] = i
        self._longest = max((len(s) for s in self._ids), default=0)
        scale = log(len(vocabulary.tokens) + 2.0)
        self._shares = {s: 1.0 / ((i + 2.7) * scale) for s, i in self._ids.items()}
        self._known: dict[bytes, list[tuple[int, float]]] = {}

    def first(self, data: bytes) -> Sequence[tuple[int, float]]:
        """Tokens that a text beginning with `data` may begin with, the likeliest first.

        Parameters
        ----------
        data : bytes
            What is known of the text; tokens that reach beyond it are left out.

        Returns
        -------
        sequence of (int, float)
            Token ids and their probabilities given `data`.
        """
        data = data[:_LONGEST]
        found = self._known.get(data)
        if found is None:
            found = self._solve(data)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[data] = found
        return found

    def _solve(self, data: bytes) -> list[tuple[int, float]]:
        n = len(data)
        mass = [0.0] * n + [1.0]
        for at in range(n - 1, -1, -1):
            total = _SKIPPED * mass[at + 1]  # a byte that no token spells
            for length in range(1, min(self._longest, n - at) + 1):
                share = self._shares.get(data[at : at + length])
                if share is not None:
                    total += share * mass[at + length]
            mass[at] = total
        if not n:
            return []
        found = []
        for length in range(1, min(self._longest, n) + 1):
            share = self._shares.get(data[:length])
            if share is not None and mass[length] > 0.0:
                found.append((self._ids[data[:length]], share * mass[length] / mass[0]))
        found.sort(key=lambda item: (-item[1], item[0]))
        return found
