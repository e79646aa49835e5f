"""The five minutes of the page on the server, as typed, against a server on a free port."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integrations.server_world import listening

PAGE = (Path(__file__).parents[2] / "docs/server.md").read_text("utf-8")
THERE = "http://127.0.0.1:8000"


def test_the_first_requests_work_as_typed(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("openai")
    [script] = re.findall(r"^```py\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    [typed] = re.findall(r"^\$ (curl .*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    with listening() as (url, _):
        exec(compile(script.replace(THERE, url), "docs/server.md", "exec"), {"__name__": "page"})
        shown = capsys.readouterr().out.splitlines()
        assert shown[0].startswith("name='") and re.match(r"conditional (exact|consistent) \d+$", shown[1])
        assert re.fullmatch("(red|green|blue)(, (red|green|blue)){2}", shown[2])
        if shutil.which("curl") is None:
            return
        done = subprocess.run(
            ["sh", "-c", typed.replace(THERE, url)], capture_output=True, check=True, timeout=120
        )
        assert json.loads(done.stdout)["choices"][0]["text"] in ("true", "false")
