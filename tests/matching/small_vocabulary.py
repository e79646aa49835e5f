"""A small vocabulary with duplicates, unused ids, two EOS ids and a special token, for tests of matching."""

from __future__ import annotations

from typing import Any

import gramspec as gs
from gramspec.grammar.core import Grammar

# ids:             0     1     2      3     4     5      6     7     8      9     10
TOKENS: list[bytes | None] = [b"a", b"b", b"ab", b"ba", b"c", None, None, b"a", b"abc", None, b"x"]
EOS = (6, 9)
TOOL = {"<|tool|>": 5}


def vocabulary() -> gs.Vocabulary:
    return gs.Vocabulary(TOKENS, EOS, special_tokens=TOOL)


def compiled(grammar: Grammar | str, **limits: Any) -> gs.CompiledGrammar:
    if isinstance(grammar, str):
        grammar = gs.regex(grammar)
    return gs.compile(grammar, vocabulary(), limits=gs.Limits(**limits))


def ids(matcher: gs.Matcher) -> list[int]:
    return [int(i) for i in matcher.allowed_ids()]
