"""All fuzz harnesses by name."""

from __future__ import annotations

from tests.fuzz.fuzz_json_schema import JsonSchemaHarness
from tests.fuzz.fuzz_regex import RegexHarness
from tests.fuzz.fuzz_stored import StoredHarness
from tests.fuzz.fuzz_tokens import TokensHarness
from tests.fuzz.harness import Harness

HARNESSES: dict[str, Harness] = {
    harness.name: harness
    for harness in (JsonSchemaHarness(), RegexHarness(), TokensHarness(), StoredHarness())
}
