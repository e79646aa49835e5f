"""Python types and outlines terms as schemas: what pydantic says about a type.

Law: a type is what pydantic validates it as; whatever has no JSON Schema is refused by name.
Source: API, section 1 (`schema`); pydantic's `TypeAdapter`.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
import types
import typing
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from gramspec.errors import GrammarError, OptionError


def schema_of(hint: Any) -> object:
    """The schema of a Python type or hint: JSON text, or a value made of Python objects.

    Parameters
    ----------
    hint : object
        A class, a type hint, a `pydantic.TypeAdapter` or a term of `outlines.types`.

    Raises
    ------
    GrammarError
        If it is nothing that describes JSON.
    OptionError
        If it is a type that pydantic cannot describe, or pydantic is not installed.
    """
    owner = type(hint).__module__.partition(".")[0]
    if owner == "outlines":
        return _term(hint)
    adapter = owner == "pydantic" and type(hint).__name__ == "TypeAdapter"
    if not adapter:
        _check(hint)
    name = _name(hint)
    if importlib.util.find_spec("pydantic") is None:
        raise OptionError(f"schema: {name} is a Python type, which needs pydantic; pip install pydantic")
    import pydantic

    try:
        return (hint if adapter else pydantic.TypeAdapter(_portable(hint))).json_schema()
    except Exception as error:  # classes describe themselves with code of their own
        raise OptionError(f"schema: pydantic cannot describe {name}: {error}") from error


def _check(hint: Any) -> None:
    """Refuse what is no type, or one that pydantic would misread."""
    if isinstance(hint, type) or get_origin(hint) is not None or hint is Any:
        if isinstance(hint, type) and any(base.__module__ == "pydantic.v1.main" for base in hint.__mro__):
            raise OptionError(f"schema: {_name(hint)} is a model of pydantic.v1; give one of pydantic 2")
        return
    if isinstance(hint, typing.NewType) or type(hint).__name__ == "TypeAliasType":
        return
    kind = type(hint).__name__
    hint_text = "give a dict, a bool, JSON text, a model class or a type hint"
    if hasattr(hint, "model_json_schema") or hasattr(hint, "__dataclass_fields__"):
        hint_text = f"give the class {kind} itself"
    elif inspect.isroutine(hint):
        hint_text = "give the type of its arguments, as a TypedDict or dataclass"
    raise GrammarError("", f"a schema cannot be a {kind}", hint_text)


def _term(term: Any) -> object:
    """The schema of a term of outlines."""
    kind = type(term).__name__
    if kind == "JsonSchema":
        return term.schema
    other = {"CFG": "gs.lark(term.definition)", "Choice": "gs.choice(term.items)"}
    advice = other.get(kind, "gs.regex(outlines.types.dsl.to_regex(term))")
    raise GrammarError(
        "",
        f"the outlines term {kind} is no schema: it describes a whole text, not a JSON value",
        f"use {advice}, or make it the type of a field of a model",
    )


def _name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and get_origin(hint) is None else repr(hint)


def _is_typed_dict(hint: object) -> bool:
    return isinstance(hint, type) and issubclass(hint, dict) and hasattr(hint, "__required_keys__")


def _portable(hint: Any) -> Any:
    """A type hint with every TypedDict in the form that pydantic takes on every Python."""
    if sys.version_info >= (3, 12):
        return hint
    import typing_extensions as extended

    if _is_typed_dict(hint) and type(hint).__module__ == "typing":
        fields = {
            key: _portable(value) if key in hint.__required_keys__ else extended.NotRequired[_portable(value)]
            for key, value in extended.get_type_hints(hint, include_extras=True).items()
        }
        make: Any = extended.TypedDict
        return make(hint.__name__, fields)
    arguments = get_args(hint)
    changed = tuple(_portable(argument) for argument in arguments)
    if changed == arguments or get_origin(hint) is Literal:
        return hint
    if get_origin(hint) is Annotated:
        return Annotated[changed]
    origin: Any = Union if get_origin(hint) is types.UnionType else get_origin(hint)
    return origin[changed]
