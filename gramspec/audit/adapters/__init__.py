"""Adapters: one file for each engine that the audit can drive, found by name without importing the engine.

Law: `ENGINES` says where each adapter is and which package it needs; `adapter` makes one or says what lacks.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from gramspec.audit.adapters.protocol import (
    KINDS,
    Adapter,
    Capabilities,
    Compiled,
    EngineFault,
    EngineMatcher,
    ForkMatcher,
    Refused,
    RollbackMatcher,
)
from gramspec.errors import OptionError

__all__ = [
    "ENGINES",
    "KINDS",
    "Adapter",
    "Capabilities",
    "Compiled",
    "EngineEntry",
    "EngineFault",
    "EngineMatcher",
    "ForkMatcher",
    "Refused",
    "RollbackMatcher",
    "adapter",
    "installed",
]


@dataclass(frozen=True)
class EngineEntry:
    """Where an adapter is.

    Parameters
    ----------
    factory : str
        ``module:callable``; keyword arguments are the adapter's settings.
    module : str
        The module that must be importable.
    distribution : str
        What `pip install` takes.
    description : str
        One line.
    decoders : tuple of str
        Engines that draw texts with this engine's masks; suites on what is drawn run on these too.
    """

    factory: str
    module: str
    distribution: str
    description: str
    decoders: tuple[str, ...] = ()


ENGINES: Final[dict[str, EngineEntry]] = {
    "gramspec": EngineEntry(
        "gramspec.audit.adapters.ours:make", "gramspec", "gramspec", "gramspec's own masks"
    ),
    "llguidance": EngineEntry(
        "gramspec.audit.adapters.llguidance:make",
        "llguidance",
        "llguidance",
        "llguidance: Earley over a lexer of derivatives",
    ),
    "xgrammar": EngineEntry(
        "gramspec.audit.adapters.xgrammar:make",
        "xgrammar",
        "xgrammar",
        "xgrammar: Earley over automata of bytes",
    ),
    "outlines_core": EngineEntry(
        "gramspec.audit.adapters.outlines_core:make",
        "outlines_core",
        "outlines_core",
        "outlines_core: an index of the whole vocabulary for each state of a regular expression",
    ),
}


def installed(name: str) -> bool:
    """Whether the package of a named engine can be imported.

    Raises
    ------
    OptionError
        If there is no engine of that name.
    """
    return find_spec(_entry(name).module) is not None


def adapter(name: str, **settings: Any) -> Any:
    """Make the adapter of a named engine.

    Parameters
    ----------
    name : str
        A key of `ENGINES`.
    **settings
        As the adapter's factory takes them.

    Returns
    -------
    Adapter or Decoder

    Raises
    ------
    OptionError
        If there is no engine of that name, or its package is not installed.
    """
    entry = _entry(name)
    if find_spec(entry.module) is None:
        raise OptionError(
            f"engine {name!r}: the package {entry.module} is not installed; pip install {entry.distribution}"
        )
    module, factory = entry.factory.split(":")
    return getattr(import_module(module), factory)(**settings)


def _entry(name: str) -> EngineEntry:
    if name not in ENGINES:
        raise OptionError(f"no engine is called {name!r}; there are {', '.join(sorted(ENGINES))}")
    return ENGINES[name]
