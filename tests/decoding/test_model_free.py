"""Model-free drafters on their own: what they propose, what they remember, and what they save."""

from __future__ import annotations

import json

import numpy as np
import pytest

import gramspec as gs
from gramspec.decoding.drafting import (
    MODEL_FREE_PLAN,
    AtTheFrontier,
    CompletionStore,
    DraftPlan,
    ForcedDrafter,
    FusedDrafter,
    LookupDrafter,
    NgramDrafter,
    NgramTable,
    RecyclingDrafter,
    RecyclingTable,
    RetrievalDrafter,
    TextIndex,
    Trust,
    model_free,
)
from gramspec.decoding.drafting.literals import grammar_literals
from gramspec.decoding.drafting.model_free import DraftMemory
from gramspec.decoding.drafting.segmentation import Segmenter
from gramspec.decoding.drafting.sources import SourceDrafter, Suggestion
from gramspec.decoding.kernel import MaskedLaw
from gramspec.decoding.random import NumpyRandomSource
from gramspec.decoding.report import Tally
from gramspec.decoding.round import Attempt
from gramspec.decoding.rows import RowLaw
from gramspec.errors import OptionError
from gramspec.models.memo import MemoModel
from gramspec.testing.fixed_drafters import NoChoice

WORDS = ["<eos>", *"abcdefghijklmnopqrstuvwxyz", "sel", "ect", "select", " ", "fr", "om", "from", "1", "2"]
VOCABULARY = gs.Vocabulary([w.encode() if w != "<eos>" else None for w in WORDS], [0])
ID = {w: i for i, w in enumerate(WORDS)}


def law_of(grammar, budget=20):
    return MaskedLaw(gs.compile(grammar, VOCABULARY), RowLaw(), budget=budget, width=len(WORDS))


def paths(tree):
    found = []
    for i in range(1, len(tree.nodes)):
        ids, at = [], i
        while at:
            ids.append(tree.tokens[at])
            at = tree.parents[at]
        found.append(tuple(WORDS[t] for t in reversed(ids)))
    return found


def test_forced_text_in_its_likeliest_segmentations():
    law = law_of(gs.regex("select (a|b) from"))
    drafter = ForcedDrafter(VOCABULARY)
    chain = drafter.propose(law, law.root(), DraftPlan(5), NoChoice())
    assert paths(chain)[-1] == ("select", " ")  # then the grammar leaves a choice
    tree = drafter.propose(law, law.root(), DraftPlan(3, 3, 8), NoChoice())
    assert {("select",), ("select", " "), ("sel",), ("sel", "ect")} <= set(paths(tree))
    end = law_of(gs.choice(["a"]))
    assert paths(drafter.propose(end, end.root(), DraftPlan(4), NoChoice())) == [("a",), ("a", "<eos>")]


def test_segmentation_is_a_posterior():
    segmenter = Segmenter(VOCABULARY)
    first = dict(segmenter.first(b"select from"))
    assert set(first) == {ID["s"], ID["sel"], ID["select"]}
    assert sum(first.values()) == pytest.approx(1.0)
    assert max(first, key=first.get) == ID["select"]
    assert segmenter.first(b"from?")[0][0] == ID["from"]
    assert segmenter.first(b"?") == [] and segmenter.first(b"") == []


def test_literals_of_a_schema_and_of_other_grammars():
    schema = {
        "type": "object",
        "properties": {
            'na"me': {"type": "string"},
            "kind": {"enum": ["alpha", "beta"]},
            "n": {"const": True},
        },
    }
    found = grammar_literals(gs.json_schema(schema))
    assert {b'"na\\"me":', b'"kind":', b'"alpha"', b'"beta"', b"true"} <= set(found)
    assert {b"select ", b" from"} <= set(grammar_literals(gs.regex("select [ab]+ from")))
    assert len(b"".join(grammar_literals(gs.json_schema(schema), max_bytes=12))) <= 12


def test_lookup_copies_from_prompt_output_and_texts():
    law = law_of(gs.regex("[a-z ]*"))
    prompt = [ID[c] for c in "xyzab"]
    drafter = LookupDrafter(prompt, VOCABULARY, [b"from here"])
    node = law.root()
    for token in ("x", "y"):
        node = step(law, node, token)
    assert paths(drafter.propose(law, node, DraftPlan(3), NoChoice()))[-1] == ("z", "a", "b")
    for token in ("q", "r", "q"):
        node = step(law, node, token)
    node = step(law, node, "r")
    assert ("q",) in paths(drafter.propose(law, node, DraftPlan(1), NoChoice()))
    other = law.root()
    for token in ("c", "f", "r"):  # another attempt, and the text cut otherwise than the vocabulary would
        other = step(law, other, token)
    assert paths(drafter.propose(law, other, DraftPlan(3), NoChoice()))[0] == ("om",)
    with pytest.raises(OptionError, match=r"texts\[1\]"):
        TextIndex([b"a", "b"])  # type: ignore[list-item]


def step(law, node, token):
    from gramspec.decoding.kernel import child_node

    return child_node(law, node, ID[token])


def test_ngram_table_averages_forgets_and_backs_off():
    table = NgramTable(3, memory=4)
    table.update([1, 2], "s", [5, 6], [0.9, 0.1])
    table.update([1, 2], "s", [6], [1.0])
    assert dict(table.expect([1, 2], "s").items)[6] == pytest.approx(0.55)
    assert dict(table.expect([9, 9], "s").items)[6] == pytest.approx(0.55)  # the state alone
    assert not table.expect([1, 2], "other state").items
    small = NgramTable(2, max_bytes=5_000)
    for token in range(200):
        small.update([token], None, [1], [1.0])
    assert small.bytes_held <= 5_000 and len(small) >= 5
    assert dict(small.expect([199], None).items) == {1: 1.0}
    wide = NgramTable(1, keep=3)
    wide.update([], None, list(range(8)), [0.05 * (i + 1) for i in range(8)])
    assert set(dict(wide.expect([], None).items)) == {5, 6, 7}
    with pytest.raises(OptionError, match="order"):
        NgramTable(0)


def test_an_ngram_table_of_impossible_rows_says_nothing():
    table = NgramTable(2)
    for tokens in ([], [1], [2, 1]):
        table.update(tokens, "s", [], [])
    assert not table.expect([2, 1], "s").items


def test_recycling_keeps_the_last_row_by_state():
    table = RecyclingTable(keep=2)
    table.put("s", 1, [4, 5, 6], [0.2, 0.5, 0.3])
    assert [t for t, _ in table.after("s", 1).items] == [5, 6]
    table.put("s", 1, [7], [1.0])
    assert [t for t, _ in table.after("s", 1).items] == [7]
    assert not table.after("other", 1).items
    assert RecyclingTable(by_state=False).after("s", 1).items == ()
    small = RecyclingTable(keep=1, max_bytes=4_000)
    for token in range(100):
        small.put(None, token, [1], [1.0])
    assert len(small) <= 10 and small.after(None, 99).items


def test_store_finds_the_longest_match_and_forgets_the_oldest(tmp_path):
    store = CompletionStore()
    store.add([1, 2, 3, 4])
    store.add([9, 2, 3, 5])
    found = dict(store.after([1, 2, 3]).items)
    assert found[4] > found[5] > 0.0
    assert dict(store.after([]).items).keys() == {1, 9}
    store.add([7, 8, 2, 3, 6], whole=False)
    assert 7 not in dict(store.after([]).items)
    store.save(tmp_path / "store.json")
    again = CompletionStore.load(tmp_path / "store.json")
    assert again.after([1, 2, 3]) == store.after([1, 2, 3]) and len(again) == 3
    small = CompletionStore(max_bytes=170 * 12)
    for first in range(50):
        small.add([first, 1, 2])
    assert small.tokens_held <= 12
    assert dict(small.after([]).items).keys() == {48, 49} and not small.after([3, 1]).items[1:]
    (tmp_path / "bad.json").write_text(json.dumps({"format": "other"}))
    with pytest.raises(OptionError, match="no store of completions"):
        CompletionStore.load(tmp_path / "bad.json")


class Says(SourceDrafter):
    """A source that always says the same."""

    def __init__(self, name, items):
        super().__init__()
        self.name = name
        self._said = Suggestion(items)

    def suggest(self, node):
        return self._said


def test_trust_goes_to_the_source_that_is_right():
    trust = Trust()
    right, wrong = Suggestion([(1, 0.8)]), Suggestion([(2, 0.8)])
    for _ in range(10):
        trust.judge([("right", right), ("wrong", wrong)], {1: 0.9})
    mixed = trust.mix([("right", right), ("wrong", wrong)])
    assert mixed[1] > 0.75 > 0.05 > mixed[2]


def test_fusion_merges_paths_and_refuses_bad_options():
    law = law_of(gs.regex("[a-z]*"))
    fused = FusedDrafter([Says("one", [(ID["a"], 0.6), (ID["b"], 0.2)]), Says("two", [(ID["b"], 0.9)])])
    tree = fused.propose(law, law.root(), DraftPlan(2, 2, 4), NoChoice())
    assert tree.drafted == 4 and set(paths(tree)) >= {("a",), ("b",), ("b", "b")}
    for bad in (
        lambda: FusedDrafter([]),
        lambda: FusedDrafter([Says("x", []), Says("x", [])]),
        lambda: FusedDrafter([Says("x", [])], share=0.0),
        lambda: FusedDrafter([Says("x", [])], agree=0),
        lambda: NgramDrafter(growth="deep"),  # type: ignore[arg-type]
        lambda: ForcedDrafter(VOCABULARY, least=2.0),
        lambda: CompletionStore(0),
        lambda: RecyclingTable(keep=0),
        lambda: DraftMemory(gs.compile(gs.regex("a"), VOCABULARY), max_bytes=1),
    ):
        with pytest.raises(OptionError):
            bad()
    a, b = (gs.compile(gs.regex(p), VOCABULARY) for p in ("a", "b"))
    with pytest.raises(OptionError, match="another grammar"):
        model_free(a, [], memory=DraftMemory(b))


def test_candidates_below_the_bound_and_outside_the_row_are_pruned():
    law = law_of(gs.regex("[a-z]*"))

    class Drawn:
        def propose(self, law, node, plan, random):
            from gramspec.decoding.drafting import Branch, TreeBuilder

            row = np.zeros(law.width)
            row[[ID["a"], ID["b"], ID["c"]]] = 0.7, 0.2, 0.1
            builder = TreeBuilder(law, node)
            builder.grow(0, Branch((ID["c"],), "iid", row))
            return builder.build()

    said = [Says("one", [(ID["a"], 0.5), (ID["z"], 0.4), (ID["b"], 0.001)])]
    tree = FusedDrafter(said, Drawn(), agree=2).propose(law, law.root(), DraftPlan(1, 8, 8), NoChoice())
    assert [b.law for b in tree.branches[0]] == ["iid", "fixed"]
    assert tree.branches[0][1].tokens == (ID["a"],)


@pytest.fixture(scope="module")
def pair():
    pytest.importorskip("transformers")
    return gs.models.embedded()


TASKS = {
    "Give me a JSON record of a person: ": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 20},
            "age": {"type": "integer"},
            "kind": {"enum": ["alpha", "beta", "gamma"]},
        },
        "required": ["name", "age", "kind"],
        "additionalProperties": False,
    },
    "A JSON object about a city:\n": {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "country": {"type": "string"},
            "population": {"type": "integer", "minimum": 0},
            "capital": {"type": "boolean"},
        },
        "required": ["city", "country", "population", "capital"],
        "additionalProperties": False,
    },
}


def sample(target, prompt, schema, drafted, n=20, make=model_free):
    compiled = gs.compile(gs.json_schema(schema), target.vocabulary)
    ids = target.encode(prompt)
    model = MemoModel(target) if drafted else target
    sequence = model.open(ids)
    begun = tuple(sequence.tokens)
    drafter = make(compiled, ids) if drafted else None
    plan = AtTheFrontier(MODEL_FREE_PLAN, lambda x: model.remembers(begun + x)) if drafted else 0
    law = MaskedLaw(compiled, RowLaw(), budget=80, width=target.vocab_size)
    before = target.counters.forwards
    texts = []
    for k in range(n):
        attempt = Attempt(law, sequence, len(begun), drafter, plan, Tally())
        assert attempt.run(NumpyRandomSource((3, k)))
        texts.append(attempt.tokens)
    return texts, target.counters.forwards - before


@pytest.mark.parametrize("prompt", TASKS)
def test_target_passes_are_at_least_halved_and_the_text_stays(pair, prompt):
    """Fixed drafts ask for no choice of their own: the same seed gives the same text."""
    target, _ = pair
    plain, forwards = sample(target, prompt, TASKS[prompt], drafted=False, n=5)
    drafted, fewer = sample(target, prompt, TASKS[prompt], drafted=True)
    assert forwards == sum(map(len, plain))  # one forward per token without drafts
    # A float32 row of a tree differs in the last bits, which may move a choice once in a long while.
    assert sum(a == b for a, b in zip(plain, drafted, strict=False)) >= 4
    assert sum(map(len, drafted)) >= 2.5 * fewer


def test_fused_sources_beat_each_of_them_at_equal_nodes(pair):
    """RASD's claim on one stream: fewer passes than the best single source."""
    target, _ = pair
    prompt, schema = next(iter(TASKS.items()))
    eos = target.vocabulary.eos_ids
    single = {
        "ngram": lambda compiled, ids: NgramDrafter(ids, growth="best"),
        "recycling": lambda compiled, ids: RecyclingDrafter(ids),
        "retrieval": lambda compiled, ids: RetrievalDrafter(eos_ids=eos),
    }
    alone = {name: sample(target, prompt, schema, True, make=make)[1] for name, make in single.items()}
    fused = sample(target, prompt, schema, True)[1]
    assert fused < min(alone.values()), (fused, alone)


def test_generate_learns_in_a_memory_that_calls_share(pair):
    target, _ = pair
    prompt, schema = next(iter(TASKS.items()))
    compiled = gs.compile(gs.json_schema(schema), target.vocabulary)
    memory = DraftMemory(compiled, texts=[b"Grace Hopper"])

    def forwards(**named):
        [samples] = gs.generate(
            target, [prompt], compiled, law="masked", n=1, max_new_tokens=80, memory=memory, **named
        )
        return [s.token_ids for s in samples], sum(s.report.target_forwards for s in samples)

    first = forwards(seed=8)
    assert first == forwards(seed=8)  # nothing is shared under a seed
    assert (
        len(memory.table) == 0 and len(memory.store) == 0 and memory.fresh().texts.texts == memory.texts.texts
    )
    forwards()
    assert len(memory.table) > 0 and len(memory.store) == 1
    other = gs.compile(gs.regex("a"), target.vocabulary)
    for wrong in (DraftMemory(other), "memory"):
        with pytest.raises(OptionError, match="memory"):
            gs.generate(target, [prompt], compiled, law="masked", max_new_tokens=80, memory=wrong)


def test_nothing_is_drafted_where_the_row_is_remembered():
    seen = []

    class Inner:
        def plan(self, node):
            return DraftPlan(3)

        def observe(self, plan, result, seconds):
            seen.append(plan)

    law = law_of(gs.regex("[a-z]*"))
    controller = AtTheFrontier(Inner(), lambda prefix: prefix == ())
    free, paid = controller.plan(law.root()), controller.plan(step(law, law.root(), "a"))
    assert free.length == 0 and paid.length == 3
    controller.observe(free, None, {})
    controller.observe(paid, None, {})
    assert seen == [paid]


def test_retrieval_learns_whole_outputs_only():
    drafter = RetrievalDrafter(eos_ids=[0])
    assert not drafter.store.after([]).items
    drafter.learn([], [1, 2])  # goes on
    assert len(drafter.store) == 0
    drafter.learn([], [1, 0])
    assert dict(drafter.store.after([1]).items).keys() == {0}
    assert len(RetrievalDrafter(eos_ids=[0], online=False).store) == 0
    assert RecyclingDrafter([4]).table.after(None, 4).items == ()
