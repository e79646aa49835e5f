"""Logits processors of the engines that have one: outlines (three back-ends), xgrammar, llguidance, gramspec.

Law: each is made through the engine's own public door and is new for every call.
Source: outlines.Generator(...).logits_processor, xgrammar.contrib.hf.LogitsProcessor, llguidance.torch.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module, metadata
from typing import Any

import numpy as np
import torch

from gramspec.audit.adapters.decoder import RefusedGrammarError
from gramspec.audit.adapters.transformers_decoder import ProcessorDecoder

_FORCED = {"forced": "docs/fast_forward.md of llguidance: forced bytes are written canonically"}


class _Kept:
    """What an engine makes of a tokenizer and a grammar, made once each."""

    def __init__(
        self, of_tokenizer: Callable[[Any], Any], of_grammar: Callable[[Any, str, str], Any]
    ) -> None:
        self._of_tokenizer, self._of_grammar = of_tokenizer, of_grammar
        self._tokenizers: dict[int, tuple[Any, Any]] = {}
        self._grammars: dict[tuple[int, str, str], Any] = {}

    def tokenizer(self, tokenizer: Any) -> Any:
        if id(tokenizer) not in self._tokenizers:
            self._tokenizers[id(tokenizer)] = tokenizer, self._of_tokenizer(tokenizer)
        return self._tokenizers[id(tokenizer)][1]

    def grammar(self, tokenizer: Any, kind: str, text: str) -> Any:
        held = self.tokenizer(tokenizer)
        key = (id(tokenizer), kind, text)
        if key not in self._grammars:
            try:
                self._grammars[key] = self._of_grammar(held, kind, text)
            except (NotImplementedError, ValueError) as error:
                raise RefusedGrammarError(str(error).splitlines()[0]) from error
        return self._grammars[key]


def gramspec_processor() -> ProcessorDecoder:
    """`gramspec.GrammarLogitsProcessor`."""
    import gramspec
    from gramspec.audit.adapters.ours import Gramspec

    masks = Gramspec()

    def compiled(vocabulary: Any, kind: str, text: str) -> Any:
        return gramspec.compile(masks.grammar(kind, text, {}), vocabulary)

    kept = _Kept(gramspec.Vocabulary.from_tokenizer, compiled)
    make = gramspec.GrammarLogitsProcessor
    return ProcessorDecoder(
        lambda tokenizer, kind, text: make(kept.grammar(tokenizer, kind, text)),
        name="gramspec-hf",
        version=gramspec.__version__,
        reproduce={
            kind: "import gramspec as gs\n"
            f"compiled = gs.compile(gs.{kind}(grammar), gs.Vocabulary.from_tokenizer(tokenizer))\n"
            "processor = gs.GrammarLogitsProcessor(compiled)"
            for kind in ("regex", "json_schema")
        },
    )


def xgrammar_processor() -> ProcessorDecoder:
    """`xgrammar.contrib.hf.LogitsProcessor`."""
    xgr = import_module("xgrammar")
    contrib = import_module("xgrammar.contrib.hf")

    def compiled(compiler: Any, kind: str, text: str) -> Any:
        if kind == "regex":
            return compiler.compile_regex(text)
        if kind == "json_schema":
            return compiler.compile_json_schema(text)
        if kind == "gbnf":
            return compiler.compile_grammar(text)
        raise NotImplementedError(f"no grammar of kind {kind!r} is asked of xgrammar here")

    kept = _Kept(
        lambda t: xgr.GrammarCompiler(xgr.TokenizerInfo.from_huggingface(t, vocab_size=len(t))), compiled
    )
    return ProcessorDecoder(
        lambda tokenizer, kind, text: contrib.LogitsProcessor(kept.grammar(tokenizer, kind, text)),
        name="xgrammar-hf",
        version=metadata.version("xgrammar"),
        kinds=("regex", "json_schema", "gbnf"),
        single_use="its documentation says that each call needs a new one",
        reproduce={
            kind: "import xgrammar as xgr\n"
            "from xgrammar.contrib.hf import LogitsProcessor\n"
            "info = xgr.TokenizerInfo.from_huggingface(tokenizer, vocab_size=len(tokenizer))\n"
            f"processor = LogitsProcessor(xgr.GrammarCompiler(info).compile_{kind}(grammar))"
            for kind in ("regex", "json_schema")
        },
    )


class _LlguidanceProcessor:
    """llguidance's matchers and masks as its documentation drives them, one per row, token by token.

    llguidance has no logits processor of its own, so ways to decode that go back are not tried on this one.
    """

    def __init__(self, tokenizer: Any, grammar: str) -> None:
        self._llg = import_module("llguidance")
        self._kernel = import_module("llguidance.torch")
        self._tokenizer, self._grammar = tokenizer, grammar
        self._matchers: list[Any] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if not self._matchers:
            self._matchers = [self._llg.LLMatcher(self._tokenizer, self._grammar) for _ in input_ids]
        else:
            for matcher, row in zip(self._matchers, input_ids.tolist(), strict=True):
                if not matcher.is_stopped() and not matcher.consume_token(row[-1]):
                    raise RuntimeError(matcher.get_error())
        bits = self._kernel.allocate_token_bitmask(len(self._matchers), self._tokenizer.vocab_size)
        for i, matcher in enumerate(self._matchers):
            self._kernel.fill_next_token_bitmask(matcher, bits, i)
        allowed = ((bits[:, :, None] >> torch.arange(32)) & 1).bool().reshape(len(bits), -1)
        wide = torch.zeros(scores.shape, dtype=torch.bool)
        width = min(scores.shape[-1], allowed.shape[-1])
        wide[:, :width] = allowed[:, :width]
        return scores.masked_fill(~wide, -torch.inf)


def llguidance_processor() -> ProcessorDecoder:
    """Llguidance's `LLMatcher` and mask kernel, one matcher per row."""
    llg = import_module("llguidance")
    hf = import_module("llguidance.hf")

    def grammar(_: Any, kind: str, text: str) -> str:
        if kind == "json_schema":
            return str(llg.LLMatcher.grammar_from_json_schema(text))
        if kind == "regex":
            return str(llg.LLMatcher.grammar_from_regex(text))
        if kind == "lark":
            return str(llg.LLMatcher.grammar_from_lark(text))
        raise NotImplementedError(f"no grammar of kind {kind!r} is asked of llguidance here")

    kept = _Kept(hf.from_tokenizer, grammar)
    return ProcessorDecoder(
        lambda tokenizer, kind, text: _LlguidanceProcessor(
            kept.tokenizer(tokenizer), kept.grammar(tokenizer, kind, text)
        ),
        name="llguidance-hf",
        version=metadata.version("llguidance"),
        kinds=("regex", "json_schema", "lark"),
        documents=_FORCED,
        own=False,
        modes=("sample", "greedy"),
        reproduce=dict.fromkeys(
            ("regex", "json_schema"),
            "from gramspec.audit.adapters.processors import llguidance_processor\n"
            "processor = llguidance_processor().processor(world)",
        ),
    )


def outlines_processor(backend: str = "outlines_core") -> ProcessorDecoder:
    """The processor that `outlines.Generator(model, output_type, backend=...)` hands to Transformers.

    Parameters
    ----------
    backend : str
        ``outlines_core``, ``llguidance``, ``xgrammar``, or another one that outlines knows by then.
    """
    outlines = import_module("outlines")
    import_module("outlines.types")

    def model_of(tokenizer: Any) -> Any:  # a back-end asks for a tokenizer; this model is never run
        from gramspec.testing.causal import TabularCausalLM

        width = len(tokenizer)
        bare = TabularCausalLM(lambda _: np.zeros(width), width, tokenizer.eos_token_id, 0)
        return outlines.from_transformers(bare, tokenizer)

    def wanted_type(_: Any, kind: str, text: str) -> Any:
        types = outlines.types
        if kind == "json_schema":
            return types.JsonSchema(text)
        if kind == "regex":
            return types.Regex(text)
        if kind == "lark":
            return types.CFG(text)
        raise NotImplementedError(f"outlines is asked for no grammar of kind {kind!r} here")

    kept = _Kept(model_of, wanted_type)

    def make(tokenizer: Any, kind: str, text: str) -> Any:
        wanted = kept.grammar(tokenizer, kind, text)
        processor = outlines.Generator(kept.tokenizer(tokenizer), wanted, backend=backend).logits_processor
        processor.reset()  # as the generator does at each call
        return processor

    return ProcessorDecoder(
        make,
        name=f"outlines-{backend.removeprefix('outlines_')}",
        version=metadata.version("outlines"),
        kinds=("regex", "json_schema"),
        resets=True,
        documents=_FORCED if backend == "llguidance" else None,
        reproduce={
            kind: "import outlines\n"
            "bare = outlines.from_transformers(model, tokenizer)\n"
            f"wanted = outlines.types.{name}(grammar)\n"
            f"processor = outlines.Generator(bare, wanted, backend={backend!r}).logits_processor"
            for kind, name in (("regex", "Regex"), ("json_schema", "JsonSchema"))
        },
    )


def outlines_core_processor() -> ProcessorDecoder:
    """Outlines with its own back-end."""
    return outlines_processor("outlines_core")


def outlines_llguidance_processor() -> ProcessorDecoder:
    """Outlines with llguidance."""
    return outlines_processor("llguidance")


def outlines_xgrammar_processor() -> ProcessorDecoder:
    """Outlines with xgrammar."""
    return outlines_processor("xgrammar")
