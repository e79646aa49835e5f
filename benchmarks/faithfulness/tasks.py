"""Tasks: a grammar, a prompt and a temperature on one pair of models, easy and hard.

Law: a task fixes P(y | y ∈ L); how likely its grammar is (Φ) is a matter of prompt, format and temperature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import gramspec as gs
from benchmarks.faithfulness.records import NUMBERS, SERVICES, TABLES, TAGS
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar


@dataclass(frozen=True)
class Task:
    """One task.

    `pair` is "embedded" or "trained"; `enumerable` marks laws with few enough token sequences to list.
    """

    name: str
    pair: str
    prompt: str
    grammar: Callable[[], Grammar]
    max_new_tokens: int
    temperature: float = 1.0
    enumerable: bool = False


def words(*items: str) -> ir.Expr:
    return ir.union(*(ir.literal(item) for item in items))


def joined(item: ir.Expr, separator: str, most: int) -> ir.Expr:
    return ir.concat(item, ir.repeat(ir.concat(ir.literal(separator), item), 0, most - 1))


DIGITS = ir.repeat(ir.byte_set(b"0123456789"), 1, 4)


def text_literal() -> ir.Expr:
    """A quoted SQL text of letters and blanks."""
    letters = [b for b in range(128) if chr(b).isalpha()] + list(b" .-@")
    return ir.concat(ir.literal("'"), ir.repeat(ir.byte_set(letters), 1, 24), ir.literal("'"))


def sql(tables: dict[str, Iterable[str]], *, lower: bool = False) -> Grammar:
    """SELECT statements over a schema: the columns are those of the table that is named."""

    def word(text: str) -> ir.Expr:
        return ir.literal(text.lower() if lower else text)

    statements = []
    for table, names in tables.items():
        columns = tuple(names)
        numbers = [c for c in columns if c in NUMBERS]
        texts = [c for c in columns if c not in NUMBERS and not c.endswith("_id")]
        compared = [
            ir.concat(words(*numbers), words(" > ", " < ", " = ", " >= ", " <= "), DIGITS),
            ir.concat(words(*texts), ir.literal(" = "), text_literal()),
        ]
        condition = joined(ir.union(*compared), " AND " if not lower else " and ", 2)
        aggregate = ir.concat(
            ir.union(*(word(f) for f in ("AVG", "SUM", "MAX", "MIN", "COUNT"))),
            ir.literal("("),
            words(*columns),
            ir.literal(")"),
        )
        wanted = ir.union(
            ir.concat(word("COUNT"), ir.literal("(*)")), aggregate, joined(words(*columns), ", ", 3)
        )
        statements.append(
            ir.concat(
                word("SELECT "),
                ir.optional(word("DISTINCT ")),
                wanted,
                word(" FROM "),
                ir.literal(table),
                ir.optional(ir.concat(word(" WHERE "), condition)),
                ir.optional(ir.concat(word(" GROUP BY "), words(*columns))),
                ir.optional(ir.concat(word(" ORDER BY "), words(*columns), ir.optional(word(" DESC")))),
                ir.optional(ir.concat(word(" LIMIT "), DIGITS)),
            )
        )
    return Grammar(ir.union(*statements), "SELECT over a schema")


def dyck(*, nested: bool = False) -> Grammar:
    """Balanced round and square brackets; `nested` demands two kinds inside one another at the front."""
    word = ir.Rule("dyck")
    round_, square = (
        ir.concat(ir.literal(a), ir.Ref(word), ir.literal(b), ir.Ref(word)) for a, b in ("()", "[]")
    )
    word.define(ir.union(ir.EPSILON, round_, square))
    if not nested:
        return Grammar(ir.union(round_, square), "Dyck words of two kinds")
    front = ir.concat(
        ir.literal("[("), ir.Ref(word), ir.literal(")"), ir.Ref(word), ir.literal("]"), ir.Ref(word)
    )
    return Grammar(front, "Dyck words that begin with [(")


def arithmetic(*, bracketed: bool = False) -> Grammar:
    """Expressions over whole numbers with + - * and brackets; `bracketed`: the whole in brackets."""
    expression, term = ir.Rule("expression"), ir.Rule("term")
    term.define(
        ir.union(
            ir.repeat(ir.byte_set(b"0123456789"), 1, 3),
            ir.concat(ir.literal("("), ir.Ref(expression), ir.literal(")")),
        )
    )
    expression.define(
        ir.concat(ir.Ref(term), ir.repeat(ir.concat(ir.byte_set(b"+-*"), ir.Ref(term)), 0, None))
    )
    if bracketed:
        return Grammar(ir.concat(ir.literal("("), ir.Ref(expression), ir.literal(")")), "bracketed")
    return Grammar(ir.Ref(expression), "arithmetic")


def obj(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


def whole(low: int, high: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": low, "maximum": high}


TEXT = {"type": "string", "minLength": 1, "maxLength": 40}
ADDRESS = obj({"city": TEXT, "country": TEXT})
USER = obj(
    {
        "name": TEXT,
        "age": whole(0, 120),
        "email": TEXT,
        "active": {"type": "boolean"},
        "role": {"type": "string", "enum": ["admin", "editor", "viewer"]},
        "interests": {"type": "array", "items": TEXT, "maxItems": 5},
        "address": ADDRESS,
    },
    ["name", "age", "email", "active"],
)
ORDER = obj(
    {
        "order": whole(1000, 9999),
        "customer": TEXT,
        "items": {"type": "array", "items": obj({"product": TEXT, "quantity": whole(1, 9)}), "maxItems": 3},
        "status": {"enum": ["open", "paid", "shipped", "returned"]},
    }
)
EVENT = obj(
    {"title": TEXT, "city": TEXT, "date": {"type": "string", "format": "date"}, "seats": whole(0, 500)}
)
CONFIG = obj(
    {
        "service": {"enum": list(SERVICES)},
        "port": whole(1, 65535),
        "debug": {"type": "boolean"},
        "limits": obj({"cpu": whole(1, 64), "memory": whole(1, 65536)}),
        "tags": {"type": "array", "items": {"enum": list(TAGS)}},
    }
)
VERBOSE = obj({name.replace("debug", "verbose"): value for name, value in CONFIG["properties"].items()})
ISO = r"20[0-2][0-9]-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"


def schema(value: dict[str, Any], whitespace: Any = "compact") -> Callable[[], Grammar]:
    return lambda: gs.json_schema(value, whitespace=whitespace)


def pattern(text: str) -> Callable[[], Grammar]:
    return lambda: gs.regex(text)


E = "embedded"
T = "trained"
# fmt: off
TASKS: tuple[Task, ...] = (
    Task("user compact", E, "Write a JSON user profile for Maria Lopez, 34, from Berlin.", schema(USER), 90),
    Task("order indented", E, "Order 4711 as JSON: Maria Lopez bought 2 kettle; paid.",
         schema(ORDER, "any"), 80, 1.3),
    Task("event date", E, 'Write a JSON event "Spring fair" in Rome on 2024-05-01 with 120 seats.',
         schema(EVENT), 60),
    Task("die in words", E, "Roll a die.", pattern("one|two|three|four|five|six|[1-6]"), 6, 1.5, True),
    Task("sentiment in capitals", E, 'Sentiment of "I love this guitar": positive, negative or neutral?',
         pattern("(Positive|Negative|Neutral)\\.?"), 8, 1.3, True),
    Task("sql customers", E, "SQL: names of customers in Berlin older than 30.", lambda: sql(TABLES), 60),
    Task("sql lower", E, "SQL: how many orders are paid?", lambda: sql(TABLES, lower=True), 60),
    Task("sum as expression", E, "What is 3 + 4?", arithmetic, 12, 1.5),
    Task("dice beyond six", E, "Roll 2 dice. Answer with a JSON array.",
         schema({"type": "array", "items": whole(7, 12), "minItems": 1, "maxItems": 2}), 8, 1.5, True),
    Task("config compact", T, "config of api on port 8080", schema(CONFIG), 70),
    Task("config verbose", T, "config of mail on port 443", schema(VERBOSE), 70),
    Task("priority", T, "priority: login fails", pattern("low|medium|high|urgent"), 6, 1.0, True),
    Task("priority shouted", T, "priority: typo in footer",
         pattern("(low|medium|high|urgent)!!"), 8, 1.2, True),
    Task("date iso", T, "date: the 5 of March 2024", pattern(ISO), 14),
    Task("date compact", T, "date: the 17 of May 2021",
         pattern(ISO.replace("-(", "(").replace(")-", ")")), 12, 1.4),
    Task("sql orders", T, "sql: id and total of orders with quantity over 7", lambda: sql(TABLES), 40),
    Task("sql lower case", T, "sql: how many employees", lambda: sql(TABLES, lower=True), 40, 0.8),
    Task("dyck", T, "brackets: 4 pairs", dyck, 24),
    Task("dyck in front", T, "brackets: 6 pairs", lambda: dyck(nested=True), 28),
    Task("arithmetic", T, "expression: 42", arithmetic, 24),
    Task("arithmetic bracketed", T, "expression: 7", lambda: arithmetic(bracketed=True), 24),
)
