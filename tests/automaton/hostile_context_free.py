"""Context-free grammars that mean harm: ambiguous, cyclic, deep, wide, and small ones with long texts.

Law: as in `hostile_cases`, whose cases are entered first.
Source: house rule "no input may hang or crash the process".

``python -m tests.automaton.hostile_context_free NAME`` runs one case of either file.
"""

from __future__ import annotations

import itertools
import random
import sys

import gramspec as gs
from gramspec.errors import EmptyLanguageError, LimitError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar
from tests.automaton.hostile_cases import BYTES, EOS, SOON, allowed, case, main, matcher, on_stack, read

A, B = ir.literal("a"), ir.literal("b")


def rules(count: int) -> tuple[list[ir.Rule], list[ir.Expr]]:
    """Rules and references to them."""
    made = [ir.Rule(f"r{number}") for number in range(count)]
    return made, [ir.Ref(rule) for rule in made]


# -- ambiguity --------------------------------------------------------------------------------------------


@case()
def every_way_to_cut_a_run() -> None:
    """`S: S S S | S S | "a" | ""`: exponentially many trees, one state."""
    rule = ir.Rule("s")
    s = ir.Ref(rule)
    rule.define(ir.union(ir.concat(s, s, s), ir.concat(s, s), A, ir.EPSILON))
    one = matcher(s, [b"a" * 50, b"ab"])
    assert allowed(one) == {97, 257, EOS}
    read(one, b"a" * 3_000)
    assert allowed(one) == {97, 257, EOS}


@case()
def alternatives_that_begin_alike() -> None:
    """`S: "a" S "b" | "a" S "c" | "d"` would have 2^20 stacks after 20 letters, were they kept apart."""
    rule = ir.Rule("s")
    s = ir.Ref(rule)
    rule.define(
        ir.union(ir.concat(A, s, B), ir.concat(A, s, ir.literal("c")), ir.literal("d"), ir.concat(A, s, s))
    )
    one = matcher(s)
    read(one, b"a" * 400 + b"d")
    assert allowed(one) == {*b"abcd"}


@case(seconds=60, megabytes=1_000)
def palindromes() -> None:
    """Any letter may be the middle one: the stacks of all guesses are kept, each its own."""
    rule = ir.Rule("s")
    s = ir.Ref(rule)
    rule.define(ir.union(ir.concat(A, s, A), ir.concat(B, s, B), ir.EPSILON))
    text = bytes(random.Random(3).choice(b"ab") for _ in range(400))
    one = matcher(s)
    read(one, text + text[:0:-1])
    assert allowed(one) == {97, 98}
    read(one, text[:1])
    assert one.is_accepting


@case(seconds=60, megabytes=1_000)
def sums_that_may_be_read_in_any_order() -> None:
    """`E: E E "+" | "-" E | E "*" E | "(" E ")" | "a"` and the like."""
    rule = ir.Rule("e")
    e = ir.Ref(rule)
    rule.define(
        ir.union(
            *(ir.concat(e, ir.literal(mark), e) for mark in "+-*/"),
            ir.concat(ir.literal("-"), e),
            ir.concat(ir.literal("("), e, ir.literal(")")),
            ir.concat(e, ir.literal("?"), e, ir.literal(":"), e),
            A,
        )
    )
    one = matcher(e)
    read(one, b"-(a+a*-a?a-a:" * 300)
    assert allowed(one) == {*b"-(a"}
    read(one, b"a" + b")" * 300)
    assert allowed(one) == {*b"+-*/?", EOS}


@case()
def choices_that_double() -> None:
    """`r0: r1 r1 | r1`, `r1: r2 r2 | r2`, …: one letter to 2^40, in exponentially many ways."""
    made, refs = rules(41)
    for rule, inner in zip(made, refs[1:], strict=False):
        rule.define(ir.union(ir.concat(inner, inner), inner))
    made[40].define(A)
    one = matcher(refs[0])
    read(one, b"a" * 500)
    assert allowed(one) == {97, EOS}


# -- cycles -----------------------------------------------------------------------------------------------


@case(seconds=60)
def rules_that_all_may_be_empty() -> None:
    """Sixty rules, each two or three others: unit cycles and hidden left recursion everywhere."""
    made, refs = rules(60)
    dice = random.Random(5)
    for number, rule in enumerate(made):
        some = [dice.choice(refs) for _ in range(5)]
        rule.define(
            ir.union(ir.concat(*some[:2]), ir.concat(*some[2:]), ir.EPSILON, A if number == 7 else ir.EMPTY)
        )
    try:
        one = matcher(ir.concat(*refs), limits=SOON)
        read(one, b"a" * 300)
    except LimitError:  # the stacks of what was left out are 2^60
        return
    assert allowed(one) == {97, EOS}


@case()
def hundreds_that_begin_with_each_other() -> None:
    """Left recursion through 400 rules at once is a limit by name, through 60 it is not."""
    for count in (60, 400):
        made, refs = rules(count)
        for number, rule in enumerate(made):
            left = refs[(number + 1) % count]
            rule.define(ir.union(ir.concat(left, B), ir.concat(refs[(number * 7 + 3) % count], A), A))
        try:
            one = matcher(refs[0])
        except LimitError:
            assert count == 400
            continue
        read(one, b"a" + b"ab" * 200)
        assert {97, 98} <= allowed(one)


@case()
def nothing_repeated() -> None:
    """Repetitions of what may be empty, of each other, and of rules that come back to them."""
    rule = ir.Rule("s")
    s = ir.Ref(rule)
    inner = ir.repeat(ir.repeat(ir.union(ir.EPSILON, ir.repeat(s, 0, 3), A), 0, 1_000), 2)
    rule.define(ir.union(ir.concat(inner, B, inner), ir.repeat(inner, 5, 10**9)))
    try:
        one = matcher(s, limits=SOON)
        read(one, b"aab" * 200)
    except LimitError:
        return
    assert allowed(one) == {97, 98, EOS}


@case()
def rules_without_letters_on_a_deep_stack() -> None:
    """Returning into ten thousand frames that are all empty, on a small stack."""
    made, refs = rules(3)
    made[0].define(ir.union(ir.concat(A, refs[0], refs[1]), ir.literal("d")))
    made[1].define(refs[2])
    made[2].define(ir.EPSILON)

    def run() -> None:
        one = matcher(refs[0])
        assert one.advance_many(b"a" * 10_000 + b"d") == 10_001
        assert allowed(one) == {EOS}

    on_stack(256, run)


@case()
def beginnings_that_double() -> None:
    """`r0: r1 "x" | r1 "y" | r2 "z"`, …: to begin is to enter forty rules in 2^40 ways."""
    made, refs = rules(42)
    for rule, inner, later in zip(made, refs[1:], refs[2:], strict=False):
        rule.define(
            ir.union(
                ir.concat(inner, ir.literal("x")),
                ir.concat(inner, ir.literal("y")),
                ir.concat(later, ir.literal("z")),
            )
        )
    made[40].define(A)
    made[41].define(B)
    one = matcher(refs[0])
    assert allowed(one) == {97, 98}
    read(one, b"a" + b"xy" * 20)
    assert one.is_accepting


# -- sizes ------------------------------------------------------------------------------------------------


@case(seconds=60)
def a_chain_of_a_hundred_thousand_rules() -> None:
    """Rules that are one other rule, on a small stack, with and without an end."""

    def run() -> None:
        for end in (A, ir.EMPTY):
            made, refs = rules(100_000)
            for rule, inner in zip(made, refs[1:], strict=False):
                rule.define(inner)
            made[-1].define(end)
            try:
                one = matcher(refs[0])
            except EmptyLanguageError:
                assert end is ir.EMPTY
                continue
            assert allowed(one) == {97}
            one.advance(97)
            assert allowed(one) == {EOS}

    on_stack(512, run)


@case(seconds=60, megabytes=800)
def a_chain_of_fifty_thousand_rules_with_ends() -> None:
    """Each rule is the next one and a letter: to begin is to enter all of them."""
    made, refs = rules(50_000)
    for rule, inner in zip(made, refs[1:], strict=False):
        rule.define(ir.union(ir.concat(inner, B), ir.concat(A, inner)))
    made[-1].define(A)

    def run() -> None:
        try:
            one = matcher(refs[0])
            assert allowed(one) == {97}
        except LimitError:
            return

    on_stack(512, run)


@case(seconds=60, megabytes=800)
def ten_thousand_rules() -> None:
    made, refs = rules(10_000)
    dice = random.Random(11)
    for number, rule in enumerate(made):
        later = [dice.choice(refs) for _ in range(2)]
        name = ir.literal(f"<{number}>")
        rule.define(ir.union(ir.concat(name, later[0], B), ir.concat(name, later[1]), ir.concat(name, A)))
    one = matcher(refs[0], [b"<0>", b"<0><"])
    assert allowed(one) == {ord("<"), 257, 258}
    read(one, b"<0>")
    assert allowed(one) == {ord("<"), 97}
    one.advance(97)
    assert allowed(one) == {EOS}


@case(seconds=60, megabytes=800)
def ten_thousand_alternatives() -> None:
    rule = ir.Rule("s")
    s = ir.Ref(rule)
    words = [f"word{number * 7919 % 100_003:05}" for number in range(10_000)]
    calls = [ir.concat(ir.literal(word), ir.literal("("), s, ir.literal(")")) for word in words]
    rule.define(ir.union(*calls, ir.concat(s, ir.literal("+"), s), ir.literal("0")))
    one = matcher(s, [b"word", words[5].encode() + b"("])
    read(one, b"".join(word.encode() + b"(" for word in words[:50]))
    assert {ord("w"), ord("0"), 257, 258} == allowed(one)
    read(one, b"0+0)+0")
    assert allowed(one) == {*b"+)"}


@case(seconds=60, megabytes=800)
def a_hundred_thousand_items_in_a_row() -> None:
    made, refs = rules(3)
    made[0].define(ir.union(A, ir.EPSILON))
    made[1].define(ir.union(ir.concat(refs[1], B), A))
    made[2].define(ir.concat(*[refs[0], refs[1]] * 50_000))
    try:
        one = matcher(refs[2])
        read(one, b"aabb" * 20)
    except LimitError:
        return
    assert allowed(one) == {97, 98}


@case()
def two_to_the_fiftieth() -> None:
    """`r0: r1 r1`, `r1: r2 r2`, …: one member, of 2^50 letters, which a text never ends."""
    made, refs = rules(51)
    for rule, inner in zip(made, refs[1:], strict=False):
        rule.define(ir.concat(inner, inner))
    made[50].define(A)
    one = matcher(refs[0], [b"a" * 64])
    read(one, b"a" * 1_000)
    assert allowed(one) == {97, 257}
    assert one.min_tokens() > 1 << 40


@case()
def repetitions_of_rules_without_end() -> None:
    rule = ir.Rule("s")
    s = ir.Ref(rule)
    rule.define(ir.union(ir.concat(ir.literal("("), ir.repeat(s, 0, 10**9), ir.literal(")")), A))
    one = matcher(ir.repeat(s, 10**6, 10**12))
    read(one, b"(((a)a(a)" * 200)
    assert allowed(one) == {*b"()a"}


@case(seconds=60, megabytes=1_000)
def items_that_may_be_left_out() -> None:
    """Two thousand optional rules in a row, each of its own letters: from any of them to any later one."""
    made, refs = rules(2_000)
    for number, rule in enumerate(made):
        rule.define(ir.union(ir.EPSILON, ir.literal(f"{number:04}"), ir.concat(ir.literal("x"), refs[0])))
    try:
        one = matcher(ir.concat(*refs))
        read(one, b"000001990200")
    except LimitError:
        return
    assert {*b"01x"} <= allowed(one)


@case(seconds=60)
def names_used_before_they_are_declared() -> None:
    """A grammar of 1,500 rules in an order that settles one rule a pass."""
    made, refs = rules(1_500)
    order = list(range(1_500))
    random.Random(2).shuffle(order)
    for here, following in itertools.pairwise(order):
        made[here].define(ir.union(ir.concat(refs[following], refs[following]), ir.concat(A, refs[here])))
    made[order[-1]].define(ir.union(ir.EPSILON, B))
    top = ir.union(*refs)
    try:
        one = matcher(top, limits=SOON)
        read(one, b"ab" * 10)
    except LimitError:  # any rule may stand above any of those before it
        return
    assert allowed(one) == {97, 98, EOS}


@case()
def a_limit_leaves_the_matcher_as_it_was() -> None:
    rule = ir.Rule("s")
    s = ir.Ref(rule)
    rule.define(ir.union(ir.concat(A, s, A), ir.concat(B, s, B), ir.concat(s, s), ir.EPSILON))
    limits = gs.Limits(max_configurations=2_000, max_states=20_000)
    compiled = gs.compile(Grammar(s), gs.Vocabulary(BYTES, [EOS]), limits=limits)
    one = compiled.matcher()
    text = bytes(random.Random(8).choice(b"ab") for _ in range(3_000))
    done = 0
    try:
        for byte in text:
            one.advance(byte)
            done += 1
    except LimitError:
        assert done > 10
    else:
        return
    one.rollback(done)
    assert allowed(one) == {97, 98, EOS}


if __name__ == "__main__":
    main(sys.argv[1])
