"""`PotentialLaws`: what every potential with contract E or S keeps, as a test mixin.

Law: h(y·EOS) = 1[y ∈ L], S <= h, h >= Φ on every prefix; reading h changes nothing. By brute force.
Source: laws, "One frame for everything". Inherit, define `make`, and the tests come along.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gramspec.testing.proofs import Bench, check_potential
from gramspec.testing.reference import ReferenceCompiled
from gramspec.testing.worlds import worlds


class PotentialLaws:
    """Mixin: subclasses define `make`, and `count`, `seed` and `residuals` of the worlds if they like."""

    count = 12
    seed = 41
    residuals = False

    def make(self, bench: Bench) -> Any:
        """The potential under test for one world; budget and key are the world's."""
        raise TypeError(f"{type(self).__name__} defines no potential")

    def benches(self) -> list[Bench]:
        """Worlds with dead ends of the budget (odd ones) and without."""
        found = worlds(self.seed, self.count, residuals=self.residuals)
        return [Bench(world, ReferenceCompiled(world, i % 3)) for i, world in enumerate(found)]

    def test_contract_on_every_prefix(self) -> None:
        """S <= h, h >= Φ, endings are decided, parents and children agree."""
        positive = 0
        for bench in self.benches():
            potential = self.make(bench)
            assert potential.contract in ("E", "S")
            positive += len(check_potential(bench, potential))
        assert positive > 2 * self.count

    def test_reading_changes_nothing_and_gives_a_fresh_array(self) -> None:
        """`h_children` twice: equal values, no shared memory."""
        for bench in self.benches():
            potential = self.make(bench)
            n = bench.world.max_new_tokens
            matcher = bench.compiled.matcher()
            first = potential.h_children(matcher, (), n)
            kept = first.copy()
            first[:] = -1.0
            assert np.array_equal(potential.h_children(matcher, (), n), kept)
            assert kept.dtype == np.float64 and kept.shape == (len(bench.world.vocabulary),)
            assert not matcher.is_finished and matcher.viable(n).any()

    def test_names_tell_potentials_apart(self) -> None:
        """The name is a non-empty string that does not depend on what was read."""
        bench = self.benches()[0]
        potential = self.make(bench)
        name = potential.name
        potential.h_children(bench.compiled.matcher(), (), bench.world.max_new_tokens)
        assert isinstance(name, str) and name and potential.name == name
        assert potential.compiled.fingerprint == bench.compiled.fingerprint
