"""`DySpecDrafter`: a draft tree that grows where the draft expects the target to go.

Law: siblings without replacement from q ∝ p_draft·h; where the tree grows next depends on what it holds
already, and nothing drawn is taken back. Cost: nodes are drawn one by one in order of their value; the
draft is asked once for all nodes whose row is missing. Source: DySpec (2410.11744); RSD (2402.14160).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from math import isnan

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.drafting.draft_rows import DraftRows, Proposal
from gramspec.decoding.drafting.stopping import Path, StopRule
from gramspec.decoding.drafting.tree import Branch, DraftPlan, DraftTree, TreeBuilder
from gramspec.decoding.kernel import Node, StepLaw
from gramspec.decoding.random import RandomSource
from gramspec.decoding.rows import RowLaw
from gramspec.errors import OptionError
from gramspec.models.protocol import LanguageModel

Row = NDArray[np.float64]


def add_sibling(builder: TreeBuilder, index: int, token: int, row: Row) -> int:
    """Add one more candidate to the branch without replacement at a node.

    Parameters
    ----------
    builder : TreeBuilder
        The tree so far.
    index : int
        The node; its branches are one drawn this way, or none.
    token : int
        Drawn from `row` without the candidates that are there already, renormalised.
    row : ndarray of float64
        q before any candidate was taken out.

    Returns
    -------
    int
        Index of the node after `token`.
    """
    child = builder.grow(index, Branch((token,), "iid", row))[0]
    branches = builder.branches[index]
    if len(branches) > 1:
        branches[-2:] = [Branch((*branches[-2].tokens, token), "wor", row)]
    return child


class Growth:
    """Grows the most valuable node next, until the budget is spent.

    The value of a place is the probability that it is reached if acceptance equals the draft's
    probability: that of its path, times what the elder siblings have left over. Under a law with † it
    also counts that the attempt may die on the way, by the draft's estimate of S or a better one.

    Parameters
    ----------
    rows : DraftRows
        Rows of the draft; begun on `builder`.
    builder : TreeBuilder
        The tree.
    stop : StopRule or None
        Ends paths.
    survival : callable, optional
        ``survival(index, proposal)``: probability that no † comes at a node. By default the mass that the
        draft sees there over h.
    """

    def __init__(
        self,
        rows: DraftRows,
        builder: TreeBuilder,
        stop: StopRule | None = None,
        survival: Callable[[int, Proposal], float] | None = None,
    ) -> None:
        self._rows = rows
        self._builder = builder
        self._stop = stop
        self._survival = survival if survival is not None else self._mass_left
        self._heap: list[tuple[float, int, int, Row | None]] = []
        self._depths: dict[int, int] = {}
        self._pushed = 0
        self.paths: dict[int, Path] = {}

    def start(self, index: int, depth: int, value: float = 1.0, path: Path | None = None) -> None:
        """Let the tree grow at a node without children.

        Parameters
        ----------
        index : int
            The node; it goes on.
        depth : int
            Tokens between the root and the node.
        value : float
            Probability that it is reached.
        path : Path, optional
            How it was drafted.
        """
        self._depths[index] = depth
        self.paths[index] = path if path is not None else Path.root()
        self._push(value, index, None)

    def grow(self, plan: DraftPlan, most: int, floor: float, random: RandomSource) -> None:
        """Draw nodes in order of their value.

        Parameters
        ----------
        plan : DraftPlan
            Bounds on depth and width.
        most : int
            Tokens in the tree at most, those already there included.
        floor : float
            Places of a smaller value are left alone.
        random : RandomSource
            Source of every choice.
        """
        while self._heap and self._builder.drafted < most and -self._heap[0][0] >= floor:
            value, _, index, left = heapq.heappop(self._heap)
            proposal = self._rows.at(self._builder, index)
            if proposal is None:
                continue
            if left is None:  # its row is known now: what it is worth, among the others
                kept = self._survival(index, proposal) if self._builder.law.name == "conditional" else 1.0
                self._push(-value * kept, index, proposal.row)
            else:
                self._draw(-value, index, proposal, left, plan, random)

    def _draw(
        self,
        value: float,
        index: int,
        proposal: Proposal,
        row: Row,
        plan: DraftPlan,
        random: RandomSource,
    ) -> None:
        token = random.choose(row)
        share = min(1.0, float(row[token]))
        child = add_sibling(self._builder, index, token, proposal.row)
        self.paths[child] = self.paths[index].then(proposal, token)
        self._depths[child] = self._depths[index] + 1
        goes_on = self._builder.nodes[child] is not None and self._depths[child] < plan.length
        if goes_on and (self._stop is None or not self._stop.stops(self.paths[child])):
            self._push(value * share, child, None)
        if len(self._builder.branches[index][-1].tokens) < min(plan.width, proposal.support):
            rest = row.copy()
            rest[token] = 0.0
            total = float(rest.sum())
            if total > 0.0:
                self._push(value * (1.0 - share), index, rest / total)

    def _mass_left(self, index: int, proposal: Proposal) -> float:
        node = self._builder.nodes[index]
        assert node is not None
        return 1.0 if isnan(proposal.mass) else min(1.0, proposal.mass / node.h)

    def _push(self, value: float, index: int, left: Row | None) -> None:
        self._pushed += 1  # ties go to what came first, never to a comparison of rows
        heapq.heappush(self._heap, (-value, self._pushed, index, left))


class DySpecDrafter:
    """Drafts trees with a language model, each node where it is most likely to be reached.

    Parameters
    ----------
    model : LanguageModel
        The draft model.
    prompt : sequence of int
        Prompt ids, as the target gets them.
    rows : RowLaw
        The row law of the target.
    floor : float
        Places that are reached with less probability are not drafted.
    stop : StopRule, optional
        Ends a path early; the token it looked at stays.

    Notes
    -----
    ``plan.nodes`` is the budget; without it ``plan.length * plan.width`` nodes are drafted at most.
    """

    def __init__(
        self,
        model: LanguageModel,
        prompt: Sequence[int],
        rows: RowLaw,
        *,
        floor: float = 0.0,
        stop: StopRule | None = None,
    ) -> None:
        if not 0.0 <= floor <= 1.0:
            raise OptionError(f"floor={floor!r}: a probability is needed")
        self.model = model
        self.floor = floor
        self.stop = stop
        self._rows = DraftRows(model, prompt, rows)
        self._paths: dict[int, Path] = {}

    def propose(self, law: StepLaw, node: Node, plan: DraftPlan, random: RandomSource) -> DraftTree:
        """Draft a tree; see `Drafter.propose`."""
        builder = TreeBuilder(law, node)
        self._rows.begin(builder)
        growth = Growth(self._rows, builder, self.stop)
        growth.start(0, 0)
        most = plan.nodes if plan.nodes is not None else plan.length * plan.width
        growth.grow(plan, min(most, plan.most), max(self.floor, plan.least), random)
        self._paths = growth.paths
        return builder.build()

    def observe(self, tree: DraftTree, emitted: Sequence[int]) -> None:
        """Let the stop rule learn what the target made of the draft."""
        if self.stop is not None:
            self.stop.observe(tree, self._paths)
