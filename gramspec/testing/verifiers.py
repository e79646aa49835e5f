"""`VerifierLaws`: a verifier emits the law of the target rows, whatever was drafted, as a mixin.

Law: draft a tree, verify it, then continue from K: the symbols follow ∏ K, to 1e-12, choices enumerated.
Source: laws, "Verification rules". Inherit, set `verifier` and the ways to grow a tree it holds for;
`toy_accepted` is checked where it is known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pytest

from gramspec.errors import DraftError
from gramspec.testing.drafts import (
    EOS,
    Way,
    after_a_look_below,
    another_after,
    bushy,
    chain,
    distance,
    draft_rows,
    drawn_after_it_was_chosen,
    emitted_law,
    mixed,
    one_at_a_time,
    random_kernel,
    two_branches,
)

CHAINS: Mapping[str, Way] = {
    "no draft": chain(0),
    "one token": chain(1),
    "two tokens": chain(2),
    "three tokens": chain(3),
    "a chain that stops at a token": chain(3, stop=1),
}
SIBLINGS: Mapping[str, Way] = {
    "fixed children": bushy("fixed", 2, 2),
    "a fixed chain": chain(3, law="fixed"),
    "a drawn chain, then fixed children": mixed("iid", 1),
    "two separate draws": two_branches("iid", "wor", 1),
    "one at a time": one_at_a_time,
    "a sibling after a look below": after_a_look_below,
}
WITH: Mapping[str, Way] = {
    "two with replacement": bushy("iid", 2, 1),
    "three with replacement": bushy("iid", 3, 1),
    "one, then two with replacement": bushy("iid", 1, 2),
    "with replacement beside fixed": mixed("iid", 2, deeper=False),
    "two branches with replacement": two_branches("iid", "iid"),
}
WITHOUT: Mapping[str, Way] = {
    "two without replacement": bushy("wor", 2, 1),
    "three without replacement": bushy("wor", 3, 1),
    "one, then two without replacement": bushy("wor", 1, 2, 1),
    "without replacement beside fixed": mixed("wor", 2, deeper=False),
    "another one without replacement": another_after("wor"),
}
ANOTHER: Mapping[str, Way] = {"another one with replacement": another_after("iid")}
GREEDY: Mapping[str, Way] = {
    "two greedy": bushy("greedy", 2, 2),
    "three greedy": bushy("greedy", 3, 1),
    "greedy beside fixed": mixed("greedy", 2),
    "drawn after it was chosen": drawn_after_it_was_chosen,
}
EVERY: Mapping[str, Way] = {**CHAINS, **SIBLINGS, **WITH, **WITHOUT, **ANOTHER, **GREEDY}


class VerifierLaws:
    """Mixin: subclasses set `verifier` and `ways`; `seeds` says how many rows each way is tried on."""

    verifier: ClassVar[Any]
    ways: ClassVar[Mapping[str, Way]] = CHAINS
    refused: ClassVar[Mapping[str, Way]] = {}
    seeds: ClassVar[int] = 4
    toy_accepted: ClassVar[float | None] = None

    def test_emitted_symbols_follow_the_target(self) -> None:
        """On random rows with zeros; EOS and † are leaves."""
        for place, (name, way) in enumerate(self.ways.items()):
            for k in range(self.seeds):
                seed = 10 * place + k
                target = random_kernel(seed, coin=seed % 3 > 0)
                draft = draft_rows(seed, target, k % 3)
                error = distance(target, emitted_law(self.verifier, way, target, draft).law)
                assert error <= 1e-12, (name, seed, error)

    def test_other_trees_are_refused(self) -> None:
        """With an error that names the branch, before anything is decided."""
        for way in self.refused.values():
            target = random_kernel(5, impossible=0.0)
            with pytest.raises(DraftError, match=r"branch \d of node \d"):
                emitted_law(self.verifier, way, target, draft_rows(5, target, 0))

    def test_equal_rows_are_always_accepted(self) -> None:
        """Where K equals q every drawn token of a chain is kept."""
        for seed in range(8):
            target = random_kernel(seed, coin=False)
            found = emitted_law(self.verifier, chain(2), target, draft_rows(seed, target, 1)).law
            for symbols, mass in found.items():
                if mass > 1e-12:  # K and q differ in the last bit
                    assert len(symbols) == 3 or symbols[-1] == EOS

    def test_toy_acceptance(self) -> None:
        """K = (1/3, 2/3), q = (2/3, 1/3), γ = 2: the rule's known mean of drafted tokens kept."""
        if self.toy_accepted is None:
            return
        k = np.array([0.0, 1 / 3, 2 / 3, 0.0])
        q = np.array([0.0, 2 / 3, 1 / 3])
        found = emitted_law(self.verifier, chain(2), lambda prefix: k, lambda prefix: q)
        assert math.isclose(found.accepted, self.toy_accepted, rel_tol=1e-12)
