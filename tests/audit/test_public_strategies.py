"""The hypothesis strategies for others: what they draw is what they say."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

pytest.importorskip("jsonschema")

from jsonschema.validators import validator_for

import gramspec as gs
from gramspec.errors import OptionError
from gramspec.testing import strategies

DATES = gs.regex(r"(19|20)[0-9]{2}-(0[1-9]|1[0-2])")
VOCABULARY = gs.Vocabulary(
    [b"1", b"19", b"9", b"2", b"20", b"0", b"-", b"-0", b"0-", b"12", b"3", None], [11]
)
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@quick
@given(strategies.members(DATES))
def test_members_are_members(text: bytes) -> None:
    assert DATES.accepts(text)


@quick
@given(
    strategies.members(gs.json_schema({"type": "array", "items": {"type": "integer"}, "uniqueItems": True}))
)
def test_members_satisfy_residual_predicates(text: bytes) -> None:
    values = json.loads(text)
    assert len({float(value) for value in values}) == len(values)


def test_texts_near_are_of_both_sorts() -> None:
    near = strategies.texts_near(DATES)
    assert DATES.accepts(find(near, DATES.accepts, settings=quick))
    assert not DATES.accepts(find(near, lambda text: not DATES.accepts(text), settings=quick))


@quick
@given(strategies.token_sequences(DATES, VOCABULARY))
def test_token_sequences_are_read_token_by_token(ids: tuple[int, ...]) -> None:
    matcher = gs.compile(DATES, VOCABULARY).matcher()
    for token in ids:
        matcher.advance(token)
    assert matcher.is_finished
    text = b"".join(VOCABULARY.tokens[token] or b"" for token in ids)
    assert DATES.accepts(text) and b"4" not in text


def test_both_segmentations_of_a_text_are_drawn() -> None:
    drawn = strategies.token_sequences(gs.literal("19"), VOCABULARY)
    assert find(drawn, lambda ids: len(ids) == 2, settings=quick) == (1, 11)
    assert find(drawn, lambda ids: len(ids) == 3, settings=quick) == (0, 2, 11)


@pytest.mark.parametrize("draft", ["4", "2020-12"])
def test_schemas_satisfy_their_metaschema(draft: str) -> None:
    @quick
    @given(st.data())
    def check(data: st.DataObject) -> None:
        schema = data.draw(strategies.json_schemas(draft))
        validator_for(schema).check_schema(schema)
        value = data.draw(strategies.instances(schema))
        text = data.draw(strategies.json_texts(value))
        assert json.loads(text) == value

    check()


def test_an_unknown_draft_is_refused() -> None:
    with pytest.raises(OptionError, match="draft='5'"):
        strategies.json_schemas("5")
    assert set(strategies.__all__) <= set(dir(strategies))
