"""`HiddenStates`: a function of the prefix, of fixed length, usable as features of learned values."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

import gramspec as gs
from gramspec.decoding.rows import RowLaw
from gramspec.errors import OptionError
from gramspec.models.hidden import HiddenStates
from gramspec.validity import Learned


def test_a_function_of_the_prefix_that_values_can_learn_from() -> None:
    target, draft = gs.models.embedded()
    prompt = target.encode("Is 7 even? Answer true or false.")
    features = HiddenStates(draft, prompt, size=5)
    first, other = features(()), features((7, 9))
    assert first.shape == (5,) and np.isfinite(first).all() and np.abs(first - other).max() > 1e-3
    fresh = HiddenStates(draft, prompt, size=5, remembered=1)
    assert np.array_equal(fresh((7, 9)), other) and np.array_equal(fresh(()), first)
    assert not np.array_equal(HiddenStates(draft, prompt, size=5, seed=1)(()), first)
    compiled = gs.compile(gs.regex("true|false"), target.vocabulary)
    learned = Learned(compiled, features=features)
    learned.fit(draft, [prompt], row=RowLaw().row, budget=5, runs=3)
    h = learned.h_children(compiled.matcher(), (), 5)
    assert len(learned) > 0 and ((h >= 0.0) & (h <= 1.0)).all() and h.any()
    with pytest.raises(OptionError, match="size=0"):
        HiddenStates(draft, prompt, size=0)
