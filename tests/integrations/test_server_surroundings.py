"""Around every route: ids, keys, limits of bodies, figures, logs and answers to errors."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")
pytest.importorskip("httpx")

import httpx
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

import gramspec as gs
from gramspec.decoding.report import Report
from gramspec.integrations.server import logging as server_logging
from gramspec.integrations.server.auth import ApiKeys, read_keys
from gramspec.integrations.server.errors import ApiError, api_error, naming, queue_full
from gramspec.integrations.server.metrics import Metrics
from gramspec.integrations.server.surroundings import install


@dataclass(frozen=True)
class Around:
    api_keys: tuple[str, ...] = ()
    max_body_bytes: int = 1_000
    body_seconds: float = 0.3
    cors_origins: tuple[str, ...] = ()
    log_level: str = "info"


class Question(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    text: str
    n: int = Field(default=1, le=100)


def application(around=None):
    app = FastAPI()
    app.state.engine = SimpleNamespace(ready=True, closing=False, queued=2, running=1)
    install(app, around or Around(), Metrics())

    @app.post("/v1/echo")
    async def echo(question: Question) -> dict[str, object]:
        if question.text == "grammar":
            with naming("response_format.json_schema.schema"):
                gs.json_schema({"properties": {"a": {"type": "strin"}}})
        if question.text == "fault":
            raise ZeroDivisionError("a secret of the client")
        if question.text == "full":
            raise queue_full(2.2)
        return {"text": question.text, "n": question.n}

    return app


def answered(app, method, path, **request):
    async def ask():
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=True), base_url="http://server"
        ) as client:
            return await client.request(method, path, **request)

    return asyncio.run(ask())


def refused(response, status, code):
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert {"message", "type", "param", "code"} <= error.keys() and error["code"] == code, error
    assert response.headers["x-request-id"]
    return error


def posted(body, app=None, headers=None):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": "application/json", **(headers or {})}
    return answered(app or application(), "POST", "/v1/echo", content=content, headers=headers)


def test_a_request_passes_with_its_id_and_the_headers_of_pages():
    response = posted({"text": "a", "n": 2}, headers={"x-request-id": "mine-1"})
    assert response.json() == {"text": "a", "n": 2}
    assert response.headers["x-request-id"] == "mine-1"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "access-control-allow-origin" not in response.headers
    strange = posted({"text": "a"}, headers={"x-request-id": 'x" y\tz'})
    assert strange.headers["x-request-id"].startswith("req-")


@pytest.mark.parametrize(
    ("body", "status", "code", "words"),
    [
        (b"", 400, "invalid_json", "empty"),
        (b'{"text": "a"', 400, "invalid_json", "line 1"),
        (b'{"text": "\xff"}', 400, "invalid_json", "byte 10 is not UTF-8"),
        (b'{"text": "a", "n": NaN}', 400, "invalid_json", "NaN"),
        (b'{"text": "a", "n": 1e999}', 400, "invalid_json", "double"),
        (b'{"text": "a", "n": ' + b"9" * 980 + b"}", 400, "invalid_value", "n:"),
        (b'{"text": "a", "text": "b"}', 400, "duplicate_key", "'text' stands twice"),
        (b'{"text": "\\ud800"}', 400, "invalid_json", "surrogate"),
        (b'{"text": ' + b"[" * 400 + b"]" * 400 + b"}", 400, "too_deep", "128 levels"),
        (b'{"text": "' + b"a" * 1_000 + b'"}', 413, "body_too_large", "1,000 bytes"),
        (b'["text"]', 400, "invalid_value", ""),
        (b"{}", 400, "missing_field", "text"),
        (b'{"text": "a", "m": 1}', 400, "unknown_field", "there is no such field"),
        (b'{"text": "a", "n": "1"}', 400, "invalid_value", "n:"),
    ],
)
def test_bodies_that_are_no_plain_json_are_refused(body, status, code, words):
    assert words in refused(posted(body), status, code)["message"]


def test_brackets_in_strings_do_not_nest():
    assert posted({"text": '[{"\\' * 90}).status_code == 200


def test_numbers_longer_than_python_reads_are_refused():
    app = application(Around(max_body_bytes=10_000))
    error = refused(posted(b'{"text": "a", "n": ' + b"9" * 5_000 + b"}", app), 400, "invalid_json")
    assert "5000 digits" in error["message"]


def test_other_content_types_methods_and_routes_are_refused():
    app = application()
    plain = {"content-type": "text/plain"}
    refused(answered(app, "POST", "/v1/echo", content=b"{}", headers=plain), 415, "unsupported_media_type")
    refused(answered(app, "POST", "/v1/echo", content=b"{}"), 415, "unsupported_media_type")
    packed = {"content-type": "application/json", "content-encoding": "gzip"}
    refused(answered(app, "POST", "/v1/echo", content=b"x", headers=packed), 415, "unsupported_media_type")
    refused(answered(app, "GET", "/v1/echo"), 405, "method_not_allowed")
    refused(answered(app, "GET", "/v1/none"), 404, "not_found")
    refused(answered(app, "POST", "/v1/none", content=b"x"), 404, "not_found")


def raw(app, messages, headers=()):
    """One request by hand, so that its body comes in pieces."""

    async def ask():
        pieces = iter(messages)
        sent = []

        async def receive():
            piece = next(pieces, None)
            if piece is None:
                await asyncio.sleep(60)
            return piece

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/echo",
            "raw_path": b"/v1/echo",
            "query_string": b"",
            "root_path": "",
            "headers": [(b"content-type", b"application/json"), *headers],
        }
        await app(scope, receive, send)
        return sent

    return asyncio.run(ask())


def piece(body, more=True):
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_in_chunks_is_cut_off_when_it_is_too_long():
    sent = raw(application(), [piece(b'{"text": "'), *[piece(b"a" * 300)] * 5])
    assert sent[0]["status"] == 413 and (b"connection", b"close") in sent[0]["headers"]
    assert json.loads(sent[1]["body"])["error"]["code"] == "body_too_large"
    assert raw(application(), [], [(b"content-length", b"1001")])[0]["status"] == 413
    assert raw(application(), [], [(b"content-length", b"-1")])[0]["status"] == 400
    assert raw(application(), [piece(b'{"text":'), piece(b'"a"}', more=False)])[0]["status"] == 200


def test_a_slow_sender_and_one_that_leaves():
    assert raw(application(), [piece(b'{"te')])[0]["status"] == 408
    app = application()
    assert raw(app, [piece(b'{"te'), {"type": "http.disconnect"}]) == []
    assert 'gramspec_cancellations_total{reason="client"} 1.0' in app.state.metrics.exposition().decode()


def test_errors_say_where():
    error = refused(posted({"text": "grammar"}), 400, "invalid_grammar")
    assert error["param"] == "response_format.json_schema.schema#/properties/a/type"
    assert error["details"]["pointer"] == "/properties/a/type" and error["type"] == "invalid_request_error"
    response = posted({"text": "full"})
    refused(response, 429, "queue_full")
    assert response.headers["retry-after"] == "3"


@pytest.mark.parametrize(
    ("raising", "status", "code", "param"),
    [
        (lambda: gs.regex("a(b"), 400, "invalid_grammar", "regex@1"),
        (lambda: gs.regex(r"(a)\1"), 400, "unsupported_grammar", "regex@3"),
        (lambda: gs.lark('start: "a" |\n  b'), 400, "invalid_grammar", "regex:2:4"),
        (lambda: gs.choice([]), 400, None, None),
        (lambda: _raise(gs.LimitError("max_states", "too many")), 400, "limit_exceeded", "regex"),
        (lambda: _raise(gs.BudgetTooSmallError("short")), 400, "max_tokens_too_small", "max_tokens"),
        (lambda: _raise(gs.DeadEndError("stuck")), 422, "dead_end", "regex"),
        (lambda: _raise(gs.ContractError("rho")), 500, "engine_error", None),
        (lambda: _raise(RecursionError()), 400, "too_deep", "regex"),
    ],
)
def test_errors_of_the_library_have_answers(raising, status, code, param):
    with pytest.raises(ApiError) as caught, naming("regex"):
        raising()
    error = caught.value
    assert error.status == status and (code is None or (error.code, error.param) == (code, param)), error


def _raise(error):
    raise error


def test_options_name_their_field_and_budgets_their_costs():
    assert api_error(gs.OptionError("top_p=2: a number from 0 to 1 is needed")).param == "top_p"
    assert api_error(gs.OptionError("max_new_tokens=0: a whole number")).param == "max_tokens"
    report = Report("exact", "conditional", "restart", attempts=7, log_phi_bound=float("-inf"))
    answer = api_error(gs.BudgetExhaustedError(report, "no member in 7 attempts")).response()
    error = json.loads(answer.body)["error"]
    assert answer.status_code == 422 and error["code"] == "budget_exhausted"
    assert error["details"]["attempts"] == 7 and error["details"]["log_phi_bound"] is None


def test_a_fault_is_an_answer_without_what_was_said_and_a_log_with_its_place():
    stream = io.StringIO()
    server_logging.configure("info", stream)
    try:
        response = posted({"text": "fault"}, headers={"x-request-id": "r1"})
        posted({"text": "prompt of a client"})
    finally:
        server_logging.configure("info")
    refused(response, 500, "internal_error")
    assert "secret" not in response.text
    fault, request = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert fault["level"] == "error" and fault["error"] == "ZeroDivisionError" and fault["request_id"] == "r1"
    assert any("echo" in frame for frame in fault["frames"])
    assert (request["route"], request["status"], request["method"]) == ("/v1/echo", 200, "POST")
    assert "secret" not in stream.getvalue() and "prompt" not in stream.getvalue()


def test_keys_open_what_is_not_public():
    app = application(Around(api_keys=("first-key-1", "second-key-2")))
    assert answered(app, "GET", "/health").status_code == 200
    assert answered(app, "GET", "/ready").status_code == 200
    missing = answered(app, "GET", "/metrics")
    refused(missing, 401, "missing_api_key")
    assert missing.headers["www-authenticate"] == "Bearer"
    for wrong in ("Bearer first-key-", "Bearer ", "Basic first-key-1", "Bearer first-key-1x", "Bearer \xe9"):
        headers = {"authorization": wrong.encode("latin-1")}
        refused(answered(app, "GET", "/metrics", headers=headers), 401, "invalid_api_key")
    for key in ("first-key-1", "second-key-2"):
        assert answered(app, "GET", "/metrics", headers={"authorization": f"Bearer {key}"}).status_code == 200
    refused(answered(app, "POST", "/v1/none"), 401, "missing_api_key")


def test_keys_come_from_a_file_and_the_environment(tmp_path):
    file = tmp_path / "keys"
    file.write_text("# of the team\n\nfile-key-1\nfile-key-2\n", "utf-8")
    environment = {"GRAMSPEC_API_KEY": "given-key, file-key-1"}
    assert read_keys(["given-key"], file, environment) == ("given-key", "file-key-1", "file-key-2")
    assert read_keys() == ()
    file.write_text("# none\n", "utf-8")
    for arguments in (([], file), ([], tmp_path / "absent"), ([], None, {"GRAMSPEC_API_KEY": " "})):
        with pytest.raises(gs.OptionError):
            read_keys(*arguments)
    for key in ("short", "has a space in it", "späte-schlüssel"):
        with pytest.raises(gs.OptionError, match="key 1"):
            ApiKeys([key])


def test_origins_are_answered_only_if_named():
    app = application(Around(cors_origins=("https://app.example",), api_keys=("first-key-1",)))
    asking = {"origin": "https://app.example", "access-control-request-method": "POST"}
    allowed = answered(app, "OPTIONS", "/v1/echo", headers=asking)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    other = answered(app, "OPTIONS", "/v1/echo", headers={**asking, "origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers


def test_figures_and_readiness():
    app = application()
    posted({"text": "a"}, app)
    answered(app, "GET", "/nowhere/" + "x" * 50)
    text = answered(app, "GET", "/metrics").text
    assert 'gramspec_requests_total{method="POST",route="/v1/echo",status="200"} 1.0' in text
    assert 'gramspec_requests_total{method="GET",route="other",status="404"} 1.0' in text
    assert "gramspec_queue_depth 2.0" in text and "gramspec_running 1.0" in text
    assert 'gramspec_request_seconds_count{route="/v1/echo"} 1.0' in text
    app.state.engine.closing = True
    assert answered(app, "GET", "/health").json() == {"status": "ok"}
    assert "shutting down" in refused(answered(app, "GET", "/ready"), 503, "not_ready")["message"]
    refused(posted({"text": "a"}, app), 503, "not_ready")


def test_settings_that_cannot_be_used_are_refused():
    for around in (Around(log_level="loud"), Around(max_body_bytes=0), Around(api_keys=("short",))):
        with pytest.raises(gs.OptionError):
            application(around)
