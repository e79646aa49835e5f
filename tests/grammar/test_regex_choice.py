"""Choices and literals: exactly the given texts, shallow expressions, errors with the place."""

from __future__ import annotations

import random

import pytest
from regex_oracle import accepts

from gramspec.errors import EmptyLanguageError, GrammarError
from gramspec.grammar import ir
from gramspec.grammar.choice import choice, literal


def depth(node: ir.Expr) -> int:
    return 1 + max(map(depth, getattr(node, "items", ())), default=0)


@pytest.mark.parametrize("seed", range(5))
def test_exactly_the_given_texts(seed: int) -> None:
    rng = random.Random(seed)
    texts = {"".join(rng.choice("aé") for _ in range(rng.randint(0, 5))) for _ in range(rng.randint(1, 25))}
    expr = choice(sorted(texts, key=lambda _: rng.random())).expr
    for _ in range(200):
        text = "".join(rng.choice("aé") for _ in range(rng.randint(0, 6)))
        assert accepts(expr, text.encode()) is (text in texts)
    assert all(accepts(expr, text.encode()) for text in texts)


def test_prefixes_are_written_once_and_chains_stay_shallow() -> None:
    shared = choice([f"https://example.org/{n}" for n in range(10)]).expr
    assert isinstance(shared, ir.Concat)
    chain = choice(["a" * n for n in range(400)]).expr
    assert depth(chain) < 250
    assert accepts(chain, b"a" * 150) and accepts(chain, b"") and not accepts(chain, b"ab")
    assert accepts(choice(["x", b"x", "y"]).expr, b"x")


def test_literal() -> None:
    assert accepts(literal("aé").expr, "aé".encode())
    assert not accepts(literal("aé").expr, b"a")
    assert accepts(literal(b"\xff").expr, b"\xff")
    assert accepts(literal("").expr, b"")


def test_errors() -> None:
    with pytest.raises(EmptyLanguageError):
        choice([])
    with pytest.raises(GrammarError, match="list of texts"):
        choice("abc")
    with pytest.raises(GrammarError) as caught:
        choice(["a", 5])  # type: ignore[list-item]
    assert caught.value.pointer == "/1"
    with pytest.raises(GrammarError, match="lone surrogate"):
        choice(["\ud800"])
    with pytest.raises(GrammarError):
        literal(5)  # type: ignore[arg-type]
