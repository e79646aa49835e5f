"""Servers with planted faults, on loopback, for the tests of the service suite."""

from __future__ import annotations

import itertools
import json
import math
import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

REQUESTS = itertools.count()  # seeds: requests for colours come one after the other
COLOURS = {"red": 0.1, "green": 0.2, "blue": 0.3, "grey": 0.05}


def value_of(schema: Any) -> Any:
    """A value that fits one of the suite's schemas."""
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    return {"name": "Ada", "age": 36, "x": 0.5, "a": True, "b": "xy"}


def choice(text: str, logprob: float | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"message": {"content": text}, "finish_reason": "stop"}
    if logprob is not None:
        found["logprobs"] = {"content": [{"token": text, "logprob": logprob}]}
    return found


def bad(schema: Any) -> bool:
    """Whether a schema is none: those of the suite."""
    return (
        schema.get("type") == "strnig"
        or schema.get("minimum") in ("zero", 2)
        or "$ref" in schema
        or schema.get("pattern") == "(["
    )


def faithful(body: dict[str, Any]) -> tuple[int, Any]:
    """Every text fits; colours come as often as their logprobs say."""
    schema = body["response_format"]["json_schema"]["schema"]
    if bad(schema):
        return 400, {"error": {"message": "/type: no such type"}}
    if schema.get("enum", [""])[0] == "red":
        names = random.Random(next(REQUESTS)).choices(list(COLOURS), list(COLOURS.values()), k=body["n"])
        return 200, {"choices": [choice(json.dumps(n), math.log(COLOURS[n])) for n in names]}
    if "oneOf" in schema:
        value: Any = {"a": True}
    elif "allOf" in schema:
        value = {"a": "abc", "b": "xy"}
    elif "properties" in schema and "x" in schema["properties"]:
        value = {"x": 0.5}
    elif "properties" in schema:
        value = {"name": "Ada", "age": 36}
    elif "pattern" in schema:
        value = "a"
    else:
        value = value_of(schema)
    return 200, {"choices": [choice(json.dumps(value))] * body["n"]}


def unbounded(body: dict[str, Any]) -> tuple[int, Any]:
    """Bounds of numbers are not kept."""
    status, answer = faithful(body)
    return status, json.loads(json.dumps(answer).replace('\\"age\\": 36', '\\"age\\": 360'))


def mixing(body: dict[str, Any]) -> tuple[int, Any]:
    """A request gets the constant of another."""
    status, answer = faithful(body)
    return status, json.loads(re.sub(r"request [1-7]", "request 0", json.dumps(answer)))


def crashing(body: dict[str, Any]) -> tuple[int, Any]:
    """A bad schema is an error of the server."""
    status, answer = faithful(body)
    return (500 if status == 400 else status), answer


def masked(body: dict[str, Any]) -> tuple[int, Any]:
    """Colours come equally often, and the logprobs are those of the model."""
    status, answer = faithful(body)
    if status == 200 and "logprobs" in answer["choices"][0]:
        names = list(COLOURS) * 3
        answer = {"choices": [choice(json.dumps(n), math.log(COLOURS[n])) for n in names[: body["n"]]]}
    return status, answer


@contextmanager
def serving(answer: Callable[[dict[str, Any]], tuple[int, Any]], key: str = "") -> Iterator[str]:
    """The URL of a server on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def send(self, status: int, data: Any) -> None:
            raw = json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def allowed(self) -> bool:
            if key and self.headers.get("Authorization") != f"Bearer {key}":
                self.send(401, {"error": {"message": "no such key"}})
                return False
            return True

        def do_GET(self) -> None:
            if self.allowed():
                self.send(200, {"data": [{"id": "small"}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.allowed():
                self.send(*answer(body))

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)
