"""Facts about grammars: what is said of size, extent, frames and ambiguity is true.

Laws: finite languages are counted exactly; a witness of ambiguity has two derivations, found iff a count of
all derivations of all short texts finds one.
"""

from __future__ import annotations

import itertools

import pytest

import gramspec as gs
from gramspec.automaton.ambiguity import find_ambiguity
from gramspec.automaton.analysis import AnalysisLimits, analyse
from gramspec.automaton.graph import TextGraph
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar, Predicate


def lit(text: str) -> ir.Expr:
    return ir.literal(text)


def derivations(node: ir.Expr, text: bytes) -> int:
    """How many derivations of a text a node has, counted by the definition; a few are enough."""
    match node:
        case ir.ByteSet():
            return int(len(text) == 1 and bool(node.mask >> text[0] & 1))
        case ir.Epsilon():
            return int(not text)
        case ir.Union():
            return sum(derivations(item, text) for item in node.items)
        case ir.Concat():
            first, rest = node.items[0], ir.concat(*node.items[1:])
            cuts = range(len(text) + 1)
            return sum(n * derivations(rest, text[i:]) for i in cuts if (n := derivations(first, text[:i])))
        case ir.Repeat():
            return _turns(node.item, text, node.minimum, node.maximum)
    raise AssertionError(node)


def _turns(item: ir.Expr, text: bytes, least: int, most: int | None) -> int:
    """Turns that read nothing are counted once, as two cuts of the empty text."""
    found = int(not text and least == 0)
    if most == 0:
        return found
    more = None if most is None else most - 1
    for i in range(1, len(text) + 1):
        if n := derivations(item, text[:i]):
            found += n * _turns(item, text[i:], max(least - 1, 0), more)
    empty = derivations(item, b"")
    return found + 2 * empty if not text and empty else found


A, B = lit("a"), lit("b")
CASES = {
    "code": ir.repeat(ir.union(lit("ab"), lit("a"))),
    "two cuts": ir.repeat(ir.union(lit("ab"), A, lit("ba"))),
    "two cuts within bounds": ir.repeat(ir.union(lit("aa"), lit("aaa")), 2, 2),
    "one cut within bounds": ir.repeat(ir.union(lit("a"), lit("aaa")), 1, 1),
    "bounds part what repeats": ir.repeat(ir.union(A, lit("aa")), 3, 4),
    "alternatives": ir.union(ir.repeat(A, 1, 3), lit("aa")),
    "no alternatives": ir.union(ir.concat(A, ir.repeat(B)), ir.concat(B, ir.repeat(A))),
    "sequence": ir.concat(ir.union(A, lit("ab")), ir.union(lit("bc"), lit("c"))),
    "plain sequence": ir.concat(ir.repeat(A), B, ir.repeat(A)),
    "optional twice": ir.concat(ir.optional(A), ir.optional(A)),
    "late in a sequence": ir.concat(A, B, ir.repeat(A), ir.optional(A), B),
    "below": ir.concat(B, ir.repeat(ir.union(ir.concat(A, ir.optional(B)), lit("ab")), 1, 2), B),
    "same start": ir.union(lit("aab"), lit("aaa"), lit("aa")),
}


@pytest.mark.parametrize("name", CASES)
def test_ambiguity_is_found_iff_there_is_any(name: str) -> None:
    root = CASES[name]
    graph = TextGraph(Grammar(root))
    report = find_ambiguity(graph, max_pairs=10_000, max_pairs_each=1_000)
    texts = [
        bytes(t) for n in range(9) for t in itertools.product(b"abc"[: 2 + (name == "sequence")], repeat=n)
    ]
    expected = any(derivations(root, text) > 1 for text in texts)
    assert bool(report.ambiguous) == expected
    assert report.unfinished == 0 and report.searched > 0
    for witness in report.witnesses:
        ways = [derivations(node, witness.text) for node in ir.walk(root)]
        assert max(ways) > 1


def test_repetitions_of_nothing_and_recursion() -> None:
    nothing = find_ambiguity(TextGraph(Grammar(ir.repeat(ir.repeat(A)))), max_pairs=100, max_pairs_each=100)
    assert nothing.witnesses[0] == ("repetition", b"")
    rule = ir.Rule("sum")
    rule.define(ir.union(ir.concat(ir.Ref(rule), lit("+"), ir.Ref(rule)), lit("n")))
    report = find_ambiguity(TextGraph(Grammar(ir.Ref(rule))), max_pairs=5_000, max_pairs_each=500)
    assert ("sequence", b"n+n+n") in report.witnesses
    dyck = ir.Rule("dyck")
    dyck.define(ir.optional(ir.concat(lit("("), ir.Ref(dyck), lit(")"), ir.Ref(dyck))))
    report = find_ambiguity(TextGraph(Grammar(ir.Ref(dyck))), max_pairs=300, max_pairs_each=300)
    assert report.ambiguous == 0 and report.unfinished > 0, "an endless search says that it met its bound"


def test_searches_end_at_their_bounds() -> None:
    grammar = gs.json_schema({"anyOf": [{"type": "object"}, {"type": "array"}]})
    report = find_ambiguity(TextGraph(grammar), max_pairs=3, max_pairs_each=2)
    assert report.searched < 10 < report.unfinished


@pytest.mark.parametrize(
    ("pattern", "extent", "members"),
    [
        ("", "finite", 1),
        ("[a-z]{2,4}", "finite", 26**2 + 26**3 + 26**4),
        ("(a|ab)(bc|c)", "finite", 3),
        ("a*", "infinite", None),
        ("(?s).{3}", "finite", (0x110000 - 0x800) ** 3),
        ("a{0,4000}", "finite", None),
        ("[ab]{5000}c*", "undecided", None),
    ],
)
def test_extent_and_members(pattern: str, extent: str, members: int | None) -> None:
    found = analyse(gs.regex(pattern)).language
    assert (found.extent, found.members) == (extent, members)
    assert found.complete == (found.explored < AnalysisLimits().max_explored)


def test_alphabet() -> None:
    assert analyse(gs.regex("[a-c]é")).language.alphabet == b"abc\xa9\xc3"
    open_ended = analyse(gs.regex("[ab]{5000}c"), limits=AnalysisLimits(max_explored=50)).language
    assert open_ended.alphabet == b"ab" and not open_ended.alphabet_complete
    known = analyse(gs.regex("[ab]{5000}"), limits=AnalysisLimits(max_explored=50)).language
    assert known.alphabet == b"ab" and known.alphabet_complete


def test_rules_frames_and_members_of_a_schema() -> None:
    schema = {
        "$defs": {"tree": {"type": "array", "items": {"$ref": "#/$defs/tree"}, "maxItems": 3}},
        "type": "object",
        "properties": {"tree": {"$ref": "#/$defs/tree"}, "name": {"type": "string", "maxLength": 5}},
        "required": ["tree"],
        "additionalProperties": False,
    }
    grammar = gs.json_schema(schema)
    found = analyse(grammar)
    assert found.recursive_rules == 1 <= found.rules
    assert sum(found.nodes.values()) == len(list(ir.walk(grammar.expr)))
    kinds = {frame.kind: frame.count for frame in found.frames}
    assert kinds["object"] == 1 and kinds["rule"] == found.rules and kinds["counter"] >= 2
    assert found.shortest[0] == b'{"tree":[]}'
    assert all(map(grammar.accepts, (*found.shortest, *found.samples))) and len(found.samples) == 5
    assert found.language.extent == "infinite"
    assert analyse(grammar, seed=0) == found != analyse(grammar, seed=1)


def test_members_too_long_for_the_search() -> None:
    found = analyse(gs.regex("a{30000}b?"))
    assert found.shortest == (b"a" * 30_000,) and found.language.extent == "finite"


def test_mutual_recursion_is_seen() -> None:
    even, odd, leaf = ir.Rule("even"), ir.Rule("odd"), ir.Rule("leaf")
    leaf.define(B)
    even.define(ir.optional(ir.concat(A, ir.Ref(odd))))
    odd.define(ir.concat(A, ir.Ref(even), ir.Ref(leaf)))
    found = analyse(Grammar(ir.Ref(even)))
    assert (found.rules, found.recursive_rules) == (3, 2)
    assert found.language.extent in ("undecided", "infinite")


def test_residual_predicates_are_listed_and_may_leave_no_sample() -> None:
    odd = Predicate("/x", "odd", "for the test", "odd", lambda text: len(text) % 2 == 1)
    found = analyse(Grammar(gs.regex("[ab]{1,4}").expr, residuals=(odd,)))
    assert [place.keyword for place in found.residuals] == ["odd"]
    assert all(len(text) % 2 for text in (*found.shortest, *found.samples))
    never = Predicate("/x", "never", "for the test", "never", lambda text: False)
    found = analyse(Grammar(gs.regex("[ab]{1,4}").expr, residuals=(never,)))
    assert found.samples == () == found.shortest
    assert found.samples_refused is not None and "never" in found.samples_refused
