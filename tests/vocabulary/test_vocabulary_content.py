"""The vocabulary itself: validation, bytes of ids, fingerprint.

Law: decode is concatenation; every malformed input is a `VocabularyError` that names its place.
Source: design, public API section 2.
"""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gramspec.errors import GramspecError, VocabularyError
from gramspec.vocabulary import Vocabulary


def small() -> Vocabulary:
    return Vocabulary(
        [b"a", b"b", b"ab", b"a", None, b"", b"\xff\xe2", b"<tool>", b"</s>", b"<end>"],
        [9, 8, 9],
        special_tokens={"<tool>": 7, "</s>": 8},
    )


def test_content() -> None:
    v = small()
    assert len(v) == 10
    assert v.tokens == (b"a", b"b", b"ab", b"a", None, None, b"\xff\xe2", None, None, None)
    assert v.eos_ids == (8, 9)
    assert v.special_tokens == {"<tool>": 7, "</s>": 8}
    assert v.byte_complete == {0x61, 0x62}
    assert repr(v) == "Vocabulary(10 ids, 5 with bytes, eos_ids=[8, 9])"


def test_decode_concatenates_and_skips_ids_without_bytes() -> None:
    v = small()
    assert v.decode([2, 7, 0, 4, 5, 6, 1, 9]) == b"aba\xff\xe2b"
    assert v.decode(np.array([0, 3], dtype=np.int32)) == b"aa"
    assert v.decode([]) == b""


@pytest.mark.parametrize("bad", [10, -1, True, 1.0, "0", None])
def test_decode_refuses_unknown_ids(bad: Any) -> None:
    with pytest.raises(VocabularyError, match="ids"):
        small().decode([0, bad])


def test_content_cannot_be_changed() -> None:
    v = small()
    v.special_tokens["x"] = 0
    assert "x" not in v.special_tokens
    with pytest.raises(AttributeError):
        v.tokens = ()  # type: ignore[misc]
    source: list[bytes | None] = [b"a", None]
    w = Vocabulary(source, [1])
    source[0] = b"z"
    assert w.tokens[0] == b"a"


def test_only_eos_is_a_vocabulary() -> None:
    assert Vocabulary([None], [0]).tokens == (None,)


@pytest.mark.parametrize(
    ("tokens", "eos", "special", "message"),
    [
        ([], [0], {}, "tokens: a vocabulary needs at least one token"),
        ([b"a"], [], {}, "eos_ids: missing EOS"),
        ([b"a"], [1], {}, r"eos_ids: id 1 is outside 0\.\.0"),
        ([b"a"], [-1], {}, r"eos_ids: id -1 is outside"),
        ([b"a"], [True], {}, "eos_ids: True is not a token id"),
        ([b"a"], ["a"], {}, "eos_ids: 'a' is not a token id"),
        ([b"a"], 0, {}, "eos_ids: must be a sequence of ids, not int"),
        ([b"a"], None, {}, "eos_ids: must be a sequence of ids, not NoneType"),
        ([b"a", "b"], [0], {}, r"tokens\[1\]: must be bytes or None, not str\n  hint: encode"),
        ([b"a", 7], [0], {}, r"tokens\[1\]: must be bytes or None, not int"),
        (b"ab", [0], {}, "tokens: must be a sequence of bytes or None, not bytes"),
        ({b"a": 0}, [0], {}, "tokens: must be a sequence"),
        ([b"a", None], [1], {"<x>": 2}, r"special_tokens\['<x>'\]: id 2 is outside 0\.\.1"),
        ([b"a", None], [1], {"": 0}, "special_tokens: a name must be a non-empty str"),
        ([b"a", None], [1], {3: 0}, "special_tokens: a name must be a non-empty str"),
    ],
)
def test_bad_input_is_refused(tokens: Any, eos: Any, special: Any, message: str) -> None:
    with pytest.raises(VocabularyError, match=message) as caught:
        Vocabulary(tokens, eos, special_tokens=special)
    assert isinstance(caught.value, GramspecError)


def test_wider_head() -> None:
    v = small()
    wide = v.with_size(16)
    assert len(wide) == 16
    assert wide.tokens == v.tokens + (None,) * 6
    assert (wide.eos_ids, wide.special_tokens) == (v.eos_ids, v.special_tokens)
    assert wide.fingerprint != v.fingerprint
    assert v.with_size(10) is v
    with pytest.raises(VocabularyError, match=r"size 9 is smaller than highest id \+ 1 = 10"):
        v.with_size(9)


def test_equal_content_is_equal() -> None:
    assert small() == small()
    assert hash(small()) == hash(small())
    assert small() != "vocabulary"
    assert len({small(), small()}) == 1


def test_copies_and_pickles() -> None:
    v = small()
    for twin in (copy.deepcopy(v), pickle.loads(pickle.dumps(v))):
        assert twin == v
        assert twin.tokens == v.tokens


def test_fingerprint_is_stable_across_processes() -> None:
    code = (
        "from gramspec.vocabulary import Vocabulary;"
        "print(Vocabulary([b'a', None], [1], special_tokens={'</s>': 1, '<x>': 1}).fingerprint)"
    )
    runs = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout}
    runs.add(Vocabulary([b"a", None], [1], special_tokens={"<x>": 1, "</s>": 1}).fingerprint + "\n")
    assert len(runs) == 1


def test_importing_stays_light() -> None:
    heavy = ("torch", "transformers", "tokenizers", "tiktoken", "sentencepiece", "mistral_common")
    code = f"import sys, gramspec.vocabulary; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_fingerprint_sees_where_tokens_end() -> None:
    tables: list[list[bytes | None]] = [[b"ab", b"c"], [b"a", b"bc"], [b"abc", None], [None, b"abc"]]
    assert len({Vocabulary([*t, None], [2]).fingerprint for t in tables}) == 4
    names = [{"ab": 0, "c": 1}, {"a": 0, "bc": 1}, {"ab": 1, "c": 0}]
    assert len({Vocabulary([None] * 3, [2], special_tokens=n).fingerprint for n in names}) == 3


tables = st.lists(st.none() | st.binary(max_size=3), min_size=1, max_size=6)


@st.composite
def contents(draw: st.DrawFn) -> tuple[list[bytes | None], list[int], dict[str, int]]:
    table = draw(tables)
    ids = st.integers(0, len(table) - 1)
    eos = draw(st.lists(ids, min_size=1, max_size=3))
    return table, eos, draw(st.dictionaries(st.text(min_size=1, max_size=2), ids, max_size=2))


def normal_form(content: tuple[list[bytes | None], list[int], dict[str, int]]) -> Any:
    table, eos, special = content
    mute = {*eos, *special.values()}
    return [t or None if i not in mute else None for i, t in enumerate(table)], sorted(set(eos)), special


@given(contents(), contents())
def test_fingerprint_is_equal_exactly_when_content_is(a: Any, b: Any) -> None:
    v, w = (Vocabulary(c[0], c[1], special_tokens=c[2]) for c in (a, b))
    assert (v.fingerprint == w.fingerprint) == (normal_form(a) == normal_form(b))


@given(contents(), st.data())
def test_decode_law(content: Any, data: st.DataObject) -> None:
    v = Vocabulary(content[0], content[1], special_tokens=content[2])
    ids = data.draw(st.lists(st.integers(0, len(v) - 1), max_size=8))
    cut = data.draw(st.integers(0, len(ids)))
    assert v.decode(ids) == v.decode(ids[:cut]) + v.decode(ids[cut:])
    assert v.decode([*v.eos_ids, *v.special_tokens.values()]) == b""
