"""Values of JSON texts that are validated: exact, of any size, keys never twice.

Law: whole numbers are int (or `LongInteger`), others Decimal; nothing is rounded.
Cost: that of `json.loads`; nesting is bounded by the interpreter's recursion limit. Source: RFC 8259.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation

from gramspec.errors import LimitError
from gramspec.grammar.json_schema.sources import Json

_SHOWN_DIGITS = 4000  # Python turns no longer strings of digits into int, and back


class LongInteger(Decimal):
    """A number written without fraction and exponent that has more digits than `int` shows."""


class NotJsonError(ValueError):
    """The text is not one JSON value, or repeats a key."""


def parse(text: bytes) -> Json:
    """The value of a JSON text: whole numbers as int, others as Decimal, nothing rounded.

    Raises
    ------
    NotJsonError
        If it is not JSON, or an object has a key twice.
    LimitError
        If an exponent is beyond what a Decimal can hold.
    RecursionError
        If it nests too deeply.
    """
    try:
        value: Json = json.loads(
            text.decode("utf-8"),
            parse_int=_whole,
            parse_float=_decimal,
            parse_constant=_refuse,
            object_pairs_hook=_members,
        )
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise NotJsonError(str(error)) from None
    return value


def _whole(digits: str) -> Json:
    return int(digits) if len(digits) <= _SHOWN_DIGITS else LongInteger(digits)


def _decimal(text: str) -> Json:
    try:
        return Decimal(text)
    except InvalidOperation:
        mantissa = text.lower().partition("e")[0]
        if not mantissa.strip("-0."):
            return Decimal(0)
        raise LimitError("exponent", "a number of the text has an exponent of more than 17 digits") from None


def _refuse(name: str) -> Json:
    raise NotJsonError(f"{name} is not JSON")


def _members(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise NotJsonError("a key is written twice in one object")
    return members
