"""`/v1/sql`: questions about the databases of a server, answered by statements and their results.

Law: that of `gramspec.generate` over the grammar of the tables, scope and, for SQLite, preparing included;
read only unless server and request both say otherwise.
Source: `gramspec sql`.
"""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from gramspec.grammar.core import Grammar
from gramspec.grammar.sql.catalog import Schema
from gramspec.integrations.server.answers import Claims, Summary, Usage, new_id, now, summary_of, usage_of
from gramspec.integrations.server.cache import key_of
from gramspec.integrations.server.databases import Databases, databases_of, plain
from gramspec.integrations.server.errors import RESPONSES, ApiError, naming
from gramspec.integrations.server.grammars import Wanted
from gramspec.integrations.server.logging import note
from gramspec.integrations.server.schemas import Body, Law, Sampling
from gramspec.integrations.server.server import Server, server_of
from gramspec.integrations.server.serving import all_texts, ready
from gramspec.integrations.server.texts import Plan, Written, model_checked, planned
from gramspec.integrations.sql_questions import prompt_of, statements_of, with_tables
from gramspec.integrations.sql_results import Result

router = APIRouter(tags=["sql"])

_DEFAULT_TOKENS = 128
_DEFAULT_ALIASES = ("t1", "t2", "t3", "t4")


class SqlQuestion(Body):
    """Body of `/v1/sql`."""

    question: Annotated[str, Field(min_length=1, max_length=20_000)]
    database: Annotated[
        str | None, Field(description="One of `/v1/sql/databases`; may be left out where there is one.")
    ] = None
    model: Annotated[str | None, Field(description="The server's model; may be left out.")] = None
    dialect: Annotated[
        Literal["sqlite", "postgres", "mysql"] | None, Field(description="Must be the database's.")
    ] = None
    tables: Annotated[list[str] | None, Field(min_length=1, description="Only these; all by default.")] = None
    template: Annotated[
        str | None,
        Field(max_length=100_000, description="The prompt, with {schema}, {dialect} and {question}."),
    ] = None
    prepare: Annotated[
        bool | None,
        Field(description="Only statements that SQLite prepares; by default where the database is SQLite."),
    ] = None
    aliases: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=64)]] | Literal["any"] | None,
        Field(
            description="Names that a statement may make for tables and columns: t1 to t4 by default. `any`"
            " lets a text wander off into names that no table has, which costs many more attempts."
        ),
    ] = None
    execute: Annotated[bool, Field(description="Run the statements and answer with their rows.")] = True
    write: Annotated[
        bool, Field(description="INSERT, UPDATE and DELETE too, if the server was started so; n is 1 then.")
    ] = False
    rows: Annotated[int | None, Field(ge=1, description="Of each result, within the server's limit.")] = None
    seconds: Annotated[
        float | None, Field(gt=0, description="For each statement to run, within the server's limit.")
    ] = None
    n: Annotated[int, Field(ge=1, le=128)] = 1
    seed: Annotated[int | None, Field(ge=0, lt=1 << 64)] = None
    max_tokens: Annotated[int, Field(ge=1, description="Of a statement, EOS included.")] = _DEFAULT_TOKENS
    temperature: Annotated[float | None, Field(ge=0, le=2)] = None
    top_p: Annotated[float | None, Field(gt=0, le=1)] = None
    top_k: Annotated[int | None, Field(ge=0)] = None
    gramspec: Law | None = None


class Rows(BaseModel):
    """What a statement gave."""

    columns: list[str]
    rows: list[list[Any]]
    more: bool = Field(description="Whether there are further rows.")
    changed: int | None = Field(description="Rows that were written; null for a query.")
    error: str | None = Field(description="What the database said against running it.")


class Statement(BaseModel):
    """One statement."""

    index: int
    sql: str
    gramspec: Claims
    result: Rows | None = Field(description="Null where statements were not to be run.")


class SqlAnswer(BaseModel):
    """Body of an answer of `/v1/sql`."""

    id: str
    object: Literal["sql"] = "sql"
    created: int
    model: str
    database: str
    dialect: str
    prepare: bool = Field(description="Whether SQLite prepares every statement.")
    read_only: bool
    statements: list[Statement]
    usage: Usage
    gramspec: Summary


class DatabaseFacts(BaseModel):
    """A database that may be asked."""

    id: str
    object: Literal["database"] = "database"
    dialect: str
    writable: bool


class DatabaseList(BaseModel):
    """Body of an answer of `/v1/sql/databases`."""

    object: Literal["list"] = "list"
    data: list[DatabaseFacts]


class ColumnFacts(BaseModel):
    """A column."""

    name: str
    type: str


class TableFacts(BaseModel):
    """A table or view."""

    name: str
    kind: str
    columns: list[ColumnFacts]


class DatabaseTables(DatabaseFacts):
    """A database with its tables."""

    tables: list[TableFacts]


_FEW: dict[int | str, dict[str, Any]] = {status: RESPONSES[status] for status in (401, 500)}


@router.get("/v1/sql/databases", responses=_FEW)
async def databases(request: Request) -> DatabaseList:
    """The databases that may be asked."""
    known = databases_of(request)
    return DatabaseList(data=[DatabaseFacts(**_facts(request, known, name)) for name in known.names()])


@router.get(
    "/v1/sql/databases/{database}",
    responses={status: RESPONSES[status] for status in (401, 404, 422, 500, 503, 504)},
)
async def database_tables(request: Request, database: str) -> DatabaseTables:
    """The tables and columns of a database."""
    known = databases_of(request)
    name = known.named(database)
    schema = await known.schema(request, name)
    tables = [
        TableFacts(
            name=table.name,
            kind=table.kind,
            columns=[
                ColumnFacts(name=column.name, type=column.type)
                for column in table.columns
                if not column.hidden
            ],
        )
        for table in schema.tables
    ]
    return DatabaseTables(**_facts(request, known, name), tables=tables)


@router.post("/v1/sql", responses=RESPONSES)
async def sql(request: Request, body: SqlQuestion) -> SqlAnswer:
    """Statements that answer a question, with their results."""
    begun = time.monotonic()
    server = server_of(request)
    if body.model is not None:
        model_checked(server, body.model)
    known = databases_of(request)
    name = known.named(body.database)
    dialect = known.dialect(name)
    _check(body, server, dialect)
    schema = await known.schema(request, name)
    if body.tables is not None:
        with naming("tables"):
            schema = with_tables(schema, body.tables, "tables")
    prepare = body.prepare if body.prepare is not None else dialect == "sqlite"
    plan = _plan(server, body, schema, prepare)
    plan = await ready(request, plan)
    texts = await all_texts(request, plan)
    settings = server.settings
    results: list[Result] | None = None
    if body.execute:
        results = await known.run(
            request,
            name,
            [one.text for one in texts],
            write=body.write,
            rows=min(body.rows or settings.sql_rows, settings.sql_rows),
            seconds=min(body.seconds or settings.sql_seconds, settings.sql_seconds),
            until=begun + settings.request_seconds,
        )
    claims = [one.claims for one in texts]
    for index in range(len(texts)):
        said = "not_run" if results is None else "refused" if results[index].error else "run"
        server.metrics.sql_statements.labels(said).inc()
    note(request.scope, database=name, statements=len(texts), write=body.write)
    return SqlAnswer(
        id=new_id("sql"),
        created=now(),
        model=server.model_name,
        database=name,
        dialect=dialect,
        prepare=prepare,
        read_only=not body.write,
        statements=[_statement(index, one, results) for index, one in enumerate(texts)],
        usage=usage_of(plan.prompt_tokens, sum(one.tokens for one in texts), claims),
        gramspec=summary_of(claims, plan.law, plan.facts()),
    )


def _check(body: SqlQuestion, server: Server, dialect: str) -> None:
    if body.dialect is not None and body.dialect != dialect:
        raise _refused("dialect", f"the database speaks {dialect}, not {body.dialect}")
    if body.prepare and dialect != "sqlite":
        raise _refused(
            "prepare", f"statements are prepared by SQLite alone, and the database speaks {dialect}"
        )
    if body.write and not server.settings.sql_write:
        raise ApiError(
            403,
            "write: the server was started read only",
            code="read_only",
            param="write",
        )
    if body.write and body.execute and body.n > 1:
        raise _refused("n", "of several statements that write, none should be run unseen; take n: 1")
    if body.rows is not None and body.rows > server.settings.sql_rows:
        raise _refused("rows", f"at most {server.settings.sql_rows} rows are answered")
    if body.seconds is not None and body.seconds > server.settings.sql_seconds:
        raise _refused("seconds", f"a statement may run {server.settings.sql_seconds:g} s at most")
    if not body.execute and (body.rows is not None or body.seconds is not None):
        raise _refused("execute", "rows and seconds go with execute: true alone")


def _plan(server: Server, body: SqlQuestion, schema: Schema, prepare: bool) -> Plan:
    embedded = server.settings.target is None and body.template is None
    prompt = prompt_of(schema, body.question, embedded=embedded, template=body.template)
    given = _DEFAULT_ALIASES if body.aliases is None else body.aliases
    aliases = None if given == "any" else tuple(given)
    write = body.write

    def make() -> Grammar:
        with naming("aliases"):
            return statements_of(schema, prepare=prepare, write=write, aliases=aliases, comments=False)

    wanted = Wanted("sql", "database", key_of("sql-service", schema, prepare, write, aliases), make)
    sampling = Sampling(
        model=server.model_name,
        n=body.n,
        temperature=body.temperature,
        top_p=body.top_p,
        top_k=body.top_k,
        seed=body.seed,
        gramspec=body.gramspec,
    )
    try:
        with naming("question"):
            ids = server.ids([prompt])
        return planned(server, sampling, ids, wanted, top=None, max_tokens=body.max_tokens)
    except ApiError as error:
        if error.code != "context_length_exceeded":
            raise
        raise ApiError(
            400,
            f"{error.message}\nit holds {len(schema.tables)} tables; name the needed ones in `tables`",
            code=error.code,
            param="question",
            details=error.details,
        ) from None


def _facts(request: Request, known: Databases, name: str) -> dict[str, Any]:
    writable = server_of(request).settings.sql_write
    return {"id": name, "dialect": known.dialect(name), "writable": writable}


def _statement(index: int, one: Written, results: list[Result] | None) -> Statement:
    rows = None
    if results is not None:
        found = results[index]
        rows = Rows(
            columns=list(found.columns),
            rows=[[plain(value) for value in row] for row in found.rows],
            more=found.more,
            changed=found.changed,
            error=found.error or None,
        )
    return Statement(index=index, sql=one.text, gramspec=one.claims, result=rows)


def _refused(param: str, reason: str) -> ApiError:
    return ApiError(400, f"{param}: {reason}", code="invalid_value", param=param)
