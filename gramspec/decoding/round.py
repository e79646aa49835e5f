"""The round loop: draft, score, verify, move; then, and only then, learn.

Law: the symbols a round appends follow the kernel rows of `StepLaw`, with any drafter or none.
Cost: one target forward per round. Source: architecture, "Decoding"; laws, traps 1, 2, 3, 8, 9 and 13.
"""

from __future__ import annotations

from math import inf, log
from typing import NamedTuple

from gramspec.decoding.drafting.model_drafter import align
from gramspec.decoding.drafting.protocol import Drafter, Proposal
from gramspec.decoding.kernel import Node, StepLaw, child_node
from gramspec.decoding.random import RandomSource
from gramspec.decoding.report import Tally
from gramspec.decoding.verification.token import verify_token
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
    visits : tuple of Visit
        Every prefix whose target row this round has seen, rejected ones included.
    drafted, accepted : int
        Tokens drafted, and kept.
    """

    tokens: tuple[int, ...]
    died: bool
    node: Node | None
    logprob: float
    log_mass: float
    visits: tuple[Visit, ...]
    drafted: int
    accepted: int


def play_round(
    law: StepLaw,
    node: Node,
    sequence: ModelSequence,
    drafter: Drafter | None,
    gamma: int,
    random: RandomSource,
    tally: Tally | None = None,
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
    gamma : int
        Tokens drafted at most.
    random : RandomSource
        Source of every choice.
    tally : Tally, optional
        Where time is counted.
    """
    tally = tally if tally is not None else Tally()
    limit = min(gamma, node.remaining)
    proposal = Proposal((), (), (node,))
    if drafter is not None and limit > 0:
        with tally.phase("draft"):
            proposal = drafter.propose(law, node, limit, random)
    drafted, nodes = proposal.tokens, proposal.nodes
    with tally.phase("target"):
        rows = sequence.score(list(drafted[: len(nodes) - 1]))
    with tally.phase("kernel"):
        kernels = [law.kernel(at, row) for at, row in zip(nodes, rows, strict=True)]
    with tally.phase("verify"):
        verdict = verify_token(kernels, proposal.rows, drafted, random)
    died = verdict.next == law.width
    emitted = () if verdict.next is None or died else (verdict.next,)
    tokens = drafted[: verdict.accepted] + emitted
    over = died or tokens[-1] in law.eos_ids
    after: Node | None = None
    if not over:
        sequence.commit(list(tokens))
        with tally.phase("kernel"):
            after = child_node(law, nodes[verdict.accepted], tokens[-1])
    return RoundResult(
        tokens=tokens,
        died=died,
        node=after,
        logprob=sum(_log(at.p[t]) for at, t in zip(nodes, tokens, strict=False) if at.p is not None),
        log_mass=sum(_log(at.mass) for at, _ in zip(nodes, tokens, strict=False)),
        visits=_visits(law, proposal, verdict.accepted, emitted),
        drafted=len(drafted),
        accepted=verdict.accepted,
    )


def _visits(law: StepLaw, proposal: Proposal, accepted: int, emitted: tuple[int, ...]) -> tuple[Visit, ...]:
    visits = []
    for i, at in enumerate(proposal.nodes):
        assert at.p is not None and at.children is not None
        followed = proposal.tokens[i : i + 1] + (emitted if i == accepted else ())
        visits.append(Visit(at.prefix, at.p, at.children, tuple(t for t in followed if t not in law.eos_ids)))
    return tuple(visits)


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
    gamma : int
        Tokens drafted per round at most.
    tally : Tally, optional
        What the sample has cost.

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
        gamma: int = 0,
        tally: Tally | None = None,
    ) -> None:
        self._law = law
        self._sequence = sequence
        self._drafter = drafter
        self._gamma = gamma
        self._tally = tally if tally is not None else Tally()
        self._learner = law.potential if isinstance(law.potential, LearningPotential) else None
        self._open = True
        if self._learner is not None:
            self._learner.begin()
        try:
            self.node: Node | None = law.root()
        except BaseException:
            self.close()
            raise
        self.root_h = self.node.h
        self.tokens: tuple[int, ...] = ()
        self.died = self.root_h <= 0.0
        self.logprob = 0.0
        self.log_mass = 0.0
        if self.died:
            self.node = None
        else:
            align(sequence, prompt_length, ())

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
        if self.node is None:
            raise ValueError("the attempt is over")
        result = play_round(
            self._law, self.node, self._sequence, self._drafter, self._gamma, random, self._tally
        )
        if self._learner is not None:
            with self._tally.phase("learn"):
                self._learner.observe(result.visits)
        self._tally.rounds += 1
        self._tally.drafted += result.drafted
        self._tally.accepted += result.accepted
        self.tokens += result.tokens
        self.died = result.died
        self.logprob += result.logprob
        self.log_mass += result.log_mass
        self.node = result.node

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
