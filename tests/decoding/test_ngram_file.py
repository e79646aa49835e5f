"""n-gram tables in files: the same expectations in another process, and nothing damaged is taken."""

from __future__ import annotations

import numpy as np
import pytest

import gramspec as gs
from gramspec.decoding.drafting import NgramDrafter, NgramTable
from gramspec.decoding.drafting.model_free import DraftMemory
from gramspec.errors import OptionError, SerialisationError
from gramspec.models.tabular import TabularModel

TOKENS = [b"[", b"]", b",", b"1", b"2", b"12", b"3", None]
EOS = 7
VOCABULARY = gs.Vocabulary(TOKENS, [EOS])
LIST = {"type": "array", "items": {"enum": [1, 2, 3, 12]}, "maxItems": 4}
GRAMMARS = {
    "regular": gs.regex("[123]+(,[123]+)*"),
    "residual": gs.json_schema({**LIST, "uniqueItems": True}, whitespace="compact"),
}


def learned(grammar, memory=None):
    compiled = gs.compile(grammar, VOCABULARY)
    memory = memory if memory is not None else DraftMemory(compiled)
    model = TabularModel(lambda x: np.sin(np.arange(8) * (1.0 + sum(x)) + len(x)), 8, EOS)
    [found] = gs.generate(
        model, [[0]], compiled, law="masked", n=12, max_new_tokens=9, memory=memory, temperature=1.5
    )
    return compiled, memory, [one.token_ids for one in found]


def expectations(table, compiled, texts):
    found = []
    for text in texts:
        for n in range(len(text)):
            matcher = compiled.matcher()
            matcher.advance_many(list(text[:n]))
            context = (0, *text[:n])[-3:]
            found.append(table.expect(context, matcher.mask_key))
    return found


@pytest.mark.parametrize("kind", GRAMMARS)
def test_a_table_read_elsewhere_expects_the_same(kind, tmp_path):
    compiled, memory, texts = learned(GRAMMARS[kind])
    memory.table.save(tmp_path / "table", compiled)
    limits = gs.Limits(max_states=50_000)  # an engine of its own: its matchers have other keys
    other = gs.compile(GRAMMARS[kind], VOCABULARY, limits=limits)
    assert other.matcher().mask_key != compiled.matcher().mask_key
    table = NgramTable.load(tmp_path / "table", other)
    assert len(table) == len(memory.table) > 20 and table.order == memory.table.order
    assert table.bytes_held == memory.table.bytes_held
    before, after = expectations(memory.table, compiled, texts), expectations(table, other, texts)
    assert before == after and sum(bool(one.items) for one in after) > 20
    assert not any(one.items for one in expectations(memory.table, other, texts))
    table.save(tmp_path / "again", other)
    assert NgramTable.load(tmp_path / "again", compiled).entries() == memory.table.entries()
    assert len(NgramTable.load(tmp_path / "table", other, max_bytes=4000)) < len(table)
    grown = learned(GRAMMARS[kind], DraftMemory(compiled, table=memory.table))[1].table
    assert grown is memory.table and NgramDrafter((0,), grown).table is grown


def test_tables_without_states_and_without_prefixes(tmp_path):
    compiled = gs.compile(GRAMMARS["regular"], VOCABULARY)
    plain = NgramTable(2, by_state=False)
    plain.update([3], "s", [4, 5], [0.75, 0.25])
    plain.save(tmp_path / "plain", compiled)
    again = NgramTable.load(tmp_path / "plain", compiled)
    assert again.entries() == plain.entries() and not again.by_state
    nameless = NgramTable(2)
    nameless.update([3], ("some", "state"), [4], [1.0])
    with pytest.raises(OptionError, match="without prefixes"):
        nameless.save(tmp_path / "nameless", compiled)
    NgramTable(2).save(tmp_path / "empty", compiled)
    assert len(NgramTable.load(tmp_path / "empty", compiled)) == 0


def test_what_is_damaged_or_of_another_grammar_is_refused(tmp_path):
    compiled, memory, _ = learned(GRAMMARS["regular"])
    memory.table.save(tmp_path / "table", compiled)
    with pytest.raises(SerialisationError, match="another grammar"):
        NgramTable.load(tmp_path / "table", gs.compile(gs.regex("1+"), VOCABULARY))
    with np.load(tmp_path / "table") as data:
        good = {name: data[name] for name in data.files}
    changes = {
        "shares": (good["shares"] + 1.0, "outside 0..1"),
        "states": (good["states"] + 999, "out of range"),
        "counts": (good["counts"] * 0, "out of range"),
        "prefix_tokens": (np.full_like(good["prefix_tokens"], 2), "none of this grammar"),
        "tail_ends": (good["tail_ends"][::-1], "ascending"),
        "entry_tokens": (good["entry_tokens"] * 0 + 4, "twice"),
        "tail_tokens": (-good["tail_tokens"] - 1, "out of range"),
    }
    for name, (value, reason) in changes.items():
        with open(tmp_path / "bad", "wb") as file:
            np.savez_compressed(file, **{**good, name: value})
        with pytest.raises(SerialisationError, match=reason):
            NgramTable.load(tmp_path / "bad", compiled)
    double = {**good, "states": good["states"] * 0 - 1}
    with open(tmp_path / "bad", "wb") as file:
        np.savez_compressed(file, **double)
    with pytest.raises(SerialisationError, match="context twice"):
        NgramTable.load(tmp_path / "bad", compiled)
