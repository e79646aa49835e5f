"""Schemas of SQL grammars: DDL, dicts, databases; what is malformed is refused with its place."""

from __future__ import annotations

import sqlite3

import pytest

import gramspec as gs
from gramspec.grammar.sql.catalog import Column, ForeignKey, Schema, Table
from gramspec.grammar.sql.schema import dialect_named, read_schema
from gramspec.grammar.sql.sqlite_text import statements, without_double_quotes

SHOP = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, "full name" TEXT NOT NULL, age INT);
-- orders; of customers
CREATE TABLE orders (id INTEGER, customer INTEGER REFERENCES customers (id), total REAL,
                     tax AS (total * 0.2), PRIMARY KEY (id), UNIQUE (customer, total)) ;
CREATE VIEW adults AS SELECT id, "full name" AS name FROM customers WHERE age >= 18;
CREATE TRIGGER audit AFTER INSERT ON orders BEGIN SELECT 1; SELECT 2; END;
ALTER TABLE orders ADD COLUMN note;
"""


def table(schema: Schema, name: str) -> Table:
    return next(one for one in schema.tables if one.name == name)


def test_sqlite_itself_reads_the_ddl():
    schema = read_schema(SHOP, "sqlite")
    assert [one.name for one in schema.tables] == ["customers", "orders", "adults"]
    customers, orders, adults = schema.tables
    assert customers.columns == (
        Column("id", "INTEGER", primary_key=True),
        Column("full name", "TEXT", nullable=False),
        Column("age", "INT"),
    )
    assert [one.name for one in orders.columns if one.generated] == ["tax"]
    assert orders.columns[-1] == Column("note")
    assert orders.foreign_keys == (ForeignKey(("customer",), "customers", ("id",)),)
    assert set(orders.unique) == {("id",), ("customer", "total")}
    assert orders.rowid and adults.kind == "view" and not adults.rowid
    assert [one.name for one in adults.columns] == ["id", "name"]
    # What it keeps makes the same tables again.
    assert read_schema(";\n".join(schema.ddl), "sqlite").tables == schema.tables


@pytest.mark.parametrize(
    ("ddl", "place", "words"),
    [
        ("", "", "no tables"),
        ("CREATE TABLE t (a INT,\n , b)", "2:2", 'near ","'),
        ("CREATE TABLE t (a INT, b\n", "1:25", "incomplete input"),
        ("CREATE TABLE t (a);\nCREAT TABLE u (b)", "2:1", 'near "CREAT"'),
        ("CREATE TABLE t (a,\n A)", "2:2", "duplicate column name"),
        ("CREATE TABLE t (a); CREATE TABLE T (b)", "1:34", "already exists"),
        ("CREATE TABLE t ()", "1:17", 'near ")"'),
        ("CREATE TABLE t (a 'b)", "1:19", "not closed"),
        ("CREATE TABLE t (a);\n  INSERT INTO t VALUES (1)", "2:3", "INSERT statements make no schema"),
        ("PRAGMA writable_schema = ON", "1:1", "PRAGMA"),
        ("ATTACH 'file.db' AS x", "1:1", "ATTACH"),
        ("CREATE TEMP TABLE t (a)", "1:1", "temporary"),
        ("CREATE TABLE t (a);\nCREATE VIEW v AS SELECT b FROM t", "2:13", "no such column"),
        ("CREATE TABLE t (a CHECK (nope(a)))", "1:26", "no such function"),
        ("CREATE TABLE t (a, a\0)", "1:21", "NUL"),
        # The token that is wrong is the second of its kind.
        ("CREATE TABLE t (a, b INT INT, c, , d)", "1:34", 'near ","'),
    ],
)
def test_malformed_ddl_is_refused_with_line_and_column(ddl, place, words):
    with pytest.raises(gs.GrammarError) as caught:
        read_schema(ddl, "sqlite")
    assert caught.value.pointer == place and words in str(caught.value)


def test_ddl_that_runs_for_ever_or_is_huge_is_bounded():
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c"
    with pytest.raises(gs.LimitError, match="steps"):
        read_schema(f"CREATE TABLE t AS {endless}", "sqlite")
    with pytest.raises(gs.LimitError, match="length"):
        read_schema("-" * 9_000_000, "sqlite")
    with pytest.raises(gs.LimitError, match="length"):
        read_schema("CREATE TABLE t (" + "a" * 1_100_000 + ")", "sqlite")


def test_a_script_is_cut_where_sqlite_cuts_it():
    script = "SELECT ';' ; ; CREATE TRIGGER x BEGIN SELECT 1; END; -- ;\nSELECT [;], `;`, \";\" /* ; */"
    assert [one.words(2) for one in statements(script)] == [("SELECT",), ("CREATE", "TRIGGER"), ("SELECT",)]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('SELECT "a b", \'"c"\'', "SELECT `a b`, '\"c\"'"),
        ('"a""b`c"', '`a"b``c`'),
        ('["x"] -- "y"', '["x"] -- "y"'),
    ],
)
def test_names_in_double_quotes_get_back_quotes(text, meant):
    assert without_double_quotes(text) == meant


def test_a_dict_of_tables():
    schema = read_schema(
        {"users": ["id", "full name"], "a/b": {"select": "VARCHAR(10)", "n": None}}, "sqlite"
    )
    assert [one.name for one in schema.tables] == ["users", "a/b"]
    assert table(schema, "a/b").columns == (Column("select", "VARCHAR(10)"), Column("n"))
    assert len(schema.ddl) == 2
    same_but_case = read_schema({"t": ["a", "A"]}, "postgres")
    assert [one.name for one in same_but_case.tables[0].columns] == ["a", "A"]


@pytest.mark.parametrize(
    ("source", "pointer", "words"),
    [
        ({}, "", "no tables"),
        ({"t": []}, "/t", "no columns"),
        ({"t": "a"}, "/t", "columns are a str"),
        ({"t": ["a", "A"]}, "/t/1", "already"),
        ({"t": ["a"], "T": ["a"]}, "/T", "already"),
        ({"t": ["a", ""]}, "/t/1", "empty"),
        ({"t": [3]}, "/t/0", "is a int"),
        ({3: ["a"]}, "/3", "is a int"),
        ({"t": {"a": 3}}, "/t/a", "type is a int"),
        ({"t": {"a": "INT PRIMARY KEY"}}, "/t/a", "not the name of a type"),
        ({"t": {"a": "INT, b INT"}}, "/t/a", "not the name of a type"),
        ({"t": {"a": "INT); DROP TABLE t; --"}}, "/t", "one statement"),
        ({"a~b/c": {"x\ud800": "INT"}}, "/a~0b~1c/x\ud800", "surrogate"),
        ({"sqlite_x": ["a"]}, "/sqlite_x", "sqlite_"),
    ],
)
def test_a_malformed_dict_is_refused_with_its_pointer(source, pointer, words):
    with pytest.raises(gs.GrammarError) as caught:
        read_schema(source, "sqlite")
    assert caught.value.pointer == pointer and words in caught.value.reason


def test_other_sources_and_dialects_are_refused_by_name():
    for source in (5, b"CREATE TABLE t (a)", ["t"]):
        with pytest.raises(gs.OptionError, match=type(source).__name__):
            read_schema(source, "sqlite")
    assert dialect_named("postgresql") == "postgres" and dialect_named("mariadb") == "mysql"
    for name in ("oracle", "", None):
        with pytest.raises(gs.OptionError, match="dialect"):
            dialect_named(name)
    with pytest.raises(gs.OptionError, match="postgres"):
        read_schema(Schema((Table("t", (Column("a"),)),), "postgres"), "sqlite")


class TestDatabases:
    sqlalchemy = pytest.importorskip("sqlalchemy")

    @pytest.fixture
    def file(self, tmp_path):
        path = tmp_path / "a b?.db"
        connection = sqlite3.connect(path)
        connection.executescript(SHOP + "CREATE INDEX i ON orders (total); ANALYZE;")
        connection.close()
        return path

    def test_a_file_is_read_and_not_written(self, file):
        before = file.read_bytes()
        url = self.sqlalchemy.URL.create("sqlite", database=str(file))
        schema = read_schema(url, "sqlite")
        assert schema.tables == read_schema(SHOP, "sqlite").tables
        assert file.read_bytes() == before
        engine = self.sqlalchemy.create_engine(url)
        assert read_schema(engine, "sqlite") == schema
        engine.dispose()

    @pytest.mark.parametrize(
        ("url", "words"),
        [
            ("sqlite:////no/such/file.db", "no such file"),
            ("sqlite:////", "not a file"),
            ("postgresql://me:secret@127.0.0.1:1/x", "cannot be read"),
            ("mysql://me:secret@127.0.0.1:1/x", "cannot be read"),
            ("nosuch://x", "no database that SQLAlchemy knows"),
            ("oracle://x", "driver is missing"),
        ],
    )
    def test_databases_out_of_reach_are_refused_without_the_password(self, url, words):
        if url.startswith("postgresql"):
            pytest.importorskip("psycopg")
        if url.startswith("mysql"):
            pytest.importorskip("pymysql")
        dialect = {"postgresql": "postgres", "mysql": "mysql"}.get(url.partition(":")[0], "sqlite")
        with pytest.raises(gs.OptionError) as caught:
            read_schema(url, dialect)
        assert words in str(caught.value) and "secret" not in str(caught.value)

    def test_a_missing_file_is_not_made_and_another_dialect_is_named(self, tmp_path, file):
        with pytest.raises(gs.OptionError):
            read_schema(f"sqlite:///{tmp_path}/new.db", "sqlite")
        assert not (tmp_path / "new.db").exists()
        with pytest.raises(gs.OptionError, match="dialect='sqlite'"):
            read_schema(self.sqlalchemy.URL.create("sqlite", database=str(file)), "postgres")

    def test_an_empty_database_and_no_database_at_all(self, tmp_path):
        sqlite3.connect(tmp_path / "empty.db").execute("VACUUM")
        for url in (f"sqlite:///{tmp_path}/empty.db", "sqlite://"):
            with pytest.raises(gs.GrammarError, match="no tables"):
                read_schema(url, "sqlite")
        (tmp_path / "text.db").write_text("this is no database" * 100)
        with pytest.raises(gs.OptionError, match="not a database"):
            read_schema(f"sqlite:///{tmp_path}/text.db", "sqlite")


class TestOtherDialects:
    sqlglot = pytest.importorskip("sqlglot")

    def test_postgres(self):
        schema = read_schema(
            'CREATE TABLE Users (ID serial PRIMARY KEY, "Full Name" varchar(20) NOT NULL, age int,'
            " twice int GENERATED ALWAYS AS (age * 2) STORED, UNIQUE (age));"
            "CREATE INDEX i ON users (age); CREATE TYPE mood AS ENUM ('a');"
            "ALTER TABLE ONLY users ADD CONSTRAINT f FOREIGN KEY (age) REFERENCES users (id);"
            "CREATE VIEW v AS SELECT id, age AS years FROM users",
            "postgres",
        )
        users, view = schema.tables
        assert [one.name for one in users.columns] == ["id", "Full Name", "age", "twice"]
        assert [one.generated for one in users.columns] == [False, False, False, True]
        assert users.unique == (("id",), ("age",)) and not users.columns[1].nullable
        assert users.foreign_keys == (ForeignKey(("age",), "users", ("id",)),)
        assert view.kind == "view" and [one.name for one in view.columns] == ["id", "years"]

    def test_mysql(self):
        schema = read_schema(
            "CREATE TABLE `t` (`a` int(11) NOT NULL AUTO_INCREMENT, `b` enum('x','y'), PRIMARY KEY (`a`),"
            " KEY `k` (`b`), UNIQUE KEY `u` (`b`)) ENGINE=InnoDB;",
            "mysql",
        )
        assert schema.tables[0].unique == (("a",), ("b",))
        assert [one.primary_key for one in schema.tables[0].columns] == [True, False]

    @pytest.mark.parametrize(
        ("ddl", "place", "words"),
        [
            ("", "", "no tables"),
            ("CREATE TABLE t (a int);\nCREATE TABLE t (b int)", "2:1", "already"),
            ("CREATE TABLE t (a int,\n b int b c)", "2:8", "Expecting )"),
            ("CREATE TABLE t ()", "1:1", "no columns"),
            ("CREATE TABLE t (a int, A int)", "1:1", "two columns a"),
            ("CREATE TABLE t (LIKE u)", "1:1", "LIKE u"),
            ("INSERT INTO t VALUES (1)", "1:1", "INSERT INTO"),
            ("DROP TABLE t", "1:1", "no table t"),
            ("CREATE VIEW v AS SELECT a FROM t", "1:1", "no table t"),
            ("(" * 3_000, "1:1", "nests too deeply"),
        ],
    )
    def test_malformed(self, ddl, place, words):
        with pytest.raises(gs.GrammarError) as caught:
            read_schema(ddl, "postgres")
        assert caught.value.pointer == place and words in caught.value.reason
