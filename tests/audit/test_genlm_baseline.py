"""genlm-control's SMC on our models: its draws come near the law, and its forwards are counted."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

import gramspec as gs
from gramspec.audit import check_draws, exact_law
from gramspec.audit.baselines import Problem, SmcAwrs
from gramspec.audit.baselines.genlm import GenlmSmc
from gramspec.decoding.random import NumpyRandomSource
from gramspec.decoding.rows import RowLaw
from gramspec.errors import ModelError, OptionError
from gramspec.models.tabular import TabularModel

INSTALLED = find_spec("genlm") is not None and find_spec("genlm.control") is not None
VOCABULARY = gs.Vocabulary([b"a", b"b", b"ab", b"c", None], [4])
GRAMMAR = gs.regex("(ab|c){1,3}")


def problem(vocabulary: gs.Vocabulary = VOCABULARY, eos: Any = 4) -> Problem:
    width = len(vocabulary.tokens)
    model = TabularModel(lambda x: np.sin(np.arange(width) * (1.0 + sum(x)) + len(x)), width, eos)
    compiled: Any = gs.compile(GRAMMAR, vocabulary)
    return Problem(model, compiled, (0,), 4, RowLaw(0.8))


@pytest.mark.skipif(INSTALLED, reason="genlm-control is installed")
def test_without_the_package_the_error_says_what_to_install() -> None:
    with pytest.raises(ModelError, match=r"gramspec\[genlm\]"):
        GenlmSmc(problem())


def test_options_that_it_cannot_take_are_refused() -> None:
    with pytest.raises(OptionError, match="particles=0"):
        GenlmSmc(problem(), 0)
    two = gs.Vocabulary([b"a", b"b", b"ab", b"c", None, None], [4, 5])
    with pytest.raises(OptionError, match="2 EOS tokens"):
        GenlmSmc(problem(two, (4, 5)))


@pytest.mark.skipif(not INSTALLED, reason="genlm-control is not installed")
def test_many_particles_sample_the_law() -> None:
    at = problem()
    law = exact_law(at.model, at.compiled, 4, vocabulary=VOCABULARY, prompt=(0,), temperature=0.8)
    sampler = GenlmSmc(at, 30)
    state = np.random.get_state()[1].tolist()  # noqa: NPY002
    before = at.model.counters.forwards  # type: ignore[attr-defined]
    draws = [sampler.draw(NumpyRandomSource((5, k))) for k in range(250)]
    assert sampler.spent.forwards == at.model.counters.forwards - before  # type: ignore[attr-defined]
    assert check_draws(draws, law).smallest_p > 1e-4
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002
    again = GenlmSmc(problem(), 30)
    assert [again.draw(NumpyRandomSource((5, k))) for k in range(5)] == draws[:5]
    ours = SmcAwrs(problem(), 30)
    for k in range(50):
        ours.draw(NumpyRandomSource((6, k)))
    assert sampler.spent.forwards / 250 == pytest.approx(ours.spent.forwards / 50, rel=0.25)
