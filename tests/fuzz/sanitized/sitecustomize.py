"""Start-up of a Python process that uses another build of the native core: `gramspec._native` from a folder.

Law: every process below one with ``GRAMSPEC_NATIVE_BUILD`` set loads the core of that folder, or none.
Source: Makefile, targets `asan` and `fuzz`, which put this folder on ``PYTHONPATH``.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

NAME = "gramspec._native"


class OtherBuild:
    """Finds the native core in a build folder, before the editable install or the package folder do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The specification of the native core; None for all other modules."""
        if name != NAME:
            return None
        for suffix in importlib.machinery.EXTENSION_SUFFIXES:
            place = self.folder / f"_native{suffix}"
            if place.is_file():
                loader = importlib.machinery.ExtensionFileLoader(name, str(place))
                return importlib.util.spec_from_file_location(name, place, loader=loader)
        raise ImportError(f"GRAMSPEC_NATIVE_BUILD: no build of {NAME} in {self.folder}")


def _without_address_limits(limit: Any) -> Any:
    def setrlimit(which: int, limits: tuple[int, int]) -> None:
        # AddressSanitizer reserves terabytes of addresses for its shadow: no bound on them leaves room.
        if which != resource.RLIMIT_AS:
            limit(which, limits)

    return setrlimit


if os.environ.get("GRAMSPEC_NATIVE_BUILD"):
    sys.meta_path.insert(0, OtherBuild(Path(os.environ["GRAMSPEC_NATIVE_BUILD"])))
    if "asan" in os.environ.get("LD_PRELOAD", ""):
        resource.setrlimit = _without_address_limits(resource.setrlimit)
