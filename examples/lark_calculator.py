"""Sums of a Lark grammar, at random and by a model.

Run: python examples/lark_calculator.py
"""

from __future__ import annotations

from pathlib import Path

import gramspec as gs
from gramspec.automaton.members import WeightedMembers, seeded


def value_of(text: str) -> object:
    """What Python makes of a sum: the grammar allows numbers, signs and brackets alone."""
    try:
        return eval(text, {"__builtins__": {}})
    except ZeroDivisionError as error:
        return error


text = (Path(__file__).parents[1] / "grammars" / "arithmetic.lark").read_text("utf-8")
grammar = gs.lark(text)
assert grammar.accepts("(1 + 2) * 3")
assert not grammar.accepts("(1 + 2 * 3")

# Members at random, without a model.
members, choose = WeightedMembers(grammar, length=20), seeded(3)
for _ in range(4):
    sum_ = members.draw(choose).decode()
    print(f"{sum_!r} = {value_of(sum_)}")

target, draft = gs.models.embedded()
[[answer]] = gs.generate(target, ["What is 3 + 4?\n"], grammar, draft=draft, max_new_tokens=8, seed=1)
print(f"the model says {answer.text!r} ({answer.report.guarantee})")

# What is wrong with a grammar is shown where it is.
try:
    gs.lark('start: "a" item')
except gs.GrammarError as error:
    print(error)
