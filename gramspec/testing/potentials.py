"""`PotentialLaws` and its kin: what potentials of each contract keep, as test mixins.

Law: h(y·EOS) = 1[y ∈ L]; S: S <= h and h >= Φ on every prefix; E: h = Φ; W: h > 0 where Φ > 0, and the
weights of draws have the mean Φ(ε). Reading h changes nothing. By brute force.
Source: laws, "One frame for everything". Inherit, define `make`, and the tests come along.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gramspec.testing.proofs import Bench, check_potential, suffix_phi
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


class ExactPotentialLaws(PotentialLaws):
    """Mixin for contract E: moreover h = Φ on every prefix, to 1e-12."""

    def test_h_is_phi(self) -> None:
        """By sums over the members below each prefix."""
        for bench in self.benches():
            potential = self.make(bench)
            assert potential.contract == "E"
            for prefix, h in check_potential(bench, potential).items():
                phi = suffix_phi(bench.world, prefix)
                assert abs(h - phi) <= 1e-12, f"h({prefix}) = {h!r}, Φ = {phi!r} in {bench.world}"


class WeakPotentialLaws(PotentialLaws):
    """Mixin for contract W; `test_contract_on_every_prefix` is that of W."""

    def test_contract_on_every_prefix(self) -> None:
        """Positive on viable prefixes, endings decided, parents and children agree, mean weight Φ(ε)."""
        for bench in self.benches():
            potential = self.make(bench)
            assert potential.contract == "W"
            mass = check_weak(bench, potential)
            assert abs(mass - bench.world.phi) <= 1e-12 * max(1.0, mass), str(bench.world)

    def test_values_do_not_move_while_they_are_read(self) -> None:
        """A second walk over all prefixes, in another order, reads the same numbers."""
        for bench in self.benches()[:4]:
            potential = self.make(bench)
            n = bench.world.max_new_tokens
            prefixes = sorted({ids[:cut] for ids in bench.world.members for cut in range(len(ids))})
            walks = []
            for order in (prefixes, prefixes[::-1]):
                read = {}
                for prefix in order:
                    matcher = bench.compiled.matcher()
                    matcher.advance_many(prefix)
                    read[prefix] = (
                        potential.log_h(matcher, prefix, n - len(prefix)),
                        potential.h_children(matcher, prefix, n - len(prefix)).tolist(),
                    )
                walks.append(read)
            assert walks[0] == walks[1]


def check_weak(bench: Bench, potential: Any) -> float:
    """Contract W on every prefix; returns Σ_y r(y)·w(y) over complete draws of the twisted proposal.

    r(v|x) = p(v|x)·h(xv)/S(x) and w = h(ε)·∏ρ, so that the sum is Φ(ε) whatever h > 0 is.
    """
    world = bench.world
    members = set(world.members)
    total: list[float] = []

    def go(prefix: tuple[int, ...], matcher: Any, h: float, drawn: float, weight: float) -> None:
        budget = world.max_new_tokens - len(prefix)
        row = world.row(prefix)
        children = potential.h_children(matcher, prefix, budget)
        s = math.fsum(float(row[v]) * float(children[v]) for v in range(len(children)))
        for v in range(len(children)):
            child, value = (*prefix, v), float(children[v])
            share = drawn * float(row[v]) * value / s if s > 0.0 else 0.0
            if v in world.small.eos_ids:
                if value != float(child in members):
                    raise bench.fail(f"h({child}) = {value!r}, member: {child in members}")
                total.append(share * weight * s / h)
            elif value > 0.0:
                below = matcher.fork()
                below.advance(v)
                alone = math.exp(potential.log_h(below, child, budget - 1))
                if abs(alone - value) > 1e-12:
                    raise bench.fail(f"h({child}) is {value!r} from its parent and {alone!r} alone")
                go(child, below, value, share, weight * s / h)
            elif suffix_phi(world, child) > 0.0:
                raise bench.fail(f"h({child}) = 0 and Φ > 0 there")

    root = bench.compiled.matcher()
    h = math.exp(potential.log_h(root, (), world.max_new_tokens))
    if not h > 0.0:
        raise bench.fail("h(ε) = 0 in a world whose Φ is positive")
    go((), root, h, 1.0, h)
    return math.fsum(total)
