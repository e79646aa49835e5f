"""`gramspec` against `jsonschema`: one schema, many instances, every disagreement told with a small case.

Law: whatever is not refused has the verdict of `jsonschema` on each instance, and no key twice.
Source: jsonschema (formats off), the draft by ``$schema``.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gramspec.testing.json_shrinking import shrunk
from gramspec.testing.json_spelling import spelled
from gramspec.testing.schema_oracle import Oracle, sound
from tests.conformance.judge import Judge

MISTAKES = ("crash", "error", "memory", "time", "malformed")


@dataclass
class Tally:
    """What was seen: outcomes of schemas, verdicts of instances, reasons of refusals, failures."""

    count: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def compare(
    judge: Judge, schema: Any, values: Sequence[Any], seed: int, tally: Tally, *, name: str = ""
) -> None:
    """Judge the values by both; each text in one of its spellings, and some with a key twice."""
    choose = random.Random(seed)
    oracle = Oracle(json.dumps(schema))
    texts, expected = [], []
    for value in values:
        text = json.dumps(value) if choose.random() < 0.6 else spelled(value, choose)
        want = oracle.verdict(text)
        if want is None:
            continue
        texts.append(text)
        expected.append(want)
        if want and isinstance(value, dict) and value and choose.random() < 0.2:
            texts.append(_twice(value, choose))
            expected.append(False)
    answer = judge.ask(json.dumps(schema), texts, property_order="any", formats="annotate")
    tally.count[answer.outcome] += 1
    if answer.residuals:
        tally.count["with residuals"] += 1
    if answer.outcome in MISTAKES:
        small = shrunk(schema, lambda s: sound(s) and _outcome(judge, s) == answer.outcome)
        tally.failures.append(f"{name} {answer.outcome}: {answer.reason}\n    {json.dumps(small)}")
        return
    if answer.outcome not in ("compiled", "empty"):
        tally.reasons[answer.reason.split("\t", 1)[-1]] += 1
        return
    for text, want, found in zip(texts, expected, answer.verdicts, strict=True):
        tally.count["valid" if want else "invalid"] += 1
        if found != want:
            tally.failures.append(f"{name} {_told(judge, schema, text, want)}")
            break


def follow(judge: Judge, schema: Any, seed: int, tally: Tally, *, name: str = "", **options: Any) -> None:
    """Random walks along the masks of a schema: none is stuck, and what ends is valid to the library."""
    text = json.dumps(schema)
    answer = judge.ask(text, walks=seed + 1, formats="annotate", **options)
    tally.count[f"walks {answer.outcome}"] += 1
    if answer.outcome in MISTAKES:
        tally.failures.append(f"{name} walks, {answer.outcome}: {answer.reason}\n    {text}")
    if not answer.walked:
        return
    walked = answer.walked
    tally.count["walks cut off"] += walked["cut"]
    if walked["dead"] and walked["exact"]:
        tally.failures.append(f"{name} a mask is empty after {walked['dead'][0]!r}\n    {text}")
    oracle = Oracle(text)
    for end in walked["texts"]:
        written = end.encode("latin-1").decode("utf-8")
        verdict = oracle.verdict(written)
        tally.count[
            f"walks ended {'undecided' if verdict is None else 'valid' if verdict else 'invalid'}"
        ] += 1
        if verdict is False:
            tally.failures.append(f"{name} a walk ended in {written!r}, which is invalid\n    {text}")
            break


def _outcome(judge: Judge, schema: Any) -> str:
    return judge.ask(json.dumps(schema), property_order="any", formats="annotate").outcome


def _told(judge: Judge, schema: Any, text: str, want: bool) -> str:
    """The disagreement on one text, made small."""
    plain = json.dumps(json.loads(text))
    first = judge.ask(json.dumps(schema), [plain], property_order="any", formats="annotate")
    if first.verdicts == [want]:
        return f"wrongly {'rejects' if want else 'accepts'} this spelling: {text!r}\n    {json.dumps(schema)}"

    def disagree(pair: Any) -> bool:
        if not (isinstance(pair, list) and len(pair) == 2 and sound(pair[0])):
            return False
        known = "$schema" in schema
        if known and (not isinstance(pair[0], dict) or pair[0].get("$schema") != schema["$schema"]):
            return False
        text = json.dumps(pair[1])
        expected = Oracle(json.dumps(pair[0])).verdict(text)
        if expected is None:
            return False
        answer = judge.ask(json.dumps(pair[0]), [text], property_order="any", formats="annotate")
        return answer.outcome in ("compiled", "empty") and answer.verdicts != [expected]

    small = shrunk([schema, json.loads(text)], disagree)
    verb = "rejects" if Oracle(json.dumps(small[0])).verdict(json.dumps(small[1])) else "accepts"
    return f"wrongly {verb} {json.dumps(small[1])}\n    {json.dumps(small[0])}"


def _twice(value: dict[str, Any], choose: random.Random) -> str:
    """The object with one of its members a second time, its key perhaps spelled in another way."""
    name = choose.choice(list(value))
    again = spelled({name: value[name]}, choose)[1:-1]
    return f"{json.dumps(value)[:-1]},{again}}}"
