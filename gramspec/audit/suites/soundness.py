"""Soundness: the engine accepts nothing outside the language.

Law: texts that are no members are refused, and what ends along masks is a member. Source: invalid instances,
members with small changes, random walks along masks; verdicts of oracles that share nothing with the engine.
"""

from __future__ import annotations

from typing import Final

from gramspec.audit.driving import Walk, walks
from gramspec.audit.results import SuiteResult
from gramspec.audit.suites.bench import ANSWERS, Bench, Opened
from gramspec.audit.suites.context import Context
from gramspec.audit.suites.tally import Tally
from gramspec.audit.texts import changed, repeats_key, value_of

DESCRIPTION: Final = "accepts nothing outside the language"
CHECKS: Final = {
    "accepts-nonmember": "texts that are no members, and members with small changes, are refused",
    "walk-ends-outside": "what a random walk along masks ends in is a member",
    **ANSWERS,
}
_EFFORT: Final = {"quick": (6, 3, 60), "full": (20, 8, 120)}
"""Changed texts a member, walks a case, steps a walk."""


def run(context: Context) -> SuiteResult:
    """Run the suite."""
    tally = Tally("soundness", DESCRIPTION, CHECKS, command=context.command)
    bench = Bench(context, tally)
    mutations, count, steps = _EFFORT[context.profile]
    for opened in bench.opened():
        _read(bench, opened, mutations)
        _walk(bench, opened, count, steps)
    return tally.result(context.elapsed)


def _read(bench: Bench, opened: Opened, mutations: int) -> None:
    """Texts that are no members."""
    case = opened.case
    texts: dict[str, bool | None] = {i.text: i.valid for i in case.instances if i.valid is not True}
    for instance in case.instances:
        if instance.valid is not False:
            for text in changed(case.kind, case.grammar, instance.text, opened.choose, mutations):
                texts.setdefault(text, None)
    verdicts = {text: opened.oracles.judge(text, declared) for text, declared in texts.items()}
    asked = [text for text, verdict in verdicts.items() if verdict.member is not True]
    readings = bench.read_texts(opened, asked)
    for text, reading in zip(asked, readings or (), strict=readings is not None):
        verdict = verdicts[text]
        if not reading.complete and verdict.member is False:
            bench.tally.passed("accepts-nonmember")
        elif verdict.member is False:
            bench.wrong(
                opened,
                "accepts-nonmember",
                text,
                verdict,
                message="accepts a text that is no member",
                cause=_cause(opened, text),
            )
        elif verdict.disagreement and reading.complete and texts[text] is False:
            bench.disagreement(opened, "accepts-nonmember", text, verdict, True)
        else:
            bench.tally.skip("accepts-nonmember", "no verdict of the oracles")


def _cause(opened: Opened, text: str) -> str:
    """What is wrong with a JSON text, where it is not the schema; else empty: the construct of the case."""
    if opened.case.kind != "json_schema":
        return ""
    if not value_of(text)[0]:
        return "syntax of JSON"
    return "repeated keys" if repeats_key(text) else ""


def _walk(bench: Bench, opened: Opened, count: int, steps: int) -> None:
    """What random walks end in."""
    seed = opened.choose.randrange(1 << 30)
    found: list[Walk] | None = bench.drive(
        opened, walks, seed=seed, count=count, steps=steps, seconds=bench.seconds
    )
    for walk in found or ():
        if walk.end != "eos":
            bench.tally.figures["walks without an end"] += 1
            continue
        bench.tally.figures["walks with an end"] += 1
        raw = opened.vocabulary.decode(walk.ids)
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("utf-8", "surrogateescape")
        verdict = opened.oracles.judge(text)
        if verdict.member:
            bench.tally.passed("walk-ends-outside")
        elif verdict.member is False:
            bench.wrong(
                opened,
                "walk-ends-outside",
                text,
                verdict,
                message="following the masks leads to an end outside the language",
                cause=_cause(opened, text),
            )
        else:
            bench.tally.skip("walk-ends-outside", "no verdict of the oracles")
