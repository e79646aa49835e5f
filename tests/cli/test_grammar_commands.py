"""`gramspec compile`, `sample` and `check`: what is written where, exit codes, refusals, examples."""

from __future__ import annotations

import io
import json
import re
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

pytest.importorskip("typer")

import gramspec as gs
from gramspec.cli import check as check_module
from gramspec.cli import main
from gramspec.cli.places import json_pointer, spot
from gramspec.cli.sources import Source
from gramspec.grammar.core import Grammar, Place

ROOT = Path(__file__).parents[2]
USER = str(ROOT / "examples/user.schema.json")
TOKENIZER = str(ROOT / "gramspec/models/embedded/tokenizer.json")
MARIA = '{"name":"Maria","age":41,"email":"maria@x.org","active":true}'


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def file(tmp_path: Path):
    def write(name: str, content: str) -> str:
        path = tmp_path / name
        path.write_text(content, "utf-8")
        return str(path)

    return write


# -- stored grammars ----------------------------------------------------------------------------------


def test_a_compiled_grammar_is_stored_and_taken_as_a_grammar(capsys, tmp_path):
    path = str(tmp_path / "user.gramspec")
    options = ("--vocabulary", TOKENIZER, "--eos", "<|eos|>", "--json")
    code, out, err = call(capsys, "compile", USER, *options, "--output", path)
    assert code == 0, err
    described = json.loads(out)
    code, out, err = call(capsys, "compile", path, *options)
    assert code == 0, err
    assert json.loads(out)["fingerprint"] == described["fingerprint"]
    assert call(capsys, "check", path, MARIA)[0] == 0
    code, out, _ = call(capsys, "check", path, "--kind", "compiled", MARIA.replace("41", "410"))
    assert code == 1 and "line 1, column 25 (byte 24)" in out
    Path(path).write_bytes(Path(path).read_bytes()[:-1])
    code, out, err = call(capsys, "check", path, MARIA)
    assert code == 2 and not out and "SerialisationError: digest: the bytes are damaged" in err


def test_a_grammar_is_stored_for_a_vocabulary(capsys, tmp_path):
    code, out, err = call(capsys, "compile", USER, "--output", str(tmp_path / "x.gramspec"))
    assert code == 2 and not out and "say for which vocabulary, with --vocabulary" in " ".join(err.split())
    code, _, err = call(capsys, "check", str(tmp_path / "none.gramspec"), "x")
    assert code == 2 and "none.gramspec" in err


# -- check --------------------------------------------------------------------------------------------


def test_check_says_yes_with_0_and_no_with_1(capsys):
    code, out, err = call(capsys, "check", USER, MARIA)
    assert code == 0 and err == "" and out.startswith("belongs: ") and f"all {len(MARIA)} bytes" in out
    code, out, err = call(capsys, "check", USER, MARIA.replace("41", "410"))
    assert code == 1 and err == ""
    lines = out.splitlines()
    assert lines[0] == "does not belong: it leaves the grammar at line 1, column 25 (byte 24), in /age."
    column = lines[2].index("^")
    assert lines[1][column - 2 : column + 1] == "410"
    assert lines[3].startswith("allowed here: ") and "','" in lines[3] and "'0'" not in lines[3]
    rest = lines[4].removeprefix("a short way to finish from here: ")
    assert gs.json_schema(Path(USER).read_text("utf-8")).accepts(MARIA[:24] + rest)


def test_check_says_where_a_text_ends_too_early(capsys):
    code, out, _ = call(capsys, "check", USER, MARIA[:40])
    assert code == 1 and "it ends too early, at line 1, column 41 (byte 40), in /email." in out
    code, out, _ = call(capsys, "check", USER, "")
    assert code == 1 and "byte 0), in the root value" in out and "allowed here: '{'" in out


def test_check_in_json(capsys):
    code, out, _ = call(capsys, "check", "regex:[a-c]{2}é?", "aß", "--json")
    answer = json.loads(out)
    assert code == 1
    assert answer == {
        "belongs": False,
        "verdict": "leaves",
        "bytes": 3,
        "byte": 1,
        "line": 1,
        "column": 2,
        "allowed": {"characters": [["a", "c"]], "bytes": [], "complete": True, "end": False},
        "completion": "a",
    }
    code, out, _ = call(capsys, "check", "regex:[a-c]{2}é?", "ab", "--json")
    assert code == 0 and json.loads(out) == {"belongs": True, "verdict": "member", "bytes": 2}


def test_check_reads_every_byte_of_a_file(capsys, file, monkeypatch):
    text = file("text.txt", "a\nb\nxy\n")
    code, out, _ = call(capsys, "check", r"regex:(?:[ab]\n)*", "--file", text)
    assert code == 1 and "line 3, column 1 (byte 4)" in out
    assert "\n    xy\n    ^\n" in out
    code, _, _ = call(capsys, "check", r"regex:(?:[abxy]+\n)*", "--file", text)
    assert code == 0
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a\xffb")))
    code, out, _ = call(capsys, "check", "regex:a.*", "--file", "-", "--json")
    assert code == 1 and json.loads(out)["byte"] == 1


def test_check_names_the_predicate_that_says_no(capsys, monkeypatch):
    class Unique:
        places = (Place("/uniqueItems", "uniqueItems", "for the test"),)
        key = "unique"

        def holds(self, text: bytes) -> bool:
            items = json.loads(text)
            return len(set(items)) == len(items)

        def explain(self, text: bytes) -> list[tuple[str, Place]]:
            return [("/1", self.places[0])]

        def reading(self) -> None:
            return None

    schema = {"type": "array", "items": {"type": "integer"}}
    grammar = Grammar(gs.json_schema(schema).expr, residuals=(Unique(),))
    monkeypatch.setattr(
        check_module, "read_grammar", lambda request: Source(grammar, "json-schema", "x.json", "")
    )
    code, out, _ = call(capsys, "check", "x.json", "[4,4]")
    assert code == 1 and "in /1, by uniqueItems of /uniqueItems" in out
    code, out, _ = call(capsys, "check", "x.json", "[4,4]", "--json")
    assert json.loads(out)["refused_by"] == [
        {
            "pointer": "/uniqueItems",
            "keyword": "uniqueItems",
            "reason": "for the test",
            "where": "/1",
            "byte": None,
        }
    ]
    assert call(capsys, "check", "x.json", "[4,5]")[0] == 0


def test_check_says_where_a_residual_predicate_fails(capsys, file):
    schema = file("unique.json", '{"type": "array", "items": {"type": "array", "uniqueItems": true}}')
    code, out, _ = call(capsys, "check", schema, "[[1,2],[1,1.0]]")
    assert code == 1 and "in /1, by uniqueItems of /items/uniqueItems" in out
    code, out, _ = call(capsys, "check", schema, "[[1,1],[1,")
    assert code == 1 and "line 1, column 6 (byte 5): no continuation will do" in out
    assert out.splitlines()[2].index("^") == len("    [[1,1")
    assert call(capsys, "check", schema, "[[1,2],[1,2]]")[0] == 0


def test_options_of_schemas_reach_the_front_end(capsys, file):
    schema = file("s.json", '{"properties": {"a": {"type": "integer"}, "b": {}}, "type": "object"}')
    text = '{"b":1,"a":2}'
    assert call(capsys, "check", schema, text)[0] == 1
    assert call(capsys, "check", schema, text, "--property-order", "any")[0] == 0
    assert call(capsys, "check", schema, '{ "a":2}')[0] == 0
    assert call(capsys, "check", schema, '{ "a":2}', "--whitespace", "compact")[0] == 1
    assert call(capsys, "check", schema, '{  "a":2}', "--whitespace", "1")[0] == 1
    dated = file("dated.json", '{"type": "string", "format": "date"}')
    assert call(capsys, "check", dated, '"x"', "--formats", "annotate")[0] == 0
    old = file("old.json", '{"type": "integer", "minimum": 3, "exclusiveMinimum": true}')
    assert call(capsys, "check", old, "3", "--draft", "4")[0] == 1
    assert call(capsys, "check", old, "4", "--draft", "4")[0] == 0


def test_kinds_of_grammars(capsys, file, monkeypatch):
    assert call(capsys, "check", file("p.regex", "[ab]+\n"), "ab")[0] == 0
    assert call(capsys, "check", file("p.ecma", r"\p{Lu}+"), "Ä")[0] == 0
    choice = file("c.choice", "one\ntwo words\n")
    assert call(capsys, "check", choice, "two words")[0] == 0
    assert call(capsys, "check", choice, "")[0] == 1
    assert call(capsys, "check", file("noname", "true"), "5", "--kind", "json-schema")[0] == 0
    monkeypatch.setattr("sys.stdin", io.StringIO('{"const": [1]}'))
    assert call(capsys, "check", "-", "[1]", "--kind", "json-schema")[0] == 0


# -- sample -------------------------------------------------------------------------------------------


def test_samples_are_members_and_reproducible(capsysbinary):
    def lines(*arguments: str) -> list[bytes]:
        assert main(["sample", USER, *arguments]) == 0
        out, err = capsysbinary.readouterr()
        assert err == b""
        return out.splitlines()

    grammar = gs.json_schema(Path(USER).read_text("utf-8"), whitespace="compact")
    first = lines("--n", "20", "--seed", "3", "--whitespace", "compact", "--length", "90")
    assert len(first) == 20 and all(map(grammar.accepts, first)) and max(map(len, first)) <= 90
    assert first == lines("--n", "20", "--seed", "3", "--whitespace", "compact", "--length", "90")
    uniform = lines("--n", "5", "--uniform", "--max-length", "60", "--whitespace", "compact", "--jsonl")
    texts = [json.loads(line)["text"] for line in uniform]
    assert all(map(grammar.accepts, texts)) and max(len(text.encode()) for text in texts) <= 60


def test_samples_that_are_no_text(capsysbinary, monkeypatch):
    from gramspec.cli import sample

    grammar = gs.literal(b"a\xff")
    monkeypatch.setattr(sample, "read_grammar", lambda request: Source(grammar, "regex", "x", ""))
    assert main(["sample", "x", "--n", "1"]) == 0
    assert capsysbinary.readouterr().out == b"a\xff\n"
    assert main(["sample", "x", "--n", "1", "--jsonl"]) == 0
    assert json.loads(capsysbinary.readouterr().out) == {"hex": "61ff"}


# -- compile ------------------------------------------------------------------------------------------


def test_compile_explains_a_schema(capsys, tmp_path):
    picture = tmp_path / "user.svg"
    code, out, err = call(capsys, "compile", USER, "--svg", str(picture))
    assert code == 0 and err == ""
    for words in ("nodes", "shortest", "sample", "frame: object", "automaton", "Ambiguity", "infinite"):
        assert words in out
    assert ET.parse(picture).getroot().tag.endswith("svg")


def test_compile_in_json(capsys):
    code, out, _ = call(capsys, "compile", "regex:(a|ab)(bc|c)", "--json")
    facts = json.loads(out)
    assert code == 0 and facts["kind"] == "regex" and facts["compiled"] is None
    assert (facts["extent"], facts["members"]) == ("finite", 3)
    assert facts["shortest"] == ["ac", "abc", "abbc"] and len(facts["samples"]) == 5
    assert facts["ambiguity"]["witnesses"] == [{"kind": "sequence", "text": "abc"}]
    assert facts["alphabet"] == [97, 98, 99] and facts["residuals"] == []
    code, again, _ = call(capsys, "compile", "regex:(a|ab)(bc|c)", "--json")
    assert again == out


def test_compile_says_keyword_by_keyword_what_enforces_it(capsys, file):
    schema = {
        "type": "object",
        "properties": {
            "tags": {"type": "array", "uniqueItems": True, "items": {"$ref": "#/$defs/tag"}},
            "when": {"format": "date"},
            "x": {"format": "nonsense"},
        },
        "required": ["tags"],
        "$defs": {"tag": {"maxLength": 5}, "unused": {"minLength": 1}},
        "dependencies": {"x": ["when"]},
        "divisibleBy": 3,
    }
    path = file("s.json", json.dumps(schema))
    code, out, err = call(capsys, "compile", path, "--json")
    assert code == 0, err
    facts = json.loads(out)
    assert {(k["pointer"], k["by"]) for k in facts["keywords"]} == {
        ("/type", "automaton"),
        ("/properties", "object frame"),
        ("/required", "object frame"),
        ("/dependencies", "object frame"),
        ("/properties/tags/type", "automaton"),
        ("/properties/tags/uniqueItems", "residual predicate"),
        ("/properties/tags/items", "automaton"),
        ("/$defs/tag/maxLength", "automaton"),
        ("/properties/tags/items/$ref", "automaton"),
        ("/properties/when/format", "automaton"),
        ("/properties/x/format", "nothing: annotation"),
    }
    assert [place["keyword"] for place in facts["residuals"]] == ["uniqueItems"]
    code, out, _ = call(capsys, "compile", path, "--json", "--formats", "annotate", "--draft", "2020-12")
    by = {k["pointer"]: k["by"] for k in json.loads(out)["keywords"]}
    assert by["/properties/when/format"] == "nothing: annotation" and "/dependencies" not in by
    code, out, _ = call(capsys, "compile", path)
    assert code == 0 and "object frame: keywords" in out and "/properties/tags/uniqueItems" in out


def test_compile_for_a_vocabulary(capsys, tmp_path):
    pytest.importorskip("mistral_common")
    code, out, _ = call(capsys, "compile", "regex:(yes|no), [0-9]+", "--vocabulary", "tekken", "--json")
    figures = json.loads(out)["compiled"]
    assert code == 0 and figures["tokens"] == 131_072 and figures["masks_exact"]
    assert figures["first_tokens"] == 5, "y, ye, yes, n, no"
    code, out, _ = call(capsys, "compile", "regex:yes", "--vocabulary", "tekken")
    assert code == 0 and "131072 tokens" in out and "yes in every member" in out


def test_compile_for_a_tokenizer_file(capsys):
    pytest.importorskip("tokenizers")
    code, out, err = call(
        capsys, "compile", "regex:[ab]+", "--vocabulary", TOKENIZER, "--eos", "<|eos|>", "--json"
    )
    assert code == 0, err
    assert json.loads(out)["compiled"]["tokens"] > 256


# -- refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "regex:a("], ["TEXT, --file", "exactly one"]),
        (["check", "regex:a(", "x"], ["GrammarError", "@1", "^"]),
        (["check", "regex:a", "x", "--file", "y"], ["exactly one"]),
        (["check", "regex:a", "--file", "no-such-file"], ["--file no-such-file"]),
        (["check", "-", "--file", "-", "--kind", "regex"], ["stdin is the grammar already"]),
        (["check", "no-such.json", "1"], ["GRAMMAR no-such.json"]),
        (["check", "grammar.xyz", "1"], ["grammar.xyz", "--kind json-schema"]),
        (["check", "-", "1"], ["stdin", "--kind regex"]),
        (["check", "x.json", "1", "--kind", "yacc"], ["--kind yacc", "json-schema, regex"]),
        (["check", USER, "1", "--draft", "5"], ["draft"]),
        (["check", USER, "1", "--property-order", "random"], ["property_order", "random"]),
        (["sample", "regex:a", "--n", "0"], ["--n 0"]),
        (["sample", "regex:a", "--length", "-1"], ["length=-1"]),
        (["sample", "regex:a", "--max-length", "3"], ["--max-length", "--uniform"]),
        (["sample", "regex:a", "--uniform", "--length", "3"], ["--length", "--max-length"]),
        (["sample", "regex:a", "--seed", "-5"], ["seed=-5"]),
        (["sample", "regex:a{50}", "--uniform"], ["max_length=40", "50 bytes"]),
        (["compile", "regex:[^\\d\\D]"], ["EmptyLanguageError"]),
        (["compile", "regex:a", "--seed", "-5"], ["--seed -5"]),
        (["compile", "regex:a", "--svg", "no/such/folder/x.svg"], ["--svg no/such/folder/x.svg"]),
        (["compile", "regex:ab[cd]e*", "--svg", "x.svg", "--max-boxes", "1"], ["LimitError", "max_boxes"]),
        (["compile", "regex:a", "--vocabulary", "no-such.json"], ["--vocabulary no-such.json"]),
        (["compile", "regex:a", "--vocabulary", TOKENIZER], ["needs --eos"]),
        (["compile", "regex:a", "--vocabulary", TOKENIZER, "--eos", "x y"], ["--eos x y", "no such token"]),
        (["compile", "regex:a", "--vocabulary", USER], ["--vocabulary", "neither a Tekken file"]),
    ],
)
def test_refusals_name_the_place_and_exit_with_2_or_3(capsys, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(capsys, *arguments)
    assert code == (3 if "LimitError" in words else 2) and out == ""
    for word in words:
        assert word in err
    assert "Traceback" not in err and not list(tmp_path.iterdir())


def test_a_bad_schema_names_its_pointer(capsys, file):
    schema = file("bad.json", '{"properties": {"a": {"type": 5}}}')
    for command in (["check", schema, "1"], ["sample", schema], ["compile", schema]):
        code, out, err = call(capsys, *command)
        assert code == 2 and out == "" and "/properties/a" in err


# -- places and examples ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefix", "pointer"),
    [
        ("", ""),
        ('{"a', ""),
        ('{"a": ', "/a"),
        ('{"a": [1, {"b/~": "x', "/a/1/b~1~0"),
        ('{"a": [1, {"b": 2}, ', "/a/2"),
        ('{"a": {"b": "}]\\"{"}, "\\u0063": ', "/c"),
        ('{"a": 1, ', ""),
        ('{"a": 1', "/a"),
        ('{"a": "x"', ""),
        ('{"a": [{"b": "x" ', "/a/0"),
        ('{"a": [{"b": "x"} ', "/a"),
        ('{"a": [{"b": "x"}, "y"], "c": ', "/c"),
        ('"x"', ""),
        ("[[], [[", "/1/0/0"),
    ],
)
def test_json_pointers_of_prefixes(prefix, pointer):
    assert json_pointer(prefix.encode()) == pointer


def test_spots_count_characters_and_show_one_line():
    text = "one\ntwö\t漢x".encode()
    place = spot(text, text.index(b"x"))
    assert (place.line, place.column, place.shown) == (2, 6, "twö␉漢x")
    assert place.caret == " " * 6 + "^", "a wide character takes two columns"
    far = spot(b"a" * 500, 400)
    assert far.column == 401 and far.shown == "…" + "a" * 90 + "…" and far.caret == " " * 61 + "^"


@pytest.mark.parametrize("command", ["compile", "sample", "check"])
def test_help_shows_an_example_that_works_as_typed(capsys, tmp_path, command):
    assert main([command, "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    found = re.search(rf"Example: gramspec ({command} .*)$", text)
    assert found is not None
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    done = subprocess.run(
        [sys.executable, "-m", "gramspec.cli", *shlex.split(found[1])],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_grammar_files_of_llama_cpp_and_xgrammar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "list.gbnf"
    path.write_text('root ::= ("* " item)+\nitem ::= "\\x415" "\\n"', "utf-8")
    assert call(capsys, "check", str(path), "* A5\n")[0] == 0
    assert call(capsys, "check", str(path), "A5\n", "--start", "item")[0] == 0
    assert call(capsys, "check", str(path), "\u0415\n", "--start", "item", "--kind", "ebnf")[0] == 0
    code, out, _ = call(capsys, "sample", str(path), "-n", "1", "--length", "4", "--seed", "1")
    assert (code, out[:5]) == (0, "* A5\n")
    code, _, err = call(capsys, "check", str(path), "x", "--start", "itme")
    assert code == 2
    assert "did you mean `item`" in err
