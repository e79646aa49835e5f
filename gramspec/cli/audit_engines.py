"""Engines as `gramspec audit` takes them: by name, one's own adapter by module and object, a server by URL.

Law: exactly one is asked for, others are compared with it; what lacks is told with what brings it.
Source: API, "Command line".
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gramspec.errors import OptionError

_URL_ENGINE: Final = "openai"


@dataclass(frozen=True, kw_only=True)
class AuditRequest:
    """The options of the command, as typed."""

    engine: str | None
    suites: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    kind: str | None = None
    vocabularies: tuple[str, ...] = ()
    eos: str | None = None
    seed: int | None = None
    seconds: float | None = None
    settings: tuple[str, ...] = ()
    adapter: str | None = None
    url: str | None = None
    model: str | None = None
    api_key_env: str | None = None
    compare: tuple[str, ...] = ()
    strict: bool = False
    html: str | None = None
    junit: str | None = None
    json: str | None = None
    read: tuple[str, ...] = ()
    listing: bool = False


def engines_of(request: AuditRequest) -> list[str]:
    """Names of the engines asked for, one's own adapter as ``module:object``.

    Raises
    ------
    OptionError
        If none is asked for, or more than one way is.
    """
    ways = [request.engine, request.adapter, request.url]
    if sum(way is not None for way in ways) != 1:
        raise OptionError(
            "ENGINE, --adapter, --url: exactly one of them is needed\n"
            "  hint: gramspec audit --list shows the engines"
        )
    if request.url is None and (request.model is not None or request.api_key_env is not None):
        raise OptionError("--model, --api-key-env: only with --url")
    first = request.adapter or (_URL_ENGINE if request.url is not None else request.engine)
    assert first is not None
    return list(dict.fromkeys((first, *request.compare)))


def missing_of(request: AuditRequest) -> list[str]:
    """What lacks for the engines asked for, with the command that brings it."""
    from gramspec.audit.adapters import ENGINES, installed

    lines = []
    for name in engines_of(request):
        if name == request.adapter:
            continue
        if name not in ENGINES:
            raise OptionError(f"no engine is called {name!r}\n  hint: there are {', '.join(sorted(ENGINES))}")
        if not installed(name):
            entry = ENGINES[name]
            lines.append(f"{name} is not installed: pip install {entry.distribution}")
    return lines


def adapter_of(name: str, request: AuditRequest) -> Any:
    """One of the engines: its name, or its adapter where it is one's own, a server, or has settings.

    A name is left to `gramspec.audit.run`, which then asks the decoders that draw with its masks too.

    Raises
    ------
    OptionError
        If it cannot be made as asked.
    """
    from gramspec.audit.adapters import adapter as named

    first = name == engines_of(request)[0]
    settings = _settings(request) if first else {}
    if first and request.adapter is not None:
        return _own(request.adapter, settings)
    if first and request.url is not None:
        settings = {"url": request.url, **settings}
        settings |= {"model": request.model} if request.model is not None else {}
        settings |= {"api_key_env": request.api_key_env} if request.api_key_env is not None else {}
    if not settings:
        return name
    try:
        return named(name, **settings)
    except TypeError as error:
        raise OptionError(f"--setting: the adapter of {name} does not take these: {error}") from None


def _settings(request: AuditRequest) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for pair in request.settings:
        key, sign, value = pair.partition("=")
        if not sign or not key.isidentifier():
            raise OptionError(f"--setting {pair}: write it as KEY=VALUE")
        try:
            settings[key] = json.loads(value)
        except ValueError:
            settings[key] = value
    return settings


def _own(place: str, settings: Mapping[str, Any]) -> Any:
    """The user's adapter: an object, or what a class or function makes."""
    module, colon, name = place.partition(":")
    if not colon or not module or not name:
        raise OptionError(f"--adapter {place}: write it as MODULE:OBJECT")
    folder = str(Path.cwd())
    if folder not in sys.path:  # as `python -m` does: the user's module lies where the command is typed
        sys.path.insert(0, folder)
    try:
        found: Any = importlib.import_module(module)
    except ImportError as error:
        raise OptionError(f"--adapter {place}: {error}") from None
    for part in name.split("."):
        if not hasattr(found, part):
            raise OptionError(f"--adapter {place}: {module} has no {name}")
        found = getattr(found, part)
    made = found
    if isinstance(found, type) or not _is_adapter(found):
        if not callable(found):
            raise OptionError(
                f"--adapter {place}: neither an adapter nor what makes one\n  hint: docs/audit.md"
            )
        made = found(**settings)
    elif settings:
        raise OptionError("--setting: this adapter is made already; name what makes it")
    if not _is_adapter(made):
        raise OptionError(
            f"--adapter {place}: a {type(made).__name__} is no adapter\n"
            "  hint: gramspec.audit.adapters.Adapter names what it needs"
        )
    return made


def _is_adapter(found: Any) -> bool:
    from gramspec.audit.adapters import Capabilities

    named = all(hasattr(found, name) for name in ("name", "version", "settings"))
    return named and isinstance(getattr(found, "capabilities", None), Capabilities)
