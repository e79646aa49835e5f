"""Texts without a grammar: what the model writes, until it ends, a stop string comes or the tokens are spent.

Law: p itself, token by token; at temperature 0 the most probable token, the smaller id on a tie.
Cost: one forward per token, the same one for all texts of a request.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from gramspec.decoding.generate import source_of
from gramspec.decoding.random import RandomSource
from gramspec.decoding.rows import RowLaw
from gramspec.integrations.server.scoring import Scored, scored
from gramspec.models.protocol import LanguageModel, ModelSequence

Finish = Literal["stop", "length"]


@dataclass
class Writing:
    """A text that is being written.

    Attributes
    ----------
    token_ids : list of int
        So far, an EOS id included.
    text : str
        So far; what a stop string cut off is gone.
    finish : {"stop", "length"} or None
        Why it ended.
    logprob : float
        log p of the tokens.
    forwards : int
        Target forwards.
    scores : list of Scored
        One for each token, if asked for.
    """

    sequence: ModelSequence
    random: RandomSource
    token_ids: list[int] = field(default_factory=list)
    text: str = ""
    finish: Finish | None = None
    logprob: float = 0.0
    forwards: int = 0
    scores: list[Scored] = field(default_factory=list)
    decoder: Any = field(default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace"))
    shown: int = 0
    scores_shown: int = 0


class PlainText:
    """Writes the texts of one request side by side.

    Parameters
    ----------
    model : LanguageModel
        The target.
    vocabulary : Vocabulary
        Token bytes.
    rows : RowLaw or None
        What turns logits into p; None: greedy.
    max_new_tokens : int
        EOS included.
    stop : tuple of str
        Texts are cut off before the first of these.
    top : int or None
        How many of the likeliest tokens are named at each; None scores nothing.
    """

    def __init__(
        self,
        model: LanguageModel,
        vocabulary: Any,
        rows: RowLaw | None,
        max_new_tokens: int,
        *,
        stop: tuple[str, ...] = (),
        top: int | None = None,
    ) -> None:
        self._model = model
        self._vocabulary = vocabulary
        self._rows = rows
        self._most = max_new_tokens
        self._stop = stop
        self._top = top
        self._held = max((len(text) for text in stop), default=1) - 1

    def write(
        self,
        prompts: Sequence[Sequence[int]],
        n: int,
        seed: int | None,
        show: Callable[[int, str, list[Scored]], None] | None = None,
    ) -> list[Writing]:
        """Write `n` texts for each prompt.

        Parameters
        ----------
        prompts : list of token-id lists
        n : int
        seed : int or None
            Makes them reproducible.
        show : callable, optional
            Takes the number of a text, and what has been added for certain.
        """
        texts = [
            Writing(self._model.open(prompt), source_of(seed, i, k)(0))
            for i, prompt in enumerate(prompts)
            for k in range(n)
        ]
        while under_way := [k for k, one in enumerate(texts) if one.finish is None]:
            answers = self._model.score_many([(texts[k].sequence, (), None) for k in under_way])
            for k, rows in zip(under_way, answers, strict=True):
                self._step(texts[k], rows[0])
                if show is not None:
                    self._show(k, texts[k], show)
        return texts

    def _step(self, one: Writing, logits: Any) -> None:
        one.forwards += 1
        if self._rows is None:
            p = RowLaw().row(logits, one.token_ids)
            token = int(np.argmax(logits))
        else:
            p = self._rows.row(logits, one.token_ids)
            token = int(one.random.choose(p))
        one.token_ids.append(token)
        one.logprob += float(np.log(p[token]))
        if token in self._vocabulary.eos_ids:
            one.text += one.decoder.decode(b"", True)
            one.finish = "stop"
            return
        one.sequence.commit([token])
        data = self._vocabulary.tokens[token] if token < len(self._vocabulary) else None
        before = len(one.text)
        one.text += one.decoder.decode(data or b"")
        if self._top is not None:
            one.scores.append(scored(p, token, self._vocabulary, self._top))
        found = [one.text.find(stop, max(0, before - len(stop) + 1)) for stop in self._stop]
        if places := [at for at in found if at >= 0]:
            one.text = one.text[: min(places)]
            one.finish = "stop"
        if one.finish is None and len(one.token_ids) >= self._most:
            one.text += one.decoder.decode(b"", True)
            one.finish = "length"

    def _show(self, k: int, one: Writing, show: Callable[[int, str, list[Scored]], None]) -> None:
        # The end of what is written so far may be the beginning of a stop string.
        certain = len(one.text) if one.finish is not None else max(one.shown, len(one.text) - self._held)
        if certain > one.shown or len(one.scores) > one.scores_shown:
            show(k, one.text[one.shown : certain], one.scores[one.scores_shown :])
            one.shown, one.scores_shown = certain, len(one.scores)
