"""`gramspec.outlines.processor`: a grammar on a model of outlines, for `Generator(model, processor=...)`.

Law: that of `GrammarLogitsProcessor`; the bytes of tokens are read by `Vocabulary.from_tokenizer`.
Source: API, section 5; `outlines.Generator`, which hands a processor to `model.generate`.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any, Literal

from gramspec.errors import OptionError
from gramspec.integrations.logits_processor import GrammarLogitsProcessor
from gramspec.integrations.outlines_terms import grammar
from gramspec.limits import Limits
from gramspec.matching import compile
from gramspec.matching.compiled import CompiledGrammar
from gramspec.vocabulary import Vocabulary

_WHY = {
    "LlamaCpp": "llama.cpp hands a processor NumPy rows of its own loop",
    "MLXLM": "MLX hands a processor arrays of its own",
    "VLLMOffline": "vLLM makes its masks in its own workers",
    "VLLM": "the server makes the masks",
}
_READ: weakref.WeakKeyDictionary[Any, dict[tuple[int, tuple[int, ...]], Vocabulary]]
_READ = weakref.WeakKeyDictionary()
_READING = threading.Lock()


def processor(
    model: Any,
    output_type: Any,
    *,
    max_new_tokens: int | Literal["call"] | None = "call",
    limits: Limits = Limits(),
) -> GrammarLogitsProcessor:
    """Make the processor for ``outlines.Generator(model, processor=...)``.

    Parameters
    ----------
    model : outlines.models.Transformers
        What `outlines.from_transformers` returns, multimodal models included.
    output_type : type, term, Grammar or CompiledGrammar
        What outlines takes as an output type, or a grammar of gramspec.
    max_new_tokens : int, "call" or None
        As in `GrammarLogitsProcessor`. By default texts end within the ``max_new_tokens`` of the call, so
        that none is cut off.
    limits : Limits
        Bounds for compiling the grammar.

    Returns
    -------
    GrammarLogitsProcessor
        May be used for many generators of this model.

    Raises
    ------
    OptionError
        If the model is of another sort; names it.
    GrammarError
        If the type describes no texts, or the grammar is wrong.
    VocabularyError
        If the bytes of the tokens cannot be read from the tokenizer.
    """
    vocabulary = vocabulary_of(model)
    if isinstance(output_type, CompiledGrammar):
        if output_type.vocabulary.fingerprint != vocabulary.fingerprint:
            raise OptionError(
                "the grammar is compiled for another vocabulary than the model's"
                "\n  hint: give the grammar itself, or compile it for gs.outlines.vocabulary(model)"
            )
        return GrammarLogitsProcessor(output_type, max_new_tokens=max_new_tokens)
    compiled = compile(grammar(output_type), vocabulary, limits=limits)
    return GrammarLogitsProcessor(compiled, max_new_tokens=max_new_tokens)


def vocabulary_of(model: Any) -> Vocabulary:
    """The bytes of every token of a model of outlines; read once for a tokenizer.

    Parameters
    ----------
    model : outlines.models.Transformers

    Raises
    ------
    OptionError
        If the model is of another sort.
    VocabularyError
        If the tokenizer cannot be read, or has no EOS token.
    """
    require_transformers(model)
    tokenizer = model.hf_tokenizer
    eos = getattr(model.model.generation_config, "eos_token_id", None)
    if eos is None:
        eos = tokenizer.eos_token_id
    ids = () if eos is None else tuple(sorted({int(i) for i in (eos if isinstance(eos, list) else [eos])}))
    key = len(tokenizer), ids
    with _READING:
        known = _READ.setdefault(tokenizer, {})
        if key not in known:
            known[key] = Vocabulary.from_tokenizer(tokenizer, eos_ids=ids or None)
        return known[key]


def require_transformers(model: Any) -> None:
    """Refuse a model that outlines does not run through Transformers.

    Raises
    ------
    OptionError
        Naming its class.
    """
    from outlines.models.transformers import Transformers

    if isinstance(model, Transformers):
        return
    name = type(model).__name__
    reason = _WHY.get(name, "gramspec's masks work inside of Transformers' generate")
    raise OptionError(
        f"{name}: {reason}; of the models of outlines, gramspec steers Transformers"
        "\n  hint: outlines.from_transformers(model, tokenizer)"
    )
