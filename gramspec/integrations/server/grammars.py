"""From the fields of a request to its grammar: at most one of them may ask for one.

Law: a field means what the function of gramspec that it is named after makes of it; nothing is read from
files or networks, and of databases only those that the server was told of.
Source: OpenAI's `response_format`; llama.cpp, vLLM and SGLang for the other fields.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from starlette.requests import Request

from gramspec.errors import GrammarError
from gramspec.grammar.core import Grammar
from gramspec.integrations.server.cache import key_of
from gramspec.integrations.server.databases import databases_of
from gramspec.integrations.server.errors import ApiError
from gramspec.integrations.server.schemas import GrammarText, JsonFormat, Law, Sampling, SqlRequest, TagFormat


class Wanted(NamedTuple):
    """A grammar that a request asks for.

    Attributes
    ----------
    kind : str
        "json_schema", "json_object", "regex", "choice", "lark", "gbnf", "ebnf", "sql", "structural_tag"
        or "tools".
    param : str
        The field that asks for it.
    key : str
        Equal keys, equal grammars.
    make : callable
        Reads it.
    size : int
        Bytes of the source, about.
    """

    kind: str
    param: str
    key: str
    make: Callable[[], Grammar]
    size: int = 0


_URL: Final = re.compile(r"\s*[A-Za-z][A-Za-z0-9+_.-]*://")
_FIELDS: Final = ("grammar", "regex", "choice", "sql", "structural_tag")


async def wanted(request: Request, body: Sampling) -> Wanted | None:
    """The grammar that a request asks for; None for plain text.

    Parameters
    ----------
    request : Request
        For the databases of its server, which may be named.
    body : Sampling
        What it says.

    Raises
    ------
    ApiError
        400 when two fields ask for a grammar, 404 for an unknown database, 503 for one that is away.
    """
    law = body.gramspec or Law()
    given = [name for name in _FIELDS if getattr(body, name) is not None]
    if body.response_format is not None and body.response_format.type != "text":
        given.insert(0, "response_format")
    if len(given) > 1:
        raise _refused(given[1], f"with {given[0]}, each asks for a grammar; at most one may")
    if not given:
        return None
    if body.sql is not None:
        return await _sql(request, body.sql)
    return _wanted(given[0], body, law)


def _wanted(field: str, body: Sampling, law: Law) -> Wanted:
    if field == "response_format":
        form = body.response_format
        if isinstance(form, JsonFormat):
            return json_wanted(form.json_schema.schema_, law, "response_format.json_schema.schema")
        if isinstance(form, TagFormat):
            return _tagged({"type": "structural_tag", "format": form.format}, "response_format")
        return json_wanted({"type": "object"}, law, "response_format", "json_object")
    if field == "regex":
        pattern = body.regex
        return Wanted("regex", field, key_of(field, pattern), lambda: _regex(pattern), len(pattern or ""))
    if field == "choice":
        texts = tuple(body.choice or ())
        return Wanted("choice", field, key_of(field, texts), lambda: _choice(texts), sum(map(len, texts)))
    if field == "grammar":
        assert body.grammar is not None
        return _written(body.grammar)
    assert body.structural_tag is not None
    return _tagged(body.structural_tag, field)


def json_wanted(schema: Any, law: Law, param: str, kind: str = "json_schema") -> Wanted:
    """The grammar of a JSON Schema.

    Parameters
    ----------
    schema : dict or bool
    law : Law
        White space, order of keys and formats.
    param : str
        The field that holds it.
    kind : str
        What it is called in answers.
    """
    options = (law.property_order, law.whitespace, law.formats)

    def make() -> Grammar:
        from gramspec.grammar.json_schema import json_schema

        order, whitespace, formats = options
        return json_schema(schema, property_order=order, whitespace=whitespace, formats=formats)

    # The order of keys is part of the language, so that it is part of the key.
    text = json.dumps(schema, ensure_ascii=True)
    return Wanted(kind, param, key_of("json_schema", text, options), make, len(text))


def _regex(pattern: Any) -> Grammar:
    from gramspec.grammar.regex import regex

    return regex(pattern)


def _choice(texts: tuple[str, ...]) -> Grammar:
    from gramspec.grammar.choice import choice

    return choice(texts)


def _written(asked: GrammarText) -> Wanted:
    def make() -> Grammar:
        if asked.type == "lark":
            from gramspec.grammar.lark import lark

            # No file is beneath it: of imports, only those of Lark's own library are found.
            return lark(asked.text, start=asked.start or "start", base_path=os.devnull)
        from gramspec.grammar.gbnf import gbnf

        return gbnf(
            asked.text,
            start=asked.start or "root",
            dialect="llama.cpp" if asked.type == "gbnf" else "xgrammar",
        )

    key = key_of("grammar", asked.type, asked.start, asked.text)
    return Wanted(asked.type, "grammar", key, make, len(asked.text))


def _tagged(spec: dict[str, Any], param: str) -> Wanted:
    def make() -> Grammar:
        from gramspec.grammar.tags import structural_tag

        return structural_tag(spec)

    text = json.dumps(spec)
    return Wanted("structural_tag", param, key_of("structural_tag", text), make, len(text))


async def _sql(request: Request, asked: SqlRequest) -> Wanted:
    if asked.schema_ is not None and asked.database is not None:
        raise _refused("sql", "a schema or a database, not both")
    schema: Any = asked.schema_
    dialect: str = asked.dialect or "sqlite"
    if asked.database is not None:
        known = databases_of(request)
        if asked.database not in known.names():
            raise ApiError(
                404,
                f"sql.database: there is no {asked.database[:100]!r}; the server says which there are",
                code="database_not_found",
                param="sql.database",
            )
        dialect = known.dialect(asked.database)
        if asked.dialect not in (None, dialect):
            raise _refused("sql.dialect", f"the database speaks {dialect}, not {asked.dialect}")
        schema = await known.schema(request, asked.database)
    statements: Any = "all" if asked.statements is None else tuple(asked.statements)
    given = repr(schema)
    key = key_of("sql", given, dialect, asked.prepare, statements)

    def make() -> Grammar:
        from gramspec.grammar.sql import sql

        if isinstance(schema, str) and _URL.match(schema):
            hint = 'a database of the server is named: sql: {"database": …}'
            raise GrammarError("", "a URL is no DDL", hint)
        return sql(schema, dialect=dialect, prepare=asked.prepare, statements=statements)

    param = "sql.schema" if asked.database is None else "sql.database"
    return Wanted("sql", param, key, make, len(given))


def _refused(param: str, reason: str) -> ApiError:
    return ApiError(400, f"{param}: {reason}", code="invalid_value", param=param)
