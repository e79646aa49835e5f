"""Audit: exact laws by enumeration, every choice of a decoder followed, and tests on samples."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gramspec.audit.enumerate import EnumeratingRandomSource, enumerate_leaves, outcome_masses, output_law
from gramspec.audit.exact_law import exact_law
from gramspec.audit.law import Law
from gramspec.audit.results import AuditReport, Case, Finding, SuiteResult
from gramspec.audit.suites.context import GrammarCase, Instance

if TYPE_CHECKING:
    from gramspec.audit.acceptance import chain_bound, optimal_acceptance, optimal_acceptance_of_sets
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

# Imported on first use: processes of guarded engines, which start often, need none of them.
_LAZY = {
    "LawTest": "gramspec.audit.statistics",
    "PearsonResult": "gramspec.audit.statistics",
    "chain_bound": "gramspec.audit.acceptance",
    "check_draws": "gramspec.audit.statistics",
    "draws_for_power": "gramspec.audit.statistics",
    "empirical_tv": "gramspec.audit.statistics",
    "optimal_acceptance": "gramspec.audit.acceptance",
    "optimal_acceptance_of_sets": "gramspec.audit.acceptance",
    "pearson": "gramspec.audit.statistics",
    "planted": "gramspec.audit.statistics",
    "power_line": "gramspec.audit.statistics",
    "run": "gramspec.audit.running",
    "tv_floor": "gramspec.audit.statistics",
}

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


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'gramspec.audit' has no attribute {name!r}")
    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value
