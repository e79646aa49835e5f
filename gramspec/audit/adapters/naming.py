"""Versions and named settings of adapters."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata

from gramspec.errors import OptionError


def distribution_version(distribution: str) -> str:
    """The installed version of a distribution."""
    return metadata.version(distribution)


def settings_name(name: str, known: Iterable[str]) -> str:
    """`name`, if there are settings of that name.

    Raises
    ------
    OptionError
        If there are none.
    """
    if name not in known:
        raise OptionError(f"no settings are called {name!r}; there are {', '.join(sorted(known))}")
    return name
