"""`gramspec.outlines.install`: ``backend="gramspec"`` in outlines, which has no registry of back-ends.

Law: that of `GrammarLogitsProcessor`. Cost: four attributes of outlines are replaced, and put back exactly.
Source: `outlines.backends._get_backend` and the generators of outlines 1.3.
"""

from __future__ import annotations

import functools
import inspect
import sys
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from gramspec.errors import OptionError
from gramspec.integrations.logits_processor import GrammarLogitsProcessor
from gramspec.integrations.outlines_processor import processor, require_transformers
from gramspec.integrations.outlines_terms import cfg_grammar, json_grammar, regex_grammar

NAME = "gramspec"
_VERSIONS = ("1.3.",)
_LOCK = threading.Lock()


class Backend:
    """The back-end: processors for a model of outlines.

    Parameters
    ----------
    model : outlines.models.Transformers
    """

    def __init__(self, model: Any) -> None:
        require_transformers(model)
        self.model = model
        self.tensor_library_name = model.tensor_library_name

    def get_json_schema_logits_processor(
        self, json_schema: str, whitespace_pattern: str | None = None
    ) -> GrammarLogitsProcessor:
        """A processor for a JSON schema; white space is free, or matches the pattern in every gap."""
        return processor(self.model, json_grammar(json_schema, whitespace_pattern))

    def get_regex_logits_processor(self, regex: str) -> GrammarLogitsProcessor:
        """A processor for a regular expression in the syntax of Python's `re`."""
        return processor(self.model, regex_grammar(regex))

    def get_cfg_logits_processor(self, grammar: str) -> GrammarLogitsProcessor:
        """A processor for a Lark grammar."""
        return processor(self.model, cfg_grammar(grammar))


class _Patch(NamedTuple):
    """One attribute of outlines that is replaced."""

    owner: Any
    name: str
    parameters: tuple[str, ...]  # of what stands there
    make: Callable[[Any], Any]  # from the original


_installed: list[tuple[_Patch, Any, Any]] = []  # with the original and its replacement


def install() -> None:
    """Make ``backend="gramspec"`` known to outlines, for every output type.

    Everything else in outlines stays as it is. A second call changes nothing.

    Raises
    ------
    OptionError
        If outlines is not installed, or is of a version whose inner functions are not those of 1.3;
        nothing is changed then.
    """
    with _LOCK:
        if _installed:
            return
        patches = _patches()
        for patch in patches:
            found = getattr(patch.owner, patch.name, None)
            if found is None or tuple(inspect.signature(found).parameters) != patch.parameters:
                raise OptionError(
                    f"outlines: {patch.name} is not the function of outlines 1.3, so nothing is installed"
                    "\n  hint: outlines.Generator(model, processor=gs.outlines.processor(model, output_type))"
                )
        for patch in patches:
            original = getattr(patch.owner, patch.name)
            replacement = patch.make(original)
            setattr(patch.owner, patch.name, replacement)
            _installed.append((patch, original, replacement))


def uninstall() -> None:
    """Put outlines back exactly as it was; without `install` before, nothing is done.

    Raises
    ------
    OptionError
        If somebody else has replaced one of the functions since; nothing is changed then.
    """
    with _LOCK:
        for patch, _, replacement in _installed:
            if getattr(patch.owner, patch.name) is not replacement:
                raise OptionError(
                    f"outlines: {patch.name} was replaced by somebody else since gramspec.outlines.install()"
                    "\n  hint: take that change back first"
                )
        for patch, original, _ in _installed:
            setattr(patch.owner, patch.name, original)
        _installed.clear()


def is_installed() -> bool:
    """Whether outlines knows ``backend="gramspec"``."""
    return bool(_installed)


def _patches() -> list[_Patch]:
    try:
        import outlines
        from outlines import backends, generator
        from outlines._version import __version__ as version
    except ImportError as error:
        raise OptionError(
            f"the package {error.name} is not installed\n  hint: pip install 'gramspec[outlines]'"
        ) from error
    del outlines
    if not version.startswith(_VERSIONS):
        raise OptionError(
            f"outlines {version}: backend='gramspec' replaces inner functions of outlines 1.3; of others"
            " nothing is known"
            "\n  hint: outlines.Generator(model, processor=gs.outlines.processor(model, output_type))"
        )
    black_box = ("self", "model", "output_type")
    return [
        _Patch(backends, "_get_backend", ("backend_name", "model"), _choosing),
        _Patch(
            generator.SteerableGenerator,
            "__init__",
            ("self", "model", "output_type", "backend_name"),
            _steering,
        ),
        _Patch(generator.BlackBoxGenerator, "__init__", black_box, _refusing),
        _Patch(generator.AsyncBlackBoxGenerator, "__init__", black_box, _refusing),
    ]


def _choosing(original: Any) -> Any:
    """`_get_backend` with one name more."""

    @functools.wraps(original)
    def _get_backend(backend_name: str, model: Any) -> Any:
        return Backend(model) if backend_name == NAME else original(backend_name, model)

    return _get_backend


def _steering(original: Any) -> Any:
    """The generator of steered models: with our back-end, types are read without a detour over `to_regex`."""

    @functools.wraps(original)
    def __init__(self: Any, model: Any, output_type: Any, backend_name: str | None = None) -> None:
        if backend_name != NAME or output_type is None:
            original(self, model, output_type, backend_name)
            return
        self.model = model
        self.logits_processor = processor(model, output_type)

    return __init__


def _refusing(original: Any) -> Any:
    """The generators of other models, for which outlines drops the name of a back-end."""

    @functools.wraps(original)
    def __init__(self: Any, model: Any, output_type: Any) -> None:
        caller = sys._getframe(1)
        if caller.f_code.co_name == "Generator" and caller.f_locals.get("backend") == NAME:
            require_transformers(model)
        original(self, model, output_type)

    return __init__
