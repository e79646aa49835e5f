"""Audit: exact laws by enumeration, every choice of a decoder followed, and tests on samples."""

from gramspec.audit.acceptance import chain_bound, optimal_acceptance, optimal_acceptance_of_sets
from gramspec.audit.enumerate import EnumeratingRandomSource, enumerate_leaves, outcome_masses, output_law
from gramspec.audit.exact_law import exact_law
from gramspec.audit.law import Law
from gramspec.audit.results import AuditReport, Case, Finding, SuiteResult
from gramspec.audit.running import run
from gramspec.audit.statistics import (
    LawTest,
    PearsonResult,
    check_draws,
    draws_for_power,
    empirical_tv,
    pearson,
    planted,
    power_line,
    tv_floor,
)
from gramspec.audit.suites.context import GrammarCase, Instance

__all__ = [
    "AuditReport",
    "Case",
    "EnumeratingRandomSource",
    "Finding",
    "GrammarCase",
    "Instance",
    "Law",
    "LawTest",
    "PearsonResult",
    "SuiteResult",
    "chain_bound",
    "check_draws",
    "draws_for_power",
    "empirical_tv",
    "enumerate_leaves",
    "exact_law",
    "optimal_acceptance",
    "optimal_acceptance_of_sets",
    "outcome_masses",
    "output_law",
    "pearson",
    "planted",
    "power_line",
    "run",
    "tv_floor",
]
