"""The rules by which the ratchet files move."""

from __future__ import annotations

from tests.conformance import ratchet


def test_a_case_may_only_get_better() -> None:
    recorded = {"a": "right", "b": "refused", "c": "wrong", "d": "limit"}
    found = {"a": "refused", "b": "wrong", "c": "right", "d": "limit"}
    assert ratchet.worse(recorded, found) == ["a: right -> refused", "b: refused -> wrong"]
    assert ratchet.raised(recorded, found) == {"a": "right", "b": "refused", "c": "right", "d": "limit"}


def test_a_new_case_may_not_be_wrong() -> None:
    assert ratchet.worse({}, {"a": "refused", "b": "wrong", "c": "right"}) == ["b: new, wrong"]
    assert ratchet.raised({"gone": "right"}, {"a": "limit"}) == {"a": "limit"}
