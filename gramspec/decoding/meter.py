"""`Meter`: forwards of the target and the draft since a sample began.

Law: reads the counters that models carry; a model without counters counts as zero.
Source: API, section 4 (`target_forwards`, `target_rows`, `draft_forwards`).
"""

from __future__ import annotations

from typing import Any


class Meter:
    """Reads the `counters` of two models.

    Parameters
    ----------
    target, draft : LanguageModel or None
        Models with a `counters` attribute (`forwards`, `rows`).
    """

    def __init__(self, target: Any, draft: Any) -> None:
        self._models = (target, draft)
        self._begun = (0, 0, 0)
        self.reset()

    def _read(self) -> tuple[int, int, int]:
        target, draft = (getattr(model, "counters", None) for model in self._models)
        return (
            getattr(target, "forwards", 0),
            getattr(target, "rows", 0),
            getattr(draft, "forwards", 0),
        )

    def reset(self) -> None:
        """Begin a sample."""
        self._begun = self._read()

    def target_forwards(self) -> int:
        """Target forwards since the sample began."""
        return self._read()[0] - self._begun[0]

    def figures(self) -> dict[str, Any]:
        """Fields of a `Report` that are counted here."""
        now = self._read()
        return {
            name: value - begun
            for name, value, begun in zip(
                ("target_forwards", "target_rows", "draft_forwards"), now, self._begun, strict=True
            )
        }
