"""`generate(potential=...)`: recipes for every prompt, rows paid once, and what is refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gramspec as gs
from gramspec.audit import exact_law
from gramspec.decoding.rows import RowLaw
from gramspec.errors import OptionError
from gramspec.validity import Exact, OneStep, PrefixTrie, Recipe, Viability

VOCABULARY = gs.Vocabulary([b"a", b"b", b"c", b"</s>"], [3])
N = 4


def rows(prefix: Any) -> Any:
    return np.random.default_rng([7, len(prefix), *prefix]).standard_normal(4)


def target() -> gs.models.TabularModel:
    return gs.models.TabularModel(rows, 4, 3, fingerprint="rows")


COMPILED = gs.compile(gs.regex("(ab|ba|c)*"), VOCABULARY)


@pytest.mark.parametrize("recipe", [Recipe.exact(), Recipe.one_step(own_row=True)])
def test_a_recipe_serves_several_prompts_and_keeps_the_law(recipe: Recipe) -> None:
    prompts = [(0,), (1, 2)]
    texts = gs.generate(
        target(), prompts, COMPILED, n=3, max_new_tokens=N, sampler="restart", potential=recipe, seed=3
    )
    assert [len(each) for each in texts] == [3, 3]
    if recipe.name == "exact":
        assert all(x.report.attempts == 1 for each in texts for x in each)
        for prompt, each in zip(prompts, texts, strict=True):
            law = exact_law(target(), COMPILED, N, vocabulary=VOCABULARY, prompt=prompt)
            assert each[0].report.log_phi_bound == pytest.approx(law.log_phi, abs=1e-9)


def test_rows_of_a_recipe_are_those_of_decoding() -> None:
    """Exact has asked for every row before the first draw, so that a draw costs nothing more."""
    model = target()
    [texts] = gs.generate(
        model, [()], COMPILED, n=5, max_new_tokens=N, sampler="restart", potential=Recipe.exact(), seed=1
    )
    assert all(x.report.target_forwards == 0 for x in texts) and model.counters.forwards >= 1


def test_weighted_samplers_take_recipes_of_contract_w() -> None:
    for sampler in ("twisted", "smc", "mcmc"):
        [texts] = gs.generate(
            target(),
            [()],
            COMPILED,
            n=2,
            max_new_tokens=N,
            sampler=sampler,
            potential=Recipe.rollout(runs=2),
            seed=1,
        )
        assert all(COMPILED.grammar.accepts(x.text) for x in texts)
    with pytest.raises(OptionError, match="contract W"):
        gs.generate(
            target(), [()], COMPILED, max_new_tokens=N, sampler="restart", potential=Recipe.rollout(runs=2)
        )


def test_potentials_of_another_prompt_or_law_are_refused() -> None:
    exact = Exact(COMPILED, target(), (0,), row=RowLaw().row, budget=N)
    own = OneStep(COMPILED, target(), (0,), own_row=True, row=RowLaw().row)
    for potential in (exact, own, PrefixTrie(own)):

        def call(potential: Any = potential, prompt: Any = (0,), **options: Any) -> Any:
            return gs.generate(
                target(),
                [prompt],
                COMPILED,
                max_new_tokens=N,
                sampler="restart",
                potential=potential,
                seed=1,
                **options,
            )

        assert call()
        with pytest.raises(OptionError, match="another prompt"):
            call(prompt=(1,))
        with pytest.raises(OptionError, match="another law"):
            call(temperature=0.5)
    with pytest.raises(OptionError, match="no potential of this grammar"):
        gs.generate(
            target(),
            [()],
            COMPILED,
            max_new_tokens=N,
            potential=Recipe("wrong", lambda call: Viability(gs.compile(gs.regex("a"), VOCABULARY))),
        )
    with pytest.raises(OptionError, match="a PrefixTrie or a Recipe"):
        gs.generate(target(), [()], COMPILED, max_new_tokens=N, potential="exact")  # type: ignore[arg-type]


def test_an_exact_potential_of_a_wider_law_would_lose_members() -> None:
    """What the refusal is for: without it the law is another one, and no error tells."""
    narrow = Exact(COMPILED, target(), (), row=RowLaw(top_k=2).row, budget=N)
    law = exact_law(target(), COMPILED, N, vocabulary=VOCABULARY)
    lost = sum(
        mass
        for ids, mass in law.items()
        if any(
            narrow.h_children(_state(ids[:t]), ids[:t], N - t)[token] == 0.0 for t, token in enumerate(ids)
        )
    )
    assert lost > 0.01


def _state(prefix: tuple[int, ...]) -> Any:
    state = COMPILED.matcher()
    state.advance_many(list(prefix))
    return state
