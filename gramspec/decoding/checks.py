"""Checks of `generate`'s input: each refusal names the place, before a token is produced.

Law: what passes here can be decoded as asked; nothing is corrected silently.
Source: design rule "fail closed".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gramspec.errors import (
    BudgetTooSmallError,
    LimitError,
    OptionError,
    PromptError,
    VocabularyError,
)
from gramspec.grammar.core import Grammar
from gramspec.models.protocol import LanguageModel
from gramspec.validity.protocol import CompiledLanguage


def check_seed(seed: object) -> None:
    """Refuse a seed that is not None or a whole number below 2^64.

    Raises
    ------
    OptionError
        Naming the option.
    """
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 1 << 64):
        raise OptionError(f"seed={seed!r}: a whole number from 0 to 2**64 - 1, or None, is needed")


def law_and_sampler(law: str, sampler: str) -> None:
    """Refuse unknown laws and samplers, and samplers that do not sample the law.

    Raises
    ------
    OptionError
        Naming what is available.
    """
    if law not in ("conditional", "masked"):
        raise OptionError(f"law={law!r}: 'conditional' or 'masked' is needed")
    available = {"conditional": ("auto", "restart", "smc", "mcmc", "twisted"), "masked": ("auto",)}[law]
    if sampler not in available:
        names = " or ".join(repr(name) for name in available)
        raise OptionError(f"sampler={sampler!r}: for law {law!r} there is {names}")


def check_stream(stream: object, stop: object) -> None:
    """Refuse a stream that cannot be called, and stop strings.

    Raises
    ------
    OptionError
        Saying what to write instead.
    """
    if stream is not None and not callable(stream):
        raise OptionError(f"stream={stream!r}: a function that takes a Chunk, or None, is needed")
    if stop is not None:
        raise OptionError(
            f"stop={stop!r}: a text cut off at a string is no member of the grammar, and its law would be no"
            " law of the grammar's members"
            "\n  hint: let the grammar end there: grammar + gs.literal(stop), or a pattern that ends with it,"
            ' e.g. gs.regex(r"[^;]*;")'
        )


def tokenize(target: LanguageModel, prompts: object) -> list[list[int]]:
    """Token ids of every prompt.

    Raises
    ------
    OptionError
        When `prompts` is not a list of prompts.
    PromptError
        When a prompt is not text or ids, or is text and the target has no tokenizer.
    """
    if isinstance(prompts, (str, bytes)):
        raise OptionError("prompts: a list of prompts is needed, not one string; write [prompt]")
    if not isinstance(prompts, Sequence):
        raise OptionError(f"prompts: a list is needed, not {type(prompts).__name__}")
    result = []
    for i, prompt in enumerate(prompts):
        if isinstance(prompt, str):
            encode = getattr(target, "encode", None)
            if encode is None:
                raise PromptError(
                    f"prompts[{i}]: the target has no tokenizer for text; pass a list of token ids"
                )
            result.append([int(t) for t in encode(prompt)])
            continue
        try:
            ids = [int(t) for t in prompt]
        except (TypeError, ValueError):
            raise PromptError(
                f"prompts[{i}]: text or a list of token ids is needed, not {prompt!r}"
            ) from None
        wrong = [t for t in ids if not 0 <= t < target.vocab_size]
        if wrong:
            raise PromptError(f"prompts[{i}]: token {wrong[0]} is not in 0..{target.vocab_size - 1}")
        result.append(ids)
    return result


def resolve_vocabulary(target: LanguageModel, grammar: Grammar | CompiledLanguage, vocabulary: Any) -> Any:
    """The vocabulary of the call, from the option, the compiled grammar or the target.

    Raises
    ------
    OptionError
        When the grammar is neither a `Grammar` nor compiled, or was compiled for another vocabulary.
    VocabularyError
        When there is none, or the target's rows are too narrow for it.
    """
    own = None
    if not isinstance(grammar, Grammar):
        if not hasattr(grammar, "matcher") or not hasattr(grammar, "vocabulary"):
            raise OptionError(
                f"grammar: a Grammar or a CompiledGrammar is needed, not {type(grammar).__name__}"
            )
        own = grammar.vocabulary
        if vocabulary is not None and vocabulary.fingerprint != own.fingerprint:
            raise OptionError("vocabulary: the grammar was compiled for another one")
    if vocabulary is None:
        vocabulary = own if own is not None else getattr(target, "vocabulary", None)
    if vocabulary is None:
        raise VocabularyError("the target carries no tokenizer; pass vocabulary=gs.Vocabulary(...)")
    if len(vocabulary) > target.vocab_size:
        raise VocabularyError(
            f"the vocabulary has {len(vocabulary)} tokens, the target's rows only {target.vocab_size}"
        )
    return vocabulary


def check_eos(target: LanguageModel, vocabulary: Any) -> None:
    """Refuse a target that ends sequences with a token which the vocabulary does not list as EOS.

    Raises
    ------
    VocabularyError
        Naming the token.
    """
    for eos in target.eos_ids:
        if eos not in vocabulary.eos_ids:
            raise VocabularyError(
                f"the target ends sequences with token {eos}, which is no EOS id of the vocabulary"
                f" ({list(vocabulary.eos_ids)})"
            )


def check_draft(draft: LanguageModel, vocabulary: Any) -> None:
    """Refuse a draft model over another vocabulary.

    Raises
    ------
    VocabularyError
        Saying where the two differ.
    """
    if draft.vocab_size < len(vocabulary):
        raise VocabularyError(
            f"draft: its rows have {draft.vocab_size} entries,"
            f" the target's vocabulary has {len(vocabulary)} tokens"
        )
    own = getattr(draft, "vocabulary", None)
    if own is None or own.fingerprint == vocabulary.fingerprint:
        return
    for i in range(max(len(own), len(vocabulary))):
        a = own.tokens[i] if i < len(own) else None
        b = vocabulary.tokens[i] if i < len(vocabulary) else None
        if a != b:
            raise VocabularyError(f"draft: token {i} is {a!r} there and {b!r} in the target's vocabulary")
    if tuple(own.eos_ids) != tuple(vocabulary.eos_ids):
        raise VocabularyError(
            f"draft: its EOS ids are {list(own.eos_ids)}, those of the target's vocabulary"
            f" {list(vocabulary.eos_ids)}"
        )


def check_lengths(
    target: LanguageModel, draft: LanguageModel | None, prompts: Sequence[Sequence[int]], max_new_tokens: int
) -> None:
    """Refuse prompts that leave the models no room for `max_new_tokens`.

    Raises
    ------
    PromptError
        Naming the prompt, its length and the model's.
    """
    for name, model in (("target", target), ("draft", draft)):
        longest = model.max_length if model is not None else None
        if longest is None:
            continue
        for i, prompt in enumerate(prompts):
            if len(prompt) + max_new_tokens > longest:
                raise PromptError(
                    f"prompts[{i}]: {len(prompt)} tokens and max_new_tokens={max_new_tokens} exceed"
                    f" the {longest} tokens that the {name} takes"
                )


def check_budget(compiled: CompiledLanguage, max_new_tokens: int) -> None:
    """Refuse a budget below the shortest member of the grammar, residual predicates not asked.

    Raises
    ------
    BudgetTooSmallError
        Naming both.
    """
    matcher = compiled.matcher()
    if matcher.can_end_within(max_new_tokens):
        return
    try:
        least = "at least " if compiled.residuals else ""
        shortest = f"takes {least}{matcher.min_tokens(exact=True)} tokens"
    except LimitError:
        shortest = f"takes more than {max_new_tokens} tokens"
    raise BudgetTooSmallError(
        f"max_new_tokens={max_new_tokens}: the shortest member of the grammar {shortest}, EOS included"
    )
