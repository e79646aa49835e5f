"""What independent readers say of a text: the standard library's, written-out checks, parsers of SQL.

Each function tells whether a text is of its kind; `EXACT` names the grammars that claim to agree with it.
"""

from __future__ import annotations

import ast
import csv
import io
import ipaddress
import json
import re
import sqlite3
import tokenize
import warnings
from collections.abc import Callable
from datetime import date, datetime, time
from email.errors import HeaderParseError
from email.headerregistry import Address
from typing import Final, NoReturn
from urllib.parse import urlsplit

EXACT: Final = frozenset(["json", "jsonl", "dyck", "arithmetic", "iso_dates", "url"])
_NUMBER: Final = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME: Final = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.([0-9]{1,6}))?)?(Z|[+-]([0-9]{2}:[0-9]{2}))?")
_PAIRS: Final = {")": "(", "]": "[", "}": "{"}


def is_json(text: str) -> bool:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(constant)

    try:
        json.loads(text, parse_constant=refuse, parse_int=str)
    except (ValueError, RecursionError):
        return False
    return True


def is_jsonl(text: str) -> bool:
    lines = text.split("\n")
    if len(lines) > 1 and not lines[-1]:
        lines.pop()
    return all(is_json(line) for line in lines)


def is_csv(text: str) -> bool:
    try:
        list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        return False
    return True


def is_dyck(text: str) -> bool:
    stack: list[str] = []
    for char in text:
        if char in _PAIRS:
            if not stack or stack.pop() != _PAIRS[char]:
                return False
        elif char in "([{":
            stack.append(char)
        else:
            return False
    return not stack


def is_arithmetic(text: str) -> bool:
    if not set(text) <= set("0123456789.+-*/() "):
        return False
    allowed = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Constant, ast.operator, ast.unaryop)
    try:
        tree = ast.parse(text.strip(" "), mode="eval")
        tokens = list(tokenize.generate_tokens(io.StringIO(text.strip(" ")).readline))
    except (SyntaxError, tokenize.TokenError):
        return False
    numbers = [token.string for token in tokens if token.type == tokenize.NUMBER]
    operators = {type(node.op) for node in ast.walk(tree) if isinstance(node, ast.BinOp)}
    return (
        all(isinstance(node, allowed) for node in ast.walk(tree))
        and all(_NUMBER.fullmatch(number) for number in numbers)
        and operators <= {ast.Add, ast.Sub, ast.Mult, ast.Div}
    )


def is_iso_date(text: str) -> bool:
    day, found, clock = text.partition("T")
    try:
        if _DATE.fullmatch(text):
            date.fromisoformat(text)
        elif found:
            if not (_DATE.fullmatch(day) and _is_time(clock)):
                return False
            datetime.fromisoformat(f"{day}T{_six_digits(clock)}")
        else:
            return _is_time(text)
    except ValueError:
        return False
    return True


def _is_time(text: str) -> bool:
    found = _TIME.fullmatch(text)
    if found is None:
        return False
    try:
        time.fromisoformat(_six_digits(text))
        if found[5] is not None:
            time.fromisoformat(found[5])
    except ValueError:
        return False
    return True


def _six_digits(text: str) -> str:
    """The same with a fraction that every release of Python reads."""
    return re.sub(r"\.([0-9]{1,6})", lambda found: "." + found[1].ljust(6, "0"), text)


def is_email(text: str) -> bool:
    try:
        address = Address(addr_spec=text)
    except (ValueError, HeaderParseError, IndexError):
        return False
    return address.addr_spec == text


_SAFE: Final = r"[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2}"
_URL: Final = re.compile(
    rf"""(?P<scheme>[A-Za-z]+)://
    ((?:{_SAFE}|:)*@)?
    (?:\[(?P<literal>[^\]/?#]*)\]|(?:{_SAFE})+)
    (?::[0-9]*)?
    (?:/(?:{_SAFE}|[:@])*)*
    (?:\?(?:{_SAFE}|[:@/?])*)?
    (?:\#(?:{_SAFE}|[:@/?])*)?""".replace(" ", ""),
    re.VERBOSE,
)


def is_url(text: str) -> bool:
    found = _URL.fullmatch(text)
    if found is None or found["scheme"].lower() not in ("http", "https"):
        return False
    literal = found["literal"]
    if literal is not None and not re.fullmatch(r"[Vv][0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+", literal):
        if not re.fullmatch("[0-9A-Fa-f:.]+", literal):
            return False
        try:
            ipaddress.IPv6Address(literal)
        except ValueError:
            return False
    parts = urlsplit(text.replace("[V", "[v"))  # which it does not know in capitals
    return parts.scheme == found["scheme"].lower() and bool(parts.netloc)


def is_python(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    return True


def is_sqlite(text: str) -> bool:
    """SQLite parses a statement before it looks names up, and then says which it does not know."""
    with sqlite3.connect(":memory:") as database:
        try:
            database.execute(f"EXPLAIN {text}")
        except sqlite3.OperationalError as error:
            return not re.search("syntax error|unrecognized token|incomplete input", str(error))
    return True


def is_postgres(text: str) -> bool:
    import pglast

    try:
        return len(pglast.parse_sql(text)) == 1
    except pglast.parser.ParseError:
        return False


def is_mysql(text: str) -> bool:
    import sqlglot

    try:
        return len(sqlglot.parse(text, dialect="mysql")) == 1
    except sqlglot.errors.SqlglotError:
        return False


ORACLES: Final[dict[str, Callable[[str], bool]]] = {
    "arithmetic": is_arithmetic,
    "csv": is_csv,
    "dyck": is_dyck,
    "email": is_email,
    "iso_dates": is_iso_date,
    "json": is_json,
    "jsonl": is_jsonl,
    "python_subset": is_python,
    "sql_mysql": is_mysql,
    "sql_postgres": is_postgres,
    "sql_sqlite": is_sqlite,
    "url": is_url,
}
NEEDS: Final = {"sql_mysql": "sqlglot", "sql_postgres": "pglast"}
