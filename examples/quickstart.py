"""Two user profiles that fit a schema, drawn from P(text | text fits).

Run: python examples/quickstart.py
"""

from __future__ import annotations

from pathlib import Path

import gramspec as gs

schema = (Path(__file__).parent / "user.schema.json").read_text("utf-8")
target, draft = gs.models.embedded()

[completions] = gs.generate(
    target,
    ["Write a JSON user profile for Maria Lopez.\n"],
    gs.json_schema(schema, whitespace=1),
    draft=draft,
    n=2,
    seed=1,
)
for completion in completions:
    print(completion.text)
print(completions[-1].report)
