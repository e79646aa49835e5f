"""`OneStep` and combinations: contracts on random worlds, wrong versions, refusals by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gramspec.errors import OptionError
from gramspec.models.memo import MemoModel
from gramspec.testing.potentials import PotentialLaws, WeakPotentialLaws
from gramspec.testing.proofs import Bench, prove_frozen, prove_learned
from gramspec.validity import Minimum, Mixture, OneStep, PrefixTrie, Product, Restricted, Viability
from tests.validity.shared_worlds import NativeWorlds, SharedWorlds, found, native, refused


def own(bench: Bench, **options: Any) -> OneStep:
    w = bench.world
    return OneStep(bench.compiled, w.target, w.prompt, own_row=True, row=bench.rows().row, **options)


def current(bench: Bench, **options: Any) -> OneStep:
    return OneStep(bench.compiled, bench.world.target, bench.world.prompt, **options)


class TestOwnRow(SharedWorlds, PotentialLaws):
    def make(self, bench: Bench) -> Any:
        return own(bench)


class TestOwnRowCapped(SharedWorlds, PotentialLaws):
    count = 6

    def make(self, bench: Bench) -> Any:
        return own(bench, max_tokens=1, memo_bytes=0)


class TestOwnRowWithResiduals(SharedWorlds, PotentialLaws):
    residuals = True
    count = 6

    def make(self, bench: Bench) -> Any:
        return own(bench)


class TestCurrentRow(SharedWorlds, WeakPotentialLaws):
    def make(self, bench: Bench) -> Any:
        return current(bench)


class TestCurrentRowCapped(SharedWorlds, WeakPotentialLaws):
    residuals = True
    count = 6

    def make(self, bench: Bench) -> Any:
        return current(bench, max_tokens=2, memo_bytes=0)


class TestMinimum(SharedWorlds, PotentialLaws):
    def make(self, bench: Bench) -> Any:
        return Minimum(own(bench, max_tokens=1), own(bench), Viability(bench.compiled))


class TestMixture(SharedWorlds, PotentialLaws):
    def make(self, bench: Bench) -> Any:
        return Mixture(own(bench), Viability(bench.compiled), weights=(3, 1))


class TestRestricted(SharedWorlds, PotentialLaws):
    count = 6

    def make(self, bench: Bench) -> Any:
        return Restricted(own(bench), Viability(bench.compiled))


class TestProduct(SharedWorlds, WeakPotentialLaws):
    count = 6

    def make(self, bench: Bench) -> Any:
        return Product(current(bench), own(bench, max_tokens=1), floor=1e-6)


def test_restarts_are_exact_over_one_step_and_over_a_trie_on_it() -> None:
    """Rounds enumerated through production code, cold and taught."""
    for world in found(41, 12, False)[:8]:
        bench = native(world)
        prove_frozen(bench, bench.killed(own(bench)))
        mixed = Mixture(own(bench), Viability(bench.compiled), weights=(1, 1))
        prove_frozen(bench, bench.killed(mixed))
        bench.pieces = type(bench.pieces)(base=lambda c, b=bench: own(b))
        prove_learned(bench, 2, world.seed)


def test_one_step_is_the_mass_one_token_further() -> None:
    """By the masks of the language itself; the mean of the rest where the number of tokens is capped."""
    for world in found(6, 12, False, False):
        bench = native(world)
        n = world.max_new_tokens
        root = bench.compiled.matcher()
        p = world.row(())
        h = current(bench, floor=1e-9).h_children(root, (), n)
        for v in np.flatnonzero(root.viable(n)).tolist():
            if v in world.small.eos_ids or n < 2:
                continue
            below = root.fork()
            below.advance(v)
            viable = Viability(bench.compiled).h_children(below, (v,), n - 1)
            assert h[v] == pytest.approx(max(1e-9, float(p[: len(viable)] @ viable)), rel=1e-12)


def test_rows_shared_with_decoding_are_paid_once() -> None:
    world = found(6, 12, False, False)[0]
    bench = native(world)
    model = MemoModel(world.target)
    potential = OneStep(bench.compiled, model, world.prompt)
    potential.h_children(bench.compiled.matcher(), (), world.max_new_tokens)
    paid = model.counters.forwards
    assert paid == 1
    model.open(world.prompt).score()
    potential.log_h(bench.compiled.matcher(), (), world.max_new_tokens)
    assert model.counters.forwards == paid


def test_refusals_name_the_part() -> None:
    bench, other = (native(world) for world in found(41, 12, False)[:2])
    weak, strong = current(bench), Viability(bench.compiled)
    with pytest.raises(OptionError, match=r"Minimum: 'one-step.*contract W"):
        Minimum(strong, weak)
    with pytest.raises(OptionError, match=r"Mixture: 'one-step.*contract W"):
        Mixture(weak, strong, weights=(1, 1))
    with pytest.raises(OptionError, match="2 positive numbers"):
        Mixture(strong, own(bench), weights=(1, -1))
    with pytest.raises(OptionError, match="no indicator"):
        Restricted(strong, own(bench))
    with pytest.raises(OptionError, match="another grammar"):
        Minimum(strong, Viability(other.compiled))
    with pytest.raises(OptionError, match="PrefixTrie on top"):
        Minimum(strong, bench.learned())
    with pytest.raises(OptionError, match="at least two"):
        Product(strong)
    with pytest.raises(OptionError, match="PrefixTrie: base"):
        PrefixTrie(weak)
    with pytest.raises(OptionError, match="row: OneStep"):
        OneStep(bench.compiled, bench.world.target, own_row=True)
    with pytest.raises(OptionError, match="floor=0"):
        current(bench, floor=0)


# -- planted wrong versions -----------------------------------------------------------------------------


class IgnoresBudget(OneStep):
    """One-step mass without the budget."""

    def _mass(self, p: Any, state: Any, prefix: Any, budget: int) -> float:
        return super()._mass(p, state, prefix, 1 << 20)


class CurrentRowAsBound(OneStep):
    """Promises S for the estimate from the current row."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench.compiled, bench.world.target, bench.world.prompt, row=bench.rows().row)
        self.contract = "S"


class ProductAsBound(Product):
    """Promises S for the product of two S functions."""

    contract = "S"


class NoFloor(OneStep):
    """Zero where the current row leaves nothing."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench.compiled, bench.world.target, bench.world.prompt)
        self.floor = 0.0


@pytest.mark.parametrize(
    "laws, wrong",
    [
        (PotentialLaws, CurrentRowAsBound),
        (PotentialLaws, lambda b: ProductAsBound(own(b), own(b, max_tokens=1))),
        (WeakPotentialLaws, NoFloor),
    ],
)
def test_a_wrong_version_is_caught(laws: Any, wrong: Any) -> None:
    class Wrong(NativeWorlds, laws):
        def make(self, bench: Bench) -> Any:
            return wrong(bench)

    assert refused(Wrong(), "test_contract_on_every_prefix")


def test_a_bound_that_ignores_the_budget_is_told_apart() -> None:
    """It stays above Φ, so its contract holds; what it loses is seen in its value."""
    looser = 0
    for world in found(41, 12, False):
        bench = native(world)
        tight = own(bench)
        loose = IgnoresBudget(bench.compiled, world.target, world.prompt, own_row=True, row=bench.rows().row)
        root = bench.compiled.matcher()
        n = world.max_new_tokens
        looser += bool((loose.h_children(root, (), n) > tight.h_children(root, (), n) + 1e-9).any())
    assert looser > 0
