"""The recorded SQL statements: what SQLite prepares is accepted, what it does not is rejected.

Law: a statement that SQLite prepares and `gs.sql` rejects is counted with the reason; a negative that it
accepts is counted with what SQLite says of it.
Source: ../shared/data/sql (test-suites of SQLite and turso, Spider, BIRD, text2sql-data, sql-eval, …).

Run: python -m tests.conformance.sql --what statements --kind SELECT --show 3
"""

from __future__ import annotations

import argparse
import functools
import gzip
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gramspec as gs
from gramspec.automaton.graph import TextGraph
from gramspec.automaton.reading import read
from gramspec.grammar.sql import sql
from gramspec.grammar.sql.catalog import Schema
from gramspec.grammar.sql.prepare import Prepares
from gramspec.grammar.sql.schema import read_schema
from gramspec.grammar.sql.scope import InScope, scope_residual

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "sql"
QUERIES = ("SELECT", "WITH-SELECT", "VALUES")
WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE", "WITH-INSERT", "WITH-UPDATE", "WITH-DELETE")


def present() -> bool:
    """Whether the recorded statements lie beside the checkout."""
    return DATA.is_dir()


@dataclass(frozen=True)
class Case:
    """A statement, or a text that SQLite refuses, with the tables it was prepared on."""

    id: str
    kind: str
    sql: str
    source: str
    ddl: tuple[str, ...]
    prepares: bool
    verdict: str  # for a negative: its class; else the empty text
    loose: bool  # SQLite prepares it only because it takes a name in double quotes for a string


@functools.cache
def _schemas() -> dict[str, list[str]]:
    return {row["schema_id"]: row["ddl"] for row in _rows("schemas")}


def _rows(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def cases(what: str, kinds: Sequence[str] = ()) -> Iterator[Case]:
    """Cases of a file: "statements", "negatives" or "llm_outputs"; those without a schema are left out."""
    for row in _rows(what):
        kind = row.get("kind", "SELECT")
        if row["schema_id"] == "none" or kind not in (kinds or (*QUERIES, *WRITES)):
            continue
        ddl = _schemas()[row["schema_id"]]
        cut = row.get("schema_prefix")
        sql = row.get("sql_std") or row["sql"]
        prepares = row["prepares"] if what == "llm_outputs" else what == "statements"
        yield Case(
            row["id"],
            kind,
            sql,
            row.get("source") or row.get("system") or what,
            tuple(ddl if cut is None else ddl[:cut]),
            prepares,
            row.get("class", "" if prepares else "other"),
            bool(row.get("dqs")) and "sql_std" not in row,
        )


@functools.lru_cache(maxsize=64)
def schema_of(ddl: tuple[str, ...]) -> Schema | None:
    """The schema of a case; None where it has no tables, or they need what this SQLite does not have."""
    try:
        return read_schema(";\n".join(ddl), "sqlite")
    except gs.GramspecError:
        return None


@functools.lru_cache(maxsize=4)
def grammar_of(ddl: tuple[str, ...]) -> gs.Grammar:
    """The grammar of a case's tables."""
    return sql(schema_of(ddl), dialect="sqlite")


@functools.cache
def syntax() -> gs.Grammar:
    """The grammar of statements over any tables."""
    return sql(dialect="sqlite")


@functools.cache
def _graph() -> TextGraph:
    return TextGraph(syntax())


@functools.lru_cache(maxsize=64)
def _scope(ddl: tuple[str, ...]) -> InScope:
    schema = schema_of(ddl)
    assert schema is not None
    return scope_residual(schema)


@dataclass
class Tally:
    """What was found.

    `right` and `wrong` count by group; `reasons` has the wrong cases by what was the matter.
    """

    right: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, list[Case]] = field(default_factory=lambda: defaultdict(list))
    limits: int = 0

    def share(self, group: str) -> float:
        """Right ones among all of a group."""
        all_ = self.right[group] + self.wrong[group]
        return self.right[group] / all_ if all_ else 1.0


def group_of(case: Case) -> str:
    """Under which a case is counted: its kind, or the class of a negative."""
    return case.kind if case.prepares else f"negative: {case.verdict}"


def judge(tally: Tally, case: Case, *, exact: bool = False) -> bool:
    """Count a case; whether the answer was right. Cases whose tables are not here are not counted.

    Unless `exact`, statements over any tables are asked for and then the scope of these, which is one grammar
    for all; else the grammar is that of the case's own tables, which takes about a second for each schema.
    """
    if schema_of(case.ddl) is None:
        return True
    text = case.sql.encode()
    group = group_of(case)
    try:
        if exact:
            accepted = grammar_of(case.ddl).accepts(text)
        else:
            accepted = syntax().accepts(text) and _scope(case.ddl).holds(text)
    except gs.LimitError as error:
        tally.limits += 1
        tally.wrong[group] += 1
        tally.reasons[f"limit: {error.limit}"].append(case)
        return False
    if accepted == case.prepares:
        tally.right[group] += 1
        return True
    tally.wrong[group] += 1
    tally.reasons[_reason(case, text)].append(case)
    return False


def _reason(case: Case, text: bytes) -> str:
    if not case.prepares:
        schema = schema_of(case.ddl)
        assert schema is not None
        return f"accepted: {Prepares(schema).refusal(text) or 'prepares without names as strings'}"
    if syntax().accepts(text):
        return f"scope: {_scope(case.ddl).refusal(text) or 'holds; the tables of the grammar differ'}"
    offset = read(_graph(), text).offset
    if offset >= len(text):
        return "grammar: ends early"
    before = text[:offset].decode("utf-8", "replace").split()[-2:]
    after = text[offset:].decode("utf-8", "replace").split()[:1]
    return f"grammar: {' '.join(before)[-24:]} ^ {' '.join(after)[:16]}"


def main() -> None:
    """Judge a file of cases and print what was found."""
    from rich.progress import Progress

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--what", default="statements", choices=("statements", "negatives", "llm_outputs"))
    parser.add_argument("--kind", action="append", default=[], help="SELECT, INSERT, …; default: all")
    parser.add_argument("--source", default="", help="only cases of this source")
    parser.add_argument("--every", type=int, default=1, help="judge every n-th case")
    parser.add_argument("--show", type=int, default=1, help="cases shown per reason")
    parser.add_argument("--most", type=int, default=60, help="reasons shown")
    parser.add_argument("--exact", action="store_true", help="a grammar for each schema: about a second each")
    options = parser.parse_args()
    chosen = [case for case in cases(options.what, options.kind) if options.source in case.source]
    # Cases of one schema follow each other, so that few grammars are kept.
    chosen = sorted(chosen[:: options.every], key=lambda case: case.ddl)
    tally, begin = Tally(), time.process_time()
    with Progress(transient=True) as progress:
        for case in progress.track(chosen, description=options.what):
            judge(tally, case, exact=options.exact)
    for group in sorted({*tally.right, *tally.wrong}):
        total = tally.right[group] + tally.wrong[group]
        print(f"{group:24} {tally.right[group]:5} of {total:5} right ({tally.share(group):.1%})")
    print(f"limits {tally.limits}, {time.process_time() - begin:.0f} s of CPU")
    for reason, found in sorted(tally.reasons.items(), key=lambda one: -len(one[1]))[: options.most]:
        print(f"{len(found):5}  {reason}")
        for case in found[: options.show]:
            print(f"         {case.id}: {' '.join(case.sql.split())[:200]}")


if __name__ == "__main__":
    main()
