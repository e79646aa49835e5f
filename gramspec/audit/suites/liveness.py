"""Liveness: never a state without an ending.

Law: along masks no mask is ever empty, and from every state an end is reached. Where no walk finds an end, it
is an error if an oracle says that there is none, and a warning if no oracle knows but every token of every
mask on the way has been tried; else the walks were too short, and nothing is said. Source: random walks.
"""

from __future__ import annotations

import itertools
from typing import Final

from gramspec.audit.cases.built_in import unspellable
from gramspec.audit.cases.vocabularies import partial_vocabulary
from gramspec.audit.driving import Ending, Tokens, Walk, ending, walks
from gramspec.audit.results import Finding, Severity, SuiteResult
from gramspec.audit.suites.bench import ANSWERS, Bench, Opened
from gramspec.audit.suites.context import Context
from gramspec.audit.suites.tally import Tally

DESCRIPTION: Final = "never a state without an ending"
CHECKS: Final = {
    "mask-empty": "no mask along a walk is empty",
    "no-ending": "from where a walk is, some walk finds an end",
    "refused-by-advance": "what the mask allows is taken",
    **ANSWERS,
}
_EFFORT: Final = {"quick": (4, 40, 4, 120), "full": (10, 80, 6, 300)}
"""Walks a case, steps a walk; tries and steps in search of an end."""

_DEAD: Final = "the masks lead to a state in which nothing is allowed"


def run(context: Context) -> SuiteResult:
    """Run the suite."""
    tally = Tally("liveness", DESCRIPTION, CHECKS, command=context.command)
    bench = Bench(context, tally)
    count, steps, tries, further = _EFFORT[context.profile]
    for opened in itertools.chain(
        bench.opened(), bench.opened_on("small, no z", partial_vocabulary(), unspellable())
    ):
        seed = opened.choose.randrange(1 << 30)
        found: list[Walk] | None = bench.drive(
            opened, walks, seed=seed, count=count, steps=steps, seconds=bench.seconds
        )
        for walk in found or ():
            _judge(bench, opened, walk, tries, further)
    return tally.result(context.elapsed)


def _judge(bench: Bench, opened: Opened, walk: Walk, tries: int, steps: int) -> None:
    tally = bench.tally
    if walk.end == "slow":
        tally.skip("no-ending", "the engine is slow or fails")
        return
    if walk.end == "dead":
        _told(bench, opened, "mask-empty", walk.ids, _DEAD)
        return
    tally.passed("mask-empty")
    if walk.end == "refused":
        _told(
            bench,
            opened,
            "refused-by-advance",
            (*walk.ids, walk.token),
            "the engine refuses a token that its mask allows",
        )
        return
    tally.passed("refused-by-advance")
    if walk.end == "eos":
        tally.passed("no-ending")
        return
    seed = opened.choose.randrange(1 << 30)
    found: Ending | None = bench.drive(
        opened, ending, ids=walk.ids, seed=seed, tries=tries, steps=steps, seconds=bench.seconds
    )
    if found is None:
        tally.skip("no-ending", "the engine is slow or fails")
        return
    tally.figures["states searched for an end"] += found.states
    if found.found is not None:
        tally.passed("no-ending")
    elif found.dead is not None:
        _told(
            bench, opened, "mask-empty", found.dead, "the masks lead to a state in which nothing is allowed"
        )
    else:
        _trap(bench, opened, walk.ids, found)


def _trap(bench: Bench, opened: Opened, ids: Tokens, found: Ending) -> None:
    """No walk found an end; the oracles are asked about this prefix."""
    alive = _alive(bench, opened, ids)
    if alive is True or (alive is None and not found.closed):
        why = "the walks were too short" if alive else "no oracle knows"
        bench.tally.skip("no-ending", f"no end found: {why}")
        return
    severity: Severity = "error" if alive is False else "warning"
    shortest = _shortest(bench, opened, ids) if alive is False else ids
    _told(
        bench,
        opened,
        "no-ending",
        shortest,
        "the masks lead to a state from which nothing ends",
        severity,
        {"search": f"{found.states} masks looked at, none of them allows the end of the text"},
    )


def _alive(bench: Bench, opened: Opened, ids: Tokens) -> bool | None:
    """Whether a prefix begins some member; None if no oracle knows."""
    raw = opened.vocabulary.decode(ids)
    said = opened.oracles.alive([raw])[0]
    if said is not None:
        return said
    if not bench.second:
        return None
    compiled = opened.exact()
    if compiled is None:
        return False if opened.oracles.nothing else None
    matcher = compiled.matcher()
    single = opened.segments.single(raw)
    if single is None:
        return None
    return bool(matcher.advance_many(single) == len(single))


def _shortest(bench: Bench, opened: Opened, ids: Tokens) -> Tokens:
    """The first prefix of a sequence that begins no member."""
    return next((ids[:n] for n in range(len(ids)) if _alive(bench, opened, ids[:n]) is False), ids)


def _told(
    bench: Bench,
    opened: Opened,
    check: str,
    ids: Tokens,
    message: str,
    severity: Severity = "error",
    extra: dict[str, str] | None = None,
) -> None:
    case = opened.case
    raw = opened.vocabulary.decode(ids)
    text = raw.decode("utf-8", "surrogateescape")
    bench.tally.failed(
        Finding(
            bench.tally.suite,
            check,
            severity,
            message,
            "some token, and in the end EOS",
            f"stuck after {raw!r}",
            opened.record(text, ids),
            snippet=bench.context.snippet(case.kind, case.grammar, text),
            oracles=("the masks themselves",),
            cause=case.cause or case.kind,
            extra=extra or {},
        )
    )
