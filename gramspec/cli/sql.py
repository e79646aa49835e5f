"""`gramspec sql`: a question about a database in, statements that fit its tables out, with their results.

Law: each statement belongs to the grammar of the tables shown; nothing is written unless `--write` says so.
Source: API, "Command line".
"""

from __future__ import annotations

import dataclasses
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from gramspec.cli.arguments import LAWS, SAMPLERS, AsJson, Target, Temperature, TopK, TopP, one_of
from gramspec.cli.generate import Sampling, named_models, sampled
from gramspec.cli.sources import place_note, read_text
from gramspec.decoding.completion import Completion
from gramspec.decoding.options import DecodingOptions
from gramspec.errors import GrammarError, OptionError, PromptError
from gramspec.grammar.sql.schema import dialect_named, read_schema
from gramspec.integrations.sql_questions import dialect_of_url, prompt_of, statements_of, with_tables
from gramspec.integrations.sql_results import Result, runner

if TYPE_CHECKING:
    from gramspec.grammar.core import Grammar
    from gramspec.grammar.sql.catalog import Schema, Table

_LONGEST_CELL: Final = 60
EXAMPLE = 'Example: gramspec sql "names of customers in Berlin" --ddl examples/shop.sql --seed 1'


@dataclass(frozen=True, kw_only=True)
class SqlRequest(Sampling):
    """The options of the command, as typed."""

    question: str | None
    db: str | None
    ddl: str | None
    dialect: str | None
    tables: str | None
    prepare: bool
    write: bool
    run: bool
    rows: int
    seconds: float
    template: str | None
    as_json: bool


def answer(request: SqlRequest) -> int:
    """Show the tables, sample statements and run them.

    Parameters
    ----------
    request : SqlRequest
        The options of the command.

    Returns
    -------
    int
        0; 1 if the database refused to run a statement.

    Raises
    ------
    GramspecError
        When anything in the request cannot be used.
    """
    _check(request)
    schema = _chosen(_schema(request), request.tables)
    if request.question is None:
        _show_schema(schema, request)
        return 0
    grammar = statements_of(schema, prepare=request.prepare, write=request.write)
    completions = _statements(request, schema, grammar)
    results: list[Result | None] = [None] * len(completions)
    if request.db is not None and request.run:
        with runner(request.db, write=request.write, most_rows=request.rows, seconds=request.seconds) as on:
            results = [on.run(completion.text) for completion in completions]
    if request.as_json:
        rows = [_facts(*pair) for pair in zip(completions, results, strict=True)]
        value = {"dialect": schema.dialect, "tables": _names(schema), "statements": rows}
        sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    else:
        _show_schema(schema, request)
        for completion, result in zip(completions, results, strict=True):
            _show(completion, result, request)
    return int(any(result is not None and bool(result.error) for result in results))


def _check(request: SqlRequest) -> None:
    if (request.db is None) == (request.ddl is None):
        raise OptionError(
            "--db, --ddl: exactly one of the two is needed\n"
            "  hint: --db sqlite:///file.db, --db postgresql://user@host/name, or --ddl schema.sql"
        )
    if request.write and request.db is None:
        raise OptionError("--write: there is no database to write into\n  hint: pass --db")
    if request.rows < 1:
        raise OptionError(f"--rows {request.rows}: must be 1 at least")
    if not 0 < request.seconds < float("inf"):
        raise OptionError(f"--seconds {request.seconds}: must be positive")


def _schema(request: SqlRequest) -> Schema:
    if request.db is not None:
        dialect = request.dialect or dialect_of_url(request.db, "--db")
        return read_schema(request.db, dialect_named(dialect))
    assert request.ddl is not None
    text = read_text(request.ddl, "--ddl")
    try:
        return read_schema(text, dialect_named(request.dialect or "sqlite"))
    except GrammarError as error:
        error.add_note(place_note(error, text, request.ddl))
        raise


def _chosen(schema: Schema, names: str | None) -> Schema:
    """The tables that are asked for; all by default."""
    if names is None:
        return schema
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    return with_tables(schema, wanted, f"--tables {names}")


def _names(schema: Schema) -> list[str]:
    return [table.name for table in schema.tables]


def _statements(request: SqlRequest, schema: Schema, grammar: Grammar) -> list[Completion]:
    assert request.question is not None
    pair = named_models(request.target, request.draft)
    prompt = _prompt(request, schema)
    options = DecodingOptions(max_attempts=request.max_attempts, max_seconds=request.max_seconds)
    try:
        return sampled(request, pair, prompt, grammar, options)
    except PromptError as error:
        raise PromptError(
            f"{error}\n  hint: the prompt holds {len(schema.tables)} tables in {len(prompt)} characters;"
            " name those that matter with --tables, or write --template"
        ) from None


def _prompt(request: SqlRequest, schema: Schema) -> str:
    template = None if request.template is None else request.template.replace("\\n", "\n")
    question = request.question or ""
    return prompt_of(schema, question, embedded=request.target is None, template=template)


def _show_schema(schema: Schema, request: SqlRequest) -> None:
    if request.as_json:
        value = {"dialect": schema.dialect, "tables": [dataclasses.asdict(table) for table in schema.tables]}
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
        return
    console = Console(highlight=False)
    grid = RichTable(title=f"{len(schema.tables)} tables, {schema.dialect}", title_justify="left")
    for heading in ("table", "columns"):
        grid.add_column(heading)
    for table in schema.tables:
        view = " (view)" if table.kind == "view" else ""
        grid.add_row(Text(_line(table.name) + view), Text(", ".join(_columns(table))))
    console.print(grid)


def _columns(table: Table) -> list[str]:
    """The columns with their types and keys."""
    referring = {
        name: f"→ {_line(key.table)}" + (f".{_line(key.referred[i])}" if key.referred else "")
        for key in table.foreign_keys
        for i, name in enumerate(key.columns)
    }
    return [
        " ".join(
            part
            for part in (
                _line(column.name),
                _line(column.type),
                "KEY" if column.primary_key else "",
                "COMPUTED" if column.generated else "",
                referring.get(column.name, ""),
            )
            if part
        )
        for column in table.columns
        if not column.hidden
    ]


def _facts(completion: Completion, result: Result | None) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "sql": completion.text,
        "guarantee": completion.report.guarantee,
        "law": completion.report.law,
        "logprob": completion.logprob,
    }
    if result is not None:
        facts["result"] = {**dataclasses.asdict(result), "rows": [list(row) for row in result.rows]}
    return facts


def _show(completion: Completion, result: Result | None, request: SqlRequest) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print()
    console.print(Text(completion.text, style="bold"))
    said = f"{completion.report.law}, {completion.report.guarantee}"
    held = "the tables' grammar, scope" + (", prepares" if request.prepare else "")
    console.print(Text(f"{said}; {held}", style="dim"))
    if request.report:
        Console(stderr=True).print(completion.report)
    if result is None:
        return
    if result.error:
        console.print(Text(f"not run: {result.error}", style="red"))
    elif result.changed is not None:
        console.print(Text(f"{result.changed} rows written"))
    else:
        _show_rows(result)


def _show_rows(result: Result) -> None:
    console = Console(highlight=False)
    grid = RichTable()
    for name in result.columns:
        grid.add_column(Text(_line(name)))
    for row in result.rows:
        grid.add_row(*(_cell(value) for value in row))
    console.print(grid)
    more = "at least " if result.more else ""
    console.print(Text(f"{more}{len(result.rows)} rows"))


def _cell(value: Any) -> Text:
    if value is None:
        return Text("NULL", style="dim")
    text = value.hex() if isinstance(value, (bytes, memoryview)) else str(value)
    return Text(_line(text[:_LONGEST_CELL]) + ("…" if len(text) > _LONGEST_CELL else ""))


def _line(text: str) -> str:
    """On one line, without what a terminal would act on."""
    return "".join(char if char.isprintable() else "·" for char in text)


def command(
    question: Annotated[
        str | None,
        typer.Argument(
            metavar="QUESTION", help="What is asked; left out: the tables are shown.", show_default=False
        ),
    ] = None,
    db: Annotated[
        str | None,
        typer.Option(
            help="URL of the database: sqlite:///file.db, postgresql://user@host/name.", show_default=False
        ),
    ] = None,
    ddl: Annotated[
        str | None,
        typer.Option(
            help="File with CREATE statements in place of a database; '-' reads stdin.", show_default=False
        ),
    ] = None,
    dialect: Annotated[
        str | None,
        typer.Option(
            help="'sqlite', 'postgres' or 'mysql'.",
            show_default="that of the URL, sqlite for DDL",
            autocompletion=one_of("sqlite", "postgres", "mysql"),
        ),
    ] = None,
    tables: Annotated[
        str | None, typer.Option(help="Only these tables, with commas between.", show_default="all")
    ] = None,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Only statements that SQLite prepares on the tables.")
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="INSERT, UPDATE and DELETE too, and run them.")
    ] = False,
    run_: Annotated[
        bool, typer.Option("--run/--no-run", help="Run the statements on the database and show the rows.")
    ] = True,
    rows: Annotated[int, typer.Option(help="Rows shown of each result.")] = 20,
    seconds: Annotated[float, typer.Option(help="Seconds that a statement may run.")] = 10.0,
    template: Annotated[
        str | None,
        typer.Option(
            help="The prompt, with {schema}, {dialect} and {question}.",
            show_default="the question alone for the embedded pair, else all three",
        ),
    ] = None,
    law: Annotated[
        str,
        typer.Option(
            help="'conditional': P(statement | it fits); 'masked': local masking.", autocompletion=LAWS
        ),
    ] = "conditional",
    sampler: Annotated[
        str,
        typer.Option(
            help="'restart', 'smc', 'mcmc', 'twisted' or 'auto', as in `gramspec generate`.",
            autocompletion=SAMPLERS,
        ),
    ] = "auto",
    n: Annotated[int, typer.Option("--n", "-n", help="How many statements.")] = 1,
    seed: Annotated[int | None, typer.Option(help="Makes the statements reproducible.")] = None,
    report: Annotated[
        bool,
        typer.Option("--report", help="Show on stderr what each statement cost and what may be claimed."),
    ] = False,
    as_json: AsJson = False,
    max_new_tokens: Annotated[
        int, typer.Option(help="Longest statement in tokens, the end-of-sequence token counted.")
    ] = 128,
    temperature: Temperature = 1.0,
    top_k: TopK = 0,
    top_p: TopP = 1.0,
    target: Target = None,
    draft: Annotated[
        str | None,
        typer.Option(help="Directory of a draft model; 'none' drafts nothing.", show_default=False),
    ] = None,
    max_attempts: Annotated[int, typer.Option(help="Attempts per statement.")] = 10_000,
    max_seconds: Annotated[
        float | None, typer.Option(help="Seconds per statement after which no attempt begins.")
    ] = None,
) -> None:
    """Show the tables of a database, write statements that answer a question, and run them read only.

    Exit code: 0 done, 1 the database refused to run a statement, 2 the input cannot be used.
    """
    request = SqlRequest(
        question=question,
        db=db,
        ddl=ddl,
        dialect=dialect,
        tables=tables,
        prepare=prepare,
        write=write,
        run=run_,
        rows=rows,
        seconds=seconds,
        template=template,
        n=n,
        seed=seed,
        report=report,
        as_json=as_json,
        max_new_tokens=max_new_tokens,
        law=law,
        sampler=sampler,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        target=target,
        draft=draft,
        max_attempts=max_attempts,
        max_seconds=max_seconds,
    )
    raise typer.Exit(answer(request))
