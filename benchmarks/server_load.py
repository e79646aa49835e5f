"""Many clients at a time against `gramspec serve`: errors, mixed-up answers, memory, and work that is freed.

Law: each client asks for texts that only it may get; an answer that is another's is counted.
Cost: `--seconds`, and some more for the end.

``python -m benchmarks.server_load --clients 64 --seconds 120`` runs it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

MODEL = "gramspec-embedded"


def main() -> None:
    """Start a server, ask, end it and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--leaving", type=float, default=0.1, help="share of requests whose client leaves")
    parser.add_argument("--distinct", type=int, default=50, help="grammars of a client and kind")
    parser.add_argument("--out", type=Path, help="folder for server_load.json")
    options = parser.parse_args()
    command = [sys.executable, "-m", "gramspec.cli", "serve", "--port", "0", "--log-level", "error"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        figures = asyncio.run(measured(address(server), server.pid, options))
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)
    figures["ended_with"] = server.returncode
    print(json.dumps(figures, indent=2))
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "server_load.json").write_text(json.dumps(figures, indent=1), "utf-8")


def address(server: subprocess.Popen[str]) -> str:
    """Where the server listens, once it says so."""
    assert server.stderr is not None
    for line in server.stderr:
        if (found := re.search(r"http://[0-9.:]+", line)) is not None:
            return found[0]
    raise SystemExit("the server did not start")


async def measured(url: str, process: int, options: argparse.Namespace) -> dict[str, Any]:
    """The figures of one run."""
    counts = {"answers": 0, "streams": 0, "left": 0, "errors": 0, "mixed_up": 0}
    times: list[float] = []
    memory: list[int] = []
    said: list[str] = []
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=300, limits=limits) as client:
        await ask(client, "0.0", random.Random(0), counts, times, said, 0.0)
        end = time.monotonic() + options.seconds

        async def one(number: int) -> None:
            draw = random.Random(number)
            turn = 0
            while time.monotonic() < end:
                mine = f"{number}.{turn % options.distinct}"
                await ask(client, mine, draw, counts, times, said, options.leaving)
                turn += 1

        async def watched() -> None:
            while time.monotonic() < end:
                memory.append(resident(process))
                await asyncio.sleep(5)

        await asyncio.gather(watched(), *(one(number) for number in range(options.clients)))
        freed = await until_idle(client)
    memory.append(resident(process))
    times.sort()
    settled = memory[len(memory) // 3]
    return {
        "clients": options.clients,
        "seconds": options.seconds,
        **counts,
        "requests_per_second": round((counts["answers"] + counts["streams"]) / options.seconds, 2),
        "median_seconds": round(times[len(times) // 2], 3),
        "p99_seconds": round(times[int(len(times) * 0.99)], 3),
        "resident_mib": memory,
        "growth_mib_after_a_third": memory[-1] - settled,
        "seconds_until_idle": freed,
        "load_average": os.getloadavg(),
        "what_errors_said": said[:5],
    }


async def ask(
    client: httpx.AsyncClient,
    mine: str,
    draw: random.Random,
    counts: dict[str, int],
    times: list[float],
    said: list[str],
    leaving: float,
) -> None:
    """One request of one client, and whether its answer is its own."""
    kind = draw.choice(("choice", "schema", "regex", "stream"))
    body: dict[str, Any] = {"model": MODEL, "prompt": f"client {mine}", "max_tokens": 40}
    if kind == "schema":
        schema = {"const": {"id": mine}}
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
        body["gramspec"] = {"whitespace": "compact"}
    elif kind == "regex":
        body["regex"] = f"{re.escape(mine)}:[a-z]{{1,3}}"
    else:
        body["choice"] = [mine]
    begun = time.perf_counter()
    try:
        if draw.random() < leaving:
            body.update(regex="[a-z]{200,300}", max_tokens=200, n=4)
            body.pop("choice", None), body.pop("response_format", None), body.pop("gramspec", None)
            wait = httpx.Timeout(300, read=draw.uniform(0.01, 0.5))
            try:
                await client.post("/v1/completions", json=body, timeout=wait)
            except httpx.ReadTimeout:
                counts["left"] += 1
            return
        if kind == "stream":
            text = await streamed(client, body)
            counts["streams"] += 1
        else:
            answer = await client.post("/v1/completions", json=body)
            answer.raise_for_status()
            text = answer.json()["choices"][0]["text"]
            counts["answers"] += 1
    except (httpx.HTTPError, ValueError, KeyError) as error:
        counts["errors"] += 1
        said.append(f"{type(error).__name__}: {error!s:.200}")
        return
    times.append(time.perf_counter() - begun)
    found = json.loads(text)["id"] if kind == "schema" else text.partition(":")[0]
    counts["mixed_up"] += found != mine


async def streamed(client: httpx.AsyncClient, body: dict[str, Any]) -> str:
    """The text of a stream."""
    text = ""
    async with client.stream("POST", "/v1/completions", json={**body, "stream": True}) as answer:
        answer.raise_for_status()
        async for line in answer.aiter_lines():
            if line.startswith("data: {"):
                event = json.loads(line[6:])
                if "error" in event:
                    raise ValueError(event["error"]["code"])
                text += "".join(choice["text"] for choice in event["choices"])
    return text


async def until_idle(client: httpx.AsyncClient) -> float:
    """Seconds until nothing is under way and nothing waits."""
    begun = time.monotonic()
    while time.monotonic() - begun < 120:
        text = (await client.get("/metrics")).text
        if "gramspec_running 0.0" in text and "gramspec_queue_depth 0.0" in text:
            return round(time.monotonic() - begun, 2)
        await asyncio.sleep(0.1)
    return -1.0


def resident(process: int) -> int:
    """Resident memory of a process, in MiB."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


if __name__ == "__main__":
    main()
