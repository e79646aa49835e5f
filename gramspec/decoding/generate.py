"""`generate`: prompts in, completions under the requested law out.

Law: "conditional" P(y | y ∈ L) by restarts, or "masked" local masking; all input is checked first.
Source: API, section 4; laws.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, cast

from gramspec.decoding.checks import (
    check_budget,
    check_draft,
    check_eos,
    check_lengths,
    check_seed,
    law_and_sampler,
    resolve_vocabulary,
    tokenize,
)
from gramspec.decoding.completion import Completion
from gramspec.decoding.drafting import ModelDrafter
from gramspec.decoding.kernel import KilledLaw, MaskedLaw
from gramspec.decoding.meter import Meter
from gramspec.decoding.options import DecodingOptions, check_whole
from gramspec.decoding.random import NumpyRandomSource, RandomSource
from gramspec.decoding.rows import RowLaw
from gramspec.decoding.samplers import MaskedSampler, RestartSampler
from gramspec.errors import OptionError
from gramspec.grammar.core import Grammar
from gramspec.limits import Limits
from gramspec.models.memo import MemoModel
from gramspec.models.protocol import LanguageModel
from gramspec.validity import LearnedMass, Potential, PrefixTrie, TrieKey, Viability
from gramspec.validity.protocol import CompiledLanguage


def generate(
    target: LanguageModel,
    prompts: Sequence[str | Sequence[int]],
    grammar: Grammar | CompiledLanguage,
    *,
    draft: LanguageModel | None = None,
    law: Literal["conditional", "masked"] = "conditional",
    sampler: str = "auto",
    n: int = 1,
    max_new_tokens: int = 256,
    temperature: float = 1.0,
    top_p: float = 1.0,
    top_k: int = 0,
    seed: int | None = None,
    potential: Potential | PrefixTrie | None = None,
    vocabulary: Any = None,
    options: DecodingOptions | None = None,
    limits: Limits = Limits(),
    progress: Callable[[int, int], None] | None = None,
) -> list[list[Completion]]:
    """Sample texts of a grammar from a language model.

    Parameters
    ----------
    target : LanguageModel
        Whose law is sampled.
    prompts : list of str or of token-id lists
        Strings need a target with a tokenizer.
    grammar : Grammar or CompiledGrammar
        What may be written.
    draft : LanguageModel, optional
        A smaller model over the same vocabulary that drafts; it changes the cost, never the law.
    law : {"conditional", "masked"}
        "conditional": P(y | y ∈ L). "masked": local masking, what other engines sample. L is cut down by the
        residual predicates of the grammar in both; the masked law may then meet a dead end, and a
        draw that did not is labelled "masked|R": the masked law given that it ends.
    sampler : {"auto", "restart"}
        "restart" is exact for the conditional law; "auto" takes the sampler of the law.
    n : int
        Samples per prompt.
    max_new_tokens : int
        EOS included; L is cut to sequences of at most that many tokens.
    temperature, top_p, top_k : float, float, int
        Turn the target's logits into its law, in the order temperature, top-k, top-p.
    seed : int, optional
        Makes the call reproducible; it then shares nothing it has learned with other calls.
    potential : Potential or PrefixTrie, optional
        Bound on Φ with contract E or S, for the conditional law. None: a `PrefixTrie` over `Viability`,
        cold at the beginning of the call. A `PrefixTrie` is shared between calls without a seed.
    vocabulary : Vocabulary, optional
        None: that of the compiled grammar, or of the target's tokenizer.
    options : DecodingOptions, optional
        Round length, budgets and memory.
    limits : Limits
        Bounds for compiling the grammar.
    progress : callable, optional
        Called as ``progress(done, total)`` after each sample.

    Returns
    -------
    list of list of Completion
        One list of `n` completions per prompt.

    Raises
    ------
    OptionError
        When an option is out of range or unknown.
    PromptError, VocabularyError, GrammarError
        When an input cannot be used.
    BudgetTooSmallError
        When `max_new_tokens` is below the shortest member of the grammar.
    BudgetExhaustedError
        When a sample found no member of the grammar within its budget.
    UndefinedLawError
        When the model certainly gives the grammar no probability.
    DeadEndError
        When the masked law leaves no token to take (top-k and top-p, or residual predicates).
    """
    rows = RowLaw(temperature, top_k, top_p)
    options = options if options is not None else DecodingOptions()
    check_whole("n", n, 1)
    check_whole("max_new_tokens", max_new_tokens, 1)
    check_seed(seed)
    law_and_sampler(law, sampler)
    if law == "masked" and potential is not None:
        raise OptionError("potential: the masked law uses none")
    ids = tokenize(target, prompts)
    vocabulary = resolve_vocabulary(target, grammar, vocabulary)
    check_eos(target, vocabulary)
    if draft is not None:
        check_draft(draft, vocabulary)
    check_lengths(target, draft, ids, max_new_tokens)
    compiled = compile_for(grammar, vocabulary, limits)
    check_budget(compiled, max_new_tokens)
    potential = _shared_potential(potential, compiled, options, seed)
    model, drafting = target, draft
    if options.memo_bytes:
        model = MemoModel(target, max_bytes=options.memo_bytes)
        drafting = MemoModel(draft, max_bytes=options.memo_bytes) if draft is not None else None

    results: list[list[Completion]] = []
    for i, prompt in enumerate(ids):
        sequence = model.open(prompt)
        length = len(sequence.tokens)  # an empty prompt may have become a BOS token
        drafter = ModelDrafter(drafting, prompt, rows) if drafting is not None and options.gamma > 0 else None
        meter = Meter(model, drafting)
        one: MaskedSampler | RestartSampler
        if law == "masked":
            masked = MaskedLaw(compiled, rows, budget=max_new_tokens, width=target.vocab_size)
            one = MaskedSampler(masked, sequence, length, drafter, options, meter)
        else:
            bound = _bind(potential, target, prompt, rows, compiled, max_new_tokens)
            killed = KilledLaw(
                bound, rows, budget=max_new_tokens, width=target.vocab_size, row_noise=target.row_noise
            )
            one = RestartSampler(killed, sequence, length, drafter, options, meter)
        completions = []
        for k in range(n):
            draw = one.draw(stream(seed, i, k))
            data = b"".join(vocabulary.tokens[t] or b"" for t in draw.tokens)
            text = data.decode("utf-8", errors="replace")
            completions.append(Completion(draw.tokens, text, draw.logprob, draw.report))
            if progress is not None:
                progress(i * n + k + 1, n * len(ids))
        results.append(completions)
    return results


def stream(seed: int | None, prompt: int, sample: int) -> Callable[[int], RandomSource]:
    """The random source of every attempt of one sample.

    Parameters
    ----------
    seed : int or None
        None takes fresh entropy for every attempt.
    prompt, sample : int
        Numbers of the prompt and of the sample.
    """

    def of(attempt: int) -> RandomSource:
        if seed is None:
            return NumpyRandomSource(None)
        return NumpyRandomSource((seed & 0xFFFFFFFF, seed >> 32, prompt, sample, attempt))

    return of


def compile_for(grammar: Grammar | CompiledLanguage, vocabulary: Any, limits: Limits) -> CompiledLanguage:
    """The grammar compiled for the vocabulary; a compiled one is taken as it is.

    Parameters
    ----------
    grammar : Grammar or CompiledGrammar
        What may be written.
    vocabulary : Vocabulary
        Token bytes.
    limits : Limits
        Bounds for compiling.
    """
    if not isinstance(grammar, Grammar):
        return grammar
    from gramspec.matching import compile as compile_grammar

    return cast(CompiledLanguage, compile_grammar(grammar, vocabulary, limits=limits))


def _shared_potential(
    potential: Potential | PrefixTrie | None,
    compiled: CompiledLanguage,
    options: DecodingOptions,
    seed: int | None,
) -> Potential | PrefixTrie:
    if potential is None:
        return PrefixTrie(Viability(compiled), max_nodes=options.trie_nodes)
    if isinstance(potential, LearnedMass):
        raise OptionError("potential: learned mass belongs to one prompt and one law; pass its PrefixTrie")
    if not isinstance(potential, (PrefixTrie, Potential)):
        raise OptionError(f"potential={potential!r}: a Potential or a PrefixTrie is needed")
    if potential.compiled.fingerprint != compiled.fingerprint:
        raise OptionError("potential: it was made for another grammar or vocabulary")
    return potential.cold() if isinstance(potential, PrefixTrie) and seed is not None else potential


def _bind(
    potential: Potential | PrefixTrie,
    target: LanguageModel,
    prompt: Sequence[int],
    rows: RowLaw,
    compiled: CompiledLanguage,
    max_new_tokens: int,
) -> Potential:
    if not isinstance(potential, PrefixTrie):
        return potential
    key = TrieKey(
        model=target.fingerprint,
        prompt=tuple(prompt),
        temperature=float(rows.temperature),
        top_k=rows.top_k,
        top_p=float(rows.top_p),
        language=compiled.fingerprint,
        eos_ids=tuple(compiled.vocabulary.eos_ids),
        base=potential.base.name,
        budget=max_new_tokens,
    )
    return potential.at(key, row_noise=target.row_noise)
