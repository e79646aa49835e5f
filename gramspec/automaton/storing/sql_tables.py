"""Predicates of SQL grammars as words: the tables they know.

Law: a predicate that is read back has the key of the one written: both give one answer on every text.
Cost: that of the tables; those of SQLite are made again in memory.
Source: docs/serialisation.md; architecture, "Residual predicates".
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from gramspec.automaton.storing.packing import Reader, Writer
from gramspec.automaton.storing.values import json_words, read_json
from gramspec.errors import GramspecError, SerialisationError
from gramspec.grammar.json_schema.json_text import Json

if TYPE_CHECKING:
    from gramspec.grammar.sql.catalog import Schema
    from gramspec.grammar.sql.prepare import Prepares
    from gramspec.grammar.sql.scope import InScope

_DIALECTS: Final = ("sqlite", "postgres", "mysql")
_TYPES: Final = {"str": str, "bool": bool, "list": list}


def write_sql_predicate(writer: Writer, residual: InScope | Prepares) -> None:
    """Write a predicate: its key, and the tables; those of SQLite as the statements that make them."""
    schema = residual.schema
    words = writer.words
    words += (writer.string(residual.key), _DIALECTS.index(schema.dialect))
    if schema.ddl:
        value: list[Json] = [list(schema.ddl), [table.name for table in schema.tables]]
    else:
        value = [_plain(asdict(table)) for table in schema.tables]
    words += json_words(writer, value)


def read_sql_predicate(reader: Reader, *, prepares: bool) -> InScope | Prepares:
    """Read a predicate.

    Raises
    ------
    SerialisationError
        If there is none, or what it reads has another meaning here than where it was written.
    """
    from gramspec.grammar.sql.prepare import Prepares
    from gramspec.grammar.sql.scope import InScope

    key, dialect = reader.text(), _DIALECTS[reader.below(len(_DIALECTS), "dialect")]
    try:
        schema = _schema(reader, dialect)
    except (GramspecError, TypeError) as error:
        raise reader.refusal(f"the tables of a predicate cannot be read: {error}") from error
    residual = Prepares(schema) if prepares else InScope(schema)
    if residual.key != key:
        raise SerialisationError(
            "predicate",
            "the tables it knows have another meaning here than where it was stored",
            "compile the grammar again: the versions of SQLite, or of gramspec, differ",
        )
    return residual


def _schema(reader: Reader, dialect: Any) -> Schema:
    from gramspec.grammar.sql.catalog import Column, ForeignKey, Schema, Table
    from gramspec.grammar.sql.sqlite_ddl import schema_of_statements

    rows = read_json(reader)
    if not isinstance(rows, list) or not rows:
        raise reader.refusal("there are no tables")
    if dialect == "sqlite":
        if len(rows) != 2:
            raise reader.refusal("the tables are malformed")
        ddl, names = (_names(reader, row) for row in rows)
        known = {table.name: table for table in schema_of_statements(ddl, "the stored schema").tables}
        if not names or not known.keys() >= set(names):
            raise reader.refusal("a table is not among those that its statements make")
        return Schema(tuple(known[name] for name in names), dialect, ddl)
    tables = []
    for row in rows:
        fields = _fields(reader, row, Table)
        fields["columns"] = tuple(Column(**_fields(reader, one, Column)) for one in fields["columns"])
        fields["unique"] = tuple(_names(reader, one) for one in fields["unique"])
        foreign = [_fields(reader, one, ForeignKey) for one in fields["foreign_keys"]]
        for one in foreign:
            one.update(columns=_names(reader, one["columns"]), referred=_names(reader, one["referred"]))
        fields["foreign_keys"] = tuple(ForeignKey(**one) for one in foreign)
        if not fields["columns"]:
            raise reader.refusal("a table has no columns")
        tables.append(Table(**fields))
    return Schema(tuple(tables), dialect)


def _fields(reader: Reader, value: Json, kind: Any) -> dict[str, Any]:
    """The fields of a record, each of the type it has there."""
    if not isinstance(value, dict) or set(value) != set(kind.__dataclass_fields__):
        raise reader.refusal(f"a {kind.__name__.lower()} is malformed")
    for name, one in value.items():
        declared = kind.__dataclass_fields__[name].type
        expected = _TYPES.get(declared, list if declared.startswith("tuple") else str)
        if not isinstance(one, expected):
            raise reader.refusal(f"the {name} of a {kind.__name__.lower()} is malformed")
    return dict(value)


def _names(reader: Reader, value: Json) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise reader.refusal("a list of names is malformed")
    return tuple(str(one) for one in value)


def _plain(value: Any) -> Any:
    """Tuples as lists."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value
