"""Other spellings of a JSON value: escapes, white space, exponents.

Law: every text made here reads back as the same value, keys in the same order.
Source: RFC 8259.
"""

from __future__ import annotations

import json
import random
from decimal import Decimal
from typing import Any

_GAPS = ["", "", " ", "\n", "\t", "\r\n ", "  "]
_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def spelled(value: Any, choose: random.Random, *, decimals: bool = True) -> str:
    """`value` with random gaps and escapes; `decimals`: numbers may be written in other ways too."""
    if isinstance(value, str):
        return _string(value, choose)
    if isinstance(value, list):
        items = f"{_gap(choose)},".join(
            _gap(choose) + spelled(item, choose, decimals=decimals) for item in value
        )
        return f"[{items}{_gap(choose)}]"
    if isinstance(value, dict):
        members = f"{_gap(choose)},".join(
            f"{_gap(choose)}{_string(name, choose)}{_gap(choose)}:"
            f"{_gap(choose)}{spelled(member, choose, decimals=decimals)}"
            for name, member in value.items()
        )
        return f"{{{members}{_gap(choose)}}}"
    if decimals and isinstance(value, int | float) and not isinstance(value, bool) and choose.random() < 0.3:
        return _number(Decimal(json.dumps(value)), choose)
    return json.dumps(value)


def _number(value: Decimal, choose: random.Random) -> str:
    """A decimal with zeros behind, or an exponent after one digit: spellings that every number has."""
    if value == 0:
        return choose.choice(["0", "-0", "0.0", "-0.00", "0e0", "0E+7"])
    if choose.random() < 0.5 and abs(value.adjusted()) < 30:
        text = f"{value:f}"
        return text + ("" if "." in text else ".") + "0" * choose.randint(1, 2)
    digits = "".join(map(str, value.as_tuple().digits))
    fraction = digits[1:].rstrip("0") + choose.choice(["", "0"])
    exponent = value.adjusted()
    sign = choose.choice(["", "+"]) if exponent >= 0 else "-"
    mantissa = f"{digits[0]}.{fraction}" if fraction else digits[0]
    return f"{'-' * (value < 0)}{mantissa}{choose.choice('eE')}{sign}{abs(exponent)}"


def _gap(choose: random.Random) -> str:
    return choose.choice(_GAPS)


def _string(text: str, choose: random.Random) -> str:
    return '"' + "".join(_character(c, choose) for c in text) + '"'


def _character(c: str, choose: random.Random) -> str:
    if choose.random() < 0.15:
        units = c.encode("utf-16-be", "surrogatepass")
        digits = [units[i : i + 2].hex() for i in range(0, len(units), 2)]
        return "".join(f"\\u{d if choose.random() < 0.5 else d.upper()}" for d in digits)
    if c in _SHORT:
        return _SHORT[c]
    if c == "/" and choose.random() < 0.3:
        return "\\/"
    # A lone surrogate has no other spelling in UTF-8.
    if c < " " or "\ud800" <= c <= "\udfff":
        return f"\\u{ord(c):04x}"
    return c
