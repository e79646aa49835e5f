"""gramspec as the engine of outlines: through its public door, and by name.

Run: python examples/outlines_backend.py (needs outlines)
"""

from __future__ import annotations

from typing import Literal

import outlines
from pydantic import BaseModel, Field

import gramspec as gs


class User(BaseModel, extra="forbid"):
    name: Literal["Maria", "Wei"]
    age: int = Field(ge=18, le=65)


target, _ = gs.models.embedded()
model = outlines.from_transformers(target.model, target.tokenizer)

generator = outlines.Generator(model, processor=gs.outlines.processor(model, User))
print(User.model_validate_json(generator("Write a JSON user profile for Maria, 34.\n", max_new_tokens=40)))
for text in generator.batch(["Profile of Maria: ", "Wei: "], max_new_tokens=40, num_beams=3):
    print(User.model_validate_json(text))

gs.outlines.install()
print(model("Red or green? ", Literal["red", "green"], backend="gramspec"))
gs.outlines.uninstall()
