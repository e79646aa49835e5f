"""Exact budgets of schemas whose parts are read when a text reaches them: whatever is asked first, the answer
is the one of the whole grammar."""

from __future__ import annotations

import numpy as np

import gramspec as gs

LIMITS = {
    "type": "object",
    "properties": {
        "cpu": {"enum": ["small", "middle", "large"]},
        "memory": {"type": "integer", "minimum": 100},
    },
    "required": ["cpu", "memory"],
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "limits": LIMITS, "tags": {"type": "array", "items": LIMITS}},
    "required": ["name", "limits"],
    "additionalProperties": False,
}
TEXT = b'{"name":"a","limits":{"cpu":"small","memory":100},"tags":[]}'


def compiled() -> gs.CompiledGrammar:
    tokens = [bytes([b]) for b in range(256)] + [b"<eos>"]
    # An engine of its own: what another test has read of these schemas would hide what is still unread.
    return gs.compile(
        gs.json_schema(SCHEMA), gs.Vocabulary(tokens, [256]), limits=gs.Limits(compile_seconds=57.0)
    )


def test_exact_budgets_do_not_depend_on_what_was_asked_before() -> None:
    grammar = compiled()
    differences = 0
    for done in range(0, len(TEXT), 3):
        left = len(TEXT) - done + 1
        for budget in (left - 40, left - 20, left - 1, left):
            fresh, settled = grammar.matcher(), grammar.matcher()
            for matcher in (fresh, settled):
                assert matcher.advance_many(list(TEXT[:done])) == done
            fewest = settled.min_tokens(exact=True)
            found = fresh.viable(budget, exact=True)
            np.testing.assert_array_equal(found, settled.viable(budget, exact=True))
            assert bool(found.any()) == (fewest <= budget)
            assert fresh.can_end_within(budget) == (fewest <= budget)
            differences += fewest > budget
    assert differences > 5
