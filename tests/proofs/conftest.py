"""Fresh worlds in every run: the seed is drawn once, printed, and can be given back."""

from __future__ import annotations

import os
import secrets

import pytest

SEED_VARIABLE = "GRAMSPEC_PROOF_SEED"


def proof_seed() -> int:
    """Seed of this run's worlds; set the variable to repeat a run."""
    return int(os.environ.setdefault(SEED_VARIABLE, str(secrets.randbelow(1_000_000))))


@pytest.fixture(scope="session")
def seed() -> int:
    found = proof_seed()
    print(f"{SEED_VARIABLE}={found}")
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if SEED_VARIABLE in os.environ:
        terminalreporter.write_line(f"proofs ran with {SEED_VARIABLE}={os.environ[SEED_VARIABLE]}")
