"""Adapters: one file for each engine that the audit can drive, found by name without importing the engine.

Law: `ENGINES` says where each adapter is and which package it needs; `adapter` makes one or says what lacks.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from gramspec.audit.adapters.decoder import MODES, Decoder, RefusedGrammarError
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
    "MODES",
    "Adapter",
    "Capabilities",
    "Compiled",
    "Decoder",
    "EngineEntry",
    "EngineFault",
    "EngineMatcher",
    "ForkMatcher",
    "Refused",
    "RefusedGrammarError",
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
        "gramspec.audit.adapters.ours:make",
        "gramspec",
        "gramspec",
        "gramspec's own masks, and its two ways to generate",
        ("gramspec-hf", "gramspec-generate"),
    ),
    "llguidance": EngineEntry(
        "gramspec.audit.adapters.llguidance:make",
        "llguidance",
        "llguidance",
        "llguidance: Earley over a lexer of derivatives",
        ("llguidance-hf", "outlines-llguidance"),
    ),
    "xgrammar": EngineEntry(
        "gramspec.audit.adapters.xgrammar:make",
        "xgrammar",
        "xgrammar",
        "xgrammar: Earley over automata of bytes",
        ("xgrammar-hf", "outlines-xgrammar"),
    ),
    "outlines_core": EngineEntry(
        "gramspec.audit.adapters.outlines_core:make",
        "outlines_core",
        "outlines_core",
        "outlines_core: an index of the whole vocabulary for each state of a regular expression",
        ("outlines-core",),
    ),
    "gramspec-hf": EngineEntry(
        "gramspec.audit.adapters.processors:gramspec_processor",
        "transformers",
        "'gramspec[models]'",
        "gramspec.GrammarLogitsProcessor under model.generate",
    ),
    "gramspec-generate": EngineEntry(
        "gramspec.audit.adapters.gramspec_decoder:GramspecDecoder",
        "transformers",
        "'gramspec[models]'",
        "gramspec.generate: the conditional law",
    ),
    "xgrammar-hf": EngineEntry(
        "gramspec.audit.adapters.processors:xgrammar_processor",
        "xgrammar",
        "xgrammar",
        "xgrammar.contrib.hf.LogitsProcessor under model.generate",
    ),
    "llguidance-hf": EngineEntry(
        "gramspec.audit.adapters.processors:llguidance_processor",
        "llguidance",
        "llguidance",
        "llguidance's masks under model.generate, token by token",
    ),
    "genlm-control": EngineEntry(
        "gramspec.audit.adapters.genlm_control:GenlmDecoder",
        "genlm",
        "genlm-control",
        "genlm-control's AWRS and SMC over its own automata",
    ),
    "openai": EngineEntry(
        "gramspec.audit.adapters.openai_service:OpenAIService",
        "httpx",
        "httpx",
        "an OpenAI-compatible server, by its URL",
    ),
    "outlines-core": EngineEntry(
        "gramspec.audit.adapters.processors:outlines_core_processor",
        "outlines",
        "outlines",
        "the processor of outlines.Generator(backend='outlines_core') under model.generate",
    ),
    "outlines-llguidance": EngineEntry(
        "gramspec.audit.adapters.processors:outlines_llguidance_processor",
        "outlines",
        "outlines llguidance",
        "the processor of outlines.Generator(backend='llguidance') under model.generate",
    ),
    "outlines-xgrammar": EngineEntry(
        "gramspec.audit.adapters.processors:outlines_xgrammar_processor",
        "outlines",
        "outlines xgrammar",
        "the processor of outlines.Generator(backend='xgrammar') under model.generate",
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
        If there is no engine of that name, its package is not installed, or it has no such setting.
    """
    entry = _entry(name)
    if find_spec(entry.module) is None:
        raise OptionError(
            f"engine {name!r}: the package {entry.module} is not installed; pip install {entry.distribution}"
        )
    module, factory = entry.factory.split(":")
    make = getattr(import_module(module), factory)
    try:
        inspect.signature(make).bind(**settings)
    except TypeError as error:
        known = ", ".join(inspect.signature(make).parameters)
        raise OptionError(f"engine {name!r}: {error}; its settings are {known}") from None
    return make(**settings)


def _entry(name: str) -> EngineEntry:
    if name not in ENGINES:
        raise OptionError(f"no engine is called {name!r}; there are {', '.join(sorted(ENGINES))}")
    return ENGINES[name]
