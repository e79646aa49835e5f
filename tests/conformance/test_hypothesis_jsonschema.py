"""Values that hypothesis-jsonschema draws for schemas, judged by `jsonschema` and by the grammar."""

from __future__ import annotations

import itertools
import json
import random
import time
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from gramspec.testing.random_schemas import Maker
from gramspec.testing.schema_oracle import Oracle, sound
from tests.conformance import maskbench
from tests.conformance.judge import Judge
from tests.conformance.test_fuzz import SECONDS, SEED

hypothesis_jsonschema = pytest.importorskip("hypothesis_jsonschema")


PHASES = [Phase.generate, Phase.shrink]


class Disagreement(Exception):
    """A verdict of gramspec's is not the library's."""


def _schema(number: int) -> Any:
    """A random schema of a draft that hypothesis-jsonschema reads, or a small recorded one."""
    choose = random.Random(number)
    if maskbench.present() and choose.random() < 0.4:
        schema = choose.choice(maskbench.cases()).schema
        return schema if len(json.dumps(schema)) < 3000 and sound(schema) else True
    return Maker(number, choose.choice(["4", "6", "7"]), depth=2).document()


def test_values_of_hypothesis_jsonschema(capsys: pytest.CaptureFixture[str]) -> None:
    count: Counter[str] = Counter()
    end = time.monotonic() + SECONDS
    options = settings(
        max_examples=8,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=PHASES,
        report_multiple_bugs=False,
    )
    with Judge(seconds=120) as judge:
        for number in itertools.count(SEED):
            if time.monotonic() > end:
                break
            schema = _schema(number)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    values = hypothesis_jsonschema.from_schema(schema)
                    seed(number)(options(given(values)(_comparison(judge, schema, count))))()
            except Disagreement:
                raise
            except Exception as error:  # it reads fewer schemas than there are, and asserts things of its own
                count[f"not read: {type(error).__name__}"] += 1
    with capsys.disabled():
        print(f"\n  hypothesis-jsonschema, seeds from {SEED}: {dict(count.most_common())}")
    assert count["verdict True"] > 100


def _comparison(judge: Judge, schema: Any, count: Counter[str]) -> Callable[[Any], None]:
    oracle = Oracle(json.dumps(schema))

    def compare(value: Any) -> None:
        text = json.dumps(value)
        answer = judge.ask(json.dumps(schema), [text], property_order="any", formats="annotate")
        count[answer.outcome] += 1
        if answer.outcome not in ("compiled", "empty", "refused", "limit"):
            raise Disagreement(f"{answer.reason} <- {schema}")
        if answer.verdicts:
            want, found = oracle.verdict(text), answer.verdicts[0]
            count[f"verdict {want}"] += 1
            if want not in (None, found):
                raise Disagreement(f"wrongly {'accepts' if found else 'rejects'} {text} <- {schema}")

    return compare
