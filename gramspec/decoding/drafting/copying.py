"""`CopyDrafter`: values copied from the prompt, from places learned online.

Law: fixed branches, or one source of a drawn mixture; the table changes after the verdicts of a round only.
Cost: per node a look at every word of the prompt, at most 64 of them; tables are bounded.
Source: prompt look-up decoding, matched by bytes; pointer networks (1506.03134),
the pointer a table of means.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from gramspec.decoding.drafting.segmentation import Segmenter
from gramspec.decoding.drafting.sources import (
    NOTHING,
    Growth,
    Seen,
    SourceDrafter,
    Suggestion,
    state_class,
)
from gramspec.decoding.kernel import Node
from gramspec.errors import OptionError
from gramspec.vocabulary import Vocabulary

_WORD = re.compile(rb"[0-9]+|[^\W\d_]+|[\x80-\xff]+|[A-Za-z]+")
_WORDS = 64  # of the prompt, the last ones
_TAIL = 4  # bytes of the output that tell one place of the grammar from another
_AHEAD = 24  # bytes of a continuation
_LEAST = 0.05  # share of a place below which it is not proposed
_MEMORY = 24  # rows that a mean looks back on
_PLACES = 1 << 14  # places of the grammar in the table
_ANCHORS = 512  # anchors of one place of the grammar
_DEEPEST = 12  # bytes compared backwards
_ANCHOR = 4  # bytes before a word

Anchor = tuple[int, Hashable]
Means = dict[Anchor, tuple[int, float]]


class _Start(NamedTuple):
    """A place in the prompt where a copy may begin."""

    text: bytes  # what is copied from there
    anchors: tuple[Anchor, ...]


class CopyTable:
    """Where in its prompts the target copies from, by place in the grammar; may be shared by prompts.

    A place of a prompt is known by the bytes before it, and by its number among the words from either end.

    Parameters
    ----------
    places : int
        Places of the grammar remembered; those unseen for longest go first.

    Raises
    ------
    OptionError
        When the number is out of range.
    """

    def __init__(self, places: int = _PLACES) -> None:
        if isinstance(places, bool) or not isinstance(places, int) or places < 1:
            raise OptionError(f"places={places!r}: a whole number of at least 1 is needed")
        self._most = places
        self._means: OrderedDict[Hashable, Means] = OrderedDict()

    def __len__(self) -> int:
        """Places of the grammar held."""
        return len(self._means)

    def learn(self, place: Hashable, masses: dict[Anchor, float], anchors: Sequence[Anchor]) -> None:
        """Learn how much of one row lay on copies from each place of a prompt.

        Parameters
        ----------
        place : hashable
            Where in the grammar.
        masses : dict of anchor to float
            Share of the row on tokens that copy from there; what is missing has none.
        anchors : sequence of anchor
            All anchors of the prompt.
        """
        means = self._means.pop(place, None)
        if means is None:
            if not masses:
                return
            means = {}
        self._means[place] = means
        for anchor in anchors:
            mass = masses.get(anchor, 0.0)
            known = means.get(anchor)
            if known is None:
                if mass > 0.0:
                    if len(means) >= _ANCHORS:  # the oldest goes
                        means.pop(next(iter(means)))
                    means[anchor] = (1, mass)
            else:
                count = min(known[0] + 1, _MEMORY)
                means[anchor] = (count, known[1] + (mass - known[1]) / count)
        if len(self._means) > self._most:
            self._means.popitem(last=False)

    def expect(self, place: Hashable, anchors: Sequence[Anchor]) -> float:
        """Share of the next row that copies from a place of a prompt.

        Parameters
        ----------
        place : hashable
            Where in the grammar.
        anchors : sequence of anchor
            By which the place of the prompt is known.
        """
        means = self._means.get(place)
        if not means:
            return 0.0
        best = 0.0
        for anchor in anchors:
            known = means.get(anchor)
            if known is not None:
                best = max(best, known[1] * known[0] / (known[0] + 0.5))
        return best


class CopyDrafter(SourceDrafter):
    """Drafts what the prompt says where the target has copied from prompts before.

    Parameters
    ----------
    prompt : sequence of int
        Prompt ids.
    vocabulary : Vocabulary
        Token bytes.
    table : CopyTable, optional
        What is known; an empty table by default.
    segmenter : Segmenter, optional
        Shared with other drafters.
    growth, least
        As for `SourceDrafter`.
    """

    name = "copy"

    def __init__(
        self,
        prompt: Sequence[int],
        vocabulary: Vocabulary,
        table: CopyTable | None = None,
        *,
        segmenter: Segmenter | None = None,
        growth: Growth = "best",
        least: float = 0.01,
    ) -> None:
        super().__init__(growth=growth, least=least)
        self.table = table if table is not None else CopyTable()
        self._spelled = vocabulary.tokens
        self._segmenter = segmenter if segmenter is not None else Segmenter(vocabulary)
        self._text = b"".join(self._spelled[t] or b"" for t in prompt if 0 <= t < len(self._spelled))
        self._starts = _starts(self._text)
        self._anchors = tuple({a: None for start in self._starts for a in start.anchors})
        self._copied: dict[int, tuple[Anchor, ...]] = {}  # anchors that a token copies from

    def suggest(self, node: Node) -> Suggestion:
        """What the prompt says after the last bytes, else at the places that are copied from here."""
        tail = self._tail(node.prefix)
        found = self._going_on(tail)
        if found.items:
            return found
        place = (state_class(node), tail[-_TAIL:])
        shares: dict[int, float] = {}
        total = 0.0
        for start in self._starts:
            share = self.table.expect(place, start.anchors)
            if share < _LEAST:
                continue
            total += share
            for token, p in self._segmenter.first(start.text):
                shares[token] = shares.get(token, 0.0) + share * p
        if not shares:
            return NOTHING
        scale = 1.0 / max(1.0, total)
        return Suggestion([(t, p * scale) for t, p in shares.items()], 8 + min(7, int(8.0 * total)))

    def _going_on(self, tail: bytes) -> Suggestion:
        """Continuations of the longest match of the last bytes, two or more, within the prompt."""
        found: dict[int, float] = {}
        longest, at = 1, -1
        key = tail[-2:]
        if len(key) == 2:
            begin = self._text.find(key)
            while begin >= 0:
                end, length = begin + 2, 2
                while (
                    length < min(end, len(tail), _DEEPEST)
                    and tail[-length - 1] == self._text[end - length - 1]
                ):
                    length += 1
                if length >= longest and end < len(self._text):
                    longest, at = length, end
                begin = self._text.find(key, begin + 1)
        if at < 0:
            return NOTHING
        ahead = self._text[at : at + _AHEAD]
        for token, p in self._segmenter.first(ahead):
            found[token] = p
        inside = ahead[:1].isalnum() and self._text[at - 1 : at].isalnum()
        return Suggestion(list(found.items()), min(longest, 4) - 1 + (4 if inside else 0))

    def learn(self, seen: Sequence[Seen], text: Sequence[int]) -> None:
        """How much of every new row copies from which place."""
        for one in seen:
            masses: dict[Anchor, float] = {}
            for token, share in zip(one.tokens, one.shares, strict=True):
                for anchor in self._copies(token):
                    masses[anchor] = masses.get(anchor, 0.0) + share
            self.table.learn((one.state, self._tail(one.prefix)[-_TAIL:]), masses, self._anchors)

    def _copies(self, token: int) -> tuple[Anchor, ...]:
        found = self._copied.get(token)
        if found is None:
            spelled = self._spelled[token] if token < len(self._spelled) else None
            anchors: dict[Anchor, None] = {}
            if spelled:
                for start in self._starts:
                    if start.text.startswith(spelled):
                        anchors.update(dict.fromkeys(start.anchors))
            found = self._copied[token] = tuple(anchors)
        return found

    def _tail(self, prefix: tuple[int, ...]) -> bytes:
        return b"".join(self._spelled[t] or b"" for t in prefix[-_DEEPEST:])


def _starts(text: bytes) -> tuple[_Start, ...]:
    """Beginnings of words, each as it stands, with the space before it, and in small letters."""
    words = list(_WORD.finditer(text))[-_WORDS:]
    found: list[_Start] = []
    for number, word in enumerate(words):
        begin = word.start()
        places = (
            (0, text[max(0, begin - _ANCHOR) : begin]),
            (1, number),
            (2, len(words) - number),
        )
        plain = text[begin : begin + _AHEAD]
        forms = [plain]
        if begin and text[begin - 1 : begin] == b" ":
            forms.append(b" " + plain)
        if plain[:1].isupper():
            forms.append(plain.lower())
        for form, written in enumerate(forms):
            kind = 2 if written == plain.lower() and written != plain else min(form, 1)
            found.append(_Start(written, tuple((3 * kind + a, b) for a, b in places)))
    return tuple(found)
