"""Planted wrong versions: each is one production piece with one mistake of the list of traps.

Law: none of these samples P*; the proof scheme must say so on small worlds.
Source: laws, "Traps; each is a test that must fail on the wrong version".
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np

from gramspec.decoding import round as round_module
from gramspec.decoding.drafting.model_drafter import ModelDrafter
from gramspec.decoding.drafting.tree import DraftPlan, DraftTree
from gramspec.decoding.kernel import KilledLaw, Node
from gramspec.decoding.random import RandomSource
from gramspec.decoding.round import Attempt, play_round
from gramspec.decoding.samplers import base as sampler_module
from gramspec.decoding.verification.chain import ChainVerifier
from gramspec.decoding.verification.token import Verdict, verify_token
from gramspec.errors import BudgetExhaustedError
from gramspec.testing.proofs import (
    Bench,
    Pieces,
    prove_frozen,
    prove_interleaved,
    prove_learned,
    prove_restarts,
    prove_two_budgets,
)
from gramspec.validity.prefix_trie import LearnedMass, PrefixTrie
from gramspec.validity.protocol import Visit
from gramspec.validity.viability import Viability

Scheme = Callable[[Bench], float]


@dataclass(frozen=True)
class Mutant:
    """One planted mistake, and the part of the scheme that has to find it."""

    name: str
    trap: str
    scheme: Scheme
    pieces: Callable[[Any], Pieces]
    patch: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext
    tiny: bool = False  # the scheme enumerates whole attempts: tiny worlds only
    draft: bool = True


class DropsEos(ModelDrafter):
    """Looks at the drafted EOS, then drops it."""

    def propose(self, law: Any, node: Node, plan: DraftPlan, random: RandomSource) -> DraftTree:
        tree = super().propose(law, node, plan, random)
        tokens, rows, nodes = tree.as_chain()
        if tokens and tokens[-1] in law.eos_ids:
            return DraftTree.chain(tokens[:-1], rows[:-1], nodes)
        return tree


class UnmaskedQ(ModelDrafter):
    """Draws from the masked row and reports the row before the mask."""

    def propose(self, law: Any, node: Node, plan: DraftPlan, random: RandomSource) -> DraftTree:
        tokens, _, nodes = super().propose(law, node, plan, random).as_chain()
        rows = []
        for i in range(len(tokens)):
            sequence = self.model.open(list(self._sequence.tokens)[: self._prompt_length])
            sequence.commit(list(nodes[i].prefix))
            rows.append(self._rows.row(sequence.score()[0]))
        return DraftTree.chain(tokens, rows, nodes)


class GreedyDraft(ModelDrafter):
    """Takes the most probable token and reports its row as if it had been drawn."""

    def propose(self, law: Any, node: Node, plan: DraftPlan, random: RandomSource) -> DraftTree:
        class Greedy:
            def choose(self, weights64: Any) -> int:
                return int(np.argmax(weights64))

        return super().propose(law, node, plan, Greedy())


class DraftsPastEos(ModelDrafter):
    """Treats a drafted EOS as an inner node, so that one more symbol is drawn after it."""

    def propose(self, law: Any, node: Node, plan: DraftPlan, random: RandomSource) -> DraftTree:
        tree = super().propose(law, node, plan, random)
        tokens, rows, nodes = tree.as_chain()
        if tokens and tokens[-1] in law.eos_ids:
            last = nodes[-1]
            matcher = last.matcher.fork()
            matcher.advance(tokens[-1])
            after = Node((*last.prefix, tokens[-1]), matcher, last.remaining - 1, 1.0)
            return DraftTree.chain(tokens, rows, (*nodes, after))
        return tree


def learns_before_verdicts(world: Any) -> type[ModelDrafter]:
    """A drafter that teaches the potential the rows of its own draft before the verdicts."""

    class LearnsEarly(ModelDrafter):
        def propose(self, law: Any, node: Node, plan: DraftPlan, random: RandomSource) -> DraftTree:
            tree = super().propose(law, node, plan, random)
            tokens, _, nodes = tree.as_chain()
            visits = []
            for i, at in enumerate(nodes):
                followed = tuple(t for t in tokens[i : i + 1] if t not in law.eos_ids)
                visits.append(Visit(at.prefix, world.row(at.prefix), law.children(at), followed))
            law.potential.observe(visits)
            for at in nodes:
                at.children = None
            return tree

    return LearnsEarly


class NoCoin(KilledLaw):
    """Renormalises where † should be."""

    def kernel(self, node: Node, logits: Any) -> Any:
        kernel = super().kernel(node, logits)
        if kernel[:-1].sum() > 0.0:
            kernel[-1] = 0.0
            kernel /= kernel.sum()
        return kernel


class RefreshedH(KilledLaw):
    """Divides by h(x) as it is now, not as the parent read it."""

    def kernel(self, node: Node, logits: Any) -> Any:
        now = math.exp(self._potential.log_h(node.matcher, node.prefix, node.remaining))
        node.h = max(now, 1e-300)  # zero: certain †
        return super().kernel(node, logits)


class TrieWithoutN(PrefixTrie):
    """Shares learned mass between budgets."""

    def at(self, key: Any, *, row_noise: float = 0.0) -> LearnedMass:
        for known in self._tries:
            if all(getattr(known, f) == getattr(key, f) for f in key.__slots__ if f != "budget"):
                return super().at(known, row_noise=row_noise)
        return super().at(key, row_noise=row_noise)


class TightViability(Viability):
    """Asks for one token more than is needed, and so loses members of L."""

    def h_children(self, state: Any, prefix: Sequence[int], budget: int) -> Any:
        h = super().h_children(state, prefix, budget)
        if budget > 1:
            tight = super().h_children(state, prefix, budget - 1)
            h[[v for v in range(len(h)) if v not in self._eos]] = 0.0
            h = np.maximum(h, tight)
        return h


class ForgetsWithoutTelling(PrefixTrie):
    """Evicts leaves and does not carry the risen mass to the root."""

    def at(self, key: Any, *, row_noise: float = 0.0) -> LearnedMass:
        learned = super().at(key, row_noise=row_noise)
        if type(learned) is LearnedMass:
            learned.__class__ = _Silent
        return learned


class _Silent(LearnedMass):
    def _publish(self, node: Any, *, may_rise: bool = False) -> None:
        if not may_rise:
            super()._publish(node)


class StopsInside(Attempt):
    """Asks for the budget inside an attempt: gives up after one round."""

    def run(self, random: RandomSource) -> bool:
        try:
            self.step(random)
            if not self.over:
                raise BudgetExhaustedError(None, "stopped inside an attempt")  # type: ignore[arg-type]
        finally:
            self.close()
        return not self.died


def leaves_draft_behind(*args: Any, **kwargs: Any) -> Any:
    """A round that forgets to take a rejected token back from the target's sequence."""
    result = play_round(*args, **kwargs)
    sequence = args[2]
    if result.node is not None and result.drafted > result.accepted:
        sequence.commit([result.tokens[-1]])
    return result


def _verify_without_coin_in_bonus(
    kernels: Sequence[Any], drafts: Sequence[Any], drafted: Sequence[int], random: RandomSource
) -> Verdict:
    """The bonus token is drawn from another law than K: without †."""
    if len(kernels) > len(drafted) and kernels[-1][:-1].sum() > 0.0:
        bonus = kernels[-1].copy()
        bonus[-1] = 0.0
        kernels = [*kernels[:-1], bonus]
    return verify_token(kernels, drafts, drafted, random)


def _verify_with_k_as_correction(
    kernels: Sequence[Any], drafts: Sequence[Any], drafted: Sequence[int], random: RandomSource
) -> Verdict:
    """After a rejection the token comes from K, not from (K − q)₊."""
    for i, token in enumerate(drafted):
        keep = kernels[i][token] / drafts[i][token]
        if keep < 1.0 and random.choose(np.array([keep, 1.0 - keep])) == 1:
            return Verdict(i, random.choose(kernels[i]))
    n = len(drafted)
    return Verdict(n, random.choose(kernels[n]) if len(kernels) > n else None)


def _verify(replacement: Any) -> Callable[[], contextlib.AbstractContextManager[Any]]:
    return lambda: mock.patch.object(round_module, "_DEFAULT", ChainVerifier(replacement, "planted"))


@contextlib.contextmanager
def _attempts_stop_inside() -> Iterator[None]:
    with mock.patch.object(sampler_module, "Attempt", StopsInside):
        yield


def first_finished(attempt: Any, within_budget: Any) -> Any:
    """Two attempts at a time; the one that is finished first is returned."""
    made = 0
    while made == 0 or within_budget(made):
        pair = [attempt(made), attempt(made + 1)]
        made += 2
        done = [outcome for outcome in pair if outcome is not None]
        if done:
            return min(done, key=lambda outcome: outcome.cost), made
    return None, made


def stops_inside(attempt: Any, within_budget: Any) -> Any:
    """An outcome that cost more than two units is thrown away as over the budget."""
    made = 0
    while made == 0 or within_budget(made):
        outcome = attempt(made)
        made += 1
        if outcome is not None and outcome.cost <= 2:
            return outcome, made
    return None, made


def _frozen(bench: Bench) -> float:
    return prove_frozen(bench, bench.killed(bench.learned()))


def _learned(bench: Bench) -> float:
    return prove_learned(bench, 3, bench.world.seed)


def _forgetting(bench: Bench) -> float:
    return prove_learned(bench, 4, bench.world.seed, max_nodes=2)


def _two_budgets(bench: Bench) -> float:
    return prove_two_budgets(bench, 4, bench.world.seed)


def _one_attempt(bench: Bench) -> float:
    return prove_restarts(bench, 1)


def _two_attempts(bench: Bench) -> float:
    return prove_restarts(bench, 2)


def _interleaved(bench: Bench) -> float:
    return prove_interleaved(bench, (0, 1))


def _with(**changes: Any) -> Callable[[Any], Pieces]:
    return lambda world: Pieces(**changes)


MUTANTS = [
    Mutant("drafted token dropped", "1", _frozen, _with(drafter=DropsEos)),
    Mutant("wrong q after the mask", "2", _frozen, _with(drafter=UnmaskedQ)),
    Mutant("bonus outside the law", "3", _frozen, _with(), _verify(_verify_without_coin_in_bonus)),
    Mutant("correction from K", "3", _frozen, _with(), _verify(_verify_with_k_as_correction)),
    Mutant("greedy draft as a sample", "4", _frozen, _with(drafter=GreedyDraft)),
    Mutant("budget overestimated", "8", _learned, _with(base=TightViability)),
    Mutant("rejected draft left in the sequence", "9", _frozen, _with(round=leaves_draft_behind)),
    Mutant("bonus after EOS", "9", _frozen, _with(drafter=DraftsPastEos)),
    Mutant("no coin", "coin", _frozen, _with(law=NoCoin), draft=False),
    Mutant(
        "learning before the verdicts",
        "13",
        _one_attempt,
        lambda world: Pieces(drafter=learns_before_verdicts(world)),
        tiny=True,
    ),
    Mutant("budget inside an attempt", "14", _two_attempts, _with(), _attempts_stop_inside, tiny=True),
    Mutant("refreshed h divided by", "15", _interleaved, _with(law=RefreshedH), tiny=True),
    Mutant("trie key without N", "15", _two_budgets, _with(trie=TrieWithoutN), draft=False),
    Mutant("eviction kept from the ancestors", "15", _forgetting, _with(trie=ForgetsWithoutTelling)),
]

LOOP_MUTANTS = {"first finished of a batch": first_finished, "budget inside an attempt": stops_inside}
