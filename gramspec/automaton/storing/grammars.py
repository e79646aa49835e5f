"""Grammars as words: expressions, descriptions and residual predicates.

Law: a grammar that is read back has the fingerprint of the one written.
Cost: that of its expressions and of the documents its predicates read.
Source: docs/serialisation.md; API, section 3 (`to_bytes`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gramspec.automaton.storing.documents import read_predicate, write_predicate
from gramspec.automaton.storing.expressions import ExpressionReader, ExpressionWriter
from gramspec.automaton.storing.packing import Reader, Writer
from gramspec.automaton.storing.sql_tables import read_sql_predicate, write_sql_predicate
from gramspec.errors import SerialisationError, UnsupportedError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar, OneSide, Residual
from gramspec.grammar.json_schema.residual import SchemaResidual
from gramspec.grammar.sql.prepare import Prepares
from gramspec.grammar.sql.scope import InScope
from gramspec.limits import Limits

MOST_SIDES = 64
"""How deep unions of grammars with predicates may nest."""

_SCHEMA, _ONE_SIDE, _IN_SCOPE, _PREPARES = range(4)


def write_grammar(writer: Writer, grammar: Grammar) -> None:
    """Write a grammar.

    Raises
    ------
    UnsupportedError
        If it has a residual predicate that is a function.
    SerialisationError
        If it nests too deeply.
    """
    order = _with_sides(grammar)
    numbers = {id(one): number for number, one in enumerate(order)}
    expressions = ExpressionWriter(writer)
    roots = [expressions.add(one.expr) for one in order]
    expressions.finish()
    words = writer.words
    words.append(len(order))
    for one, root in zip(order, roots, strict=True):
        words += (root, writer.string(one.description), len(one.residuals))
        for residual in one.residuals:
            if isinstance(residual, SchemaResidual):
                words.append(_SCHEMA)
                write_predicate(writer, residual)
            elif isinstance(residual, (InScope, Prepares)):
                words.append(_IN_SCOPE if isinstance(residual, InScope) else _PREPARES)
                write_sql_predicate(writer, residual)
            else:
                assert isinstance(residual, OneSide)
                words += (_ONE_SIDE, len(residual.sides), *(numbers[id(side)] for side in residual.sides))


class StoredGrammar(NamedTuple):
    """A grammar that was read.

    Attributes
    ----------
    grammar : Grammar
        Its nodes are made when they are asked for, unless it has residual predicates.
    expressions : ExpressionReader
    root : int
        The number of its expression.
    """

    grammar: Grammar
    expressions: ExpressionReader
    root: int


def read_grammar(reader: Reader, limits: Limits) -> StoredGrammar:
    """Read a grammar.

    Parameters
    ----------
    reader : Reader
    limits : Limits
        `max_nodes` bounds its nodes.

    Raises
    ------
    SerialisationError
        If there is none.
    """
    expressions = ExpressionReader(reader, limits.max_nodes)
    size = reader.length("grammars", 3)
    if not size:
        raise reader.refusal("there is no grammar")
    grammars: list[Grammar] = []
    depths: list[int] = []
    root = 0
    for _ in range(size):
        root, description = reader.below(expressions.size, "node"), reader.text()
        predicates = reader.length("predicates")
        if size == 1 and not predicates:
            grammars.append(Grammar.deferred(_node_of(expressions, root), description))
            break
        residuals: list[Residual] = []
        depth = 0
        for _ in range(predicates):
            kind = reader.below(4, "kind of predicate")
            if kind == _SCHEMA:
                residuals.append(read_predicate(reader))
                continue
            if kind in (_IN_SCOPE, _PREPARES):
                residuals.append(read_sql_predicate(reader, prepares=kind == _PREPARES))
                continue
            numbers = [reader.below(len(grammars), "grammar") for _ in range(reader.length("sides"))]
            depth = max([depth, *(depths[number] for number in numbers)]) + 1
            residuals.append(OneSide(tuple(grammars[number] for number in numbers)))
            if not residuals[-1].places:
                raise reader.refusal("a predicate enforces nothing")
        if depth > MOST_SIDES:
            raise reader.refusal(_too_deep())
        try:
            grammars.append(Grammar(expressions.decode()[0][root], description, tuple(residuals)))
        except UnsupportedError as error:
            raise reader.refusal(f"it is no grammar: {error}") from error
        depths.append(depth)
    return StoredGrammar(grammars[-1], expressions, root)


def _node_of(expressions: ExpressionReader, number: int) -> Callable[[], ir.Expr]:
    return lambda: expressions.decode()[0][number]


def _with_sides(grammar: Grammar) -> list[Grammar]:
    """A grammar after those that its predicates ask, each once."""
    done: dict[int, Grammar] = {}
    depths: dict[int, int] = {}
    stack: list[tuple[Grammar, bool]] = [(grammar, False)]
    while stack:
        one, ready = stack.pop()
        if id(one) in done:
            continue
        sides = [side for residual in one.residuals for side in _sides(residual)]
        if sides and not ready:
            stack.append((one, True))
            stack.extend((side, False) for side in reversed(sides))
            continue
        depths[id(one)] = 1 + max((depths[id(side)] for side in sides), default=-1)
        if depths[id(one)] > MOST_SIDES:
            raise SerialisationError("predicates", _too_deep())
        done[id(one)] = one
    return list(done.values())


def _sides(residual: Residual) -> tuple[Grammar, ...]:
    if isinstance(residual, OneSide):
        return residual.sides
    if isinstance(residual, (SchemaResidual, InScope, Prepares)):
        return ()
    place = residual.places[0]
    raise UnsupportedError(
        place.pointer,
        f"the predicate on {place.keyword!r} ({place.reason}) is a {type(residual).__name__}, whose function"
        " cannot be stored",
        "store the grammar without it, and add the predicate again where it is loaded",
    )


def _too_deep() -> str:
    return f"unions of grammars with predicates nest deeper than {MOST_SIDES} levels"
