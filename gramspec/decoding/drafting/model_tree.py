"""Draft trees by a smaller model, layer by layer: i.i.d., without replacement, greedy, or a fixed shape.

Law: candidates of a node are drawn from q ∝ p_draft·h as their branch says; what was drawn stays in the
tree, and the tree may grow by what it holds already: every verifier takes a node's candidates in turn.
Cost: one forward of the draft per layer. Source: SpecInfer (2305.09781), RSD (2402.14160), greedy drafts:
Hu et al. (2502.18779), shapes: Sequoia (2402.12374); laws, "Verification rules", traps 1 and 2.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.drafting.draft_rows import DraftRows
from gramspec.decoding.drafting.stopping import Path, StopRule
from gramspec.decoding.drafting.tree import Branch, DraftPlan, DraftTree, TreeBuilder
from gramspec.decoding.kernel import Node, StepLaw
from gramspec.decoding.random import RandomSource
from gramspec.decoding.rows import RowLaw
from gramspec.errors import OptionError
from gramspec.models.protocol import LanguageModel

Row = NDArray[np.float64]
DrawnLaw = Literal["iid", "wor", "greedy"]


def draw(row: Row, count: int, law: DrawnLaw, random: RandomSource) -> Branch:
    """Draw the candidates of one node.

    Parameters
    ----------
    row : ndarray of float64
        q, normalised, with at least `count` positive entries unless `law` is "iid".
    count : int
        Candidates, at least 1.
    law : {"iid", "wor", "greedy"}
        How siblings are drawn; see `Branch`.
    random : RandomSource
        Source of every choice.
    """
    if count == 1 or law == "iid":
        return Branch(tuple(random.choose(row) for _ in range(count)), "iid", row)
    left = row.copy()
    tokens: list[int] = []
    if law == "greedy":
        tokens.extend(int(t) for t in np.argsort(-row, kind="stable")[: count - 1])
        left[tokens] = 0.0
        tokens.append(random.choose(left / left.sum()))
        return Branch(tuple(tokens), "greedy", row)
    for _ in range(count):
        token = random.choose(left)
        tokens.append(token)
        left[token] = 0.0
        total = float(left.sum())
        if total > 0.0:
            left /= total
    return Branch(tuple(tokens), "wor", row)


@dataclass(frozen=True)
class TreeShape:
    """A tree settled before the draft: the children of each slot, as slots, in the order they are drawn.

    Parameters
    ----------
    children : tuple of tuple of int
        Slot 0 is the root; parents come before their children.
    """

    children: tuple[tuple[int, ...], ...]


def sequoia_shape(rates: Sequence[float], nodes: int, depth: int) -> TreeShape:
    """The static tree with the most expected accepted tokens.

    A node at the end of siblings r1, r2, … is accepted with probability ∏ rates[r]; the best tree holds
    the `nodes` largest products, and a parent or an elder sibling is never worse than what comes after it.

    Parameters
    ----------
    rates : sequence of float
        rates[r]: probability that the r-th candidate of a node is the accepted one; falling, sum <= 1.
    nodes : int
        Tokens in the tree.
    depth : int
        Tokens on a path at most.

    Raises
    ------
    OptionError
        When the rates are no falling shares of one.
    """
    found = [float(r) for r in rates]
    if not found or min(found) < 0.0 or sum(found) > 1.0 + 1e-9 or sorted(found, reverse=True) != found:
        raise OptionError(f"rates={list(rates)!r}: falling, non-negative shares of one are needed")
    if nodes < 0 or depth < 1:
        raise OptionError(
            f"nodes={nodes}, depth={depth}: 0 or more nodes and a depth of 1 or more are needed"
        )
    children: list[list[int]] = [[]]
    heap = [(-found[0], 0, 0, 1, 1.0)]  # value, parent slot, sibling, depth, value of the parent
    while heap and len(children) <= nodes:
        value, parent, sibling, level, above = heapq.heappop(heap)
        slot = len(children)
        children.append([])
        children[parent].append(slot)
        if level < depth:
            heapq.heappush(heap, (value * found[0], slot, 0, level + 1, -value))
        if sibling + 1 < len(found):
            heapq.heappush(heap, (-above * found[sibling + 1], parent, sibling + 1, level, above))
    return TreeShape(tuple(tuple(c) for c in children))


class ModelTreeDrafter:
    """Drafts trees with a language model over the target's vocabulary, one layer at a time.

    Parameters
    ----------
    model : LanguageModel
        The draft model.
    prompt : sequence of int
        Prompt ids, as the target gets them.
    rows : RowLaw
        The row law of the target.
    law : {"iid", "wor", "greedy"}
        How the candidates of a node are drawn.
    shape : TreeShape, optional
        Candidates of each place in the tree; None: ``plan.width`` everywhere. The plan bounds it.
    stop : StopRule, optional
        Ends a path early; the token it looked at stays.

    Notes
    -----
    Where ``plan.nodes`` does not allow all candidates of a layer, nodes that the draft reaches with more
    probability come first.
    """

    def __init__(
        self,
        model: LanguageModel,
        prompt: Sequence[int],
        rows: RowLaw,
        *,
        law: DrawnLaw = "wor",
        shape: TreeShape | None = None,
        stop: StopRule | None = None,
    ) -> None:
        if law not in ("iid", "wor", "greedy"):
            raise OptionError(f"law={law!r}: one of 'iid', 'wor', 'greedy' is needed")
        self.model = model
        self.law = law
        self.shape = shape
        self.stop = stop
        self._rows = DraftRows(model, prompt, rows)
        self._paths: dict[int, Path] = {}

    def propose(self, law: StepLaw, node: Node, plan: DraftPlan, random: RandomSource) -> DraftTree:
        """Draft a tree; see `Drafter.propose`."""
        builder = TreeBuilder(law, node)
        self._rows.begin(builder)
        self._paths = {0: Path.root()}
        slots = {0: 0}
        layer = [0]
        for _ in range(plan.length):
            layer.sort(key=lambda i: -self._paths[i].reach)
            grown: list[int] = []
            for i in layer:
                count = min(self._width(slots[i], plan), plan.most - builder.drafted)
                if count > 0:
                    grown.extend(self._grow(builder, i, count, slots, random))
            layer = grown
            if not layer:
                break
        return builder.build()

    def observe(self, tree: DraftTree, emitted: Sequence[int]) -> None:
        """Let the stop rule learn what the target made of the draft."""
        if self.stop is not None:
            self.stop.observe(tree, self._paths)

    def _width(self, slot: int, plan: DraftPlan) -> int:
        if self.shape is None:
            return plan.width
        return min(plan.width, len(self.shape.children[slot]))

    def _grow(
        self, builder: TreeBuilder, i: int, count: int, slots: dict[int, int], random: RandomSource
    ) -> list[int]:
        """Draw the candidates of node `i`; which of them go on."""
        proposal = self._rows.at(builder, i)
        if proposal is None:  # known before anything is drawn
            return []
        if self.law != "iid":
            count = min(count, proposal.support)
        branch = draw(proposal.row, count, self.law, random)
        places = self.shape.children[slots[i]] if self.shape is not None else ()
        going: list[int] = []
        for r, (token, j) in enumerate(zip(branch.tokens, builder.grow(i, branch), strict=True)):
            if j in self._paths:  # drawn twice: one node
                continue
            slots[j] = places[r] if places else 0
            self._paths[j] = self._paths[i].then(proposal, token)
            if builder.nodes[j] is None:
                continue
            if self.stop is None or not self.stop.stops(self._paths[j]):
                going.append(j)
        return going
