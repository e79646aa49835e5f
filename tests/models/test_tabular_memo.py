"""What a table and a memo count, keep and refuse."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest

from gramspec.errors import LogitsError, ModelError, OptionError
from gramspec.models import Counters, MemoModel, TabularModel


def uniform(prefix: Sequence[int]) -> list[float]:
    return [0.0, -1.0, float(len(prefix))]


def test_tabular_counts() -> None:
    seen: list[tuple[int, ...]] = []

    def fn(prefix: Sequence[int]) -> list[float]:
        seen.append(tuple(prefix))
        return uniform(prefix)

    model = TabularModel(fn, 3, 2)
    sequence = model.open([1])
    sequence.score([0, 1, 0], [-1, -1, 1])
    assert seen == [(1,), (1, 0), (1, 1), (1, 1, 0)]
    assert model.counters == Counters(forwards=1, rows=4, positions=4)


def test_tabular_prompt_may_be_empty() -> None:
    assert TabularModel(uniform, 3, 2).open([]).score()[0].tolist() == [0.0, -1.0, 0.0]


def test_tabular_fingerprints() -> None:
    assert TabularModel(uniform, 3, 2).fingerprint != TabularModel(uniform, 3, 2).fingerprint
    assert TabularModel(uniform, 3, 2, fingerprint="law").fingerprint == "law"


def test_tabular_rows_are_copied() -> None:
    row = np.zeros(3)
    model = TabularModel(lambda prefix: row, 3, 2)
    model.open([]).score()[:] = 5
    assert row.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ([0.0, np.nan, 1.0], "1 of 3 logits are NaN, the first at id 1"),
        ([0.0, -np.inf, np.inf], "id 2 is \\+inf"),
        ([-np.inf] * 3, "every logit is -inf"),
        ([0.0, 1.0], "shape \\(2,\\)"),
        ([[0.0, 1.0, 2.0]], "shape \\(1, 3\\)"),
        (["a", "b", "c"], "no row of numbers"),
        (None, "shape \\(\\)"),
    ],
)
def test_bad_rows_name_the_prefix(row: object, says: str) -> None:
    model = TabularModel(lambda prefix: row if len(prefix) == 3 else [0, 0, 0], 3, 2)  # type: ignore[arg-type]
    sequence = model.open([1])
    sequence.commit([0])
    with pytest.raises(LogitsError, match=says) as caught:
        sequence.score([2, 0])
    assert "[1, 0, 2]" in str(caught.value)


def test_long_prefixes_are_shortened_in_errors() -> None:
    model = TabularModel(lambda prefix: [np.nan] * 3, 3, 2)
    with pytest.raises(LogitsError, match=r"prefix of 40 tokens: \[\.\.\., 1, 1"):
        model.open([1] * 40).score()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((uniform, 0, 0), "vocab_size"),
        ((uniform, 3, 3), "eos_id"),
        ((uniform, 3, -1), "eos_id"),
        ((uniform, 3, []), "eos_id"),
        ((None, 3, 2), "not a function"),
    ],
)
def test_tabular_arguments(arguments: tuple[object, ...], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        TabularModel(*arguments)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="max_length"):
        TabularModel(uniform, 3, 2, max_length=0)


def test_memo_forwards_only_what_is_missing() -> None:
    inner = TabularModel(uniform, 3, 2)
    memo = MemoModel(inner, max_bytes=1 << 20)
    sequence = memo.open([1])
    sequence.score([0, 1])
    assert (memo.counters, memo.hits) == (Counters(forwards=1, rows=3, positions=3), 0)
    sequence.score([0, 1])
    sequence.score([1, 0], [-1, -1])  # one of three rows is new
    assert (memo.counters, memo.hits) == (Counters(forwards=2, rows=9, positions=5), 5)
    assert inner.counters.forwards == 2
    other = memo.open([1])
    other.commit([0])
    other.score([1])
    assert (memo.counters, memo.hits) == (Counters(forwards=2, rows=11, positions=5), 7)


def test_memo_asks_once_per_batch() -> None:
    calls: list[int] = []

    class Counted(TabularModel):
        def score_many(self, requests):  # type: ignore[no-untyped-def]
            calls.append(len(requests))
            return super().score_many(requests)

    memo = MemoModel(Counted(uniform, 3, 2), max_bytes=1 << 20)
    known = memo.open([0])
    known.score()
    memo.score_many([(memo.open([1]), [0], None), (known, [], None), (memo.open([1]), [0, 1], None)])
    assert calls == [1, 2]


def test_memo_returns_the_first_row_it_saw() -> None:
    rng = np.random.default_rng(0)
    memo = MemoModel(TabularModel(lambda prefix: rng.normal(size=3), 3, 2), max_bytes=1 << 20)
    sequence = memo.open([1])
    first = sequence.score([0])
    later = sequence.score([0, 1])  # asks the inner model, whose rows differ now
    assert np.array_equal(first, later[:2])
    pair = memo.score_many([(memo.open([2]), [0], None), (memo.open([2]), [0], None)])
    assert np.array_equal(pair[0], pair[1])


def test_memo_evicts_the_least_recently_used() -> None:
    size = 3 * 8 + 256 + 8
    memo = MemoModel(TabularModel(uniform, 3, 2), max_bytes=3 * size)
    for prompt in ([0], [1], [0], [2]):
        memo.open(prompt).score()
    assert len(memo) == 3
    memo.open([]).score()  # pushes out [1]
    before = memo.counters.forwards
    memo.open([0]).score()
    memo.open([2]).score()
    assert memo.counters.forwards == before
    memo.open([1]).score()
    assert memo.counters.forwards == before + 1
    assert memo.remembered_bytes <= 3 * size


def test_memo_carries_what_the_model_carries() -> None:
    class Spelled(TabularModel):
        vocabulary = "words"

    inner = Spelled(uniform, 3, (1, 2), max_length=9)
    memo = MemoModel(inner, max_bytes=0)
    assert memo.vocabulary == "words"
    assert not hasattr(memo, "encode")
    same = ("vocab_size", "eos_ids", "max_length", "fingerprint", "row_noise")
    assert all(getattr(memo, name) == getattr(inner, name) for name in same)
    with pytest.raises(OptionError, match="max_bytes is -1"):
        MemoModel(inner, max_bytes=-1)


@pytest.mark.parametrize("call", ["load('anywhere')", "embedded()"])
def test_missing_packages_are_named(call: str) -> None:
    program = (
        "import sys; sys.modules['transformers'] = None\n"
        "import gramspec.models as models; from gramspec.errors import ModelError\n"
        f"try:\n    models.{call}\n"
        "except ModelError as error:\n    sys.exit('need the package transformers' not in str(error))\n"
        "sys.exit(2)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_room_does_not_import_torch() -> None:
    program = "import sys, gramspec.models; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
