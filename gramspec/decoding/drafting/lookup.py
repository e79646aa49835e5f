"""`LookupDrafter`: continuations copied from the prompt, from the text so far, and from known texts.

Law: fixed branches. Tokens of the prompt and of the output are matched as tokens; texts given as bytes are
matched as bytes, so that it does not matter how the target has cut them.
Cost: three look-ups of bytes and one of tokens per node, at most 32 places each; the index is linear.
Source: prompt look-up decoding; RASD (2503.03434), several matches as one tree.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from gramspec.decoding.drafting.segmentation import Segmenter
from gramspec.decoding.drafting.sources import NOTHING, Growth, SourceDrafter, Suggestion, state_class
from gramspec.decoding.kernel import Node
from gramspec.errors import OptionError
from gramspec.vocabulary import Vocabulary

_PLACES = 32  # places remembered per key
_KEY = 3  # bytes of a key
_DEEPEST = 32  # bytes compared backwards
_AHEAD = 48  # bytes of a continuation
_TRIED = 8  # continuations cut into tokens per node
_STATES = 4096  # grammar states whose beginnings are remembered
_TAIL = 12  # tokens that hold the last bytes


class TextIndex:
    """Where the last bytes of a text occur in known texts.

    Parameters
    ----------
    texts : sequence of bytes
        Known texts.
    max_bytes : int
        Bound on the texts together; what does not fit is left out.

    Raises
    ------
    OptionError
        When a text is no bytes.
    """

    def __init__(self, texts: Sequence[bytes], max_bytes: int = 1 << 16) -> None:
        self._texts: list[bytes] = []
        self._places: dict[bytes, list[tuple[int, int]]] = {}
        held = 0
        for i, text in enumerate(texts):
            if not isinstance(text, bytes):
                raise OptionError(f"texts[{i}]={text!r}: bytes are needed")
            held += len(text)
            if held > max_bytes:
                break
            number = len(self._texts)
            self._texts.append(text)
            for at in range(1, len(text)):
                places = self._places.setdefault(text[max(0, at - _KEY) : at], [])
                if len(places) < _PLACES:
                    places.append((number, at))

    @property
    def texts(self) -> Sequence[bytes]:
        """Texts held."""
        return self._texts

    def after(self, tail: bytes) -> list[tuple[bytes, int]]:
        """Continuations of the longest matches and how many bytes matched, the longest first.

        Parameters
        ----------
        tail : bytes
            The last bytes of a text.
        """
        found: dict[bytes, int] = {}
        for size in range(min(_KEY, len(tail)), 0, -1):
            key = tail[len(tail) - size :]
            for number, at in self._places.get(key, ()):
                if size < _KEY and at != size:  # a shorter key stands for the beginning of a text
                    continue
                text = self._texts[number]
                length = size
                most = min(at, len(tail), _DEEPEST)
                while length < most and text[at - length - 1] == tail[-length - 1]:
                    length += 1
                ahead = text[at : at + _AHEAD]
                found[ahead] = max(found.get(ahead, 0), length)
        return sorted(found.items(), key=lambda item: -item[1])


class LookupDrafter(SourceDrafter):
    """Drafts what followed the same text elsewhere.

    Parameters
    ----------
    prompt : sequence of int
        Prompt ids.
    vocabulary : Vocabulary
        Token bytes.
    texts : TextIndex or sequence of bytes
        Known texts: names and values that the grammar spells out, or a list of the user's.
    segmenter : Segmenter, optional
        Shared with other drafters.
    growth, least
        As for `SourceDrafter`.
    """

    name = "lookup"

    def __init__(
        self,
        prompt: Sequence[int],
        vocabulary: Vocabulary,
        texts: TextIndex | Sequence[bytes] = (),
        *,
        segmenter: Segmenter | None = None,
        growth: Growth = "best",
        least: float = 0.01,
    ) -> None:
        super().__init__(growth=growth, least=least)
        self._spelled = vocabulary.tokens
        self._segmenter = segmenter if segmenter is not None else Segmenter(vocabulary)
        self._index = texts if isinstance(texts, TextIndex) else TextIndex(texts)
        self._prompt = tuple(int(t) for t in prompt)
        self._places: dict[tuple[int, int], list[int]] = {}
        self._text: list[int] = []
        self._extend(self._prompt)
        self._begun: dict[Hashable, Suggestion] = {}
        self._starts: dict[int, float] = {}
        for text in self._index.texts:
            for token, share in self._segmenter.first(text):
                self._starts[token] = self._starts.get(token, 0.0) + share

    def begin(self, node: Node) -> None:
        """Bring the index to prompt + prefix."""
        wanted = self._prompt + node.prefix
        common = len(self._prompt)
        for a, b in zip(self._text[common:], node.prefix, strict=False):
            if a != b:
                break
            common += 1
        for at in range(len(self._text) - 1, common - 1, -1):
            self._take_back(at)
        del self._text[common:]
        self._extend(wanted[common:])

    def _extend(self, tokens: Sequence[int]) -> None:
        for token in tokens:
            at = len(self._text)
            self._text.append(token)
            if at >= 2:
                self._places.setdefault((self._text[at - 2], self._text[at - 1]), []).append(at)

    def _take_back(self, at: int) -> None:
        if at >= 2:
            pair = (self._text[at - 2], self._text[at - 1])
            places = self._places[pair]
            places.pop()
            if not places:
                del self._places[pair]

    def suggest(self, node: Node) -> Suggestion:
        """Continuations of the longest matches; where nothing matches, beginnings of the known texts."""
        found: dict[int, float] = {}
        total = best = 0.0
        for token, length in self._copied(node.prefix):
            weight = float(length * length)
            found[token] = found.get(token, 0.0) + weight
            total += weight
            best = max(best, 3.0 * length)  # a token is about three bytes
        tail = b"".join([self._spelled[t] or b"" for t in node.prefix[-_TAIL:]])
        for ahead, size in self._index.after(tail)[:_TRIED]:
            weight = size * size / 9.0
            total += weight
            best = max(best, float(size))
            for token, share in self._segmenter.first(ahead):
                found[token] = found.get(token, 0.0) + weight * share
        if not found:
            return self._beginnings(node)
        total += best / 3.0  # what has not been seen yet
        return Suggestion([(t, w / total) for t, w in found.items()], 1 + min(int(best) // 4, 6))

    def _beginnings(self, node: Node) -> Suggestion:
        factors = node.children
        if factors is None or not self._starts:
            return NOTHING
        key = state_class(node)
        found = self._begun.get(key) if key is not None else None
        if found is None:
            usable = [(t, w) for t, w in self._starts.items() if t < len(factors) and factors[t] > 0.0]
            total = sum(w for _, w in usable)
            found = Suggestion([(t, w / total) for t, w in usable], 0) if usable else NOTHING
            if len(self._begun) >= _STATES:
                self._begun.clear()
            self._begun[key] = found
        return found

    def _copied(self, prefix: tuple[int, ...]) -> list[tuple[int, int]]:
        """Tokens that followed the last two in prompt and output, with the length of the match."""
        text = self._prompt + prefix[-16:] if len(prefix) < 16 else prefix[-16:]
        if len(text) < 2:
            return []
        found = []
        most = min(len(text), 16)
        for at in self._places.get((text[-2], text[-1]), ())[-_PLACES:]:
            length = 2
            while length < most and at - length > 0 and self._text[at - length - 1] == text[-length - 1]:
                length += 1
            found.append((self._text[at], length))
        return found
