"""The service suite: what a server returns fits what was asked, alone and among other requests.

Law: texts are judged by jsonschema and re; where logprobs come with them, frequencies are compared with what
the logprobs say by X² (false alarm `FALSE_ALARM`). Cost: some dozens of requests.
Source: `openai_service`; laws, "Sampled tests".
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

import jsonschema

from gramspec.audit.adapters.openai_service import OpenAIService, ServedText, ServiceError
from gramspec.audit.results import Case, Finding, SuiteResult, Table
from gramspec.audit.statistics import pearson, power_line
from gramspec.audit.suites.context import Context
from gramspec.audit.suites.found_law import FALSE_ALARM, PLANTED
from gramspec.audit.suites.tally import Tally
from gramspec.errors import OptionError

CHECKS: Final = {
    "answers": "a request gets its texts: no server error, no time-out",
    "members": "a text that is said to be finished fits its schema or pattern",
    "parallel": "of requests in parallel each gets a text of its own schema",
    "bad-input": "a schema that is none, or means harm, gets a 4xx (or a text), never a 5xx",
    "logprobs": "texts come as often as their logprobs say, up to a factor",
}
PARALLEL: Final = 8
DRAWS: Final = {"quick": 100, "full": 1000}
PER_REQUEST: Final = 10

_PERSON: Final = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 130},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 2, "uniqueItems": True},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}


class Asked(NamedTuple):
    """A grammar with a prompt."""

    name: str
    kind: str
    grammar: Any
    prompt: str = "Answer in the form asked for."


BUILT_IN: Final = (
    Asked("person", "json_schema", _PERSON, "A person as JSON."),
    Asked("one of three", "json_schema", {"enum": ["yes", "no", "perhaps"]}, "Is it going to rain?"),
    Asked(
        "numbers",
        "json_schema",
        {
            "type": "object",
            "properties": {"x": {"type": "number", "multipleOf": 0.5, "minimum": -2, "maximum": 2}},
            "required": ["x"],
            "additionalProperties": False,
        },
    ),
    Asked(
        "either, not both",
        "json_schema",
        {
            "oneOf": [
                {
                    "type": "object",
                    "properties": {"a": {"type": "boolean"}},
                    "required": ["a"],
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "properties": {"b": {"type": "null"}},
                    "required": ["b"],
                    "additionalProperties": False,
                },
            ]
        },
    ),
    Asked(
        "all of two",
        "json_schema",
        {
            "type": "object",
            "allOf": [
                {"properties": {"a": {"type": "string", "maxLength": 3}}, "required": ["a"]},
                {"properties": {"b": {"type": "string", "pattern": "^[xy]{2}$"}}, "required": ["b"]},
            ],
            "properties": {"a": True, "b": True},
            "additionalProperties": False,
        },
    ),
    Asked("a date", "regex", r"20[0-9]{2}-(0[1-9]|1[0-2])-[0-2][0-9]"),
)
BAD: Final = (
    Asked("a type that is none", "json_schema", {"type": "strnig"}),
    Asked("a bound that is no number", "json_schema", {"type": "integer", "minimum": "zero"}),
    Asked("a reference to nowhere", "json_schema", {"$ref": "#/$defs/nothing"}),
    Asked("no value at all", "json_schema", {"type": "integer", "minimum": 2, "maximum": 1}),
    Asked("a pattern that is none", "json_schema", {"type": "string", "pattern": "(["}),
    Asked("counts in counts", "json_schema", {"type": "string", "pattern": "^((a{1,60}){1,60}){1,60}$"}),
)


def run(context: Context) -> SuiteResult:
    """Ask a server for texts and judge them.

    Parameters
    ----------
    context : Context
        Its adapter is an `OpenAIService`. Cases of the user are asked for instead of the built-in ones.
    """
    service = context.adapter
    if not isinstance(service, OpenAIService):
        raise OptionError(f"{service!r} is no OpenAIService")
    tally = Tally("service", "texts of a server against what was asked for", CHECKS)
    asked = [
        _of_case(case) for case in context.cases if case.origin.startswith(("file:", "user"))
    ] or BUILT_IN
    wanted = [one for one in asked if one.kind in service.capabilities.kinds]
    steps = len(wanted) + 3
    for done, one in enumerate(wanted):
        context.progress("service", done, steps)
        if done and context.spent:
            tally.skip("members", "the time of the suite was over")
            continue
        _ask(tally, service, one)
    context.progress("service", len(wanted), steps)
    _parallel(tally, service)
    context.progress("service", len(wanted) + 1, steps)
    for one in BAD:
        _bad(tally, service, one)
    context.progress("service", len(wanted) + 2, steps)
    _logprobs(tally, service, DRAWS[context.profile])
    context.progress("service", steps, steps)
    return tally.result(context.elapsed)


def _of_case(case: Any) -> Asked:
    grammar = json.loads(case.grammar) if case.kind == "json_schema" else case.grammar
    return Asked(case.origin, case.kind, grammar)


def _case(one: Asked, text: str | None = None) -> Case:
    grammar = json.dumps(one.grammar) if one.kind == "json_schema" else str(one.grammar)
    return Case(one.kind, grammar, text, origin=one.name if ":" in one.name else f"built-in:{one.name}")


def _ask(tally: Tally, service: OpenAIService, one: Asked) -> None:
    """Some texts of one grammar."""
    try:
        texts = service.complete(one.prompt, one.kind, one.grammar, n=2)
    except ServiceError as error:
        _unanswered(tally, service, one, error)
        return
    tally.passed("answers")
    for text in texts:
        if text.finish != "stop":
            tally.skip("members", f"finish_reason {text.finish!r}")
            continue
        wrong = _wrong(one, text.text)
        if not wrong:
            tally.passed("members")
            continue
        tally.failed(
            _finding(service, "members", one, f"a finished text does not fit: {wrong}", text=text.text)
        )


def _wrong(one: Asked, text: str) -> str:
    """Why a text does not fit; empty where it does."""
    if one.kind == "regex":
        return "" if re.fullmatch(one.grammar, text, re.DOTALL) else "the pattern does not match"
    try:
        value = json.loads(text)
    except ValueError as error:
        return f"no JSON: {error}"
    found = next(iter(jsonschema.Draft202012Validator(one.grammar).iter_errors(value)), None)
    return "" if found is None else str(found.message)[:200]


def _unanswered(tally: Tally, service: OpenAIService, one: Asked, error: ServiceError) -> None:
    if 400 <= error.status < 500:
        tally.refused(_case(one), f"{error.status}: {error.message}")
        return
    tally.failed(_finding(service, "answers", one, "a request gets no texts", observed=str(error)))


def _parallel(tally: Tally, service: OpenAIService) -> None:
    """Requests at once, each with a constant of its own."""
    asked = [
        Asked(f"constant {i}", "json_schema", {"const": f"request {i}"}, f"Write request {i}.")
        for i in range(PARALLEL)
    ]

    def one(request: Asked) -> list[ServedText] | ServiceError:
        try:
            return service.complete(request.prompt, request.kind, request.grammar)
        except ServiceError as error:
            return error

    with ThreadPoolExecutor(PARALLEL) as pool:
        answers = list(pool.map(one, asked))
    for request, answer in zip(asked, answers, strict=True):
        if isinstance(answer, ServiceError):
            if answer.status in (429, 503):
                tally.skip("parallel", f"status {answer.status}")
            else:
                _unanswered(tally, service, request, answer)
            continue
        [text] = answer
        wrong = _wrong(request, text.text) if text.finish == "stop" else ""
        if wrong:
            message = f"one of {PARALLEL} requests at once gets a text that it did not ask for: {wrong}"
            tally.failed(_finding(service, "parallel", request, message, text=text.text))
        else:
            tally.passed("parallel")


def _bad(tally: Tally, service: OpenAIService, one: Asked) -> None:
    try:
        [text] = service.complete(one.prompt, one.kind, one.grammar, max_tokens=64)
    except ServiceError as error:
        if 400 <= error.status < 500:
            tally.passed("bad-input")
        else:
            message = f"{one.name} gets no answer that a client can act on"
            tally.failed(_finding(service, "bad-input", one, message, observed=str(error)))
        return
    if one.name.startswith("counts"):
        tally.passed("bad-input")
        return
    message = f"{one.name} is accepted, and a text is returned"
    tally.failed(_finding(service, "bad-input", one, message, text=text.text, severity="warning"))


def _logprobs(tally: Tally, service: OpenAIService, draws: int) -> None:
    """Frequencies of a small language against the logprobs that come with its texts."""
    one = Asked("one of four", "json_schema", {"enum": ["red", "green", "blue", "grey"]}, "A colour, please.")
    texts: list[ServedText] = []
    try:
        while len(texts) < draws:
            texts += service.complete(one.prompt, one.kind, one.grammar, n=PER_REQUEST, logprobs=True)
            if any(text.logprob is None or text.tokens is None for text in texts):
                tally.skip("logprobs", "the server returns no logprobs")
                return
    except ServiceError as error:
        if 400 <= error.status < 500:
            tally.skip("logprobs", f"refused: {error.message[:120]}")
        else:
            _unanswered(tally, service, one, error)
        return
    counts = Counter(text.tokens or () for text in texts)
    masses = {text.tokens or (): math.exp(text.logprob or 0.0) for text in texts}
    total = math.fsum(masses.values())
    law = {tokens: mass / total for tokens, mass in masses.items()}
    test = pearson(counts, law)
    power = power_line(len(texts), PLANTED, max(2, test.cells), FALSE_ALARM)
    meaning = _meaning(total, test.p_value > FALSE_ALARM)
    rows = tuple(
        ("".join(tokens), counts[tokens] / len(texts), law[tokens], masses[tokens]) for tokens in law
    )
    tally.tables.append(
        Table(
            "Frequencies and logprobs",
            ("text", "frequency", "its probability among these", "exp(logprob)"),
            rows,
            f"{len(texts)} draws, X² p = {test.p_value:.3g}, power {power:.3g} at {PLANTED:g}; {meaning}",
        )
    )
    if test.p_value > FALSE_ALARM:
        tally.passed("logprobs")
        return
    tally.failed(
        _finding(
            service,
            "logprobs",
            one,
            "texts do not come as often as their logprobs say: another law than the model's given the schema",
            observed=f"X² = {test.statistic:.3g}, p = {test.p_value:.3g}, {len(texts)} draws; {meaning}",
            expected="frequencies in proportion to exp(logprob)",
            severity="warning",
        )
    )


def _meaning(total: float, fits: bool) -> str:
    if not fits:
        return "the logprobs are not those of the law drawn from (of the model before its mask, most likely)"
    if total > 0.95:
        return "the logprobs sum to one: they are those of the law drawn from, after the mask"
    return f"proportional, and they sum to {total:.3g}: the model's own law given the schema"


def _finding(
    service: OpenAIService,
    check: str,
    one: Asked,
    message: str,
    *,
    text: str | None = None,
    observed: str = "",
    expected: str = "a text that fits, or a 4xx that says why there is none",
    severity: Any = "error",
) -> Finding:
    grammar: Any = one.grammar
    asked: Sequence[str] = (
        "import httpx",
        "",
        f"body = {{'model': {service.model!r}, 'messages': [{{'role': 'user', 'content': {one.prompt!r}}}],",
        "    'response_format': {'type': 'json_schema', 'json_schema': {'name': 'answer', 'schema':",
        f"        {grammar!r}}}}}}}",
        f"print(httpx.post({service.url + '/chat/completions'!r}, json=body, timeout=60).text)",
    )
    return Finding(
        "service",
        check,
        severity,
        message,
        expected,
        observed or repr(text),
        _case(one, text),
        snippet="\n".join(asked) + "\n" if one.kind == "json_schema" else "",
        oracles=("jsonschema",) if one.kind == "json_schema" else ("re",),
        cause=one.name,
    )
