"""The JSON schemas and SQL tables that the training records of the embedded pair follow.

Law: every clean JSON record validates against its schema, every clean SQL record runs on `TABLES`.
Source: written for this repository.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Schema = dict[str, Any]

ROLES = ("admin", "editor", "viewer")
CATEGORIES = ("books", "garden", "kitchen", "music", "sports", "tools", "toys")
CONDITIONS = ("sunny", "cloudy", "rain", "snow", "fog")
PRIORITIES = ("low", "medium", "high")
STATUSES = ("open", "paid", "shipped", "returned")
DEPARTMENTS = ("Sales", "Support", "Finance", "Research", "Logistics")


def _text(longest: int) -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": longest}


def _integer(low: int, high: int) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


def _object(properties: dict[str, Schema], required: list[str] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


def _array(items: Schema, low: int, high: int) -> Schema:
    return {"type": "array", "items": items, "minItems": low, "maxItems": high}


USER: Schema = json.loads(
    (Path(__file__).resolve().parent.parent / "examples" / "user.schema.json").read_text("utf-8")
)
_USER_FIELDS: dict[str, Schema] = USER["properties"]

SCHEMAS: dict[str, Schema] = {
    "user": USER,
    # Sub-objects of a user that an instruction asks for by key: any subset of the keys.
    "user_part": _object(_USER_FIELDS, ["name"]),
    "product": _object(
        {
            "product": _text(40),
            "price": {"type": "number", "minimum": 0},
            "in_stock": {"type": "boolean"},
            "category": {"type": "string", "enum": list(CATEGORIES)},
        },
        ["product", "price", "in_stock"],
    ),
    "order": _object(
        {
            "order": _integer(1000, 9999),
            "customer": _text(60),
            "items": _array(_object({"product": _text(40), "quantity": _integer(1, 9)}), 1, 3),
            "status": {"type": "string", "enum": list(STATUSES)},
        }
    ),
    "event": _object({"title": _text(60), "city": _text(40), "date": _text(10), "seats": _integer(0, 500)}),
    "book": _object({"title": _text(60), "author": _text(60), "year": _integer(1800, 2026)}),
    "weather": _object(
        {
            "city": _text(40),
            "temperature": _integer(-40, 50),
            "condition": {"type": "string", "enum": list(CONDITIONS)},
            "wind": _integer(0, 120),
        }
    ),
    "ticket": _object(
        {
            "subject": _text(80),
            "priority": {"type": "string", "enum": list(PRIORITIES)},
            "open": {"type": "boolean"},
            "assignee": {"anyOf": [_text(60), {"type": "null"}]},
        }
    ),
    "names": _array(_text(40), 1, 4),
    "boolean": {"type": "boolean"},
    "optional_boolean": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
    "small_integer": _integer(0, 99),
    "die": _integer(1, 6),
    "stars": _integer(1, 5),
    "booleans": _array({"type": "boolean"}, 1, 4),
    "dice": _array(_integer(1, 6), 1, 4),
    "word": _text(40),
    "status": {"type": "string", "enum": list(STATUSES)},
    "sentiment": {"type": "string", "enum": ["positive", "negative", "neutral"]},
}

TABLES = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, email TEXT, age INTEGER, city TEXT, country TEXT);
CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT, category TEXT, price REAL, stock INTEGER);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER, product_id INTEGER, quantity INTEGER,
                     total REAL, status TEXT, ordered_on TEXT);
CREATE TABLE employees (id INTEGER PRIMARY KEY, name TEXT, department TEXT, salary INTEGER, hired_on TEXT);
"""
