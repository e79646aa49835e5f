"""The `Drafter` protocol: who proposes tokens for the target to verify.

Law: whatever was drawn stays in the draft, with the row it was really drawn from.
Source: laws, traps 1 and 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from gramspec.decoding.drafting.tree import DraftPlan, DraftTree
from gramspec.decoding.kernel import Node, StepLaw
from gramspec.decoding.random import RandomSource


class Drafter(Protocol):
    """Proposes the next tokens of an attempt."""

    def propose(self, law: StepLaw, node: Node, plan: DraftPlan, random: RandomSource) -> DraftTree:
        """Draft a tree below `node`.

        Parameters
        ----------
        law : StepLaw
            The law to be sampled; tokens with factor zero are not drafted.
        node : Node
            Where the attempt stands; at least one token may still come.
        plan : DraftPlan
            How much may be drafted; its length is at most ``node.remaining``.
        random : RandomSource
            Source of every choice.
        """
        ...


@runtime_checkable
class LearningDrafter(Drafter, Protocol):
    """A drafter that learns from what the target showed."""

    def observe(self, tree: DraftTree, emitted: Sequence[int]) -> None:
        """Learn from a round, after all of its verdicts.

        Parameters
        ----------
        tree : DraftTree
            What was drafted; every node that goes on holds its law row `p` now.
        emitted : sequence of int
            Tokens that the round appended.
        """
        ...


class Controller(Protocol):
    """Decides how much each round drafts, before anything of that round is drawn."""

    def plan(self, node: Node) -> DraftPlan:
        """How much the next round may draft.

        Parameters
        ----------
        node : Node
            Where the attempt stands.
        """
        ...

    def observe(self, plan: DraftPlan, result: Any, seconds: dict[str, float]) -> None:
        """Learn from a round.

        Parameters
        ----------
        plan : DraftPlan
            What was planned.
        result : RoundResult
            What came of it.
        seconds : dict of str to float
            Time of its phases: draft, target, kernel, verify.
        """
        ...


class FixedPlan:
    """The same plan for every round.

    Parameters
    ----------
    plan : DraftPlan
        How much each round drafts.
    """

    def __init__(self, plan: DraftPlan) -> None:
        self._plan = plan

    def plan(self, node: Node) -> DraftPlan:
        """The plan."""
        return self._plan

    def observe(self, plan: DraftPlan, result: Any, seconds: dict[str, float]) -> None:
        """Nothing is learned."""


def controller_of(plan: int | DraftPlan | Controller) -> Controller:
    """A controller from a draft length, a plan, or itself.

    Parameters
    ----------
    plan : int, DraftPlan or Controller
        An int is a chain of so many tokens.
    """
    if isinstance(plan, int):
        plan = DraftPlan(plan)
    return FixedPlan(plan) if isinstance(plan, DraftPlan) else plan
