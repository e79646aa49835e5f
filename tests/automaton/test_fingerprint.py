"""Fingerprints tell languages apart and do not depend on which objects spell them."""

from __future__ import annotations

from gramspec.automaton.fingerprint import fingerprint
from gramspec.grammar import ir


def test_sharing_does_not_change_a_fingerprint() -> None:
    def part() -> ir.Expr:
        return ir.Union((ir.literal("ab"), ir.EPSILON))

    one = part()
    assert fingerprint(ir.Concat((one, one))) == fingerprint(ir.Concat((part(), part())))


def test_structure_changes_it() -> None:
    a, b = ir.literal("a"), ir.literal("b")
    loop, other = ir.Rule("loop"), ir.Rule("other")
    loop.define(ir.union(ir.concat(a, ir.Ref(loop)), b))
    other.define(ir.union(ir.concat(a, ir.Ref(other)), a))
    seen = [
        fingerprint(e)
        for e in (
            a,
            b,
            ir.concat(a, b),
            ir.concat(b, a),
            ir.union(a, b),
            ir.repeat(a, 0, 3),
            ir.repeat(a, 0, None),
            ir.Not(a),
            ir.Ref(loop),
            ir.Ref(other),
            ir.TokenEdge(1),
            ir.TokenEdge("1"),
        )
    ]
    assert len(set(seen)) == len(seen)


def test_equal_rules_of_other_names_and_objects_are_equal() -> None:
    def grammar(name: str) -> ir.Expr:
        rule = ir.Rule(name)
        rule.define(ir.union(ir.concat(ir.literal("("), ir.Ref(rule), ir.literal(")")), ir.EPSILON))
        return ir.Ref(rule)

    assert fingerprint(grammar("x")) == fingerprint(grammar("y"))
