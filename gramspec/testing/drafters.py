"""`DrafterLaws`: whatever a drafter drew stays in the draft, with the row it was drawn from, as a mixin.

Law: P(chain) = ∏ q(token) with the very rows reported; a chain ends for a reason known before drawing.
Source: laws, traps 1, 2 and 8. Inherit and define `make`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gramspec.audit.enumerate import enumerate_leaves
from gramspec.decoding.drafting.tree import DraftPlan, DraftTree
from gramspec.decoding.kernel import Node, child_node
from gramspec.testing.proofs import Bench
from gramspec.testing.reference import ReferenceCompiled
from gramspec.testing.worlds import worlds

Found = dict[tuple[int, ...], tuple[float, DraftTree]]


class DrafterLaws:
    """Mixin: subclasses define `make`; `count`, `seed` and `limit` may be changed."""

    count = 16
    seed = 43
    limit = 3

    def make(self, bench: Bench) -> Any:
        """A fresh drafter for a world, which has a draft model."""
        raise TypeError(f"{type(self).__name__} defines no drafter")

    def proposals(
        self, bench: Bench, start: Node, law: Any
    ) -> dict[tuple[int, ...], tuple[float, DraftTree]]:
        """Every chain with its mass and its proposal, all choices enumerated."""
        drafter = self.make(bench)
        found: Found = {}
        plan = DraftPlan(self.limit)
        for leaf in enumerate_leaves(
            lambda random: drafter.propose(
                law,
                Node(start.prefix, start.matcher.fork(), start.remaining, start.h),
                plan,
                random,
            )
        ):
            assert leaf.value is not None
            tokens = leaf.value.as_chain()[0]
            mass = found[tokens][0] if tokens in found else 0.0
            found[tokens] = (mass + leaf.probability, leaf.value)
        return found

    def test_rows_are_those_the_tokens_were_drawn_from(self) -> None:
        """P(chain) is the product of the reported rows; rows are laws on tokens with a positive factor."""
        drafted = 0
        for i, world in enumerate(worlds(self.seed, self.count, draft=True)):
            bench = Bench(world, ReferenceCompiled(world, i % 3))
            law = bench.killed(bench.learned())
            starts = [law.root()]
            inner = [ids[0] for ids in world.members if len(ids) > 1]
            starts.extend(child_node(law, starts[0], token) for token in inner[:1])
            for start in starts:
                found = self.proposals(bench, start, law)
                assert math.isclose(math.fsum(mass for mass, _ in found.values()), 1.0, rel_tol=1e-12)
                for tokens, (mass, tree) in found.items():
                    self.check_shape(bench, start, law, tree)
                    rows = tree.as_chain()[1]
                    product = math.prod(float(q[t]) for q, t in zip(rows, tokens, strict=True))
                    assert abs(mass - product) <= 1e-12, (tokens, mass, product, str(world))
                    drafted += len(tokens)
        assert drafted > self.count

    def check_shape(self, bench: Bench, start: Node, law: Any, tree: DraftTree) -> None:
        """Lengths, EOS only at the end, rows are laws, nodes are where they say."""
        tokens, rows, nodes = tree.as_chain()
        eos = bench.world.small.eos_ids
        assert len(tokens) <= min(self.limit, start.remaining) and not set(tokens[:-1]) & set(eos)
        ended = bool(tokens) and tokens[-1] in eos
        assert len(nodes) == len(tokens) + (0 if ended else 1)
        for i, node in enumerate(nodes):
            assert node.prefix == start.prefix + tokens[:i] and node.remaining == start.remaining - i
        for q, node in zip(rows, nodes, strict=False):
            factors = law.children(node)
            assert math.isclose(float(q.sum()), 1.0, rel_tol=1e-12) and np.all(q >= 0.0)
            assert not np.any((q > 0.0) & (factors <= 0.0))

    def test_nothing_drawn_is_dropped(self) -> None:
        """Where one chain stops short, every chain that begins like it stops there."""
        for i, world in enumerate(worlds(self.seed + 1, self.count, draft=True)):
            bench = Bench(world, ReferenceCompiled(world, i % 3))
            law = bench.killed(bench.learned())
            start = law.root()
            chains = set(self.proposals(bench, start, law))
            for one in chains:
                longer = [two for two in chains if len(two) > len(one) and two[: len(one)] == one]
                assert not longer, (one, longer, str(world))
