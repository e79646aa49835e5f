"""Frozen dataclasses as plain data, and back: what JSON can hold, read again with the declared types.

Law: `read(type(x), plain(x), "") == x` for dataclasses of numbers, text, tuples, mappings and dataclasses.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Final, TypeVar

from gramspec.errors import SerialisationError

_T = TypeVar("_T")
_NOT_FINITE: Final = {"Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan}


def plain(value: Any) -> Any:
    """Dataclasses as dicts, tuples as lists; floats that are not finite as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise TypeError(f"no plain data: {value!r}")


def read(cls: type[_T], data: Any, place: str) -> _T:
    """A dataclass from plain data.

    Raises
    ------
    SerialisationError
        With the JSON pointer of what does not fit.
    """
    if not isinstance(data, dict):
        raise SerialisationError(place or "(whole input)", f"an object is needed for {cls.__name__}")
    hints = typing.get_type_hints(cls)
    declared = {field.name: field for field in fields(cls)}  # type: ignore[arg-type]
    for name in data:
        if name not in declared:
            raise SerialisationError(f"{place}/{name}", f"{cls.__name__} has no such field")
    made = {}
    for name, field in declared.items():
        if name in data:
            made[name] = _read(hints[name], data[name], f"{place}/{name}")
        elif field.default is MISSING and field.default_factory is MISSING:
            raise SerialisationError(f"{place}/{name}", f"{cls.__name__} needs this field")
    return cls(**made)


def _read(hint: Any, data: Any, place: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        return read(hint, data, place)
    if origin is tuple and isinstance(data, list):
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_read(arguments[0], item, f"{place}/{i}") for i, item in enumerate(data))
    elif origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        if isinstance(data, dict):
            return {key: _read(arguments[1], item, f"{place}/{key}") for key, item in data.items()}
    elif origin in (typing.Union, types.UnionType):
        return _one_of(arguments, data, place)
    elif origin is typing.Literal:
        if data in arguments:
            return data
    elif hint is float:
        if isinstance(data, str) and data in _NOT_FINITE:
            return _NOT_FINITE[data]
        if isinstance(data, int | float) and not isinstance(data, bool):
            return float(data)
    elif hint is type(None):
        if data is None:
            return None
    elif isinstance(hint, type) and isinstance(data, hint) and (hint is bool or not isinstance(data, bool)):
        return data
    raise SerialisationError(place, f"{data!r} does not fit {hint}")


def _one_of(hints: tuple[Any, ...], data: Any, place: str) -> Any:
    wrong = None
    exact = [hint for hint in hints if isinstance(hint, type) and type(data) is hint]
    for hint in (*exact, *hints):
        try:
            return _read(hint, data, place)
        except SerialisationError as error:
            wrong = error
    raise wrong or SerialisationError(place, "nothing fits")
