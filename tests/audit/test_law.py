"""`Law`, the enumerating random source, and `output_law`."""

import math

import numpy as np
import pytest

from gramspec.audit import Law, output_law
from gramspec.audit.enumerate import ReplayError, enumerate_leaves
from gramspec.decoding.random import RandomSource
from gramspec.decoding.report import Report
from gramspec.errors import BudgetExhaustedError, OptionError
from gramspec.vocabulary import Vocabulary


def test_law_is_a_mapping_with_distances() -> None:
    one = Law({(0, 2): 0.5, (1, 2): 0.5})
    two = Law({(0, 2): 0.25, (1, 2): 0.25, (2,): 0.5})
    assert len(one) == 2 and one[0, 2] == 0.5 and set(one) == {(0, 2), (1, 2)}
    assert one.tv(two) == pytest.approx(0.5) and two.tv(one) == pytest.approx(0.5)
    assert one.kl(two) == pytest.approx(math.log(2)) and two.kl(one) == math.inf
    assert one.tv(one) == 0.0 and one.kl(one) == 0.0
    assert two.pushed(len) == {2: 0.5, 1: 0.5}


def test_law_pools_texts() -> None:
    vocabulary = Vocabulary([b"a", b"aa", None, None, b"\xc3"], [2, 3])
    law = Law({(0, 0, 2): 0.25, (1, 2): 0.25, (1, 3): 0.25, (4, 2): 0.25})
    assert law.by_text(vocabulary) == {"aa": 0.75, "\udcc3": 0.25}


def test_unresolved_mass_counts_as_distance() -> None:
    part = Law({(0,): 0.5}, unresolved=0.5)
    assert part.tv(Law({(0,): 1.0})) == pytest.approx(0.5)
    assert part.conditioned() == {(0,): 1.0}
    with pytest.raises(OptionError, match="unresolved"):
        part.kl(Law({(0,): 1.0}))
    with pytest.raises(OptionError, match="unresolved"):
        part.draws(3, seed=0)


@pytest.mark.parametrize("masses", [{(0,): 0.5}, {(0,): -0.5, (1,): 1.5}, {(0,): math.nan}, {}])
def test_masses_that_are_no_law_are_refused(masses: dict[tuple[int, ...], float]) -> None:
    with pytest.raises(OptionError):
        Law(masses)


def test_output_law_of_a_geometric_decoder() -> None:
    def decoder(random: RandomSource) -> list[int]:
        out = []
        while random.choose(np.array([0.25, 0.0, 0.75])) == 0:
            out.append(7)
        return [*out, 1]

    law = output_law(decoder, max_depth=5)
    assert law[1,] == 0.75 and law[7, 7, 1] == pytest.approx(0.75 / 16)
    assert law.unresolved == pytest.approx(0.25**5)
    few = output_law(decoder, max_leaves=2, max_depth=2)
    assert len(few) + (few.unresolved > 0) == 2


def test_weights_need_not_be_normalised_and_zeros_are_never_taken() -> None:
    leaves = list(enumerate_leaves(lambda random: random.choose(np.array([2.0, 0.0, 6.0]))))
    assert [(leaf.value, leaf.probability) for leaf in leaves] == [(0, 0.25), (2, 0.75)]


def test_errors_named_unresolved_are_mass_others_are_raised() -> None:
    def decoder(random: RandomSource) -> list[int]:
        if random.choose(np.array([0.5, 0.5])):
            raise BudgetExhaustedError(Report("exact", "conditional", "restart"), "no more")
        return [0]

    assert output_law(decoder).unresolved == pytest.approx(0.5)
    with pytest.raises(BudgetExhaustedError):
        output_law(decoder, unresolved_errors=())


def test_a_decoder_with_memory_is_found_out() -> None:
    calls = []

    def decoder(random: RandomSource) -> list[int]:
        calls.append(1)
        random.choose(np.array([0.5, 0.5 + len(calls)]))
        random.choose(np.array([0.5, 0.5]))
        return [0]

    with pytest.raises(ReplayError):
        output_law(decoder)


def test_a_decoder_that_stops_early_on_replay_is_found_out() -> None:
    calls = []

    def decoder(random: RandomSource) -> list[int]:
        calls.append(1)
        for _ in range(2 if len(calls) == 1 else 1):
            random.choose(np.array([0.5, 0.5]))
        return [0]

    with pytest.raises(ReplayError):
        output_law(decoder)


@pytest.mark.parametrize("weights", [[0.0, 0.0], [1.0, -1.0], [math.inf, 1.0], [math.nan]])
def test_bad_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(OptionError):
        output_law(lambda random: [random.choose(np.array(weights))])
