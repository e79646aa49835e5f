"""`generate` itself, every choice enumerated: its law on tiny worlds, and what a shared trie may not leak."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any
from unittest import mock

import pytest
from benches import tiny_worlds

from gramspec.audit import exact_law, output_law
from gramspec.decoding.options import DecodingOptions
from gramspec.decoding.random import NumpyRandomSource, RandomSource
from gramspec.errors import BudgetExhaustedError, DeadEndError, UndefinedLawError
from gramspec.matching import compile as compile_grammar
from gramspec.testing.proofs import conditional_reference
from gramspec.testing.worlds import World
from gramspec.validity import PrefixTrie, Viability

# The package exports the function under the module's own name.
MODULE = importlib.import_module("gramspec.decoding.generate")


def call(world: World, random: RandomSource, **changes: Any) -> tuple[int, ...]:
    settings: dict[str, Any] = {
        "draft": world.draft,
        "vocabulary": world.vocabulary,
        "max_new_tokens": world.max_new_tokens,
        "temperature": world.temperature,
        "top_k": world.top_k,
        "top_p": world.top_p,
        "sampler": "auto" if changes.get("law") == "masked" else "restart",
        "options": DecodingOptions(gamma=world.gamma, max_attempts=2),
        **changes,
    }
    compiled = settings.pop("compiled", None) or compile_grammar(world.grammar, world.vocabulary)
    with mock.patch.object(MODULE, "source_of", lambda *_: lambda _: random):
        [[completion]] = MODULE.generate(world.target, [list(world.prompt)], compiled, **settings)
    return tuple(completion.token_ids)


@pytest.mark.parametrize("gamma", [0, 1])
def test_conditional_law_of_generate(gamma: int, seed: int) -> None:
    for world in tiny_worlds(seed + 30 + gamma, 6, gamma):
        compiled = compile_grammar(world.grammar, world.vocabulary)
        law = output_law(lambda random, w=world, c=compiled: call(w, random, compiled=c))
        expected = conditional_reference(world)
        found = law.conditioned()
        assert max(abs(found.get(y, 0.0) - expected[y]) for y in expected) <= 1e-12, str(world)
        exact = exact_law(
            world.target,
            compiled,
            world.max_new_tokens,
            vocabulary=world.vocabulary,
            prompt=world.prompt,
            temperature=world.temperature,
            top_k=world.top_k,
            top_p=world.top_p,
        )
        assert found.tv(exact) <= 1e-12


@pytest.mark.parametrize("gamma", [0, 2])
def test_masked_law_of_generate(gamma: int, seed: int) -> None:
    compared = 0
    for world in tiny_worlds(seed + 40 + gamma, 8, gamma):
        compiled = compile_grammar(world.grammar, world.vocabulary)
        law = output_law(
            lambda random, w=world, c=compiled: call(w, random, compiled=c, law="masked"),
            unresolved_errors=(DeadEndError,),
        )
        try:
            exact = exact_law(
                world.target,
                compiled,
                world.max_new_tokens,
                vocabulary=world.vocabulary,
                prompt=world.prompt,
                temperature=world.temperature,
                top_k=world.top_k,
                top_p=world.top_p,
                law="masked",
            )
        except DeadEndError:
            assert law.unresolved > 0.0, str(world)
            continue
        assert law.tv(exact) <= 1e-12, str(world)
        compared += 1
    assert compared > 0


def test_a_shared_trie_keeps_what_defines_the_law_apart(seed: int) -> None:
    """One `PrefixTrie` over calls that differ in N, temperature, prompt: each call keeps its own law."""
    for world in tiny_worlds(seed + 50, 5, 0):
        compiled = compile_grammar(world.grammar, world.vocabulary)

        def run(random: RandomSource, w: World = world, c: Any = compiled) -> tuple[int, ...]:
            trie = PrefixTrie(Viability(c))
            # Teach the trie other laws first, with choices of its own.
            others: list[dict[str, Any]] = [{"temperature": 0.4}, {"top_k": 1}]
            if w.members_within(2):
                others.append({"max_new_tokens": 2})
            for k, other in enumerate(others):
                with contextlib.suppress(BudgetExhaustedError, UndefinedLawError):
                    call(w, NumpyRandomSource((k,)), compiled=c, potential=trie, **other)
            return call(w, random, compiled=c, potential=trie)

        found = output_law(run).conditioned()
        expected = conditional_reference(world)
        assert max(abs(found.get(y, 0.0) - expected[y]) for y in expected) <= 1e-12, str(world)
