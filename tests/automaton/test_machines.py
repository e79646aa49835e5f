"""Finite automata as expressions: what the native core makes of `ir.Machine`.

Law: a machine denotes the strings along its paths from state 0 to an accepting state, wherever it stands.
"""

from __future__ import annotations

import itertools

import pytest

import gramspec as gs
from gramspec.automaton.engine import Engine
from gramspec.automaton.fingerprint import fingerprint
from gramspec.automaton.loader import load
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar
from gramspec.testing.grammars import SeededDice, _machine
from gramspec.testing.oracle import Recogniser

A, B, C = (ir.literal(x) for x in "abc")
WORDS = [bytes(w) for n in range(6) for w in itertools.product(b"abc", repeat=n)]
BYTES = gs.Vocabulary([*(bytes([b]) for b in range(256)), None], [256])


def engine(tokens: list[bytes | None] | None = None, **limits: int) -> Engine:
    return Engine([bytes([b]) for b in range(256)] if tokens is None else tokens, gs.Limits(**limits))


def members(core_engine: Engine, expr: ir.Expr) -> set[bytes]:
    core = core_engine.core
    start = core.start(load(core_engine, expr).expr)
    return {w for w in WORDS if (config := core.advance_bytes(start, w)) and core.accepts(config)}


def counter(modulus: int, *, start: int = 0) -> ir.Machine:
    """Numbers of a's modulo `modulus`, with any b's between them."""
    arcs = tuple(((A, (q + 1) % modulus), (B, q)) for q in range(modulus))
    return ir.Machine(arcs, tuple(q == start for q in range(modulus)))


def test_random_machines_in_every_place() -> None:
    """Bare, inverted, intersected, repeated and concatenated, against sets of end positions."""
    letters = ir.repeat(ir.byte_set(b"abc"), 0, 5)
    used = 0
    for seed in range(30):
        dice = SeededDice([seed, 31])
        one, two = _machine(dice, b"abc"), _machine(dice, b"abc")
        for expr in (
            one,
            ir.And((letters, ir.Not(one))),
            ir.And((one, two)),
            ir.And((one, ir.Not(two))),
            ir.repeat(one, 1, 2),
            ir.repeat(one),
            ir.concat(one, C, two),
            ir.union(ir.Call(one), two),
        ):
            oracle = Recogniser(expr)
            expected = {w for w in WORDS if oracle.accepts(w)}
            if expected:
                used += 1
                assert members(engine(), expr) == expected
    assert used > 120


def test_dead_states_and_bytes_that_no_token_writes() -> None:
    dead_end = ir.Machine((((A, 1), (B, 2)), (), ((C, 2),)), (False, True, False))
    core_engine = engine()
    core = core_engine.core
    assert core.live_bytes(core.start(load(core_engine, dead_end).expr)) == b"a"
    nothing = ir.Machine((((A, 1),), ((B, 0),)), (False, False))
    for expr in (nothing, ir.concat(A, nothing), ir.And((counter(2, start=1), ir.repeat(ir.literal("aa"))))):
        with pytest.raises(gs.EmptyLanguageError):
            load(engine(), expr)
    # Without a token for "a" only the way through "b" is left.
    two_ways = ir.Machine((((A, 1), (B, 2)), ((C, 3),), ((C, 3),), ()), (False, False, False, True))
    core_engine = engine([b"b", b"c", b"bc"])
    core = core_engine.core
    assert core.live_bytes(core.start(load(core_engine, two_ways).expr)) == b"b"
    with pytest.raises(gs.VocabularyError):
        load(engine([b"a", b"b"]), two_ways)


def test_shortest_members() -> None:
    """Arcs are longer than one byte; a cycle before the end costs what the fewest bytes need."""
    machine = ir.Machine(
        (((ir.literal("aaaa"), 2), (A, 1)), ((B, 0), (ir.literal("cc"), 2)), ()), (False, False, True)
    )
    core_engine = engine()
    loaded = load(core_engine, machine)
    assert core_engine.core.shortest(loaded.expr) == 3
    assert core_engine.core.shortest_completion(core_engine.core.start(loaded.expr), 9) == b"acc"
    assert core_engine.core.shortest(load(core_engine, ir.And((machine, ir.repeat(A)))).expr) == 4


def test_long_cycles_and_long_chains_of_states() -> None:
    """20,000 states in a ring: no recursion over states, neither forwards nor for what is short."""
    size = 20_000
    compiled = gs.compile(Grammar(counter(size)), BYTES)
    matcher = compiled.matcher()
    assert matcher.is_accepting
    assert matcher.advance_many([97] * (size - 1)) == size - 1 and not matcher.is_accepting
    assert matcher.advance_many([98, 97]) == 2 and matcher.is_accepting
    # Complement and intersection walk the states; the ring and its third meet at a common multiple.
    both = ir.And((counter(3_000), counter(7, start=3), ir.concat(A, ir.repeat(A))))
    core_engine = engine()
    assert core_engine.core.shortest(load(core_engine, both).expr) == 3_000 * (3 * pow(3_000, -1, 7) % 7)
    other = ir.And((ir.repeat(A), ir.Not(counter(size))))
    assert gs.compile(Grammar(other), BYTES).matcher().allowed_ids().tolist() == [97]


def test_arcs_may_overlap() -> None:
    """A third letter from the end: the states met are sets."""
    any_letter = ir.byte_set(b"ab")
    machine = ir.Machine(
        (((any_letter, 0), (A, 1)), ((any_letter, 2),), ((any_letter, 3),), ()), (False,) * 3 + (True,)
    )
    pattern = {w for w in WORDS if len(w) >= 3 and w[-3] == ord("a") and ord("c") not in w}
    assert members(engine(), machine) == pattern
    assert not Grammar(machine).accepts(b"bbab") and Grammar(machine).accepts(b"babb")


def test_equal_machines_are_one_state_of_the_core() -> None:
    core_engine = engine()
    assert load(core_engine, counter(5)).expr == load(core_engine, counter(5)).expr


def test_machines_have_fingerprints() -> None:
    seen = [
        fingerprint(e)
        for e in (
            counter(2),
            counter(2, start=1),
            counter(3),
            ir.Machine((((A, 1), (B, 1)), ((A, 0), (B, 1))), (True, False)),
            ir.Machine((((A, 1), (C, 0)), ((A, 0), (B, 1))), (True, False)),
        )
    ]
    assert len(set(seen)) == len(seen)
    assert fingerprint(counter(2)) == seen[0]


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        (ir.Machine((), ()), "first state"),
        (ir.Machine((((A, 0),),), (True, False)), "accepting flag"),
        (ir.Machine((((A, 1),),), (True,)), "leads to no state"),
        (ir.Machine((((A, -1),),), (True,)), "leads to no state"),
        (ir.Machine((((ir.optional(A), 0),),), (True,)), "empty string"),
        (ir.Machine((((ir.TokenEdge(0), 0),),), (True,)), "not regular"),
    ],
)
def test_malformed_machines_are_refused(machine: ir.Machine, reason: str) -> None:
    with pytest.raises(gs.GrammarError, match=reason):
        load(engine(), machine)


def test_machines_count_as_states() -> None:
    with pytest.raises(gs.LimitError) as caught:
        load(engine(max_states=1_000), counter(2_000))
    assert caught.value.limit == "max_states"
