"""SQL records: a question over `schemas.TABLES` and the statement that answers it.

Law: every statement runs on the tables in SQLite.
Source: templates written for this repository.
"""

from __future__ import annotations

import random
import re

from schemas import DEPARTMENTS, STATUSES
from values import CITIES, Pools

_KEYWORDS = re.compile(
    r"\b(SELECT|FROM|WHERE|AND|ORDER BY|GROUP BY|DESC|LIMIT|COUNT|AVG|SUM|MAX|MIN|INSERT INTO|VALUES|UPDATE"
    r"|SET|DELETE|JOIN|ON|IN|HAVING|AS|BETWEEN|DISTINCT)\b"
)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _customers(rng: random.Random, pools: Pools) -> tuple[str, str]:
    city, country = pools.city(rng)
    age, name = rng.randint(18, 80), pools.name(rng)
    return rng.choice(
        (
            (f"names of customers in {city}", f"SELECT name FROM customers WHERE city = {_quoted(city)}"),
            (
                f"names of customers in {city} older than {age}",
                f"SELECT name FROM customers WHERE city = {_quoted(city)} AND age > {age}",
            ),
            (
                f"how many customers live in {country}?",
                f"SELECT COUNT(*) FROM customers WHERE country = {_quoted(country)}",
            ),
            (
                "average age of customers per country",
                "SELECT country, AVG(age) FROM customers GROUP BY country",
            ),
            (f"email of {name}", f"SELECT email FROM customers WHERE name = {_quoted(name)}"),
            (f"delete the customer {name}", f"DELETE FROM customers WHERE name = {_quoted(name)}"),
            (
                f"move {name} to {city}",
                f"UPDATE customers SET city = {_quoted(city)} WHERE name = {_quoted(name)}",
            ),
            (
                f"add customer {name}, {age}, from {city}",
                f"INSERT INTO customers (name, age, city) VALUES ({_quoted(name)}, {age}, {_quoted(city)})",
            ),
            (
                f"cities of {country}'s customers",
                f"SELECT DISTINCT city FROM customers WHERE country = {_quoted(country)}",
            ),
        )
    )


def _products(rng: random.Random, pools: Pools) -> tuple[str, str]:
    name, category = pools.product(rng)
    price, count = rng.randint(2, 99), rng.randint(2, 10)
    return rng.choice(
        (
            (f"products cheaper than {price}", f"SELECT name, price FROM products WHERE price < {price}"),
            (
                f"{category} products by price",
                f"SELECT name FROM products WHERE category = {_quoted(category)} ORDER BY price",
            ),
            (
                f"the {count} most expensive products",
                f"SELECT name FROM products ORDER BY price DESC LIMIT {count}",
            ),
            (f"is the {name} in stock?", f"SELECT stock FROM products WHERE name = {_quoted(name)}"),
            ("number of products per category", "SELECT category, COUNT(*) FROM products GROUP BY category"),
            (
                f"set the price of the {name} to {price}",
                f"UPDATE products SET price = {price} WHERE name = {_quoted(name)}",
            ),
            (
                f"add a {name} for {price} to {category}",
                f"INSERT INTO products (name, category, price) "
                f"VALUES ({_quoted(name)}, {_quoted(category)}, {price})",
            ),
            (
                f"products of {category} or books priced {price} to {price + 50}",
                f"SELECT name FROM products WHERE category IN ({_quoted(category)}, 'books') "
                f"AND price BETWEEN {price} AND {price + 50}",
            ),
        )
    )


def _orders(rng: random.Random, pools: Pools) -> tuple[str, str]:
    status, date, number = rng.choice(STATUSES), pools.date(rng), rng.randint(1000, 9999)
    country = rng.choice(tuple(CITIES))
    total = rng.randrange(50, 1000, 50)
    return rng.choice(
        (
            (
                f"how many orders are {status}?",
                f"SELECT COUNT(*) FROM orders WHERE status = {_quoted(status)}",
            ),
            (f"orders since {date}", f"SELECT id, total FROM orders WHERE ordered_on >= {_quoted(date)}"),
            (
                f"set order {number} to {status}",
                f"UPDATE orders SET status = {_quoted(status)} WHERE id = {number}",
            ),
            (
                f"total of all {status} orders",
                f"SELECT SUM(total) FROM orders WHERE status = {_quoted(status)}",
            ),
            (
                f"customers with orders over {total}",
                "SELECT customers.name FROM customers JOIN orders ON orders.customer_id = customers.id "
                f"WHERE orders.total > {total}",
            ),
            (
                f"order totals in {country}",
                "SELECT orders.total FROM orders JOIN customers ON orders.customer_id = customers.id "
                f"WHERE customers.country = {_quoted(country)}",
            ),
            (
                f"customers with more than {total // 50} orders",
                f"SELECT customer_id FROM orders GROUP BY customer_id HAVING COUNT(*) > {total // 50}",
            ),
        )
    )


def _employees(rng: random.Random, pools: Pools) -> tuple[str, str]:
    department, name = rng.choice(DEPARTMENTS), pools.name(rng)
    salary, year = rng.randrange(20000, 120000, 5000), rng.randint(2000, 2026)
    return rng.choice(
        (
            (
                f"employees in {department}",
                f"SELECT name FROM employees WHERE department = {_quoted(department)}",
            ),
            (
                f"highest salary in {department}",
                f"SELECT MAX(salary) FROM employees WHERE department = {_quoted(department)}",
            ),
            (f"employees earning more than {salary}", f"SELECT name FROM employees WHERE salary > {salary}"),
            (
                f"employees hired after {year}",
                f"SELECT name, hired_on FROM employees WHERE hired_on > '{year}-12-31'",
            ),
            (
                f"hire {name} in {department} for {salary}",
                f"INSERT INTO employees (name, department, salary) "
                f"VALUES ({_quoted(name)}, {_quoted(department)}, {salary})",
            ),
            (f"salary of {name}", f"SELECT salary FROM employees WHERE name = {_quoted(name)}"),
            (
                "average salary per department",
                "SELECT department, AVG(salary) FROM employees GROUP BY department",
            ),
        )
    )


def sql_record(rng: random.Random, pools: Pools) -> tuple[str, str]:
    """An instruction and its statement; keywords in either case, with or without the closing semicolon."""
    question, statement = rng.choice((_customers, _customers, _products, _orders, _employees))(rng, pools)
    if rng.random() < 0.2:
        # String literals hold names and values only, none of which is spelled like a keyword in capitals.
        statement = _KEYWORDS.sub(lambda match: match[0].lower(), statement)
    if rng.random() < 0.7:
        statement += ";"
    instruction = rng.choice((f"SQL: {question}", f"SQL: {question}", f"Write SQL: {question}"))
    return (instruction if question.endswith("?") else instruction + "."), statement
