"""What tests share: small worlds, slow independent oracles, laws as mixins, strategies, the pytest plug-in.

For tests of one's own: `EngineLaws` and `GrammarLaws` (mixins), `Auditor`, the hypothesis strategies of
`strategies`, and the fixture `gramspec_audit` of `pytest_plugin`. All else is taken from the modules
(`worlds`, `oracle`, `saturation`, `proofs`, `models`, `potentials`, `verifiers`, `drafters`, `grammars`).

Nothing is imported before it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gramspec.testing import strategies
    from gramspec.testing.auditing import Auditor, EngineLaws
    from gramspec.testing.grammar_laws import GrammarLaws

__all__ = ["Auditor", "EngineLaws", "GrammarLaws", "strategies"]

_LAZY = {
    "Auditor": "gramspec.testing.auditing",
    "EngineLaws": "gramspec.testing.auditing",
    "GrammarLaws": "gramspec.testing.grammar_laws",
}


def __getattr__(name: str) -> Any:
    if name == "strategies":
        return importlib.import_module("gramspec.testing.strategies")
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'gramspec.testing' has no attribute {name!r}")
