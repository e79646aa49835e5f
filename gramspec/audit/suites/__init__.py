"""Suites: what each one tests, and where it is.

Law: a suite is a function from a `Context` to a `SuiteResult`; it never changes the engine's settings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Final, Literal

from gramspec.audit.results import SuiteResult
from gramspec.audit.suites.context import Context, GrammarCase, Instance, Progress
from gramspec.audit.suites.tally import Tally

__all__ = ["SUITES", "Context", "GrammarCase", "Instance", "Progress", "SuiteEntry", "Tally"]


@dataclass(frozen=True)
class SuiteEntry:
    """Where a suite is.

    Parameters
    ----------
    function : str
        ``module:function``, from `Context` to `SuiteResult`.
    needs : str
        ``masks``: an `Adapter` with masks. ``draws``: a decoder that draws texts.
        ``service``: a server that is asked over HTTP. ``any``: masks or draws.
    description : str
        One line.
    """

    function: str
    needs: Literal["masks", "draws", "service", "any"]
    description: str

    def load(self) -> Callable[[Context], SuiteResult]:
        """The function."""
        module, name = self.function.split(":")
        function: Callable[[Context], SuiteResult] = getattr(import_module(module), name)
        return function


SUITES: Final[dict[str, SuiteEntry]] = {
    "soundness": SuiteEntry(
        "gramspec.audit.suites.soundness:run", "masks", "accepts nothing outside the language"
    ),
    "completeness": SuiteEntry(
        "gramspec.audit.suites.completeness:run", "masks", "refuses nothing inside the language"
    ),
    "liveness": SuiteEntry("gramspec.audit.suites.liveness:run", "masks", "never a state without an ending"),
    "exactness": SuiteEntry(
        "gramspec.audit.suites.exactness:run", "masks", "the mask against brute force, token by token"
    ),
    "law": SuiteEntry("gramspec.audit.suites.law:run", "draws", "which law a decoder samples, by name"),
    "speculation": SuiteEntry(
        "gramspec.audit.suites.speculation:run", "draws", "drafts and beams write what plain decoding writes"
    ),
    "isolation": SuiteEntry(
        "gramspec.audit.suites.isolation:run", "draws", "what one request writes does not depend on others"
    ),
    "limits": SuiteEntry(
        "gramspec.audit.suites.limits:run", "masks", "grammars that mean harm, in bounded time and memory"
    ),
    "service": SuiteEntry(
        "gramspec.audit.suites.service:run", "service", "texts of a server against what was asked for"
    ),
}
