"""Formats of JSON Schema: random members and near misses, judged by other libraries."""

from __future__ import annotations

import datetime
import ipaddress
import random
import re
import uuid
from collections.abc import Callable

import idna
import pytest

from gramspec.grammar import ir
from gramspec.grammar.json_schema import formats

SPICE = '0123456789:-+.TZ/%#?@[]{}"\\ aAfFgGwl~!é٣ء\n'


def member(expr: ir.Expr, rng: random.Random) -> str:
    """A random member of an expression without complements; of an intersection, of one of its parts."""
    match expr:
        case ir.CharSet(ranges):
            low, high = rng.choice(ranges)
            return chr(rng.choice((low, high, rng.randint(low, high))))
        case ir.Concat(items):
            return "".join(member(item, rng) for item in items)
        case ir.Union(items) | ir.And(items):
            return member(rng.choice(items), rng)
        case ir.Repeat(item, least, most):
            top = least + 3 if most is None else min(most, least + 3)
            return "".join(member(item, rng) for _ in range(rng.randint(least, top)))
        case _:
            assert isinstance(expr, ir.Epsilon)
            return ""


def mutated(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text) + 1)
    match rng.randrange(5):
        case 0:
            return text[:at] + rng.choice(SPICE) + text[at:]
        case 1:
            return text[:at] + text[at + 1 :]
        case 2:
            return text[:at] + rng.choice(SPICE) + text[at + 1 :]
        case 3:
            other = rng.randrange(len(text) + 1)
            low, high = sorted((at, other))
            return text[:low] + text[high:] + text[low:high]
        case _:
            return text[:at] + text[: rng.randrange(4)] + text[at:]


def good(make: Callable[[str], object]) -> Callable[[str], bool]:
    def judge(text: str) -> bool:
        try:
            make(text)
        except ValueError:
            return False
        return True

    return judge


def is_date(text: str) -> bool:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return False
    text = text.replace("0000-", "0400-", 1) if text.startswith("0000-") else text  # datetime has no year 0
    return good(datetime.date.fromisoformat)(text)


def is_time(text: str, date: datetime.date | None = None) -> bool:
    found = re.fullmatch(
        r"([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))", text
    )
    if not found:
        return False
    hour, minute, second = map(int, found.group(1, 2, 3))
    away, rest = int(found[6] or 0), int(found[7] or 0)
    if hour > 23 or minute > 59 or second > 60 or away > 23 or rest > 59:
        return False
    if second < 60:
        return True
    offset = datetime.timedelta(hours=away, minutes=rest) * (-1 if found[5] == "-" else 1)
    day = date or datetime.date(2000, 6, 30)
    moment = datetime.datetime(day.year, day.month, day.day, hour, minute) - offset
    last = date is None or (moment + datetime.timedelta(days=1)).day == 1
    return (moment.hour, moment.minute) == (23, 59) and last


def is_date_time(text: str) -> bool:
    if text[10:11] not in ("T", "t") or not is_date(text[:10]):
        return False
    year = 2000 + int(text[:4]) % 400  # the calendar repeats, and datetime ends with 9999
    return is_time(text[11:], datetime.date(year, int(text[5:7]), int(text[8:10])))


def is_uuid(text: str) -> bool:
    return good(uuid.UUID)(text) and str(uuid.UUID(text)) == text.lower()


def is_ipv6(text: str) -> bool:
    return "%" not in text and good(ipaddress.IPv6Address)(text)


def is_pointer(text: str) -> bool:
    return not text or (text[0] == "/" and not re.search("~(?![01])", text))


def is_relative_pointer(text: str) -> bool:
    found = re.match(r"(?:0|[1-9][0-9]*)(?:[+-](?:0|[1-9][0-9]*))?", text)
    return found is not None and (text[found.end() :] == "#" or is_pointer(text[found.end() :]))


def is_duration(text: str) -> bool:
    """The units in order, none skipped between two that are there; weeks alone."""
    found = re.fullmatch(r"P((?:[0-9]+[YMD])*)(T((?:[0-9]+[HMS])+))?|P[0-9]+W", text)
    if not found or text == "P":
        return False
    parts = [(re.sub("[0-9]+", "", found[group] or ""), units) for group, units in ((1, "YMD"), (3, "HMS"))]
    return all(part in units for part, units in parts)


def identifier(rule: str) -> Callable[[str], bool]:
    """The grammar of the package rfc3987; it takes octets with leading zeros and no capital V."""
    rfc3987 = pytest.importorskip("rfc3987", reason="the package rfc3987 judges identifiers")
    pattern = rfc3987.get_compiled_pattern(f"^%({rule})s\\Z")

    def judge(text: str) -> bool:
        plain = re.sub(r"\[V", "[v", text)
        slip = re.search(r"\[[^\]]*[:.]0[0-9]+[.\]]", text) if "." in text else None
        return bool(pattern.match(plain)) and not slip

    return judge


def is_idn(text: str) -> bool:
    """The package idna, which maps nothing here; the Bidi rule over the whole name is looked at elsewhere."""
    try:
        parts = re.split("[.。．｡]", text)
        return all(parts) and all(len(idna.alabel(part)) <= 63 for part in parts)
    except idna.IDNAError:
        return False


ORACLES: dict[str, Callable[[], Callable[[str], bool]]] = {
    "date": lambda: is_date,
    "time": lambda: is_time,
    "date-time": lambda: is_date_time,
    "duration": lambda: is_duration,
    "ipv4": lambda: good(ipaddress.IPv4Address),
    "ipv6": lambda: is_ipv6,
    "uuid": lambda: is_uuid,
    "json-pointer": lambda: is_pointer,
    "relative-json-pointer": lambda: is_relative_pointer,
    "uri": lambda: identifier("URI"),
    "uri-reference": lambda: identifier("URI_reference"),
    "iri": lambda: identifier("IRI"),
    "iri-reference": lambda: identifier("IRI_reference"),
}


@pytest.mark.parametrize("name", sorted(ORACLES))
def test_members_and_near_misses(name: str) -> None:
    rng = random.Random(f"members of {name}")
    judge = ORACLES[name]()
    language = formats.language(name)
    verdicts = {True: 0, False: 0}
    for _ in range(400):
        text = member(language, rng)
        for _ in range(3):
            verdict = formats.check(name, text)
            assert verdict == judge(text), text
            verdicts[verdict] += 1
            text = mutated(text, rng)
    assert min(verdicts.values()) > 100


def test_internationalised_names() -> None:
    rng = random.Random("names")
    language = formats.language("idn-hostname")
    right_to_left = re.compile("[\u0590-\u08ff\ufb1d-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")
    verdicts = {True: 0, False: 0}
    for _ in range(400):
        text = member(language, rng)
        for _ in range(3):
            verdict = formats.check("idn-hostname", text)
            if not right_to_left.search(text) and "xn--" not in text.lower():
                assert verdict == is_idn(text.lower() if text.isascii() else lowered(text)), text
                verdicts[verdict] += 1
            text = mutated(text, rng)
    assert min(verdicts.values()) > 50


def lowered(text: str) -> str:
    """LDH labels in lower case; U-labels as they are."""
    return "".join(part.lower() if part.isascii() else part for part in re.split("([.。．｡])", text))
