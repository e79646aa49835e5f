"""The pytest plug-in: the fixture `gramspec_audit`, its marker and its options, and suites as parameters.

Law: loading it imports pytest alone; an audit that finds a fault, or checks nothing, fails the test.
Source: `gramspec.audit.run`. It is found through the entry point ``pytest11`` of the package.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gramspec.testing.auditing import Auditor

_MARKER = "gramspec_audit(**options): options of the fixture gramspec_audit in this test, class or module"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options: profile, seed, and where reports go."""
    group = parser.getgroup("gramspec", "audits of structured decoders")
    group.addoption(
        "--gramspec-profile",
        choices=("quick", "full"),
        default=None,
        help="Profile of every audit, whatever the tests say.",
    )
    group.addoption("--gramspec-seed", type=int, default=None, metavar="N", help="Seed of every audit.")
    group.addoption(
        "--gramspec-report",
        default=None,
        metavar="DIR",
        help="Folder that gets an HTML and a JSON report of every audit.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marker."""
    config.addinivalue_line("markers", _MARKER)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `gramspec_suite` runs once for each suite."""
    if "gramspec_suite" in metafunc.fixturenames:
        from gramspec.audit.suites import SUITES

        chosen = getattr(metafunc.cls, "suites", None)
        metafunc.parametrize("gramspec_suite", list(SUITES if chosen is None else chosen))


@pytest.fixture
def gramspec_audit(request: pytest.FixtureRequest) -> Auditor:
    """Call it with an engine: it audits it, fails the test on a fault, and returns the report.

    The keyword arguments are those of `gramspec.testing.auditing.Auditor.__call__`; a marker
    ``@pytest.mark.gramspec_audit(...)`` gives them for a test, a class or a module.
    """
    from gramspec.testing.auditing import Auditor

    options: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers("gramspec_audit"))):
        if marker.args:
            raise pytest.UsageError(f"{request.node.nodeid}: the marker gramspec_audit takes keywords only")
        options |= marker.kwargs
    typed = {
        "profile": request.config.getoption("--gramspec-profile"),
        "seed": request.config.getoption("--gramspec-seed"),
    }
    folder = request.config.getoption("--gramspec-report")
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", request.node.nodeid).strip("-")[-120:]
    return Auditor(
        defaults=options,
        typed={key: value for key, value in typed.items() if value is not None},
        reports=None if folder is None else Path(folder) / name,
    )
