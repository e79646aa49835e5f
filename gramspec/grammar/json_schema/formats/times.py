"""Dates, times and durations as regular languages, calendar and leap seconds included.

Law: a member is a moment that exists: days of the month, leap years, and 23:59:60 UTC only.
Source: RFC 3339, sections 5.6 and 5.7, appendices A and C.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from gramspec.grammar import ir
from gramspec.grammar.regex import parse_regex

_LEAP_YEAR: Final = (
    r"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[048]|[2468][048]|[13579][26])00)"  # 0000 is one
)
_LONG: Final = r"0[13578]|1[02]"
_SHORT: Final = r"0[469]|11"
_DATE: Final = (
    rf"[0-9]{{4}}-(?:(?:{_LONG})-(?:0[1-9]|[12][0-9]|3[01])|(?:{_SHORT})-(?:0[1-9]|[12][0-9]|30)"
    rf"|02-(?:0[1-9]|1[0-9]|2[0-8]))|{_LEAP_YEAR}-02-29"
)
_HOUR: Final = r"(?:[01][0-9]|2[0-3])"
_MINUTE: Final = r"[0-5][0-9]"
_FRACTION: Final = r"(?:\.[0-9]+)?"
_CLOCK: Final = rf"{_HOUR}:{_MINUTE}:{_MINUTE}{_FRACTION}(?:[Zz]|[+-]{_HOUR}:{_MINUTE})"

# Where a leap second may stand depends on the sign of the offset: east of Greenwich it falls on
# the first day of the next month, elsewhere on the last day of its month.
_FIRST_DAY: Final = r"[0-9]{4}-(?:0[1-9]|1[0-2])-01"
_NOT_FOURTH: Final = r"(?:[02468][1235679]|[13579][01345789])"
_LAST_DAY: Final = (
    rf"[0-9]{{4}}-(?:(?:{_LONG})-31|(?:{_SHORT})-30)|{_LEAP_YEAR}-02-29"
    rf"|(?:[0-9]{{2}}{_NOT_FOURTH}|{_NOT_FOURTH}00)-02-28"
)


def _compile(pattern: str) -> ir.Expr:
    return parse_regex(pattern, "python")


@lru_cache(maxsize=1)
def date() -> ir.Expr:
    """``full-date``."""
    return _compile(_DATE)


@lru_cache(maxsize=1)
def time() -> ir.Expr:
    """``full-time``."""
    return ir.union(_compile(_CLOCK), _leap_west(), _leap_east())


@lru_cache(maxsize=1)
def date_time() -> ir.Expr:
    """``date-time``; a leap second ends a month, in UTC."""
    mark = _compile("[Tt]")
    return ir.union(
        ir.concat(date(), mark, _compile(_CLOCK)),
        ir.concat(_compile(_LAST_DAY), mark, _leap_west()),
        ir.concat(_compile(_FIRST_DAY), mark, _leap_east()),
    )


@lru_cache(maxsize=1)
def duration() -> ir.Expr:
    """``duration`` of appendix A: no fraction, no unit left out between two others, weeks alone."""
    clock = r"T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S)"
    days = r"[0-9]+D"
    months = rf"[0-9]+M(?:{days})?"
    years = rf"[0-9]+Y(?:{months})?"
    return _compile(rf"P(?:(?:{years}|{months}|{days})(?:{clock})?|{clock}|[0-9]+W)")


@lru_cache(maxsize=1)
def _leap_west() -> ir.Expr:
    """Leap seconds in UTC and west of it: local time and offset add up to 23:59, digit by digit.

    Minutes never carry, so the hours and the minutes are two conditions on the same text.
    """
    zulu = rf"23:59:60{_FRACTION}(?:[Zz]|[+]00:00)"
    hours = "|".join(rf"{23 - hour:02}:..:60{_FRACTION}-{hour:02}:.." for hour in range(24))
    minutes = "|".join(rf"..:{59 - minute:02}:60{_FRACTION}-..:{minute:02}" for minute in range(60))
    return ir.union(_compile(zulu), ir.And((_compile(hours), _compile(minutes))))


@lru_cache(maxsize=1)
def _leap_east() -> ir.Expr:
    """Leap seconds east of UTC, offset 00:01 or more: local time is the offset less one minute."""
    even = "|".join(
        rf"{(hour - 1) % 24:02}:59:60{_FRACTION}[+]{hour:02}:00" for hour in range(1, 24)
    )  # 00:00 is Greenwich
    hours = "|".join(rf"{hour:02}:..:60{_FRACTION}[+]{hour:02}:.." for hour in range(24))
    minutes = "|".join(rf"..:{minute - 1:02}:60{_FRACTION}[+]..:{minute:02}" for minute in range(1, 60))
    return ir.union(_compile(even), ir.And((_compile(hours), _compile(minutes))))
