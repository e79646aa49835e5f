"""Engines for tests of the limits suite: each does harm on one grammar, in a way of its own.

Law: the regular expression "h" does the harm that the class is named after; any other compiles to nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gramspec.audit.adapters.protocol import Capabilities
from gramspec.vocabulary import Vocabulary


class HarmfulEngine:
    """An engine whose masks are empty."""

    name = "harmful"
    version = "1"
    settings: Mapping[str, str] = {}
    capabilities = Capabilities(frozenset({"regex"}))
    is_accepting = False

    def compile(
        self, kind: str, text: str, vocabulary: Vocabulary, options: Mapping[str, Any] | None = None
    ) -> HarmfulEngine:
        """Do harm, or nothing."""
        if text == "h":
            self.harm()
        return self

    def matcher(self) -> HarmfulEngine:
        """Itself."""
        return self

    def mask(self) -> NDArray[np.bool_]:
        """Nothing may follow."""
        return np.zeros(4, dtype=np.bool_)

    def advance(self, token_id: int) -> bool:
        """No token is read."""
        return False

    def harm(self) -> None:
        """What the class is named after."""

    def snippet(self, kind: str, grammar: str, text: str | None = None) -> str:
        """No calls of its own."""
        return "matcher = ..."


class HangingEngine(HarmfulEngine):
    """Computes without end."""

    def harm(self) -> None:
        """Compute."""
        while True:
            pass


class SleepingEngine(HarmfulEngine):
    """Waits without end."""

    def harm(self) -> None:
        """Wait."""
        time.sleep(100_000)


class CrashingEngine(HarmfulEngine):
    """Ends its process."""

    def harm(self) -> None:
        """Abort."""
        os.abort()


class SwellingEngine(HarmfulEngine):
    """Takes all memory."""

    def harm(self) -> None:
        """Allocate."""
        held = []
        while True:
            held.append(bytes(64 << 20))
