"""`/v1/chat/completions` with the official client: messages, schemas, tools, streams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from tests.integrations.server_world import MODEL, Client, httpx, served

openai = pytest.importorskip("openai")

from pydantic import BaseModel  # noqa: E402

from gramspec.integrations.server.schemas import ChatRequest  # noqa: E402
from gramspec.integrations.server.templates import plain_prompt, prompt_of  # noqa: E402

MASKED = {"gramspec": {"law": "masked"}}


class Verdict(BaseModel):
    ok: bool
    level: int


TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "set_level",
            "parameters": {
                "type": "object",
                "properties": {"level": {"$ref": "#/$defs/level"}},
                "required": ["level"],
                "additionalProperties": False,
                "$defs": {"level": {"enum": [1, 2]}},
            },
        },
    },
    {"type": "function", "function": {"name": "stop"}},
]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with served() as one:
        yield one


def talk(client: Client, use: Callable[[Any], Awaitable[Any]]) -> Any:
    """Let the official client talk to the application."""

    async def run() -> Any:
        transport = httpx.ASGITransport(app=client.app)
        async with httpx.AsyncClient(transport=transport, timeout=120) as http:
            talker = openai.AsyncOpenAI(
                api_key="none", base_url="http://server/v1", http_client=http, max_retries=0
            )
            return await use(talker)

    return asyncio.run(run())


def chat(client: Client, **body: Any) -> Any:
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Is it raining?"}],
        "max_tokens": 40,
        "seed": 2,
        **body,
    }

    async def use(talker: Any) -> Any:
        answer = await talker.chat.completions.create(**body)
        return [chunk async for chunk in answer] if body.get("stream") else answer

    return talk(client, use)


def test_a_pydantic_model_is_parsed(client: Client) -> None:
    async def use(talker: Any) -> Any:
        return await talker.chat.completions.parse(
            model=MODEL,
            messages=[{"role": "user", "content": "Is it?"}],
            response_format=Verdict,
            max_tokens=60,
            seed=1,
            extra_body=MASKED,
        )

    answer = talk(client, use)
    assert isinstance(answer.choices[0].message.parsed, Verdict)
    assert answer.choices[0].finish_reason == "stop"
    assert answer.gramspec["guarantee"] == "exact" and answer.gramspec["law"] == "masked"
    assert answer.usage.target_forwards > 0


def test_a_stream_adds_up(client: Client) -> None:
    body = {"extra_body": {"regex": "(yes|no){3,6}", **MASKED}, "n": 2}
    whole = chat(client, **body)
    chunks = chat(client, **body, stream=True, stream_options={"include_usage": True})
    for index in (0, 1):
        mine = [c for chunk in chunks for c in chunk.choices if c.index == index]
        assert mine[0].delta.role == "assistant"
        assert "".join(c.delta.content or "" for c in mine) == whole.choices[index].message.content
        assert mine[-1].finish_reason == "stop"
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens


def test_logprobs_have_the_clients_shape(client: Client) -> None:
    [choice] = chat(client, logprobs=True, top_logprobs=2, extra_body={"choice": ["yes"], **MASKED}).choices
    assert b"".join(bytes(one.bytes) for one in choice.logprobs.content) == b"yes"
    assert all(len(one.top_logprobs) == 2 and one.logprob <= 0 for one in choice.logprobs.content)


def test_a_named_function_gets_arguments_of_its_schema(client: Client) -> None:
    body = {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "set_level"}}}
    [choice] = chat(client, **body, extra_body=MASKED).choices
    [call] = choice.message.tool_calls
    assert choice.message.content is None and choice.finish_reason == "stop"
    assert call.function.name == "set_level" and json.loads(call.function.arguments)["level"] in (1, 2)
    chunks = chat(client, **body, extra_body=MASKED, stream=True)
    deltas = [d for chunk in chunks for c in chunk.choices for d in c.delta.tool_calls or ()]
    assert deltas[0].function.name == "set_level"
    assert "".join(d.function.arguments for d in deltas) == call.function.arguments


def test_a_required_call_names_its_function(client: Client) -> None:
    names = set()
    for seed in range(6):
        body = {"tools": TOOLS, "tool_choice": "required", "seed": seed, "extra_body": MASKED}
        [choice] = chat(client, **body).choices
        [call] = choice.message.tool_calls
        arguments = json.loads(call.function.arguments)
        assert choice.finish_reason == "tool_calls"
        assert arguments == {} if call.function.name == "stop" else arguments["level"] in (1, 2)
        names.add(call.function.name)
    chunks = chat(client, **body, stream=True)
    [delta] = [d for chunk in chunks for c in chunk.choices for d in c.delta.tool_calls or ()]
    assert (delta.function.name, delta.function.arguments) == (call.function.name, call.function.arguments)


def test_arguments_are_taken_as_they_are_spelled() -> None:
    from gramspec.integrations.server.tools import _read

    text = '{ "n\\u0061me" :"f","arguments" : {"x": 1.50e2, "y": [ ]} }'
    assert _read(text) == ("f", '{"x": 1.50e2, "y": [ ]}')


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tools": TOOLS}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": "auto"}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": "required", "parallel_tool_calls": True}, "parallel_tool_calls"),
        ({"tools": TOOLS, "tool_choice": "required", "extra_body": {"regex": "a"}}, "tool_choice"),
        ({"functions": []}, "functions"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"max_completion_tokens": 7}, "max_completion_tokens"),
        ({"messages": []}, "messages"),
        ({"audio": {"voice": "x", "format": "wav"}}, "audio"),
        ({"extra_body": {"structured_outputs": {"regex": "a"}}}, "structured_outputs"),
    ],
)
def test_refusals_name_the_field(client: Client, body: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        chat(client, **body)
    assert caught.value.param == param


def test_images_are_refused(client: Client) -> None:
    part = {"type": "image_url", "image_url": {"url": "http://127.0.0.1/x.png"}}
    with pytest.raises(openai.BadRequestError):
        chat(client, messages=[{"role": "user", "content": [part]}])


def test_the_tokenizers_template_is_used_where_there_is_one(client: Client) -> None:
    tokenizer = client.server.target.tokenizer
    body = ChatRequest.model_validate(
        {"model": "x", "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]}
    )
    assert tokenizer.chat_template is None
    tokenizer.chat_template = (
        "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}"
        "{% if m.content == 'no' %}{{ raise_exception('no means no') }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<answer>{% endif %}"
    )
    try:
        found = prompt_of(client.server, body)
        with pytest.raises(openai.BadRequestError, match="no means no") as caught:
            chat(client, messages=[{"role": "user", "content": "no"}])
    finally:
        tokenizer.chat_template = None
    assert tokenizer.decode(found) == "<|bos|><user>Hello<answer>"
    assert found.count(tokenizer.bos_token_id) == 1
    assert caught.value.param == "messages"


def test_a_prompt_that_cannot_fit_is_refused_before_it_is_read(client: Client) -> None:
    for text in ("x " * 600, "x" * 3_000_000):
        with pytest.raises(openai.BadRequestError) as caught:
            chat(client, messages=[{"role": "user", "content": text}])
        assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "messages")


def test_the_plain_template() -> None:
    user = {"role": "user", "content": "Hello"}
    assert plain_prompt([user]) == "Hello\n"
    assert plain_prompt([{"role": "system", "content": "Be brief."}, user]) == (
        "System: Be brief.\nUser: Hello\nAssistant: "
    )
