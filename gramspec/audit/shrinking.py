"""Making a failing case small: structure first, then pieces of text; every step is judged again.

Law: what comes back still fails by the same predicate, and is never longer. Cost: so many trials, so many
seconds. Source: Zeller and Hildebrandt (2002), delta debugging; greedy structural reduction of JSON.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gramspec.audit.texts import value_of
from gramspec.testing.json_shrinking import shrunk as shrunk_json

_PIECES: Final = re.compile(r"\w+|\"(?:[^\"\\\n]|\\.)*\"|\s+|.", re.DOTALL)

Fails = Callable[[str, str], bool]
"""Whether a grammar and a text still show the fault."""


@dataclass
class Budget:
    """Trials and seconds left."""

    trials: int
    until: float

    def take(self) -> bool:
        """Whether one more trial may be made."""
        self.trials -= 1
        return self.trials >= 0 and time.monotonic() < self.until


def shrunk(
    kind: str,
    grammar: str,
    text: str,
    fails: Fails,
    *,
    keep: Sequence[str] = (),
    trials: int = 200,
    seconds: float = 5.0,
) -> tuple[str, str]:
    """A smaller grammar and text that still fail; `keep`: keywords that stay at the root of a schema."""
    budget = Budget(trials, time.monotonic() + seconds)

    def check(smaller_grammar: str, smaller_text: str) -> bool:
        return budget.take() and fails(smaller_grammar, smaller_text)

    is_json, value = value_of(text)
    draft = _draft(json.loads(grammar)) if kind == "json_schema" else None

    def sound(schema: Any) -> bool:
        return _schema(schema, keep) and _draft(schema) == draft

    if kind == "json_schema":
        if is_json and check(grammar, _written(value)):
            grammar, text = _json_pair(grammar, value, check, sound)
        schema = shrunk_json(json.loads(grammar), lambda s: sound(s) and check(_written(s), text))
        grammar = _written(schema)
    elif kind == "choice":
        options = shrunk_json(json.loads(grammar), lambda o: _options(o) and check(_written(o), text))
        grammar = _written(options)
    else:
        grammar = _pieces(grammar, lambda smaller: check(smaller, text))
    return grammar, _pieces(text, lambda smaller: check(grammar, smaller))


def _json_pair(grammar: str, value: Any, check: Fails, sound: Callable[[Any], bool]) -> tuple[str, str]:
    """Schema and instance at once, so that a property can go from both."""

    def both(pair: Any) -> bool:
        return (
            isinstance(pair, list)
            and len(pair) == 2
            and sound(pair[0])
            and check(_written(pair[0]), _written(pair[1]))
        )

    small = shrunk_json([json.loads(grammar), value], both)
    return _written(small[0]), _written(small[1])


def _schema(value: Any, keep: Sequence[str]) -> bool:
    if isinstance(value, bool):
        return not keep
    return isinstance(value, dict) and all(keyword in value for keyword in keep)


def _draft(schema: Any) -> Any:
    return schema.get("$schema") if isinstance(schema, dict) else None


def _options(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(option, str) for option in value)


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _pieces(text: str, fails: Callable[[str], bool]) -> str:
    """Leave out runs of pieces, longest first, then characters."""
    for split in (_PIECES.findall, list):
        pieces: list[str] = split(text)
        size = max(1, len(pieces) // 2)
        while True:
            place, changed = 0, False
            while place < len(pieces):
                rest = pieces[:place] + pieces[place + size :]
                if fails("".join(rest)):
                    pieces, changed = rest, True
                else:
                    place += size
            if size == 1 and not changed:
                break
            size = max(1, size // 2)
        text = "".join(pieces)
    return text
