"""Text up to a trigger against `str.find`, on all short texts; single tokens; what is refused."""

from __future__ import annotations

import random
from itertools import product

import pytest

import gramspec as gs
from gramspec.errors import GrammarError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar
from gramspec.grammar.tags.text import free_text, tag_dispatch

TEXTS = ["".join(letters) for length in range(8) for letters in product("ab", repeat=length)]


def ends(text: str, words: list[str]) -> list[int]:
    """Where words end in a text, nearest first."""
    return sorted({at + len(word) for word in words for at in range(len(text)) if text.startswith(word, at)})


def has_inside(words: list[str], excludes: list[str]) -> bool:
    """Whether a word can never be completed."""
    return any(
        any(end < len(word) for end in ends(word, words)) or bool(ends(word, excludes)) for word in words
    )


def random_words(rng: random.Random, most: int) -> list[str]:
    words = {"".join(rng.choices("ab", k=rng.randint(1, 4))) for _ in range(rng.randint(1, most))}
    return sorted(words)


def test_text_until_is_text_up_to_the_first_find() -> None:
    rng = random.Random(5)
    judged = 0
    while judged < 25:
        words, excludes = random_words(rng, 3), random_words(rng, 2) if rng.random() < 0.5 else []
        if has_inside(words, excludes):
            with pytest.raises(GrammarError, match="never be reached"):
                gs.text_until(words, excludes=excludes)
            continue
        judged += 1
        reached = gs.text_until(words, excludes=excludes)
        without = gs.text_until(words, excludes=excludes, include=False)
        for text in TEXTS:
            found = ends(text, words)
            clean = not ends(text, excludes)
            assert reached.accepts(text) == (found[:1] == [len(text)] and clean), (words, excludes, text)
            assert without.accepts(text) == (not found and clean), (words, excludes, text)


def reads(text: str, rules: dict[str, str], excludes: list[str], *, loop: bool) -> bool:
    """Dispatch as it is said: look for the first end of a trigger, the longest one there."""
    found = ends(text, list(rules))
    stops = ends(text, excludes)
    if not found or (stops and stops[0] < found[0]):
        return not stops
    if stops and stops[0] == found[0]:
        return False
    trigger = max((word for word in rules if text[: found[0]].endswith(word)), key=len)
    rest = text[found[0] :]
    if not rest.startswith(rules[trigger]):
        return False
    rest = rest[len(rules[trigger]) :]
    return reads(rest, rules, excludes, loop=loop) if loop else not rest


@pytest.mark.parametrize("loop", [False, True])
def test_dispatch_is_what_its_description_says(loop: bool) -> None:
    rng = random.Random(11 + loop)
    judged = 0
    while judged < 25:
        words, excludes = random_words(rng, 3), random_words(rng, 2) if rng.random() < 0.5 else []
        if has_inside(words, excludes):
            continue
        judged += 1
        rules = {word: "".join(rng.choices("ab", k=rng.randint(0, 2))) for word in words}
        pairs = [(word.encode(), ir.literal(after)) for word, after in rules.items()]
        expr = tag_dispatch(pairs, loop=loop, excludes=[word.encode() for word in excludes])
        grammar = Grammar(expr)
        for text in TEXTS:
            assert grammar.accepts(text) == reads(text, rules, excludes, loop=loop), (rules, excludes, text)


def test_free_text_is_valid_utf8() -> None:
    grammar = gs.text_until("\uff0c")
    assert grammar.accepts("日本語\uff0c") and grammar.accepts("\uff0c")
    assert not grammar.accepts(b"\xff\xef\xbc\x8c") and not grammar.accepts("\uff0c\uff0c")
    bounded = Grammar(free_text([b"b"], most=2))
    assert [bounded.accepts(text) for text in ("", "é", "éé", "ééé", "éb")] == [True] * 3 + [False] * 2


def test_the_longer_of_two_triggers_that_end_together() -> None:
    grammar = Grammar(tag_dispatch([(b"b", ir.literal("x")), (b"ab", ir.literal("y"))], loop=False))
    assert grammar.accepts("bx") and grammar.accepts("aby") and grammar.accepts("cbx")
    assert not grammar.accepts("abx") and not grammar.accepts("by")


def test_tokens_as_triggers() -> None:
    grammar = gs.text_until(["</s>", gs.token(300), gs.token(301)])
    assert grammar.accepts([b"ab", 300]) and grammar.accepts("ab</s>") and grammar.accepts([301])
    assert not grammar.accepts([b"ab</s>", 300]) and not grammar.accepts("ab")
    assert gs.text_until(gs.token(300), include=False).accepts("ab</s>")


def test_many_long_triggers() -> None:
    words = [f"<function=tool_{number}_{'x' * 20}>" for number in range(2000)]
    grammar = gs.text_until(words)
    assert grammar.accepts("call <function=tool_1 " + words[1999]) and not grammar.accepts(
        words[7] + words[8]
    )


@pytest.mark.parametrize(
    ("triggers", "pointer", "reason"),
    [
        ([], "", "no trigger"),
        ([""], "/0", "empty"),
        ("", "", "empty"),
        (["a", "ab"], "/1", "trigger 'a' ends the text inside it"),
        (["xay", "a"], "/0", "trigger 'a' ends the text inside it"),
        ([b"a"], "/0", "a text, not bytes"),
        ([1], "/0", "a text, not int"),
        (7, "", "not int"),
        (["\ud800"], "/0", "lone surrogate U\\+D800"),
        (["a" * (1 << 20), "b"], None, "more than"),
    ],
)
def test_triggers_that_are_refused(triggers: object, pointer: str | None, reason: str) -> None:
    with pytest.raises(gs.GramspecError, match=reason) as caught:
        gs.text_until(triggers)  # type: ignore[arg-type]
    assert getattr(caught.value, "pointer", None) == pointer


def test_excluded_texts_that_stop_a_trigger_are_refused() -> None:
    for excluded in ("abc", "b", "bc", "c", "a"):
        with pytest.raises(GrammarError, match="excluded text") as caught:
            gs.text_until(["zz", "abc"], excludes=[excluded])
        assert caught.value.pointer == "/1"
    assert gs.text_until("abc", excludes=["abcd", "zabc"]).accepts("yabc")
    assert not gs.text_until("abc", excludes=["abcd", "zabc"]).accepts("zabc")


def test_words_that_overlap_in_too_many_ways_are_refused_at_once() -> None:
    words = ["a" * 300 + f"{number:03}" + "a" * 300 for number in range(300)]
    with pytest.raises(gs.LimitError, match="overlap in more than"):
        gs.text_until(words)


# -- tokens -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [True, 1.5, None, b"a", -1, 1 << 40, ""])
def test_what_is_no_token(value: object) -> None:
    with pytest.raises(GrammarError):
        gs.token(value)  # type: ignore[arg-type]


def test_tokens_meet_a_vocabulary() -> None:
    special = {"<|tool|>": 2, "<|end|>": 3}
    vocabulary = gs.Vocabulary([b"a", b"b", None, None], [3], special_tokens=special)
    grammar = gs.literal("a") + gs.token("<|tool|>") + gs.token(1)
    matcher = gs.compile(grammar, vocabulary).matcher()
    assert matcher.advance_many([0, 2, 1, 3]) == 4 and matcher.is_finished
    stored = gs.CompiledGrammar.from_bytes(gs.compile(grammar, vocabulary).to_bytes(), vocabulary)
    assert stored.matcher().advance_many([0, 2, 0]) == 2, "token 1 only, whatever spells like it"
    for bad, reason in (
        ("<|tol|>", "did you mean '<|tool|>'"),
        ("<|end|>", "EOS"),
        (3, "EOS"),
        (9, "outside"),
    ):
        with pytest.raises(gs.VocabularyError, match=reason.replace("|", "\\|")):
            gs.compile(gs.token(bad), vocabulary)
    assert gs.token(1).accepts([1]) and not gs.token(1).accepts("b") and not gs.token(98).accepts(b"b")
