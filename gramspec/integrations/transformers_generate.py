"""`model.generate(custom_generate=...)`: grammar-conditional decoding inside Transformers.

Law: that of `gramspec.generate` with p as `model.generate` defines it: its processors, temperature, top-k
(50 by default there) and top-p; with ``do_sample=False`` the greedy text under the mask.
Source: `transformers.GenerationMixin.generate`, which calls the object with prepared inputs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import torch
from transformers import PreTrainedModel
from transformers.generation.utils import GenerateDecoderOnlyOutput

from gramspec.decoding.checks import (
    check_budget,
    check_draft,
    check_eos,
    check_lengths,
    check_seed,
    law_and_sampler,
)
from gramspec.decoding.completion import Completion
from gramspec.decoding.generate import compile_for
from gramspec.decoding.generate import generate as generate_core
from gramspec.decoding.greedy import greedy
from gramspec.decoding.options import DecodingOptions
from gramspec.decoding.report import Report
from gramspec.decoding.streaming import Chunk
from gramspec.errors import OptionError, VocabularyError
from gramspec.grammar.core import Grammar
from gramspec.integrations.processors import ProcessedModel, RowOptions, row_options
from gramspec.integrations.transformers_checks import (
    callers_streamer,
    check_config,
    check_dropped,
    check_model_kwargs,
    check_stopping,
    prompts_of,
)
from gramspec.limits import Limits
from gramspec.models.protocol import LanguageModel
from gramspec.models.transformers_adapter import TransformersModel
from gramspec.validity.prefix_trie import PrefixTrie
from gramspec.validity.protocol import CompiledLanguage
from gramspec.vocabulary import Vocabulary

# What `model.generate` decides; the rest of `gramspec.generate` may be given to the callable.
_FROM_TRANSFORMERS = frozenset(
    {"target", "prompts", "n", "max_new_tokens", "temperature", "top_p", "top_k", "progress"}
)


@dataclass
class GrammarOutput(GenerateDecoderOnlyOutput):
    """What ``model.generate(..., return_dict_in_generate=True)`` returns with the callable.

    Attributes
    ----------
    sequences : tensor, shape (rows, length)
        Prompts and completions, padded on the right; EOS included.
    completions : list of Completion
        One per row, in the order of the rows.
    reports : list of Report
        The report of each completion.
    target_law : dict
        What turned the model's logits into p: ``temperature``, ``top_k``, ``top_p``, ``processors``;
        ``do_sample`` False: greedy, and the three are not used.
    """

    completions: list[Completion] | None = None
    reports: list[Report] | None = None
    target_law: Mapping[str, Any] | None = None


class GrammarGeneration:
    """The callable for ``custom_generate``; made by `generate`, whose parameters it keeps."""

    def __init__(
        self,
        grammar: Grammar | CompiledLanguage,
        *,
        tokenizer: Any = None,
        vocabulary: Any = None,
        draft: LanguageModel | PreTrainedModel | None = None,
        streamer: Any = None,
        law: Literal["conditional", "masked"] | None = None,
        seed: int | None = None,
        pure_processors: Sequence[type] = (),
        limits: Limits = Limits(),
        **settings: Any,
    ) -> None:
        known = set(inspect.signature(generate_core).parameters) - _FROM_TRANSFORMERS
        for name in settings:
            if name in _FROM_TRANSFORMERS:
                raise OptionError(f"{name}: this is an argument of model.generate")
            if name not in known:
                raise OptionError(f"{name}: unknown option; known are {', '.join(sorted(known))}")
        check_seed(seed)
        if law is not None:
            law_and_sampler(law, settings.get("sampler", "auto"))
        for kind in pure_processors:
            if not isinstance(kind, type):
                raise OptionError(f"pure_processors: classes are needed, not {kind!r}")
        self.grammar = grammar
        self.tokenizer = tokenizer
        self.vocabulary = vocabulary
        self.draft = TransformersModel(draft) if isinstance(draft, PreTrainedModel) else draft
        self.streamer = streamer
        self.law = law
        self.seed = seed
        self.pure_processors = tuple(pure_processors)
        self.limits = limits
        self.settings = settings
        self._target: TransformersModel | None = None
        self._compiled: tuple[str, CompiledLanguage] | None = None

    def __call__(
        self,
        model: PreTrainedModel,
        input_ids: torch.Tensor,
        logits_processor: Sequence[Any] | None = None,
        stopping_criteria: Sequence[Any] | None = None,
        generation_config: Any = None,
        **model_kwargs: Any,
    ) -> torch.Tensor | GrammarOutput:
        """Decode a batch; called by Transformers.

        Parameters
        ----------
        model : PreTrainedModel
            The target, in evaluation mode.
        input_ids : tensor, shape (rows, length)
            Prompts, each repeated ``num_return_sequences`` times, padded on the left.
        logits_processor, stopping_criteria, generation_config
            As `model.generate` has prepared them.
        **model_kwargs
            Model inputs; only the mask is used, others are refused by name.

        Returns
        -------
        tensor or GrammarOutput
            As ``return_dict_in_generate`` says.

        Raises
        ------
        OptionError
            For an option, processor or criterion that has no law here.
        GramspecError
            As `gramspec.generate`.
        """
        frame = _caller()
        theirs = callers_streamer(frame)
        streamers = [one for one in (self.streamer, theirs) if one is not None]
        try:
            check_dropped(frame)
            return self._generate(
                model,
                input_ids,
                list(logits_processor or ()),
                list(stopping_criteria or ()),
                generation_config if generation_config is not None else model.generation_config,
                model_kwargs,
                streamers,
            )
        finally:
            del frame
            for streamer in streamers:  # a consumer that waits must be told, also of an error
                streamer.end()

    def _generate(
        self,
        model: PreTrainedModel,
        input_ids: torch.Tensor,
        processors: list[Any],
        criteria: list[Any],
        config: Any,
        model_kwargs: dict[str, Any],
        streamers: list[Any],
    ) -> torch.Tensor | GrammarOutput:
        check_config(config)
        check_stopping(criteria)
        if model.training:
            raise OptionError("the model is in training mode, its rows are random: call model.eval()")
        rows, mask = prompts_of(input_ids, model_kwargs.pop("attention_mask", None))
        check_model_kwargs(model_kwargs, mask)
        repeats = config.num_return_sequences or 1
        prompts = rows[::repeats]
        length = input_ids.shape[1]
        if streamers and len(rows) != 1:
            raise OptionError(
                f"streamer: one text can be streamed, not {len(rows)}"
                "\n  hint: gs.transformers.generate(stream=...) is called with a Chunk of each text"
            )
        if self.streamer is not None:  # `generate` itself has shown the prompt to the caller's
            self.streamer.put(input_ids.cpu())
        sampling = bool(config.do_sample)
        law = row_options(processors, pure=self.pure_processors, sampling=sampling)
        target = self._wrapped(model)
        eos_ids = _eos_ids(config, target)
        pad_id = _pad_id(config, eos_ids)

        def processed(inner: LanguageModel) -> ProcessedModel:
            return ProcessedModel(
                inner,
                law.processors,
                length=length,
                pad_id=pad_id,
                eos_ids=eos_ids,
                device=input_ids.device,
            )

        compiled = self._compile(target, eos_ids)
        completions = self._draw(
            processed(target),
            processed,
            prompts,
            compiled,
            law,
            sampling,
            repeats,
            config.max_length - length,
            streamers,
        )
        sequences: Any = _padded(input_ids, completions, pad_id)
        if not config.return_dict_in_generate:
            return cast(torch.Tensor, sequences)
        return GrammarOutput(
            sequences=sequences,
            completions=completions,
            reports=[completion.report for completion in completions],
            target_law={
                "do_sample": sampling,
                "temperature": law.rows.temperature,
                "top_k": law.rows.top_k,
                "top_p": law.rows.top_p,
                "processors": law.names(),
            },
        )

    def _draw(
        self,
        target: ProcessedModel,
        processed: Callable[[LanguageModel], ProcessedModel],
        prompts: list[list[int]],
        compiled: CompiledLanguage,
        law: RowOptions,
        sampling: bool,
        repeats: int,
        budget: int,
        streamers: list[Any],
    ) -> list[Completion]:
        draft = self.draft
        if draft is not None:
            check_draft(draft, compiled.vocabulary)
            if draft.vocab_size == target.vocab_size:  # processors speak of the target's rows
                draft = processed(draft)
        if sampling:
            rows = law.rows
            if target.truncates and rows.top_k == 0:
                # Keeps every token, and says that the support of a row can change with its noise.
                rows = replace(rows, top_k=target.vocab_size)
            settings = dict(self.settings)
            if streamers:
                settings["stream"] = _forwarding(streamers, settings.get("stream"))
            results = generate_core(
                target,
                prompts,
                compiled,
                draft=draft,
                law=self.law or "conditional",
                n=repeats,
                max_new_tokens=budget,
                temperature=rows.temperature,
                top_p=rows.top_p,
                top_k=rows.top_k,
                seed=self._seed(),
                vocabulary=compiled.vocabulary,
                limits=self.limits,
                **settings,
            )
            return [completion for per_prompt in results for completion in per_prompt]
        for name, value in (("law", self.law), *self.settings.items()):
            if name != "options" and value is not None and not (name == "sampler" and value == "auto"):
                raise OptionError(
                    f"{name}={value!r} with do_sample=False: greedy decoding makes no draw"
                    "\n  hint: pass do_sample=True to model.generate"
                )
        check_lengths(target, draft, prompts, budget)
        check_eos(target, compiled.vocabulary)
        check_budget(compiled, budget)
        options: DecodingOptions | None = self.settings.get("options")
        found = greedy(target, prompts, compiled, draft=draft, max_new_tokens=budget, options=options)
        for streamer in streamers:
            streamer.put(torch.tensor(found[0].token_ids))
        return [completion for completion in found for _ in range(repeats)]

    def _seed(self) -> int | None:
        """The seed given, else one from torch's generator, so that `transformers.set_seed` is heard.

        Learned mass that the caller shares between calls needs fresh entropy: replayed choices on a
        trie that they have taught are biased.
        """
        if self.seed is not None or isinstance(self.settings.get("potential"), PrefixTrie):
            return self.seed
        return int(torch.randint(2**63 - 1, (1,)).item())

    def _wrapped(self, model: PreTrainedModel) -> TransformersModel:
        """The adapter of the model, made once; weights are fingerprinted anew in every call."""
        if self._target is None or self._target.model is not model:
            self._target = TransformersModel(model, self.tokenizer)
        self._target.forget_fingerprint()
        return self._target

    def _compile(self, target: TransformersModel, eos_ids: tuple[int, ...]) -> CompiledLanguage:
        if not isinstance(self.grammar, Grammar):
            return self.grammar
        vocabulary = self.vocabulary
        if vocabulary is None:
            vocabulary = Vocabulary.from_tokenizer(
                self._tokenizer(target), size=target.vocab_size, eos_ids=eos_ids
            )
        if self._compiled is None or self._compiled[0] != vocabulary.fingerprint:
            self._compiled = vocabulary.fingerprint, compile_for(self.grammar, vocabulary, self.limits)
        return self._compiled[1]

    def _tokenizer(self, target: TransformersModel) -> Any:
        for tokenizer in (self.tokenizer, getattr(self.draft, "tokenizer", None)):
            if tokenizer is not None:
                return tokenizer
        from transformers import AutoTokenizer

        name = target.model.name_or_path
        try:
            if not name:
                raise OSError("the model was not loaded from a path")
            self.tokenizer = AutoTokenizer.from_pretrained(name, local_files_only=True)
        except (OSError, ValueError) as error:
            raise VocabularyError(
                f"no tokenizer: Transformers hands none to the callable, and {name!r} has none ({error})"
                "\n  hint: gs.transformers.generate(grammar=..., tokenizer=tokenizer)"
            ) from error
        return self.tokenizer


def generate(
    grammar: Grammar | CompiledLanguage,
    *,
    tokenizer: Any = None,
    vocabulary: Any = None,
    draft: LanguageModel | PreTrainedModel | None = None,
    streamer: Any = None,
    law: Literal["conditional", "masked"] | None = None,
    seed: int | None = None,
    pure_processors: Sequence[type] = (),
    limits: Limits = Limits(),
    **settings: Any,
) -> GrammarGeneration:
    """Make the callable for ``model.generate(..., custom_generate=...)``.

    Parameters
    ----------
    grammar : Grammar or CompiledGrammar
        What may be written.
    tokenizer : transformers tokenizer, optional
        Whose tokens the model writes. None: the draft's, or the one beside the model's files.
    vocabulary : Vocabulary, optional
        Instead of a tokenizer.
    draft : PreTrainedModel or LanguageModel, optional
        A smaller model over the same vocabulary; it changes the cost, never the law.
    streamer : transformers streamer, optional
        Receives the prompt and the text, and is ended, also after an error.
    law : {"conditional", "masked"}, optional
        As in `gramspec.generate`; None is "conditional" with ``do_sample=True``. With
        ``do_sample=False`` (the default of Transformers) the text is the greedy one under the mask,
        and a law that is asked for is refused.
    seed : int, optional
        None: drawn from torch's generator, so that ``transformers.set_seed`` makes a call reproducible.
    pure_processors : sequence of type
        Classes of logits processors that are pure functions of the prefix and the row, besides
        those of Transformers that are.
    limits : Limits
        Bounds for compiling the grammar.
    **settings
        Further keywords of `gramspec.generate`: ``sampler``, ``potential``, ``options``, ...

    Returns
    -------
    GrammarGeneration
        May be used for many calls; the grammar is compiled once.

    Raises
    ------
    OptionError
        For an unknown option, or one that belongs to `model.generate`.
    """
    return GrammarGeneration(
        grammar,
        tokenizer=tokenizer,
        vocabulary=vocabulary,
        draft=draft,
        streamer=streamer,
        law=law,
        seed=seed,
        pure_processors=pure_processors,
        limits=limits,
        **settings,
    )


def _forwarding(streamers: list[Any], stream: Callable[[Chunk], None] | None) -> Callable[[Chunk], None]:
    def show(chunk: Chunk) -> None:
        if chunk.token_ids:
            for streamer in streamers:
                streamer.put(torch.tensor(chunk.token_ids))
        if stream is not None:
            stream(chunk)

    return show


def _caller() -> Any:
    """The frame that called the callable."""
    frame = inspect.currentframe()
    for _ in range(2):
        frame = frame.f_back if frame is not None else None
    return frame


def _eos_ids(config: Any, target: TransformersModel) -> tuple[int, ...]:
    eos = config.eos_token_id
    if eos is None:
        return target.eos_ids
    return tuple(sorted({int(i) for i in (eos if isinstance(eos, (list, tuple)) else [eos])}))


def _pad_id(config: Any, eos_ids: tuple[int, ...]) -> int:
    pad = getattr(config, "_pad_token_tensor", None)
    if pad is not None:
        return int(pad.reshape(-1)[0])
    return int(config.pad_token_id) if config.pad_token_id is not None else eos_ids[0]


def _padded(input_ids: torch.Tensor, completions: Sequence[Completion], pad_id: int) -> torch.Tensor:
    longest = max(len(completion.token_ids) for completion in completions)
    rows = [
        [*completion.token_ids, *[pad_id] * (longest - len(completion.token_ids))]
        for completion in completions
    ]
    new = torch.tensor(rows, dtype=input_ids.dtype, device=input_ids.device)
    return torch.cat([input_ids, new], dim=-1)
