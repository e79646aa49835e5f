"""Bodies of answers: texts, what they cost and what may be claimed of them.

Law: `guarantee` is relative to `law`; both stand beside every text.
Source: https://platform.openai.com/docs/api-reference; `gramspec.Report`.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Final, Literal

from pydantic import BaseModel, Field

from gramspec.decoding.completion import Completion

_RANK: Final = {"exact": 0, "consistent": 1, "biased": 2}


class Claims(BaseModel):
    """What may be claimed of one text, and what it cost."""

    guarantee: Literal["exact", "consistent", "biased"]
    law: Literal["conditional", "masked", "masked|R", "greedy", "model"]
    sampler: str
    attempts: int
    target_forwards: int
    draft_forwards: int
    logprob: float | None = Field(description="log p(text), EOS included, under the model's law.")
    log_weight: float | None = None
    ess: float | None = None
    log_phi_root: float | None = None
    log_phi_bound: float | None = None
    accepted_length: float | None = None
    drafter: str | None = None
    verifier: str | None = None
    potential: str | None = None


class GrammarFacts(BaseModel):
    """The grammar that texts belong to."""

    kind: str
    masks_exact: bool = Field(description="Whether the automaton alone decides.")
    residuals: list[str] = Field(description="What is decided by predicates on whole texts.")


class Summary(BaseModel):
    """The same for all texts of an answer: the weakest guarantee, the sums."""

    guarantee: Literal["exact", "consistent", "biased"] | None
    law: str
    target_forwards: int
    draft_forwards: int
    attempts: int
    grammar: GrammarFacts | None


class Usage(BaseModel):
    """Tokens and forwards."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    target_forwards: int
    draft_forwards: int


class TokenLogprobs(BaseModel):
    """Log-probabilities of the tokens of a completion, under the model's law."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float]] | None
    text_offset: list[int]


class CompletionChoice(BaseModel):
    """One text."""

    index: int
    text: str
    finish_reason: Literal["stop", "length"] | None
    logprobs: TokenLogprobs | None = None
    gramspec: Claims | None = None


class CompletionAnswer(BaseModel):
    """Body of an answer of `/v1/completions`."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: Usage | None = None
    gramspec: Summary | None = None


def claims_of(one: Completion) -> Claims:
    """What may be claimed of a text of a grammar.

    Parameters
    ----------
    one : Completion
    """
    r = one.report
    return Claims(
        guarantee=r.guarantee,
        law=r.law,
        sampler=r.sampler,
        attempts=r.attempts,
        target_forwards=r.target_forwards,
        draft_forwards=r.draft_forwards,
        logprob=finite(one.logprob),
        log_weight=finite(r.log_weight),
        ess=finite(r.ess),
        log_phi_root=finite(r.log_phi_root),
        log_phi_bound=finite(r.log_phi_bound),
        accepted_length=finite(r.accepted_length),
        drafter=r.drafter,
        verifier=r.verifier,
        potential=r.potential,
    )


def summary_of(claims: Sequence[Claims], law: str, grammar: GrammarFacts | None) -> Summary:
    """The claims of all texts together.

    Parameters
    ----------
    claims : list of Claims
        Of each text.
    law : str
        What was asked for.
    grammar : GrammarFacts or None
        None for plain text.
    """
    weakest = max((one.guarantee for one in claims), key=lambda name: _RANK[name], default=None)
    laws = sorted({one.law for one in claims})
    return Summary(
        guarantee=weakest,
        law="; ".join(laws) or law,
        target_forwards=sum(one.target_forwards for one in claims),
        draft_forwards=sum(one.draft_forwards for one in claims),
        attempts=sum(one.attempts for one in claims),
        grammar=grammar,
    )


def usage_of(prompt_tokens: int, completion_tokens: int, claims: Sequence[Claims]) -> Usage:
    """Tokens and forwards of an answer.

    Parameters
    ----------
    prompt_tokens, completion_tokens : int
    claims : list of Claims
        Of each text.
    """
    return Usage(
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        total_tokens=prompt_tokens + completion_tokens,
        target_forwards=sum(one.target_forwards for one in claims),
        draft_forwards=sum(one.draft_forwards for one in claims),
    )


def finite(value: float | None) -> float | None:
    """The number, or None where JSON has none.

    Parameters
    ----------
    value : float or None
    """
    return value if value is not None and abs(value) < float("inf") else None


def new_id(kind: str) -> str:
    """A name for an answer.

    Parameters
    ----------
    kind : str
        Its beginning: "cmpl" or "chatcmpl".
    """
    return f"{kind}-{uuid.uuid4().hex}"


def now() -> int:
    """Seconds since 1970."""
    return int(time.time())
