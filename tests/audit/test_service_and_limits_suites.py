"""The suites on servers and on grammars that mean harm: planted faults are found, good engines are clean."""

from __future__ import annotations

import socket
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import faulty_services as services
import pytest

from gramspec.audit.adapters import ENGINES, adapter, installed
from gramspec.audit.adapters.openai_service import OpenAIService
from gramspec.audit.cases import small_vocabulary
from gramspec.audit.hostile import CORPUS, QUICK, Hostile
from gramspec.audit.results import SuiteResult
from gramspec.audit.running import run
from gramspec.audit.suites import SUITES, Context
from gramspec.errors import OptionError
from gramspec.testing.harmful_engines import (
    CrashingEngine,
    HangingEngine,
    HarmfulEngine,
    SleepingEngine,
    SwellingEngine,
)

TINY = (Hostile("a letter", "regex", "a"), Hostile("harm", "regex", "h"))


def limits(engine: Any, hostile: tuple[Hostile, ...], seconds: float = 60.0) -> SuiteResult:
    context = Context(
        engine,
        vocabularies={"small": small_vocabulary()},
        seconds=600.0,
        options={"hostile": hostile, "call_seconds": seconds},
    )
    return SUITES["limits"].load()(context)


@pytest.mark.parametrize(
    ("engine", "check", "word"),
    [
        (HangingEngine, "ends", "hangs"),
        (SleepingEngine, "ends", "hangs"),
        (CrashingEngine, "survives", "crashes"),
        (SwellingEngine, "fits", "exhausts its memory"),
    ],
)
def test_what_harm_does_is_found_and_named(engine: type[HarmfulEngine], check: str, word: str) -> None:
    result = limits(engine(), TINY, seconds=0.3 if engine is not SwellingEngine else 60.0)
    [finding] = result.findings
    assert (finding.check, finding.severity) == (check, "error")
    assert word in finding.message
    assert finding.case.origin == "hostile:harm"
    assert result.tables[0].rows[0][2] == "masks"
    assert result.passed >= 3


def test_gramspec_stands_the_corpus() -> None:
    result = limits(adapter("gramspec"), QUICK)
    assert result.findings == ()
    assert result.passed == 3 * len(QUICK)
    names = [(case.kind, case.name) for case in CORPUS]
    assert len(set(names)) == len(names) >= 30


def test_an_engine_that_cannot_be_made_again_is_skipped_with_the_reason() -> None:
    class Local(HarmfulEngine):
        pass

    assert "another process" in limits(Local(), TINY).skipped


def served(answer: Callable[[dict[str, Any]], Any]) -> SuiteResult:
    with services.serving(answer) as url:
        engine = OpenAIService(url)
        try:
            report = run(engine, seconds=600.0, seed=1)
        finally:
            engine.close()
    result = report.suite("service")
    assert report.engine == "openai"
    assert report.engine_version == "small"
    return result


def test_a_faithful_server_has_no_finding() -> None:
    result = served(services.faithful)
    assert result.findings == ()
    assert result.failed == 0
    assert {c.name: c.passed > 0 for c in result.checks} == dict.fromkeys(
        (c.name for c in result.checks), True
    )
    assert "model's own law given the schema" in result.tables[0].note


@pytest.mark.parametrize(
    ("answer", "check", "words"),
    [
        (services.unbounded, "members", "does not fit"),
        (services.mixing, "parallel", "did not ask for"),
        (services.crashing, "bad-input", "no answer that a client can act on"),
        (services.masked, "logprobs", "another law than the model's"),
    ],
)
def test_faults_of_servers_are_found(answer: Any, check: str, words: str) -> None:
    findings = served(answer).findings
    assert {f.check for f in findings} == {check}
    assert words in findings[0].message
    assert all("httpx.post" in f.snippet for f in findings)


def test_a_server_that_is_not_there_is_said_to_be_missing() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        with pytest.raises(OptionError, match="no server answers"):
            OpenAIService(f"http://127.0.0.1:{taken.getsockname()[1]}/v1", seconds=20.0)
    with pytest.raises(OptionError, match="address of a server"):
        OpenAIService("localhost:8000")


def test_a_key_that_lacks_and_a_model_that_lacks_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUDIT_TEST_KEY", raising=False)
    with services.serving(services.faithful, key="secret") as url:
        with pytest.raises(OptionError, match="AUDIT_TEST_KEY is not set"):
            OpenAIService(url, api_key_env="AUDIT_TEST_KEY")
        monkeypatch.setenv("AUDIT_TEST_KEY", "secret")
        engine = OpenAIService(url, api_key_env="AUDIT_TEST_KEY")
        assert engine.model == "small"
        engine.close()
        with pytest.raises(OptionError, match="no model 'large'"):
            OpenAIService(url, "large", api_key_env="AUDIT_TEST_KEY")


def test_an_engine_that_is_not_installed_is_said_to_be_missing() -> None:
    assert set(ENGINES) >= {"genlm-control", "openai", "outlines-core", "gramspec-hf", "gramspec-generate"}
    if find_spec("genlm") is None:
        assert not installed("genlm-control")
        with pytest.raises(OptionError, match="pip install genlm-control"):
            adapter("genlm-control")


@pytest.mark.skipif(find_spec("genlm") is None, reason="genlm-control is not installed")
def test_genlm_control_comes_near_the_conditional_law() -> None:
    engine = adapter("genlm-control", particles=20, draws=200)
    result = SUITES["law"].load()(Context(engine, seconds=0.1))
    assert [figure.verdict for figure in result.laws] == ["conditional"]
