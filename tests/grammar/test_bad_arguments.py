"""Arguments of the wrong kind, lone surrogates and byte order marks, in every front end that reads text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gramspec as gs
from gramspec.cli.sources import read_text

TABLE = {"t": ["a"]}


@pytest.mark.parametrize("start", [None, 3, ["start"], b"start"])
def test_a_start_that_is_no_text(start: Any) -> None:
    with pytest.raises(gs.GramspecError, match="the name of a rule is a str, not"):
        gs.lark('start: "a"', start=start)
    with pytest.raises(gs.GramspecError, match="the name of a rule is a str, not"):
        gs.gbnf('root ::= "a"', start=start)


@pytest.mark.parametrize("paths", [5, "folder", b"folder", Path("folder"), [5], [None]])
def test_folders_that_are_none(paths: Any) -> None:
    with pytest.raises(gs.OptionError, match="import_paths"):
        gs.lark('start: "a"', import_paths=paths)


def test_a_base_path_that_is_none() -> None:
    base: Any = 5
    with pytest.raises(gs.OptionError, match="base_path"):
        gs.lark('start: "a"', base_path=base)


@pytest.mark.parametrize("dialect", ["sqlite", "postgres", "mysql"])
@pytest.mark.parametrize("foreign", ["\ud800", "\0"])
def test_ddl_with_what_is_no_character(dialect: str, foreign: str) -> None:
    with pytest.raises(gs.GrammarError, match="the DDL holds") as caught:
        gs.sql(f"CREATE TABLE t (a INT,\n b{foreign} INT)", dialect=dialect)
    assert caught.value.pointer == "2:3"


@pytest.mark.parametrize("dialect", ["sqlite", "postgres", "mysql"])
def test_ddl_of_an_editor_that_writes_a_byte_order_mark(dialect: str) -> None:
    assert gs.sql("\ufeffCREATE TABLE t (a INT)", dialect=dialect).accepts("SELECT a FROM t")


def test_malformed_ddl_shows_no_inside_of_the_parser() -> None:
    with pytest.raises(gs.GrammarError, match="Expected table name") as caught:
        gs.sql("CREATE TABLE", dialect="postgres")
    assert "Token" not in caught.value.reason


@pytest.mark.parametrize("statements", [None, 5])
def test_kinds_of_statements_that_are_none(statements: Any) -> None:
    with pytest.raises(gs.OptionError, match="statements: "):
        gs.sql(TABLE, statements=statements)


@pytest.mark.parametrize("aliases", [5, ["\ud800"], ["a", None]])
def test_aliases_that_are_none(aliases: Any) -> None:
    with pytest.raises(gs.OptionError, match="aliases: "):
        gs.sql(TABLE, aliases=aliases)


def test_files_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "words.choice"
    path.write_bytes(b"\xef\xbb\xbfyes\r\nno\r\n")
    assert read_text(str(path), "GRAMMAR").split() == ["yes", "no"]
