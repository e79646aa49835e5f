"""Suites on masks: no finding in gramspec, and every planted fault found with its smallest case."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import gramspec as gs
from gramspec.audit import AuditReport, Finding, GrammarCase, Instance
from gramspec.audit.adapters import ENGINES, EngineFault, adapter
from gramspec.audit.adapters.guard import Guarded
from gramspec.audit.cases import named_cases, named_vocabulary, small_vocabulary
from gramspec.audit.cases.worlds import worlds
from tests.audit import faulty_engines as faulty

SUITES = ["soundness", "completeness", "liveness", "exactness"]
ROOT = Path(__file__).resolve().parents[2]


def case(kind: str, grammar: Any, valid: list[str], invalid: list[str], **fields: Any) -> GrammarCase:
    text = grammar if isinstance(grammar, str) else json.dumps(grammar)
    instances = [Instance(t, True) for t in valid] + [Instance(t, False) for t in invalid]
    return GrammarCase(kind, text, tuple(instances), **fields)


NAMES = case(
    "json_schema",
    {
        "type": "object",
        "properties": {"id": {"type": "integer"}, "name": {"type": "string", "maxLength": 2}},
        "required": ["name"],
    },
    ['{"id": 1, "name": "ab"}', '{"name": ""}'],
    ['{"id": 1, "name": "abc"}', '{"id": 1}'],
)
WORDS = case("choice", ["ab", "abc", "ca"], ["ab", "abc", "ca"], ["a", "abcc"])
LETTERS = case("regex", "(ab|c)+a?", ["abca", "c"], ["", "b", "aa"])


def audit(engine: Any, cases: list[GrammarCase], suite: str) -> tuple[AuditReport, list[Finding]]:
    report = gs.audit.run(engine, suites=[suite], cases=cases, seed=7, seconds=300)
    return report, [finding for finding in report.findings if finding.severity == "error"]


@pytest.mark.parametrize("suite", SUITES)
def test_gramspec_has_no_finding(suite: str) -> None:
    report = gs.audit.run("gramspec", suites=[suite], seed=3, seconds=300)
    (result,) = report.suites
    assert report.ok and not report.findings
    assert result.made == result.passed > 1000 and result.refused <= 3
    assert report.command == f"gramspec audit gramspec --suite quick --suite {suite} --seed 3"
    assert AuditReport.from_json(report.to_json()) == report


def test_an_engine_without_a_fault_has_no_finding() -> None:
    for suite in SUITES:
        report, _ = audit(faulty.Faulty(faulty.Plain), [NAMES, WORDS, LETTERS], suite)
        assert not report.findings and report.suites[0].made > 20


def test_a_dropped_keyword_is_found_with_the_smallest_schema() -> None:
    _, findings = audit(faulty.Faulty(drops="maxLength"), [NAMES], "soundness")
    found = [finding for finding in findings if finding.check == "accepts-nonmember"]
    assert [(f.expected, f.observed) for f in found] == [("no member", "accepted")]
    schema = json.loads(found[0].case.grammar)
    assert "maxLength" in found[0].case.grammar and len(found[0].case.grammar) < len(NAMES.grammar) / 2, (
        schema
    )
    assert found[0].original is not None and found[0].original.grammar == NAMES.grammar
    assert "jsonschema" in found[0].oracles and "gramspec" in found[0].oracles


def test_keywords_of_the_case_stay_in_the_smallest_schema() -> None:
    kept = case(
        "json_schema", {"type": "string", "maxLength": 2}, ['"a"'], ['"abc"'], keep=("type", "maxLength")
    )
    _, findings = audit(faulty.Faulty(drops="maxLength"), [kept], "soundness")
    assert all(set(json.loads(f.case.grammar)) == {"type", "maxLength"} for f in findings) and findings


def test_a_refused_spelling_is_found() -> None:
    _, findings = audit(faulty.Faulty(faulty.NoEscapes), [NAMES], "completeness")
    assert {finding.check for finding in findings} == {"refuses-spelling"}
    smallest = next(f for f in findings if f.cause == "escapes of characters")
    assert "\\u" in str(smallest.case.text) and smallest.expected == "member"


def test_refused_tokens_are_found() -> None:
    _, findings = audit(faulty.Faulty(faulty.OneSegmentation), [WORDS, LETTERS], "completeness")
    assert {finding.check for finding in findings} == {"refuses-tokenisation"}
    assert all("tokens" in finding.extra for finding in findings)


def test_a_dead_end_is_found() -> None:
    _, findings = audit(faulty.Faulty(faulty.DeadEnd), [LETTERS], "liveness")
    assert {(f.check, (f.case.text or "")[-1]) for f in findings} == {("mask-empty", "b")}


def test_a_trap_is_found_with_the_shortest_prefix() -> None:
    _, findings = audit(faulty.Faulty(faulty.Trap), [LETTERS, WORDS], "liveness")
    found = {(f.check, f.case.text) for f in findings if f.case.vocabulary == "small"}
    assert found == {("no-ending", "z")}


@pytest.mark.parametrize(
    ("matcher", "check", "told"),
    [
        (faulty.WrongBit, "mask-against-advance", "too few"),
        (faulty.LostEnd, "end-against-accepting", ""),
        (faulty.NoRollback, "rollback", ""),
        (faulty.SharedFork, "fork", ""),
        (faulty.OneSegmentation, "mask-against-oracle", "too few"),
    ],
)
def test_a_wrong_mask_is_found(matcher: Any, check: str, told: str) -> None:
    _, findings = audit(faulty.Faulty(matcher), [LETTERS], "exactness")
    assert check in {finding.check for finding in findings}
    assert any(told in finding.cause for finding in findings if finding.check == check)


def test_an_id_without_bytes_is_found() -> None:
    small = small_vocabulary()
    wider = gs.Vocabulary([*small.tokens[:300], None, *small.tokens[300:]], [len(small)])
    report = gs.audit.run(
        faulty.Faulty(faulty.Gap), suites=["exactness"], cases=[LETTERS], vocabularies={"gaps": wider}, seed=1
    )
    assert "gap-allowed" in {finding.check for finding in report.findings}
    assert {finding.case.vocabulary for finding in report.findings} == {"gaps"}


def test_hangs_full_memories_and_crashes_are_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    engine = Guarded("tests.audit.faulty_engines:Wild", seconds=1.0, memory=1 << 29)
    cases = [case("regex", f"{letter}a", [f"{letter}a"], ["q"], cause=letter) for letter in "hmxrv"]
    report, findings = audit(engine, cases, "soundness")
    engine.close()
    assert {(f.check, f.cause) for f in findings} == {
        ("answers", "timeout: h"),
        ("answers", "memory: m"),
        ("answers", "crash: x"),
        ("answers", "error: r"),
    }
    assert all(finding.snippet == "import wild\n" for finding in findings)
    checks = {check.name: check for check in report.suites[0].checks}
    assert checks["accepts-nonmember"].passed >= 1  # the last one, in a process started anew


def test_a_guarded_engine_answers_like_one_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    engine = Guarded("gramspec.audit.adapters.ours:Gramspec")
    vocabulary = small_vocabulary()
    ours = adapter("gramspec").compile("regex", "a+b", vocabulary)
    theirs: Any = engine.compile("regex", "a+b", vocabulary)
    near, far = ours.matcher(), theirs.matcher()
    for token in b"aa":
        assert (near.mask() == far.mask()).all() and near.advance(token) == far.advance(token) is True
    assert far.advance(ord("c")) is False and not far.is_accepting
    other = far.fork()
    assert other.advance(ord("b")) and other.is_accepting and not far.is_accepting
    other.rollback(1)
    assert (other.mask() == far.mask()).all()
    engine.close()
    with pytest.raises(EngineFault, match="has ended"):
        engine.compile("regex", "b", vocabulary) and far.mask()
    assert theirs.matcher().advance(ord("a"))  # compiled again in the new process
    engine.close()


def test_oracles_that_disagree_are_told_and_accuse_nobody() -> None:
    # Lark's lexers differ on this text, and the case itself has an opinion too.
    eats = case("lark", "start: A B\nA: /a+/\nB: /a/\n", [], ["aa"])
    report, errors = audit(faulty.Faulty(faulty.Plain), [eats], "soundness")
    assert not errors and [f.severity for f in report.findings] == ["note"]
    assert "lark dynamic_complete: member" in report.findings[0].expected


def test_what_the_engine_cannot_be_asked_is_told() -> None:
    class Bare(faulty.Faulty):
        capabilities = type(faulty.Faulty.capabilities)(frozenset({"choice"}))

    report = gs.audit.run(Bare(faulty.Plain), cases=[WORDS, NAMES], seed=1)
    assert {s.name for s in report.suites if s.skipped} >= {"law", "speculation", "isolation"}
    checks = {c.name: c for c in report.suite("exactness").checks}
    assert checks["rollback"].skipped and checks["fork"].skipped
    assert any("json_schema" in reason for reason in checks["answers"].skipped)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"adapter": "nope"}, "gramspec"),
        ({"adapter": "gramspec", "suite": "slow"}, "quick, full"),
        ({"adapter": "gramspec", "suites": ["taste"]}, "soundness"),
        ({"adapter": "gramspec", "suites": "soundness"}, "list of names"),
        ({"adapter": "gramspec", "seed": -1}, "seed"),
        ({"adapter": "gramspec", "seconds": 0}, "seconds"),
    ],
)
def test_unknown_names_are_refused_with_those_there_are(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(gs.OptionError, match=told):
        gs.audit.run(**arguments)


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(gs.OptionError, match="property_order"):
        adapter("gramspec", colour="red")
    with pytest.raises(gs.OptionError, match="small, embedded, tekken"):
        named_vocabulary("large")


def test_the_same_seed_makes_the_same_cases() -> None:
    assert worlds(5, 3, 3, 3) == worlds(5, 3, 3, 3) != worlds(6, 3, 3, 3)


@pytest.mark.parametrize("kind", ["json_schema", "regex", "lark", "gbnf", "choice"])
def test_built_in_cases_are_as_they_say(kind: str) -> None:
    """Each text has the verdict that its case declares, by gramspec, and by the oracles that know."""
    from gramspec.audit.oracles import Oracles

    for built in named_cases(kind):
        oracles = Oracles(kind, built.grammar, built.options)
        for instance in built.instances:
            said = oracles.judge(instance.text, instance.valid)
            lexers = built.cause == "a terminal that eats the next"
            assert said.member is instance.valid or lexers, (built.cause, instance, said.disagreement)


PEERS = {
    "llguidance": {
        "repeated keys",
        "order of keys",
        "spelling of numbers",
        "escapes of characters",
        "a branch without an end",
        "timeout: a terminal that eats the next",
    },
    "xgrammar": {
        "not",
        "uniqueItems",
        "contains",
        "allOf of two branches",
        "pattern with length",
        "escapes under maxLength",
        "pattern without anchors",
        "order of keys",
        "a rule without an end",
        "a vocabulary that cannot spell",
    },
    "outlines_core": {
        "pattern with length",
        "multipleOf of integers",
        "order of keys",
        "white space",
        "bounded repetition",
    },
}
WANTED = {cause.removeprefix("timeout: ") for causes in PEERS.values() for cause in causes} | {
    "const",
    "strings of any text",
}


@pytest.mark.parametrize("name", sorted(PEERS))
def test_known_faults_of_other_engines_are_found(name: str) -> None:
    pytest.importorskip(ENGINES[name].module)
    engine = adapter(name, seconds=2)
    cases = [c for kind in ("json_schema", "regex", "lark") for c in named_cases(kind) if c.cause in WANTED]
    report = gs.audit.run(engine, suites=SUITES[:3], cases=cases, seed=1, seconds=600)
    engine.close()
    found = {f.cause for f in report.findings if f.severity == "error"}
    assert PEERS[name] <= found, PEERS[name] - found
    assert not report.ok and all(finding.snippet for finding in report.findings)
