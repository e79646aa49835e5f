"""`DrawnDrafter`: tables that draw. Candidates are samples of what the sources expect, not its top.

Law: q is the mixture that the candidates are really drawn from, without replacement; what was drawn stays,
and where the tree grows next depends on what it holds and on rounds that are over.
Cost: per node one look-up per source and one draw among the tokens they name; with a draft model one of its
forwards for all nodes whose row is missing. Source: DySpec (2410.11744), RSD (2402.14160), RASD (2503.03434),
Sequoia (2402.12374) with rates measured as 1 − TV(K, q).
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.drafting.draft_rows import DraftRows
from gramspec.decoding.drafting.dyspec import add_sibling
from gramspec.decoding.drafting.mixture import Mixture, Said
from gramspec.decoding.drafting.rates import Rates
from gramspec.decoding.drafting.sources import Known, SourceDrafter, Suggestion, seen_in, state_class
from gramspec.decoding.drafting.tree import DraftPlan, DraftTree, TreeBuilder
from gramspec.decoding.kernel import Node, StepLaw
from gramspec.decoding.random import RandomSource
from gramspec.errors import OptionError

Row = NDArray[np.float64]

_DRAFT = "draft"  # name of the draft model among the sources
_GOING_ON = 0.5  # worth of a node that was not looked at yet, as a share of reaching it
_ENOUGH = 4 * 3  # class of the first source from which on it needs no backing
_WHOLE = 0.9  # sum of shares below which a suggestion is scaled to a law
_KNOWN = 0.98  # overlap of K and q from which on a row has nothing to teach
_LEARNED = 48  # rows of a round that are learned from, those beside the way included
_SHARE = 1e-3  # of the draft's row, below which a token is left out
_MOST = 64  # tokens of the draft's row


class Expected(NamedTuple):
    """What is expected at one node: the row its candidates are drawn from.

    Attributes
    ----------
    tokens : ndarray of int
        Tokens with q > 0.
    shares : ndarray of float64
        q of each, summing to one.
    said : list of (str, Suggestion)
        What each source said.
    kind : tuple
        Class of nodes whose candidates are kept about as often: grammar state and first source.
    """

    tokens: NDArray[np.int64]
    shares: Row
    said: Said
    kind: tuple[Hashable, int]


class DrawnDrafter:
    """Drafts trees drawn from the mixture of what several sources expect.

    Fixed candidates are kept as often as the next symbol falls on them; drawn ones with probability
    1 − TV(K, q), which is near one where the sources know how the target chooses, however open the choice.

    Parameters
    ----------
    sources : sequence of SourceDrafter
        Sources with estimated probabilities, each with a name of its own.
    backing : sequence of SourceDrafter
        Sources that are asked only where the first one knows little.
    draft : DraftRows, optional
        A draft model as one more source.
    mixture : Mixture, optional
        How far each source is trusted; equally, by default.
    rates : Rates, optional
        How often candidates have been kept; nothing is known by default.
    floor : float
        Places that are reached with less probability are not drafted.
    keep : int
        Most probable tokens of a row of the target that the sources learn from.

    Raises
    ------
    OptionError
        When there is no source, two have one name, or an option is out of range.
    """

    def __init__(
        self,
        sources: Sequence[SourceDrafter],
        draft: DraftRows | None = None,
        *,
        backing: Sequence[SourceDrafter] = (),
        mixture: Mixture | None = None,
        rates: Rates | None = None,
        floor: float = 0.004,
        keep: int = 32,
    ) -> None:
        names = [source.name for source in (*sources, *backing)]
        if not sources or len(set(names)) < len(names) or _DRAFT in names:
            raise OptionError(f"sources={names}: at least one, each with a name of its own, is needed")
        if not 0.0 <= floor <= 1.0:
            raise OptionError(f"floor={floor!r}: a probability is needed")
        if isinstance(keep, bool) or not isinstance(keep, int) or keep < 1:
            raise OptionError(f"keep={keep!r}: a whole number of at least 1 is needed")
        self._asked, self._backing = tuple(sources), tuple(backing)
        self._sources = (*sources, *backing)
        self._draft = draft
        self.mixture = mixture if mixture is not None else Mixture()
        self.rates = rates if rates is not None else Rates()
        self._floor = floor
        self._keep = keep
        self._known = Known()
        # What was expected at each node until the round is over; several trees may be open.
        self._open: WeakKeyDictionary[DraftTree, dict[int, Expected]] = WeakKeyDictionary()

    def propose(self, law: StepLaw, node: Node, plan: DraftPlan, random: RandomSource) -> DraftTree:
        """Draft a tree; see `Drafter.propose`."""
        for source in self._sources:
            source.begin(node)
        builder = TreeBuilder(law, node)
        if self._draft is not None:
            self._draft.begin(builder)
        grown = _Growth(self, builder, plan, random)
        grown.run(max(self._floor, plan.least))
        tree = builder.build()
        self._open[tree] = grown.expected
        return tree

    def expect(self, builder: TreeBuilder, index: int) -> Expected | None:
        """The row that the children of one node are drawn from; None where nothing is expected.

        Parameters
        ----------
        builder : TreeBuilder
            The tree so far.
        index : int
            A node that goes on.
        """
        node = builder.nodes[index]
        assert node is not None
        factors = builder.law.children(node)
        said: list[tuple[str, Suggestion]] = []
        for source in self._asked:
            suggestion = source.suggest(node)
            if suggestion.items:
                said.append((source.name, _classed(suggestion)))
                if suggestion.sure:
                    break
        if not said or said[0][0] != self._asked[0].name or said[0][1].confidence < _ENOUGH:
            for source in self._backing:
                suggestion = source.suggest(node)
                if suggestion.items:
                    said.append((source.name, _classed(suggestion)))
        if self._draft is not None and not (said and any(one.sure for _, one in said)):
            suggestion = _drafted(self._draft, builder, index)
            if suggestion.items:
                said.append((_DRAFT, _classed(suggestion)))
        if not said:
            return None
        state = state_class(node)
        mixed = self.mixture.mix(said, state)
        tokens = np.fromiter(mixed, dtype=np.int64, count=len(mixed))
        shares = np.fromiter(mixed.values(), dtype=np.float64, count=len(mixed))
        if not 0 <= tokens.min() <= tokens.max() < len(factors):
            shares[(tokens < 0) | (tokens >= len(factors))] = 0.0
        shares[factors[tokens % len(factors)] <= 0.0] = 0.0
        there = np.flatnonzero(shares)
        if len(there) < len(tokens):
            tokens, shares = tokens[there], shares[there]
        total = float(shares.sum())
        if not total > 0.0:
            return None
        return Expected(tokens, shares / total, said, (state, said[0][1].confidence))

    def observe(self, tree: DraftTree, emitted: Sequence[int]) -> None:
        """Learn from every row the target has shown; see `LearningDrafter.observe`."""
        root = tree.nodes[0]
        assert root is not None
        expected = self._open.pop(tree, {})
        new: list[int] = []
        for index in self._to_learn(tree, emitted):
            node = tree.nodes[index]
            if node is None or node.kernel is None:
                continue
            said = expected.get(index)
            if said is not None:
                branches = tree.branches[index]
                first = branches[0].tokens[0] if branches else None
                if self.rates.learn(said.kind, said.tokens, said.shares, node.kernel, first) > _KNOWN:
                    continue
            new.append(index)
        seen = seen_in(
            [tree.nodes[i] for i in new], self._known, most=self._keep, least=1.0 / (8 * self._keep)
        )
        places = {node.prefix: i for i in new if (node := tree.nodes[i]) is not None}
        for one in seen:
            said = expected.get(places[one.prefix])
            if said is not None:
                row = dict(zip(one.tokens, one.shares, strict=True))
                self.mixture.judge(said.said, said.kind[0], row)
        for source in self._sources:
            source.learn(seen, (*root.prefix, *emitted))

    @staticmethod
    def _to_learn(tree: DraftTree, emitted: Sequence[int]) -> list[int]:
        """The nodes that were likeliest to be reached, which come first, and those on the way."""
        found = list(range(min(len(tree.nodes), _LEARNED)))
        at: int | None = 0
        for token in emitted:
            at = tree.children(at).get(token) if at is not None else None
            if at is not None and at >= _LEARNED:
                found.append(at)
        return found


class _Growth:
    """Draws one candidate after another where it is most likely to be kept."""

    def __init__(
        self, drafter: DrawnDrafter, builder: TreeBuilder, plan: DraftPlan, random: RandomSource
    ) -> None:
        self._drafter = drafter
        self._builder = builder
        self._plan = plan
        self._random = random
        self._heap: list[tuple[float, int, int, bool]] = []  # value, tie, node, whether it is open
        self._pushed = 0
        self._depth = [0]
        self._left: dict[int, Row] = {}  # shares of what was not drawn yet
        self._rows: dict[int, Row] = {}
        self._reach: dict[int, float] = {}  # probability that all candidates so far fall
        self.expected: dict[int, Expected] = {}

    def run(self, floor: float) -> None:
        """Draw until the plan is used up, or nothing is reached with probability `floor`."""
        self._push(1.0, 0, opened=False)
        while self._heap and self._builder.drafted < self._plan.most and -self._heap[0][0] >= floor:
            value, _, index, opened = heapq.heappop(self._heap)
            if opened:
                self._draw(-value, index)
            else:
                self._begin(-value / _GOING_ON if index else 1.0, index)

    def _begin(self, value: float, index: int) -> None:
        expected = self._drafter.expect(self._builder, index)
        if expected is None:
            return
        self.expected[index] = expected
        self._left[index] = expected.shares.copy()
        self._reach[index] = value
        self._next(index, 0)

    def _next(self, index: int, rank: int) -> None:
        expected = self.expected[index]
        if rank < min(self._plan.width, len(expected.tokens)):
            kept = self._drafter.rates.of(expected.kind, float(expected.shares.max()), rank)
            self._push(self._reach[index] * kept, index, opened=True)
            self._reach[index] *= 1.0 - kept

    def _draw(self, value: float, index: int) -> None:
        expected, left, builder = self.expected[index], self._left[index], self._builder
        if not left.sum() > 0.0:
            return
        k = self._random.choose(left) if len(left) > 1 else 0
        left[k] = 0.0
        row = self._rows.get(index)
        if row is None:
            row = self._rows[index] = np.zeros(builder.law.width)
            row[expected.tokens] = expected.shares
        child = add_sibling(builder, index, int(expected.tokens[k]), row)
        depth = self._depth[index] + 1
        self._depth.append(depth)
        node = builder.nodes[child]
        if node is not None and node.remaining > 0 and depth < self._plan.length:
            self._push(value * _GOING_ON, child, opened=False)
        self._next(index, len(builder.branches[index][-1].tokens))

    def _push(self, value: float, index: int, *, opened: bool) -> None:
        self._pushed += 1
        heapq.heappush(self._heap, (-value, self._pushed, index, opened))


def _classed(said: Suggestion) -> Suggestion:
    """Evidence of one kind counts for more where it leaves less open: the class tells both."""
    items = said.items
    shares = [p for _, p in items]
    total = sum(shares)
    if total < _WHOLE:
        items = [(t, p / total) for t, p in items]
    return Suggestion(items, 4 * said.confidence + min(3, int(4.0 * max(shares) / total)), said.sure)


def _drafted(draft: DraftRows, builder: TreeBuilder, index: int) -> Suggestion:
    """The draft model's row as a suggestion, as sure of itself as its row is peaked."""
    proposal = draft.at(builder, index)
    if proposal is None:
        return Suggestion(())
    tokens = np.flatnonzero(proposal.row > _SHARE)
    if len(tokens) > _MOST:
        tokens = tokens[np.argsort(-proposal.row[tokens], kind="stable")[:_MOST]]
    shares = proposal.row[tokens]
    confidence = min(7, int(8.0 * float(shares.max(initial=0.0))))
    return Suggestion(list(zip(tokens.tolist(), (shares / shares.sum()).tolist(), strict=True)), confidence)
