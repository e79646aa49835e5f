"""What node says about regular expressions: `RegExp.prototype.test` on many texts at once."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence

import pytest

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")
_PROGRAM = """
const lines = require('fs').readFileSync(0, 'utf8').split('\\n').filter(line => line);
for (const line of lines) {
  const [pattern, flags, texts] = JSON.parse(line);
  let verdicts = null;
  try {
    const expression = new RegExp(pattern, flags);
    verdicts = texts.map(text => expression.test(text));
  } catch (error) {}
  console.log(JSON.stringify(verdicts));
}
"""


def judge(cases: Sequence[tuple[str, str, Sequence[str]]]) -> list[list[bool] | None]:
    """For each (pattern, flags, texts) the verdicts; None where the pattern is a syntax error."""
    assert NODE is not None
    given = "\n".join(json.dumps(case) for case in cases)
    run = subprocess.run([NODE, "-e", _PROGRAM], input=given, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in run.stdout.split("\n") if line]
