"""Schemas that mean harm: what one is, what it may become, and how an answer is judged.

Law: a case ends in bounded time and memory as one of its outcomes; what compiles has the verdicts given.
Source: house rule "no input may hang or crash the process".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.conformance.judge import Answer

# Some ten times what the cases take, so that they hold on slow machines.
SECONDS, MEGABYTES = 240.0, 4096

COMPILED, EMPTY, MALFORMED, REFUSED, LIMIT = "compiled", "empty", "malformed", "refused", "limit"


@dataclass(frozen=True)
class Hostile:
    """One schema as JSON text; `good` outcomes are what is asked for, `fair` ones are clear errors too."""

    name: str
    schema: str
    good: frozenset[str]
    fair: frozenset[str]
    texts: Mapping[str, bool] = field(default_factory=dict)


def case(name: str, schema: Any, good: set[str], texts: Mapping[str, bool] | None = None) -> Hostile:
    """A case; refusals and limits are fair where it could compile."""
    text = schema if isinstance(schema, str) else json.dumps(schema)
    fair = frozenset[str]() if good <= {MALFORMED, REFUSED} else frozenset({REFUSED, LIMIT})
    return Hostile(name, text, frozenset(good), fair, texts or {})


def status(one: Hostile, answer: Answer) -> str:
    """The status of a case for the ratchet."""
    if answer.outcome in one.good:
        wrong = answer.outcome == COMPILED and answer.verdicts != list(one.texts.values())
        # With exact masks no walk along them is ever stuck.
        wrong = wrong or bool(answer.walked and answer.walked["exact"] and answer.walked["dead"])
        return "wrong" if wrong else "right"
    if answer.outcome in one.fair or answer.outcome == "time":
        return answer.outcome
    return "wrong" if answer.outcome in (COMPILED, EMPTY, MALFORMED, REFUSED, LIMIT) else "crash"
