"""Clients over sockets: OpenAI's own, many at a time, slow ones, hostile ones, and ones that leave."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

pytest.importorskip("torch")
pytest.importorskip("openai")
pytest.importorskip("fastapi")

import httpx
import openai
from pydantic import BaseModel

from tests.integrations.server_world import MODEL, listening

KEY = "a-key-for-tests"
LONG = {"model": MODEL, "prompt": "Write.", "regex": "[a-z]{400,900}", "max_tokens": 200, "n": 8}


class Live:
    """A server that listens."""

    def __init__(self, url, app):
        self.url = url
        self.app = app
        self.port = int(url.rpartition(":")[2])

    def post(self, path, **body):
        return httpx.post(self.url + path, json=body, timeout=300)

    def figure(self, name):
        """The sum of a figure over its labels."""
        lines = httpx.get(self.url + "/metrics", timeout=60).text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"gramspec_{name}"))

    def until(self, holds):
        end = time.monotonic() + 120
        while not holds():
            assert time.monotonic() < end
            time.sleep(0.05)


@contextmanager
def live(**settings):
    with listening(**settings) as (url, app):
        yield Live(url, app)


@pytest.fixture(scope="module")
def server():
    with live(max_body_bytes=200_000, body_seconds=2.0, max_batch=4, request_seconds=300) as one:
        yield one


@pytest.fixture(scope="module")
def client(server):
    return openai.OpenAI(base_url=server.url + "/v1", api_key=KEY, max_retries=0, timeout=120)


class Reply(BaseModel):
    answer: bool


SCHEMA = {"type": "object", "properties": {"answer": {"type": "boolean"}}, "required": ["answer"]}
CLOSED = {**SCHEMA, "additionalProperties": False}
FORMAT = {"type": "json_schema", "json_schema": {"name": "reply", "schema": CLOSED, "strict": True}}


def test_texts_schemas_and_batches_by_the_official_client(client):
    plain = client.completions.create(model=MODEL, prompt="Say yes.", max_tokens=5, seed=1)
    assert plain.choices[0].finish_reason in ("stop", "length") and plain.usage.completion_tokens <= 5
    batch = client.completions.create(
        model=MODEL,
        prompt=["Yes or no?", "No or yes?"],
        n=2,
        max_tokens=4,
        extra_body={"choice": ["yes", "no"]},
    )
    assert [choice.index for choice in batch.choices] == [0, 1, 2, 3]
    assert {choice.text for choice in batch.choices} <= {"yes", "no"}
    chat = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "True?"}],
        response_format=FORMAT,
        max_tokens=40,
        extra_body={"gramspec": {"whitespace": "compact"}},
    )
    assert json.loads(chat.choices[0].message.content)["answer"] in (True, False)
    assert [model.id for model in client.models.list().data] == [MODEL]


def test_a_model_of_pydantic_is_parsed_by_the_official_client(client):
    parsed = client.chat.completions.parse(
        model=MODEL,
        messages=[{"role": "user", "content": "True?"}],
        response_format=Reply,
        max_tokens=40,
        extra_body={"gramspec": {"whitespace": "compact"}},
    )
    assert isinstance(parsed.choices[0].message.parsed, Reply)


def test_streams_by_the_official_client(client):
    stream = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "True?"}],
        response_format=FORMAT,
        max_tokens=40,
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"gramspec": {"whitespace": "compact"}},
    )
    chunks = list(stream)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert json.loads(text)["answer"] in (True, False)
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens > 0


def test_errors_have_the_clients_classes(client):
    with pytest.raises(openai.NotFoundError) as unknown:
        client.completions.create(model="none", prompt="x")
    assert unknown.value.code == "model_not_found" and unknown.value.param == "model"
    with pytest.raises(openai.BadRequestError) as bad:
        client.completions.create(model=MODEL, prompt="x", extra_body={"regex": "a("})
    assert bad.value.param == "regex@1" and bad.value.code == "invalid_grammar"
    with pytest.raises(openai.BadRequestError) as retired:
        client.completions.create(model=MODEL, prompt="x", extra_body={"guided_json": CLOSED})
    assert retired.value.code == "unknown_field" and "response_format" in str(retired.value)
    schema = {"type": "object", "properties": {"a": {"type": "strin"}}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    with pytest.raises(openai.BadRequestError) as place:
        client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "x"}], response_format=form
        )
    assert place.value.param == "response_format.json_schema.schema#/properties/a/type"
    with pytest.raises(openai.UnprocessableEntityError) as spent:
        client.completions.create(
            model=MODEL,
            prompt="x",
            max_tokens=30,
            seed=1,
            extra_body={
                "regex": "zqxj[kvw]{12}",
                "gramspec": {"sampler": "restart", "max_attempts": 1, "drafter": "none"},
            },
        )
    assert spent.value.code == "budget_exhausted"
    assert spent.value.body["details"]["attempts"] == 1 and spent.value.body["details"]["log_phi_bound"] < 0


def test_keys_over_the_official_client():
    with live(api_keys=(KEY, "another-key")) as server:
        for key in (KEY, "another-key"):
            assert openai.OpenAI(base_url=server.url + "/v1", api_key=key).models.list().data
        with pytest.raises(openai.AuthenticationError) as wrong:
            openai.OpenAI(base_url=server.url + "/v1", api_key="no-key-of-ours").models.list()
        assert wrong.value.code == "invalid_api_key"


def test_each_of_many_clients_gets_its_own_text(server):
    def ask(number):
        text = f"no. {number}"
        if number % 3 == 0:
            schema = {"const": {"id": number}}
            body = {
                "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
                "gramspec": {"whitespace": "compact"},
            }
        else:
            body = {"choice": [text]}
        answer = server.post("/v1/completions", model=MODEL, prompt=f"{number}", max_tokens=60, **body)
        assert answer.status_code == 200, answer.text
        found = answer.json()["choices"][0]["text"]
        return json.loads(found) == {"id": number} if number % 3 == 0 else found == text

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(32)))
    assert server.figure("running") == 0 and server.figure("queue_depth") == 0


def raw(server, body, path="/v1/completions", announced=None, kind="application/json"):
    """A connection on which a request is being sent."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    length = len(body) if announced is None else announced
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


def status_of(connection):
    answer = b""
    while b"\r\n" not in answer:
        part = connection.recv(4_096)
        if not part:
            break
        answer += part
    return int(answer.split(b" ")[1])


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_frees_its_work(server, stream):
    before = server.figure('cancellations_total{reason="client"}')
    gone = [raw(server, json.dumps({**LONG, "stream": stream}).encode()) for _ in range(6)]
    server.until(lambda: server.figure("running") > 0)
    for connection in gone:
        connection.close()
    server.until(lambda: server.figure("running") == 0 and server.figure("queue_depth") == 0)
    server.until(lambda: server.figure('cancellations_total{reason="client"}') >= before + 6)


def test_slow_and_silent_clients_hold_nobody_up(server):
    slow = [raw(server, b'{"model"', announced=100) for _ in range(20)]
    silent = [socket.create_connection(("127.0.0.1", server.port), timeout=60) for _ in range(20)]
    answer = server.post("/v1/completions", model=MODEL, prompt="x", choice=["fine"], max_tokens=8)
    assert answer.json()["choices"][0]["text"] == "fine"
    assert {status_of(connection) for connection in slow} == {408}
    for connection in slow + silent:
        connection.close()


def test_a_full_queue_says_when_to_come_again():
    with live(max_batch=1, max_queue=1, request_seconds=60) as server:
        waiting = [raw(server, json.dumps(LONG).encode()) for _ in range(2)]
        server.until(lambda: server.figure("running") == 1 and server.figure("queue_depth") == 1)
        refused = server.post("/v1/completions", model=MODEL, prompt="x", choice=["a"])
        assert refused.status_code == 429 and refused.json()["error"]["code"] == "queue_full"
        assert int(refused.headers["retry-after"]) >= 1
        for connection in waiting:
            connection.close()
        server.until(lambda: server.figure("running") == 0)
        assert server.post("/v1/completions", model=MODEL, prompt="x", choice=["a"]).status_code == 200


def nested(depth):
    schema = {"type": "null"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


HOSTILE = {
    "schemas": [
        {"type": "strin"},
        {"$ref": "#/nowhere"},
        {"$ref": "#"},
        {"$ref": "https://example.com/schema.json"},
        {"allOf": [{"type": "string"}, {"type": "null"}]},
        {"type": "string", "maxLength": 10**30},
        {"type": "string", "pattern": "(a*)*(b|[ab]*)*c" * 20},
        {"type": "array", "uniqueItems": True, "items": {"enum": list(range(2_000))}},
        {"oneOf": [{"properties": {f"k{i}": {"const": i}}} for i in range(60)]},
        {"patternProperties": {f"^{'a?' * i}$": {"const": i} for i in range(20)}},
        {"enum": ["x" * 50_000]},
        nested(100),
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        False,
    ],
    "regexes": [
        "",
        "(",
        "(a+)+" * 500,
        "(" * 5_000,
        "a{1000000000}",
        "(?:a|aa){0,5000}b",
        "(?!a*b)" * 30 + "[ab]*",
        r"(a)\1",
        "[\U0010ffff-\U0010fff0]",
        ".*" * 1_000 + "x",
        "(?=.*a)(?=.*b)(?=.*c)(?=.*d)(?=.*e)(?=.*f).{40}",
    ],
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_grammars_are_answered_in_time(server, kind):
    def ask(grammar):
        if kind == "regexes":
            body = {"regex": grammar}
        else:
            form = {"name": "x", "schema": grammar}
            body = {"response_format": {"type": "json_schema", "json_schema": form}}
        body["gramspec"] = {"max_attempts": 5, "auto_attempts": 2, "particles": 2}
        return server.post("/v1/completions", model=MODEL, prompt="x", max_tokens=8, **body)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, HOSTILE[kind]))
    for grammar, answer in zip(HOSTILE[kind], answers, strict=True):
        error = answer.json().get("error", {})
        assert answer.status_code in (200, 400, 422), (
            str(grammar)[:80],
            answer.status_code,
            answer.text[:500],
        )
        assert len(answer.content) < 20_000 and (answer.status_code == 200 or error["code"])
    assert server.post("/v1/completions", model=MODEL, prompt="x", choice=["a"]).status_code == 200


def test_bodies_that_are_no_requests_are_refused(server):
    bodies = {
        b"x" * 200_001: 413,
        b"[" * 100_000: 400,
        b'{"model":' * 20_000: 400,
        b'{"model": "\xff\xfe"}': 400,
        b'{"n": ' + b"9" * 100_000 + b"}": 400,
        b'{"model": "gramspec-embedded", "prompt": "x", "n": 1e308}': 400,
        b'{"model": "gramspec-embedded", "prompt": "x", "seed": -1}': 400,
        b'{"model": "gramspec-embedded", "prompt": [1e9]}': 400,
        b'{"model": "gramspec-embedded", "prompt": [99999999]}': 400,
        b'{"model": "gramspec-embedded", "prompt": "x", "max_tokens": 99999999999999999999999}': 400,
        b'{"model": "gramspec-embedded", "prompt": "\\u0000", "choice": ["\\u0000"]}': 200,
        b"null": 400,
        b"": 400,
    }
    for body, status in bodies.items():
        with raw(server, body) as connection:
            assert status_of(connection) == status, body[:60]


def test_streams_end_when_the_server_does():
    with live(request_seconds=60) as server, ThreadPoolExecutor(1) as pool:

        def read():
            with httpx.stream(
                "POST", server.url + "/v1/completions", json={**LONG, "stream": True, "n": 2}, timeout=120
            ) as answer:
                return list(answer.iter_lines())

        coming = pool.submit(read)
        server.until(lambda: server.figure("running") > 0)
        threading.Thread(target=server.app.state.server.close).start()
        lines = [line for line in coming.result(120) if line]
    assert lines[-1] == "data: [DONE]"
