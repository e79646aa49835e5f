"""The round loop: draft, score, verify, move; then, and only then, learn.

Law: the symbols a round appends follow the kernel rows of `StepLaw`, with any drafter or none.
Cost: one target forward per round. Source: architecture, "Decoding"; laws, traps 1, 2, 3, 8, 9 and 13.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from math import inf, log
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.drafting.align import align
from gramspec.decoding.drafting.protocol import Controller, Drafter, LearningDrafter, controller_of
from gramspec.decoding.drafting.tree import DraftPlan, DraftTree
from gramspec.decoding.kernel import Node, StepLaw, child_node
from gramspec.decoding.random import RandomSource
from gramspec.decoding.report import Tally
from gramspec.decoding.verification import Auto
from gramspec.decoding.verification.protocol import TreeVerdict, Verifier
from gramspec.errors import DraftError
from gramspec.models.protocol import ModelSequence
from gramspec.validity.protocol import LearningPotential, Visit


class RoundResult(NamedTuple):
    """What one round appended.

    Attributes
    ----------
    tokens : tuple of int
        Tokens appended to the prefix; the last may be an EOS id.
    died : bool
        Whether † came after them.
    node : Node or None
        Where the attempt stands now; None when it is over.
    logprob : float
        log p of `tokens` under the law row p.
    log_mass : float
        Σ log S over the prefixes that `tokens` were drawn at.
    visits : sequence of Visit
        Every prefix whose target row this round has seen, rejected ones included.
    drafted, accepted : int
        Tokens drafted, and kept.
    log_kernel : float
        log of the kernel's probability of `tokens`; log p - log K is the weight of a law without †.
    steps : tuple of tuple of float
        log p and log K of each token.
    """

    tokens: tuple[int, ...]
    died: bool
    node: Node | None
    logprob: float
    log_mass: float
    visits: Sequence[Visit]
    drafted: int
    accepted: int
    log_kernel: float
    steps: tuple[tuple[float, float], ...] = ()


def play_round(
    law: StepLaw,
    node: Node,
    sequence: ModelSequence,
    drafter: Drafter | None,
    plan: int | DraftPlan,
    random: RandomSource,
    tally: Tally | None = None,
    verifier: Verifier | None = None,
) -> RoundResult:
    """Play one round from `node`: no learning, no budget but the node's own.

    Parameters
    ----------
    law : StepLaw
        The law to be sampled.
    node : Node
        Where the attempt stands; its h is positive and at least one token may still come.
    sequence : ModelSequence
        The target's sequence, holding prompt + `node.prefix`; it is moved along.
    drafter : Drafter or None
        Who drafts; None draws one symbol from the kernel.
    plan : int or DraftPlan
        How much is drafted at most; an int is the length of a chain.
    random : RandomSource
        Source of every choice.
    tally : Tally, optional
        Where time is counted.
    verifier : Verifier, optional
        The rule; `Auto` by default.
    """
    tally = tally if tally is not None else Tally()
    tree = begin_round(law, node, drafter, plan, random, tally)
    _, tokens, parents = tree.to_score()
    with tally.phase("target"):
        rows = sequence.score(tokens, parents)
    return finish_round(law, tree, rows, sequence, random, tally, verifier)


def begin_round(
    law: StepLaw,
    node: Node,
    drafter: Drafter | None,
    plan: int | DraftPlan,
    random: RandomSource,
    tally: Tally,
) -> DraftTree:
    """Draft: what the target has to score is `DraftTree.to_score` of the result.

    Parameters
    ----------
    law, node, drafter, plan, random, tally
        As for `play_round`.

    Raises
    ------
    DraftError
        When the drafter proposes more than was planned.
    """
    plan = DraftPlan(plan) if isinstance(plan, int) else plan
    length = min(plan.length, node.remaining)
    if drafter is None or length < 1:
        return DraftTree.root(node)
    plan = plan._replace(length=length)
    with tally.phase("draft"):
        tree = drafter.propose(law, node, plan, random)
    if tree.nodes[0] is not node or tree.depth > length or tree.drafted > plan.most:
        raise DraftError(
            f"a draft of {tree.drafted} tokens, {tree.depth} deep, was proposed after {list(node.prefix)};"
            f" the plan was {plan}"
        )
    return tree


def finish_round(
    law: StepLaw,
    tree: DraftTree,
    rows: NDArray[np.float64],
    sequence: ModelSequence,
    random: RandomSource,
    tally: Tally,
    verifier: Verifier | None = None,
) -> RoundResult:
    """Verify a draft with the target's rows, and move.

    Parameters
    ----------
    law, sequence, random, tally, verifier
        As for `play_round`.
    tree : DraftTree
        The draft, whose root is the node where the attempt stands.
    rows : ndarray, shape (n + 1, V)
        The target's logits for `tree.to_score()`.
    """
    inner, _, _ = tree.to_score()
    kernels: list[NDArray[np.float64] | None] = [None] * len(tree.nodes)
    late = law.potential is None  # h may change once something is learned
    with tally.phase("kernel"):
        for i, row in zip(inner, rows, strict=True):
            at = tree.nodes[i]
            assert at is not None
            if late:
                at.owe(law, row)
            else:
                kernels[i] = law.kernel(at, row)
    with tally.phase("verify"):
        verdict = (verifier if verifier is not None else _DEFAULT).verify(
            tree, _Owed(tree) if late else kernels, random
        )
    died = verdict.next == law.width
    emitted = () if verdict.next is None or died else (verdict.next,)
    tokens = tuple(tree.tokens[i] for i in verdict.path) + emitted
    passed = [tree.nodes[i] for i in (0, *verdict.path)]
    after: Node | None = None
    if not died and tokens[-1] not in law.eos_ids:
        sequence.commit(list(tokens))
        last = passed[-1]
        assert last is not None
        with tally.phase("kernel"):
            after = child_node(law, last, tokens[-1])
    log_mass = 0.0
    steps: list[tuple[float, float]] = []
    for at, token in zip(passed, tokens, strict=False):
        assert at is not None and at.p is not None and at.kernel is not None
        steps.append((_log(at.p[token]), _log(at.kernel[token])))
        log_mass += _log(at.mass)
    return RoundResult(
        tokens=tokens,
        died=died,
        node=after,
        logprob=sum(log_p for log_p, _ in steps),
        log_mass=log_mass,
        visits=_Visits(law, tree, verdict, emitted),
        drafted=tree.drafted,
        accepted=len(verdict.path),
        log_kernel=sum(log_k for _, log_k in steps),
        steps=tuple(steps),
    )


_DEFAULT: Verifier = Auto()


class _Owed(Sequence["NDArray[np.float64] | None"]):
    """K at each node of a tree, where it is asked for."""

    def __init__(self, tree: DraftTree) -> None:
        self._nodes = tree.nodes

    def __len__(self) -> int:
        return len(self._nodes)

    def __getitem__(self, index: Any) -> Any:
        node = self._nodes[index]
        return None if node is None else node.kernel


class _Visits(Sequence[Visit]):
    """What a round has seen, made when somebody looks."""

    def __init__(self, law: StepLaw, tree: DraftTree, verdict: TreeVerdict, emitted: tuple[int, ...]) -> None:
        self._law, self._tree, self._verdict, self._emitted = law, tree, verdict, emitted
        self._made: tuple[Visit, ...] | None = None

    def __len__(self) -> int:
        return len(self._all())

    def __getitem__(self, index: Any) -> Any:
        return self._all()[index]

    def _all(self) -> tuple[Visit, ...]:
        if self._made is None:
            end = self._verdict.path[-1] if self._verdict.path else 0
            visits = []
            for i, at in enumerate(self._tree.nodes):
                if at is None:
                    continue
                assert at.p is not None and at.children is not None
                followed = (*self._tree.children(i), *(self._emitted if i == end else ()))
                kept = tuple(t for t in followed if t not in self._law.eos_ids)
                visits.append(Visit(at.prefix, at.p, at.children, kept))
            self._made = tuple(visits)
        return self._made


def _log(x: float) -> float:
    return log(x) if x > 0 else -inf


class Attempt:
    """One attempt: rounds from the root until EOS or †.

    Parameters
    ----------
    law : StepLaw
        The law to be sampled.
    sequence : ModelSequence
        The target's sequence, opened with the prompt; used by one attempt at a time.
    prompt_length : int
        Tokens of it that belong to the prompt.
    drafter : Drafter or None
        Who drafts.
    plan : int, DraftPlan or Controller
        How much each round drafts; an int is the length of a chain.
    tally : Tally, optional
        What the sample has cost.
    verifier : Verifier, optional
        The rule; `Auto` by default.
    start : Node, optional
        Where the attempt begins; the root by default.

    Notes
    -----
    Several attempts may be alive on one learned potential, each with its own sequence and drafter;
    call `close` for every attempt, also after an error.
    """

    def __init__(
        self,
        law: StepLaw,
        sequence: ModelSequence,
        prompt_length: int,
        drafter: Drafter | None = None,
        plan: int | DraftPlan | Controller = 0,
        tally: Tally | None = None,
        verifier: Verifier | None = None,
        start: Node | None = None,
    ) -> None:
        self._law = law
        self._sequence = sequence
        self._drafter = drafter
        self._controller = controller_of(plan)
        self._verifier = verifier
        self.tally = tally if tally is not None else Tally()
        self._learner = law.potential if isinstance(law.potential, LearningPotential) else None
        self._pupil = drafter if isinstance(drafter, LearningDrafter) else None
        self._open = True
        if self._learner is not None:
            self._learner.begin()
        try:
            self.node: Node | None = start if start is not None else law.root()
        except BaseException:
            self.close()
            raise
        self.root_h = self.node.h
        self.tokens = self.node.prefix
        self.steps: tuple[tuple[float, float], ...] = ()
        self.died = self.root_h <= 0.0
        self.logprob = 0.0
        self.log_mass = 0.0
        self.log_kernel = 0.0
        if self.died:
            self.node = None
        else:
            align(sequence, prompt_length, self.tokens)

    def fork(self, verifier: Verifier | None = None) -> Attempt:
        """A copy that goes on by itself, with its own sequence; to be closed like every attempt.

        The node is shared: what was read there stays read once.

        Parameters
        ----------
        verifier : Verifier, optional
            Another rule for the copy.
        """
        if not self._open:
            raise ValueError("the attempt is closed")
        twin = copy(self)
        twin._sequence = self._sequence.fork()
        twin._verifier = verifier if verifier is not None else self._verifier
        if self._learner is not None:
            self._learner.begin()
        return twin

    @property
    def over(self) -> bool:
        """Whether EOS or † has come."""
        return self.node is None

    def step(self, random: RandomSource) -> None:
        """Play one round; learn from it after all of its verdicts.

        Parameters
        ----------
        random : RandomSource
            Source of every choice.
        """
        tree = self.begin(random)
        _, tokens, parents = tree.to_score()
        with self.tally.phase("target"):
            rows = self._sequence.score(tokens, parents)
        self.finish(tree, rows, random)

    @property
    def sequence(self) -> ModelSequence:
        """The target's sequence."""
        return self._sequence

    def begin(self, random: RandomSource) -> DraftTree:
        """Draft one round; `finish` must follow with the target's rows of the tree.

        Parameters
        ----------
        random : RandomSource
            Source of every choice.
        """
        if self.node is None:
            raise ValueError("the attempt is over")
        self._plan = self._controller.plan(self.node)
        self._before = dict(self.tally.seconds)
        return begin_round(self._law, self.node, self._drafter, self._plan, random, self.tally)

    def finish(self, tree: DraftTree, rows: NDArray[np.float64], random: RandomSource) -> None:
        """Verify the drafted tree, move, and then learn.

        Parameters
        ----------
        tree : DraftTree
            What `begin` returned.
        rows : ndarray, shape (n + 1, V)
            The target's logits for `tree.to_score()`.
        random : RandomSource
            Source of every choice.
        """
        self.settle(tree, rows, random)
        self.learn()

    def settle(self, tree: DraftTree, rows: NDArray[np.float64], random: RandomSource) -> None:
        """Verify the drafted tree and move; `learn` must follow once all verdicts of a batch are in.

        Parameters
        ----------
        tree, rows, random
            As for `finish`.
        """
        result = finish_round(self._law, tree, rows, self._sequence, random, self.tally, self._verifier)
        self._settled = (tree, result)
        self.tally.rounds += 1
        self.tally.drafted += result.drafted
        self.tally.accepted += result.accepted
        self.tokens += result.tokens
        self.steps += result.steps
        self.died = result.died
        self.logprob += result.logprob
        self.log_mass += result.log_mass
        self.log_kernel += result.log_kernel
        self.node = result.node

    def learn(self) -> None:
        """Let potential, drafter and controller learn from the round that was settled."""
        tree, result = self._settled
        with self.tally.phase("learn"):
            if self._learner is not None:
                self._learner.observe(result.visits)
            if self._pupil is not None:
                self._pupil.observe(tree, result.tokens)
        spent = {k: v - self._before.get(k, 0.0) for k, v in self.tally.seconds.items()}
        self._controller.observe(self._plan, result, spent)

    def run(self, random: RandomSource) -> bool:
        """Play rounds until the attempt is over, then close it.

        Parameters
        ----------
        random : RandomSource
            Source of every choice.

        Returns
        -------
        bool
            Whether it ended in EOS.
        """
        try:
            while not self.over:
                self.step(random)
        finally:
            self.close()
        return not self.died

    def close(self) -> None:
        """Tell a learning potential that nothing beneath is held any more."""
        if self._open and self._learner is not None:
            self._learner.end()
        self._open = False
