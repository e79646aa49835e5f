"""outlines: types as grammars, the public door, and `backend="gramspec"` by `install`."""

from __future__ import annotations

import copy
import enum
import json
import re
from dataclasses import dataclass
from typing import Any, Literal
from unittest import mock

import pytest
import torch
import transformers

import gramspec as gs
from tests.models.model_networks import VOCAB, network

pytest.importorskip("outlines")
import outlines
import outlines.backends
import outlines.generator
from outlines import types
from outlines.types import dsl
from pydantic import BaseModel, Field


class User(BaseModel, extra="forbid"):
    name: Literal["Ann", "Bo"]
    age: int = Field(ge=18, le=20)


class Colour(enum.Enum):
    RED = "red"
    GREEN = "dark green"


@dataclass
class Point:
    x: int


ARITHMETIC = """
start: sum
sum: NUMBER ("+" NUMBER)*
NUMBER: /[0-9]/
"""
MODES: list[dict[str, Any]] = [
    {},
    {"num_beams": 3},
    {"num_beams": 2, "num_return_sequences": 2},
    {"do_sample": True, "num_return_sequences": 3},
    {"assistant_model": True},
    {"assistant_model": True, "do_sample": True},
    {"prompt_lookup_num_tokens": 3},
]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def pair() -> Any:
    return gs.models.embedded()


@pytest.fixture(scope="module")
def model(pair: Any) -> Any:
    return outlines.from_transformers(pair[0].model, pair[0].tokenizer)


@pytest.fixture
def installed() -> Any:
    gs.outlines.install()
    yield
    gs.outlines.uninstall()


def all_texts(answer: Any) -> list[str]:
    return [answer] if isinstance(answer, str) else [text for part in answer for text in all_texts(part)]


# ------------------------------------------------------------------------------------------- types

TYPES: list[tuple[Any, list[str], list[str]]] = [
    (int, ["-12", "0"], ["01", "1.5", ""]),
    (Literal["a.b", "c|d"], ["a.b", "c|d"], ["axb", "c"]),
    (Colour, ["red", "dark green"], ["RED", "dark"]),
    (types.Choice(["x", 7]), ["x", "7"], ["8"]),
    (types.regex("(?i)ab|c"), ["Ab", "C"], ["b"]),
    (types.regex("[ab]{2}") + "!", ["ab!"], ["ab", "abc!"]),
    (types.at_most(2, types.regex("a|b")), ["", "ab"], ["aba"]),
    (list[int], ["[1, 2]", "[3]"], ["[1,2]", "[]"]),
    (types.cfg(ARITHMETIC), ["1", "1+2+3"], ["1+", "12"]),
    (types.cfg('start: "n=" %json {"type": "integer"}'), ["n=1"], ["n=1.5"]),
    (User, ['{"name": "Bo", "age": 19}'], ['{"name": "Bo", "age": 21}', '{"name": "Bo"}']),
    (Point, ['{"x": 4}'], ['{"x": 4.5}', "4"]),
    (types.JsonSchema({"type": "array"}, whitespace_pattern="\n?"), ["[\n1]"], ["[ 1]", "[\n\n1]"]),
    # Nested: outlines itself would drop the bounds.
    (types.either(types.JsonSchema({"minimum": 3, "type": "integer"}), "none"), ["3", "none"], ["2"]),
    (
        types.exactly(2, types.json_schema(json.dumps({"enum": [1, 2]}))) + "!",
        ["12!"],
        ["1!", "3!", "12"],
    ),
    ("a: " + types.cfg(ARITHMETIC).optional(), ["a: ", "a: 1+1"], ["a: +"]),
    (types.Choice([User, "?"]), ["?", '{"name":"Ann","age":18}'], ['{"name":"Ann","age":1}']),
    (gs.regex("q+"), ["qq"], ["", "p"]),
]


@pytest.mark.parametrize(("output_type", "members", "others"), TYPES, ids=lambda value: str(value)[:30])
def test_types_as_grammars(output_type: Any, members: list[str], others: list[str]) -> None:
    grammar = gs.outlines.grammar(output_type)
    assert [grammar.accepts(text) for text in members] == [True] * len(members)
    assert [grammar.accepts(text) for text in others] == [False] * len(others)


def test_types_of_outlines_are_read_as_python_reads_them() -> None:
    samples = ["0", "-1", "1.5e3", '"a b"', "2024-02-30", "23:59:59", "True", "::1", "1.2.3.4", "1.2.3-a"]
    samples += ["a@b.co", "#aBc", "ABCDEF12", "x-y", "DE89370400440532013000", "+4912", "90.0", "Hi there."]
    samples += ["978-0-596-52068-7", "ISBN 0-596-52068-9", "4111111111111111", " ", "é", "00:1A:2b:3c:4d:5e"]
    terms = {n: t for n in types.__all__ if isinstance(t := getattr(types, n), dsl.Regex)}
    assert len(terms) > 25
    for name, term in terms.items():
        grammar = gs.outlines.grammar(term)
        for text in samples:
            assert grammar.accepts(text) == bool(re.fullmatch(term.pattern, text)), (name, text)


def test_types_that_are_refused() -> None:
    with pytest.raises(gs.GrammarError, match="outlines knows no texts of"):
        gs.outlines.grammar(object())
    with pytest.raises(gs.GrammarError, match=r"read as Lark.*\n?.*gs\.gbnf"):
        gs.outlines.grammar(types.cfg('root ::= "a"'))
    with pytest.raises(gs.GrammarError, match=r"rule `b` is used but not defined"):
        gs.outlines.grammar(types.cfg("start: b"))
    with pytest.raises(gs.GrammarError, match=r"bad escape(.|\n)*dialect='ecma'"):
        gs.outlines.grammar(types.regex(r"\p{L}+"))
    with pytest.raises(gs.UnsupportedError, match="residual predicates hold of whole texts"):
        gs.outlines.grammar(types.exactly(2, types.JsonSchema({"type": "array", "uniqueItems": True})))
    with pytest.raises(gs.GrammarError, match=r"/\$ref"):
        gs.outlines.grammar(types.JsonSchema({"$ref": "#/definitions/none"}))


# --------------------------------------------------------------------------------------- processor


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_the_public_door(model: Any, pair: Any, mode: dict[str, Any]) -> None:
    options = {**mode, "assistant_model": pair[1].model} if "assistant_model" in mode else mode
    torch.manual_seed(1)
    generator = outlines.Generator(model, processor=gs.outlines.processor(model, User))
    for _ in range(2):
        answer = generator("A JSON profile of Ann: ", max_new_tokens=30, **options)
        for text in all_texts(answer):
            User.model_validate_json(text)
    if "assistant_model" not in mode and "prompt_lookup_num_tokens" not in mode:
        for text in all_texts(
            generator.batch(["A: ", "A much longer prompt: "], max_new_tokens=30, **options)
        ):
            User.model_validate_json(text)


def test_texts_end_within_the_call(model: Any) -> None:
    torch.manual_seed(2)
    generator = outlines.Generator(model, processor=gs.outlines.processor(model, types.regex("[a-z]{3,}!")))
    for size in (5, 9, 14):
        for text in generator("w", max_new_tokens=size, do_sample=True, num_return_sequences=4):
            assert re.fullmatch("[a-z]{3,}!", text)
    cut = gs.outlines.processor(model, types.regex("[a-z]{30}!"), max_new_tokens=None)
    assert re.fullmatch("[a-z]+", outlines.Generator(model, processor=cut)("w", max_new_tokens=3))
    with pytest.raises(gs.BudgetTooSmallError, match="max_new_tokens=3"):
        outlines.Generator(model, processor=gs.outlines.processor(model, User))("w", max_new_tokens=3)


def test_compiled_grammars(model: Any) -> None:
    compiled = gs.compile(gs.choice(["yes", "no"]), gs.outlines.vocabulary(model))
    assert outlines.Generator(model, processor=gs.outlines.processor(model, compiled))("Is it? ") in (
        "yes",
        "no",
    )
    other = gs.compile(gs.choice(["a"]), gs.Vocabulary([b"a", None], [1]))
    with pytest.raises(gs.OptionError, match="compiled for another vocabulary"):
        gs.outlines.processor(model, other)


def test_a_law_of_gramspec_inside_of_outlines(model: Any, pair: Any) -> None:
    decode = gs.transformers.generate(
        gs.outlines.grammar(User), tokenizer=pair[0].tokenizer, draft=pair[1], law="masked", seed=1
    )
    answer = outlines.Generator(model)(
        "A JSON profile of Bo: ", custom_generate=decode, do_sample=True, top_k=0, max_new_tokens=30
    )
    User.model_validate_json(answer)


def test_tokens_that_outlines_itself_misreads() -> None:
    """A decoder that turns ▁ into a space, as Gemma's: outlines counts that space twice."""
    from tokenizers import Tokenizer, decoders, models

    pieces = ["<pad>", "<bos>", "<eos>", "a", "b", "▁a", "▁b", "<0x20>", "▁"]
    inner = Tokenizer(models.BPE({p: i for i, p in enumerate(pieces)}, [], byte_fallback=True))
    inner.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>"
    )
    model = outlines.from_transformers(network("llama"), tokenizer)
    assert model.tokenizer.convert_token_to_string("▁b") == "  b"
    assert gs.outlines.vocabulary(model).tokens[6] == b" b"
    assert len(gs.outlines.vocabulary(model)) < VOCAB  # the logits are wider than the tokenizer
    torch.manual_seed(3)
    generator = outlines.Generator(model, processor=gs.outlines.processor(model, types.regex("a( b){2}")))
    assert set(generator("ab", max_new_tokens=9, do_sample=True, num_return_sequences=5)) == {"a b b"}


class LlamaCpp:
    """Another sort of model."""


@pytest.mark.parametrize(
    "make", [gs.outlines.processor, lambda m, t: gs.outlines.Backend(m)], ids=["door", "backend"]
)
def test_other_models_are_refused_by_name(make: Any, pair: Any) -> None:
    for other, name in (
        (LlamaCpp(), "LlamaCpp: llama.cpp"),
        (pair[0].model, "ForCausalLM: gramspec's masks"),
    ):
        with pytest.raises(gs.OptionError, match=name):
            make(other, int)


# ----------------------------------------------------------------------------------------- install


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_the_installed_backend(model: Any, pair: Any, installed: Any, mode: dict[str, Any]) -> None:
    options = {**mode, "assistant_model": pair[1].model} if "assistant_model" in mode else mode
    torch.manual_seed(4)
    for output_type in (User, Colour, types.regex("[0-9]{2}-[a-f]{2}"), types.cfg(ARITHMETIC), bool):
        grammar = gs.outlines.grammar(output_type)
        for text in all_texts(model("A: ", output_type, "gramspec", max_new_tokens=30, **options)):
            assert grammar.accepts(text), text
    if "assistant_model" not in mode and "prompt_lookup_num_tokens" not in mode:
        answers = model.batch(["A: ", "A longer one: "], User, "gramspec", max_new_tokens=30, **options)
        for text in all_texts(answers):
            User.model_validate_json(text)


def test_the_backend_through_its_functions(model: Any, installed: Any) -> None:
    for made, member, other in (
        (outlines.backends.get_regex_logits_processor("gramspec", model, "a|bc"), "bc", "b"),
        (outlines.backends.get_cfg_logits_processor("gramspec", model, ARITHMETIC), "1+1", "1+"),
        (outlines.backends.get_json_schema_logits_processor("gramspec", model, "{}", "\n?"), "[\n1]", "[ 1]"),
    ):
        grammar = made.compiled.grammar
        assert isinstance(made, gs.GrammarLogitsProcessor)
        assert grammar.accepts(member) and not grammar.accepts(other)


def test_install_changes_nothing_else(model: Any) -> None:
    places = [
        (outlines.backends, "_get_backend"),
        (outlines.generator.SteerableGenerator, "__init__"),
        (outlines.generator.BlackBoxGenerator, "__init__"),
        (outlines.generator.AsyncBlackBoxGenerator, "__init__"),
    ]
    before = [owner.__dict__[name] for owner, name in places]
    for _ in range(2):
        assert not gs.outlines.is_installed()
        gs.outlines.uninstall()  # nothing to do
        gs.outlines.install()
        gs.outlines.install()
        assert gs.outlines.is_installed()
        with mock.patch.object(outlines.backends, "OutlinesCoreBackend") as core:
            outlines.Generator(model, int, "outlines_core")
            core.assert_called_once_with(model)
        assert isinstance(model("n: ", max_new_tokens=2), str)
        with pytest.raises(ValueError, match="Backend nothing not supported"):
            model("n: ", int, "nothing")
        gs.outlines.uninstall()
        assert [owner.__dict__[name] for owner, name in places] == before
    with pytest.raises(ValueError, match="Backend gramspec not supported"):
        model("n: ", int, "gramspec")


def test_models_for_which_outlines_drops_the_backend(installed: Any) -> None:
    class Steered(outlines.models.vllm_offline.VLLMOffline):
        def __init__(self) -> None: ...

    assert outlines.Generator(Steered(), int) is not None
    with pytest.raises(gs.OptionError, match="of the models of outlines, gramspec steers Transformers"):
        outlines.Generator(Steered(), int, "gramspec")


def test_install_is_refused_where_outlines_is_another() -> None:
    before = copy.copy(outlines.backends.__dict__)
    with (
        mock.patch("outlines._version.__version__", "1.4.0"),
        pytest.raises(gs.OptionError, match=r"outlines 1\.4\.0: .*\n.*hint: outlines\.Generator"),
    ):
        gs.outlines.install()
    with (
        mock.patch.object(outlines.backends, "_get_backend", lambda name: None),
        pytest.raises(gs.OptionError, match=r"_get_backend is not the function of outlines 1\.3"),
    ):
        gs.outlines.install()
    assert not gs.outlines.is_installed() and outlines.backends.__dict__ == before
    gs.outlines.install()
    with (
        mock.patch.object(outlines.backends, "_get_backend", lambda name, model: None),
        pytest.raises(gs.OptionError, match="replaced by somebody else"),
    ):
        gs.outlines.uninstall()
    assert gs.outlines.is_installed()
    gs.outlines.uninstall()
