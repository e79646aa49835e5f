"""`generate`: prompts in, completions under the requested law out.

Law: "conditional" P(y | y ∈ L), or "masked" local masking, by the sampler asked for; all input is checked
first.
Source: API, section 4; laws.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, cast

from gramspec.decoding.binding import potential_of_prompt, shared_potential
from gramspec.decoding.checks import (
    check_budget,
    check_draft,
    check_eos,
    check_lengths,
    check_seed,
    check_stream,
    law_and_sampler,
    resolve_vocabulary,
    tokenize,
)
from gramspec.decoding.completion import Completion
from gramspec.decoding.drafting import DraftMemory
from gramspec.decoding.drafting.model_free import shared_memory
from gramspec.decoding.drafting.sources import TOP
from gramspec.decoding.lockstep import in_lockstep
from gramspec.decoding.options import DecodingOptions, check_whole
from gramspec.decoding.random import NumpyRandomSource, RandomSource
from gramspec.decoding.rows import RowLaw
from gramspec.decoding.samplers import AutoSampler, MaskedSampler, RestartSampler, Sampler, TwistedSampler
from gramspec.decoding.streaming import Chunk, TextStream
from gramspec.decoding.wiring import Call, check_names, kept_of_rows, sampler_of
from gramspec.errors import OptionError
from gramspec.grammar.core import Grammar
from gramspec.limits import Limits
from gramspec.models.memo import MemoModel
from gramspec.models.protocol import LanguageModel
from gramspec.validity import Potential, PrefixTrie, Recipe
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
    potential: Potential | PrefixTrie | Recipe | None = None,
    vocabulary: Any = None,
    options: DecodingOptions | None = None,
    limits: Limits = Limits(),
    progress: Callable[[int, int], None] | None = None,
    stream: Callable[[Chunk], None] | None = None,
    stop: object = None,
    memory: DraftMemory | None = None,
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
    sampler : {"auto", "restart", "smc", "mcmc", "twisted"}
        For the conditional law. "restart": exact. "smc", "mcmc": consistent as `particles` or `mcmc_steps`
        of the options grow. "twisted": one pass, biased without its reported weight. "auto": restarts, and
        "smc" for a sample that spends `auto_attempts` of them; each report says which. The masked law has
        one sampler, "auto".
    n : int
        Samples per prompt.
    max_new_tokens : int
        EOS included; L is cut to sequences of at most that many tokens.
    temperature, top_p, top_k : float, float, int
        Turn the target's logits into its law, in the order temperature, top-k, top-p.
    seed : int, optional
        Makes the call reproducible; it then shares nothing it has learned with other calls.
    potential : Potential, PrefixTrie or Recipe, optional
        What is known of Φ, for the conditional law; "restart" needs contract E or S, the others take W
        too. None: a `PrefixTrie` over `Viability`, cold at the beginning of the call. A `PrefixTrie` is
        shared between calls without a seed. A `Recipe` makes one for each prompt, from the call's own rows;
        a bound that it makes learns in a cold trie.
    vocabulary : Vocabulary, optional
        None: that of the compiled grammar, or of the target's tokenizer.
    options : DecodingOptions, optional
        Round length, budgets and memory.
    limits : Limits
        Bounds for compiling the grammar.
    progress : callable, optional
        Called as ``progress(done, total)`` after each sample.
    stream : callable, optional
        Called with each `Chunk` of text as soon as nothing can take it back: at once under the masked law
        without residual predicates and under a potential with contract E, else at the end of each sample.
    stop : None
        Stop strings would cut texts off outside of the grammar, so they are refused: make them part of it.
    memory : DraftMemory, optional
        What drafters have learned without a draft model, shared between calls for one grammar. A call with
        a seed takes its texts alone.

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
        When a sample found no member of the grammar within its budget, or all its weights are zero.
    ContractError
        When the potential breaks its contract.
    UndefinedLawError
        When the model certainly gives the grammar no probability.
    DeadEndError
        When the masked law leaves no token to take (top-k and top-p, or residual predicates), or a
        "twisted" draw has weight zero.
    """
    rows = RowLaw(temperature, top_k, top_p)
    options = options if options is not None else DecodingOptions()
    check_whole("n", n, 1)
    check_whole("max_new_tokens", max_new_tokens, 1)
    check_seed(seed)
    law_and_sampler(law, sampler)
    check_stream(stream, stop)
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
    shared = shared_potential(potential, compiled, options, seed)
    model, drafting = target, draft
    if options.memo_bytes:
        model = MemoModel(target, max_bytes=options.memo_bytes)
        drafting = MemoModel(draft, max_bytes=options.memo_bytes) if draft is not None else None
    call = Call(model, drafting, compiled, rows, max_new_tokens, options, law, None)
    check_names(call, seed)
    kept = kept_of_rows(call)
    if memory is not None or kept:
        call = call._replace(memory=shared_memory(memory, compiled, seed, keep=max(kept, TOP)))

    made = 0

    def draw_all(i: int, mine: Call) -> list[Completion]:
        nonlocal made
        prompt = ids[i]
        bound = None
        if law != "masked":
            bound = potential_of_prompt(
                shared,
                mine.model,
                mine.draft,
                tuple(prompt),
                rows,
                compiled,
                max_new_tokens,
                options,
            )
        one = sampler_of(mine, sampler, bound, prompt)
        at_once = _certain_at_once(one, compiled)
        completions = []
        try:
            for k in range(n):
                text_stream = TextStream(vocabulary, stream, i, k) if stream is not None else None
                one.watch = text_stream.grow if text_stream is not None and at_once else None
                draw = one.draw(source_of(seed, i, k))
                if text_stream is not None:
                    text_stream.end(draw.tokens)
                data = b"".join(vocabulary.tokens[t] or b"" for t in draw.tokens)
                text = data.decode("utf-8", errors="replace")
                completions.append(Completion(draw.tokens, text, draw.logprob, draw.report))
                made += 1
                if progress is not None:
                    progress(made, n * len(ids))
        finally:
            one.close()
        return completions

    lanes = min(options.lanes, len(ids))
    if lanes < 2 or not getattr(target, "batches", False):
        return [draw_all(i, call) for i in range(len(ids))]

    def lane_of(i: int) -> Callable[[LanguageModel, LanguageModel | None], list[Completion]]:
        def run(lane: LanguageModel, lane_draft: LanguageModel | None) -> list[Completion]:
            share = options.memo_bytes // lanes
            if share:
                lane = MemoModel(lane, max_bytes=share)
                lane_draft = MemoModel(lane_draft, max_bytes=share) if lane_draft is not None else None
            return draw_all(i, call._replace(model=lane, draft=lane_draft))

        return run

    return in_lockstep([lane_of(i) for i in range(len(ids))], target, draft, lanes=lanes)


def _certain_at_once(sampler: Sampler[Any], compiled: CompiledLanguage) -> bool:
    """Whether no restart and no choice among drafts of a text can take back what a pass has written."""
    if isinstance(sampler, MaskedSampler):
        return not compiled.residuals
    potential = sampler.law.potential
    return (
        isinstance(sampler, (RestartSampler, AutoSampler, TwistedSampler))
        and potential is not None
        and potential.contract == "E"
    )


def source_of(seed: int | None, prompt: int, sample: int) -> Callable[[int], RandomSource]:
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
