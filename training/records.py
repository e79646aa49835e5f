"""Training records of the embedded pair: a short instruction and the JSON or SQL that answers it.

Law: (seed, stream) fixes the records; a clean one validates against `SCHEMAS[schema]` or runs on `TABLES`.
Source: templates written for this repository, values from `values.make_pools`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from schemas import CATEGORIES, CONDITIONS, PRIORITIES, ROLES, STATUSES
from sql_records import sql_record
from values import CITIES, INTERESTS, Pools, make_pools


@dataclass(frozen=True)
class Record:
    """One instruction with its answer.

    `schema` names an entry of `schemas.SCHEMAS`, or is "sql"; `clean` is False where a slip was put in.
    """

    instruction: str
    answer: str
    schema: str
    clean: bool = True


Draft = tuple[str, str, Any]  # instruction, schema name, answer as a JSON value
Maker = Callable[[random.Random, Pools], Draft]

SLIP_RATE = 0.08


def _user(rng: random.Random, pools: Pools) -> Draft:
    name, age, role = pools.name(rng), rng.randint(18, 90), rng.choice(ROLES)
    city, country = pools.city(rng)
    value: dict[str, Any] = {
        "name": name,
        "age": age,
        "email": pools.email(rng, name),
        "active": rng.random() < 0.7,
        "role": role,
        "interests": rng.sample(INTERESTS, rng.choice((0, 1, 1, 2, 2, 3))),
        "address": {"city": city, "country": country},
    }
    form = rng.randrange(6)
    if form == 0:
        keys = ["name", *(key for key in ("age", "email", "active", "role", "address") if rng.random() < 0.5)]
        asked = keys[0] if len(keys) == 1 else ", ".join(keys[:-1]) + " and " + keys[-1]
        values = f"{name}, {age}" if "age" in keys else name
        return (
            f"Write a JSON user profile with {asked} for {values}.",
            "user_part",
            {key: value[key] for key in keys},
        )
    # Optional keys are sometimes left out, as a person would.
    for key in ("role", "interests", "address"):
        if rng.random() < 0.15:
            del value[key]
    instruction = rng.choice(
        (
            f"Write a JSON user profile for {name}, {age}, from {city}.",
            f"Write a JSON user profile for {name}, {age}.",
            f"JSON user profile: {name}, {age} years old, {role}, lives in {city}.",
            f"User {name} ({age}, {role}) as JSON.",
            f"Create a user profile in JSON for {name} from {city}, {country}.",
            "Write a JSON user profile.",
        )
    )
    return instruction, "user", value


def _product(rng: random.Random, pools: Pools) -> Draft:
    name, category = pools.product(rng)
    price = rng.choice((rng.randint(1, 99), rng.randint(1, 99) + rng.choice((0.5, 0.9, 0.95, 0.99))))
    stock = rng.random() < 0.7
    value: dict[str, Any] = {"product": name, "price": price, "in_stock": stock}
    if rng.random() < 0.5:
        value["category"] = category
        asked = "product, price, in stock, category"
    else:
        asked = "product, price, in stock"
    words = "in stock" if stock else "sold out"
    instruction = rng.choice(
        (f"JSON: {asked}? A {name} for {price}, {words}.", f"JSON with {asked}: {name}, {price}, {words}.")
    )
    return instruction, "product", value


def _order(rng: random.Random, pools: Pools) -> Draft:
    number, name, status = rng.randint(1000, 9999), pools.name(rng), rng.choice(STATUSES)
    items = [
        {"product": pools.product(rng)[0], "quantity": rng.randint(1, 9)}
        for _ in range(rng.choice((1, 1, 2, 3)))
    ]
    listed = ", ".join(f"{item['quantity']} {item['product']}" for item in items)
    instruction = rng.choice(
        (
            f"Order {number} as JSON: {name} bought {listed}; {status}.",
            f"JSON order {number}, {name}: {listed}. {status}.",
        )
    )
    return instruction, "order", {"order": number, "customer": name, "items": items, "status": status}


def _event(rng: random.Random, pools: Pools) -> Draft:
    title, city, date, seats = (
        pools.title(rng),
        pools.city(rng)[0],
        pools.date(rng),
        rng.randrange(10, 500, 10),
    )
    instruction = f'Write a JSON event "{title}" in {city} on {date} with {seats} seats.'
    return instruction, "event", {"title": title, "city": city, "date": date, "seats": seats}


def _book(rng: random.Random, pools: Pools) -> Draft:
    title, author, year = pools.title(rng), pools.name(rng), rng.randint(1900, 2026)
    instruction = rng.choice(
        (f'Book record in JSON: "{title}" by {author}, {year}.', f'JSON book: {author}, "{title}" ({year}).')
    )
    return instruction, "book", {"title": title, "author": author, "year": year}


def _weather(rng: random.Random, pools: Pools) -> Draft:
    city, condition = pools.city(rng)[0], rng.choice(CONDITIONS)
    low, high = (-15, 0) if condition == "snow" else (0, 36)
    value = {
        "city": city,
        "temperature": rng.randint(low, high),
        "condition": condition,
        "wind": rng.randrange(0, 100, 5),
    }
    instruction = rng.choice(
        (f"Weather in {city} as JSON: {condition}.", f"JSON weather report for {city}, {condition}.")
    )
    return instruction, "weather", value


def _ticket(rng: random.Random, pools: Pools) -> Draft:
    company = rng.choice(pools.companies)
    subject = rng.choice(
        ("Login fails", "Invoice missing", "Page is slow", "Printer offline", f"Call {company}")
    )
    priority, name = rng.choice(PRIORITIES), rng.choice((None, pools.name(rng)))
    is_open = rng.random() < 0.6
    who = "nobody" if name is None else name
    instruction = (
        f"JSON ticket: {subject}, {priority} priority, {'open' if is_open else 'closed'}, assigned to {who}."
    )
    return (
        instruction,
        "ticket",
        {"subject": subject, "priority": priority, "open": is_open, "assignee": name},
    )


def _list(rng: random.Random, pools: Pools) -> Draft:
    count = rng.randint(1, 4)
    if rng.random() < 0.5:
        country = rng.choice(tuple(CITIES))
        count = min(count, len(CITIES[country]))
        asked = "1 city" if count == 1 else f"{count} cities"
        return f"List {asked} in {country} as a JSON array.", "names", rng.sample(CITIES[country], count)
    names = [rng.choice(pools.first_names) for _ in range(count)]
    return f"JSON array of the names {', '.join(names)}.", "names", names


def _even(rng: random.Random, pools: Pools) -> Draft:
    n = rng.randint(0, 99)
    odd = rng.random() < 0.3
    ending = rng.choice((" Answer true or false.", " Answer true or false.", " true or false?"))
    return f"Is {n} {'odd' if odd else 'even'}?{ending}", "boolean", (n % 2 == 1) == odd


def _greater(rng: random.Random, pools: Pools) -> Draft:
    a, b = rng.randint(0, 20), rng.randint(0, 20)
    return f"Is {a} greater than {b}? Answer true or false.", "boolean", a > b


def _located(rng: random.Random, pools: Pools) -> Draft:
    city, home = pools.city(rng)
    country = rng.choice((home, rng.choice(tuple(CITIES))))
    return f"Is {city} in {country}? Answer true or false.", "boolean", country == home


def _active(rng: random.Random, pools: Pools) -> Draft:
    value = rng.choice((True, True, False, None))
    return f"Is the user {pools.name(rng)} active? Answer true, false or null.", "optional_boolean", value


def _sum(rng: random.Random, pools: Pools) -> Draft:
    a, b = rng.randint(0, 12), rng.randint(0, 12)
    return rng.choice((f"What is {a} + {b}?", f"Compute {a} + {b}.")), "small_integer", a + b


def _die(rng: random.Random, pools: Pools) -> Draft:
    return rng.choice(("Roll a die.", "Roll a die. Answer with one number.")), "die", rng.randint(1, 6)


def _stars(rng: random.Random, pools: Pools) -> Draft:
    stars = rng.randint(1, 5)
    adjective = ("Terrible", "Poor", "Average", "Good", "Excellent")[stars - 1]
    # Readers disagree by one star now and then.
    given = min(5, max(1, stars + rng.choice((0, 0, 0, 0, 1, -1))))
    return f'Stars from 1 to 5 for the review "{adjective} {pools.product(rng)[0]}"?', "stars", given


def _coins(rng: random.Random, pools: Pools) -> Draft:
    count = rng.randint(1, 4)
    return (
        f"Flip {count} coins. Answer with a JSON array of booleans.",
        "booleans",
        [rng.random() < 0.5 for _ in range(count)],
    )


def _dice(rng: random.Random, pools: Pools) -> Draft:
    count = rng.randint(1, 4)
    return f"Roll {count} dice. Answer with a JSON array.", "dice", [rng.randint(1, 6) for _ in range(count)]


def _pick(rng: random.Random, pools: Pools) -> Draft:
    colours = rng.random() < 0.4
    options = ["red", "green", "blue"] if colours else rng.sample((*INTERESTS, *CATEGORIES), 3)
    listed = f"{options[0]}, {options[1]} or {options[2]}"
    return f"Pick one: {listed}. Answer with a JSON string.", "word", rng.choice(options)


def _status(rng: random.Random, pools: Pools) -> Draft:
    return (
        f"Status of order {rng.randint(1000, 9999)}: open, paid, shipped or returned?",
        "status",
        rng.choice(STATUSES),
    )


def _sentiment(rng: random.Random, pools: Pools) -> Draft:
    label = rng.choice(("positive", "negative", "neutral"))
    feeling = {
        "positive": ("love", "enjoy"),
        "negative": ("hate", "returned"),
        "neutral": ("bought", "have"),
    }[label]
    text = f"I {rng.choice(feeling)} this {pools.product(rng)[0]}"
    return f'Sentiment of "{text}": positive, negative or neutral?', "sentiment", label


OBJECTS: tuple[tuple[Maker, float], ...] = (
    (_user, 0.34), (_product, 0.08), (_order, 0.06), (_event, 0.05),
    (_book, 0.05), (_weather, 0.06), (_ticket, 0.06), (_list, 0.05),
)  # fmt: skip
SMALL: tuple[Maker, ...] = (
    _even, _even, _greater, _located, _active, _sum, _die, _stars, _coins, _dice, _pick, _status, _sentiment,
)  # fmt: skip
SQL_SHARE, SMALL_SHARE = 0.2, 0.25


def _written(rng: random.Random, value: Any) -> str:
    style = rng.random()
    if style < 0.55:
        return json.dumps(value, ensure_ascii=False)
    if style < 0.9:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return json.dumps(value, ensure_ascii=False, indent=2)


def _slipped(rng: random.Random, record: Record) -> Record:
    """The same record with one of the usual faults of a language model in its answer."""
    answer = record.answer
    if record.schema == "sql":
        faulty = rng.choice((f"```sql\n{answer}\n```", f"Query: {answer}"))
    elif answer.startswith("{"):
        cut = answer.rstrip("}").rstrip()
        faulty = rng.choice(
            (
                f"```json\n{answer}\n```",
                f"Here is the JSON: {answer}",
                cut,
                f'{cut}, "note": null}}',
                cut + ",}",
            )
        )
    elif answer.startswith("["):
        faulty = rng.choice((answer[1:-1], f"Here: {answer}", answer[:-1] + ",]"))
    elif answer in ("true", "false"):
        other = "Yes" if answer == "true" else "No"
        faulty = rng.choice((answer.capitalize(), other, f'"{answer}"', f"{other}."))
    else:
        faulty = rng.choice(
            (answer.strip('"').capitalize() + ".", f"The answer is {answer}.", "I do not know.")
        )
    return replace(record, answer=faulty, clean=False)


def record(rng: random.Random, pools: Pools) -> Record:
    """Draw one record."""
    share = rng.random()
    if share < SQL_SHARE:
        question, statement = sql_record(rng, pools)
        made = Record(question, statement, "sql")
    else:
        if share < SQL_SHARE + SMALL_SHARE:
            maker = rng.choice(SMALL)
        else:
            maker = rng.choices([m for m, _ in OBJECTS], [w for _, w in OBJECTS])[0]
        instruction, schema, value = maker(rng, pools)
        made = Record(instruction, _written(rng, value), schema)
    return _slipped(rng, made) if rng.random() < SLIP_RATE else made


def records(seed: int, stream: str) -> Iterator[Record]:
    """Endless records; `stream` ("train", "held-out", ...) separates draws over the value pools of `seed`."""
    pools = make_pools(seed)
    rng = random.Random(f"{seed}/{stream}")
    while True:
        yield record(rng, pools)
