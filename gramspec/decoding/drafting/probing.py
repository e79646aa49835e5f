"""`ProbingDrafter`: walks what is known, drafts beyond it, and looks where h is expected to fall most.

Law: the walk and the draft are drawn from the rows they name; probes are fixed candidates, met or not.
None of it depends on what is drawn later, nothing drawn is dropped.
Cost: no target forward where every row is remembered; otherwise one for walk, draft and probes together.
Source: laws, "PrefixTrie(base)", "match"; DySpec (2410.11744); token recycling (2408.08696); CARS
(2510.01902).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from math import isnan

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.drafting.draft_rows import DraftRows, Proposal
from gramspec.decoding.drafting.dyspec import Growth
from gramspec.decoding.drafting.seen import Place, Seen, SeenPrefixes
from gramspec.decoding.drafting.tree import Branch, DraftPlan, DraftTree, TreeBuilder
from gramspec.decoding.kernel import Node, StepLaw
from gramspec.decoding.random import RandomSource
from gramspec.decoding.rows import RowLaw
from gramspec.errors import OptionError
from gramspec.models.protocol import LanguageModel

Row = NDArray[np.float64]


class ProbingDrafter:
    """One tree for each forward: a drawn path and, with the nodes left over, probes.

    Under contract S every scored prefix lowers h at the root from what was assumed there to S, so wide
    trees make the next attempts die less often. The path is drawn from the target's own rows as long as
    they are remembered (and then always accepted), from the draft model or from the row last seen at a
    like place after that. Probes are the unknown prefixes with the largest reach × expected loss.

    Parameters
    ----------
    model : LanguageModel or None
        The draft model; None drafts from remembered rows alone.
    prompt : sequence of int
        Prompt ids, as the target gets them.
    rows : RowLaw
        The row law of the target.
    floor : float
        Places that the draft reaches with less probability come after the probes, those with less than a
        tenth of it not at all.
    least : float
        Probes that are expected to lower h by a smaller share come last.
    seen : SeenPrefixes, optional
        Memory to share between drafters of one prompt and law; a fresh one otherwise.

    Notes
    -----
    ``plan.nodes`` is the budget of the whole tree; without it ``plan.length * plan.width`` nodes.
    ``plan.length`` bounds walk and draft together: the budget of new tokens is a good choice.
    ``plan.width`` bounds drawn candidates, not probes.
    """

    def __init__(
        self,
        model: LanguageModel | None,
        prompt: Sequence[int],
        rows: RowLaw,
        *,
        floor: float = 0.02,
        least: float = 0.002,
        seen: SeenPrefixes | None = None,
    ) -> None:
        if not 0.0 <= floor <= 1.0 or not 0.0 <= least <= 1.0:
            raise OptionError(f"floor={floor!r}, least={least!r}: shares between 0 and 1 are needed")
        self.model = model
        self.floor = floor
        self.least = least
        self.seen = seen if seen is not None else SeenPrefixes()
        self._rows = DraftRows(model, prompt, rows) if model is not None else None

    def propose(self, law: StepLaw, node: Node, plan: DraftPlan, random: RandomSource) -> DraftTree:
        """Draft a tree; see `Drafter.propose`."""
        builder = TreeBuilder(law, node)
        most = min(plan.nodes if plan.nodes is not None else plan.length * plan.width, plan.most)
        start = self.seen.find(node.prefix)
        end, depth = self._walk(builder, start, plan.length, most, random)
        if (
            end is None
        ):  # known to its end, or as far as one round goes: no forward, and probes would cost one
            return builder.build()
        growth = self._growth(builder, end, depth) if depth < plan.length else None
        if growth is not None:
            growth.grow(plan, most, self.floor, random)
        elif depth < plan.length:
            self._recycle(builder, end, depth, plan.length, most, random)
        wanted, others = self._places(builder, start, plan.length, most)
        if growth is not None:
            growth.grow(plan, most - len(wanted), 0.1 * self.floor, random)
        for place in chain(wanted, others):  # last, as fixed candidates end a node
            if builder.drafted >= most:
                break
            self._add(builder, place.path, most - builder.drafted)
        return builder.build()

    def observe(self, tree: DraftTree, emitted: Sequence[int]) -> None:
        """Remember the rows of a round."""
        self.seen.observe(tree)

    def _walk(
        self, builder: TreeBuilder, seen: Seen | None, length: int, most: int, random: RandomSource
    ) -> tuple[int | None, int]:
        """Draw from remembered rows; the node where they end and its depth.

        No node comes back from a walk that has seen no unknown prefix: to an ending, or through half of the
        nodes, so that enough are left where the rows end.
        """
        index, depth = 0, 0
        while seen is not None and depth < length:
            node = builder.nodes[index]
            assert node is not None
            row = self._known(builder.law, node, seen)
            if row is None or (depth > 0 and 2 * builder.drafted >= most):
                return None, depth
            token = random.choose(row)
            index = builder.grow(index, Branch((token,), "iid", row))[0]
            depth += 1
            if builder.nodes[index] is None:
                return None, depth
            seen = seen.children.get(token)
        return index, depth

    def _known(self, law: StepLaw, node: Node, seen: Seen) -> Row | None:
        """The row q ∝ p·h on the kept tokens of a row; None where nothing of it may follow."""
        factors = law.children(node)
        row = np.zeros(law.width)
        row[seen.tokens] = seen.p * factors[seen.tokens]
        total = float(row.sum())
        return row / total if total > 0.0 else None

    def _lost(self, node: Node) -> tuple[Seen | None, float]:
        """What is known before a node, and the share of h it is expected to lose."""
        before = self.seen.find(node.prefix[:-1]) if node.prefix else None
        return before, self.seen.loss(before, node.prefix[-1]) if before is not None else 0.0

    def _growth(self, builder: TreeBuilder, index: int, depth: int) -> Growth | None:
        if self._rows is None:
            return None
        node = builder.nodes[index]
        assert node is not None
        _, lost = self._lost(node)

        def survival(at: int, proposal: Proposal) -> float:
            """What places like the first unknown one have kept; the draft's estimate elsewhere."""
            if at == index:
                return 1.0 - lost
            found = builder.nodes[at]
            assert found is not None
            return 1.0 if isnan(proposal.mass) else min(1.0, proposal.mass / found.h)

        self._rows.begin(builder)
        growth = Growth(self._rows, builder, survival=survival)
        growth.start(index, depth)
        return growth

    def _recycle(
        self, builder: TreeBuilder, index: int, depth: int, length: int, most: int, random: RandomSource
    ) -> None:
        """Draw a chain from the rows of like places."""
        node = builder.nodes[index]
        assert node is not None
        before, lost = self._lost(node)
        like = self.seen.like(before, node.prefix[-1]) if before is not None else None
        reach = 1.0 - lost
        while like is not None and depth < length and builder.drafted < most and reach >= self.floor:
            at = builder.nodes[index]
            assert at is not None
            row = self._known(builder.law, at, like)
            if row is None:
                return
            token = random.choose(row)
            reach *= float(row[token])
            index = builder.grow(index, Branch((token,), "iid", row))[0]
            depth += 1
            if builder.nodes[index] is None:
                return
            like = self.seen.like(like, token)

    def _places(
        self, builder: TreeBuilder, start: Seen | None, length: int, most: int
    ) -> tuple[list[Place], Iterator[Place]]:
        """Places worth a node before unlikely drafts, and the others."""
        if start is None:
            return [], iter(())
        wanted: list[Place] = []
        places = self.seen.places(start, builder.law.eos_ids, length, 2 * most + 32)
        for place in places:
            if place.gain < self.least * start.mass or len(wanted) >= most - builder.drafted:
                return wanted, chain((place,), places)
            if _missing(builder, place.path):
                wanted.append(place)
        return wanted, places

    def _add(self, builder: TreeBuilder, path: tuple[int, ...], room: int) -> None:
        """Add a path where it fits and may follow."""
        missing = _missing(builder, path)
        if not 0 < missing <= room:
            return
        index = 0
        for k, token in enumerate(path):
            node = builder.nodes[index]
            if k < len(path) - missing:
                known = builder.child(index, token)
                assert known is not None
                index = known
            elif node is None or node.remaining < 1 or not builder.law.children(node)[token] > 0.0:
                return
            else:
                index = fix(builder, index, token)


def _missing(builder: TreeBuilder, path: tuple[int, ...]) -> int:
    """Tokens at the end of a path that the tree does not hold."""
    index = 0
    for k, token in enumerate(path):
        child = builder.child(index, token)
        if child is None:
            return len(path) - k
        index = child
    return 0


def fix(builder: TreeBuilder, index: int, token: int) -> int:
    """Add one fixed candidate at a node, beside those that are fixed there already.

    Parameters
    ----------
    builder : TreeBuilder
        The tree so far.
    index : int
        The node.
    token : int
        A token with a positive factor there.

    Returns
    -------
    int
        Index of the node after `token`.
    """
    branches = builder.branches[index]
    before = branches.pop().tokens if branches and branches[-1].law == "fixed" else ()
    return builder.grow(index, Branch((*before, token), "fixed", None))[-1]
