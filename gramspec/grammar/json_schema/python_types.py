"""Python types and outlines terms as schemas: what pydantic says about a type.

Law: a type is what pydantic validates it as; whatever has no JSON Schema is refused by name.
Source: API, section 1 (`schema`); pydantic's `TypeAdapter`.
"""

from __future__ import annotations

import dataclasses
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
    from pydantic import TypeAdapter
    from pydantic.json_schema import GenerateJsonSchema

    class Generator(GenerateJsonSchema):
        def generate_inner(self, schema: Any) -> Any:
            described = super().generate_inner(schema)
            return _whole_match(described) if _is_term(schema) else described

    try:
        described = hint if adapter else TypeAdapter(_portable(hint))
        return described.json_schema(schema_generator=Generator)
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


def _is_term(core_schema: Any) -> bool:
    """Whether a part of pydantic's own schema comes from a term of outlines."""
    if core_schema.get("type") != "function-plain":
        return False
    writers = core_schema.get("metadata", {}).get("pydantic_js_functions", ())
    return any(type(getattr(one, "__self__", None)).__module__.startswith("outlines.") for one in writers)


def _whole_match(described: Any) -> Any:
    """What a term says of itself, its pattern bound to the whole string as its validation binds it."""
    return {**described, "pattern": f"^(?:{described['pattern']})$"} if "pattern" in described else described


def _name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and get_origin(hint) is None else repr(hint)


def _is_typed_dict(hint: object) -> bool:
    return isinstance(hint, type) and issubclass(hint, dict) and hasattr(hint, "__required_keys__")


def _portable(hint: Any, made: dict[Any, Any] | None = None) -> Any:
    """A type hint with every TypedDict in the form that pydantic takes on every Python."""
    if sys.version_info >= (3, 12):
        return hint
    made = {} if made is None else made
    if isinstance(hint, type) and hint in made:
        return made[hint]
    if _is_typed_dict(hint) and type(hint).__module__ == "typing":
        return _portable_typed_dict(hint, made)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint) and not hasattr(hint, "__pydantic_fields__"):
        return _portable_dataclass(hint, made)
    arguments = get_args(hint)
    changed = tuple(_portable(argument, made) for argument in arguments)
    if changed == arguments or get_origin(hint) is Literal:
        return hint
    if get_origin(hint) is Annotated:
        return Annotated[changed]
    origin: Any = Union if get_origin(hint) is types.UnionType else get_origin(hint)
    return origin[changed]


def _portable_typed_dict(hint: Any, made: dict[Any, Any]) -> Any:
    import typing_extensions as extended

    make: Any = extended.TypedDict
    copy = made[hint] = make(hint.__name__, {})  # filled below: its fields may speak of it
    fields = extended.get_type_hints(hint, include_extras=True)
    required = set(hint.__required_keys__)
    for name, field in fields.items():
        # Python takes the qualifiers of annotations that are text for a part of the type.
        inner, qualifier = _qualified(field)
        copy.__annotations__[name] = _portable(inner, made)
        if qualifier is not None:
            (required.add if qualifier == "Required" else required.discard)(name)
    copy.__required_keys__ = frozenset(required)
    copy.__optional_keys__ = frozenset(fields) - copy.__required_keys__
    copy.__total__, copy.__doc__, copy.__module__ = hint.__total__, hint.__doc__, hint.__module__
    return copy


def _portable_dataclass(hint: Any, made: dict[Any, Any]) -> Any:
    made[hint] = hint  # where it speaks of itself it stays as it is
    hints = typing.get_type_hints(hint, include_extras=True)
    fields = {field.name: (hints[field.name], field) for field in dataclasses.fields(hint)}
    changed = {name: _portable(kind, made) for name, (kind, _) in fields.items()}
    if all(changed[name] is kind for name, (kind, _) in fields.items()):
        return hint
    parts = []
    for name, (_, field) in fields.items():
        given: dict[str, Any] = {"init": field.init, "kw_only": field.kw_only, "metadata": field.metadata}
        if field.default is not dataclasses.MISSING:
            given["default"] = field.default
        if field.default_factory is not dataclasses.MISSING:
            given["default_factory"] = field.default_factory
        parts.append((name, changed[name], dataclasses.field(**given)))
    return dataclasses.make_dataclass(hint.__name__, parts)


def _qualified(hint: Any) -> tuple[Any, str | None]:
    """The type under `Required` or `NotRequired`, and which of them it was."""
    name = getattr(get_origin(hint), "_name", "")
    return (get_args(hint)[0], name) if name in ("Required", "NotRequired") else (hint, None)
