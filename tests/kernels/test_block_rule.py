"""Block verification, enumerated: what comes out follows the target rows, and more of the draft is kept."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest

from gramspec.kernels.verification import block_rule, token_rule
from tests.decoding.finite_language import every_path


class TreeOfRows:
    """Target and draft rows that depend on the prefix."""

    def __init__(self, seed: int, size: int, zeros: bool) -> None:
        self.size, self.zeros = size, zeros
        self.generator = np.random.default_rng(seed)
        self.rows: dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]] = {}

    def at(self, prefix):
        if prefix not in self.rows:
            target = self.generator.dirichlet(np.full(self.size + 1, 0.6))
            draft = self.generator.dirichlet(np.full(self.size, 0.6))
            if self.zeros:
                draft[len(prefix) % self.size] = 0.0
                draft /= draft.sum()
                target[(len(prefix) + 1) % self.size] = 0.0
                target /= target.sum()
            self.rows[prefix] = target, draft
        return self.rows[prefix]


def chain_law(rule, tree, gamma, closed=False):
    """Law of the symbols that one round appends, and the expected number of accepted tokens."""
    law, accepted_total, total = {}, 0.0, 0.0
    for code in range(tree.size**gamma):
        drafted = tuple(code // tree.size**i % tree.size for i in range(gamma))
        prefixes = [drafted[:i] for i in range(gamma + 1)]
        weight = prod(float(tree.at(prefixes[i])[1][v]) for i, v in enumerate(drafted))
        if weight == 0.0:
            continue
        targets = [tree.at(p)[0] for p in prefixes[: gamma + 1 - closed]]
        drafts = [tree.at(p)[1] for p in prefixes[:gamma]]

        def run(random, given=(targets, drafts, drafted)):
            return rule(*given, random.choose)

        for probability, (accepted, symbol) in every_path(run):
            out = drafted[:accepted] + (() if symbol is None else (symbol,))
            law[out] = law.get(out, 0.0) + weight * probability
            accepted_total += weight * probability * accepted
            total += weight * probability
    assert total == pytest.approx(1.0, abs=1e-12)
    return law, accepted_total


def continued(tree, law, depth):
    """Law of the first `depth` symbols when what is short goes on by the target rows; † ends a sequence."""
    result, todo = {}, list(law.items())
    while todo:
        out, mass = todo.pop()
        if len(out) >= depth or tree.size in out:
            result[out[:depth]] = result.get(out[:depth], 0.0) + mass
        else:
            todo.extend(((*out, v), mass * float(p)) for v, p in enumerate(tree.at(out)[0]) if p > 0)
    return result


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("gamma", [1, 2, 3])
@pytest.mark.parametrize("closed", [False, True])
def test_a_round_continued_by_the_target_is_the_target(seed, gamma, closed):
    tree = TreeOfRows(seed, 2 if gamma == 3 else 3, zeros=seed % 2 == 1)
    law, accepted = chain_law(block_rule, tree, gamma, closed)
    depth = gamma + 1 - closed
    found, expected = continued(tree, law, depth), continued(tree, {(): 1.0}, depth)
    for out in found.keys() | expected.keys():
        assert found.get(out, 0.0) == pytest.approx(expected.get(out, 0.0), abs=1e-12)
    assert accepted >= chain_law(token_rule, tree, gamma, closed)[1] - 1e-12


def test_the_known_toy_accepts_eleven_ninths():
    tree = TreeOfRows(0, 2, zeros=False)
    row = np.array([1 / 3, 2 / 3, 0.0]), np.array([2 / 3, 1 / 3])
    tree.at = lambda prefix: row
    assert chain_law(token_rule, tree, 2)[1] == pytest.approx(10 / 9, abs=1e-12)
    assert chain_law(block_rule, tree, 2)[1] == pytest.approx(11 / 9, abs=1e-12)


def test_equal_rows_keep_every_token_without_a_coin():
    class Never:
        def choose(self, weights64):
            raise AssertionError("nothing is open")

    row = np.array([0.25, 0.75, 0.0])
    assert block_rule([row, row], [row[:2], row[:2]], [1, 0], Never().choose) == (2, None)
