"""`/v1/chat/completions`: answers to messages.

Law: that of `gramspec.generate` after the prompt that the chat template makes.
Source: https://platform.openai.com/docs/api-reference/chat.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from gramspec.integrations.server.answers import Claims, Summary, Usage, new_id, now, summary_of, usage_of
from gramspec.integrations.server.errors import RESPONSES, ApiError
from gramspec.integrations.server.grammars import wanted
from gramspec.integrations.server.schemas import ChatRequest
from gramspec.integrations.server.scoring import Scored, spelled
from gramspec.integrations.server.server import server_of
from gramspec.integrations.server.serving import all_texts, ready, streamed
from gramspec.integrations.server.templates import prompt_of
from gramspec.integrations.server.texts import Piece, Plan, Written, model_checked, planned
from gramspec.integrations.server.tools import Calling, calling

router = APIRouter()


class FunctionFacts(BaseModel):
    """A function that is called."""

    name: str
    arguments: str


class ToolCallFacts(BaseModel):
    """A call."""

    id: str
    type: Literal["function"] = "function"
    function: FunctionFacts


class Answer(BaseModel):
    """The message that is the answer."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: None = None
    tool_calls: list[ToolCallFacts] | None = None


class TopLogprob(BaseModel):
    """A token that might have come."""

    token: str
    bytes: list[int]
    logprob: float


class TokenLogprob(TopLogprob):
    """A token, and those that might have come in its place."""

    top_logprobs: list[TopLogprob]


class ChatLogprobs(BaseModel):
    """Log-probabilities of the tokens of an answer, under the model's law."""

    content: list[TokenLogprob]
    refusal: None = None


class ChatChoice(BaseModel):
    """One answer."""

    index: int
    message: Answer
    finish_reason: Literal["stop", "length", "tool_calls"]
    logprobs: ChatLogprobs | None = None
    gramspec: Claims


class ChatAnswer(BaseModel):
    """Body of an answer of `/v1/chat/completions`."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage
    gramspec: Summary


@router.post(
    "/v1/chat/completions",
    response_model=ChatAnswer,
    response_model_exclude_none=False,
    responses={**RESPONSES, 200: {"content": {"text/event-stream": {}}, "description": "Answers"}},
    tags=["texts"],
)
async def chat_completions(request: Request, body: ChatRequest) -> Response | ChatAnswer:
    """Answers to messages, of a grammar or of the model alone."""
    server = server_of(request)
    model_checked(server, body.model)
    call = calling(body)
    asked = await wanted(request, body)
    if call is not None and asked is not None:
        raise ApiError(
            400,
            f"tool_choice, {asked.param}: each asks for a grammar; at most one may",
            code="invalid_value",
            param="tool_choice",
        )
    try:
        plan = planned(
            server,
            body,
            [await asyncio.to_thread(prompt_of, server, body)],
            asked if call is None else call.wanted,
            top=_top(body),
            max_tokens=_max_tokens(body),
        )
    except ApiError as error:
        if error.code == "context_length_exceeded":
            error.param = "messages"
        raise
    plan = await ready(request, plan)
    if body.stream:
        return await _streamed(request, body, plan, call)
    texts = await all_texts(request, plan)
    claims = [one.claims for one in texts]
    return ChatAnswer(
        id=new_id("chatcmpl"),
        created=now(),
        model=server.model_name,
        choices=[
            ChatChoice(
                index=index,
                message=_message(one, call),
                finish_reason=_finish(one, call),
                logprobs=_logprobs(one.scores) if body.logprobs else None,
                gramspec=one.claims,
            )
            for index, one in enumerate(texts)
        ],
        usage=usage_of(plan.prompt_tokens, sum(one.tokens for one in texts), claims),
        gramspec=summary_of(claims, plan.law, plan.facts()),
    )


def _top(body: ChatRequest) -> int | None:
    if body.top_logprobs is not None and not body.logprobs:
        raise ApiError(
            400, "top_logprobs: it goes with logprobs: true alone", code="invalid_value", param="top_logprobs"
        )
    return (body.top_logprobs or 0) if body.logprobs else None


def _max_tokens(body: ChatRequest) -> int | None:
    if body.max_tokens is not None and body.max_completion_tokens not in (None, body.max_tokens):
        raise ApiError(
            400,
            "max_tokens, max_completion_tokens: they differ; take one of the two",
            code="invalid_value",
            param="max_completion_tokens",
        )
    return body.max_completion_tokens if body.max_tokens is None else body.max_tokens


def _message(one: Written, call: Calling | None) -> Answer:
    if call is None:
        return Answer(content=one.text)
    found = call.read(one.text)
    facts = FunctionFacts(name=found.name, arguments=found.arguments)
    return Answer(content=None, tool_calls=[ToolCallFacts(id=_call_id(), function=facts)])


def _finish(one: Written, call: Calling | None) -> Any:
    return one.finish if call is None else call.finish


def _call_id() -> str:
    return f"call_{uuid.uuid4().hex[:24]}"


def _logprobs(scores: list[Scored]) -> ChatLogprobs:
    return ChatLogprobs(
        content=[
            TokenLogprob(
                token=spelled(one.token),
                bytes=list(one.token),
                logprob=one.logprob,
                top_logprobs=[
                    TopLogprob(token=spelled(token), bytes=list(token), logprob=value)
                    for token, value in one.top
                ],
            )
            for one in scores
        ]
    )


async def _streamed(request: Request, body: ChatRequest, plan: Plan, call: Calling | None) -> Response:
    common = {
        "id": new_id("chatcmpl"),
        "object": "chat.completion.chunk",
        "created": now(),
        "model": body.model,
    }
    with_usage = body.stream_options is not None and body.stream_options.include_usage

    def event(
        number: int, delta: dict[str, Any], finish: str | None = None, scores: list[Scored] | None = None
    ) -> dict[str, Any]:
        choice: dict[str, Any] = {"index": number, "delta": delta, "finish_reason": finish, "logprobs": None}
        if body.logprobs and scores:
            choice["logprobs"] = _logprobs(scores).model_dump()
        return {**common, "choices": [choice], **({"usage": None} if with_usage else {})}

    def called(name: str, arguments: str) -> dict[str, Any]:
        function = {"name": name, "arguments": arguments}
        return {"tool_calls": [{"index": 0, "id": _call_id(), "type": "function", "function": function}]}

    def render(piece: Piece) -> Iterable[dict[str, Any]]:
        if call is None:
            yield event(piece.number, {"content": piece.text}, scores=piece.scores)
        elif call.name is not None:
            delta = {"tool_calls": [{"index": 0, "function": {"arguments": piece.text}}]}
            yield event(piece.number, delta, scores=piece.scores)
        elif piece.scores:  # which function is called is known at the end
            yield event(piece.number, {}, scores=piece.scores)

    def close(texts: list[Written]) -> Iterable[dict[str, Any]]:
        claims = [one.claims for one in texts]
        summary = summary_of(claims, plan.law, plan.facts()).model_dump()
        for number, one in enumerate(texts):
            if call is not None and call.name is None:
                found = call.read(one.text)
                yield event(number, called(found.name, found.arguments))
            last = event(number, {}, _finish(one, call))
            last["choices"][0]["gramspec"] = one.claims.model_dump()
            yield {**last, "gramspec": summary}
        if with_usage:
            usage = usage_of(plan.prompt_tokens, sum(one.tokens for one in texts), claims).model_dump()
            yield {**common, "choices": [], "usage": usage, "gramspec": summary}

    begin = []
    for number in range(plan.n):
        first: dict[str, Any] = {"role": "assistant", "content": "" if call is None else None}
        if call is not None and call.name is not None:
            first.update(called(call.name, ""))
        begin.append(event(number, first))
    return await streamed(request, plan, begin, render, close)
