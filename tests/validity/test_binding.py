"""Potentials made from rows belong to their prompt, model and law; recipes make them for any call."""

from __future__ import annotations

from typing import Any

import pytest

from gramspec.decoding.rows import RowLaw
from gramspec.errors import OptionError
from gramspec.models.memo import MemoModel
from gramspec.testing.proofs import Bench, prove_frozen
from gramspec.validity import (
    Call,
    Exact,
    Minimum,
    Potential,
    PrefixTrie,
    Product,
    Recipe,
    Viability,
    check_bound,
)
from tests.validity.shared_worlds import found, native


def call_of(bench: Bench, **changes: Any) -> Call:
    w = bench.world
    call = Call(bench.compiled, MemoModel(w.target), w.draft, w.prompt, bench.rows(), w.max_new_tokens)
    return call._replace(**changes)


RECIPES = (Recipe.one_step(own_row=True), Recipe.exact(), Recipe.exact(chunk=2))


@pytest.mark.parametrize("recipe", [*RECIPES, Recipe.one_step(), Recipe.rollout(runs=2)])
def test_a_recipe_serves_every_call(recipe: Recipe) -> None:
    for world in found(41, 12, False)[:5]:
        bench = native(world)
        call = call_of(bench)
        potential = recipe.make(call)
        assert isinstance(potential, Potential)
        check_bound(potential, call)
        if potential.contract != "W":
            prove_frozen(bench, bench.killed(potential))


def test_another_prompt_model_or_law_is_refused_through_combinations_and_tries() -> None:
    benches = [native(world) for world in found(41, 12, False)]
    bench, other = benches[0], benches[1]
    call = call_of(bench)
    for recipe in RECIPES[:2]:
        made = recipe.make(call)
        whole = Minimum(made, Viability(bench.compiled))
        for potential in (made, whole, PrefixTrie(whole), PrefixTrie(whole).at(_key(bench))):
            check_bound(potential, call)
            for changes, said in (
                ({"prompt": (*call.prompt, 0)}, "another prompt"),
                ({"target": other.world.target}, "another model"),
                ({"rows": RowLaw(temperature=call.rows.temperature + 0.5)}, "another law"),
            ):
                with pytest.raises(OptionError, match=said):
                    check_bound(potential, call._replace(**changes))
    weak = Product(Recipe.one_step().make(call), Viability(bench.compiled))
    check_bound(weak, call._replace(prompt=(*call.prompt, 0)))  # contract W holds for any row


def _key(bench: Bench) -> Any:
    return bench.pieces.key("m", bench.world.prompt, 1.0, 0, 1.0, "l", (0,), "b", bench.world.max_new_tokens)


def test_what_the_check_prevents() -> None:
    """Φ of a law cut by top-k is zero where the whole law is not: members would be lost without an error."""
    lost = 0
    for world in found(6, 12, False, False):
        bench = native(world)
        narrow = Exact(
            bench.compiled,
            world.target,
            world.prompt,
            row=RowLaw(top_k=2).row,
            budget=world.max_new_tokens,
        )
        h = narrow.h_children(bench.compiled.matcher(), (), world.max_new_tokens)
        wide = Exact(
            bench.compiled, world.target, world.prompt, row=RowLaw().row, budget=world.max_new_tokens
        ).h_children(bench.compiled.matcher(), (), world.max_new_tokens)
        lost += bool(((h == 0.0) & (wide > 0.0)).any())
        with pytest.raises(OptionError, match="another law"):
            check_bound(narrow, call_of(bench))
    assert lost > 0


def test_rows_are_shared_with_the_call() -> None:
    bench = native(found(6, 12, False, False)[0])
    call = call_of(bench)
    Recipe.exact().make(call)
    assert isinstance(call.target, MemoModel)
    paid = call.target.counters.forwards
    sequence = call.target.open(call.prompt)
    sequence.score()
    assert call.target.counters.forwards == paid == 1
