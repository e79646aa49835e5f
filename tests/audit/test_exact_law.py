"""`exact_law` against brute force on random worlds, and its refusals."""

import math

import numpy as np
import pytest

from gramspec.audit import exact_law
from gramspec.errors import BudgetTooSmallError, DeadEndError, LimitError, OptionError, PromptError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar
from gramspec.models.tabular import TabularModel
from gramspec.testing.proofs import DEAD, Bench, conditional_reference, masked_reference
from gramspec.testing.reference import ReferenceCompiled
from gramspec.testing.worlds import World, worlds
from gramspec.vocabulary import Vocabulary

WORLDS = worlds(31, 60)


def options(world: World) -> dict[str, object]:
    return {
        "vocabulary": world.vocabulary,
        "prompt": world.prompt,
        "temperature": world.temperature,
        "top_k": world.top_k,
        "top_p": world.top_p,
    }


@pytest.mark.parametrize("source", ["masks", "members", "native"])
def test_agrees_with_brute_force(source: str) -> None:
    for world in WORLDS:
        expected = conditional_reference(world)
        members = world.members_within if source == "members" else None
        grammar = ReferenceCompiled(world, 1) if source == "masks" else world.grammar
        n = world.max_new_tokens
        law = exact_law(world.target, grammar, n, members=members, **options(world))  # type: ignore[arg-type]
        assert law.tv(expected) <= 1e-12 and set(law) == set(expected), str(world)
        assert law.log_phi == pytest.approx(math.log(world.phi), abs=1e-12)
        masked = masked_reference(Bench(world, None))
        call = dict(options(world), members=members, law="masked")
        if DEAD in masked:
            with pytest.raises(DeadEndError):
                exact_law(world.target, grammar, n, **call)  # type: ignore[arg-type]
        else:
            found = exact_law(world.target, grammar, n, **call)  # type: ignore[arg-type]
            assert max(abs(found[y] - masked.get(y, 0.0)) for y in found) <= 1e-12, str(world)


def flat(width: int, eos: int) -> TabularModel:
    return TabularModel(lambda prefix: np.zeros(width), width, eos, max_length=8)


VOCABULARY = Vocabulary([b"a", b"b", b"ab", None], [3])


def test_sequences_are_counted_before_the_model_is_asked() -> None:
    asked: list[int] = []

    def row(prefix: object) -> object:
        asked.append(1)
        return np.zeros(4)

    model = TabularModel(row, 4, 3)  # type: ignore[arg-type]
    grammar = Grammar(ir.repeat(ir.byte_set(b"ab"), 0, None))
    members = 1 + 3 + 9 + 27  # every segmentation counts
    with pytest.raises(LimitError, match="max_sequences"):
        exact_law(model, grammar, 4, vocabulary=VOCABULARY, max_sequences=members - 1)
    assert not asked
    law = exact_law(model, grammar, 4, vocabulary=VOCABULARY, max_sequences=members)
    assert len(law) == members and asked


def test_a_uniform_model_by_hand() -> None:
    grammar = Grammar(ir.literal("ab"))
    law = exact_law(flat(4, 3), grammar, 3, vocabulary=VOCABULARY)
    assert law.log_phi == pytest.approx(math.log(1 / 64 + 1 / 16))
    assert law[2, 3] == pytest.approx(0.8) and law[0, 1, 3] == pytest.approx(0.2)
    masked = exact_law(flat(4, 3), grammar, 3, vocabulary=VOCABULARY, law="masked")
    assert masked[2, 3] == pytest.approx(0.5)
    short = exact_law(flat(4, 3), grammar, 2, vocabulary=VOCABULARY)
    assert dict(short) == {(2, 3): pytest.approx(1.0)}


def test_refusals() -> None:
    grammar = Grammar(ir.literal("ab"))
    with pytest.raises(BudgetTooSmallError):
        exact_law(flat(4, 3), grammar, 1, vocabulary=VOCABULARY)
    with pytest.raises(OptionError, match="law"):
        exact_law(flat(4, 3), grammar, 3, vocabulary=VOCABULARY, law="other")
    with pytest.raises(OptionError, match="max_new_tokens"):
        exact_law(flat(4, 3), grammar, 0, vocabulary=VOCABULARY)
    with pytest.raises(OptionError, match="vocabulary"):
        exact_law(flat(4, 3), grammar, 3, vocabulary=None)
    with pytest.raises(PromptError):
        exact_law(flat(4, 3), grammar, 3, vocabulary=VOCABULARY, prompt=[0] * 6)
    silent = TabularModel(lambda prefix: np.array([-np.inf, 0.0, -np.inf, 0.0]), 4, 3)
    for law in ("conditional", "masked"):
        with pytest.raises(DeadEndError):
            exact_law(silent, grammar, 3, vocabulary=VOCABULARY, law=law)
