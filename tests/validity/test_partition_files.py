"""Proxy weights as files: what is stored comes back, and whatever is damaged is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gramspec as gs
from gramspec.errors import OptionError, SerialisationError
from gramspec.validity import (
    ByteWeights,
    Partition,
    StateWeights,
    TokenWeights,
    load_weights,
    save_weights,
)
from gramspec.validity.stored import load_arrays, save_arrays

VOCABULARY = gs.Vocabulary([b"a", b"b", b"ab", None], [3])


def learned() -> StateWeights:
    compiled = gs.compile(gs.regex("a[ab]*b"), VOCABULARY)
    weights = StateWeights(ByteWeights.uniform(alphabet=b"ab", stop=0.2), prior=0.5)
    matcher = compiled.matcher()
    for token in (0, 1, 2):
        weights.observe_row(matcher, [0.4, 0.3, 0.2, 0.1])
        matcher.advance(token)
    return weights


def test_weights_come_back(tmp_path: Path) -> None:
    plain = ByteWeights.from_texts(["some text"], fluency=0.5)
    counted = TokenWeights.from_counts(VOCABULARY, [3, 2, 1, 1])
    for weights in (plain, counted):
        save_weights(weights, tmp_path / "weights")
        back = load_weights(tmp_path / "weights")
        assert type(back) is type(weights) and back.fingerprint == weights.fingerprint


def test_averages_come_back_by_kind_of_state(tmp_path: Path) -> None:
    weights = learned()
    save_weights(weights, tmp_path / "states.npz")
    back = load_weights(tmp_path / "states.npz")
    assert isinstance(back, StateWeights) and back.stop == weights.stop and back.prior == 0.5
    assert back.summary == weights.summary and set(back.kinds) == set(weights.kinds) and weights.kinds
    arcs = tuple((low, high, 0) for low, high in next(iter(weights.kinds)))
    # In an engine that neither has seen, both know the kinds of states only.
    assert np.array_equal(back.at(-1, 0, arcs), weights.at(-1, 0, arcs))
    compiled = gs.compile(gs.regex("a[ab]*b"), VOCABULARY)
    assert np.isfinite(Partition(compiled, back).log_h(compiled.matcher(), (), 9))
    with pytest.raises(OptionError, match="cannot be stored"):
        save_weights(StateWeights(weights), tmp_path / "twice.npz")


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    from gramspec.validity.partition_files import _ARRAYS, _KIND

    path, bad = tmp_path / "good.npz", tmp_path / "bad.npz"
    save_weights(learned(), path)
    header, arrays = load_arrays(path, _KIND, _ARRAYS)

    def refuse(match: str, head: dict[str, object] | None = None, **changed: np.ndarray) -> None:
        save_arrays(bad, _KIND, {**header, **(head or {})}, {**arrays, **changed})
        with pytest.raises(SerialisationError, match=match):
            load_weights(bad)

    refuse("unknown class", {"class": "Weights"})
    refuse("out of range", {"stop": 0.0})
    refuse("out of range", {"fluency": "much"})
    refuse("out of range", {"states": {"prior": 1.0}})
    refuse("out of range", {"states": {**header["states"], "ends": 1e9}})
    refuse("out of range", weights=np.zeros(256))
    refuse("no distribution", lengths=np.array([0.5, 0.5]))
    refuse("fit together", offsets=arrays["offsets"][:-1])
    refuse("fit together", bytes=arrays["bytes"][:, :100])
    refuse("average", bytes=arrays["bytes"] - 1.0)
    refuse("average", seen=arrays["seen"] * 0.0)
    path.write_bytes(path.read_bytes()[:-40])
    for each in (path, tmp_path / "nothing.npz"):
        with pytest.raises(SerialisationError, match="cannot be read"):
            load_weights(each)
