"""The playground's answers: those of the audit where exact, else within bounds; places of errors."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import gramspec as gs
from gramspec.integrations.server.playground.comparing import tv_bounds
from gramspec.integrations.server.playground.grammars import offset_of
from tests.integrations.server_world import Client, served

PATTERN = r"(Positive|Negative|Neutral)\.?"
PROMPT = 'Sentiment of "I love this guitar": positive, negative or neutral?\n'
SENTIMENT: dict[str, Any] = {
    "grammar": {"kind": "regex", "text": PATTERN},
    "prompt": PROMPT,
    "max_new_tokens": 8,
    "temperature": 1.3,
}
DICE = {
    "grammar": {"kind": "regex", "text": r"\[([7-9]|1[0-2])(,([7-9]|1[0-2]))?\]"},
    "prompt": "Roll 2 dice. Answer with a JSON array.\n",
    "max_new_tokens": 8,
    "temperature": 1.5,
}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with served() as found:
        yield found


def ask(client: Client, path: str, **body: Any) -> Any:
    return client.ask("POST", f"/playground/{path}", json=body)


def answer(client: Client, path: str, **body: Any) -> Any:
    found = ask(client, path, **body)
    assert found.status_code == 200, found.text
    return found.json()


def refused(client: Client, path: str, **body: Any) -> Any:
    found = ask(client, path, **body)
    assert found.status_code == 400, found.text
    return found.json()["error"]


@pytest.fixture(scope="module")
def laws() -> dict[str, Any]:
    target, _ = gs.models.embedded()
    options = {"vocabulary": target.vocabulary, "prompt": target.encode(PROMPT), "temperature": 1.3}
    return {
        law: gs.audit.exact_law(target, gs.regex(PATTERN), 8, law=law, **options)
        for law in ("conditional", "masked")
    }


# -- the page --------------------------------------------------------------------------------------------


def test_page_and_files_need_no_inline_code(client: Client) -> None:
    page = client.ask("GET", "/")
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    assert "unsafe" not in page.headers["content-security-policy"]
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|https?://", page.text)
    for path in set(re.findall(r"/playground/static/[\w.]+", page.text)):
        assert client.ask("GET", path).status_code == 200, path
    script = client.ask("GET", "/playground/static/app.js")
    assert script.headers["content-type"].startswith("text/javascript")
    for name in re.findall(r'from "\./(\w+\.js)"', script.text):
        assert client.ask("GET", f"/playground/static/{name}").status_code == 200, name
    for name in ("nothing.js", "..%2Frouter.py", "index.html"):
        assert client.ask("GET", f"/playground/static/{name}").status_code == 404


def test_with_keys_the_page_is_open_and_its_questions_are_not() -> None:
    with served(api_keys=("secret-key-1",)) as client:
        assert client.ask("GET", "/").status_code == 200
        assert client.ask("GET", "/playground/static/app.js").status_code == 200
        assert client.ask("GET", "/playground/info").status_code == 401
        assert ask(client, "compile", grammar=SENTIMENT["grammar"]).status_code == 401
        found = client.ask("GET", "/playground/info", headers={"authorization": "Bearer secret-key-1"})
        assert found.json()["model"] == "gramspec-embedded"


# -- grammars --------------------------------------------------------------------------------------------


def test_a_grammar_is_described(client: Client) -> None:
    found = answer(client, "compile", grammar=SENTIMENT["grammar"])
    assert found["facts"]["members"] == "6" and found["facts"]["extent"] == "finite"
    assert found["svg"].startswith("<svg") and "style" not in found["svg"] and "Neutral" in found["svg"]
    assert found["compiled"]["masks_exact"] and found["compiled"]["first_tokens"] >= 2


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("json_schema", '{"type": "array", "items": {"enum": [1, 2]}, "uniqueItems": true}'),
        ("choice", "yes\nno"),
        ("lark", 'start: "a" | "b" start'),
        ("gbnf", 'root ::= "a" | "b" root'),
        ("sql", "CREATE TABLE t (a INTEGER, b TEXT)"),
        ("structural_tag", '{"type": "structural_tag", "format": {"type": "const_string", "value": "x"}}'),
    ],
)
def test_every_kind_compiles(client: Client, kind: str, text: str) -> None:
    found = answer(client, "compile", grammar={"kind": kind, "text": text})
    assert found["compiled"]["first_tokens"] >= 1
    assert (found["facts"] is None) == (found["facts_refused"] is not None)


@pytest.mark.parametrize(
    ("kind", "text", "place", "word"),
    [
        ("regex", "ab(", (1, 3), "parenthesis|subpattern"),
        ("lark", 'start: "a" b\n  b: c', (2, 6), "not defined"),
        ("gbnf", 'root ::= "a" |\n b', (2, 2), "not defined"),
        ("sql", "CREATE TABL x (a int)", (1, 8), "syntax error"),
        ("json_schema", '{"type":\n  "objec', (2, 3), "not JSON"),
        ("json_schema", '{"properties": {\n  "a/b": {"type": "strin"}}}', (2, 19), "not the name of a type"),
        ("lark", "start: x\n%import .other.x", (2, 9), "relative imports"),
        ("sql", "sqlite:////etc/passwd", (1, 1), "not opened"),
    ],
)
def test_errors_say_where(client: Client, kind: str, text: str, place: Any, word: str) -> None:
    found = refused(client, "compile", grammar={"kind": kind, "text": text})
    assert re.search(word, found["message"])
    assert (found["details"]["line"], found["details"]["column"]) == place


def test_an_empty_language_is_no_place(client: Client) -> None:
    found = refused(client, "compile", grammar={"kind": "regex", "text": "a(?!a)b(?<!b)"})
    assert found["code"] == "empty_language"


def test_pointers_are_found_in_any_json() -> None:
    text = '{"a": [1, {"b~/": "x\\"}"}], "": {"a": null},\n "k": true, "a": [[], [2]]}'
    for pointer, value in {"": "{", "/a/1/0": "2", "/k": "true", "//a": "null"}.items():
        offset = offset_of(text, pointer) if pointer else 0
        assert offset is not None and text[offset:].startswith(value), pointer
    assert text[offset_of(text, "/a/1/b~0~1") or 0 :].startswith('"x')
    assert offset_of(text, "/nothing") is None and offset_of("{", "/a") is None


@pytest.mark.parametrize(
    ("path", "change", "word"),
    [
        ("compile", {"grammar": {"kind": "xml", "text": ""}}, "kind"),
        ("compile", {"grammar": {"kind": "regex", "text": "a" * 70_000}}, "at most"),
        ("compile", {"grammar": {"kind": "regex", "text": "a"}, "colour": 1}, "no such field"),
        ("step", {"max_new_tokens": 100_000}, "max_new_tokens"),
        ("step", {"temperature": 0}, "temperature"),
        ("step", {"tokens": [999_999]}, "is not in"),
        ("step", {"tokens": [1]}, "does not allow"),
        ("step", {"tokens": [1] * 8}, "no room"),
        ("step", {"prompt": "word " * 600}, "takes"),
        ("trace", {}, "exactly one"),
        ("sample", {"max_new_tokens": 1}, "max_new_tokens"),
        ("compare", {"draws": 1}, "draws"),
    ],
)
def test_bad_questions_are_refused(client: Client, path: str, change: dict[str, Any], word: str) -> None:
    body = change if path == "compile" else SENTIMENT | change
    assert word in refused(client, path, **body)["message"]


def test_half_a_character_is_refused(client: Client) -> None:
    body = b'{"grammar": {"kind": "regex", "text": "\\ud800"}}'
    kind = {"content-type": "application/json"}
    found = client.ask("POST", "/playground/compile", content=body, headers=kind)
    assert found.status_code == 400 and found.json()["error"]["type"] == "invalid_request_error"


# -- tokens ----------------------------------------------------------------------------------------------


def test_the_next_token_has_the_laws_of_the_audit(client: Client, laws: dict[str, Any]) -> None:
    found = answer(client, "step", **SENTIMENT, prefixes=400)
    for law in ("conditional", "masked"):
        expected = laws[law].pushed(lambda ids: ids[0])
        assert {t["id"] for t in found["tokens"]} == set(expected)
        for token in found["tokens"]:
            p = token["masked"] if law == "masked" else token["conditional"]["mean"]
            assert p == pytest.approx(expected[token["id"]], rel=1e-3, abs=1e-9)
    assert {t["phi"]["kind"] for t in found["tokens"]} == {"exact"}
    assert found["phi"]["mean"] == pytest.approx(math.exp(laws["conditional"].log_phi), rel=1e-3)
    assert found["refused"] and not found["accepting"]


def test_what_is_not_listed_is_bounded_and_estimated(client: Client, laws: dict[str, Any]) -> None:
    coarse = answer(client, "step", **SENTIMENT, prefixes=0)
    assert {t["phi"]["kind"] for t in coarse["tokens"]} == {"bounds"}
    rough = answer(client, "step", **SENTIMENT, prefixes=1, runs=64)
    phi = math.exp(laws["conditional"].log_phi)
    first = laws["conditional"].pushed(lambda ids: ids[0])
    for found in (coarse, rough):
        assert found["phi"]["low"] <= phi * 1.001 and phi <= found["phi"]["high"] * 1.001
        for token in found["tokens"]:
            share = token["conditional"]
            slack = 0.0 if found is coarse else 0.05  # two standard errors are no certainty
            assert share["low"] - slack - 1e-6 <= first[token["id"]] <= share["high"] + slack + 1e-6
    kinds = [t["phi"]["kind"] for t in rough["tokens"]]
    assert "estimate" in kinds
    assert abs(rough["phi"]["mean"] - phi) < 6 * rough["phi"]["error"]


def test_a_text_is_read_up_to_where_it_is_refused(client: Client) -> None:
    found = answer(client, "trace", **SENTIMENT, text="Neutral")
    assert "".join(t["text"] for t in found["tokens"]) == "Neutral"
    assert found["accepting"] and found["rejected"] is None and not found["ended"]
    ids = [t["id"] for t in found["tokens"]]
    end = answer(client, "trace", **SENTIMENT, tokens=[*ids, *gs.models.embedded()[0].eos_ids])
    assert end["ended"] and end["phi"]["mean"] == 1.0
    bad = answer(client, "trace", **SENTIMENT, text="Neutrum.")
    assert bad["rejected"]["offset"] == 5 and "'a'" in bad["rejected"]["expected"]
    short = answer(client, "trace", **(SENTIMENT | {"max_new_tokens": 3}), text="Negative..")
    assert short["rejected"] is not None


# -- draws -----------------------------------------------------------------------------------------------


def events(client: Client, **body: Any) -> list[dict[str, Any]]:
    found = ask(client, "sample", **body)
    assert found.status_code == 200, found.text
    assert found.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in found.text.splitlines()]


def test_attempts_are_told_until_one_is_kept(client: Client) -> None:
    found = events(client, **DICE, seed=1)
    *attempts, text = found
    assert [each["number"] for each in attempts] == list(range(1, len(attempts) + 1))
    assert [each["died"] for each in attempts] == [True] * (len(attempts) - 1) + [False]
    bounds = [each["bound"] for each in attempts]
    assert bounds == sorted(bounds, reverse=True) and text["bound"] <= bounds[-1]
    assert text["event"] == "text" and text["attempts"] == len(attempts) > 1
    assert gs.regex(DICE["grammar"]["text"]).accepts(text["text"])
    assert events(client, **DICE, seed=1) == found


def test_one_attempt_may_be_too_few(client: Client) -> None:
    *_, last = events(client, **DICE, seed=1, max_attempts=1)
    assert last["event"] == "exhausted" and last["attempts"] == 1


def test_masked_draws_are_one_attempt(client: Client) -> None:
    attempt, text = events(client, **DICE, law="masked", seed=3)
    assert not attempt["died"] and text["law"] == "masked" and 0 < text["weight"] < 1


def test_an_undefined_law_is_an_error(client: Client) -> None:
    grammar = {"kind": "choice", "text": "zzzz qqqq"}
    body = SENTIMENT | {"grammar": grammar, "top_k": 1, "max_new_tokens": 24}
    *_, last = events(client, **body)
    assert last["event"] == "error" and last["error"]["code"] == "undefined_law"
    dead = ask(client, "sample", **body, law="masked")
    assert dead.status_code == 422 and dead.json()["error"]["code"] == "dead_end"
    found = answer(client, "compare", **body)
    assert found["phi"]["high"] == 0.0 and found["undefined"]
    step = answer(client, "step", **body)
    assert {t["conditional"] for t in step["tokens"]} == {None}


# -- both laws -------------------------------------------------------------------------------------------


def test_the_distance_is_that_of_the_audit(client: Client, laws: dict[str, Any]) -> None:
    found = answer(client, "compare", **SENTIMENT)
    assert found["exact"] and found["listed"] == 6 and found["draws"] is None
    vocabulary = client.server.vocabulary
    texts = {law: laws[law].by_text(vocabulary) for law in laws}
    tv = 0.5 * sum(abs(texts["masked"][t] - texts["conditional"][t]) for t in texts["masked"])
    assert found["tv"]["low"] == pytest.approx(tv, abs=1e-4)
    assert found["tv"]["high"] == pytest.approx(tv, abs=1e-4)
    assert found["tv_tokens"]["high"] == pytest.approx(laws["masked"].tv(laws["conditional"]), abs=1e-4)
    for row in found["texts"]:
        assert row["masked"] == pytest.approx(texts["masked"][row["text"]], abs=1e-4)
        assert row["conditional"] == pytest.approx(texts["conditional"][row["text"]], abs=1e-4)


def test_draws_estimate_what_was_not_listed(client: Client, laws: dict[str, Any]) -> None:
    found = answer(client, "compare", **SENTIMENT, prefixes=1, draws=40, seed=2)
    exact = laws["masked"].tv(laws["conditional"])
    assert not found["exact"] and found["draws"]["refused"] is None
    assert found["tv_tokens"]["low"] - 1e-6 <= exact <= found["tv_tokens"]["high"] + 1e-6
    for name in ("from_masked", "from_conditional"):
        estimate = found["draws"][name]
        assert abs(estimate["mean"] - exact) < 5 * estimate["error"] + 0.05
    for row in found["draws"]["texts"]:
        text = row["text"]
        assert gs.regex(PATTERN).accepts(text) and sum(row["drawn"]) >= 1
    histogram = found["draws"]["histogram"]
    assert 0 < histogram["floor"] < 1 and histogram["p_value"] > 0.001


def test_bounds_of_the_distance_hold_it() -> None:
    random = np.random.default_rng(3)
    for _ in range(200):
        size = int(random.integers(2, 9))
        phi = float(random.uniform(0.01, 1))
        p = random.dirichlet(np.full(size, 0.4)) * phi
        masked = random.dirichlet(np.full(size, 0.4))
        tv = 0.5 * float(np.abs(masked - p / phi).sum())
        kept = int(random.integers(0, size + 1))
        low, high = float(p[:kept].sum()), min(1.0, phi * float(random.uniform(1, 2)))
        if kept == size:
            low = high = phi
        pairs = list(zip(p[:kept].tolist(), masked[:kept].tolist(), strict=True))
        least, most = tv_bounds(pairs, low, high)
        assert least - 1e-9 <= tv <= most + 1e-9
        if kept == size:
            assert most - least < 1e-9
