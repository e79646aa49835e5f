"""Grammars, vocabularies and texts that mean harm, each for a process of its own.

Law: a case ends with what it asserts, or a limit by name where it says so, within its seconds and megabytes.
Source: house rule "no input may hang or crash the process".

``python -m tests.automaton.hostile_cases NAME`` runs one.
"""

from __future__ import annotations

import os
import random
import re
import resource
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import gramspec as gs
from gramspec.errors import EmptyLanguageError, GrammarError, LimitError, VocabularyError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar

SANITIZED = "asan" in os.environ.get("LD_PRELOAD", "")
BYTES: list[bytes | None] = [*(bytes([b]) for b in range(256)), None]
EOS = 256


class Case(NamedTuple):
    """What to run, and its bounds: some ten times what it takes."""

    run: Callable[[], None]
    seconds: int
    megabytes: int


CASES: dict[str, Case] = {}


def case(seconds: int = 20, megabytes: int = 400) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Enter a function among the cases."""

    def enter(run: Callable[[], None]) -> Callable[[], None]:
        CASES[run.__name__] = Case(run, seconds, megabytes)
        return run

    return enter


SOON = gs.Limits(max_states=50_000, max_configurations=50_000, mask_steps=2_000_000)
"""For what is expected to meet a limit: it should not take long to get there."""


def matcher(
    grammar: gs.Grammar | ir.Expr, more: list[bytes | None] | None = None, limits: gs.Limits | None = None
) -> gs.Matcher:
    """A matcher on all bytes and some more tokens."""
    whole = grammar if isinstance(grammar, Grammar) else Grammar(grammar)
    return gs.compile(whole, gs.Vocabulary([*BYTES, *(more or [])], [EOS]), limits=limits).matcher()


def allowed(of: gs.Matcher) -> set[int]:
    """Ids in the mask."""
    return {int(token) for token in of.allowed_ids()}


def read(of: gs.Matcher, text: bytes) -> None:
    """Read a text byte by byte; each byte's bit must be set in the mask before it."""
    for at, byte in enumerate(text):
        assert byte in allowed(of), f"{text[at : at + 1]!r} is not allowed at {at}"
        of.advance(byte)


def on_stack(kilobytes: int, run: Callable[[], None]) -> None:
    """Run on a thread with a stack of so many kilobytes."""
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            run()
        except BaseException as error:
            errors.append(error)

    # Frames are several times as large under AddressSanitizer.
    threading.stack_size(kilobytes * 1024 * (8 if SANITIZED else 1))
    thread = threading.Thread(target=guarded)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


# -- repetitions ------------------------------------------------------------------------------------------


@case()
def a_letter_24_from_the_end() -> None:
    text = bytes(random.Random(1).choice(b"ab") for _ in range(2_000))
    one = matcher(gs.regex("(a|b)*a(a|b){24}"))
    read(one, text)
    assert one.is_accepting == (text[-25:-24] == b"a")


@case()
def one_or_more_and_one_more() -> None:
    """`start: A B`, `A: /a+/`, `B: /a/`: one engine never comes back from it."""
    a, b = ir.Rule("A"), ir.Rule("B")
    a.define(ir.repeat(ir.literal("a"), 1))
    b.define(ir.literal("a"))
    for grammar in (
        Grammar(ir.concat(ir.Ref(a), ir.Ref(b))),
        Grammar(ir.concat(ir.Call(ir.repeat(ir.literal("a"), 1)), ir.Call(ir.literal("a")))),
        gs.regex("a+a"),
    ):
        one = matcher(grammar, [b"a" * 40, b"aa"])
        one.advance(97)
        assert allowed(one) == {97, 257, 258}
        read(one, b"a" * 1_000)
        assert allowed(one) == {97, 257, 258, EOS}


@case()
def counts_in_counts() -> None:
    one = matcher(gs.regex("((a{1,1000}){1,1000})"))
    read(one, b"a" * 3_000)
    assert one.is_accepting


@case(seconds=60, megabytes=800)
def counts_in_counts_in_counts() -> None:
    one = matcher(gs.regex("(((a{1,1000}){1,1000}){1,1000})b"))
    read(one, b"a" * 3_000)
    assert allowed(one) == {97, 98}


@case(seconds=120, megabytes=800)
def counts_in_counts_of_two_lengths() -> None:
    one = matcher(gs.regex("((?:(?:a|aaa){2,300}|aa){3,300}c?){2,300}b"), limits=SOON)
    try:
        read(one, b"a" * 400)
    except LimitError:
        return
    assert 97 in allowed(one)


@case()
def optional_after_optional() -> None:
    one = matcher(gs.regex("a?" * 500 + "a" * 500))
    read(one, b"a" * 700)
    assert allowed(one) == {97, EOS}


@case(seconds=120, megabytes=1_500)
def twenty_letters_asked_for() -> None:
    """Any order of 20 letters: 2^20 states in all; a walk sees few of them, or the limit is told."""
    letters = "abcdefghijklmnopqrst"
    pattern = "".join(f"(?=.*{letter})" for letter in letters) + ".*"
    try:
        one = matcher(gs.regex(pattern), limits=SOON)
        read(one, letters[:0:-1].encode())
        assert not one.is_accepting
        one.advance(ord("a"))
        assert one.is_accepting
    except LimitError:
        return


@case(seconds=120, megabytes=1_500)
def twenty_letters_asked_for_in_a_string() -> None:
    letters = "abcdefghijklmnopqrst"
    pattern = "".join(f"(?=.*{letter})" for letter in letters)
    try:
        one = matcher(gs.json_schema({"type": "string", "pattern": pattern}), limits=SOON)
        read(one, b'"' + letters[::-1].encode())
        assert ord('"') in allowed(one)
    except LimitError:
        return


# -- rules ------------------------------------------------------------------------------------------------


@case()
def rules_that_never_end() -> None:
    one, other, s = ir.Rule("one"), ir.Rule("other"), ir.Rule("s")
    one.define(ir.concat(ir.literal("a"), ir.Ref(other)))
    other.define(ir.union(ir.concat(ir.literal("b"), ir.Ref(one)), ir.Ref(other)))
    s.define(ir.union(ir.Ref(one), ir.concat(ir.literal("a"), ir.Ref(s)), ir.literal("c")))
    found = matcher(ir.Ref(s))
    read(found, b"a" * 500)
    assert allowed(found) == {97, 99}  # never "b", which only an endless rule would read
    try:
        matcher(ir.Ref(one))
    except EmptyLanguageError:
        return
    raise AssertionError("a rule without an end is compiled")


@case()
def rules_that_refer_to_each_other_in_a_ring() -> None:
    ring = [ir.Rule(f"r{i}") for i in range(3_000)]
    for rule, following in zip(ring, ring[1:] + ring[:1], strict=True):
        rule.define(ir.union(ir.Ref(following), ir.concat(ir.Ref(following), ir.literal("b"))))
    try:
        matcher(ir.Ref(ring[0]))
        raise AssertionError("a ring without an end is compiled")
    except (EmptyLanguageError, LimitError):
        pass
    ring = [ir.Rule(f"r{i}") for i in range(300)]
    for rule, following in zip(ring, ring[1:] + ring[:1], strict=True):
        rule.define(
            ir.union(ir.Ref(following), ir.concat(ir.literal("b"), ir.Ref(following)), ir.literal("a"))
        )
    one = matcher(ir.Ref(ring[0]))
    read(one, b"b" * 1_000)
    assert allowed(one) == {97, 98}


@case()
def left_recursion_hidden_behind_nothing() -> None:
    s, nothing = ir.Rule("s"), ir.Rule("nothing")
    nothing.define(ir.union(ir.EPSILON, ir.concat(ir.Ref(nothing), ir.Ref(nothing))))
    s.define(
        ir.union(
            ir.concat(ir.Ref(nothing), ir.Ref(s), ir.literal("a")),
            ir.concat(ir.Ref(s), ir.Ref(s)),
            ir.concat(ir.Ref(nothing), ir.literal("a")),
        )
    )
    one = matcher(ir.Ref(s))
    read(one, b"a" * 1_000)
    assert allowed(one) == {97, EOS}


@case()
def endless_references_of_schemas() -> None:
    for schema in (
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}]},
        {"not": {"$ref": "#"}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}},
        {"properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"type": "array", "items": {"$ref": "#"}, "minItems": 1},
    ):
        try:
            one = matcher(gs.json_schema(schema))
        except (GrammarError, LimitError):
            continue
        for _ in range(50):
            tokens = sorted(allowed(one))
            assert tokens, schema
            one.advance(tokens[-1] if tokens[-1] != EOS or len(tokens) == 1 else tokens[-2])
            if one.is_finished:
                break


@case()
def stacks_that_differ_at_their_bottom() -> None:
    """Two alike stacks, thousands of frames high, become one when what stands above them ends alike."""
    a, b = ir.Rule("a"), ir.Rule("b")
    a.define(ir.union(ir.concat(ir.literal("("), ir.Ref(a), ir.literal(")")), ir.literal("c")))
    b.define(
        ir.union(ir.concat(ir.literal("("), ir.Ref(b), ir.literal(")")), ir.literal("c"), ir.literal("d"))
    )
    top = ir.union(ir.concat(ir.Ref(a), ir.literal("1")), ir.concat(ir.Ref(b), ir.literal("2")))

    def run() -> None:
        depth = 15_000
        one = matcher(top)
        assert one.advance_many(b"(" * depth + b"c" + b")" * depth) == 2 * depth + 1
        assert allowed(one) == set(b"12")

    on_stack(256, run)


@case()
def endings_that_may_be_left_out() -> None:
    s = ir.Rule("s")
    s.define(ir.union(ir.concat(ir.literal("a"), ir.Ref(s), ir.optional(ir.literal("b"))), ir.literal("d")))

    def run() -> None:
        one = matcher(ir.Ref(s))
        assert one.advance_many(b"a" * 500 + b"d") == 501
        assert allowed(one) == {98, EOS}
        read(one, b"b" * 100)
        assert one.min_tokens(exact=True) == 1

    on_stack(512, run)


# -- texts that are nested deeply -------------------------------------------------------------------------


@case(seconds=30)
def brackets_to_the_limit_on_a_small_stack() -> None:
    depth = gs.Limits().max_stack_depth - 10
    values = matcher(gs.json_schema({}))

    def run() -> None:
        one = values.fork()
        assert one.advance_many(b"[" * depth) == depth
        assert {ord("["), ord("]"), ord('"')} <= allowed(one)
        assert one.min_tokens() == depth + 1 and one.min_tokens(exact=True) == depth + 1
        assert not one.can_end_within(depth) and one.can_end_within(depth + 1)
        assert int(one.viable(depth + 1, exact=True).sum()) == 1
        assert one.advance_many(b"]" * depth) == depth and one.is_accepting

    on_stack(256, run)


@case(seconds=60)
def brackets_to_the_limit_without_single_bytes() -> None:
    """Whether tokens can end a text is a search, which follows the stack too."""
    tokens: list[bytes | None] = [b"[", b"[[", b"]]", b"]]]", b"1", b",1", None]
    limits = gs.Limits(max_stack_depth=3_000)
    compiled = gs.compile(gs.json_schema({}), gs.Vocabulary(tokens, [6]), limits=limits)

    def run() -> None:
        one = compiled.matcher()
        assert one.advance_many([0] * 2_000) == 2_000
        assert {0, 1, 2, 3, 4} == allowed(one)
        assert one.advance_many([2] * 999) == 999
        assert allowed(one) == {2, 5}  # two are open: three cannot be closed

    on_stack(512, run)


@case()
def objects_in_objects_on_a_small_stack() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#"}}, "additionalProperties": False}
    values = matcher(gs.json_schema(schema))

    def run() -> None:
        one = values.fork()
        assert one.advance_many(b'{"a":' * 4_000) == 20_000
        assert ord("{") in allowed(one) and ord("}") not in allowed(one)
        assert one.advance_many(b"{}" + b"}" * 4_000) == 4_002 and one.is_accepting

    on_stack(256, run)


@case(seconds=60, megabytes=800)
def expressions_in_expressions() -> None:
    """A hundred thousand levels end in a limit, a thousand fit on the stack of a thread."""

    def nested(levels: int, kind: int) -> ir.Expr:
        here: ir.Expr = ir.literal("a")
        for _ in range(levels):
            both = ir.Union((here, ir.literal("b")))
            here = (
                ir.Concat((ir.literal("a"), both)),
                ir.Not(ir.And((here, ir.repeat(ir.ANY_BYTE)))),
                ir.Call(ir.Concat((here, ir.literal("c")))),
                ir.Repeat(both, 0, 2),
            )[kind]
        return here

    def run() -> None:
        for kind in range(4):
            try:
                one = matcher(nested(1_000, kind), limits=SOON)
                for _ in range(20):
                    if allowed(one) == {EOS}:
                        break
                    one.advance(min(allowed(one)))
            except (LimitError, EmptyLanguageError):
                pass
            try:
                matcher(nested(100_000, kind))
            except LimitError:
                continue
            raise AssertionError(f"100,000 levels of kind {kind} are compiled")

    on_stack(8 * 1024, run)


# -- vocabularies -----------------------------------------------------------------------------------------


@case(megabytes=800)
def tokens_of_a_million_bytes() -> None:
    lengths = [255, 256, 257, 1_000, 9_999, 12_000, 12_345, 12_346, 1_000_000]
    try:
        one = matcher(gs.regex("a{0,12345}b?"), [b"a" * length for length in lengths])
        assert allowed(one) == {97, 98, EOS, *(257 + i for i in range(7))}
    except LimitError:
        pass  # far longer than the count: each beginning is read by itself
    one = matcher(gs.regex("a{0,12345}b?"), [b"a" * length for length in lengths[:-1]])
    assert allowed(one) == {97, 98, EOS, *(257 + i for i in range(7))}
    one.advance(257 + 3)  # 1,000 letters
    assert allowed(one) == {97, 98, EOS, *(257 + i for i in range(5))}
    one.advance(257 + 4)
    one.rollback(1)
    one.advance(257 + 2)
    assert allowed(one) == {97, 98, EOS, *(257 + i for i in range(5))}
    values = matcher(gs.json_schema({}), [b"[" * 300, b'"' + b"x" * 1_000_000 + b'"', b"]" * 300])
    assert {257, 258} <= allowed(values)
    values.advance(257)
    assert {257, 258, 259} <= allowed(values)
    values.advance(258)
    assert {259, ord(",")} <= allowed(values)
    values.advance(259)
    assert values.is_accepting


@case()
def each_token_begins_the_next() -> None:
    one = matcher(gs.regex("a{0,1500}"), [b"a" * length for length in range(2, 3_000)])
    one.advance(97)
    assert len(allowed(one)) == 1_500  # of 1 to 1,499 letters, and EOS


@case()
def ten_thousand_ids_of_the_same_bytes() -> None:
    one = matcher(gs.json_schema({"enum": ["aa", "ab"]}), [b'"a'] * 5_000 + [b"", None] + [b'b"'] * 5_000)
    assert allowed(one) == {ord('"'), *range(257, 5_257)}
    one.advance(300)
    assert allowed(one) == {97, 98, ord("\\"), *range(5_259, 10_259)}


@case()
def no_token_ends_what_the_grammar_asks() -> None:
    tokens: list[bytes | None] = [b"ab", b"ba", b"c", None]
    compiled = gs.compile(gs.regex("(?:ab|ba){3}c|a{1000000}"), gs.Vocabulary(tokens, [3]))
    one = compiled.matcher()
    assert one.advance_many([0, 1, 0]) == 3 and allowed(one) == {2}
    try:
        gs.compile(gs.regex("a{1000000}"), gs.Vocabulary(tokens, [3]))
    except (VocabularyError, EmptyLanguageError, LimitError):
        return
    raise AssertionError("a text that no tokens spell is compiled")


# -- many -------------------------------------------------------------------------------------------------


@case(seconds=60, megabytes=1_500)
def twenty_thousand_keys() -> None:
    names = [f"property{i}" for i in range(20_000)]
    schema = {
        "type": "object",
        "properties": {name: {"type": "integer"} for name in names},
        "required": names,
    }
    for order in ("any", "schema"):
        one = matcher(gs.json_schema(schema, property_order=order))  # type: ignore[arg-type]
        read(one, b'{"property0":1,"property')
        if order == "schema":
            assert allowed(one) >= {ord("1")} and ord('"') not in allowed(one)
        assert one.min_tokens() > 100_000


@case(seconds=60, megabytes=1_500)
def fifty_thousand_words() -> None:
    words = [f"word {i * 7919} {i}" for i in range(50_000)]
    one = matcher(gs.choice(words))
    read(one, b"word 7919 ")
    assert allowed(one) == {ord("1")}


@case()
def a_hundred_thousand_calls() -> None:
    one = matcher(gs.json_schema({"type": "array", "items": {"type": "integer"}}))
    one.advance(ord("["))
    forks = []
    for turn in range(20_000):
        one.advance_many(b"1,")
        forks.append(one.fork())
        if turn % 3 == 0:
            one.rollback(2)
    assert forks[100].advance_many(b"7]") == 2
    assert one.advance_many(b"1]") == 2 and one.is_accepting


def main(name: str) -> None:
    """Run one case with its memory bounded."""
    found = CASES[name]
    if not SANITIZED:
        bound = (found.megabytes + 1024) << 20  # threads and libraries reserve addresses that they never use
        resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    found.run()
    print(peak_megabytes())


def peak_megabytes() -> int:
    """The largest resident set of this program; `getrusage` would count that of the process that began it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.findall(r"VmHWM:\s*(\d+) kB", status)[0]) >> 10


if __name__ == "__main__":
    main(sys.argv[1])
