"""`CommittedTokens`: the prompt and what was committed after it, as every sequence keeps them.

Law: `rollback` undoes `commit` and never reaches into the prompt.
Source: API, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence

from gramspec.models.trees import token_ids


class CommittedTokens:
    """Part of a `ModelSequence`: the list of tokens, growing and shrinking at its end.

    Parameters
    ----------
    tokens : list of int
        Prompt first; kept, not copied.
    prompt_length : int
    vocab_size : int
    """

    def __init__(self, tokens: list[int], prompt_length: int, vocab_size: int) -> None:
        self._tokens = tokens
        self._prompt_length = prompt_length
        self._vocab_size = vocab_size

    @property
    def tokens(self) -> tuple[int, ...]:
        """Committed token ids, prompt first."""
        return tuple(self._tokens)

    def commit(self, tokens: Sequence[int]) -> None:
        """Append tokens; cached states of a path scored last are kept, those of other nodes dropped."""
        self._tokens.extend(token_ids(tokens, self._vocab_size, "tokens"))

    def rollback(self, n: int) -> None:
        """Take back the last `n` committed tokens; ValueError if that reaches into the prompt."""
        committed = len(self._tokens) - self._prompt_length
        if not 0 <= n <= committed:
            raise ValueError(f"cannot take back {n} tokens: {committed} were committed after the prompt")
        if n:
            del self._tokens[-n:]
