"""`/v1/completions`: texts of grammars, what is said of them, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import gramspec as gs
from tests.integrations.server_world import MODEL, Client, served

SCHEMA = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with served() as one:
        yield one


def test_models_are_listed_and_unknown_ones_refused(client: Client) -> None:
    [model] = client.ask("GET", "/v1/models").json()["data"]
    assert model["id"] == MODEL
    assert client.ask("GET", f"/v1/models/{MODEL}").json() == model
    for answer in (client.ask("GET", "/v1/models/gpt-4"), client.completions(model="gpt-4", regex="a")):
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "model_not_found"


@pytest.mark.parametrize("law", ["conditional", "masked"])
def test_a_seeded_text_is_that_of_generate(client: Client, law: Any) -> None:
    target, draft = gs.models.embedded()
    grammar = gs.regex("(yes|no|maybe)( (yes|no))?")
    body = {"regex": "(yes|no|maybe)( (yes|no))?", "n": 2, "seed": 7, "gramspec": {"law": law}}
    answer = client.completions(prompt=["Is it?", "Is it not?"], **body).json()
    prompts = ["Is it?", "Is it not?"]
    share = client.server.settings.memo_share
    options = gs.DecodingOptions(memo_bytes=share, auto_attempts=50)
    expected = gs.generate(
        target, prompts, grammar, draft=draft, n=2, max_new_tokens=24, seed=7, law=law, options=options
    )
    flat = [one for each in expected for one in each]
    assert [c["text"] for c in answer["choices"]] == [one.text for one in flat]
    assert [c["index"] for c in answer["choices"]] == [0, 1, 2, 3]
    for choice, one in zip(answer["choices"], flat, strict=True):
        assert choice["finish_reason"] == "stop"
        assert choice["gramspec"]["guarantee"] == one.report.guarantee
        assert choice["gramspec"]["law"] == one.report.law
        assert choice["gramspec"]["logprob"] == pytest.approx(one.logprob)
        assert choice["gramspec"]["target_forwards"] == one.report.target_forwards
    assert answer["usage"]["completion_tokens"] == sum(len(one.token_ids) for one in flat)
    assert answer["usage"]["target_forwards"] == sum(one.report.target_forwards for one in flat)


@pytest.mark.parametrize(
    ("kind", "body", "grammar"),
    [
        (
            "json_schema",
            {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}}},
            gs.json_schema(SCHEMA),
        ),
        ("json_object", {"response_format": {"type": "json_object"}}, gs.json_schema({"type": "object"})),
        ("choice", {"choice": ["yes", "no"]}, gs.choice(["yes", "no"])),
        ("lark", {"grammar": {"type": "lark", "text": 'start: "a"+'}}, gs.regex("a+")),
        ("gbnf", {"grammar": {"type": "gbnf", "text": 'root ::= "a" "b"?'}}, gs.regex("ab?")),
        ("ebnf", {"grammar": {"type": "ebnf", "text": 'r ::= "a" "b"?', "start": "r"}}, gs.regex("ab?")),
        (
            "structural_tag",
            {"structural_tag": {"type": "structural_tag", "format": {"type": "regex", "pattern": "a|b"}}},
            gs.regex("a|b"),
        ),
    ],
)
def test_every_field_that_asks_for_a_grammar(client: Client, kind: str, body: Any, grammar: Any) -> None:
    answer = client.completions(**body, seed=3, gramspec={"law": "masked"}).json()
    assert answer["gramspec"]["grammar"]["kind"] == kind
    assert grammar.accepts(answer["choices"][0]["text"])


def test_a_stream_adds_up_to_the_text(client: Client) -> None:
    body = {"regex": "(yes|no){4,6}", "seed": 5, "gramspec": {"law": "masked"}, "n": 2, "logprobs": 1}
    whole = client.completions(**body).json()
    answer = client.completions(**body, stream=True, stream_options={"include_usage": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [line.removeprefix("data: ") for line in answer.text.split("\n") if line.startswith("data: ")]
    assert events.pop() == "[DONE]"
    chunks = [json.loads(event) for event in events]
    assert chunks[-1]["choices"] == [] and chunks[-1]["usage"] == whole["usage"]
    for index in (0, 1):
        mine = [c for chunk in chunks for c in chunk["choices"] if c["index"] == index]
        assert "".join(c["text"] for c in mine) == whole["choices"][index]["text"]
        tokens = [token for c in mine if c["logprobs"] for token in c["logprobs"]["tokens"]]
        assert tokens == whole["choices"][index]["logprobs"]["tokens"]
        assert mine[-1]["finish_reason"] == "stop" and mine[-1]["gramspec"]["guarantee"] == "exact"
    assert len(chunks) > 5


def test_logprobs_are_those_of_the_model(client: Client) -> None:
    [choice] = client.completions(choice=["no"], logprobs=2, seed=1).json()["choices"]
    target, _ = gs.models.embedded()
    sequence = target.open(target.encode("yes or no?"))
    row = sequence.score()[0]
    p = row - row.max()
    p = p - np.log(np.exp(p).sum())
    first = choice["logprobs"]["tokens"][0]
    token = target.vocabulary.tokens.index(first.encode())
    assert choice["logprobs"]["token_logprobs"][0] == pytest.approx(p[token], abs=1e-4)
    best = sorted(p.tolist(), reverse=True)[:2]
    assert list(choice["logprobs"]["top_logprobs"][0].values()) == pytest.approx(best, abs=1e-4)


def test_plain_text_ends_where_the_tokens_are_spent_or_a_stop_string_comes(client: Client) -> None:
    body = {"seed": 4, "max_tokens": 12, "temperature": 1.5}
    [whole] = client.completions(**body).json()["choices"]
    assert whole["gramspec"]["law"] == "model" and whole["finish_reason"] in ("stop", "length")
    text = whole["text"]
    assert len(text) > 3
    [cut] = client.completions(**body, stop=text[2:4]).json()["choices"]
    assert cut["text"] == text[: text.index(text[2:4])] and cut["finish_reason"] == "stop"
    streamed = client.completions(**body, stop=text[2:4], stream=True).text
    events = [json.loads(line[6:]) for line in streamed.split("\n") if line.startswith("data: {")]
    assert "".join(c["text"] for event in events for c in event["choices"]) == cut["text"]


def test_temperature_zero_is_greedy_and_says_so(client: Client) -> None:
    [one] = client.completions(choice=["yes", "no"], temperature=0).json()["choices"]
    assert one["gramspec"]["law"] == "greedy"
    refused = client.completions(choice=["yes"], temperature=0, gramspec={"law": "conditional"})
    assert refused.status_code == 400 and refused.json()["error"]["param"] == "temperature"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"guided_regex": "a"}, "guided_regex"),
        ({"guided_json": {}}, "guided_json"),
        ({"best_of": 2}, "best_of"),
        ({"suffix": "x"}, "suffix"),
        ({"logit_bias": {"5": 1.0}}, "logit_bias"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"regex": "a", "choice": ["a"]}, "choice"),
        ({"regex": "(a"}, "regex@0"),
        ({"regex": "a", "stop": "a"}, "stop"),
        ({"regex": "a", "max_tokens": 0}, "max_tokens"),
        ({"regex": "a" * 100, "max_tokens": 2}, "max_tokens"),
        ({"regex": "a", "gramspec": {"sampler": "best"}}, "gramspec.sampler"),
        ({"sql": {"schema": "sqlite:////etc/passwd"}}, "sql.schema"),
        ({"sql": {"database": "other"}}, "sql.database"),
        ({"gramspec": {"sampler": "smc"}}, "gramspec.sampler"),
        ({"regex": "a", "gramspec": {"whitespace": "compact"}}, "gramspec.whitespace"),
        ({"regex": "a", "temperature": 0, "top_p": 0.5}, "top_p"),
        ({"regex": "a", "gramspec": {"law": "masked", "sampler": "smc"}}, "gramspec.sampler"),
        ({"grammar": {"type": "lark", "text": "%import .secret.X\nstart: X"}}, None),
        ({"prompt": [5_000_000]}, None),
        ({"max_tokens": 5_000}, "max_tokens"),
        ({"max_tokens": 600}, "prompt"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "strin"}}}},
            "response_format.json_schema.schema#/type",
        ),
    ],
)
def test_refusals_name_the_field(client: Client, body: Any, param: str | None) -> None:
    answer = client.completions(**body)
    assert answer.status_code in (400, 404), answer.text
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error" or answer.status_code == 404
    if param is not None:
        assert error["param"] == param
