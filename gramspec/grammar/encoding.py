"""Lowering of character expressions to bytes: UTF-8, or the spellings inside a JSON string.

Law: characters become the byte strings that spell them; decoding is unique, so the algebra carries over.
Source: RFC 3629; RFC 8259 section 7; "utf8-ranges" (A. Gallant) for splitting ranges by lead byte.

Both encodings are digit systems: a set of numbers is split by its leading digit, digits followed
by equal remainders share one node, and remainders are memoised. The result is the minimal
deterministic acyclic expression of the set, and equal character sets give the identical object.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache, partial
from typing import Final

from gramspec.errors import GrammarError
from gramspec.grammar import ir
from gramspec.grammar.ranges import SCALARS, Ranges, intersect, normalise, of, subtract

_CACHE: Final = 1 << 14
_SHORT_ESCAPES: Final = {
    0x22: '"',
    0x5C: "\\",
    0x2F: "/",
    0x08: "b",
    0x0C: "f",
    0x0A: "n",
    0x0D: "r",
    0x09: "t",
}
_RAW_IN_JSON: Final = subtract(((0x20, 0xD7FF), (0xE000, 0x10FFFF)), of('"\\'))
_UTF8_FORMS: Final = ((0x80, 0x7FF, 0xC0, 1), (0x800, 0xFFFF, 0xE0, 2), (0x10000, 0x10FFFF, 0xF0, 3))
_BMP: Final = ((0, 0xFFFF),)
_ASTRAL: Final = ((0x10000, 0x10FFFF),)


def utf8(expr: ir.Expr) -> ir.Expr:
    """Replace every character set of a regular expression by its UTF-8 byte strings.

    Parameters
    ----------
    expr : ir.Expr
        Expression over `CharSet` leaves; byte leaves and rule calls are kept as they are.

    Returns
    -------
    ir.Expr
        The same language in UTF-8. A complement is taken relative to well-formed UTF-8.
    """
    return _lower(expr, utf8_ranges, lambda: UTF8_TEXT, bytes_allowed=True)


def json_string(expr: ir.Expr) -> ir.Expr:
    r"""Replace every character set by its spellings between the quotes of a JSON string.

    Each scalar may stand raw (unless it is a quote, a backslash or a control character), as its
    two-character escape where it has one, and as ``\uXXXX`` with hexadecimal digits in either
    case; scalars above U+FFFF as a pair of surrogate escapes. Lone surrogates never occur.

    Parameters
    ----------
    expr : ir.Expr
        Regular expression over `CharSet` leaves.

    Returns
    -------
    ir.Expr
        All spellings of the same strings. A complement is taken relative to `JSON_BODY`.

    Raises
    ------
    GrammarError
        If the expression holds byte sets or rule calls, which have no spelling.
    """
    return _lower(expr, json_ranges, lambda: JSON_BODY, bytes_allowed=False)


def json_key_spellings(text: str) -> ir.Expr:
    """All spellings of one text between the quotes of a JSON string.

    Raises
    ------
    GrammarError
        If the text holds a lone surrogate.
    """
    for index, char in enumerate(text):
        if "\ud800" <= char <= "\udfff":
            raise GrammarError(
                f"@{index}",
                f"lone surrogate U+{ord(char):04X} in a text",
                "a text is a sequence of Unicode scalars; write the character itself",
                ascii(text),
            )
    if not text:
        return ir.EPSILON
    return ir.Builtin("json text", (text,), partial(_spellings, text))


def json_literal_string(text: str) -> ir.Expr:
    """All spellings of one text as a JSON string, with its quotes."""
    quote = ir.ByteSet(1 << 0x22)
    return ir.concat(quote, json_key_spellings(text), quote)


def _spellings(text: str) -> ir.Expr:
    """`json_key_spellings` written out."""
    return ir.concat(*(json_ranges(((ord(char), ord(char)),)) for char in text))


def utf8_ranges(ranges: Ranges) -> ir.Expr:
    """The UTF-8 encodings of one character out of `ranges`."""
    return _utf8_char() if ranges == SCALARS else _utf8_ranges(ranges)


@cache
def _utf8_char() -> ir.Expr:
    """Any character: one object, whatever memos are emptied."""
    return _utf8_ranges(SCALARS)


@lru_cache(maxsize=_CACHE)
def _utf8_ranges(ranges: Ranges) -> ir.Expr:
    ranges = normalise(ranges)
    parts: list[ir.Expr] = []
    ascii_part = intersect(ranges, ((0, 0x7F),))
    if ascii_part:
        parts.append(_byte_ranges(ascii_part, 0))
    for low, high, lead, tail in _UTF8_FORMS:
        for rest, digits in _split(intersect(ranges, ((low, high),)), 64**tail):
            parts.append(ir.concat(_byte_ranges(digits, lead), _continuation(rest, tail)))
    return _join_bytes(parts)


def json_ranges(ranges: Ranges) -> ir.Expr:
    """The spellings, inside a JSON string, of one character out of `ranges`."""
    return _json_char() if ranges == SCALARS else _json_ranges(ranges)


@cache
def _json_char() -> ir.Expr:
    """Any character: one object, whatever memos are emptied."""
    return _json_ranges(SCALARS)


@lru_cache(maxsize=_CACHE)
def _json_ranges(ranges: Ranges) -> ir.Expr:
    ranges = normalise(ranges)
    if not ranges:
        return ir.EMPTY
    raw = utf8_ranges(intersect(ranges, _RAW_IN_JSON))
    escapes: list[ir.Expr] = []
    short = [ord(mark) for point, mark in _SHORT_ESCAPES.items() if intersect(ranges, ((point, point),))]
    if short:
        escapes.append(ir.byte_set(short))
    escapes.append(ir.concat(ir.literal("u"), ir.union(*_hex_forms(ranges))))
    return ir.union(raw, ir.concat(ir.literal("\\"), ir.union(*escapes)))


def _hex_forms(ranges: Ranges) -> list[ir.Expr]:
    """Four digits for each scalar up to U+FFFF; digits, backslash, u, digits for those above."""
    forms: list[ir.Expr] = []
    bmp = intersect(ranges, _BMP)
    if bmp:
        forms.append(_hex_digits(bmp, 4))
    astral = tuple((low - 0x10000, high - 0x10000) for low, high in intersect(ranges, _ASTRAL))
    for low_half, high_half in _split(astral, 0x400):
        forms.append(
            ir.concat(
                _hex_digits(_shift(high_half, 0xD800), 4),
                ir.literal("\\u"),
                _hex_digits(_shift(low_half, 0xDC00), 4),
            )
        )
    return forms


@lru_cache(maxsize=_CACHE)
def _continuation(ranges: Ranges, count: int) -> ir.Expr:
    """`count` continuation bytes that spell a number out of `ranges` in base 64."""
    if count == 1:
        return _byte_ranges(ranges, 0x80)
    return _join_bytes(
        [
            ir.concat(_byte_ranges(digits, 0x80), _continuation(rest, count - 1))
            for rest, digits in _split(ranges, 64 ** (count - 1))
        ]
    )


@lru_cache(maxsize=_CACHE)
def _hex_digits(ranges: Ranges, count: int) -> ir.Expr:
    """`count` hexadecimal digits, in either case, that spell a number out of `ranges`."""
    parts: list[ir.Expr] = []
    for rest, digits in _split(ranges, 16 ** (count - 1)):
        head = ir.byte_set(
            ord(mark)
            for low, high in digits
            for digit in range(low, high + 1)
            for mark in {f"{digit:x}", f"{digit:X}"}
        )
        parts.append(ir.concat(head, _hex_digits(rest, count - 1)) if count > 1 else head)
    return _join_bytes(parts)


def _split(ranges: Ranges, base: int) -> list[tuple[Ranges, Ranges]]:
    """Group a set of numbers by leading digit: pairs (remainders below `base`, digits that have them).

    Cost: linear in the number of ranges; runs of full blocks are not enumerated.
    """
    full: list[tuple[int, int]] = []
    partial: dict[int, list[tuple[int, int]]] = {}
    for low, high in ranges:
        first, last = low // base, high // base
        begin, end = low % base, high % base
        if first == last:
            partial.setdefault(first, []).append((begin, end))
            continue
        if begin:
            partial.setdefault(first, []).append((begin, base - 1))
            first += 1
        if end != base - 1:
            partial.setdefault(last, []).append((0, end))
            last -= 1
        if first <= last:
            full.append((first, last))
    groups: dict[Ranges, list[tuple[int, int]]] = {}
    if full:
        groups[((0, base - 1),)] = full
    for digit, rest in partial.items():
        groups.setdefault(_merge(rest), []).append((digit, digit))
    return [(rest, _merge(digits)) for rest, digits in groups.items()]


def _merge(pairs: list[tuple[int, int]]) -> Ranges:
    """Sort disjoint pairs and join those that touch (numbers, not scalars: surrogates stay)."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(pairs):
        if merged and low == merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return tuple(merged)


def _shift(ranges: Ranges, offset: int) -> Ranges:
    return tuple((low + offset, high + offset) for low, high in ranges)


@lru_cache(maxsize=_CACHE)
def _byte_ranges(ranges: Ranges, offset: int) -> ir.Expr:
    mask = 0
    for low, high in ranges:
        mask |= ((1 << (high - low + 1)) - 1) << (low + offset)
    return ir.ByteSet(mask)


def _join_bytes(parts: list[ir.Expr]) -> ir.Expr:
    """Union; single-byte alternatives are merged into one byte set."""
    mask = 0
    single = [part for part in parts if isinstance(part, ir.ByteSet)]
    for part in single:
        mask |= part.mask
    if len(single) < 2:
        return ir.union(*parts)
    return ir.union(ir.ByteSet(mask), *(part for part in parts if not isinstance(part, ir.ByteSet)))


def _lower(
    root: ir.Expr,
    leaf: Callable[[Ranges], ir.Expr],
    text: Callable[[], ir.Expr],
    *,
    bytes_allowed: bool,
) -> ir.Expr:
    """Rebuild an expression bottom-up, without recursion; shared nodes are visited once."""
    done: dict[int, ir.Expr] = {}
    stack: list[tuple[ir.Expr, bool]] = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if id(node) in done:
            continue
        parts = _children(node)
        if parts and not ready:
            stack.append((node, True))
            stack.extend((part, False) for part in parts)
        elif isinstance(node, ir.CharSet):
            done[id(node)] = leaf(node.ranges) if node.ranges else ir.EMPTY
        elif not parts:
            if not bytes_allowed and not isinstance(node, ir.Epsilon | ir.Empty | ir.Machine):
                raise GrammarError("", f"{type(node).__name__} has no spelling inside a JSON string")
            done[id(node)] = node
        else:
            done[id(node)] = _rebuild(node, tuple(done[id(part)] for part in parts), text)
    return done[id(root)]


def _children(node: ir.Expr) -> tuple[ir.Expr, ...]:
    return () if isinstance(node, ir.JsonObject | ir.Builtin) else ir.children(node)


def _rebuild(node: ir.Expr, parts: tuple[ir.Expr, ...], text: Callable[[], ir.Expr]) -> ir.Expr:
    if isinstance(node, ir.Concat):
        return node if parts == node.items else ir.concat(*parts)
    if isinstance(node, ir.Union):
        return node if parts == node.items else ir.union(*parts)
    if isinstance(node, ir.And):
        if any(isinstance(part, ir.Empty) for part in parts):
            return ir.EMPTY
        return node if parts == node.items else ir.And(parts)
    if isinstance(node, ir.Machine):
        return _rebuilt_machine(node, parts)
    (item,) = parts
    if isinstance(node, ir.Repeat):
        whole = text()
        if isinstance(whole, ir.Repeat) and item is whole.item and (node.minimum, node.maximum) == (0, None):
            return whole
        if isinstance(item, ir.Empty):
            return ir.EPSILON if node.minimum == 0 else ir.EMPTY
        return node if item is node.item else ir.repeat(item, node.minimum, node.maximum)
    if isinstance(node, ir.Call):
        return node if item is node.item else ir.Call(item)
    return ir.And((text(), ir.Not(item)))


def _rebuilt_machine(node: ir.Machine, parts: tuple[ir.Expr, ...]) -> ir.Expr:
    """The machine with its arcs lowered; arcs of nothing are left out."""
    lowered = iter(parts)
    arcs: list[tuple[tuple[ir.Expr, int], ...]] = []
    for pairs in node.arcs:
        new = [(next(lowered), target) for _, target in pairs]
        arcs.append(tuple((item, target) for item, target in new if not isinstance(item, ir.Empty)))
    return ir.Machine(tuple(arcs), node.accepting)


UTF8_CHAR: Final = utf8_ranges(SCALARS)
UTF8_TEXT: Final = ir.repeat(UTF8_CHAR)
JSON_CHAR: Final = json_ranges(SCALARS)
JSON_BODY: Final = ir.repeat(JSON_CHAR)
