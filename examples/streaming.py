"""Text as soon as nothing can take it back.

Run: python examples/streaming.py
"""

from __future__ import annotations

import gramspec as gs
from gramspec.validity import Recipe

target, draft = gs.models.embedded()
grammar = gs.regex("(red|blue)( (red|blue))?")


def show(chunk: gs.Chunk) -> None:
    print(f"  prompt {chunk.prompt}, sample {chunk.sample}: {chunk.text!r}{' (end)' if chunk.final else ''}")


asked = {"draft": draft, "max_new_tokens": 8, "seed": 1, "stream": show}
print("masked: after each round")
gs.generate(target, ["Pick two colours: "], grammar, law="masked", **asked)
print("conditional, by restarts: at the end, since an attempt may die")
gs.generate(target, ["Pick two colours: "], grammar, **asked)
print("conditional, with an exact potential: after each round, since none does")
gs.generate(target, ["Pick two colours: "], grammar, potential=Recipe.exact(), **asked)
