"""The server behind uvicorn: clients that leave, neighbours, comments that keep a stream alive, the end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.integrations.server_world import MODEL, httpx, listening

PATIENT = 60.0
# The model writes no such thing: restarts go on until somebody ends them.
HOPELESS = {
    "model": MODEL,
    "prompt": "x",
    "regex": "[qzj]{40}",
    "max_tokens": 60,
    "gramspec": {"sampler": "restart", "max_attempts": 1_000_000, "drafter": "none"},
}


@pytest.fixture(scope="module")
def live() -> Iterator[tuple[str, Any]]:
    with listening(keep_alive_seconds=0.2, request_seconds=PATIENT) as one:
        yield one


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENT
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("stream", [False, True])
def test_the_work_of_a_client_who_leaves_ends(live: Any, stream: bool) -> None:
    url, app = live
    engine = app.state.engine
    with (
        httpx.Client(timeout=PATIENT) as client,
        client.stream("POST", f"{url}/v1/completions", json={**HOPELESS, "stream": True})
        if stream
        else _impatient(url, engine) as answer,
    ):
        if stream:
            lines = answer.iter_lines()
            assert next(lines) == ": keep-alive"
            assert engine.running == 1
    until(lambda: engine.running == 0)
    assert 'reason="client"' in httpx.get(f"{url}/metrics").text


def _impatient(url: str, engine: Any) -> Any:
    from contextlib import nullcontext

    with httpx.Client(timeout=httpx.Timeout(PATIENT, read=1.0)) as client:
        with pytest.raises(httpx.ReadTimeout):
            client.post(f"{url}/v1/completions", json=HOPELESS)
        assert engine.running <= 1
    return nullcontext()


def test_a_seeded_text_does_not_depend_on_its_neighbours(live: Any) -> None:
    url, _ = live

    def ask(seed: int | None, number: int) -> Any:
        body = {
            "model": MODEL,
            "prompt": f"number {number % 3}",
            "regex": "([a-z]+ ?){1,4}",
            "max_tokens": 16,
        }
        law = {"law": "masked"} if number % 2 else {}
        answer = httpx.post(
            f"{url}/v1/completions",
            json={
                **body,
                "max_tokens": 16,
                "gramspec": law,
                "logprobs": 1,
                **({} if seed is None else {"seed": seed}),
            },
            timeout=PATIENT,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["choices"]

    alone = [ask(k, k) for k in range(6)]
    with ThreadPoolExecutor(16) as pool:
        crowd = [pool.submit(ask, k if k < 6 else None, k) for k in (*range(6), *range(10, 20))]
        found = [one.result(PATIENT) for one in crowd]
    assert found[:6] == alone  # logprobs too, to the last digit


def test_a_deadline_is_a_504_and_in_a_stream_the_last_event() -> None:
    with listening(keep_alive_seconds=0.1, request_seconds=0.5) as (url, app):
        answer = httpx.post(f"{url}/v1/completions", json=HOPELESS, timeout=PATIENT)
        assert answer.status_code == 504 and answer.json()["error"]["code"] == "deadline_exceeded"
        streamed = httpx.post(f"{url}/v1/completions", json={**HOPELESS, "stream": True}, timeout=PATIENT)
        assert streamed.status_code == 200
        events = [line[6:] for line in streamed.text.split("\n") if line.startswith("data: ")]
        assert json.loads(events[-2])["error"]["code"] == "deadline_exceeded" and events[-1] == "[DONE]"
        until(lambda: app.state.engine.running == 0)


def test_an_error_that_comes_soon_is_the_status_of_a_stream(live: Any) -> None:
    url, _ = live
    body = {**HOPELESS, "stream": True, "gramspec": {"sampler": "restart", "max_attempts": 1}}
    answer = httpx.post(f"{url}/v1/completions", json=body, timeout=PATIENT)
    assert answer.status_code == 422 and answer.json()["error"]["code"] == "budget_exhausted"
