"""Tables that draw, on their own: rates, mixtures, copies from the prompt, and what the drafter refuses."""

from __future__ import annotations

import numpy as np
import pytest

import gramspec as gs
from gramspec.decoding.drafting import (
    DRAWN_PLAN,
    CopyDrafter,
    CopyTable,
    DraftMemory,
    DrawnDrafter,
    Mixture,
    NgramDrafter,
    model_free_drawn,
)
from gramspec.decoding.drafting.rates import Rates
from gramspec.decoding.drafting.sources import Suggestion
from gramspec.decoding.drafting.tree import DraftTree
from gramspec.decoding.kernel import MaskedLaw, Node, child_node
from gramspec.decoding.options import DecodingOptions
from gramspec.decoding.random import NumpyRandomSource
from gramspec.decoding.round import Attempt
from gramspec.decoding.rows import RowLaw
from gramspec.errors import OptionError

WORDS = ["<eos>", *"abcdefghijklmnopqrstuvwxyz0123456789", " ", ":", "age", "on", "port", "12", "34", "56"]
VOCABULARY = gs.Vocabulary([w.encode() if w != "<eos>" else None for w in WORDS], [0])
ID = {w: i for i, w in enumerate(WORDS)}


def test_rates_are_the_overlap_of_the_rows() -> None:
    rates = Rates()
    tokens, q = np.array([1, 2]), np.array([0.5, 0.5])
    kernel = np.array([0.0, 0.25, 0.5, 0.25])
    assert rates.learn("a", tokens, q, kernel, 1) == pytest.approx(0.75)
    for _ in range(200):
        rates.learn("a", tokens, q, kernel, 1)
    assert rates.of("a", 0.5, 0) == pytest.approx(0.75, abs=0.02)
    # After token 1 has fallen nothing of K is left where the other candidate is.
    assert rates.of("a", 0.5, 1) < 0.05 < rates.of("b", 0.9, 0)
    assert rates.of("a", 0.5, 2) <= rates.of("a", 0.5, 1)


def test_mixture_learns_whom_to_trust_in_each_state() -> None:
    mixture = Mixture()
    said = [("left", Suggestion([(1, 1.0)])), ("right", Suggestion([(2, 1.0)]))]
    assert mixture.mix(said, "s") == pytest.approx({1: 0.5, 2: 0.5})
    for _ in range(20):
        mixture.judge(said, "s", {2: 1.0})
        mixture.judge(said, "t", {1: 1.0})
    assert mixture.mix(said, "s").get(1, 0.0) < 0.1
    assert mixture.mix(said, "t").get(2, 0.0) < 0.1


def test_copies_from_the_same_place_of_another_prompt() -> None:
    compiled = gs.compile(gs.regex("age:[0-9]+"), VOCABULARY)
    law = MaskedLaw(compiled, RowLaw(), budget=12, width=len(WORDS))
    table = CopyTable()

    def at_the_value(value: str) -> tuple[CopyDrafter, Node]:
        pairs = [value[i : i + 2] for i in range(0, len(value), 2)]
        prompt = [ID[w] for w in ("a", " ", "port", " ", *pairs, " ", "on")]
        node = law.root()
        for word in ("age", ":"):
            node = child_node(law, node, ID[word])
        law.children(node)
        return CopyDrafter(prompt, VOCABULARY, table), node

    first, node = at_the_value("12")
    assert first.suggest(node).items == ()
    row = np.zeros(len(WORDS) + 1)
    row[ID["12"]] = 1.0
    node.read(row[:-1], 1.0, row)
    first.observe(DraftTree.root(node), [ID["12"]])
    second, node = at_the_value("56")
    found = dict(second.suggest(node).items)
    assert max(found, key=lambda t: found[t]) == ID["56"]
    third, node = at_the_value("3456")
    for digit in "34":
        node = child_node(law, node, ID[digit])
        law.children(node)
    found = dict(third.suggest(node).items)  # goes on inside the value, whatever its tokens
    assert max(found, key=lambda t: found[t]) == ID["56"]


def test_known_rows_are_drafted_and_kept() -> None:
    """Where the tables know K, drawn candidates are kept however open the choice is."""
    target = gs.models.embedded()[0]
    compiled = gs.compile(gs.regex("[0-9]{6}"), target.vocabulary)
    prompt = tuple(target.encode("A number: "))
    law = MaskedLaw(compiled, RowLaw(1.5), budget=8, width=target.vocab_size)
    memory = DraftMemory(compiled, keep=32)
    rounds = []
    for k in range(24):
        attempt = Attempt(
            law,
            target.open(prompt),
            len(prompt),
            model_free_drawn(compiled, prompt, memory=memory),
            DRAWN_PLAN,
        )
        assert attempt.run(NumpyRandomSource((5, k)))
        rounds.append(attempt.tally.rounds)
    assert sum(rounds[12:]) < sum(rounds[:12])


def test_refusals_and_names() -> None:
    with pytest.raises(OptionError, match="each with a name of its own"):
        DrawnDrafter([])
    with pytest.raises(OptionError, match="each with a name of its own"):
        DrawnDrafter([NgramDrafter()], backing=[NgramDrafter()])
    with pytest.raises(OptionError, match="floor=2"):
        DrawnDrafter([NgramDrafter()], floor=2)
    with pytest.raises(OptionError, match="keep=0"):
        DrawnDrafter([NgramDrafter()], keep=0)
    with pytest.raises(OptionError, match="places=0"):
        CopyTable(0)
    target = gs.models.embedded()[0]
    with pytest.raises(OptionError, match="'fused-drawn': it needs a draft model"):
        gs.generate(target, ["a"], gs.regex("ab"), options=DecodingOptions(drafter="fused-drawn"))
    again = [
        gs.generate(
            target,
            ["Roll: "],
            gs.regex("[1-6]{2}"),
            law="masked",
            n=4,
            max_new_tokens=6,
            seed=3,
            options=DecodingOptions(drafter="model-free-drawn"),
        )[0]
        for _ in range(2)
    ]
    assert [x.token_ids for x in again[0]] == [x.token_ids for x in again[1]]
