"""The two oracles against each other and against the recorded test suite."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from gramspec.testing.random_schemas import DRAFTS, Maker
from gramspec.testing.schema_interpreter import Interpreter
from gramspec.testing.schema_oracle import Oracle, integral
from tests.conformance import suite


@pytest.mark.parametrize("draft", DRAFTS)
def test_the_interpreter_and_the_library_agree(draft: str) -> None:
    count: Counter[bool] = Counter()
    for seed in range(150):
        maker = Maker(seed, draft)
        schema = maker.document()
        text = json.dumps(schema)
        if "unevaluated" in text or "http://e/" in text:
            continue
        oracle, letter = Oracle(text), Interpreter(json.loads(text, parse_float=integral))
        for value in maker.instances(schema, 12):
            written = json.dumps(value)
            want = oracle.verdict(written)
            if want is None or ("." in written and draft == "4"):
                continue
            assert letter.evaluate(json.loads(written, parse_float=integral)) == want, (text, value)
            count[want] += 1
    assert min(count.values()) > 100


@pytest.mark.skipif(not suite.present(), reason="the suite lies in ../shared/data, not here")
@pytest.mark.parametrize("draft", suite.DRAFTS)
def test_the_interpreter_has_the_verdicts_of_the_suite(draft: str) -> None:
    count = 0
    for group in suite.groups(draft):
        plain = group.schema
        if isinstance(plain, dict):
            plain = {k: v for k, v in plain.items() if k != "$schema"}
        text = json.dumps(plain)
        known = not any(word in text for word in ("$id", "$anchor", "Ref", '"http', "%", "vocab", "p{"))
        if "optional" in group.file or not known:
            continue
        schema = json.loads(text, parse_float=integral)
        if isinstance(schema, dict):
            schema = {"$schema": DRAFTS[suite.DRAFTS[draft]], **schema}
        for test in group.tests:
            value = json.loads(json.dumps(test["data"]), parse_float=integral)
            assert Interpreter(schema).evaluate(value) == test["valid"], (group.id, test["description"])
            count += 1
    assert count > 100
