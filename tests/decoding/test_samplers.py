"""The restart loop and the samplers: order, budgets, reports, errors, contract."""

from __future__ import annotations

import io
from math import exp, log

import numpy as np
import pytest

from gramspec.decoding.drafting import ModelDrafter
from gramspec.decoding.kernel import KilledLaw, MaskedLaw
from gramspec.decoding.meter import Meter
from gramspec.decoding.options import DecodingOptions
from gramspec.decoding.random import NumpyRandomSource
from gramspec.decoding.rows import RowLaw
from gramspec.decoding.samplers import MaskedSampler, RestartSampler, first_accepted
from gramspec.errors import (
    BudgetExhaustedError,
    ContractError,
    DeadEndError,
    LogitsError,
    OptionError,
    UndefinedLawError,
)
from gramspec.models.tabular import TabularModel
from gramspec.validity import LearnedMass, Viability
from tests.decoding.finite_language import FiniteLanguage, small_vocabulary

SIZE, EOS = 3, (2,)


def language(*members):
    return FiniteLanguage(set(members), small_vocabulary(SIZE, EOS))


def constant_model(*p):
    with np.errstate(divide="ignore"):
        row = np.log(np.array(p))
    return TabularModel(lambda prefix: row, len(p), list(EOS))


def streams(seed):
    return lambda attempt: NumpyRandomSource((seed, attempt))


def restart(lang, model, budget, *, options=None, potential=None, draft=None, rows=None):
    rows = rows or RowLaw()
    law = KilledLaw(
        potential or LearnedMass(Viability(lang), budget), rows, budget=budget, width=model.vocab_size
    )
    drafter = ModelDrafter(draft, (), rows) if draft is not None else None
    return RestartSampler(law, model.open(()), 0, drafter, options, Meter(model, draft))


def test_the_first_accepted_attempt_is_returned_in_order():
    calls = []

    def attempt(k):
        calls.append(k)
        return "y" if k in (2, 3) else None

    assert first_accepted(attempt, lambda made: True) == ("y", 3)
    assert calls == [0, 1, 2]


def test_the_budget_is_asked_between_attempts_only():
    asked = []

    def within(made):
        asked.append(made)
        return made < 4

    assert first_accepted(lambda k: None, within) == (None, 4)
    assert asked == [1, 2, 3, 4]
    assert first_accepted(lambda k: "y", lambda made: False) == ("y", 1)


def test_a_begun_attempt_is_finished_whatever_it_costs():
    """A budget of one forward still finishes the attempt, so short members are not preferred."""
    lang = language((0,) * 5 + (2,))
    model = TabularModel(lambda prefix: [0.0, -9.0, 9.0 if len(prefix) == 5 else -9.0], SIZE, 2)
    sampler = restart(lang, model, 6, options=DecodingOptions(max_target_forwards=1))
    draw = sampler.draw(streams(0))
    assert draw.tokens == (0,) * 5 + (2,)
    assert draw.report.target_forwards == 6 and draw.report.attempts == 1


@pytest.mark.parametrize(
    "options",
    [
        DecodingOptions(max_attempts=3),
        DecodingOptions(max_target_forwards=3),
        DecodingOptions(max_seconds=1e-9),
    ],
)
def test_an_exhausted_budget_says_what_is_known(options):
    lang = language((0, 0, 0, 2), (1, 1, 1, 2))
    model = constant_model(1e-9, 1e-9, 1.0)
    sampler = restart(lang, model, 4, options=options)
    with pytest.raises(BudgetExhaustedError, match="Certified") as caught:
        sampler.draw(streams(1))
    report = caught.value.report
    # The first attempt dies at its first token, the next ones, knowing that row, at their second.
    assert report.attempts == (1 if options.max_seconds else 2 if options.max_target_forwards else 3)
    assert report.log_phi_root is None
    assert report.log_phi_bound <= log(3e-9)  # the first row is known: h(ε) = p(0) + p(1)
    assert report.log_phi_bound >= log(2e-27)
    assert report.seconds["total"] > 0


@pytest.mark.parametrize("limit", [1, 2, 10_000])
def test_a_grammar_without_probability_is_certified(limit):
    lang = language((0, 2))
    model = constant_model(0.0, 0.5, 0.5)
    sampler = restart(lang, model, 2, options=DecodingOptions(max_attempts=limit))
    with pytest.raises(UndefinedLawError, match="no probability at all") as caught:
        sampler.draw(streams(0))
    assert caught.value.report.log_phi_bound == -np.inf
    assert caught.value.report.attempts == 1
    with pytest.raises(UndefinedLawError):
        sampler.draw(streams(1))


def test_the_report_counts_and_estimates():
    lang = language((0, 2), (1, 2), (0, 0, 2))
    model = constant_model(0.3, 0.3, 0.4)
    draft = constant_model(0.6, 0.2, 0.2)
    sampler = restart(lang, model, 3, draft=draft, options=DecodingOptions(gamma=2))
    truth = 0.3 * 0.4 * 2 + 0.3 * 0.3 * 0.4
    for k in range(300):
        report = sampler.draw(streams(k)).report
        assert report.guarantee == "exact" and report.law == "conditional" and report.sampler == "restart"
        assert report.target_forwards == report.rounds >= report.attempts
        assert report.accepted <= report.drafted == report.draft_forwards
        assert report.accepted_length == report.accepted / report.rounds
        assert report.rho_max <= 1 + 1e-9
        assert report.log_phi_bound >= log(truth) - 1e-12
    assert report.log_phi_bound == pytest.approx(log(truth), abs=1e-12)
    assert exp(report.log_phi_root) == pytest.approx(truth, rel=0.05)
    assert "exact" in str(report) and "target forwards" in str(report)


def test_the_report_is_a_rich_table():
    rich = pytest.importorskip("rich.console")
    report = restart(language((0, 2)), constant_model(0.5, 0.0, 0.5), 2).draw(streams(0)).report
    console = rich.Console(width=120, record=True, file=io.StringIO())
    console.print(report)
    assert "attempts" in console.export_text()


def test_a_broken_contract_is_an_error_and_frees_the_trie():
    class Low:
        """Claims contract S with h = 1/2 before a certain member."""

        name, contract = "low", "S"

        def __init__(self, lang):
            self.compiled = lang
            self.live = 0

        def log_h(self, state, prefix, budget):
            return log(0.5)

        def h_children(self, state, prefix, budget):
            return state.viable(budget).astype(float)

        def remembered_row(self, prefix, width):
            return None

        def observe(self, visits):
            raise AssertionError("nothing was verified")

        def begin(self):
            self.live += 1

        def end(self):
            self.live -= 1

    potential = Low(language((0, 2)))
    sampler = restart(potential.compiled, constant_model(1.0, 0.0, 0.0), 2, potential=potential)
    with pytest.raises(ContractError, match=r"rho = 2\.0"):
        sampler.draw(streams(0))
    assert potential.live == 0


def test_a_weak_potential_is_refused():
    potential = Viability(language((0, 2)))
    potential.contract = "W"
    with pytest.raises(OptionError, match="contract W"):
        KilledLaw(potential, RowLaw(), budget=2, width=SIZE)


def test_bad_logits_end_the_attempt_and_name_the_prefix():
    def row(prefix):
        return np.array([0.0, 0.0, 0.0]) if len(prefix) == 0 else np.array([np.nan, 0.0, 0.0])

    potential = LearnedMass(Viability(language((0, 2), (1, 2))), 2)
    sampler = restart(potential.compiled, TabularModel(row, SIZE, 2), 2, potential=potential)
    with pytest.raises(LogitsError):
        while True:
            sampler.draw(streams(0))
    assert potential.live == 0


def test_masked_reports_the_weight_that_would_correct_it():
    lang = language((0, 2), (1, 1, 2))
    model = constant_model(0.2, 0.3, 0.5)
    law = MaskedLaw(lang, RowLaw(), budget=3, width=SIZE)
    sampler = MaskedSampler(law, model.open(()), 0, None, None, Meter(model, None))
    weights = {(0, 2): 0.5 * 0.5, (1, 1, 2): 0.5 * 0.3 * 0.5}
    seen = set()
    for k in range(40):
        draw = sampler.draw(streams(k))
        seen.add(draw.tokens)
        assert draw.report.log_weight == pytest.approx(log(weights[draw.tokens]))
        assert draw.report.guarantee == "exact" and draw.report.law == "masked"
        assert draw.report.attempts == 1 and draw.report.log_phi_root is None
        assert draw.logprob == pytest.approx(sum(log((0.2, 0.3, 0.5)[t]) for t in draw.tokens))
    assert seen == lang.members


@pytest.mark.parametrize("drafted", [False, True])
def test_a_dead_end_of_the_masked_law_is_an_error(drafted):
    lang = language((0, 1, 2))
    model = TabularModel(
        lambda prefix: np.log([0.6, 0.2, 0.2]) if len(prefix) == 0 else np.log([0.6, 0.1, 0.3]), SIZE, 2
    )
    rows = RowLaw(top_k=2)
    law = MaskedLaw(lang, rows, budget=3, width=SIZE)
    draft = constant_model(0.4, 0.4, 0.2) if drafted else None
    drafter = ModelDrafter(draft, (), rows) if draft else None
    sampler = MaskedSampler(law, model.open(()), 0, drafter, DecodingOptions(gamma=3))
    with pytest.raises(DeadEndError, match=r"after \[0\].*\n.*top_k"):
        sampler.draw(streams(0))


def test_a_draft_that_knows_no_viable_token_stops_before_drawing():
    lang = language((0, 0, 2))
    draft = constant_model(0.0, 1.0, 0.0)
    sampler = restart(lang, constant_model(0.5, 0.0, 0.5), 3, draft=draft)
    report = sampler.draw(streams(3)).report
    assert report.drafted == 0 and report.draft_forwards == report.rounds


def test_rows_wider_and_narrower_than_the_vocabulary():
    """Tokens beyond the vocabulary keep their mass in p and are never drawn."""
    lang = language((0, 2), (1, 2))
    model = TabularModel(lambda prefix: np.log([0.2, 0.1, 0.3, 0.2, 0.2]), 5, 2)
    draft = TabularModel(lambda prefix: np.zeros(4), 4, 2)
    sampler = restart(lang, model, 2, draft=draft)
    for k in range(30):
        draw = sampler.draw(streams(k))
        assert draw.tokens in lang.members
        assert draw.logprob == pytest.approx(log({0: 0.2, 1: 0.1}[draw.tokens[0]] * 0.3))
    assert exp(draw.report.log_phi_bound) == pytest.approx(0.3 * 0.3)


@pytest.mark.parametrize(
    "options",
    [
        {"gamma": -1},
        {"gamma": 1.5},
        {"max_attempts": 0},
        {"max_seconds": 0.0},
        {"max_seconds": float("nan")},
        {"max_target_forwards": 0},
        {"trie_nodes": 0},
        {"memo_bytes": -1},
    ],
)
def test_decoding_options_are_checked_by_name(options):
    with pytest.raises(OptionError, match=next(iter(options))):
        DecodingOptions(**options)
