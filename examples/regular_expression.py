"""Texts of a regular expression, and what a mask of it looks like one token at a time.

Run: python examples/regular_expression.py
"""

from __future__ import annotations

import gramspec as gs

target, draft = gs.models.embedded()
grammar = gs.regex(r"(19|20)\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")

[completions] = gs.generate(
    target, ["The date of the meeting: "], grammar, draft=draft, n=3, max_new_tokens=16, seed=1
)
for completion in completions:
    print(completion.text)
    assert grammar.accepts(completion.text)

# The same grammar as an object to steer a decoder of your own: which tokens may follow?
vocabulary = target.vocabulary
matcher = gs.compile(grammar, vocabulary).matcher()
for _ in range(4):
    allowed = matcher.allowed_ids()
    shown = sorted({vocabulary.tokens[token].decode(errors="backslashreplace") for token in allowed})
    print(f"{len(allowed):>3} tokens may follow, {', '.join(shown[:8])}{', …' if len(shown) > 8 else ''}")
    matcher.advance(int(allowed[0]))
matcher.rollback(2)
assert not matcher.is_accepting
