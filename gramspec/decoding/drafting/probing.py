"""`ProbingDrafter`: walks what is known, drafts beyond it, and looks where h is expected to fall most.

Law: the walk and the draft are drawn from the rows they name; probes are fixed candidates, met or not.
None of it depends on what is drawn later, nothing drawn is dropped.
Cost: no target forward where every row is remembered; otherwise one for walk, draft and probes together.
Source: laws, "PrefixTrie(base)", "match"; DySpec (2410.11744); token recycling (2408.08696); CARS
(2510.01902).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.drafting.draft_rows import DraftRows
from gramspec.decoding.drafting.dyspec import Growth
from gramspec.decoding.drafting.seen import Seen, SeenPrefixes
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
    probe_share : float
        Share of the nodes beyond the walk that is kept for probes once an attempt has died.
    floor : float
        Places that the draft reaches with less probability are not drafted.
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
        probe_share: float = 0.5,
        floor: float = 0.02,
        seen: SeenPrefixes | None = None,
    ) -> None:
        if not 0.0 <= probe_share <= 1.0 or not 0.0 <= floor <= 1.0:
            raise OptionError(
                f"probe_share={probe_share!r}, floor={floor!r}: shares between 0 and 1 are needed"
            )
        self.model = model
        self.probe_share = probe_share
        self.floor = floor
        self.seen = seen if seen is not None else SeenPrefixes()
        self._rows = DraftRows(model, prompt, rows) if model is not None else None

    def propose(self, law: StepLaw, node: Node, plan: DraftPlan, random: RandomSource) -> DraftTree:
        """Draft a tree; see `Drafter.propose`."""
        builder = TreeBuilder(law, node)
        most = min(plan.nodes if plan.nodes is not None else plan.length * plan.width, plan.most)
        start = self.seen.find(node.prefix)
        end, depth = self._walk(builder, start, plan.length, most, random)
        if end is not None and depth < plan.length:
            left = most - builder.drafted
            probes = int(self.probe_share * left) if start is not None else 0
            self._draft(builder, end, depth, plan, most - probes, random)
        # A walk to its end needs no forward, and probes would cost one.
        if start is not None and end is not None:
            self._probe(builder, start, plan.length, most)
        return builder.build()

    def observe(self, tree: DraftTree, emitted: Sequence[int]) -> None:
        """Remember the rows of a round."""
        self.seen.observe(tree)

    def _walk(
        self, builder: TreeBuilder, seen: Seen | None, length: int, most: int, random: RandomSource
    ) -> tuple[int | None, int]:
        """Draw from remembered rows; the node where they end (None: at an ending) and its depth."""
        index, depth = 0, 0
        while seen is not None and depth < length and builder.drafted < most:
            node = builder.nodes[index]
            assert node is not None
            row = self._known(builder.law, node, seen)
            if row is None:
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
        tokens = np.array(seen.tokens, dtype=np.int64)
        row[tokens] = np.array(seen.p) * factors[tokens]
        total = float(row.sum())
        return row / total if total > 0.0 else None

    def _draft(
        self,
        builder: TreeBuilder,
        index: int,
        depth: int,
        plan: DraftPlan,
        most: int,
        random: RandomSource,
    ) -> None:
        if self._rows is not None:
            self._rows.begin(builder)
            growth = Growth(self._rows, builder)
            growth.start(index, depth)
            growth.grow(plan, most, self.floor, random)
            return
        node = builder.nodes[index]
        assert node is not None
        if builder.parents[index] < 0 and not node.prefix:
            return
        before = self.seen.find(node.prefix[:-1])
        like = self.seen.like(before, node.prefix[-1]) if before is not None and node.prefix else None
        reach = 1.0
        while like is not None and depth < plan.length and builder.drafted < most and reach >= self.floor:
            node = builder.nodes[index]
            assert node is not None
            row = self._known(builder.law, node, like)
            if row is None:
                return
            token = random.choose(row)
            reach *= float(row[token])
            index = builder.grow(index, Branch((token,), "iid", row))[0]
            depth += 1
            if builder.nodes[index] is None:
                return
            like = self.seen.like(like, token)

    def _probe(self, builder: TreeBuilder, start: Seen, length: int, most: int) -> None:
        """Fixed candidates, best first, until the nodes are spent."""
        room = most - builder.drafted
        if room < 1:
            return
        eos = builder.law.eos_ids
        fixed: dict[int, list[int]] = {}
        for place in self.seen.places(start, eos, length, 8 * most + 64):
            room = most - builder.drafted
            if room < 1:
                break
            self._add(builder, place.path, room, fixed)

    def _add(
        self, builder: TreeBuilder, path: tuple[int, ...], room: int, fixed: dict[int, list[int]]
    ) -> None:
        """Add a path where it fits and may follow."""
        index, missing = 0, 0
        for k, token in enumerate(path):
            child = builder.child(index, token)
            if child is None:
                missing = len(path) - k
                break
            index = child
        if not 0 < missing <= room:
            return
        for token in path[len(path) - missing :]:
            node = builder.nodes[index]
            if node is None or node.remaining < 1 or not builder.law.children(node)[token] > 0.0:
                return
            index = fix(builder, index, token)


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
