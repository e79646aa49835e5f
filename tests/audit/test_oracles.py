"""The slow oracles against each other and against Python's `re`."""

import itertools
import json
import re

import pytest

from gramspec.grammar import ir
from gramspec.testing.grammars import KINDS, SeededDice, alphabet_of, expression, vocabulary
from gramspec.testing.oracle import Recogniser, brute_force_viable, token_language
from gramspec.testing.saturation import allowed_tokens
from gramspec.testing.worlds import show

LETTERS = b"ab"


def as_python_regex(node: ir.Expr) -> str:
    match node:
        case ir.ByteSet(mask):
            found = "".join(chr(b) for b in range(256) if mask >> b & 1)
            return f"[{found}]" if found else "(?!)"
        case ir.Epsilon():
            return "(?:)"
        case ir.Empty():
            return "(?!)"
        case ir.Concat(items):
            return "".join(f"(?:{as_python_regex(i)})" for i in items)
        case ir.Union(items):
            return "(?:" + "|".join(as_python_regex(i) for i in items) + ")"
        case ir.Repeat(item, low, high):
            return f"(?:{as_python_regex(item)}){{{low},{'' if high is None else high}}}"
        case ir.Call(item) | ir.Builtin(item):
            return as_python_regex(item)
    raise TypeError(node)


@pytest.mark.parametrize("kind", ["finite", "regular", "counted"])
def test_recogniser_agrees_with_python_re(kind: str) -> None:
    members = 0
    for seed in range(60):
        expr = expression(SeededDice([seed, 5]), kind, LETTERS)
        pattern = re.compile(as_python_regex(expr))
        recogniser = Recogniser(expr)
        for length in range(6):
            for word in itertools.product(LETTERS, repeat=length):
                expected = pattern.fullmatch(bytes(word).decode()) is not None
                assert recogniser.accepts(bytes(word)) == expected, (show(expr), bytes(word))
                members += expected
    assert members > 150


def test_boolean_operations_are_those_of_sets() -> None:
    for seed in range(40):
        dice = SeededDice([seed, 6])
        one, two = expression(dice, "regular", LETTERS), expression(dice, "regular", LETTERS)
        both, neither = ir.And((one, two)), ir.And((ir.Not(one), ir.Not(two)))
        r1, r2, r3, r4 = map(Recogniser, (one, two, both, neither))
        for length in range(5):
            for word in map(bytes, itertools.product(LETTERS, repeat=length)):
                assert r3.accepts(word) == (r1.accepts(word) and r2.accepts(word))
                assert r4.accepts(word) == (not r1.accepts(word) and not r2.accepts(word))


def test_recursive_rules_known_languages() -> None:
    rule = ir.Rule("s")  # left recursion, a unit cycle and a nullable alternative at once
    rule.define(ir.union(ir.concat(ir.Ref(rule), ir.literal("a")), ir.Ref(rule), ir.EPSILON))
    star = Recogniser(ir.Ref(rule))
    assert [n for n in range(6) if star.accepts(b"a" * n)] == list(range(6))
    assert not star.accepts(b"ab")
    dyck = ir.Rule("d")
    dyck.define(ir.union(ir.concat(ir.Ref(dyck), ir.literal("a"), ir.Ref(dyck), ir.literal("b")), ir.EPSILON))
    known = Recogniser(ir.Ref(dyck))

    def balanced(word: bytes) -> bool:
        depth = 0
        for b in word:
            depth += 1 if b == ord("a") else -1
            if depth < 0:
                return False
        return depth == 0

    for length in range(9):
        for word in map(bytes, itertools.product(LETTERS, repeat=length)):
            assert known.accepts(word) == balanced(word)


def test_json_objects_follow_the_rules_of_keys() -> None:
    digit = ir.byte_set(b"01")
    a = ir.JsonProperty("a", ir.union(ir.literal("a"), ir.literal("\\u0061")), digit, True)
    b = ir.JsonProperty("b", ir.literal("b"), digit, False)
    free = ir.union(ir.literal("a"), ir.literal("b"), ir.literal("c"), ir.literal("\\u0063"))
    for order in ("schema", "any"):
        recogniser = Recogniser(ir.JsonObject((a, b), digit, order, ir.EPSILON, free))  # type: ignore[arg-type]
        spellings = ["a", "\\u0061", "b", "c", "\\u0063"]
        accepted = 0
        for count in range(4):
            for keys in itertools.product(spellings, repeat=count):
                text = "{" + ",".join(f'"{k}":0' for k in keys) + "}"
                names = [json.loads(f'"{k}"') for k in keys]
                ok = "a" in names and len(set(names)) == len(names)
                if order == "schema":
                    ok = ok and names == sorted(names)
                assert recogniser.accepts(text.encode()) == ok, (order, text)
                accepted += ok
        assert accepted > 10
        assert not recogniser.accepts(b'{"a":0,}') and not recogniser.accepts(b"{}")


def keys_in(members: list[tuple[int, ...]], tokens: tuple[bytes | None, ...]) -> list[bytes]:
    """Bodies of the keys that the members write."""
    texts = (b"".join(tokens[t] or b"" for t in ids) for ids in members)
    return sorted({key for text in texts for key in re.findall(rb'"([^"]*)":', text)})


def test_saturation_agrees_with_brute_force() -> None:
    """Whatever brute force completes is allowed; on finite languages nothing else is."""
    allowed = finite = 0
    for seed in range(240):
        dice = SeededDice([seed, 8])
        kind = KINDS[seed % len(KINDS)]
        alphabet = alphabet_of(dice, kind)
        expr = expression(dice, kind, alphabet)
        small = vocabulary(dice, expr, alphabet, 3, special=kind == "edges", covered=False)
        recogniser = Recogniser(expr, small.special_tokens)
        members = token_language(recogniser, small.tokens, small.eos_ids, 5, small.edges)
        starts = [ids[: 1 + dice.pick(len(ids) - 1)] for ids in members if len(ids) > 1]
        prefixes = [(), *starts[:2]]
        keys = keys_in(members, small.tokens)
        for prefix in prefixes:
            found = allowed_tokens(
                expr,
                small.tokens,
                small.eos_ids,
                prefix,
                special_tokens=small.special_tokens,
                free_keys=keys,
            )
            brute = brute_force_viable(members, prefix, 5 - len(prefix), len(small.tokens))
            context = (seed, show(expr), small, prefix)
            for v, one in enumerate(brute):
                assert found[v] or not one, (v, context)
                allowed += one
            if kind == "finite":  # words of at most 4 bytes: 5 tokens reach every member
                finite += 1
                assert found == brute, context
    assert allowed > 200 and finite > 20


def test_saturation_denies_what_a_long_search_cannot_complete() -> None:
    """On small regular grammars the search is long enough to be a decision (pumping)."""
    denied = 0
    for seed in range(40):
        dice = SeededDice([seed, 9])
        expr = expression(dice, "regular", LETTERS)
        small = vocabulary(dice, expr, LETTERS, 2, covered=True)
        longest = 9 if len(small.tokens) < 5 else 6
        members = token_language(Recogniser(expr), small.tokens, small.eos_ids, longest)
        for prefix in {ids[:1] for ids in members if len(ids) > 1} | {()}:
            found = allowed_tokens(expr, small.tokens, small.eos_ids, prefix)
            brute = brute_force_viable(members, prefix, 99, len(small.tokens))
            if len(small.tokens) < 5:
                assert found == brute, (seed, show(expr), small, prefix)
                denied += sum(not f for f in found)
    assert denied > 20


def test_saturation_on_a_counter_by_hand() -> None:
    expr = ir.concat(ir.literal("a"), ir.repeat(ir.literal("b"), 2, 3))
    assert allowed_tokens(expr, [b"a", b"b", b"bb", None], [3], []) == [True, False, False, False]
    assert allowed_tokens(expr, [b"a", b"b", b"bb", None], [3], [0, 2]) == [False, True, False, True]
    assert allowed_tokens(expr, [b"a", b"bbbb", b"b", None], [3], [0]) == [False, False, True, False]
