"""SQLite: version 3.40 as `EXPLAIN` judges it, with the functions of a plain build.

Source: https://www.sqlite.org/lang.html, https://www.sqlite.org/lang_keywords.html and the lists of
functions there; which key words may stand where without quotes was asked of the library.
"""

from __future__ import annotations

from typing import Final

from gramspec.grammar.sql.dialect import Dialect, Function, words_of

_RESERVED: Final = words_of(
    "ADD ALL ALTER AND AS AUTOINCREMENT BETWEEN CASE CHECK COLLATE COMMIT CONSTRAINT CREATE DEFAULT",
    "DEFERRABLE DELETE DISTINCT DROP ELSE ESCAPE EXCEPT EXISTS FOREIGN FROM GROUP HAVING IN INDEX INSERT",
    "INTERSECT INTO IS ISNULL JOIN LIMIT NOT NOTHING NOTNULL NULL ON OR ORDER PRIMARY REFERENCES",
    "RETURNING SELECT SET TABLE THEN TO TRANSACTION UNION UNIQUE UPDATE USING VALUES WHEN WHERE",
)

_OTHERS: Final = words_of(
    "ABORT ACTION AFTER ALWAYS ANALYZE ASC ATTACH BEFORE BEGIN BY CASCADE CAST COLUMN CONFLICT CROSS",
    "CURRENT CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP DATABASE DEFERRED DESC DETACH DO EACH END",
    "EXCLUDE EXCLUSIVE EXPLAIN FAIL FALSE FILTER FIRST FOLLOWING FOR FULL GENERATED GLOB GROUPS IF IGNORE",
    "IMMEDIATE INDEXED INITIALLY INNER INSTEAD KEY LAST LEFT LIKE MATCH MATERIALIZED NATURAL NO NULLS OF",
    "OFFSET OTHERS OUTER OVER PARTITION PLAN PRAGMA PRECEDING QUERY RAISE RANGE RECURSIVE REGEXP REINDEX",
    "RELEASE RENAME REPLACE RESTRICT RIGHT ROLLBACK ROW ROWS SAVEPOINT TEMP TEMPORARY TIES TRIGGER TRUE",
    "UNBOUNDED VACUUM VIEW VIRTUAL WINDOW WITH WITHOUT",
)

_FUNCTIONS: Final = (
    Function(
        "abs hex length lower upper typeof unicode quote likely unlikely randomblob zeroblob sign json", 1, 1
    ),
    Function("acos acosh asin asinh atan atanh ceil ceiling cos cosh degrees exp floor ln log10 log2", 1, 1),
    Function("radians sin sinh sqrt tan tanh trunc json_valid json_quote", 1, 1),
    Function("atan2 mod pow power ifnull nullif instr glob json_patch", 2, 2),
    Function("iif replace", 3, 3),
    Function("substr substring like", 2, 3),
    Function("round trim ltrim rtrim log json_array_length json_type", 1, 2),
    Function("coalesce min max", 2, None),
    Function("char printf format date time datetime julianday unixepoch", 0, None),
    Function("strftime json_extract json_remove", 1, None),
    Function("pi random changes total_changes last_insert_rowid sqlite_version", 0, 0),
    Function("json_array json_object", 0, None),
    Function("sum total avg min max json_group_array", 1, 1, "aggregate"),
    Function("count", 0, 1, "aggregate"),
    Function("group_concat", 1, 2, "aggregate"),
    Function("json_group_object", 2, 2, "aggregate"),
    Function("row_number rank dense_rank percent_rank cume_dist", 0, 0, "window"),
    Function("ntile first_value last_value", 1, 1, "window"),
    Function("nth_value", 2, 2, "window"),
    Function("lag lead", 1, 3, "window"),
    Function("json_each json_tree", 1, 2, "table"),
)

SQLITE: Final = Dialect(
    name="sqlite",
    reserved=_RESERVED,
    keywords=_RESERVED | _OTHERS,
    not_columns=words_of("CAST RAISE WITH TRUE FALSE CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP"),
    quotes='"[`',
    functions=_FUNCTIONS,
    constants="NULL TRUE FALSE CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP",
    arithmetic="|| + - * / % & | << >> -> ->>",
    comparisons="= == <> != < <= > >=",
    signs="- + ~",
    row_comparisons="= == <> != < <= > >=",
    word_comparisons=("IS", "IS NOT", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"),
    likes="LIKE",
    patterns="GLOB MATCH",
    postfixes=("ISNULL", "NOTNULL", "NOT NULL"),
    collations=("BINARY", "NOCASE", "RTRIM"),
    types=(
        "INTEGER",
        "INT",
        "BIGINT",
        "SMALLINT",
        "TINYINT",
        "REAL",
        "FLOAT",
        "DOUBLE",
        "DOUBLE PRECISION",
        "TEXT",
        "NUMERIC()",
        "DECIMAL()",
        "VARCHAR()",
        "CHAR()",
        "NVARCHAR()",
        "CHARACTER()",
        "BLOB",
        "BOOLEAN",
        "DATE",
        "DATETIME",
        "TIME",
        "TIMESTAMP",
        "UNSIGNED",
        "SIGNED",
        "STRING",
        "NUMBER",
        "CLOB",
    ),
    rowids=("rowid", "_rowid_", "oid"),
    joins=(
        "JOIN",
        "INNER JOIN",
        "CROSS JOIN",
        "LEFT JOIN",
        "LEFT OUTER JOIN",
        "RIGHT JOIN",
        "RIGHT OUTER JOIN",
        "FULL JOIN",
        "FULL OUTER JOIN",
    ),
    conflict_words=("ROLLBACK", "ABORT", "REPLACE", "FAIL", "IGNORE"),
    features=frozenset(
        {
            "blobs",
            "chained comparisons",
            "empty count",
            "filter",
            "row assignments",
            "target alias",
            "empty in",
            "in table",
            "exclude",
            "nulls",
            "row values",
            "indexed",
            "materialized",
            "nested tables",
            "groups",
            "replace",
            "or",
            "returning",
            "on conflict",
            "default values",
            "hexadecimal",
            "comma limit",
            "update from",
            "string aliases",
            "values statement",
            "bare values",
        }
    ),
)
