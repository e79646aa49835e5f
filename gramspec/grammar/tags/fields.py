"""Reading the fields of a structural tag: their types, their names, and errors with places.

Law: a field that is not known is an error, never passed over.
Source: RFC 6901 for pointers.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from gramspec.errors import GrammarError


def pointer(place: str, *names: str | int) -> str:
    """The JSON pointer of something below a place."""
    steps = (str(name).replace("~", "~0").replace("/", "~1") for name in names)
    return "/".join([place, *steps])


def encoded(text: object, place: str, what: str, *, empty: bool = False) -> bytes:
    """A text in UTF-8.

    Raises
    ------
    GrammarError
        If it is no text, holds a lone surrogate, or is empty and may not be.
    """
    if not isinstance(text, str):
        raise GrammarError(place, f"{what} is a text, not {type(text).__name__}")
    if not text and not empty:
        raise GrammarError(place, f"{what} is empty", "write at least one character")
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        reason = f"{what} holds the lone surrogate U+{ord(text[error.start]):04X}"
        raise GrammarError(place, reason, "write the character itself") from error


class Fields:
    """An object of a specification; every field has to be taken, and `close` names one that was not.

    Parameters
    ----------
    value : object
        What stands there.
    place : str
        Its JSON pointer.
    what : str
        What it is, for errors.

    Raises
    ------
    GrammarError
        If it is no object.
    """

    __slots__ = ("_known", "place", "value", "what")

    def __init__(self, value: object, place: str, what: str) -> None:
        if not isinstance(value, Mapping):
            hint = 'write an object such as {"type": "any_text"}'
            raise GrammarError(place, f"{what} is an object, not {_kind(value)}", hint)
        self.value: Mapping[Any, Any] = value
        self.place = place
        self.what = what
        self._known: set[str] = set()

    def at(self, *names: str | int) -> str:
        """The place of a field."""
        return pointer(self.place, *names)

    def get(self, name: str, default: object = None) -> Any:
        """A field of any type."""
        self._known.add(name)
        return self.value.get(name, default)

    def need(self, name: str) -> Any:
        """A field that must be there."""
        self._known.add(name)
        if name not in self.value:
            near = get_close_matches(name, [str(key) for key in self.value], 1, 0.6)
            hint = f"{near[0]!r} is not known" if near else f'add "{name}"'
            raise GrammarError(self.place, f"{self.what} has no {name!r}", hint)
        return self.value[name]

    def flag(self, name: str) -> bool:
        """A truth value; False if it is not there."""
        value = self.get(name, False)
        if not isinstance(value, bool):
            raise GrammarError(self.at(name), f"{name!r} is true or false, not {_kind(value)}")
        return value

    def text(self, name: str, *, empty: bool = False) -> bytes:
        """A text in UTF-8 that must be there."""
        return encoded(self.need(name), self.at(name), f"{name!r}", empty=empty)

    def number(self, name: str, value: object, least: int) -> int:
        """`value` as an integer of at least so much."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise GrammarError(self.at(name), f"{name!r} is an integer, not {_kind(value)}")
        if value < least:
            raise GrammarError(self.at(name), f"{name!r} is {value}, less than {least}")
        return value

    def items(self, name: str, *, need: bool, filled: bool) -> list[Any]:
        """A list, which must be there and may have to be filled."""
        value = self.need(name) if need else self.get(name, [])
        if value is None and not need:
            return []
        if not isinstance(value, list | tuple):
            raise GrammarError(self.at(name), f"{name!r} is a list, not {_kind(value)}")
        if filled and not value:
            raise GrammarError(self.at(name), f"{name!r} is empty", "give at least one")
        return list(value)

    def texts(self, name: str, *, need: bool = False, filled: bool = False) -> list[bytes]:
        """A list of texts in UTF-8, none of them empty."""
        values = self.items(name, need=need, filled=filled)
        return [encoded(each, self.at(name, i), f"an item of {name!r}") for i, each in enumerate(values)]

    def close(self) -> None:
        """All fields have been asked for.

        Raises
        ------
        GrammarError
            If there are others.
        """
        for key in self.value:
            if key not in self._known:
                near = get_close_matches(str(key), self._known, 1, 0.6)
                known = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(sorted(self._known))}"
                raise GrammarError(pointer(self.place, str(key)), f"{self.what} has no field {key!r}", known)


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(value)) or ("a number" if isinstance(value, int | float) else type(value).__name__)
