"""`Completion`: one generated text with its probability and its report.

Law: the text belongs to the grammar; `token_ids` follow the law named in the report.
Source: API, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass

from gramspec.decoding.report import Report


@dataclass(frozen=True, slots=True)
class Completion:
    """One sample.

    Attributes
    ----------
    token_ids : tuple of int
        Generated tokens, EOS included.
    text : str
        Their text, EOS and special tokens excluded.
    logprob : float
        log p(token_ids | prompt) after temperature, top-k and top-p, not divided by Φ.
    report : Report
        What it cost and what may be claimed of it.
    """

    token_ids: tuple[int, ...]
    text: str
    logprob: float
    report: Report

    def __str__(self) -> str:
        return self.text
