"""`WrappedModel`: what a language model in front of another one has from it.

Law: the rows are the inner model's, so the law, its key and its noise are too.
"""

from __future__ import annotations

from typing import Any

from gramspec.models.protocol import LanguageModel


class WrappedModel:
    """Base of models that answer in front of another one.

    Parameters
    ----------
    model : LanguageModel
        The model that computes.
    """

    def __init__(self, model: LanguageModel) -> None:
        self.model = model

    @property
    def vocab_size(self) -> int:
        """Width of a row."""
        return self.model.vocab_size

    @property
    def eos_ids(self) -> tuple[int, ...]:
        """Token ids that end a sequence."""
        return self.model.eos_ids

    @property
    def max_length(self) -> int | None:
        """Longest sequence the inner model takes."""
        return self.model.max_length

    @property
    def fingerprint(self) -> str:
        """The inner model's: the law is the same."""
        return self.model.fingerprint

    @property
    def row_noise(self) -> float:
        """The inner model's bound; a row that is computed again may differ by so much."""
        return self.model.row_noise

    def __getattr__(self, name: str) -> Any:
        if name in ("vocabulary", "tokenizer", "encode"):  # what a model with a tokenizer also carries
            return getattr(self.model, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
