"""Streaming: the text of a sample as it becomes certain.

Law: what was shown is never taken back. A restart could take back everything, so a sample is shown before
its end only where its law has none. Source: laws, "What may be claimed".
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Any, NamedTuple


class Chunk(NamedTuple):
    """A piece of one sample.

    Attributes
    ----------
    prompt, sample : int
        Number of the prompt and of the sample.
    token_ids : tuple of int
        Tokens that are certain now, EOS included.
    text : str
        Their text as far as whole characters go; pieces add up to ``Completion.text``.
    final : bool
        Whether this piece ends the sample.
    """

    prompt: int
    sample: int
    token_ids: tuple[int, ...]
    text: str
    final: bool


class TextStream:
    """Cuts one growing sample into chunks of whole characters.

    Parameters
    ----------
    vocabulary : Vocabulary
        Token bytes.
    show : callable
        Takes each chunk.
    prompt, sample : int
        Numbers of the prompt and of the sample.
    """

    def __init__(self, vocabulary: Any, show: Callable[[Chunk], None], prompt: int, sample: int) -> None:
        self._tokens = vocabulary.tokens
        self._show = show
        self._place = (prompt, sample)
        self._shown = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def grow(self, token_ids: tuple[int, ...]) -> None:
        """Show what is new.

        Parameters
        ----------
        token_ids : tuple of int
            All tokens of the sample so far.
        """
        self._next(token_ids, final=False)

    def end(self, token_ids: tuple[int, ...]) -> None:
        """Show the rest.

        Parameters
        ----------
        token_ids : tuple of int
            All tokens of the sample.
        """
        self._next(token_ids, final=True)

    def _next(self, token_ids: tuple[int, ...], *, final: bool) -> None:
        new = token_ids[self._shown :]
        self._shown = len(token_ids)
        data = b"".join(self._tokens[token] or b"" for token in new)
        text = self._decoder.decode(data, final)
        if new or text or final:
            self._show(Chunk(*self._place, new, text, final))
