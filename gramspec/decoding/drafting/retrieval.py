"""`RetrievalDrafter`: continuations of the last tokens in a store of past outputs.

Law: fixed branches; the store grows after the verdicts of a round only.
Cost: one look-up of two tokens per node, then at most 32 places compared backwards over 16 tokens.
Source: REST (2311.08252), suffix index of a datastore; RASD (2503.03434), retrieved paths as a trie.
"""

from __future__ import annotations

import json
from array import array
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from gramspec.decoding.drafting.sources import NOTHING, Growth, Seen, SourceDrafter, Suggestion
from gramspec.decoding.kernel import Node
from gramspec.errors import OptionError

_PLACES = 32  # places looked at per context
_DEEPEST = 16  # tokens compared backwards
_TOKEN_BYTES = 170  # a token, its place, and its share of the index
_BEGIN = -1  # stands before the first token of an output
_FORMAT = "gramspec completions 1"

Pair = tuple[int, int]


class CompletionStore:
    """Token sequences with an index of where two tokens follow each other; the oldest go first.

    Parameters
    ----------
    max_bytes : int
        Bound on the memory held.

    Raises
    ------
    OptionError
        When an option is out of range.
    """

    def __init__(self, max_bytes: int = 1 << 24) -> None:
        if isinstance(max_bytes, bool) or not isinstance(max_bytes, int) or max_bytes < 1:
            raise OptionError(f"max_bytes={max_bytes!r}: a whole number of at least 1 is needed")
        self._max_tokens = max(1, max_bytes // _TOKEN_BYTES)
        self._texts: deque[array[int]] = deque()
        self._first = 0  # number of the oldest text held
        self._held = 0
        self._places: dict[Pair, deque[Pair]] = {}

    def __len__(self) -> int:
        """Sequences held."""
        return len(self._texts)

    @property
    def tokens_held(self) -> int:
        """Tokens held."""
        return self._held

    def add(self, tokens: Sequence[int], *, whole: bool = True) -> None:
        """Add a sequence.

        Parameters
        ----------
        tokens : sequence of int
            Token ids; more than the store holds are cut off at the end.
        whole : bool
            Whether it begins where an output begins; a part of a text does not.
        """
        kept = [int(t) for t in tokens[: self._max_tokens - 2]]
        if not kept:
            return
        text = array("q", [_BEGIN, _BEGIN, *kept] if whole else kept)
        number = self._first + len(self._texts)
        self._texts.append(text)
        self._held += len(text)
        for at in range(2, len(text)):
            places = self._places.setdefault((text[at - 2], text[at - 1]), deque(maxlen=_PLACES))
            places.append((number, at))
        while self._held > self._max_tokens:
            self._forget()

    def _forget(self) -> None:
        text = self._texts.popleft()
        self._held -= len(text)
        for at in range(2, len(text)):
            pair = (text[at - 2], text[at - 1])
            places = self._places.get(pair)
            while places and places[0][0] <= self._first:
                places.popleft()
            if not places:
                self._places.pop(pair, None)
        self._first += 1

    def after(self, tokens: Sequence[int], *, begins: bool = True) -> Suggestion:
        """Tokens that followed the longest matches of the end of a text, weighed by their length.

        Parameters
        ----------
        tokens : sequence of int
            The text so far.
        begins : bool
            Whether `tokens` begins where an output begins.
        """
        text = (_BEGIN, _BEGIN, *tokens) if begins and len(tokens) < _DEEPEST else tokens
        if len(text) < 2:
            return NOTHING
        places = self._places.get((text[-2], text[-1]))
        if not places:
            return NOTHING
        found: dict[int, float] = {}
        longest = total = 0.0
        most = min(len(text), _DEEPEST)
        for number, at in places:
            if number < self._first:
                continue
            past = self._texts[number - self._first]
            length = 2
            while length < most and at - length > 0 and past[at - length - 1] == text[-length - 1]:
                length += 1
            weight = float(length * length)
            found[past[at]] = found.get(past[at], 0.0) + weight
            total += weight
            longest = max(longest, length)
        if not found:
            return NOTHING
        total += longest  # what has not been seen yet
        items = [(token, weight / total) for token, weight in found.items()]
        return Suggestion(items, min(int(longest) // 2, 7))

    def save(self, path: str | Path) -> None:
        """Write the sequences to a JSON file.

        Parameters
        ----------
        path : str or path
            The file; overwritten.
        """
        texts = [[list(t)[2:], True] if t[0] == _BEGIN else [list(t), False] for t in self._texts]
        Path(path).write_text(json.dumps({"format": _FORMAT, "texts": texts}), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path, max_bytes: int = 1 << 24) -> CompletionStore:
        """Read what `save` wrote.

        Parameters
        ----------
        path : str or path
            The file.
        max_bytes : int
            Bound on the memory held.

        Raises
        ------
        OptionError
            When the file holds something else.
        """
        store = cls(max_bytes)
        try:
            held = json.loads(Path(path).read_text(encoding="utf-8"))
            if held["format"] != _FORMAT:
                raise ValueError(f"format {held['format']!r}")
            for tokens, whole in held["texts"]:
                if min(tokens, default=0) < 0:
                    raise ValueError("a negative token id")
                store.add([int(t) for t in tokens], whole=bool(whole))
        except (ValueError, KeyError, TypeError) as error:
            raise OptionError(f"path={str(path)!r}: no store of completions ({error})") from None
        return store


class RetrievalDrafter(SourceDrafter):
    """Drafts what followed the last tokens in past outputs.

    Parameters
    ----------
    store : CompletionStore, optional
        Past outputs; an empty store by default.
    online : bool
        Whether outputs that come to an end are added.
    eos_ids : collection of int
        Tokens that end an output; needed to learn online.
    growth, least
        As for `SourceDrafter`.
    """

    name = "retrieval"

    def __init__(
        self,
        store: CompletionStore | None = None,
        *,
        online: bool = True,
        eos_ids: Sequence[int] = (),
        growth: Growth = "best",
        least: float = 0.01,
    ) -> None:
        super().__init__(growth=growth, least=least)
        self.store = store if store is not None else CompletionStore()
        self._eos = frozenset(eos_ids) if online else frozenset()

    def suggest(self, node: Node) -> Suggestion:
        """What followed the longest matches in the store."""
        return self.store.after(node.prefix)

    def learn(self, seen: Sequence[Seen], text: Sequence[int]) -> None:
        """An output that has come to its end is added to the store."""
        if text and text[-1] in self._eos:
            self.store.add(text)
