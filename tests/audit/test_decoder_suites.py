"""Suites on what is drawn: each planted fault is found and named, and faithful decoders have no finding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gramspec as gs
from gramspec.audit.adapters import ENGINES, Decoder, adapter
from gramspec.audit.adapters.transformers_decoder import ProcessorDecoder
from gramspec.audit.law_worlds import ALL_WORLDS, SPECULATION, WORLDS, LawWorld
from gramspec.audit.named_laws import MEANINGS, candidates
from gramspec.audit.results import SuiteResult
from gramspec.audit.running import run
from gramspec.audit.suites import SUITES, Context
from gramspec.testing import decoders as fakes
from gramspec.testing.oracle import Recogniser


def found(suite: str, decoder: Decoder) -> SuiteResult:
    return SUITES[suite].load()(Context(decoder, seconds=600.0))


def errors(suite: str, decoder: Decoder) -> dict[str, str]:
    return {
        f.check: f"{f.message} | {f.observed}"
        for f in found(suite, decoder).findings
        if f.severity == "error"
    }


@pytest.mark.parametrize("suite", ["law", "speculation", "isolation"])
@pytest.mark.parametrize("name", ["faithful", "gramspec-hf", "gramspec-generate"])
def test_faithful_decoders_have_no_finding(suite: str, name: str) -> None:
    decoder = fakes.FaithfulDecoder() if name == "faithful" else adapter(name)
    result = found(suite, decoder)
    assert result.findings == ()
    assert result.made >= 6
    assert result.failed == 0
    if suite == "law":
        claims = decoder.claims
        assert {figure.verdict for figure in result.laws} == {claims}
        assert len(result.laws) == len(WORLDS)


@pytest.mark.parametrize(
    ("decoder", "name"),
    [
        (fakes.MaskedAsConditional(), "masked"),
        (fakes.CanonicalOnly(), "canonical"),
        (fakes.TemperatureTwice(), "masked, temperature twice"),
        (fakes.CutFirst(), "masked, cut first"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_another_law_is_named(decoder: Decoder, name: str) -> None:
    assert f"samples the {name!r} law" in errors("law", decoder)["law"]
    assert {figure.verdict for figure in found("law", decoder).laws} == {name}


def test_a_law_is_named_from_draws() -> None:
    class Drawn(fakes.TemperatureTwice):
        exact = False

    result = found("law", Drawn())
    [finding] = result.findings
    assert "samples the 'masked, temperature twice' law" in finding.message
    assert all(f.power is not None and f.power >= 0.99 and f.floor is not None for f in result.laws)


def test_a_law_of_no_name_is_said_to_have_none() -> None:
    class Tilted(fakes.FaithfulDecoder):
        name = "tilted"

        def row(self, world: LawWorld, ids: tuple[int, ...], *, draft: bool = False) -> Any:
            row = super().row(world, ids, draft=draft)
            row = row * np.linspace(1.0, 2.0, len(row))
            return row / row.sum()

    assert "none of the known laws" in errors("law", Tilted())["law"]


@pytest.mark.parametrize(
    ("decoder", "check", "words"),
    [
        (fakes.NoResidual(), "same-law", "'no residual'"),
        (fakes.KeepsDrafts(), "same-law", "'draft, masked'"),
        (fakes.BonusUnmasked(), "writes-members-only", "mode 'assisted'"),
        (fakes.TokenAfterEos(), "writes-members-only", "tokens after EOS"),
        (fakes.Leaking(), "repeatable", "from one request to the next"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_faults_of_speculation_are_named(decoder: Decoder, check: str, words: str) -> None:
    seen = errors("speculation", decoder)
    assert list(seen) == [check]
    assert words in seen[check]


def test_requests_that_reach_each_other_are_found() -> None:
    assert {"calls", "threads"} <= set(errors("isolation", fakes.Leaking()))
    assert set(errors("isolation", fakes.MixesRows())) == {"rows"}
    assert "batch of 4" in errors("isolation", fakes.MixesRows())["rows"]


class _Stateful:
    """A processor that follows token by token and trusts that it is called for every one of them, once."""

    def __init__(self, world: LawWorld) -> None:
        self.world, self.seen = world, None

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        import torch

        if self.seen is None:
            self.seen = [()] * len(input_ids)
        else:
            self.seen = [(*ids, int(row[-1])) for ids, row in zip(self.seen, input_ids, strict=True)]
        for i, ids in enumerate(self.seen):
            allowed = fakes.Trie(self.world.members, scores.shape[-1]).mask(ids) > 0.0
            scores[i, ~torch.from_numpy(allowed)] = -torch.inf
        return scores


def test_a_stateful_processor_is_found_out() -> None:
    world = ALL_WORLDS["short"]

    def factory(tokenizer: Any, kind: str, grammar: str) -> Any:
        [owner] = [w for w in ALL_WORLDS.values() if w.tokenizer is tokenizer]
        return _Stateful(owner)

    decoder = ProcessorDecoder(factory, name="stateful", reproduce={"regex": "processor = ..."})
    assert errors("law", decoder) == {}
    result = found("speculation", decoder)
    modes = {f.case.options["mode"] for f in result.findings}
    assert {"beams", "assisted", "lookup"} <= modes
    assert all("world = ALL_WORLDS[" in f.snippet for f in result.findings if f.case.kind == "regex")
    checks = {f.check: f.severity for f in found("isolation", decoder).findings}
    assert checks["raw-logits"] == "warning"
    assert checks["reuse"] == "error"
    assert world.case.kind == "regex"


def test_laws_of_the_worlds_are_told_apart() -> None:
    """What makes a verdict possible: on some world any two laws differ."""
    for a in MEANINGS:
        for b in MEANINGS:
            if a < b:
                gaps = [laws[a].tv(laws[b]) for laws in map(candidates, WORLDS.values())]
                assert max(gaps) > 0.02, (a, b)


def test_members_of_the_worlds_are_those_of_their_grammars() -> None:
    for world in ALL_WORLDS.values():
        grammar = gs.regex(world.grammar) if world.kind == "regex" else gs.json_schema(world.grammar)
        recogniser = Recogniser(grammar.expr, {})
        for text in world.texts:
            assert recogniser.accepts(text.encode())
        compiled = gs.compile(grammar, world.vocabulary)
        exact = gs.audit.exact_law(
            gs.models.TabularModel(world.target_rows, len(world.tokenizer), world.eos),
            compiled,
            world.max_new_tokens,
            vocabulary=world.vocabulary,
            prompt=world.prompt_ids,
            temperature=world.temperature,
            top_k=world.top_k,
            top_p=world.top_p,
        )
        assert exact.tv(candidates(world)["conditional"]) <= 1e-12


def test_a_report_has_the_suites_of_an_engine_and_of_its_decoders() -> None:
    report = run("gramspec", suites=["law"], seconds=600.0, seed=1)
    assert [s.name for s in report.suites] == ["law (gramspec-hf)", "law (gramspec-generate)"]
    assert report.ok
    own = run(fakes.CanonicalOnly(), suites=["law"], seconds=60.0, seed=1)
    assert [s.name for s in own.suites] == ["law"]
    assert not own.ok


@pytest.mark.parametrize(
    ("name", "package", "modes"),
    [
        ("xgrammar-hf", "xgrammar", {"beams", "assisted", "lookup"}),
        ("outlines-core", "outlines", {"beams", "assisted", "lookup"}),
        ("outlines-xgrammar", "xgrammar", {"beams", "assisted", "lookup"}),
        ("outlines-llguidance", "llguidance", {"beams", "assisted", "lookup"}),
    ],
)
def test_what_other_processors_do_with_beams_and_drafts(name: str, package: str, modes: set[str]) -> None:
    pytest.importorskip(package)
    import torch

    with torch.compiler.set_stance("force_eager"):  # to compile their kernels would take most of the time
        result = found("speculation", adapter(name))
    assert modes <= {f.case.options["mode"] for f in result.findings}
    assert name in ENGINES
    assert len(SPECULATION) == 2


def test_the_documented_decoder_of_ones_own() -> None:
    """The example of `Decoder`: top-k and top-p are not applied, and the suite says so."""
    assert Decoder.__doc__ is not None
    lines = Decoder.__doc__.partition("::\n")[2].partition("    Attributes")[0].splitlines()
    titles: list[str] = []
    names = {"Decoder": Decoder, "np": np, "regex": __import__("regex"), "gs": gs, "print": titles.append}
    exec("\n".join(line[8:] for line in lines), names)
    assert titles == ["The law of mine: masked, uncut"]
