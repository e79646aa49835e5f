"""Every verifier on every way to grow a tree that it holds for, enumerated; wrong versions are caught."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from verifier_mutants import PLANTED

from gramspec.decoding.drafting.tree import Branch
from gramspec.decoding.verification import (
    VERIFIERS,
    Auto,
    Block,
    Descent,
    Greedy,
    KSeq,
    Match,
    Recursive,
    Token,
    Traversal,
    Verifier,
    by_name,
)
from gramspec.errors import DraftError, OptionError
from gramspec.testing.drafts import (
    Growth,
    by_chance,
    distance,
    draft_rows,
    emitted_law,
    random_kernel,
)
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
        for seed in range(8):
            target = random_kernel(seed, impossible=0.1)
            try:
                found = emitted_law(verifier, way, target, draft_rows(seed, target, 0))
            except AssertionError:  # no path of the tree, or a symbol after its end
                errors.append(1.0)
            else:
                errors.append(distance(target, found.law))
    assert sum(error > 1e-3 for error in errors) >= 2, errors


def drawn_stretches(growth: Growth) -> None:
    """Two drawn tokens, two fixed ones after them, and drawn ones after those."""
    below = growth.add(0, "iid", 1)
    below = growth.add(below[0], "iid", 1) if below else []
    for index in growth.add(below[0], "fixed", 2) if below else []:
        growth.add(index, "iid", 1)


def test_drawn_stretches_as_blocks_keep_no_less() -> None:
    """Auto against a descent, on chains of drawn tokens with fixed branches after them."""
    gains = []
    for seed in range(8):
        target = random_kernel(seed)
        draft = draft_rows(seed, target, 0)
        found = [emitted_law(v, drawn_stretches, target, draft) for v in (Auto(), Descent())]
        assert max(distance(target, one.law) for one in found) <= 1e-12
        gains.append(found[0].accepted - found[1].accepted)
    assert min(gains) >= -1e-12 and max(gains) > 1e-3


def test_verifiers_have_names() -> None:
    for name, make in VERIFIERS.items():
        assert make().name == name and type(by_name(name)) is make
    with pytest.raises(OptionError, match=r"verifier='blocks': one of 'auto', 'token'"):
        by_name("blocks")


@pytest.mark.parametrize(
    ("branch", "reason"),
    [
        (Branch((1,), "iid", None), "need the row"),
        (Branch((1,), "iid", np.array([0.5, 0.0, 0.5])), "no probability"),
        (Branch((1,), "iid", np.array([0.5, 0.5, 0.5])), "sums to 1.5"),
        (Branch((1, 1), "wor", np.array([0.0, 0.5, 0.5])), "repeated"),
        (Branch((1, 1), "greedy", np.array([0.0, 0.5, 0.5])), "repeated"),
        (Branch((1,), "fixed", np.array([0.0, 0.5, 0.5])), "has no row"),
    ],
)
@pytest.mark.parametrize("name", ["auto", "descent", "traversal"])
def test_malformed_branches_are_refused(name: str, branch: Branch, reason: str) -> None:
    def grow(growth: Growth) -> None:
        growth.builder.grow(0, branch)

    with pytest.raises(DraftError, match=reason):
        emitted_law(by_name(name), grow, random_kernel(5, impossible=0.0), lambda prefix: np.ones(3))


@pytest.mark.parametrize("verifier", [Descent(), Traversal(), Match(), Auto()], ids=lambda v: v.name)
def test_trees_grown_by_chance_keep_the_law(verifier: Verifier, seed: int) -> None:
    """Fresh trees in every run, each step of their growth a function of all tokens drawn before it."""
    for k in range(20):
        target = random_kernel(seed + k, coin=k % 3 > 0)
        draft = draft_rows(seed + k, target, k % 3)
        found = emitted_law(verifier, by_chance(seed + k), target, draft)
        assert distance(target, found.law) <= 1e-12, seed + k
