"""Grammars with residual predicates: the proof schemes again, `generate`, and versions that forget them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from benches import TINY_KINDS, bench
from hypothesis import HealthCheck, given, settings
from test_generate_law import call

from gramspec.audit import exact_law, output_law
from gramspec.decoding.kernel import KilledLaw
from gramspec.decoding.random import NumpyRandomSource
from gramspec.errors import ContractError, DeadEndError
from gramspec.matching import compile as compile_grammar
from gramspec.matching.residual import ResidualMatcher
from gramspec.testing import strategies
from gramspec.testing.potentials import PotentialLaws
from gramspec.testing.proofs import (
    DEAD,
    Bench,
    Pieces,
    ProofError,
    conditional_reference,
    masked_reference,
    prove_frozen,
    prove_interleaved,
    prove_learned,
    prove_masked,
    prove_restarts,
    prove_two_budgets,
    prove_two_draws,
    teach,
)
from gramspec.testing.worlds import HashPredicate, World, worlds
from gramspec.validity import PrefixTrie, TrieKey, Viability

COMPILERS = ["native", "reference"]


def tiny(seed: int, count: int, gamma: int) -> list[World]:
    """Two tokens, one EOS id, N = 3, and predicates that refuse some member."""
    found: list[World] = []
    for part in range(100):
        batch = worlds(
            seed * 100 + part,
            count,
            draft=gamma > 0,
            gamma=max(gamma, 1),
            size=2,
            budget=3,
            kinds=TINY_KINDS,
            residuals=True,
        )
        found += [w for w in batch if len(w.small.eos_ids) == 1 and w.max_new_tokens == 3]
        if len(found) >= count:
            break
    return found[:count]


def named(world: World) -> dict[str, Any]:
    return {
        "vocabulary": world.vocabulary,
        "prompt": world.prompt,
        "temperature": world.temperature,
        "top_k": world.top_k,
        "top_p": world.top_p,
    }


@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("compiler", COMPILERS)
def test_rounds_cold_and_taught(compiler: str, part: int, seed: int) -> None:
    """Schemes (a) and (b), without a draft and with γ = 1..4; the masked law with its dead ends."""
    dead_ends = 0
    for i, world in enumerate(worlds(seed * 3 + part, 16, draft=True, residuals=True)):
        gamma = i % 5
        variant = replace(world, gamma=gamma, draft_rows=world.draft_rows if gamma else None)
        b = bench(variant, compiler, slack=i % 3)
        assert not b.compiled.masks_exact
        assert prove_frozen(b, b.killed(b.learned())) <= 1e-12
        assert prove_learned(b, i % 5, world.seed, together=1 + i % 2, max_nodes=(3, 100_000)[i % 2]) <= 1e-12
        assert prove_masked(b) <= 1e-12
        dead_ends += DEAD in masked_reference(b)
        if i % 4 == 0:
            assert prove_two_budgets(b, 3, world.seed) <= 1e-12
    assert dead_ends > 0


@pytest.mark.parametrize("gamma", [0, 1, 2])
def test_attempts_with_learning(gamma: int, seed: int) -> None:
    """Scheme (c), and (d) where it is small enough to enumerate."""
    for i, world in enumerate(tiny(seed + gamma, 2 if gamma == 2 else 6, gamma)):
        b = bench(world, COMPILERS[i % 2], slack=i % 2)
        assert prove_restarts(b, 1) <= 1e-12
        assert prove_restarts(b, 2) <= 1e-12
        if gamma < 2:
            assert prove_interleaved(b, (0, 1)) <= 1e-12
            assert prove_two_draws(b, 1) <= 1e-12


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(world=strategies.worlds(residuals=True))
def test_rounds_on_worlds_that_shrink(world: World) -> None:
    b = bench(world, "native")
    assert prove_learned(b, 2, world.seed) <= 1e-12
    assert prove_masked(b) <= 1e-12


def test_a_trie_learns_dead_ends_from_refused_endings(seed: int) -> None:
    """Where everything below a prefix is refused, h falls to 0 once the prefixes were visited."""
    fallen = 0
    for world in worlds(seed, 12, draft=False, residuals=True, kinds=TINY_KINDS):
        b = bench(world, "native")
        learned = b.learned()
        teach(b, learned, 12, world.seed)
        members = {ids[:cut] for ids in world.members for cut in range(len(ids))}
        spelled = {ids[:cut] for ids in world.spelled_within(world.max_new_tokens) for cut in range(len(ids))}
        for prefix in spelled - members:
            matcher = b.compiled.matcher()
            matcher.advance_many(prefix)
            fallen += learned.log_h(matcher, prefix, world.max_new_tokens - len(prefix)) == -float("inf")
    assert fallen > 0


@pytest.mark.parametrize("compiler", COMPILERS)
def test_exact_law_is_the_law_by_brute_force(compiler: str, seed: int) -> None:
    lost = 0
    for i, world in enumerate(worlds(seed, 24, residuals=True)):
        b = bench(world, compiler, slack=i % 2)
        law = exact_law(world.target, b.compiled, world.max_new_tokens, **named(world))
        assert set(law) == set(world.members)
        assert law.tv(conditional_reference(world)) <= 1e-12
        expected = masked_reference(b)
        dead = expected.pop(DEAD, 0.0)
        if not expected:
            with pytest.raises(DeadEndError):
                exact_law(world.target, b.compiled, world.max_new_tokens, law="masked", **named(world))
            continue
        masked = exact_law(world.target, b.compiled, world.max_new_tokens, law="masked", **named(world))
        assert masked.unresolved == pytest.approx(dead, abs=1e-12)
        assert max(abs(masked.get(y, 0.0) - expected.get(y, 0.0)) for y in {*masked, *expected}) <= 1e-12
        lost += masked.unresolved > 0.0
    assert lost > 0


@pytest.mark.parametrize("gamma", [0, 1])
def test_generate_samples_the_law_cut_down_by_the_predicate(gamma: int, seed: int) -> None:
    for world in tiny(seed + 60 + gamma, 4, gamma):
        compiled = compile_grammar(world.grammar, world.vocabulary)
        law = output_law(lambda random, w=world, c=compiled: call(w, random, compiled=c)).conditioned()
        assert law.tv(conditional_reference(world)) <= 1e-12, str(world)
        masked = output_law(
            lambda random, w=world, c=compiled: call(w, random, compiled=c, law="masked"),
            unresolved_errors=(DeadEndError,),
        )
        expected = masked_reference(bench(world, "native"))
        dead = expected.pop(DEAD, 0.0)
        assert masked.unresolved == pytest.approx(dead, abs=1e-12)
        assert max(abs(masked.get(y, 0.0) - expected.get(y, 0.0)) for y in {*masked, *expected}) <= 1e-12


class TestViability(PotentialLaws):
    """The shared laws of potentials on grammars with residual predicates."""

    residuals = True
    count = 6

    def make(self, bench: Bench) -> Any:
        return Viability(bench.compiled)


class TestTaughtTrie(PotentialLaws):
    residuals = True
    count = 6

    def make(self, bench: Bench) -> Any:
        learned = bench.learned()
        teach(bench, learned, 3, bench.world.seed)
        return learned


# -- planted wrong versions -----------------------------------------------------------------------------


@contextlib.contextmanager
def _eos_without_asking() -> Iterator[None]:
    """EOS bits by the automaton alone."""
    with mock.patch.object(ResidualMatcher, "is_accepting", property(lambda self: self._ends)):
        yield


@contextlib.contextmanager
def _asked_with_the_text_before() -> Iterator[None]:
    """The predicate sees the text without its last token."""

    def text(self: ResidualMatcher) -> bytes:
        return b"".join(self._vocabulary.tokens[token] or b"" for token in self._tokens[:-1])

    with mock.patch.object(ResidualMatcher, "_text", text):
        yield


class IgnoresAtTheEnd(Viability):
    """h(y·EOS) of the automaton's language."""

    def h_children(self, state: Any, prefix: Any, budget: int) -> Any:
        h = super().h_children(state, prefix, budget)
        if state._ends:
            h[list(self.compiled.vocabulary.eos_ids)] = 1.0
        return h


class DropsWhatMayEndLater(Viability):
    """Takes a prefix whose end is refused for dead, and so loses the members beyond it."""

    def h_children(self, state: Any, prefix: Any, budget: int) -> Any:
        h = super().h_children(state, prefix, budget)
        if state._ends and not state.is_accepting:
            h[:] = 0.0
        return h


@contextlib.contextmanager
def _refuted_too_early() -> Iterator[None]:
    """A reading that takes the reading of a longer text for its own."""
    right = HashPredicate.forbids

    with mock.patch.object(HashPredicate, "forbids", lambda self, p: right(self, p) or right(self, p + b"a")):
        yield


class RefusedEndsDie(KilledLaw):
    """Redistributes the mass of a refused EOS over the other tokens: the masked step."""

    def kernel(self, node: Any, logits: Any) -> Any:
        kernel = super().kernel(node, logits)
        if kernel[:-1].sum() > 0.0:
            kernel[-1] = 0.0
            kernel /= kernel.sum()
        return kernel


MUTANTS: dict[str, tuple[Pieces, Callable[[], contextlib.AbstractContextManager[None]]]] = {
    "predicate ignored": (Pieces(), _eos_without_asking),
    "predicate sees another text": (Pieces(), _asked_with_the_text_before),
    "refuted too early": (Pieces(), _refuted_too_early),
    "ignored by the potential": (Pieces(base=IgnoresAtTheEnd), contextlib.nullcontext),
    "refused end taken for a dead end": (Pieces(base=DropsWhatMayEndLater), contextlib.nullcontext),
    "mass of refused ends redistributed": (Pieces(law=RefusedEndsDie), contextlib.nullcontext),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_version_is_caught(name: str) -> None:
    pieces, patch = MUTANTS[name]
    caught = 0
    for world in worlds(21, 12, draft=False, residuals=True, options=False):
        right = bench(world, "native")
        assert prove_frozen(right, right.killed(right.learned())) <= 1e-12
        wrong = bench(world, "native", pieces)
        with patch():
            try:
                prove_frozen(wrong, wrong.killed(wrong.learned()))
            except (ProofError, ContractError):
                caught += 1
    # Half of the worlds have a predicate that reads along.
    assert caught >= 2, f"{name} passed on all but {caught} worlds"


def test_a_shared_trie_keeps_predicates_apart() -> None:
    """Two grammars that differ in their predicate only; without it in the key one spoils the other."""

    def key_without_predicate(**parts: Any) -> Any:
        return TrieKey(**{**parts, "language": "the automaton"})

    spoiled = 0
    for world in worlds(22, 12, draft=False, residuals=True, options=False):
        other = replace(world, residuals=(HashPredicate(world.seed + 1, 0.3, False),))
        for pieces in (Pieces(), Pieces(key=key_without_predicate)):
            first, second = bench(other, "native", pieces), bench(world, "native", pieces)
            assert first.compiled.fingerprint != second.compiled.fingerprint
            trie = PrefixTrie(Viability(first.compiled))
            shared = PrefixTrie(Viability(second.compiled))
            shared._tries = trie._tries
            if other.members:
                law = first.killed(first.learned(trie))
                for k in range(6):
                    attempt = first.attempt(law)
                    attempt.run(NumpyRandomSource((k,)))
            try:
                assert prove_frozen(second, second.killed(second.learned(shared))) <= 1e-12
            except (ProofError, ContractError):
                assert pieces.key is key_without_predicate
                spoiled += 1
    assert spoiled > 0
