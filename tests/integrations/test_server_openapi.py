"""The OpenAPI document: answers are as it says, and nothing sent by its rules is a fault of the server."""

from __future__ import annotations

import os
import sqlite3
from contextlib import asynccontextmanager

import pytest

pytest.importorskip("torch")
pytest.importorskip("sqlalchemy")
pytest.importorskip("schemathesis")
pytest.importorskip("fastapi")

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.integrations.server_world import served

EXAMPLES = int(os.environ.get("GRAMSPEC_OPENAPI_EXAMPLES", "4"))
# What a schema cannot say is refused all the same: that a grammar compiles, that one field excludes another.
LEFT_OUT = [positive_data_acceptance]


@asynccontextmanager
async def _untouched(app):
    yield


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    path = tmp_path_factory.mktemp("openapi") / "shop.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT)")
    connection.close()
    bounds = {"max_new_tokens": 8, "default_tokens": 4, "max_texts": 4, "request_seconds": 600.0}
    with served(databases={"shop": f"sqlite:///{path}"}, **bounds) as client:
        # Each transport would end the application behind it.
        client.app.router.lifespan_context = _untouched
        yield schemathesis.openapi.from_asgi("/openapi.json", client.app)


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
def test_answers_are_as_the_document_says(document, mode):
    asked = 0
    for found in document.get_all_operations():
        operation = found.ok()
        if mode is schemathesis.GenerationMode.NEGATIVE and not (operation.body or operation.query):
            continue

        @settings(
            max_examples=EXAMPLES if operation.body else 1,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=[*HealthCheck],
        )
        @given(operation.as_strategy(generation_mode=mode))
        def answered(case):
            nonlocal asked
            asked += 1
            case.call_and_validate(excluded_checks=LEFT_OUT)

        answered()
    assert asked >= EXAMPLES
