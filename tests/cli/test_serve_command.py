"""`gramspec serve`: what it refuses before it listens, and one life from the first line to the signal."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("typer")
pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

from gramspec.cli import main

PATIENT = 120.0
KEY = "a-key-for-this-test"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--db", "shop"], "--db: a name and a URL are needed"),
        (["--db", "a=sqlite:///a.db", "--db", "a=sqlite:///b.db"], "two databases 'a'"),
        (["--max-batch", "0"], "max_batch=0"),
        (["--port", "70000"], "port=70000"),
        (["--request-seconds", "0"], "request_seconds=0"),
        (["--api-key", ""], "api_keys"),
        (["--port", "0", "--target", "/nowhere"], "/nowhere"),
        (["--port", "0", "--device", "cuda"], "the embedded pair"),
        (["--port", "0", "--log-level", "loud"], "loud"),
    ],
)
def test_bad_options_are_refused_by_name(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["serve", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_port_in_use_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["serve", "--port", port]) == 2
    assert f"--port {port}" in capsys.readouterr().err


def test_it_serves_until_a_signal_comes() -> None:
    command = [sys.executable, "-m", "gramspec.cli", "serve", "--port", "0", "--api-key", KEY]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as server:
        watchdog = threading.Timer(PATIENT, server.kill)
        watchdog.start()
        try:
            assert server.stderr is not None
            lines = iter(server.stderr.readline, "")
            url = next(found[0] for line in lines if (found := re.search(r"http://[\d.]+:\d+", line)))
            body = {"model": "gramspec-embedded", "prompt": "x", "choice": ["yes", "no"]}
            request = urllib.request.Request(
                f"{url}/v1/completions",
                json.dumps(body).encode(),
                {"content-type": "application/json", "authorization": f"Bearer {KEY}"},
            )
            with urllib.request.urlopen(request, timeout=PATIENT) as answer:
                assert json.load(answer)["choices"][0]["text"] in ("yes", "no")
            server.send_signal(signal.SIGINT)
            logs = [json.loads(line) for line in lines if line.startswith("{")]
            assert server.wait(PATIENT) == 0
        finally:
            watchdog.cancel()
            server.kill()
    [line] = [log for log in logs if log.get("route") == "/v1/completions"]
    assert line["status"] == 200 and line["law"] == "conditional" and line["target_forwards"] >= 1
    assert KEY not in json.dumps(logs)
