"""Sets of strings: formulas of lengths, patterns, formats and words as expressions, and questions about them.

Law: the expression of a formula holds every string of it; where `string_exact` holds, no other.
Cost: patterns are parsed once; lengths are folded into repetitions and never unrolled.
Source: JSON Schema Validation, sections 6.3 and 7.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, lru_cache, partial
from itertools import groupby, islice, takewhile
from typing import Final

from gramspec.grammar import ir
from gramspec.grammar.encoding import json_key_spellings, json_string
from gramspec.grammar.json_schema import formats, layout
from gramspec.grammar.json_schema.formulas import (
    EVERYTHING,
    NOTHING,
    AllOf,
    AnyOf,
    Format,
    Formula,
    Length,
    Negation,
    Pattern,
    Words,
    negation,
)
from gramspec.grammar.json_schema.string_lengths import (
    ANY_CHAR,
    ANY_TEXT,
    class_repetition,
    conjuncts,
    fold,
    meet,
    of_length,
    repetition,
    shorter,
)
from gramspec.grammar.json_schema.string_machines import determined
from gramspec.grammar.ranges import SCALARS, complement, of
from gramspec.grammar.regex import characters, parse_regex

_CACHE: Final = 1 << 12
_UNIVERSAL_BUDGET: Final = 32
_EMPTY_BUDGET: Final = 500
_LISTED: Final = 48  # words that are written one by one
_MAX_DEPTH: Final = 100
_MAX_STATES: Final = 300
_QUOTE: Final = ir.literal('"')


@lru_cache(maxsize=_CACHE)
def string_characters(formula: Formula) -> ir.Expr:
    """The strings of a formula as an expression over `CharSet` leaves.

    Parameters
    ----------
    formula : Formula
        Of lengths, patterns, formats and words.

    Returns
    -------
    ir.Expr
        Exactly the strings of the formula, or a superset where `string_exact` is False.

    Raises
    ------
    GrammarError, UnsupportedError
        For a pattern that ECMA-262 or gramspec refuses; the pointer is a character offset in it.
    """
    return _expression(simplify(formula))


@lru_cache(maxsize=_CACHE)
def string_value(formula: Formula) -> ir.Expr:
    """The strings of a formula as JSON values: both quotes, every spelling, rows shared by all uses.

    Raises
    ------
    GrammarError, UnsupportedError
        As `string_characters` does.
    """
    simple = simplify(formula)
    if simple == EVERYTHING:
        return layout.string(0, None)
    if isinstance(simple, Length):
        return layout.string(simple.least, simple.most)
    if isinstance(simple, Format) and simple.name in _COMMON:
        return _COMMON[simple.name]()
    if isinstance(simple, Words) and len(simple.words) <= _LISTED:
        return _listed(simple.words)
    return _spelled(simple)


def string_holds(formula: Formula, text: str) -> bool:
    """Whether a text is a string of a formula, formats included.

    Raises
    ------
    GrammarError, UnsupportedError
        As `string_characters` does.
    LimitError
        If a pattern needs more work than the matcher of patterns may spend.
    """
    match formula:
        case Length(least, most):
            return least <= len(text) and (most is None or len(text) <= most)
        case Pattern():
            return characters.matches(_pattern(formula.text), text)
        case Format(name):
            return formats.check(name, text)
        case Words(words):
            return text in words
        case AllOf(parts):
            return all(string_holds(part, text) for part in parts)
        case AnyOf(parts):
            return any(string_holds(part, text) for part in parts)
        case Negation(part):
            return not string_holds(part, text)
        case _:
            raise TypeError(f"{formula!r} is not about strings")


def string_exact(formula: Formula) -> bool:
    """Whether `string_characters` holds the strings of a formula and no others."""
    return _exact(simplify(formula))


@lru_cache(maxsize=_CACHE)
def string_empty(formula: Formula) -> bool:
    """Whether a formula surely has no string; False when it has some or when this is hard to tell."""
    simple = simplify(formula)
    empty = characters.is_empty(_plain(simple), _EMPTY_BUDGET)
    return isinstance(_expression(simple), ir.Empty) if empty is None else empty


def finite_words(formula: Formula, cap: int) -> frozenset[str] | None:
    """All strings of a formula if they are at most `cap`; None when more, or when this is hard to tell."""
    simple = simplify(formula)
    if isinstance(simple, Words):
        found: frozenset[str] | None = simple.words
    else:
        found = characters.words(string_characters(simple), cap)
        if found is not None and not _exact(simple):
            found = frozenset(word for word in found if string_holds(simple, word))
    return None if found is None or len(found) > cap else found


@lru_cache(maxsize=_CACHE)
def simplify(formula: Formula) -> Formula:
    """An equal formula: negations at the leaves, one length and one list of words per conjunction.

    Raises
    ------
    GrammarError, UnsupportedError
        As `string_characters` does.
    """
    match formula:
        case Length(least, most):
            return _length(least, most)
        case Pattern():
            return _simple_pattern(formula)
        case Format():
            return formula
        case Words(words):
            return _words(words)
        case AllOf(parts):
            return _conjunction([simplify(part) for part in parts])
        case AnyOf(parts):
            return _disjunction([simplify(part) for part in parts])
        case Negation(part):
            return _negated(part)
        case _:
            raise TypeError(f"{formula!r} is not about strings")


def _negated(part: Formula) -> Formula:
    match part:
        case AllOf(parts):
            return _disjunction([_negated(each) for each in parts])
        case AnyOf(parts):
            return _conjunction([_negated(each) for each in parts])
        case Negation(inner):
            return simplify(inner)
        case Length(least, most):
            shorter = _length(0, least - 1)
            return shorter if most is None else _disjunction([shorter, _length(most + 1, None)])
        case Pattern():
            simple = simplify(part)
            return (
                negation(simple) if isinstance(simple, Pattern) or simple == EVERYTHING else _negated(simple)
            )
        case _:
            return negation(simplify(part))


def _length(least: int, most: int | None) -> Formula:
    least = max(least, 0)
    if most is not None and least > most:
        return NOTHING
    return EVERYTHING if (least, most) == (0, None) else Length(least, most)


def _words(words: Iterable[str]) -> Formula:
    """Words without those that hold a lone surrogate: they are texts of no JSON string."""
    kept = frozenset(word for word in words if not any("\ud800" <= char <= "\udfff" for char in word))
    return Words(kept) if kept else NOTHING


@lru_cache(maxsize=_CACHE)
def _simple_pattern(formula: Pattern) -> Formula:
    expr = _pattern(formula.text)
    if isinstance(expr, ir.Empty):
        return NOTHING
    whole = class_repetition(expr)
    if whole is not None and isinstance(whole.item, ir.CharSet) and whole.item.ranges == SCALARS:
        return _length(whole.minimum, whole.maximum)
    return EVERYTHING if characters.is_empty(ir.Not(expr), _UNIVERSAL_BUDGET) else formula


def _conjunction(parts: list[Formula]) -> Formula:
    least, most = 0, None
    words: frozenset[str] | None = None
    forbidden: frozenset[str] = frozenset()
    others: dict[Formula, None] = {}
    agenda = parts[::-1]
    while agenda:
        part = agenda.pop()
        match part:
            case AllOf():
                agenda.extend(reversed(part.parts))
            case AnyOf(parts=()):
                return NOTHING
            case Length():
                least = max(least, part.least)
                most = shorter(most, part.most)
            case Words():
                words = part.words if words is None else words & part.words
            case Negation(Words(some)):
                forbidden |= some
            case _:
                others[part] = None
    size = _length(least, most)
    if size == NOTHING or any(Negation(part) in others for part in others):
        return NOTHING
    rest = (*others, *(() if size == EVERYTHING else (size,)))
    if words is not None:
        return _words(word for word in words - forbidden if _in_all(rest, word))
    out = frozenset(word for word in forbidden if _in_all(rest, word))
    found = (*rest, Negation(Words(out))) if out else rest
    return found[0] if len(found) == 1 else AllOf(found)


def _in_all(parts: Iterable[Formula], word: str) -> bool:
    return all(string_holds(part, word) for part in parts)


def _disjunction(parts: list[Formula]) -> Formula:
    sizes: list[Length] = []
    words: set[str] = set()
    missing: frozenset[str] | None = None
    others: dict[Formula, None] = {}
    agenda = parts[::-1]
    while agenda:
        part = agenda.pop()
        match part:
            case AnyOf():
                agenda.extend(reversed(part.parts))
            case AllOf(parts=()):
                return EVERYTHING
            case Length():
                sizes.append(part)
            case Words():
                words |= part.words
            case Negation(Words(some)):
                missing = some if missing is None else missing & some
            case _:
                others[part] = None
    lengths = _joined(sizes)
    if lengths == [EVERYTHING] or any(Negation(part) in others for part in others):
        return EVERYTHING
    rest = (*lengths, *others)
    if missing is not None:  # everything but a few words: the other parts only give some of them back
        out = frozenset(word for word in missing - words if not _in_any(rest, word))
        return Negation(Words(out)) if out else EVERYTHING
    more = frozenset(word for word in words if not _in_any(rest, word))
    found = (*rest, *((Words(more),) if more else ()))
    return found[0] if len(found) == 1 else AnyOf(found)


def _in_any(parts: Iterable[Formula], word: str) -> bool:
    return any(string_holds(part, word) for part in parts)


def _joined(sizes: list[Length]) -> list[Formula]:
    """Intervals of lengths, those that touch joined."""
    merged: list[Length] = []
    for size in sorted(sizes, key=lambda size: size.least):
        last = merged[-1] if merged else None
        if last is None or (last.most is not None and size.least > last.most + 1):
            merged.append(size)
        elif last.most is not None and (size.most is None or size.most > last.most):
            merged[-1] = Length(last.least, size.most)
    return [_length(size.least, size.most) for size in merged]


def _exact(simple: Formula) -> bool:
    match simple:
        case Format(name):
            return formats.exact(name)
        case AllOf(parts) | AnyOf(parts):
            return all(_exact(part) for part in parts)
        case Negation(part):
            return _exact(part)
        case _:
            return True


@lru_cache(maxsize=_CACHE)
def _expression(simple: Formula) -> ir.Expr:
    """The expression of a simplified formula, without intersections and complements where it is small."""
    match simple:
        case AllOf(parts):
            return _intersection(parts)
        case AnyOf(parts):
            return ir.union(*(_expression(part) for part in parts))
        case Words(words):
            return _tree(sorted(words), 0, _MAX_DEPTH)
        case Length() | Format() | Negation(Words()):
            return _plain(simple)
        case _:
            return _settled([_plain(simple)])


def _plain(simple: Formula) -> ir.Expr:
    """The expression of a simplified formula as it is written."""
    match simple:
        case Length(least, most):
            return of_length(least, most)
        case Pattern(text):
            return _pattern(text)
        case Format(name):
            return formats.language(name)
        case Words():
            return _expression(simple)
        case AllOf(parts):
            return _all([_plain(part) for part in parts])
        case AnyOf(parts):
            return ir.union(*(_plain(part) for part in parts))
        case Negation(Format(name)):
            return ir.Not(formats.core(name))
        case Negation(Words(words)):
            return _machine(sorted(words), outside=True)
        case Negation(part):
            return ir.Not(_plain(part))
        case _:
            raise TypeError(f"{simple!r} is not about strings")


def _intersection(parts: tuple[Formula, ...]) -> ir.Expr:
    """Repetitions of classes become one; bounds of the length go where they need no counter of their own."""
    size = next((part for part in parts if isinstance(part, Length)), Length(0, None))
    run = ir.Repeat(ANY_CHAR, 0, None)
    others: list[ir.Expr] = []
    for expr in (_expression(part) for part in parts if part is not size):
        found = class_repetition(expr)
        if found is None:
            others.extend(conjuncts(expr))
        else:
            run = meet(run, found)
    run = meet(run, ir.Repeat(ANY_CHAR, size.least, size.most))
    if not others:
        return repetition(run)
    inside = repetition(ir.Repeat(run.item, 0, None))
    return _bounded(_settled([*others, *([] if inside is ANY_TEXT else [inside])]), run.minimum, run.maximum)


def _bounded(expr: ir.Expr, least: int, most: int | None) -> ir.Expr:
    """The members of so many characters."""
    folded = fold(expr, least, most)
    return _all([expr, of_length(least, most)]) if folded is None else folded


def _settled(parts: list[ir.Expr]) -> ir.Expr:
    """The intersection of some expressions, as one automaton if it is small."""
    whole = _all(parts)
    if not any(isinstance(node, ir.And | ir.Not) for node in ir.walk(whole)):
        return whole
    found = determined(whole, _MAX_STATES)
    return whole if found is None else found


def _all(parts: list[ir.Expr]) -> ir.Expr:
    flat = [item for part in parts for item in conjuncts(part) if item is not ANY_TEXT] or [ANY_TEXT]
    if any(isinstance(item, ir.Empty) for item in flat):
        return ir.EMPTY
    return flat[0] if len(flat) == 1 else ir.And(tuple(flat))


def _tree(words: list[str], depth: int, budget: int) -> ir.Expr:
    """The union of sorted words that agree before `depth`, common prefixes written once."""
    if len(words) == 1:
        return _text(words[0][depth:])
    if budget == 0:
        return _machine([word[depth:] for word in words], outside=False)
    parts: list[ir.Expr] = []
    for _, group in groupby(words, key=lambda word: word[depth : depth + 1]):
        same = list(group)
        ends = zip(same[0], same[-1], strict=False)  # the words are sorted: these two differ first
        shared = depth + sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], islice(ends, depth, None)))
        parts.append(ir.concat(_text(same[0][depth:shared]), _tree(same, shared, budget - 1)))
    return ir.union(*parts)


def _machine(words: list[str], *, outside: bool) -> ir.Expr:
    """The words, or all other texts: a prefix tree with a state for each prefix, and one for the rest."""
    arcs: list[dict[str, int]] = [{}]
    accepting = [outside]
    for word in words:
        state = 0
        for char in word:
            state = arcs[state].setdefault(char, len(arcs))
            if state == len(arcs):
                arcs.append({})
                accepting.append(outside)
        accepting[state] = not outside
    rows = [[(_char(char), target) for char, target in row.items()] for row in arcs]
    if outside:
        for row, branches in zip(rows, arcs, strict=True):
            row.append((_other_chars(frozenset(branches)), len(arcs)))
        rows.append([(ANY_CHAR, len(arcs))])
        accepting.append(True)
    return ir.Machine(tuple(map(tuple, rows)), tuple(accepting))


@lru_cache(maxsize=_CACHE)
def _other_chars(chars: frozenset[str]) -> ir.Expr:
    return ir.CharSet(complement(of(*chars)))


def _text(text: str) -> ir.Expr:
    return ir.concat(*(_char(char) for char in text))


@lru_cache(maxsize=_CACHE)
def _char(char: str) -> ir.Expr:
    return ir.CharSet(((ord(char), ord(char)),))


@lru_cache(maxsize=_CACHE)
def _pattern(text: str) -> ir.Expr:
    return parse_regex(text, "ecma", search=True)


def _listed(words: frozenset[str]) -> ir.Expr:
    """A few words as a JSON string, each spelled by the native core; a call as in `_spelled`.

    A state between them costs time with each word that is left: where there are many, a tree of their
    letters is worth what it costs to build.
    """
    spelled = (ir.concat(json_key_spellings(word), _QUOTE) for word in sorted(words))
    return ir.concat(_QUOTE, ir.Call(ir.union(*spelled)))


@lru_cache(maxsize=_CACHE)
def _spelled(simple: Formula) -> ir.Expr:
    """A JSON string; a call, so that the rows inside it do not depend on what follows it."""
    body = json_string(_expression(simple))
    return ir.EMPTY if isinstance(body, ir.Empty) else ir.concat(_QUOTE, ir.Call(ir.concat(body, _QUOTE)))


# Formats that schemas ask for often: made once a process, as they depend on no schema.
_COMMON: Final = {name: cache(partial(_spelled, Format(name))) for name in formats.COMMON}
