"""Texts for a case: other spellings of a member, changed members, and members drawn at random.

Law: a variant of a JSON text reads back as the same value; what it varies is said. Whether a changed text is
a member the oracles say, not this file. Source: RFC 8259.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any, Final

import gramspec as gs
from gramspec.audit.adapters.ours import Gramspec
from gramspec.testing.json_spelling import spelled
from gramspec.testing.random_schemas import Maker

COMPACT: Final = (",", ":")


def value_of(text: str) -> tuple[bool, Any]:
    """Whether a text is JSON with no key twice and plain numbers, and its value."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False, None
    return True, value


def repeats_key(text: str) -> bool:
    """Whether an object of a JSON text has a key twice, escapes undone."""
    repeated = False

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeated
        found = dict(pairs)
        repeated = repeated or len(found) < len(pairs)
        return found

    json.loads(text, object_pairs_hook=look)
    return repeated


def usual(value: Any) -> str:
    """A value as it is usually written: integers without a fraction, no escapes that are not needed."""
    return json.dumps(_integral(value), ensure_ascii=False)


def _integral(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e300:
        return int(value)
    if isinstance(value, list):
        return [_integral(item) for item in value]
    if isinstance(value, dict):
        return {name: _integral(member) for name, member in value.items()}
    return value


def reordered(value: Any, choose: random.Random) -> Any:
    """Keys in random orders."""
    if isinstance(value, list):
        return [reordered(item, choose) for item in value]
    if isinstance(value, dict):
        names = list(value)
        choose.shuffle(names)
        return {name: reordered(value[name], choose) for name in names}
    return value


def variants(text: str, choose: random.Random) -> Iterator[tuple[str, str]]:
    """What is varied, and the text: white space, escapes, numbers, order of keys; nothing for other texts."""
    is_json, value = value_of(text)
    if not is_json:
        return
    plain = json.dumps(value, ensure_ascii=False)
    if any("\ud800" <= char <= "\udfff" for char in plain):
        return
    made = [
        ("no white space", json.dumps(value, ensure_ascii=False, separators=COMPACT)),
        ("lines", json.dumps(value, ensure_ascii=False, indent=2)),
        ("white space", _spaced(value, choose)),
        ("escapes of characters", json.dumps(value, ensure_ascii=True)),
        ("escapes of characters", _escaped(value)),
        ("spelling of numbers", _numbers(value)),
        ("order of keys", json.dumps(_turned(value), ensure_ascii=False)),
        ("spelling", spelled(value, choose)),
    ]
    seen = {text, plain}
    for what, other in made:
        if other not in seen:
            seen.add(other)
            yield what, other


def _spaced(value: Any, choose: random.Random) -> str:
    """Random white space, everything else plain."""

    def gap() -> str:
        return choose.choice(["", " ", "\n", "\t", "\r\n", "  "])

    if isinstance(value, list) and value:
        return "[" + ",".join(f"{gap()}{_spaced(item, choose)}{gap()}" for item in value) + "]"
    if isinstance(value, dict) and value:
        members = (
            f"{gap()}{json.dumps(name, ensure_ascii=False)}{gap()}:{gap()}{_spaced(member, choose)}{gap()}"
            for name, member in value.items()
        )
        return "{" + ",".join(members) + "}"
    return json.dumps(value, ensure_ascii=False)


def _escaped(value: Any) -> str:
    r"""The first character of every string as ``\u…``."""
    if isinstance(value, str):
        if not value:
            return '""'
        units = value[0].encode("utf-16-be")
        first = "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
        return f'"{first}{json.dumps(value[1:], ensure_ascii=False)[1:]}'
    if isinstance(value, list):
        return "[" + ", ".join(map(_escaped, value)) + "]"
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{_escaped(name)}: {_escaped(member)}" for name, member in value.items()) + "}"
        )
    return json.dumps(value)


def _numbers(value: Any) -> str:
    """Integers with a fraction of zero, numbers with one digit with an exponent."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        return f"{value}.0" if abs(value) < 10**15 else str(value)
    if isinstance(value, float):
        return json.dumps(value) + ("0" if "e" not in json.dumps(value) else "")
    if isinstance(value, list):
        return "[" + ", ".join(map(_numbers, value)) + "]"
    return (
        "{" + ", ".join(f"{json.dumps(n, ensure_ascii=False)}: {_numbers(m)}" for n, m in value.items()) + "}"
    )


def _turned(value: Any) -> Any:
    """Keys in the opposite order."""
    if isinstance(value, list):
        return [_turned(item) for item in value]
    if isinstance(value, dict):
        return {name: _turned(value[name]) for name in reversed(value)}
    return value


def changed(kind: str, grammar: str, text: str, choose: random.Random, count: int) -> Iterator[str]:
    """Texts near a member, many of them no members."""
    is_json, value = value_of(text) if kind == "json_schema" else (False, None)
    if is_json:
        maker = Maker(choose.randrange(1 << 30))
        for _ in range(count):
            made = maker.mutated(value)
            try:
                yield json.dumps(made, ensure_ascii=False, allow_nan=False)
            except ValueError:
                continue
        if isinstance(value, dict) and value:
            name = choose.choice(list(value))
            member = f"{json.dumps(name)}: {json.dumps(value[name])}"
            yield json.dumps(value, ensure_ascii=False)[:-1] + f", {member}}}"
        yield from _broken_json(text)
        return
    letters = sorted(set(text + grammar)) or ["a"]
    for _ in range(count):
        place = choose.randint(0, len(text))
        cut = place + choose.randrange(2)
        middle = choose.choice(["", choose.choice(letters), choose.choice(letters)])
        yield text[:place] + middle + text[cut:]


def _broken_json(text: str) -> Iterator[str]:
    """JSON texts with what RFC 8259 forbids."""
    if text.endswith(("}", "]")) and len(text) > 2:
        yield text[:-1] + "," + text[-1]
    quote = text.find('"')
    if quote >= 0:
        yield text[: quote + 1] + "\t" + text[quote + 1 :]
        yield text[: quote + 1] + "\\x" + text[quote + 1 :]
    digit = next((i for i, char in enumerate(text) if char.isdigit()), -1)
    if digit >= 0 and (digit == 0 or text[digit - 1] not in '.eE0123456789"'):
        yield text[:digit] + "0" + text[digit:]


def members(kind: str, grammar: str, seed: int, count: int, length: int = 40) -> list[str]:
    """Members drawn by gramspec, those that are UTF-8; none where it refuses the grammar or meets a limit.

    Keys of objects come in the order of the schema, without white space.
    """
    from gramspec.automaton.members import MemberLimits, WeightedMembers, seeded

    choose = seeded(seed)
    limits = MemberLimits(max_explored=4000, max_steps=200_000, max_counts=100_000, max_attempts=50)
    found = []
    try:
        meaning = Gramspec(property_order="schema", whitespace="compact").grammar(kind, grammar, {})
        drawing = WeightedMembers(meaning, length, limits=limits)
        for _ in range(count):
            found.append(drawing.draw(choose))
    except gs.GramspecError:
        return _readable(found)
    return _readable(found)


def _readable(raw: list[bytes]) -> list[str]:
    texts = [text.decode("utf-8", "replace") for text in dict.fromkeys(raw)]
    return [text for text in texts if "\ufffd" not in text]
