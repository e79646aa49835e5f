"""Spellings with an exponent: ``d.f e E`` with one digit d before the point and ``|E| <= 400``.

Cost: chains of at most 801 links, built once; every decade is a suffix of the same chain.
Source: API section 1; the decade of ``0.0^z d f e E`` (d > 0) is E - z - 1.
"""

from __future__ import annotations

from functools import cache, lru_cache

from gramspec.grammar.ir import (
    EMPTY,
    EPSILON,
    And,
    Expr,
    byte_set,
    concat,
    literal,
    optional,
    repeat,
    union,
)

MAX_EXPONENT = 400
_NARROW = 8

NOUGHT = literal("0")
DIGIT = byte_set(b"0123456789")
DIGIT_1 = byte_set(b"123456789")
DOT = literal(".")
MINUS = literal("-")
SIGN = optional(byte_set(b"+-"))
PLUS = optional(literal("+"))
MARK = byte_set(b"eE")
DIGITS = repeat(DIGIT)
DIGITS_1 = repeat(DIGIT, 1)
ZEROS = repeat(NOUGHT)
ZEROS_1 = repeat(NOUGHT, 1)
_POSITIVE = concat(DIGIT_1, DIGITS)


@cache
def digit(low: int, high: int) -> Expr:
    """One digit between two."""
    return byte_set(range(48 + low, 49 + high)) if low <= high else EMPTY


@cache
def exponent(low: int, high: int) -> Expr:
    """Marker, sign and digits of the exponents in ``low..high``."""
    parts: list[Expr] = []
    if low < 0:
        parts.append(concat(MINUS, ZEROS, _natural(max(1, -high), -low)))
    if low <= 0 <= high:
        parts.append(concat(SIGN, ZEROS_1))
    if high > 0:
        parts.append(concat(PLUS, ZEROS, _natural(max(1, low), high)))
    return concat(MARK, union(*parts))


def rounded_tail(low: int, high: int, place: int) -> Expr:
    """``f e E`` with E in ``low..high``: f has a nonzero digit, the last at most ``E - place`` places in."""
    return _tails(low, high, place)[0]


def in_decade(significand: Expr, at: int) -> Expr:
    """``0^z s e E`` in the decade `at`, with s (from its first nonzero digit on) out of `significand`."""
    return And((concat(ZEROS, significand, MARK, SIGN, DIGITS_1), _one_decade(at)))


def in_decades(low: int | None, high: int) -> Expr:
    """``0^z d f e E`` with d > 0 in the decades ``low..high`` (None: all down to zero)."""
    if low is None:
        return _below(high)
    if high >= MAX_EXPONENT - 1:
        return _above(low)
    if high - low <= _NARROW:
        return union(*(_one_decade(at) for at in range(low, high + 1)))
    return And((_above(low), _below(high)))


def rounded_in_decades(low: int, high: int, place: int) -> Expr:
    """``0^z d f e E``, d > 0, in the decades ``place <= low..high``, multiples of ``10**place``."""
    if high < MAX_EXPONENT - 1:
        return union(*(_rounded_in_decade(at, place) for at in range(low, high + 1)))
    if low == place:
        return rounded_tail(-MAX_EXPONENT, MAX_EXPONENT, place)
    # Up to `more` + 1 significant digits the decade alone decides; with others the last digit's place does.
    more = low - place
    short = concat(ZEROS, DIGIT_1, repeat(DIGIT, 0, more), ZEROS, MARK, SIGN, DIGITS_1)
    return union(And((short, _above(low))), _long_rounded(more, place))


@lru_cache(maxsize=4096)
def _rounded_in_decade(at: int, place: int) -> Expr:
    return in_decade(concat(DIGIT_1, repeat(DIGIT, 0, at - place), ZEROS), at)


def _one_decade(at: int) -> Expr:
    return _suffix(_decade_chain(), at)


def _above(at: int) -> Expr:
    """``0^z d f e E`` in the decade `at` or a higher one."""
    return _suffix(_above_chain(), at)


def _below(at: int) -> Expr:
    """``0^z d f e E`` in the decade `at` or a lower one."""
    if at >= MAX_EXPONENT - 1:
        return concat(ZEROS, _POSITIVE, exponent(-MAX_EXPONENT, MAX_EXPONENT))
    return _suffix(_below_chain(), at)


def _suffix(chain: tuple[Expr, ...], at: int) -> Expr:
    """The link of a decade; link i of a chain is the one of decade ``i - 401``."""
    place = at + MAX_EXPONENT + 1
    if place < 0:
        return concat(repeat(NOUGHT, -place, -place), chain[0])
    return chain[place] if place < len(chain) else EMPTY


def _chain(exponents: list[Expr], end: Expr) -> tuple[Expr, ...]:
    """Links ``d f e_i | 0 link_(i+1)``."""
    links: list[Expr] = []
    for item in reversed(exponents):
        end = union(concat(_POSITIVE, item), concat(NOUGHT, end))
        links.append(end)
    return tuple(reversed(links))


@lru_cache(maxsize=256)
def _tails(low: int, high: int, place: int) -> tuple[Expr, ...]:
    """What may follow the first i digits of a `rounded_tail`, for each i."""
    tail: Expr = EMPTY
    links = [tail]
    for count in range(high - place, 0, -1):
        tail = union(concat(DIGIT_1, ZEROS, exponent(max(low, count + place), high)), concat(DIGIT, tail))
        links.append(tail)
    return tuple(reversed(links))


@lru_cache(maxsize=64)
def _long_rounded(more: int, place: int) -> Expr:
    """``0^z d f e E``, multiples of ``10**place`` with more than `more` + 1 significant digits."""
    tails = _tails(-MAX_EXPONENT, MAX_EXPONENT, place)
    first = concat(DIGIT_1, repeat(DIGIT, more, more))
    link: Expr = EMPTY
    for zeros in range(MAX_EXPONENT - place - more - 1, -1, -1):
        link = union(concat(first, tails[zeros + more + 1]), concat(NOUGHT, link))
    return link


@lru_cache(maxsize=1)
def _decade_chain() -> tuple[Expr, ...]:
    values = range(-MAX_EXPONENT, MAX_EXPONENT + 1)
    return _chain([exponent(value, value) for value in values], EMPTY)


@lru_cache(maxsize=1)
def _above_chain() -> tuple[Expr, ...]:
    values = range(-MAX_EXPONENT, MAX_EXPONENT + 1)
    return _chain([exponent(value, MAX_EXPONENT) for value in values], EMPTY)


@lru_cache(maxsize=1)
def _below_chain() -> tuple[Expr, ...]:
    values = range(-MAX_EXPONENT, MAX_EXPONENT)
    return _chain([exponent(-MAX_EXPONENT, value) for value in values], _below(MAX_EXPONENT - 1))


@cache
def _natural(low: int, high: int) -> Expr:
    """Decimal digits, without leading zeros, of the naturals in ``1 <= low..high``."""
    parts: list[Expr] = []
    length = len(str(low))
    while low <= high:
        top = min(high, 10**length - 1)
        parts.append(_same_length(str(low), str(top)))
        low, length = top + 1, length + 1
    return union(*parts)


@cache
def _same_length(low: str, high: str) -> Expr:
    """Digit strings between two digit strings of one length."""
    if not low:
        return EPSILON
    if set(low) == {"0"} and set(high) == {"9"}:
        return repeat(DIGIT, len(low), len(low))
    first, last = int(low[0]), int(high[0])
    if first == last:
        return concat(digit(first, first), _same_length(low[1:], high[1:]))
    rest = len(low) - 1
    parts: list[Expr] = []
    if low[1:] != "0" * rest:
        parts.append(concat(digit(first, first), _same_length(low[1:], "9" * rest)))
        first += 1
    if high[1:] != "9" * rest:
        parts.append(concat(digit(last, last), _same_length("0" * rest, high[1:])))
        last -= 1
    if first <= last:
        parts.append(concat(digit(first, last), repeat(DIGIT, rest, rest) if rest else EPSILON))
    return union(*parts)
