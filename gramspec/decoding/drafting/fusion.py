"""`FusedDrafter`: several sources in one tree, each trusted as far as it has been right.

Law: a model-drawn tree, if there is one, stays whole and comes first at each of its nodes; what the other
sources add are fixed branches after it. Weights change after the verdicts of a round only.
Cost: per node the sum of the sources' look-ups; per round one update of weights along the kept path.
Source: RASD (2503.03434), fusion along the longest common prefix and pruning by the draft's row; mixture of
experts by exponentiated gradient (Kivinen & Warmuth, 1997); cascade: IDCM (2105.03987).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from weakref import WeakKeyDictionary

import numpy as np

from gramspec.decoding.drafting.protocol import Drafter, LearningDrafter
from gramspec.decoding.drafting.sources import Grower, Known, SourceDrafter, Suggestion, seen_in
from gramspec.decoding.drafting.tree import DraftPlan, DraftTree
from gramspec.decoding.kernel import Node, StepLaw
from gramspec.decoding.random import RandomSource
from gramspec.errors import OptionError

_STEP = 0.5  # of the gradient
_BOUND = 1e3  # of a weight, up and down
_WALKED = 0.95  # share of drawn candidates kept at a prefix whose row has been seen
_MEMORY = 0.95  # of the share of drawn drafts that are kept


Said = list[tuple[str, Suggestion]]


class Trust:
    """How far each source is trusted, by the confidence it states; may be shared by prompts and calls."""

    def __init__(self) -> None:
        self._weights: dict[tuple[str, int], float] = {}
        self.kept = 0.6  # share of nodes with drawn candidates where one of them was kept

    def weight(self, source: str, confidence: int) -> float:
        """Weight of a source in the mixture.

        Parameters
        ----------
        source : str
            Its name.
        confidence : int
            What it says of its suggestion.
        """
        return self._weights.get((source, confidence), 1.0)

    def mix(self, suggestions: Sequence[tuple[str, Suggestion]]) -> dict[int, float]:
        """The mixture of what the sources expect.

        Parameters
        ----------
        suggestions : sequence of (str, Suggestion)
            Name and suggestion of each source that has one.
        """
        if len(suggestions) == 1:
            return dict(suggestions[0][1].items)
        weights = [self.weight(name, said.confidence) for name, said in suggestions]
        total = sum(weights)
        mixed: dict[int, float] = {}
        for weight, (_, said) in zip(weights, suggestions, strict=True):
            share = weight / total
            for token, p in said.items:
                mixed[token] = mixed.get(token, 0.0) + share * p
        return mixed

    def judge(self, suggestions: Sequence[tuple[str, Suggestion]], row: dict[int, float]) -> None:
        """Move the weights towards the sources that gave the target's row more probability.

        Parameters
        ----------
        suggestions : sequence of (str, Suggestion)
            Name and suggestion of each source that had one.
        row : dict of int to float
            Most probable tokens of the target's row.
        """
        if len(suggestions) < 2:
            return
        mixed = self.mix(suggestions)
        gains = []
        for _, said in suggestions:
            gains.append(sum(row[t] * p / mixed[t] for t, p in said.items if p > 0.0 and t in row))
        weights = [self.weight(name, said.confidence) for name, said in suggestions]
        mean = sum(w * g for w, g in zip(weights, gains, strict=True)) / sum(weights)
        for (name, said), gain, weight in zip(suggestions, gains, weights, strict=True):
            moved = weight * exp(_STEP * max(-2.0, min(2.0, gain - mean)))
            self._weights[name, said.confidence] = max(1.0 / _BOUND, min(_BOUND, moved))


class FusedDrafter:
    """Drafts from several sources at once.

    Parameters
    ----------
    sources : sequence of SourceDrafter
        Sources that draw nothing, each with a name of its own.
    drawn : Drafter, optional
        A drafter that draws, e.g. a `ModelDrafter`; its candidates come first.
    share : float
        Share of the planned nodes that the drawing drafter gets.
    agree : int or None
        At a node with drawn candidates, add only tokens among so many most probable ones of the row they
        were drawn from; None adds any.
    trust : Trust, optional
        How far the sources are trusted; equally, by default.
    least : float
        Estimated probability below which a path is dropped before the target sees it.

    Raises
    ------
    OptionError
        When there is no source, two have one name, or an option is out of range.
    """

    def __init__(
        self,
        sources: Sequence[SourceDrafter],
        drawn: Drafter | None = None,
        *,
        share: float = 0.5,
        agree: int | None = None,
        trust: Trust | None = None,
        least: float = 0.02,
    ) -> None:
        names = [source.name for source in sources]
        if not sources or len(set(names)) < len(names):
            raise OptionError(f"sources={names}: at least one, each with a name of its own, is needed")
        if not 0.0 < share <= 1.0:
            raise OptionError(f"share={share!r}: a share of the planned nodes, above 0, is needed")
        if agree is not None and (isinstance(agree, bool) or not isinstance(agree, int) or agree < 1):
            raise OptionError(f"agree={agree!r}: a whole number of at least 1, or None, is needed")
        if not 0.0 <= least <= 1.0:
            raise OptionError(f"least={least!r}: a probability is needed")
        self._sources = tuple(sources)
        self._drawn = drawn
        self._share = share
        self._agree = agree
        self.trust = trust if trust is not None else Trust()
        self._least = least
        self._known = Known()
        # What the sources said while a tree grew, until its round is over; several trees may be open.
        self._heard: WeakKeyDictionary[DraftTree, dict[tuple[int, ...], Said]] = WeakKeyDictionary()

    def propose(self, law: StepLaw, node: Node, plan: DraftPlan, random: RandomSource) -> DraftTree:
        """Draft a tree below `node`; see `Drafter.propose`."""
        for source in self._sources:
            source.begin(node)
        if self._drawn is None:
            tree = DraftTree.root(node)
        else:
            tree = self._drawn.propose(law, node, self._drawn_plan(plan), random)
        allowed = self._agreed(tree)
        heard: dict[tuple[int, ...], Said] = {}

        def candidates(at: Node) -> Sequence[tuple[int, float]]:
            heard[at.prefix] = self._said(at)
            mixed = self.trust.mix(heard[at.prefix])
            agreed = allowed.get(id(at))
            if agreed is not None:
                return [(t, p) for t, p in mixed.items() if t in agreed]
            return list(mixed.items())

        tree = Grower(law, tree, plan, candidates, self._kept).best_first(max(self._least, plan.least))
        self._heard[tree] = heard
        return tree

    def _kept(self, node: Node) -> float:
        """How often a drawn candidate is kept; nearly always where the row it comes from may be K itself."""
        return _WALKED if node.prefix in self._known else self.trust.kept

    def _drawn_plan(self, plan: DraftPlan) -> DraftPlan:
        if plan.width == 1 and plan.nodes is None:  # a chain: the fixed sources continue it
            return plan._replace(length=max(1, int(plan.length * self._share)))
        return plan._replace(
            width=max(1, int(plan.width * self._share)), nodes=max(1, int(plan.most * self._share))
        )

    def _agreed(self, tree: DraftTree) -> dict[int, set[int]]:
        if self._agree is None:
            return {}
        allowed = {}
        for node, branches in zip(tree.nodes, tree.branches, strict=True):
            rows = [branch.row for branch in branches if branch.row is not None]
            if node is not None and rows:
                size = min(self._agree, len(rows[0]))
                allowed[id(node)] = set(np.argpartition(-rows[0], size - 1)[:size].tolist())
        return allowed

    def _said(self, node: Node) -> Said:
        said: Said = []
        for source in self._sources:
            suggestion = source.suggest(node)
            if suggestion.items:
                said.append((source.name, suggestion))
                if suggestion.sure:
                    break
        return said

    def observe(self, tree: DraftTree, emitted: Sequence[int]) -> None:
        """Judge the sources along the path that was kept, then let each of them learn."""
        root = tree.nodes[0]
        assert root is not None
        seen = seen_in(tree.nodes, self._known)
        heard = self._heard.pop(tree, {})
        by_prefix = {one.prefix: one for one in seen}
        at: int | None = 0
        for token in (*emitted, None):
            node = tree.nodes[at] if at is not None else None
            if at is None or node is None:
                break
            one = by_prefix.get(node.prefix)
            said = heard.get(node.prefix)
            if one is not None and said:
                self.trust.judge(said, dict(zip(one.tokens, one.shares, strict=True)))
            drawn = [t for b in tree.branches[at] if b.law != "fixed" for t in b.tokens]
            if drawn and one is not None:  # at a row seen for the first time
                kept = float(token in drawn)
                self.trust.kept = _MEMORY * self.trust.kept + (1.0 - _MEMORY) * kept
            at = tree.children(at).get(token) if token is not None else None
        for source in self._sources:
            source.learn(seen, (*root.prefix, *emitted))
        if isinstance(self._drawn, LearningDrafter):
            self._drawn.observe(tree, emitted)
