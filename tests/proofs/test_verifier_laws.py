"""Every verifier on every way to grow a tree that it holds for, enumerated; wrong versions are caught."""

from __future__ import annotations

from typing import ClassVar

import pytest
from verifier_mutants import PLANTED

from gramspec.decoding.verification import (
    Auto,
    Block,
    Descent,
    Greedy,
    KSeq,
    Match,
    Recursive,
    Token,
    Traversal,
)
from gramspec.testing.drafts import distance, draft_rows, emitted_law, random_kernel
from gramspec.testing.verifiers import (
    ANOTHER,
    CHAINS,
    EVERY,
    GREEDY,
    SIBLINGS,
    WITH,
    WITHOUT,
    VerifierLaws,
)


class TestToken(VerifierLaws):
    verifier = Token()
    refused: ClassVar = {**SIBLINGS, **WITH, **WITHOUT, **GREEDY}
    seeds = 12
    toy_accepted = 10 / 9


class TestBlock(VerifierLaws):
    verifier = Block()
    refused: ClassVar = {**SIBLINGS, **WITH, **WITHOUT, **GREEDY}
    seeds = 12
    toy_accepted = 11 / 9


class TestMatch(VerifierLaws):
    verifier = Match()
    ways = EVERY

    def test_equal_rows_are_always_accepted(self) -> None:
        """Not so: what was drafted is met by chance."""


class TestKSeq(VerifierLaws):
    verifier = KSeq()
    ways: ClassVar = {**CHAINS, **SIBLINGS, **WITH}
    refused: ClassVar = {**WITHOUT, **GREEDY}
    seeds = 6
    toy_accepted = 10 / 9


class TestRecursive(VerifierLaws):
    verifier = Recursive()
    ways: ClassVar = {**CHAINS, **SIBLINGS, **WITH, **WITHOUT, **ANOTHER}
    refused = GREEDY
    toy_accepted = 10 / 9


class TestGreedy(VerifierLaws):
    verifier = Greedy()
    ways: ClassVar = {**CHAINS, **SIBLINGS, **GREEDY}
    refused: ClassVar = {**WITH, **WITHOUT}
    toy_accepted = 10 / 9


class TestDescent(VerifierLaws):
    verifier = Descent()
    ways = EVERY
    toy_accepted = 10 / 9


class TestTraversal(VerifierLaws):
    verifier = Traversal()
    ways = EVERY
    toy_accepted = 11 / 9


class TestAuto(VerifierLaws):
    verifier = Auto()
    ways = EVERY
    seeds = 2
    toy_accepted = 11 / 9


@pytest.mark.parametrize("name", PLANTED)
def test_wrong_versions_are_caught(name: str) -> None:
    """By the same check on the same kind of rows, and by much more than rounding."""
    verifier, ways = PLANTED[name]
    errors = []
    for way in ways.values():
        for seed in range(12):
            target = random_kernel(seed, impossible=0.1)
            try:
                found = emitted_law(verifier, way, target, draft_rows(seed, target, 0))
            except AssertionError:  # no path of the tree, or a symbol after its end
                errors.append(1.0)
            else:
                errors.append(distance(target, found.law))
    assert sum(error > 1e-3 for error in errors) >= 6, errors
