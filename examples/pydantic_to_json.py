"""A pydantic model in, an instance of it out: JSON that parses, drawn from P(text | it fits the model).

Run: python examples/pydantic_to_json.py (needs pydantic)
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

import gramspec as gs


class Weather(BaseModel, extra="forbid"):
    city: str = Field(max_length=30)
    temperature: int = Field(ge=-60, le=60)
    condition: Literal["sunny", "cloudy", "rain", "snow"]
    wind: int = Field(ge=0, le=200)


target, draft = gs.models.embedded()
[completions] = gs.generate(
    target,
    ["Weather in Berlin as JSON: rain.\n"],
    gs.json_schema(Weather, whitespace=1),
    draft=draft,
    n=3,
    max_new_tokens=60,
    seed=1,
)
for completion in completions:
    weather = Weather.model_validate_json(completion.text)
    print(f"{weather!r}   {completion.report.guarantee}, log p {completion.logprob:.2f}")
