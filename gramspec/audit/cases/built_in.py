"""The cases that come with the package: one file for each kind of grammar.

Law: a file is a JSON array of ``{"cause", "grammar", "valid": [texts], "invalid": [texts], "options"}``; a
schema may be written as JSON, its texts as JSON texts.
"""

from __future__ import annotations

import itertools
import json
from importlib.resources import files
from typing import Any, Final

from gramspec.audit.cases.worlds import worlds
from gramspec.audit.suites.context import GrammarCase, Instance

_FILES: Final = {
    "json_schema": "json_schema.json",
    "regex": "regex.json",
    "lark": "lark.json",
    "gbnf": "gbnf.json",
    "choice": "choice.json",
}

_WORLDS: Final = {"quick": (8, 8, 4), "full": (150, 80, 60)}
"""Random schemas, context-free grammars and regular expressions of a profile."""


def built_in(profile: str = "quick", seed: int = 0) -> list[GrammarCase]:
    """The built-in cases of a profile, then random ones made from `seed`."""
    # Kinds take turns, so that none is left out where an engine is slow.
    turns = itertools.zip_longest(*(named_cases(kind) for kind in _FILES))
    named = [case for turn in turns for case in turn if case is not None]
    return named + worlds(seed, *_WORLDS[profile])


def unspellable() -> list[GrammarCase]:
    """Grammars with members that `partial_vocabulary` cannot write, beside one that it can."""
    grammars = {
        "regex": "(az|b)c",
        "lark": 'start: ("a" "z" | "b") "c"\n',
        "gbnf": 'root ::= ("a" "z" | "b") "c"\n',
        "choice": '["azc", "bc"]',
    }
    cause = "a vocabulary that cannot spell"
    return [
        GrammarCase(kind, grammar, (Instance("bc", True),), f"built-in:{kind} without z", cause)
        for kind, grammar in grammars.items()
    ]


def named_cases(kind: str) -> list[GrammarCase]:
    """The built-in cases of one kind."""
    text = files("gramspec.audit.cases").joinpath(_FILES[kind]).read_text(encoding="utf-8")
    return [_case(kind, number, entry) for number, entry in enumerate(json.loads(text))]


def _case(kind: str, number: int, entry: dict[str, Any]) -> GrammarCase:
    grammar = entry["grammar"]
    instances = [Instance(text, True) for text in entry.get("valid", ())]
    instances += [Instance(text, False) for text in entry.get("invalid", ())]
    return GrammarCase(
        kind,
        grammar if isinstance(grammar, str) else json.dumps(grammar, ensure_ascii=False),
        tuple(instances),
        f"built-in:{kind}#{number}",
        entry.get("cause", ""),
        entry.get("options", {}),
        tuple(k for k in grammar if k != "$defs") if isinstance(grammar, dict) else (),
    )
