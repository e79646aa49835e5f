"""What users hand in as a schema, turned into one plain JSON document.

Law: numbers stay exact (int or Decimal); whatever is not JSON is refused with its place.
Source: API, section 1 (`schema`).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TypeAlias

from gramspec.errors import GrammarError
from gramspec.grammar.json_schema.json_text import MAX_DEPTH, MAX_DIGITS, Json, exact, parse
from gramspec.grammar.json_schema.python_types import schema_of

__all__ = ["MAX_DEPTH", "MAX_DIGITS", "Json", "escape", "load", "plain"]

_MAX_VALUES = 1_000_000
_Path: TypeAlias = "tuple[_Path, int | str] | None"


def load(schema: object) -> Json:
    """The JSON document of a schema given as dict, bool, JSON text or Python type.

    Parameters
    ----------
    schema : dict, bool, str, type or hint
        JSON text if a str. A Python type is a pydantic model, dataclass, TypedDict, NamedTuple or
        Enum, any hint over these (``list[Model]``, ``Literal["a", 1]``, ``A | B``), a
        `pydantic.TypeAdapter` or an `outlines.types.JsonSchema`.

    Returns
    -------
    Json
        A private copy; floats as `Decimal`.

    Raises
    ------
    GrammarError
        If it is not JSON, nests deeper than `MAX_DEPTH` levels, or holds a number of more than
        `MAX_DIGITS` digits.
    OptionError
        If the type is of another kind, or needs pydantic and pydantic is not installed.
    """
    if isinstance(schema, str):
        return parse(schema)
    if isinstance(schema, bool | Mapping):
        return plain(schema)
    described = schema_of(schema)
    return parse(described) if isinstance(described, str) else plain(described)


def escape(name: str) -> str:
    """One reference token of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def plain(value: object) -> Json:
    """A private copy of a JSON value made of Python objects.

    Raises
    ------
    GrammarError
        With the JSON pointer, if a part of it is no JSON value, or it nests deeper than `MAX_DEPTH`
        levels.
    """
    whole: list[Json] = [None]
    agenda: list[tuple[object, _Path, int, list[Json] | dict[str, Json], int | str]]
    agenda = [(value, None, 0, whole, 0)]
    count = 0
    while agenda:
        item, path, depth, container, key = agenda.pop()
        count += 1
        if count > _MAX_VALUES:
            raise GrammarError("", f"more than {_MAX_VALUES:,} values")
        if depth > MAX_DEPTH:
            raise GrammarError(_pointer(path), f"nested deeper than {MAX_DEPTH} levels")
        copy: Json
        if item is None or isinstance(item, bool | str):
            copy = item
        elif isinstance(item, int | float | Decimal):
            copy = _number(item, path)
        elif isinstance(item, Mapping):
            members: dict[str, Json] = {}
            for name, part in item.items():
                if not isinstance(name, str):
                    raise GrammarError(_pointer(path), f"the key {name!r} is not a string")
                members[name] = None  # the order of the keys is theirs, not that of the agenda
                agenda.append((part, (path, name), depth + 1, members, name))
            copy = members
        elif isinstance(item, list | tuple):
            items: list[Json] = [None] * len(item)
            agenda.extend((part, (path, index), depth + 1, items, index) for index, part in enumerate(item))
            copy = items
        else:
            raise GrammarError(_pointer(path), f"{type(item).__name__} is not a JSON value")
        container[key] = copy  # type: ignore[index]
    return whole[0]


def _pointer(path: _Path) -> str:
    names: list[str] = []
    while path is not None:
        path, name = path
        names.append(f"/{escape(str(name))}")
    return "".join(reversed(names))


def _number(value: int | float | Decimal, path: _Path) -> Json:
    if isinstance(value, int):
        if value.bit_length() > 3.33 * MAX_DIGITS:
            raise GrammarError(_pointer(path), f"a number has more than {MAX_DIGITS} digits")
        return int(value)
    number = value if isinstance(value, Decimal) else Decimal(repr(float(value)))
    return exact(number, lambda: _pointer(path))
