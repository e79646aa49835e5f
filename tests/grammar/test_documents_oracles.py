"""References of schema documents against the JSON-Schema-Test-Suite and the library jsonschema."""

from __future__ import annotations

import json
import random
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import referencing
from reference_oracle import URIS, TooDeepError, documents, registry_of, valid

from gramspec.errors import GrammarError
from gramspec.grammar.json_schema import json_schema

SUITE = Path(__file__).resolve().parents[3] / "shared" / "data" / "json_schema_test_suite"


@lru_cache
def remotes(draft: int) -> Any:
    folder = SUITE / "remotes"
    return registry_of(
        {
            f"http://localhost:1234/{path.relative_to(folder).as_posix()}": json.loads(path.read_text())
            for path in sorted(folder.rglob("*.json"))
        },
        draft,
    )


def keywords_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*(keywords_of(item) for item in value.values()))
    return set().union(*(keywords_of(item) for item in value)) if isinstance(value, list) else set()


@pytest.mark.parametrize(("folder", "draft"), [("draft7", 7), ("draft2019-09", 2019), ("draft2020-12", 2020)])
def test_the_reference_files_of_the_suite(folder: str, draft: int) -> None:
    if not SUITE.exists():
        pytest.skip("the files of the JSON-Schema-Test-Suite are not beside this checkout")
    foreign = {"patternProperties", "propertyNames", "unevaluatedProperties", "contains", "dependencies"}
    foreign |= {"dependentRequired", "pattern", "additionalItems"}
    count = 0
    for name in (
        "anchor",
        "defs",
        "recursiveRef",
        "vocabulary",
        "infinite-loop-detection",
        "id",
        "unknownKeyword",
    ):
        for path in sorted((SUITE / folder).rglob(f"{name}.json")):
            for group in json.loads(path.read_text()):
                schema = group["schema"]
                if keywords_of(schema) & foreign:
                    continue
                found = documents(schema, None if "$schema" in schema else draft, remotes(draft))
                for case in group["tests"]:
                    count += 1
                    assert valid(found, case["data"]) == case["valid"], (
                        path.name,
                        group["description"],
                        case,
                    )
    assert count >= 8


def random_schema(choose: random.Random, draft: int, *, dynamic: bool = False) -> dict[str, Any]:
    """A schema of several resources with names and references of every kind."""
    files = ["a.json", "b.json", "c.json"]
    identifier = "id" if draft == 4 else "$id"
    bases = ["", "", "http://h/r/root.json", "root.json", *files, *(f"http://h/r/{name}" for name in files)]
    fragments = ["#", "", "#x", "#y", "#/definitions/0", "#/%64efinitions/1", "#/definitions/0/properties/p"]

    def schema(depth: int, taken: set[str]) -> dict[str, Any]:
        items: dict[str, Any] = {}
        if depth == 0:
            items[identifier] = "http://h/r/root.json"
        elif files and choose.random() < 0.3:
            taken = set()
            items[identifier] = files.pop()
        free = sorted({"x", "y"} - taken)
        if free and choose.random() < 0.25 and (draft >= 2019 or identifier not in items):
            taken.add(free[0])
            keyword = "$dynamicAnchor" if dynamic else "$anchor" if draft >= 2019 else identifier
            items[keyword] = free[0] if draft >= 2019 else f"#{free[0]}"
        if draft == 2019 and choose.random() < 0.4:
            items["$recursiveAnchor"] = True
        if draft == 2019 and choose.random() < 0.4:
            items["$recursiveRef"] = "#"
        if dynamic and choose.random() < 0.4:
            items["$dynamicRef"] = choose.choice(["#x", "#y", "a.json#x", "b.json#y"])
        if choose.random() < 0.5:
            items["type"] = choose.choice(["integer", "string", "object", ["object", "integer"]])
        if choose.random() < 0.35:
            items["$ref"] = (choose.choice(bases) + choose.choice(fragments)) or "#"
        if depth < 2:
            if choose.random() < 0.6:
                items["properties"] = {name: schema(depth + 1, taken) for name in "pq"}
            if choose.random() < 0.3:
                items["allOf"] = [schema(depth + 1, taken)]
            if depth == 0 or choose.random() < 0.3:
                items["definitions"] = {str(index): schema(depth + 1, taken) for index in range(2)}
        pairs = list(items.items())
        choose.shuffle(pairs)
        return dict(pairs)

    return {"$schema": URIS[draft], **schema(0, set())}


def random_value(choose: random.Random, depth: int = 0) -> Any:
    if depth > 2 or choose.random() < 0.4:
        return choose.choice([1, "s", None])
    return {name: random_value(choose, depth + 1) for name in "pqz" if choose.random() < 0.6}


@pytest.mark.parametrize("draft", [4, 7, 2019, 2020])
def test_references_as_jsonschema_resolves_them(draft: int) -> None:
    judged = 0
    for seed in range(250):
        choose = random.Random(seed)
        schema = random_schema(choose, draft)
        ours, theirs = documents(schema), jsonschema.validators.validator_for(schema)(schema)
        for _ in range(3):
            value = random_value(choose)
            try:
                verdict, expected = valid(ours, value), theirs.is_valid(value)
            except (GrammarError, TooDeepError, RecursionError):
                continue  # an unresolvable reference or a circle of them
            except (referencing.exceptions.Unresolvable, jsonschema.exceptions._WrappedReferencingError):
                continue
            judged += 1
            assert verdict == expected, (seed, schema, value)
    assert judged > 150


@pytest.mark.parametrize("draft", [4, 7, 2019, 2020])
def test_grammars_follow_references_as_documents_do(draft: int) -> None:
    judged = 0
    for seed in range(1000, 1120):
        choose = random.Random(seed)
        schema = random_schema(choose, draft, dynamic=draft == 2020)
        found = documents(schema)
        try:
            grammar = json_schema(schema, property_order="any", whitespace="compact")
        except GrammarError:
            continue
        for _ in range(4):
            value = random_value(choose)
            try:
                expected = valid(found, value)
            except (GrammarError, TooDeepError):
                continue
            judged += 1
            assert grammar.accepts(json.dumps(value, separators=(",", ":"))) == expected, (
                seed,
                schema,
                value,
            )
    assert judged > 60
