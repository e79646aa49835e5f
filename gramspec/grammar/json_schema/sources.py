"""What users hand in as a schema, turned into one plain JSON document.

Law: numbers stay exact (int or Decimal); whatever is not JSON is refused with its place.
Source: API, section 1 (`schema`).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from gramspec.errors import GrammarError
from gramspec.grammar.json_schema.json_text import MAX_DEPTH, MAX_DIGITS, Json, exact, parse
from gramspec.grammar.json_schema.python_types import schema_of

__all__ = ["MAX_DEPTH", "MAX_DIGITS", "Json", "escape", "load", "plain"]

_MAX_VALUES = 5_000_000


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
    agenda: list[tuple[object, str, int, list[Json] | dict[str, Json], int | str]] = [
        (value, "", 0, whole, 0)
    ]
    count = 0
    while agenda:
        item, pointer, depth, container, key = agenda.pop()
        count += 1
        if count > _MAX_VALUES:
            raise GrammarError(pointer, f"more than {_MAX_VALUES:,} values")
        if depth > MAX_DEPTH:
            raise GrammarError(pointer, f"nested deeper than {MAX_DEPTH} levels")
        copy: Json
        if item is None or isinstance(item, bool | str):
            copy = item
        elif isinstance(item, int | float | Decimal):
            copy = _number(item, pointer)
        elif isinstance(item, Mapping):
            members: dict[str, Json] = {}
            for name, part in item.items():
                if not isinstance(name, str):
                    raise GrammarError(pointer, f"the key {name!r} is not a string")
                members[name] = None  # the order of the keys is theirs, not that of the agenda
                agenda.append((part, f"{pointer}/{escape(name)}", depth + 1, members, name))
            copy = members
        elif isinstance(item, list | tuple):
            items: list[Json] = [None] * len(item)
            agenda.extend(
                (part, f"{pointer}/{index}", depth + 1, items, index) for index, part in enumerate(item)
            )
            copy = items
        else:
            raise GrammarError(pointer, f"{type(item).__name__} is not a JSON value")
        container[key] = copy  # type: ignore[index]
    return whole[0]


def _number(value: int | float | Decimal, pointer: str) -> Json:
    if isinstance(value, int):
        if value.bit_length() > 3.33 * MAX_DIGITS:
            raise GrammarError(pointer, f"a number has more than {MAX_DIGITS} digits")
        return int(value)
    return exact(value if isinstance(value, Decimal) else Decimal(repr(float(value))), pointer)
