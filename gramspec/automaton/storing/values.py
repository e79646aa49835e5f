"""JSON values as words.

Law: numbers, the order of keys and lone surrogates come back as they were.
Cost: linear, without recursion.
Source: docs/serialisation.md.
"""

from __future__ import annotations

from decimal import Decimal

from gramspec.automaton.storing.packing import Reader, Writer
from gramspec.grammar.json_schema.json_text import MAX_DEPTH, MAX_DIGITS, Json

_NULL, _FALSE, _TRUE, _NATURAL, _NEGATIVE, _DECIMAL, _TEXT, _LIST, _OBJECT = range(9)
_PLAIN: tuple[Json, ...] = (None, False, True)
_LONGEST_NUMBER = MAX_DIGITS + 20  # characters, with sign, point and exponent


def json_words(writer: Writer, root: Json) -> list[int]:
    """The words of a JSON value: each before what is in it, the name of a member before its value."""
    words: list[int] = []
    agenda: list[tuple[str | None, Json]] = [(None, root)]
    while agenda:
        name, value = agenda.pop()
        if name is not None:
            words.append(writer.string(name))
        if value is None or isinstance(value, bool):
            words.append(_PLAIN.index(value))
        elif isinstance(value, int):
            words += (_NEGATIVE if value < 0 else _NATURAL, *writer.count(abs(value)))
        elif isinstance(value, Decimal):
            words += (_DECIMAL, writer.string(str(value)))
        elif isinstance(value, str):
            words += (_TEXT, writer.string(value))
        elif isinstance(value, list):
            words += (_LIST, len(value))
            agenda.extend((None, item) for item in reversed(value))
        else:
            words += (_OBJECT, len(value))
            agenda.extend(reversed(value.items()))
    return words


def read_json(reader: Reader) -> Json:
    """Read a JSON value.

    Raises
    ------
    SerialisationError
        If there is none, or it nests deeper than `MAX_DEPTH` or holds a longer number than a schema may.
    """
    whole: list[Json] = []
    open_: list[tuple[list[Json] | dict[str, Json], int]] = [(whole, 1)]
    while open_:
        container, left = open_[-1]
        if not left:
            open_.pop()
            continue
        open_[-1] = container, left - 1
        name = reader.text() if isinstance(container, dict) else ""
        value = _value(reader)
        if isinstance(value, list | dict):
            if len(open_) > MAX_DEPTH:
                raise reader.refusal(f"JSON nested deeper than {MAX_DEPTH} levels")
            open_.append((value, reader.length("members", 2 if isinstance(value, dict) else 1)))
        if isinstance(container, list):
            container.append(value)
        elif name in container:
            raise reader.refusal(f"the key {name!r} stands twice in an object")
        else:
            container[name] = value
    return whole[0]


def _value(reader: Reader) -> Json:
    """A scalar, or an empty container whose members follow."""
    kind = reader.below(_OBJECT + 1, "kind of JSON value")
    if kind <= _TRUE:
        return _PLAIN[kind]
    if kind == _DECIMAL:
        text = reader.text()
        if len(text) > _LONGEST_NUMBER:
            raise reader.refusal(f"a number has {len(text)} characters")
        try:
            return Decimal(text)
        except ArithmeticError:
            raise reader.refusal(f"{text!r} is not a number") from None
    if kind in (_NATURAL, _NEGATIVE):
        return reader.natural() if kind == _NATURAL else -reader.natural()
    if kind == _TEXT:
        return reader.text()
    return [] if kind == _LIST else {}
