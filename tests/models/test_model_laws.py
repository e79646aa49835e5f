"""Every implementation of `LanguageModel` keeps `ModelLaws`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from model_networks import KINDS, LENGTH, VOCAB, network
from numpy.typing import NDArray

from gramspec.models import MemoModel, TabularModel, TransformersModel
from gramspec.models.protocol import LanguageModel
from gramspec.testing.models import ModelLaws

NETWORKS = {name: network(name) for name in KINDS}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def table(prefix: Sequence[int]) -> NDArray[np.float64]:
    """A row drawn from a generator that the prefix seeds, with some impossible tokens."""
    digest = hashlib.sha256(repr(tuple(int(t) for t in prefix)).encode()).digest()
    rng = np.random.default_rng(list(digest))
    row = rng.normal(size=7)
    row[rng.random(7) < 0.2] = -np.inf
    row[0] = 3 * rng.normal()
    return row


class TestTabularModel(ModelLaws):
    tolerance = 0.0

    @staticmethod
    def reference(model: LanguageModel, prefix: Sequence[int]) -> NDArray[np.float64]:
        return table(prefix)

    @pytest.fixture(params=[None, 128])
    def model(self, request: pytest.FixtureRequest) -> TabularModel:
        return TabularModel(table, 7, [2, 6], max_length=request.param)


class TestMemoModel(TestTabularModel):
    @pytest.fixture(params=[0, 2_000, 1 << 24])
    def model(self, request: pytest.FixtureRequest) -> MemoModel:
        return MemoModel(TabularModel(table, 7, 2, max_length=128), max_bytes=request.param)


def plain_row(model: LanguageModel, prefix: Sequence[int]) -> NDArray[np.float64]:
    """The row without any cache."""
    inner = model.model if isinstance(model, TransformersModel) else model.model.model
    with torch.no_grad():
        logits = inner(input_ids=torch.tensor([list(prefix)]), use_cache=False).logits
    return logits[0, -1].double().numpy()


class TestTransformersModel(ModelLaws):
    reference = staticmethod(plain_row)

    @pytest.fixture(params=list(KINDS))
    def model(self, request: pytest.FixtureRequest) -> TransformersModel:
        model = TransformersModel(NETWORKS[request.param])
        assert model.cache_kind == KINDS[request.param]
        assert model.vocab_size == VOCAB
        if hasattr(model.model.config, "max_position_embeddings"):
            assert model.max_length == LENGTH
        return model


class TestEagerTrees(ModelLaws):
    """Trees under the other attention implementation that takes a 4-D mask."""

    reference = staticmethod(plain_row)
    seeds = 1

    @pytest.fixture
    def model(self) -> TransformersModel:
        model = TransformersModel(network("llama", attn_implementation="eager"))
        assert model.scores_trees
        return model


class TestMemoOfTransformers(ModelLaws):
    reference = staticmethod(plain_row)
    seeds = 2

    @pytest.fixture(params=["llama", "gemma3", "mamba2"])
    def model(self, request: pytest.FixtureRequest) -> MemoModel:
        return MemoModel(TransformersModel(NETWORKS[request.param]), max_bytes=20_000)


@pytest.mark.parametrize("name", ["gemma3", "mamba2", "lfm2"])
def test_the_laws_catch_a_cache_of_the_wrong_sort(name: str) -> None:
    """Cropping what cannot be cropped, as often as one likes, raises nothing: only the rows tell."""
    laws = TestTransformersModel()
    model = TransformersModel(NETWORKS[name])
    model._network.kind = "full"  # the planted mistake: crop anywhere, any number of times
    model._network._records = True
    with pytest.raises((AssertionError, RuntimeError)):
        laws.test_walk_of_rounds(model)
