"""One draw as the page tells it: each attempt as it ends, then the text.

Law: the attempts are those of the restart sampler without a drafter and with a cold trie, so the text that is
accepted follows P(y | y ∈ L) exactly; the masked draw is one of the masked sampler. Budgets are asked
between attempts only. Source: laws, contract S and "What may be claimed".
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp
from typing import Any

from gramspec.decoding.binding import potential_of_prompt, shared_potential
from gramspec.decoding.checks import check_budget
from gramspec.decoding.generate import source_of
from gramspec.decoding.options import DecodingOptions
from gramspec.decoding.report import Tally
from gramspec.decoding.samplers import RestartSampler
from gramspec.decoding.wiring import Call, sampler_of
from gramspec.integrations.server.playground.reading import Going, reader_of
from gramspec.integrations.server.playground.requests import SampleRequest
from gramspec.integrations.server.playground.tokens import shown
from gramspec.matching import CompiledGrammar
from gramspec.models.memo import MemoModel
from gramspec.models.protocol import LanguageModel

Event = dict[str, Any]

_OPTIONS = DecodingOptions(drafter="none", lanes=1, memo_bytes=0)


def sample(
    target: LanguageModel,
    compiled: CompiledGrammar,
    request: SampleRequest,
    going: Going,
    show: Callable[[Event], None],
) -> None:
    """Draw one text, and tell of every attempt.

    Parameters
    ----------
    target : LanguageModel
    compiled : CompiledGrammar
    request : SampleRequest
    going : callable
        Whether there is time for another attempt.
    show : callable
        Takes each event: `attempt` with its tokens and whether it died, then `text`, or `exhausted`.

    Raises
    ------
    DeadEndError
        If the masked law meets a dead end.
    UndefinedLawError
        If the model certainly gives the grammar no probability.
    """
    check_budget(compiled, request.max_new_tokens)
    memo = target if isinstance(target, MemoModel) else MemoModel(target, max_bytes=1 << 26)
    prompt = reader_of(memo, request).prompt
    call = Call(memo, None, compiled, request.rows, request.max_new_tokens, _OPTIONS, request.law, None)
    stream = source_of(request.seed, 0, 0)
    if request.law == "masked":
        draw = sampler_of(call, "auto", None, prompt).draw(stream)
        show(_attempt(compiled, 1, draw.tokens, died=False, bound=None))
        show(_text(compiled, draw.tokens, draw.logprob, draw.report.law, 1, None, draw.report.log_weight))
        return
    trie = shared_potential(None, compiled, _OPTIONS, request.seed)
    bound = potential_of_prompt(trie, memo, None, prompt, request.rows, compiled, call.budget, _OPTIONS)
    sampler = sampler_of(call, "restart", bound, prompt)
    assert isinstance(sampler, RestartSampler)
    tally = Tally()
    try:
        for number in range(request.max_attempts):
            if number and not going():
                break
            attempt = sampler.begin(tally)
            before = attempt.root_h
            tally.attempts += 1
            if before <= 0.0:
                attempt.close()
                sampler.check_root(before, tally)
            kept = sampler.play(attempt, stream(number))
            show(_attempt(compiled, number + 1, attempt.tokens, died=not kept, bound=before))
            if kept:
                root = sampler.root_h()
                show(_text(compiled, attempt.tokens, attempt.logprob, "conditional", number + 1, root, None))
                return
        sampler.check_root(sampler.root_h(), tally)
        show({"event": "exhausted", "attempts": tally.attempts, "bound": sampler.root_h()})
    finally:
        sampler.close()


def _attempt(
    compiled: CompiledGrammar, number: int, tokens: tuple[int, ...], *, died: bool, bound: float | None
) -> Event:
    return {
        "event": "attempt",
        "number": number,
        "tokens": [shown(compiled.vocabulary, t) for t in tokens],
        "died": died,
        "bound": bound,
    }


def _text(
    compiled: CompiledGrammar,
    tokens: tuple[int, ...],
    logprob: float,
    law: str,
    attempts: int,
    bound: float | None,
    log_weight: float | None,
) -> Event:
    return {
        "event": "text",
        "law": law,
        "tokens": [shown(compiled.vocabulary, t) for t in tokens],
        "text": compiled.vocabulary.decode(tokens).decode("utf-8", "replace"),
        "logprob": logprob,
        "attempts": attempts,
        "bound": bound,
        "weight": None if log_weight is None else exp(log_weight),
    }
