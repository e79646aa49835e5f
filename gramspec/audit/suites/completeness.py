"""Completeness: the engine refuses nothing inside the language.

Law: members are accepted, however they are spelled, ordered and cut into tokens. Source: valid instances,
members drawn by gramspec, other spellings of them by RFC 8259; verdicts of oracles.
"""

from __future__ import annotations

import json
from typing import Final

from gramspec.audit.driving import Reading, read
from gramspec.audit.oracles import Verdict
from gramspec.audit.results import SuiteResult
from gramspec.audit.suites.bench import ANSWERS, Bench, Opened
from gramspec.audit.suites.context import Context
from gramspec.audit.suites.tally import Tally
from gramspec.audit.texts import members, reordered, usual, value_of, variants

DESCRIPTION: Final = "refuses nothing inside the language"
CHECKS: Final = {
    "refuses-member": "members are accepted as they are usually written",
    "refuses-spelling": "members are accepted in other spellings: white space, escapes, numbers",
    "refuses-key-order": "members are accepted with their keys in another order",
    "refuses-tokenisation": "members are accepted in every segmentation into tokens",
    **ANSWERS,
}
_EFFORT: Final = {"quick": (3, 4), "full": (12, 8)}
"""Members drawn a case, segmentations a text."""
ORDER: Final = "order of keys"


def run(context: Context) -> SuiteResult:
    """Run the suite."""
    tally = Tally("completeness", DESCRIPTION, CHECKS, command=context.command)
    bench = Bench(context, tally)
    drawn, cuts = _EFFORT[context.profile]
    for opened in bench.opened():
        accepted = _plain(bench, opened, drawn)
        for text in accepted:
            _spellings(bench, opened, text)
        _segmentations(bench, opened, accepted, cuts)
    return tally.result(context.elapsed)


def _plain(bench: Bench, opened: Opened, drawn: int) -> list[str]:
    """Members as they are usually written; those that the engine accepts."""
    case = opened.case
    texts: dict[str, bool | None] = {i.text: i.valid for i in case.instances if i.valid is not False}
    seed = opened.choose.randrange(1 << 30)
    for text in members(case.kind, case.grammar, seed, drawn):
        is_json, value = value_of(text) if case.kind == "json_schema" else (False, None)
        texts.setdefault(usual(value) if is_json else text, None)
    verdicts = {text: opened.oracles.judge(text, declared) for text, declared in texts.items()}
    asked = [text for text, verdict in verdicts.items() if verdict.member is not False]
    readings = bench.read_texts(opened, asked)
    accepted = []
    for text, reading in zip(asked, readings or (), strict=readings is not None):
        verdict = verdicts[text]
        if reading.complete:
            accepted.append(text)
        if verdict.member is None:
            if verdict.disagreement and not reading.complete and texts[text] is True:
                bench.disagreement(opened, "refuses-member", text, verdict, False)
            else:
                bench.tally.skip("refuses-member", "no verdict of the oracles")
        elif reading.complete:
            bench.tally.passed("refuses-member")
        else:
            _refused(bench, opened, text, verdict)
    return accepted


def _refused(bench: Bench, opened: Opened, text: str, verdict: Verdict) -> None:
    """A refused member: told as one for its tokens, its spelling or its order where another one is taken."""
    if _other_tokens(bench, opened, text):
        return
    is_json, value = value_of(text) if opened.case.kind == "json_schema" else (False, None)
    if is_json:
        plain = usual(value)
        others = [json.dumps(reordered(value, opened.choose), ensure_ascii=False) for _ in range(6)]
        readings = bench.read_texts(opened, [plain, *others])
        taken = [other for other, r in zip([plain, *others], readings or (), strict=False) if r.complete]
        if taken and taken[0] == plain and plain != text:
            what = "escapes of characters" if "\\u" in text else "spelling"
            _respelled(bench, opened, what, text, verdict, plain)
            return
        if taken:
            _respelled(bench, opened, ORDER, text, verdict, taken[0])
            return
    bench.wrong(opened, "refuses-member", text, verdict, message="refuses a member")


def _respelled(bench: Bench, opened: Opened, what: str, text: str, verdict: Verdict, original: str) -> None:
    """A member that is accepted in another spelling, or with its keys in another order."""
    order = what == ORDER
    message = "whose keys come in another order" if order else f"for its spelling ({what})"
    bench.wrong(
        opened,
        "refuses-key-order" if order else "refuses-spelling",
        text,
        verdict,
        message=f"refuses a member {message}",
        cause=what,
        original=original,
        shrink=not order,
    )


def _other_tokens(bench: Bench, opened: Opened, text: str) -> bool:
    """Whether a refused member is accepted byte by byte: then it is the tokens that are refused."""
    raw = text.encode()
    greedy, single = bench.tokens(opened, text), opened.segments.single(raw)
    if single is None or single == greedy:
        return False
    readings: list[Reading] | None = bench.drive(opened, read, text, sequences=[single])
    if not readings or not readings[0].complete:
        return False
    _refused_tokens(bench, opened, text, greedy, Verdict(True, ("the same text in other tokens",)))
    return True


def _spellings(bench: Bench, opened: Opened, text: str) -> None:
    """Other spellings of an accepted member."""
    if opened.case.kind != "json_schema":
        return
    made = list(variants(text, opened.choose))
    readings = bench.read_texts(opened, [other for _, other in made])
    for (what, other), reading in zip(made, readings or (), strict=readings is not None):
        check = "refuses-key-order" if what == ORDER else "refuses-spelling"
        verdict = opened.oracles.judge(other)
        if verdict.member is None:
            bench.tally.skip(check, "no verdict of the oracles")
        elif not verdict.member:
            bench.tally.skip(check, "no member in this spelling")
        elif reading.complete:
            bench.tally.passed(check)
        else:
            _respelled(bench, opened, what, other, verdict, text)


def _segmentations(bench: Bench, opened: Opened, accepted: list[str], cuts: int) -> None:
    """Accepted members in other tokens."""
    pairs = [
        (text, ids)
        for text in accepted[:4]
        for ids in opened.segments.several(text.encode(), opened.choose, cuts)
        if ids != bench.tokens(opened, text)
    ]
    readings: list[Reading] | None = bench.drive(opened, read, sequences=[ids for _, ids in pairs])
    for (text, ids), reading in zip(pairs, readings or (), strict=readings is not None):
        if reading.complete:
            bench.tally.passed("refuses-tokenisation")
        else:
            _refused_tokens(bench, opened, text, ids, Verdict(True, ("the same text in other tokens",)))


def _refused_tokens(bench: Bench, opened: Opened, text: str, ids: tuple[int, ...], verdict: Verdict) -> None:
    bench.wrong_tokens(
        opened,
        "refuses-tokenisation",
        text,
        ids,
        verdict,
        message="refuses a segmentation of a member that it accepts in another one",
    )
