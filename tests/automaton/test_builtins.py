"""Built-in expressions: the native core makes the language that their expansion says."""

from __future__ import annotations

import pytest

from gramspec.automaton.engine import Engine
from gramspec.automaton.fingerprint import fingerprint
from gramspec.automaton.loader import load
from gramspec.errors import EmptyLanguageError, GrammarError
from gramspec.grammar import ir
from gramspec.grammar.encoding import json_key_spellings
from gramspec.limits import Limits

EVERY_BYTE = [bytes([byte]) for byte in range(256)]


def engine(missing: bytes = b"") -> Engine:
    return Engine([byte for byte in EVERY_BYTE if byte not in missing], Limits())


def equal(first: ir.Expr, second: ir.Expr) -> bool:
    """Whether no string is in one regular language only."""
    for one, other in ((first, second), (second, first)):
        try:
            load(engine(), ir.And((one, ir.Not(other))))
        except EmptyLanguageError:
            continue
        return False
    return True


@pytest.mark.parametrize(
    "text", ["", "a", 'say "hé\\/"', "\x00\x1f\x7f", "日本\uffff", "😀\U0010ffff", "\b\f\n\r\t"]
)
def test_spellings_of_a_text(text: str) -> None:
    key = json_key_spellings(text)
    assert isinstance(key, ir.Builtin) or not text
    written = key.item if isinstance(key, ir.Builtin) else ir.EPSILON
    assert equal(key, written)
    shared = engine()
    assert load(shared, key).expr == load(shared, written).expr
    poor = engine(missing=b'"aAh\\')
    if text not in ("a", 'say "hé\\/"', "\x00\x1f\x7f", "\b\f\n\r\t"):
        assert load(poor, key).expr == load(poor, written).expr


def test_equality_is_told() -> None:
    assert not equal(json_key_spellings("a"), json_key_spellings("b"))


def test_fingerprints_tell_the_values() -> None:
    assert fingerprint(json_key_spellings("ab")) == fingerprint(json_key_spellings("ab"))
    assert fingerprint(json_key_spellings("ab")) != fingerprint(json_key_spellings("ac"))


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(GrammarError, match="no such"):
        load(engine(), ir.Builtin("no such", (), lambda: ir.EPSILON))
