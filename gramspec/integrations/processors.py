"""Logits processors of Transformers as part of p: which are pure, and the model that applies them.

Law: p(.|x) = softmax of the processed logits after x; every processor is a pure function of (prefix, logits).
Cost: one call of each processor per new prefix (rows are remembered). Source: `transformers.generation`.
"""

from __future__ import annotations

import copy
import hashlib
import secrets
from collections.abc import Sequence
from math import inf
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from transformers.generation import logits_process as hf

from gramspec.decoding.lockstep import score_counted
from gramspec.decoding.rows import RowLaw
from gramspec.errors import OptionError
from gramspec.models.counters import Counters
from gramspec.models.protocol import LanguageModel, ModelSequence
from gramspec.models.trees import check_row, tree_parents, tree_paths

# Classes that are pure functions of the prefix and the row, with the attributes that define the function.
_CUT = ("filter_value", "min_tokens_to_keep")
PURE: dict[type, tuple[str, ...]] = {
    hf.EpsilonLogitsWarper: ("epsilon", *_CUT),
    hf.EtaLogitsWarper: ("epsilon", *_CUT),
    hf.ExponentialDecayLengthPenalty: ("regulation_start", "regulation_factor", "eos_token_id"),
    hf.ForcedBOSTokenLogitsProcessor: ("bos_token_id",),
    hf.ForcedEOSTokenLogitsProcessor: ("max_length", "eos_token_id"),
    hf.LogitNormalization: (),
    hf.MinLengthLogitsProcessor: ("min_length", "eos_token_id"),
    hf.MinNewTokensLengthLogitsProcessor: ("prompt_length_to_skip", "min_new_tokens", "eos_token_id"),
    hf.MinPLogitsWarper: ("min_p", *_CUT),
    hf.NoBadWordsLogitsProcessor: ("sequence_bias",),
    hf.NoRepeatNGramLogitsProcessor: ("ngram_size",),
    hf.RepetitionPenaltyLogitsProcessor: ("penalty", "prompt_ignore_length"),
    hf.SequenceBiasLogitsProcessor: ("sequence_bias",),
    hf.SuppressTokensAtBeginLogitsProcessor: ("begin_suppress_tokens", "begin_index"),
    hf.SuppressTokensLogitsProcessor: ("suppress_tokens",),
    hf.TemperatureLogitsWarper: ("temperature",),
    hf.TopHLogitsWarper: ("top_n", "top_h", "filter_value"),
    hf.TopKLogitsWarper: ("top_k", *_CUT),
    hf.TopPLogitsWarper: ("top_p", *_CUT),
    hf.TypicalLogitsWarper: ("mass", *_CUT),
}
# Those that move logits continuously and cut none: a row with noise keeps its support under them.
_SMOOTH = (hf.RepetitionPenaltyLogitsProcessor, hf.TemperatureLogitsWarper, hf.LogitNormalization)

_WHY = {
    "GrammarLogitsProcessor": "two grammars are one, `&`, and belong to gs.transformers.generate(grammar=...)"
    "; without custom_generate the processor masks on its own",
    "PrefixConstrainedLogitsProcessor": "prefix_allowed_tokens_fn is a second constraint; write it as a"
    " grammar (`&`, `+`, `|`)",
    "UnbatchedClassifierFreeGuidanceLogitsProcessor": "guidance_scale runs the model a second time and keeps"
    " state between calls",
    "ClassifierFreeGuidanceLogitsProcessor": "guidance needs a batch of pairs",
    "WatermarkLogitsProcessor": "a watermark's key would have to be part of p",
    "SynthIDTextWatermarkLogitsProcessor": "it keeps state between calls",
    "EncoderNoRepeatNGramLogitsProcessor": "it speaks of a batch of encoder inputs",
    "EncoderRepetitionPenaltyLogitsProcessor": "it speaks of a batch of encoder inputs",
    "InfNanRemoveLogitsProcessor": "rows with NaN are refused, not repaired (remove_invalid_values)",
}


class RowOptions(NamedTuple):
    """What turns the model's logits into p.

    Attributes
    ----------
    processors : tuple
        Applied first, in their order, to the whole prefix and the row.
    rows : RowLaw
        Applied then: temperature, top-k, top-p.
    """

    processors: tuple[Any, ...]
    rows: RowLaw

    def names(self) -> tuple[str, ...]:
        """The processors with the values that define them."""
        return tuple(describe(processor) for processor in self.processors)


def row_options(processors: Sequence[Any], *, pure: Sequence[type] = (), sampling: bool = True) -> RowOptions:
    """Read a list of processors as Transformers passes it.

    Parameters
    ----------
    processors : sequence
        Logits processors and warpers, in the order of application.
    pure : sequence of type
        Further classes that the caller vouches for: pure functions of the prefix and the row.
    sampling : bool
        Whether a trailing temperature, top-k and top-p become the `RowLaw`.

    Raises
    ------
    OptionError
        Naming the processor that is no pure function of the prefix.
    """
    known = tuple(pure)
    for place, processor in enumerate(processors):
        if type(processor) not in PURE and not isinstance(processor, known):
            name = type(processor).__name__
            reason = _WHY.get(name, "nothing says that it is a pure function of the token prefix")
            raise OptionError(
                f"logits_processor[{place}] is {name}: {reason}"
                "\n  hint: p has to be a function of the prefix; a class of your own that is one is passed as"
                " pure_processors=(YourClass,)"
            )
    chain = [p for p in processors if type(p) is not hf.LogitNormalization]  # p is normalised anyway
    temperature, top_k, top_p = 1.0, 0, 1.0
    if sampling:
        if chain and _cuts(chain[-1], hf.TopPLogitsWarper):
            top_p = float(chain.pop().top_p)
        if chain and _cuts(chain[-1], hf.TopKLogitsWarper):
            top_k = int(chain.pop().top_k)
        if chain and type(chain[-1]) is hf.TemperatureLogitsWarper:
            temperature = float(chain.pop().temperature)
    return RowOptions(tuple(chain), RowLaw(temperature, top_k, top_p))


def _cuts(processor: Any, kind: type[Any]) -> bool:
    if type(processor) is not kind:
        return False
    return bool(processor.filter_value == -inf and processor.min_tokens_to_keep == 1)


def describe(processor: Any) -> str:
    """Name of a processor with the values that define it, as text."""
    names = PURE.get(type(processor))
    if names is None:
        return type(processor).__name__
    return f"{type(processor).__name__}({', '.join(f'{n}={_plain(getattr(processor, n))}' for n in names)})"


def _plain(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return str(value.tolist())
    if isinstance(value, dict):
        return str(sorted(value.items()))
    return repr(value)


class ProcessedModel:
    """A `LanguageModel` whose rows have passed through logits processors.

    Parameters
    ----------
    model : LanguageModel
        The model that computes.
    processors : sequence
        Pure processors, in the order of application.
    length : int
        Length that prompts were padded to on the left; processors see the padding, as in Transformers.
    pad_id : int
        The token it was padded with.
    eos_ids : tuple of int
        Tokens that end a sequence in this call.
    device : torch.device or str
        Where the processors keep their tensors.
    """

    def __init__(
        self,
        model: LanguageModel,
        processors: Sequence[Any],
        *,
        length: int = 0,
        pad_id: int = 0,
        eos_ids: tuple[int, ...] | None = None,
        device: Any = "cpu",
    ) -> None:
        self.model = model
        self.processors = tuple(processors)
        self.length = length
        self.pad_id = pad_id
        self.eos_ids = model.eos_ids if eos_ids is None else eos_ids
        self.device = device
        self._fingerprint: str | None = None

    @property
    def counters(self) -> Counters:
        """Those of the inner model."""
        counters: Counters = self.model.counters  # type: ignore[attr-defined]
        return counters

    @property
    def vocab_size(self) -> int:
        """Width of a row."""
        return self.model.vocab_size

    @property
    def max_length(self) -> int | None:
        """Longest sequence the inner model takes."""
        return self.model.max_length

    @property
    def fingerprint(self) -> str:
        """That of the inner model with the processors.

        A processor of the caller's own counts as itself by its attribute ``fingerprint``; without one
        nothing that is learned in this call is shared with another.
        """
        if self._fingerprint is None:
            parts = [self.model.fingerprint, str(self.length), str(self.pad_id)]
            for processor in self.processors:
                own = (
                    "" if type(processor) in PURE else getattr(processor, "fingerprint", secrets.token_hex())
                )
                parts += [describe(processor), str(own)]
            self._fingerprint = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        return self._fingerprint

    @property
    def row_noise(self) -> float:
        """That of the inner model, times what penalties and temperatures make of a difference of logits."""
        factor = 1.0
        for processor in self.processors:
            if type(processor) is hf.RepetitionPenaltyLogitsProcessor:
                factor *= max(processor.penalty, 1.0 / processor.penalty)
            elif type(processor) is hf.TemperatureLogitsWarper:
                factor *= max(1.0, 1.0 / processor.temperature)
        return self.model.row_noise * factor

    @property
    def batches(self) -> bool:
        """Whether the inner model scores several sequences in one forward."""
        return bool(getattr(self.model, "batches", False))

    @property
    def truncates(self) -> bool:
        """Whether a processor may cut a row, so that noise could change its support."""
        return any(type(processor) not in _SMOOTH for processor in self.processors)

    def open(self, prompt: Sequence[int]) -> ProcessedSequence:
        """Start a sequence."""
        inner = self.model.open(prompt)
        padding = max(0, self.length - len(inner.tokens))
        return ProcessedSequence(self, inner, padding, [_for_row(p, padding) for p in self.processors])

    def score_many(
        self, requests: Sequence[tuple[Any, Sequence[int], Sequence[int] | None]]
    ) -> list[NDArray[np.float64]]:
        """Processed rows of each request."""
        return self.score_counted(requests)[0]

    def score_counted(
        self, requests: Sequence[tuple[Any, Sequence[int], Sequence[int] | None]]
    ) -> tuple[list[NDArray[np.float64]], list[Counters]]:
        """`score_many`, and the work that each request has caused."""
        answers, spent = score_counted(
            self.model, [(sequence.inner, tokens, parents) for sequence, tokens, parents in requests]
        )
        rows = [
            sequence.process(answer, tokens, parents)
            for answer, (sequence, tokens, parents) in zip(answers, requests, strict=True)
        ]
        return rows, spent


class ProcessedSequence:
    """One sequence of a `ProcessedModel`."""

    def __init__(
        self, model: ProcessedModel, inner: ModelSequence, padding: int, processors: Sequence[Any]
    ) -> None:
        self.model = model
        self.inner = inner
        self._padding = padding
        self._processors = processors

    @property
    def tokens(self) -> Sequence[int]:
        """Committed token ids, prompt first."""
        return self.inner.tokens

    def score(self, tokens: Sequence[int] = (), parents: Sequence[int] | None = None) -> NDArray[np.float64]:
        """Processed rows of the tree."""
        return self.model.score_many([(self, tokens, parents)])[0]

    def commit(self, tokens: Sequence[int]) -> None:
        """Append tokens."""
        self.inner.commit(tokens)

    def rollback(self, n: int) -> None:
        """Take back the last `n` committed tokens."""
        self.inner.rollback(n)

    def fork(self) -> ProcessedSequence:
        """Return an independent copy."""
        return ProcessedSequence(self.model, self.inner.fork(), self._padding, self._processors)

    def process(
        self, rows: NDArray[np.float64], tokens: Sequence[int], parents: Sequence[int] | None
    ) -> NDArray[np.float64]:
        """Apply the processors to the row of every node of a tree."""
        if not self._processors:
            return rows
        head = [self.model.pad_id] * self._padding + list(self.inner.tokens)
        result = np.empty_like(rows)
        paths = [(), *tree_paths(tokens, tree_parents(len(tokens), parents))]
        for i, path in enumerate(paths):
            ids = torch.tensor([[*head, *path]], device=self.model.device)
            # float32, as in Transformers: cuts fall where they fall there.
            scores = torch.tensor(rows[i : i + 1], dtype=torch.float32, device=self.model.device)
            for processor in self._processors:
                scores = processor(ids, scores)
            result[i] = scores[0].double().cpu().numpy()
            check_row(result[i], self.inner.tokens, path)
        return result


def _for_row(processor: Any, padding: int) -> Any:
    """A processor as it works on one row of the batch."""
    if isinstance(getattr(processor, "prompt_ignore_length", None), torch.Tensor):
        processor = copy.copy(processor)
        processor.prompt_ignore_length = padding
    return processor
