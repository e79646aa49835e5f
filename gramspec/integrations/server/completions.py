"""`/v1/completions`: texts that follow a prompt.

Law: that of `gramspec.generate`; fields that OpenAI has and this route does not do are refused by name.
Source: https://platform.openai.com/docs/api-reference/completions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from gramspec.integrations.server.answers import (
    CompletionAnswer,
    CompletionChoice,
    TokenLogprobs,
    new_id,
    now,
    summary_of,
    usage_of,
)
from gramspec.integrations.server.errors import RESPONSES, ApiError, naming
from gramspec.integrations.server.grammars import wanted
from gramspec.integrations.server.schemas import CompletionRequest
from gramspec.integrations.server.scoring import Scored, spelled
from gramspec.integrations.server.server import Server, server_of
from gramspec.integrations.server.serving import all_texts, ready, streamed
from gramspec.integrations.server.texts import Piece, Plan, Written, model_checked, planned

router = APIRouter()


@router.post(
    "/v1/completions",
    response_model=CompletionAnswer,
    response_model_exclude_none=False,
    responses={**RESPONSES, 200: {"content": {"text/event-stream": {}}, "description": "Texts"}},
    tags=["texts"],
)
async def completions(request: Request, body: CompletionRequest) -> Response | CompletionAnswer:
    """Texts that follow a prompt, of a grammar or of the model alone."""
    server = server_of(request)
    model_checked(server, body.model)
    prompts = _prompts(server, body)
    if body.echo and body.logprobs is not None:
        raise ApiError(400, "echo: prompts are not scored; take one of echo and logprobs", param="echo")
    with naming("prompt"):
        ids = await asyncio.to_thread(server.ids, prompts)
    plan = planned(
        server,
        body,
        ids,
        await wanted(request, body),
        top=body.logprobs,
        max_tokens=body.max_tokens,
    )
    plan = await ready(request, plan)
    echoed = [_text(server, prompt) for prompt in prompts] if body.echo else None
    if body.stream:
        return await _streamed(request, body, plan, echoed)
    texts = await all_texts(request, plan)
    claims = [one.claims for one in texts]
    choices = []
    for index, one in enumerate(texts):
        before = echoed[index // plan.n] if echoed is not None else ""
        choices.append(
            CompletionChoice(
                index=index,
                text=before + one.text,
                finish_reason=one.finish,
                logprobs=_logprobs(one.scores, 0) if body.logprobs is not None else None,
                gramspec=one.claims,
            )
        )
    return CompletionAnswer(
        id=new_id("cmpl"),
        created=now(),
        model=server.model_name,
        choices=choices,
        usage=usage_of(plan.prompt_tokens, sum(one.tokens for one in texts), claims),
        gramspec=summary_of(claims, plan.law, plan.facts()),
    )


def _prompts(server: Server, body: CompletionRequest) -> list[str | list[int]]:
    prompt: Any = body.prompt
    if isinstance(prompt, str):
        return [prompt]
    return [prompt] if isinstance(prompt[0], int) else list(prompt)


def _text(server: Server, prompt: str | list[int]) -> str:
    if isinstance(prompt, str):
        return prompt
    tokens = server.vocabulary.tokens
    data = b"".join((tokens[token] if token < len(tokens) else None) or b"" for token in prompt)
    return data.decode("utf-8", errors="replace")


def _logprobs(scores: list[Scored], offset: int) -> TokenLogprobs:
    offsets = []
    data = b""
    for one in scores:
        offsets.append(offset + len(data.decode("utf-8", errors="ignore")))
        data += one.token
    return TokenLogprobs(
        tokens=[spelled(one.token) for one in scores],
        token_logprobs=[one.logprob for one in scores],
        top_logprobs=[{spelled(token): value for token, value in one.top} for one in scores],
        text_offset=offsets,
    )


async def _streamed(
    request: Request, body: CompletionRequest, plan: Plan, echoed: list[str] | None
) -> Response:
    common = {"id": new_id("cmpl"), "object": "text_completion", "created": now(), "model": body.model}
    with_usage = body.stream_options is not None and body.stream_options.include_usage
    offsets: dict[int, int] = {}

    def event(index: int, text: str, scores: list[Scored], finish: str | None = None) -> dict[str, Any]:
        logprobs = None
        if body.logprobs is not None and scores:
            logprobs = _logprobs(scores, offsets.get(index, 0)).model_dump()
        offsets[index] = offsets.get(index, 0) + len(text)
        choice = {"index": index, "text": text, "finish_reason": finish, "logprobs": logprobs}
        return {**common, "choices": [choice], **({"usage": None} if with_usage else {})}

    def render(piece: Piece) -> Iterable[dict[str, Any]]:
        yield event(piece.number, piece.text, piece.scores)

    def close(texts: list[Written]) -> Iterable[dict[str, Any]]:
        claims = [one.claims for one in texts]
        summary = summary_of(claims, plan.law, plan.facts()).model_dump()
        for index, one in enumerate(texts):
            last = event(index, "", [], one.finish)
            last["choices"][0]["gramspec"] = one.claims.model_dump()
            yield {**last, "gramspec": summary}
        if with_usage:
            usage = usage_of(plan.prompt_tokens, sum(one.tokens for one in texts), claims).model_dump()
            yield {**common, "choices": [], "usage": usage, "gramspec": summary}

    begin = []
    if echoed is not None:
        begin = [event(i * plan.n + k, text, []) for i, text in enumerate(echoed) for k in range(plan.n)]
    return await streamed(request, plan, begin, render, close)
