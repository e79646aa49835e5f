"""The shared laws applied to what production has: potentials, the drafter, grammars.

Also: the mixins refuse the planted wrong versions, and hypothesis draws its own worlds.
"""

from __future__ import annotations

from typing import Any

import pytest
from benches import bench
from hypothesis import HealthCheck, given, settings
from mutants import (
    DropsEos,
    GreedyDraft,
    TightViability,
    UnmaskedQ,
    _verify_with_k_as_correction,
    _verify_without_coin_in_bonus,
)

import gramspec as gs
from gramspec.decoding.drafting.model_drafter import ModelDrafter
from gramspec.decoding.verification import ChainVerifier
from gramspec.errors import EmptyLanguageError, VocabularyError
from gramspec.testing import strategies
from gramspec.testing.drafters import DrafterLaws
from gramspec.testing.grammar_laws import GrammarLaws
from gramspec.testing.oracle import brute_force_viable
from gramspec.testing.potentials import PotentialLaws
from gramspec.testing.proofs import Bench, ProofError, prove_frozen, prove_learned, teach
from gramspec.testing.verifiers import VerifierLaws
from gramspec.testing.worlds import World
from gramspec.validity.viability import Viability


class TestViability(PotentialLaws):
    def make(self, bench: Bench) -> Any:
        return Viability(bench.compiled)


class TestColdTrie(PotentialLaws):
    def make(self, bench: Bench) -> Any:
        return bench.learned()


class TestTaughtTrie(PotentialLaws):
    def make(self, bench: Bench) -> Any:
        learned = bench.learned()
        teach(bench, learned, 3, bench.world.seed)
        return learned


class TestModelDrafter(DrafterLaws):
    def make(self, bench: Bench) -> Any:
        return bench.drafter()


class TestRegex(GrammarLaws):
    members = ("a", "ab", "abab", "zéz", "zèéz")
    others = ("", "b", "aba", "zz", "zaz", "ab ")

    def grammar(self) -> gs.Grammar:
        return gs.regex("a(ba)*b|a|z[éè]+z")


class TestObjectSchema(GrammarLaws):
    members = ('{"a":1}', '{ "a" : 12 , "b" : [ true ] }', '{"a":0,"b":[],"c":"x"}', '{"\\u0061":3}')
    others = ("", "{}", '{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '{"b":[],"a":1}', '{"a":01}', '{"a":1}x')

    def grammar(self) -> gs.Grammar:
        return gs.json_schema(
            {
                "type": "object",
                "properties": {
                    "a": {"type": "integer", "minimum": 0},
                    "b": {"type": "array", "items": {"type": "boolean"}},
                },
                "required": ["a"],
            }
        )


def failures(laws: Any) -> int:
    count = 0
    for name in dir(laws):
        if name.startswith("test_"):
            try:
                getattr(laws, name)()
            except (AssertionError, ProofError):
                count += 1
    return count


@pytest.mark.parametrize("wrong", [_verify_with_k_as_correction, _verify_without_coin_in_bonus])
def test_verifier_laws_refuse_a_wrong_verifier(wrong: Any) -> None:
    class Wrong(VerifierLaws):
        verifier = ChainVerifier(wrong, "planted")

    assert failures(Wrong()) >= 1


@pytest.mark.parametrize("wrong", [DropsEos, UnmaskedQ, GreedyDraft])
def test_drafter_laws_refuse_a_wrong_drafter(wrong: type[ModelDrafter]) -> None:
    class Wrong(DrafterLaws):
        def make(self, bench: Bench) -> Any:
            return wrong(bench.world.draft, bench.world.prompt, bench.rows())

    assert failures(Wrong()) >= 1


def test_potential_laws_refuse_a_lossy_potential() -> None:
    class Wrong(PotentialLaws):
        def make(self, bench: Bench) -> Any:
            return TightViability(bench.compiled)

    assert failures(Wrong()) >= 1


SLOW = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@SLOW
@given(world=strategies.worlds())
def test_proofs_on_worlds_that_shrink(world: World) -> None:
    b = bench(world, "native")
    assert prove_frozen(b, b.killed(b.learned())) <= 1e-12
    assert prove_learned(b, 2, world.seed) <= 1e-12


@SLOW
@given(world=strategies.worlds(kinds=("finite", "counted", "recursive", "edges")))
def test_budget_aware_masks_on_worlds_that_shrink(world: World) -> None:
    try:
        matcher = bench(world, "native").compiled.matcher()
    except (EmptyLanguageError, VocabularyError) as error:
        pytest.fail(f"{error}: {world}")
    for remaining in range(world.max_new_tokens + 1):
        expected = brute_force_viable(world.members, (), remaining, len(world.small.tokens))
        assert matcher.viable(remaining, exact=True).tolist() == expected, str(world)
