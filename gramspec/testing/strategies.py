"""Hypothesis strategies for small grammars, vocabularies, tabular models and whole worlds.

Law: the same generators as the seeded worlds, on dice that hypothesis draws, so that failures shrink.
Cost: some worlds have no law and are rejected. Source: `testing.grammars`, `testing.worlds`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from gramspec.grammar import ir
from gramspec.models.tabular import TabularModel
from gramspec.testing import grammars
from gramspec.testing.worlds import LAW_KINDS, World, make_world, random_rows


class DrawnDice:
    """Dice that hypothesis draws.

    Parameters
    ----------
    draw : callable
        What `st.composite` hands over.
    """

    def __init__(self, draw: Any) -> None:
        self._draw = draw

    def pick(self, n: int) -> int:
        """An int in 0..n-1, shrinking to 0."""
        return int(self._draw(st.integers(0, n - 1)))


@st.composite
def expressions(draw: Any, /, kinds: Sequence[str] = grammars.KINDS) -> tuple[str, bytes, ir.Expr]:
    """A kind, its alphabet and an expression of that kind."""
    dice = DrawnDice(draw)
    kind = kinds[dice.pick(len(kinds))]
    alphabet = grammars.alphabet_of(dice, kind)
    return kind, alphabet, grammars.expression(dice, kind, alphabet)


@st.composite
def grammars_on_vocabularies(
    draw: Any, /, kinds: Sequence[str] = grammars.KINDS, sizes: tuple[int, int] = (2, 6)
) -> tuple[str, ir.Expr, grammars.SmallVocabulary]:
    """A kind, an expression, and a vocabulary around its members."""
    kind, alphabet, expr = draw(expressions(kinds))
    size = draw(st.integers(*sizes))
    small = grammars.vocabulary(DrawnDice(draw), expr, alphabet, size, special=kind == "edges")
    return kind, expr, small


@st.composite
def tabular_models(draw: Any, /, vocab_size: int, eos_ids: Sequence[int]) -> TabularModel:
    """A tabular model with random rows, some entries -inf."""
    seed = draw(st.integers(0, 2**20))
    impossible = draw(st.sampled_from([0.0, 0.15, 0.4]))
    return TabularModel(random_rows(seed, vocab_size, impossible=impossible), vocab_size, tuple(eos_ids))


@st.composite
def worlds(draw: Any, /, kinds: Sequence[str] = LAW_KINDS, **settings: Any) -> World:
    """A world whose law is defined; settings are those of `make_world`."""
    seed = draw(st.integers(0, 2**20))
    world = make_world(seed, DrawnDice(draw), kinds=kinds, **{"max_sequences": 150, **settings})
    assume(world is not None)
    assert world is not None
    return world
