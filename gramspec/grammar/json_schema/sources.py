"""What users hand in as a schema, turned into one plain JSON document.

Law: numbers stay exact (int or Decimal); whatever is not JSON is refused with its place.
Source: API, section 1 (`schema`).
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import re
import sys
import types
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin

from gramspec.errors import GrammarError, OptionError

Json: TypeAlias = "bool | int | Decimal | str | list[Json] | dict[str, Json] | None"

MAX_DEPTH = 256
MAX_DIGITS = 1000
_NON_JSON = re.compile(r'"(?:[^"\\]|\\.)*"|(-?Infinity|NaN)')


def load(schema: object) -> Json:
    """The JSON document of a schema given as dict, bool, JSON text or Python type.

    Parameters
    ----------
    schema : dict, bool, str, or type
        JSON text if a str; a pydantic model, dataclass or TypedDict if a type.

    Returns
    -------
    Json
        A private copy; floats as `Decimal`.

    Raises
    ------
    GrammarError
        If it is not JSON, nests deeper than 256 levels, or holds a number of more than 1,000 digits.
    OptionError
        If the type is of another kind, or needs pydantic and pydantic is not installed.
    """
    if isinstance(schema, str):
        return _copy(_parse(schema), "", 0)
    if isinstance(schema, bool | Mapping):
        return _copy(schema, "", 0)
    if isinstance(schema, type):
        return _copy(_from_type(schema), "", 0)
    raise GrammarError(
        "", f"a schema cannot be a {type(schema).__name__}", "give a dict, a bool, JSON text or a model class"
    )


def escape(name: str) -> str:
    """One reference token of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def _parse(text: str) -> object:
    def pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in members:
            if key in result:
                raise GrammarError("", f"the key {key!r} is written twice in one object")
            result[key] = value
        return result

    def constant(name: str) -> None:
        match = next(m for m in _NON_JSON.finditer(text) if m[1] == name)
        raise GrammarError(f"@{match.start(1)}", f"{name} is not JSON", source=text)

    def whole(digits: str) -> int:
        if len(digits) > MAX_DIGITS + 1:
            raise GrammarError("", f"a number has more than {MAX_DIGITS} digits")
        return int(digits)

    try:
        return json.loads(
            text, parse_float=Decimal, parse_int=whole, parse_constant=constant, object_pairs_hook=pairs
        )
    except json.JSONDecodeError as error:
        raise GrammarError(f"@{error.pos}", f"not JSON: {error.msg}", source=text) from error
    except RecursionError as error:
        raise GrammarError("", f"nested deeper than {MAX_DEPTH} levels") from error


def _from_type(schema: Any) -> object:
    name = getattr(schema, "__name__", repr(schema))
    model = hasattr(schema, "model_json_schema")
    if not (model or dataclasses.is_dataclass(schema) or _is_typed_dict(schema)):
        raise OptionError(f"schema: the class {name} is no pydantic model, dataclass or TypedDict")
    if importlib.util.find_spec("pydantic") is None:
        raise OptionError("schema: dataclasses and TypedDicts need pydantic; pip install pydantic")
    import pydantic

    try:
        return pydantic.TypeAdapter(schema if model else _portable(schema)).json_schema()
    except (pydantic.errors.PydanticUserError, NameError, TypeError) as error:
        raise OptionError(f"schema: pydantic cannot describe {name}: {error}") from error


def _is_typed_dict(schema: object) -> bool:
    return isinstance(schema, type) and issubclass(schema, dict) and hasattr(schema, "__required_keys__")


def _portable(hint: Any) -> Any:
    """A type hint with every TypedDict in the form that pydantic takes on every Python."""
    if sys.version_info >= (3, 12):
        return hint
    import typing_extensions as extended

    if _is_typed_dict(hint):
        fields = {
            key: _portable(value) if key in hint.__required_keys__ else extended.NotRequired[_portable(value)]
            for key, value in extended.get_type_hints(hint).items()
        }
        make: Any = extended.TypedDict
        return make(hint.__name__, fields)
    arguments = get_args(hint)
    changed = tuple(_portable(argument) for argument in arguments)
    if changed == arguments or get_origin(hint) is Literal:
        return hint
    origin: Any = Union if get_origin(hint) is types.UnionType else get_origin(hint)
    return origin[changed]


def _copy(value: object, pointer: str, depth: int) -> Json:
    if depth > MAX_DEPTH:
        raise GrammarError(pointer, f"nested deeper than {MAX_DEPTH} levels")
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float | Decimal):
        return _number(value, pointer)
    if isinstance(value, Mapping):
        members: dict[str, Json] = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise GrammarError(pointer, f"the key {key!r} is not a string")
            members[key] = _copy(item, f"{pointer}/{escape(key)}", depth + 1)
        return members
    if isinstance(value, list | tuple):
        items: list[Json] = []
        for index, item in enumerate(value):
            items.append(_copy(item, f"{pointer}/{index}", depth + 1))
        return items
    raise GrammarError(pointer, f"{type(value).__name__} is not a JSON value")


def _number(value: int | float | Decimal, pointer: str) -> Json:
    if isinstance(value, int):
        if value.bit_length() > 3.33 * MAX_DIGITS:
            raise GrammarError(pointer, f"a number has more than {MAX_DIGITS} digits")
        return value
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not exact.is_finite():
        raise GrammarError(pointer, f"{value} is not a JSON number")
    if exact != 0 and max(abs(exact.adjusted()), len(exact.as_tuple().digits)) > MAX_DIGITS:
        raise GrammarError(pointer, f"a number has more than {MAX_DIGITS} digits")
    return Decimal(0) if exact == 0 else exact
