"""A client of `gramspec serve`: the official one of OpenAI, plain, with a schema, and streamed.

Run: python examples/server_client.py [URL] (needs gramspec[server] and openai); without a URL it starts a
server of its own and ends it again.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from openai import OpenAI
from pydantic import BaseModel


@contextmanager
def server() -> Iterator[str]:
    """`gramspec serve` on a free port; gives its URL."""
    command = [sys.executable, "-m", "gramspec.cli", "serve", "--port", "0", "--log-level", "warning"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"at (http://\S+)", line):
                yield found[1]
                return
        raise SystemExit("the server did not start")
    finally:
        process.terminate()
        process.communicate()


class Weather(BaseModel):
    city: str
    temperature: int
    condition: str
    wind: int


def ask(url: str) -> None:
    client = OpenAI(base_url=f"{url}/v1", api_key="none")
    model = client.models.list().data[0].id

    answer = client.completions.create(
        model=model,
        prompt="Is 7 even? Answer true or false.\n",
        seed=1,
        extra_body={"choice": ["true", "false"]},
    )
    print(answer.choices[0].text, answer.usage)

    parsed = client.chat.completions.parse(
        model=model,
        messages=[{"role": "user", "content": "Weather in Berlin as JSON: rain."}],
        response_format=Weather,
        seed=1,
    )
    print(parsed.choices[0].message.parsed)

    stream = client.completions.create(
        model=model,
        prompt="Three colours:",
        stream=True,
        seed=1,
        extra_body={"regex": "(red|green|blue)(, (red|green|blue)){2}", "gramspec": {"law": "masked"}},
    )
    print([chunk.choices[0].text for chunk in stream if chunk.choices])


if sys.argv[1:]:
    ask(sys.argv[1])
else:
    with server() as url:
        ask(url)
