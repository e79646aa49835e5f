"""`TransformersModel`: a Hugging Face causal language model behind the `LanguageModel` protocol.

Law: rows are the model's logits, widened to float64, after exactly the committed tokens and the path.
Cost: one forward per `score` of a chain; of a branching tree too where the architecture allows a 4-D mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from gramspec.errors import ModelError, PromptError
from gramspec.models.caches import SequenceCache, open_cache
from gramspec.models.committed import CommittedTokens
from gramspec.models.counters import Counters
from gramspec.models.fingerprint import model_fingerprint
from gramspec.models.network import CacheKind, Network
from gramspec.models.trees import check_row, token_ids, tree_depths, tree_parents, tree_paths
from gramspec.vocabulary import Vocabulary

_ROW_NOISE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 3e-2, torch.bfloat16: 0.25}


class TransformersModel:
    """A `LanguageModel` over a `transformers.PreTrainedModel`.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        A causal language model. It is put in evaluation mode; `device` and `dtype` move it in place.
    tokenizer : transformers.PreTrainedTokenizerBase, optional
        Needed for prompts given as text and for `vocabulary`.
    device : str or torch.device, optional
        Where to compute. None: where the model is.
    dtype : torch.dtype or str, optional
        Type of the weights. None: as they are.

    Attributes
    ----------
    counters : Counters
        Forwards, rows and positions so far.
    tokenizer : transformers.PreTrainedTokenizerBase or None
        As given.

    Raises
    ------
    ModelError
        When the model has no usable cache, no EOS token, or a head narrower than its tokenizer.

    Notes
    -----
    Caches are rolled back in one of three ways (`cache_kind`). "full": attention over everything;
    any tail is cropped, and the path taken through a tree is selected. "window": sliding windows and
    convolutions; one crop per round, and a rollback before the last crop begins again from the
    prompt's states. "recurrent": states are copied before drafts and accepted tokens are replayed,
    one token per forward except in the families known to continue correctly with several.

    A branching tree takes one forward only for "full" caches under the ``eager`` or ``sdpa``
    attention, checked once per model against separate paths (`scores_trees`). Otherwise every
    stretch between branches is a forward of its own, and counted. The same models score several
    sequences in one forward (`score_many`), each after its own cache and of its own length.

    Not safe for concurrent use from several threads.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase | None = None,
        *,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if not isinstance(model, PreTrainedModel):
            raise ModelError(f"{type(model).__name__} is not a transformers.PreTrainedModel")
        self._model = _moved(model, device, dtype)
        self.tokenizer = tokenizer
        self.counters = Counters()
        self._network = Network(self._model, self.counters)
        self._eos_ids = _eos_ids(self._model, tokenizer, self._network.width)
        if tokenizer is not None and len(tokenizer) > self._network.width:
            raise ModelError(
                f"the tokenizer has {len(tokenizer)} tokens, the model gives {self._network.width} logits; "
                "they do not belong together"
            )
        self._fingerprint: str | None = None
        self._vocabulary: Vocabulary | None = None

    @property
    def vocab_size(self) -> int:
        """Width of a row of logits; may be wider than the tokenizer."""
        return self._network.width

    @property
    def eos_ids(self) -> tuple[int, ...]:
        """EOS ids of the generation config, else the config, else the tokenizer; ascending."""
        return self._eos_ids

    @property
    def max_length(self) -> int | None:
        """`max_position_embeddings` of the config; None where it has none."""
        config = self._model.config.get_text_config(decoder=True)
        length = getattr(config, "max_position_embeddings", None)
        return int(length) if length else None

    @property
    def fingerprint(self) -> str:
        """Hash of configuration, weights, dtype, device type, attention and library versions.

        Computed on first use; large models are sampled (see `gramspec.models.fingerprint`).
        """
        if self._fingerprint is None:
            self._fingerprint = model_fingerprint(self._model)
        return self._fingerprint

    def forget_fingerprint(self) -> None:
        """Hash the weights again at the next use: they may have been trained, or adapters changed."""
        self._fingerprint = None

    @property
    def row_noise(self) -> float:
        """Assumed bound on the relative difference of a probability between two evaluations of its row.

        Two units in the last place of a logit between 16 and 32 are 3e-2 in float16 and 0.25 in
        bfloat16. float32 adds room for longer sums: 1e-4 (1e-9 in float64). Recurrent families sum in
        another order when tokens come one by one: ten times as much.
        """
        noise = _ROW_NOISE.get(self._model.dtype, 0.25)
        return 10 * noise if self.cache_kind == "recurrent" else noise

    @property
    def cache_kind(self) -> CacheKind:
        """How the cache is rolled back: "full", "window" or "recurrent"."""
        return self._network.kind

    @property
    def scores_trees(self) -> bool:
        """Whether a branching tree takes one forward."""
        return self._network.trees

    @property
    def batches(self) -> bool:
        """Whether several sequences share one forward."""
        return self._network.batches

    @property
    def model(self) -> PreTrainedModel:
        """The wrapped model."""
        return self._model

    @property
    def vocabulary(self) -> Vocabulary | None:
        """Bytes of every token, as wide as a row; None without a tokenizer.

        The EOS tokens are those of the model.
        """
        if self._vocabulary is None and self.tokenizer is not None:
            self._vocabulary = Vocabulary.from_tokenizer(
                self.tokenizer, size=self.vocab_size, eos_ids=self._eos_ids
            )
        return self._vocabulary

    def encode(self, text: str) -> list[int]:
        """Token ids of a prompt, with the special tokens that the tokenizer adds.

        Raises
        ------
        ModelError
            Without a tokenizer.
        """
        if self.tokenizer is None:
            raise ModelError(
                "the model has no tokenizer; give prompts as token ids, or load it with a tokenizer"
            )
        return [int(i) for i in self.tokenizer(text)["input_ids"]]

    def open(self, prompt: Sequence[int]) -> TransformersSequence:
        """Start a sequence; nothing is computed yet. An empty prompt becomes the BOS token.

        Raises
        ------
        PromptError
            For unknown ids, a prompt longer than `max_length`, or an empty one without a BOS token.
        """
        ids = token_ids(prompt, self.vocab_size, "prompt")
        if not ids:
            ids = [self._bos()]
        if self.max_length is not None and len(ids) > self.max_length:
            raise PromptError(f"the prompt has {len(ids)} tokens; the model takes at most {self.max_length}")
        return TransformersSequence(self, ids, len(ids), open_cache(self._network, len(ids)))

    def score_many(
        self, requests: Sequence[tuple[Any, Sequence[int], Sequence[int] | None]]
    ) -> list[NDArray[np.float64]]:
        """`score` of each request: one forward for all where the architecture allows it.

        It is counted as one forward per sequence. Otherwise one sequence is scored after the other.
        """
        return self.score_counted(requests)[0]

    def score_counted(
        self, requests: Sequence[tuple[Any, Sequence[int], Sequence[int] | None]]
    ) -> tuple[list[NDArray[np.float64]], list[Counters]]:
        """`score_many`, and the work that each request has caused."""
        found: list[tuple[NDArray[np.float64], Counters] | None] = [None] * len(requests)
        if len(requests) > 1 and self.batches:
            self._score_together(requests, found)
        for k, (sequence, tokens, parents) in enumerate(requests):
            if found[k] is None:
                before = self.counters.copy()
                rows = sequence.score(tokens, parents)
                found[k] = rows, self.counters.since(before)
        answered = [one for one in found if one is not None]
        return [rows for rows, _ in answered], [spent for _, spent in answered]

    def _score_together(
        self,
        requests: Sequence[tuple[Any, Sequence[int], Sequence[int] | None]],
        found: list[tuple[NDArray[np.float64], Counters] | None],
    ) -> None:
        """Answer what one forward can; the rest, and rows with NaN, are left to be scored alone."""
        seen: set[int] = set()
        jobs: list[tuple[int, list[int], list[int], Any]] = []
        try:
            for k, (sequence, tokens, parents) in enumerate(requests):
                if id(sequence) in seen:  # its cache has to hold the first answer before
                    continue
                seen.add(id(sequence))
                ids, links = sequence.check(tokens, parents)
                jobs.append((k, ids, links, sequence.cache.prepare(sequence.tokens, ids, links)))
            feeds = [feed for *_, feed in jobs if feed.ids]
            fresh = iter(self._network.run_batch(feeds) if feeds else [])
            for k, ids, links, feed in jobs:
                sequence = requests[k][0]
                rows = sequence.cache.absorb(feed, next(fresh) if feed.ids else None)
                if np.isnan(rows.max()):
                    sequence.cache.drop()
                    continue
                spent = Counters(1 if feed.ids else 0, len(rows), len(feed.ids))
                found[k] = sequence.answer(rows, ids, links), spent
        except BaseException:
            for k, *_ in jobs:
                requests[k][0].cache.drop()
            raise

    def _bos(self) -> int:
        for source in (self._model.generation_config, self._model.config, self.tokenizer):
            bos = getattr(source, "bos_token_id", None)
            if isinstance(bos, int) and 0 <= bos < self.vocab_size:
                return bos
        raise PromptError("the prompt is empty, and the model has no BOS token to begin with")


class TransformersSequence(CommittedTokens):
    """One growing sequence of a `TransformersModel`, with its cached states."""

    def __init__(
        self, model: TransformersModel, tokens: list[int], prompt_length: int, cache: SequenceCache
    ) -> None:
        super().__init__(tokens, prompt_length, model.vocab_size)
        self._model = model
        self._cache = cache

    def score(self, tokens: Sequence[int] = (), parents: Sequence[int] | None = None) -> NDArray[np.float64]:
        """Logits after the committed tokens and after each node of the tree.

        Raises
        ------
        ModelError
            When a path is longer than the model takes.
        LogitsError
            On NaN, +inf, or a row without a finite entry; names the prefix.
        """
        ids, links = self.check(tokens, parents)
        return self.answer(self._cache.score(self._tokens, ids, links), ids, links)

    @property
    def cache(self) -> SequenceCache:
        """The cached states."""
        return self._cache

    def check(self, tokens: Sequence[int], parents: Sequence[int] | None) -> tuple[list[int], list[int]]:
        """Ids and parents of a tree that the model takes; raises as `score` does."""
        model = self._model
        ids = token_ids(tokens, model.vocab_size, "tokens")
        links = tree_parents(len(ids), parents)
        deepest = len(self._tokens) + max(tree_depths(links), default=0)
        if model.max_length is not None and deepest > model.max_length:
            raise ModelError(
                f"a path of {deepest} tokens is longer than the model takes ({model.max_length})"
            )
        return ids, links

    def answer(self, rows: Any, ids: Sequence[int], links: Sequence[int]) -> NDArray[np.float64]:
        """Rows as the caller gets them, checked and counted."""
        result = np.asarray(rows, dtype=np.float64)
        paths = [(), *tree_paths(ids, links)]
        for row, path in zip(result, paths, strict=True):
            check_row(row, self._tokens, path)
        self._model.counters.add(rows=len(result))
        return result

    def fork(self) -> TransformersSequence:
        """Return an independent copy; the cached states are copied."""
        return TransformersSequence(self._model, list(self._tokens), self._prompt_length, self._cache.fork())


def _moved(model: PreTrainedModel, device: Any, dtype: Any) -> PreTrainedModel:
    if isinstance(dtype, str):
        named = getattr(torch, dtype.removeprefix("torch."), None)
        if not isinstance(named, torch.dtype):
            raise ModelError(f"dtype is {dtype!r}; use a torch.dtype or its name, e.g. 'float32'")
        dtype = named
    wanted = {name: value for name, value in (("device", device), ("dtype", dtype)) if value is not None}
    if not wanted:
        return model
    try:
        moved: PreTrainedModel = model.to(**wanted)
    except (RuntimeError, TypeError, ValueError, AssertionError) as error:
        raise ModelError(f"cannot move {type(model).__name__} to {wanted}: {error}") from error
    return moved


def _eos_ids(model: PreTrainedModel, tokenizer: Any, width: int) -> tuple[int, ...]:
    for name, source in (
        ("generation_config", model.generation_config),
        ("config", model.config),
        ("tokenizer", tokenizer),
    ):
        eos = getattr(source, "eos_token_id", None)
        if eos is None:
            continue
        ids = sorted({int(i) for i in (eos if isinstance(eos, (list, tuple)) else [eos])})
        if not ids:
            continue
        if ids[0] < 0 or ids[-1] >= width:
            raise ModelError(f"{name}.eos_token_id is {eos}; the model gives {width} logits")
        return tuple(ids)
    raise ModelError(
        f"{type(model).__name__} has no EOS token; set generation_config.eos_token_id, "
        "or give a tokenizer that has an eos_token"
    )
