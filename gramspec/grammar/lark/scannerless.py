"""The scannerless meaning of a Lark grammar: every way to cut a text into terminals counts.

Law: a text belongs iff it is a sequence of members of terminals that the rules derive, with any number of
ignored terminals before the first, between two, and after the last; inside a terminal there are none.
"""

from __future__ import annotations

from gramspec.grammar import ir
from gramspec.grammar.lark.model import Model, lowered
from gramspec.grammar.lark.preemption import preempted


def lower(model: Model) -> ir.Expr:
    """The language of a grammar over bytes and token edges.

    Raises
    ------
    EmptyLanguageError
        If the start rule has no member.
    """
    model = preempted(model)
    rules = model.rules
    gap = ir.repeat(ir.union(*(lowered(model.terminals[name]) for name in model.ignored)))
    if not model.ignored:
        gap = ir.EPSILON
    for name, terminal in model.terminals.items():
        rules.define(name, ir.concat(lowered(terminal), gap), terminal.position)
    whole = rules.finish(model.start)
    return ir.concat(gap, whole) if model.initial_gap else whole
