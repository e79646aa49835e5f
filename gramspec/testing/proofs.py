"""The proof scheme for the restart sampler: rounds enumerated, composed, compared with p(y)/h(ε).

Law: (a) P(y) = p(y)/h(ε) and P(†) = 1 − Φ(ε)/h(ε) under a frozen potential; (b) the same after learning,
with h >= Φ, S <= h, h(y·EOS) = 1[y ∈ L]; (c) whole attempts while learning. Source: laws, "How exactness
is proved".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gramspec.audit.enumerate import outcome_masses, output_law
from gramspec.audit.law import Law, Outcome
from gramspec.decoding.drafting.model_drafter import ModelDrafter
from gramspec.decoding.drafting.protocol import Drafter
from gramspec.decoding.drafting.tree import DraftPlan
from gramspec.decoding.kernel import KilledLaw, MaskedLaw, Node, StepLaw, TwistedLaw, child_node
from gramspec.decoding.options import DecodingOptions
from gramspec.decoding.random import NumpyRandomSource, RandomSource
from gramspec.decoding.round import Attempt, play_round
from gramspec.decoding.rows import RowLaw
from gramspec.decoding.samplers.restart import RestartSampler
from gramspec.decoding.verification.protocol import Verifier
from gramspec.errors import BudgetExhaustedError
from gramspec.testing.worlds import World
from gramspec.validity.prefix_trie import LearnedMass, PrefixTrie, TrieKey
from gramspec.validity.viability import Viability

TOLERANCE = 1e-12
DEAD: Outcome = (-1,)


@dataclass(frozen=True)
class Pieces:
    """The production parts a proof runs; a planted wrong version replaces one of them.

    Without a verifier a round takes its own, without a plan a chain as long as the world says.
    """

    law: Callable[..., KilledLaw] = KilledLaw
    drafter: Callable[..., Drafter] = ModelDrafter
    base: Callable[..., Viability] = Viability
    trie: Callable[..., PrefixTrie] = PrefixTrie
    key: Callable[..., TrieKey] = TrieKey
    round: Callable[..., Any] = play_round
    attempt: Callable[..., Attempt] = Attempt
    verifier: Verifier | None = None
    plan: DraftPlan | None = None


class ProofError(AssertionError):
    """A law does not hold; the message names the world and the place."""


@dataclass
class Bench:
    """One world with its compiled grammar and the production parts around it.

    Parameters
    ----------
    world : World
        The world.
    compiled : CompiledGrammar or ReferenceCompiled
        Its grammar, compiled.
    pieces : Pieces
        Production parts, or planted wrong ones.
    """

    world: World
    compiled: Any
    pieces: Pieces = field(default_factory=Pieces)

    def rows(self) -> RowLaw:
        """The row law of the world."""
        w = self.world
        return RowLaw(temperature=w.temperature, top_k=w.top_k, top_p=w.top_p)

    def learned(self, trie: PrefixTrie | None = None, budget: int | None = None) -> LearnedMass:
        """The learned potential of this world, cold unless a trie is given."""
        w = self.world
        base = self.pieces.base(self.compiled)
        holder = trie if trie is not None else self.pieces.trie(base)
        key = self.pieces.key(
            model=w.target.fingerprint,
            prompt=w.prompt,
            temperature=w.temperature,
            top_k=w.top_k,
            top_p=w.top_p,
            language=self.compiled.fingerprint,
            eos_ids=w.small.eos_ids,
            base=base.name,
            budget=budget if budget is not None else w.max_new_tokens,
        )
        return holder.at(key)

    def killed(self, potential: LearnedMass) -> KilledLaw:
        """The † kernel over a potential."""
        w = self.world
        return self.pieces.law(potential, self.rows(), budget=w.max_new_tokens, width=w.width)

    def masked(self) -> MaskedLaw:
        """The masked law of this world."""
        w = self.world
        return MaskedLaw(self.compiled, self.rows(), budget=w.max_new_tokens, width=w.width)

    def drafter(self) -> Drafter | None:
        """A fresh drafter, if the world has a draft model."""
        if self.world.draft is None:
            return None
        return self.pieces.drafter(self.world.draft, self.world.prompt, self.rows())

    def plan(self) -> int | DraftPlan:
        """How much each round drafts."""
        return self.pieces.plan if self.pieces.plan is not None else self.world.gamma

    def attempt(self, law: StepLaw) -> Attempt:
        """A fresh attempt with its own sequence and drafter."""
        w = self.world
        return self.pieces.attempt(
            law,
            w.target.open(w.prompt),
            len(w.prompt),
            self.drafter(),
            self.plan(),
            verifier=self.pieces.verifier,
        )

    def sampler(self, max_attempts: int) -> RestartSampler:
        """A fresh restart sampler on a cold potential."""
        w = self.world
        return RestartSampler(
            self.killed(self.learned()),
            w.target.open(w.prompt),
            len(w.prompt),
            self.drafter(),
            DecodingOptions(gamma=w.gamma, max_attempts=max_attempts),
        )

    def fail(self, what: str) -> ProofError:
        """An error that names the world."""
        return ProofError(f"{what}\n  in {self.world}")


def attempt_law(bench: Bench, law: StepLaw) -> dict[Outcome, float]:
    """Law of one attempt under a frozen potential: one round per prefix, composed by DP.

    Every round is enumerated through `play_round`; `DEAD` is †. Also checks, at every reached prefix x,
    that P(y|x) = p(y|x)/h(x).
    """
    world = bench.world
    memo: dict[tuple[int, ...], dict[Outcome, float]] = {}
    drafter = bench.drafter()

    def follow(start: Node) -> dict[Outcome, float]:
        if start.prefix in memo:
            return memo[start.prefix]

        def one_round(random: RandomSource) -> tuple[bool, tuple[int, ...], float | None]:
            node = Node(start.prefix, start.matcher.fork(), start.remaining, start.h)
            sequence = world.target.open(world.prompt)
            sequence.commit(list(start.prefix))
            result = bench.pieces.round(
                law, node, sequence, drafter, bench.plan(), random, verifier=bench.pieces.verifier
            )
            if result.node is not None:
                check_moved(bench, result, start.prefix, sequence)
            return result.died, tuple(result.tokens), None if result.node is None else result.node.h

        masses, lost = outcome_masses(one_round, max_leaves=200_000, unresolved_errors=())
        if lost > TOLERANCE:
            raise bench.fail(f"a round after {start.prefix} has lost mass {lost}")
        parts: dict[Outcome, list[float]] = {}
        for (died, tokens, h), mass in masses.items():
            prefix = start.prefix + tokens
            if died:
                parts.setdefault(DEAD, []).append(mass)
            elif h is None:
                parts.setdefault(prefix, []).append(mass)
            else:
                node = start
                for token in tokens:
                    node = child_node(law, node, token)
                for outcome, deeper in follow(node).items():
                    parts.setdefault(outcome, []).append(mass * deeper)
        memo[start.prefix] = {outcome: math.fsum(p) for outcome, p in parts.items()}
        return memo[start.prefix]

    return follow(law.root())


def check_moved(bench: Bench, result: Any, prefix: tuple[int, ...], sequence: Any) -> None:
    """Sequence, node and matcher moved together (nothing of a rejected draft is left behind)."""
    expected = prefix + tuple(result.tokens)
    if result.node.prefix != expected or tuple(sequence.tokens) != bench.world.prompt + expected:
        raise bench.fail(f"node {result.node.prefix} or sequence {sequence.tokens} is not at {expected}")


def prove_frozen(bench: Bench, law: KilledLaw) -> float:
    """Scheme (a): largest error of P(y) − p(y)/h(ε) and of P(†) − (1 − Φ/h(ε)); at most `TOLERANCE`."""
    world = bench.world
    h = law.root().h
    if h <= 0.0:
        raise bench.fail("h(ε) = 0 in a world whose Φ is positive")
    found = attempt_law(bench, law)
    worst = abs(found.get(DEAD, 0.0) - (1.0 - world.phi / h))
    for outcome in {*found, *world.weights} - {DEAD}:
        worst = max(worst, abs(found.get(outcome, 0.0) - world.weights.get(outcome, 0.0) / h))
    if not worst <= TOLERANCE:
        raise bench.fail(f"round law is off by {worst:.3g} (h(ε) = {h:.6g})")
    return worst


def prove_weighted(bench: Bench, law: TwistedLaw) -> float:
    """Rounds of a law with weights: P(y) = p(y)/(h(ε)·∏ρ) for all y in L, whatever the potential promises."""
    world = bench.world
    weights: dict[Outcome, float] = {}
    for y, probability in world.weights.items():
        node = law.root()
        weight = node.h
        for token in y:
            h = law.children(node)
            weight *= math.fsum((world.row(node.prefix) * h).tolist()) / node.h if node.h > 0.0 else 0.0
            if token not in law.eos_ids:
                node = child_node(law, node, token)
        weights[y] = weight
        if probability > 0.0 and not weight > 0.0:
            raise bench.fail(f"h = 0 loses {y}")
    found = attempt_law(bench, law)
    if set(found) - set(weights) - {DEAD}:
        raise bench.fail("a text outside the grammar was emitted")
    worst = abs(math.fsum(found.values()) - 1.0)
    for y, weight in weights.items():
        # A potential with a floor of 1e-20 has weights of 1e20; float64 has no such digits in P(y) to offer.
        off = abs(found.get(y, 0.0) * weight - world.weights[y])
        worst = max(worst, off / max(1.0, weight))
    if not worst <= TOLERANCE:
        raise bench.fail(f"weighted round law is off by {worst:.3g}")
    return worst


def masked_reference(bench: Bench) -> dict[Outcome, float]:
    """The masked law by brute force; residual predicates decide EOS only, a dead end counts as `DEAD`."""
    world = bench.world
    spelled = world.spelled_within(world.max_new_tokens)
    refused = set(spelled) - set(world.members)
    out: dict[Outcome, float] = {}

    def go(prefix: tuple[int, ...], mass: float) -> None:
        below = [ids for ids in spelled if ids[: len(prefix)] == prefix]
        allowed = sorted({ids[len(prefix)] for ids in below if ids[: len(prefix) + 1] not in refused})
        row = world.row(prefix)
        total = math.fsum(float(row[v]) for v in allowed)
        if total <= 0.0:
            out[DEAD] = out.get(DEAD, 0.0) + mass
            return
        for v in allowed:
            share = mass * float(row[v]) / total
            if share > 0.0:
                if v in world.small.eos_ids:
                    out[(*prefix, v)] = share
                else:
                    go((*prefix, v), share)

    go((), 1.0)
    return out


def prove_masked(bench: Bench) -> float:
    """The masked law through the same rounds; a dead end counts as †."""
    found = attempt_law(bench, bench.masked())
    expected = masked_reference(bench)
    worst = max(abs(found.get(o, 0.0) - expected.get(o, 0.0)) for o in {*found, *expected})
    if not worst <= TOLERANCE:
        raise bench.fail(f"masked round law is off by {worst:.3g}")
    return worst


def check_potential(bench: Bench, learned: LearnedMass) -> dict[tuple[int, ...], float]:
    """Contract S on every prefix with h > 0: h >= Φ, S <= h, h(y·EOS) = 1[y ∈ L]; returns h by prefix."""
    world = bench.world
    members = set(world.members)
    values: dict[tuple[int, ...], float] = {}

    def go(prefix: tuple[int, ...], matcher: Any, h: float) -> None:
        values[prefix] = h
        budget = world.max_new_tokens - len(prefix)
        row = world.row(prefix)
        children = learned.h_children(matcher, prefix, budget)
        s = float(math.fsum(float(row[v]) * float(children[v]) for v in range(len(children))))
        if s > h * (1.0 + 1e-12) + 1e-300:
            raise bench.fail(f"S = {s!r} above h = {h!r} after {prefix}")
        phi = suffix_phi(world, prefix)
        if h < phi * (1.0 - 1e-12):
            raise bench.fail(f"h = {h!r} below Φ = {phi!r} after {prefix}")
        for v in range(len(children)):
            child = (*prefix, v)
            if v in world.small.eos_ids:
                if float(children[v]) != float(child in members):
                    raise bench.fail(f"h({child}) = {children[v]!r}, member: {child in members}")
            elif children[v] > 0.0:
                below = matcher.fork()
                below.advance(v)
                alone = math.exp(learned.log_h(below, child, budget - 1))
                if abs(alone - float(children[v])) > 1e-12:
                    raise bench.fail(f"h({child}) is {children[v]!r} from its parent and {alone!r} alone")
                go(child, below, float(children[v]))
            elif suffix_phi(world, child) > 0.0 and row[v] > 0.0:
                raise bench.fail(f"h({child}) = 0 loses members of L")

    root = bench.compiled.matcher()
    go((), root, math.exp(learned.log_h(root, (), world.max_new_tokens)))
    return values


def suffix_phi(world: World, prefix: Sequence[int]) -> float:
    """Φ(x) by products of rows below x (no division, so also where x has probability 0)."""
    start = tuple(prefix)
    total = []
    for ids in world.members:
        if ids[: len(start)] == start:
            total.append(math.prod(float(_row(world, ids[:t])[ids[t]]) for t in range(len(start), len(ids))))
    return math.fsum(total)


def _row(world: World, prefix: tuple[int, ...]) -> NDArray[np.float64]:
    rows = world.__dict__.setdefault("_rows_seen", {})
    if prefix not in rows:
        rows[prefix] = world.row(prefix)
    return rows[prefix]  # type: ignore[no-any-return]


def teach(bench: Bench, learned: LearnedMass, attempts: int, seed: int, *, together: int = 1) -> None:
    """Let a potential learn from production attempts, `together` of them interleaved round by round.

    While attempts are alive no value may rise; checked after every round.
    """
    law = bench.killed(learned)
    random = NumpyRandomSource((seed, attempts, together))
    picks = np.random.default_rng([seed, 77])
    left = attempts
    while left > 0:
        batch = [bench.attempt(law) for _ in range(min(together, left))]
        left -= len(batch)
        before = check_potential(bench, learned)
        try:
            while live := [a for a in batch if not a.over]:
                live[int(picks.integers(len(live)))].step(random)
                after = check_potential(bench, learned)
                for prefix, h in after.items():
                    if h > before[prefix]:  # a prefix missing before had h = 0: also a rise
                        raise bench.fail(f"h({prefix}) rose from {before[prefix]!r} to {h!r} in an attempt")
                before = after
        finally:
            for a in batch:
                a.close()


def prove_learned(
    bench: Bench, attempts: int, seed: int, *, together: int = 1, max_nodes: int = 100_000
) -> float:
    """Scheme (b): (a) on a potential taught by `attempts` random attempts, with contract S checked.

    A small `max_nodes` makes the trie forget between attempts.
    """
    learned = bench.learned(bench.pieces.trie(bench.pieces.base(bench.compiled), max_nodes=max_nodes))
    teach(bench, learned, attempts, seed, together=together)
    check_potential(bench, learned)
    return prove_frozen(bench, bench.killed(learned))


def prove_two_budgets(bench: Bench, attempts: int, seed: int) -> float:
    """What one trie learned at N − 1 must not leak into N: (b) at N on the shared trie."""
    trie = bench.pieces.trie(bench.pieces.base(bench.compiled))
    shorter = replace(bench.world, max_new_tokens=bench.world.max_new_tokens - 1)
    if shorter.members:
        below = replace(bench, world=shorter)
        teach(below, below.learned(trie), attempts, seed)
    learned = bench.learned(trie)
    check_potential(bench, learned)
    return prove_frozen(bench, bench.killed(learned))


def restart_law(bench: Bench, max_attempts: int, *, max_leaves: int = 400_000) -> Law:
    """Scheme (c): the law of `RestartSampler.draw` with learning on, every choice enumerated."""
    return output_law(
        lambda random: bench.sampler(max_attempts).draw(lambda _: random).tokens, max_leaves=max_leaves
    )


def conditional_reference(world: World) -> Law:
    """P* of a world, by brute force."""
    weights = {y: w / world.phi for y, w in world.weights.items()}
    return Law(weights, log_phi=math.log(world.phi))


def prove_restarts(bench: Bench, max_attempts: int) -> float:
    """Scheme (c): given success within `max_attempts`, the law is P*; cold potential, learning on."""
    law = restart_law(bench, max_attempts)
    expected = conditional_reference(bench.world)
    h = bench.killed(bench.learned()).root().h
    first = law.conditioned()
    worst = max(abs(first.get(y, 0.0) - expected.get(y, 0.0)) for y in {*first, *expected})
    if max_attempts == 1:
        worst = max(worst, abs(law.unresolved - (1.0 - bench.world.phi / h)))
    if not worst <= TOLERANCE:
        raise bench.fail(f"restart law with learning is off by {worst:.3g}")
    return worst


def prove_interleaved(bench: Bench, schedule: Sequence[int]) -> float:
    """Scheme (c): two attempts on one learning potential, stepping by `schedule`: joint law p(y)p(y')/h(ε)².

    `schedule` is repeated; a finished attempt passes its turn.
    """
    world = bench.world

    def run(random: RandomSource) -> tuple[Outcome, Outcome]:
        law = bench.killed(bench.learned())
        pair = [bench.attempt(law) for _ in range(2)]
        turn = 0
        while not all(a.over for a in pair):
            chosen = pair[schedule[turn % len(schedule)]]
            turn += 1
            (chosen if not chosen.over else pair[0] if not pair[0].over else pair[1]).step(random)
        for a in pair:
            a.close()
        first, second = (DEAD if a.died else a.tokens for a in pair)
        return first, second

    found, lost = outcome_masses(run, max_leaves=400_000, unresolved_errors=())
    h = bench.killed(bench.learned()).root().h
    single = {y: w / h for y, w in world.weights.items()}
    single[DEAD] = 1.0 - world.phi / h
    worst = lost
    for one in single:
        for two in single:
            worst = max(worst, abs(found.get((one, two), 0.0) - single[one] * single[two]))
    worst = max([worst, *(m for pair, m in found.items() if pair[0] not in single or pair[1] not in single)])
    if not worst <= TOLERANCE:
        raise bench.fail(f"joint law of two interleaved attempts is off by {worst:.3g}")
    return worst


def prove_two_draws(bench: Bench, max_attempts: int) -> float:
    """Scheme (d) on a real sampler: given everything before it, each of two draws follows P*.

    Both draws share the potential and have a budget of `max_attempts` each.
    """
    world = bench.world

    def run(random: RandomSource) -> tuple[Outcome, Outcome]:
        sampler = bench.sampler(max_attempts)
        drawn: list[Outcome] = []
        for _ in range(2):
            try:
                drawn.append(sampler.draw(lambda _: random).tokens)
            except BudgetExhaustedError:
                drawn.append(DEAD)
        return drawn[0], drawn[1]

    found, lost = outcome_masses(run, max_leaves=400_000, unresolved_errors=())
    expected = conditional_reference(world)
    worst = lost
    for before in {first for first, _ in found} | {None}:
        masses: dict[Outcome, list[float]] = {}
        for (first, second), mass in found.items():
            if before is None:
                masses.setdefault(first, []).append(mass)
            elif first == before:
                masses.setdefault(second, []).append(mass)
        masses.pop(DEAD, None)
        total = math.fsum(m for parts in masses.values() for m in parts)
        for y in {*masses, *expected} if total > 0.0 else ():
            share = math.fsum(masses.get(y, ())) / total
            worst = max(worst, abs(share - expected.get(y, 0.0)))
    if not worst <= TOLERANCE:
        raise bench.fail(f"a draw is off by {worst:.3g} given what came before it")
    return worst


def with_gamma(world: World, gamma: int) -> World:
    """The same world with another draft length."""
    return replace(world, gamma=gamma)
