"""Hypothesis strategies: schemas, instances, members of a grammar and their tokens, grammars, models, worlds.

Law: the generators of the seeded tests, on dice that hypothesis draws, so that failures shrink.
Cost: some worlds have no law and are rejected. Source: `testing.random_schemas`, `automaton.members`,
`testing.grammars`, `testing.worlds`.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from gramspec.automaton.members import WeightedMembers
from gramspec.errors import OptionError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar
from gramspec.models.tabular import TabularModel
from gramspec.testing import grammars
from gramspec.testing.json_spelling import spelled
from gramspec.testing.random_schemas import DRAFTS, Maker
from gramspec.testing.worlds import LAW_KINDS, World, make_world, random_rows
from gramspec.vocabulary import Vocabulary

__all__ = [
    "DrawnDice",
    "expressions",
    "grammars_on_vocabularies",
    "instances",
    "json_schemas",
    "json_texts",
    "members",
    "tabular_models",
    "texts_near",
    "token_sequences",
    "worlds",
]


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


def json_schemas(draft: str = "2020-12", *, depth: int = 3) -> st.SearchStrategy[Any]:
    """JSON Schemas over all keywords of a draft, with references and definitions.

    Parameters
    ----------
    draft : str
        ``4``, ``6``, ``7``, ``2019-09`` or ``2020-12``.
    depth : int
        Nesting of applicators.

    Raises
    ------
    OptionError
        If there is no such draft.
    """
    if draft not in DRAFTS:
        raise OptionError(f"draft={draft!r}: must be one of {', '.join(DRAFTS)}")
    return st.builds(
        lambda choose: Maker(choose, draft, depth=depth).document(), st.randoms(use_true_random=False)
    )


def instances(schema: Any) -> st.SearchStrategy[Any]:
    """JSON values around a schema: most of them fit or nearly do, none is sure to.

    Parameters
    ----------
    schema : dict or bool
        The oracle that says which fit is `gramspec.testing.schema_oracle.SchemaOracle`.
    """
    return st.builds(lambda choose: Maker(choose).instances(schema, 1)[0], st.randoms(use_true_random=False))


def json_texts(value: Any) -> st.SearchStrategy[str]:
    """Texts that a JSON parser reads as this value: escapes, white space, other spellings of numbers."""
    return st.builds(lambda choose: spelled(value, choose), st.randoms(use_true_random=False))


def members(grammar: Grammar, *, length: int | None = None) -> st.SearchStrategy[bytes]:
    """Members of a grammar, residual predicates included.

    Parameters
    ----------
    grammar : Grammar
    length : int, optional
        Longest text in bytes; by default 120 more than the shortest member has.

    Raises
    ------
    OptionError, LimitError
        As `gramspec.automaton.members.WeightedMembers` does.
    """
    source = _Source(grammar, length)

    @st.composite
    def drawn(draw: Any) -> bytes:
        return source.draw(draw)

    return drawn()


def texts_near(grammar: Grammar, *, length: int | None = None) -> st.SearchStrategy[bytes]:
    """Texts around the members of a grammar: a member with a byte changed, left out or put in.

    Most are outside the language, some are members; ``grammar.accepts`` says which.
    """
    texts = members(grammar, length=length)
    alphabet = st.sampled_from(sorted({*b' \n"\\{}[]:,0129-+.eEaZ_\x00\x80\xc3\xff'}))

    @st.composite
    def drawn(draw: Any) -> bytes:
        text: bytes = draw(texts)
        place = draw(st.integers(0, len(text)))
        removed = draw(st.integers(0, 1))
        inserted: bytes = bytes(draw(st.lists(alphabet, max_size=2)))
        return text[:place] + inserted + text[place + removed :]

    return drawn()


def token_sequences(
    grammar: Grammar, vocabulary: Vocabulary, *, length: int | None = None
) -> st.SearchStrategy[tuple[int, ...]]:
    """Members of a grammar as token ids: any segmentation, an EOS id at the end.

    Parameters
    ----------
    grammar : Grammar
    vocabulary : Vocabulary
        Members that it cannot spell are not drawn.
    length : int, optional
        As in `members`.
    """
    texts = members(grammar, length=length)
    longest = max((len(token) for token in vocabulary.tokens if token), default=0)
    by_bytes: dict[bytes, list[int]] = {}
    for number, token in enumerate(vocabulary.tokens):
        if token and number not in vocabulary.eos_ids:
            by_bytes.setdefault(token, []).append(number)

    @st.composite
    def drawn(draw: Any) -> tuple[int, ...]:
        text: bytes = draw(texts)
        spells = [False] * len(text) + [True]  # whether tokens spell the rest from here
        for at in range(len(text) - 1, -1, -1):
            ends = range(at + 1, min(len(text), at + longest) + 1)
            spells[at] = any(spells[end] and text[at:end] in by_bytes for end in ends)
        assume(spells[0])
        ids: list[int] = []
        at = 0
        while at < len(text):
            ends = range(at + 1, min(len(text), at + longest) + 1)
            fits = [n for end in ends if spells[end] for n in by_bytes.get(text[at:end], ())]
            ids.append(draw(st.sampled_from(fits)))
            token = vocabulary.tokens[ids[-1]]
            assert token
            at += len(token)
        return (*ids, draw(st.sampled_from(sorted(vocabulary.eos_ids))))

    return drawn()


class _Source:
    """Members of a grammar; native parts are let go before the interpreter ends."""

    def __init__(self, grammar: Grammar, length: int | None) -> None:
        self._held = [WeightedMembers(grammar, length)]
        weakref.finalize(self, self._held.clear)

    def draw(self, draw: Any) -> bytes:
        return self._held[0].draw(_chooser(draw))


def _chooser(draw: Any) -> Callable[[Sequence[int]], int]:
    """Choices in proportion to whole-number weights, drawn by hypothesis; they shrink to the first."""

    def choose(weights: Sequence[int]) -> int:
        sums = list(itertools.accumulate(weights))
        target = draw(st.integers(0, sums[-1] - 1))
        return next(i for i, total in enumerate(sums) if target < total)

    return choose
