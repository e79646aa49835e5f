"""Fresh worlds: every drafter under every rule that may verify it, over every potential."""

from __future__ import annotations

import numpy as np
import pytest

from gramspec.decoding.kernel import TwistedLaw
from gramspec.matching import compile as compile_grammar
from gramspec.testing.catalogue import combinations, every_verifier_is_listed
from gramspec.testing.proofs import prove_frozen, prove_learned, prove_masked, prove_weighted
from gramspec.testing.worlds import worlds

PARTS, WORLDS_PER_PART = 20, 52  # 1,040 worlds
CELLS = list(combinations())
WEIGHTED = list(combinations(weighted=True))
WEIGHTED_PER_PART = 12


def test_the_table_is_whole() -> None:
    assert every_verifier_is_listed()
    assert len(CELLS) <= PARTS * WORLDS_PER_PART  # every cell is met in every run


@pytest.mark.parametrize("part", range(PARTS))
def test_every_combination_keeps_the_law(part: int, seed: int) -> None:
    """(a) on the potential itself and under a cold trie, (b) after learning; the masked law too."""
    order = np.random.default_rng([seed, 9]).permutation(PARTS * WORLDS_PER_PART)
    for i, world in enumerate(
        worlds(seed * 31 + part, WORLDS_PER_PART, draft=True, size=3, max_sequences=40)
    ):
        index = int(order[part * WORLDS_PER_PART + i])
        cell = CELLS[index % len(CELLS)]
        b = cell.bench(world, compile_grammar(world.grammar, world.vocabulary))
        try:
            kind = (index // len(CELLS) + i) % 3
            if kind == 0:
                assert prove_frozen(b, b.killed(b.pieces.base(b.compiled))) <= 1e-12  # type: ignore[arg-type]
            elif kind == 1:
                assert prove_frozen(b, b.killed(b.learned())) <= 1e-12
            else:
                max_nodes = 3 if i % 4 == 0 else 100_000
                learned = prove_learned(b, 1 + i % 3, world.seed, together=1 + i % 2, max_nodes=max_nodes)
                assert learned <= 1e-12
            if i % 13 == 0:
                assert prove_masked(b) <= 1e-12
        except Exception as error:
            error.add_note(f"{cell} in {world}")
            raise


@pytest.mark.parametrize("part", range(PARTS))
def test_every_weight_corrects_its_draw(part: int, seed: int) -> None:
    """Potentials of any contract: the law of a round times its weight is p."""
    picks = np.random.default_rng([seed, 10, part]).permutation(len(WEIGHTED))
    found = worlds(seed * 37 + 100 + part, WEIGHTED_PER_PART, draft=True, size=3, max_sequences=40)
    for cell_index, world in zip(picks.tolist(), found, strict=False):
        cell = WEIGHTED[cell_index]
        b = cell.bench(world, compile_grammar(world.grammar, world.vocabulary))
        try:
            potential = b.pieces.base(b.compiled)
            law = TwistedLaw(potential, b.rows(), budget=world.max_new_tokens, width=world.width)  # type: ignore[arg-type]
            assert prove_weighted(b, law) <= 1e-12
        except Exception as error:
            error.add_note(f"{cell} in {world}")
            raise
