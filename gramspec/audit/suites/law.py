"""The law suite: which law a decoder samples, by name, and whether it is the one it claims.

Law: an exact decoder's law is enumerated and compared with every known one; any other is judged from draws by
Pearson's X² against each, with its power at a planted distance and the floor of an empirical distance.
Cost: one run per token sequence, or `Decoder.draws` runs, for each world. Source: laws; `named_laws`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from gramspec.audit.adapters.decoder import Decoder, RefusedGrammarError
from gramspec.audit.enumerate import ReplayError
from gramspec.audit.law import Law
from gramspec.audit.law_worlds import WORLDS, LawWorld, Tokens
from gramspec.audit.named_laws import EXACT, MEANINGS, candidates, distances, name_of, nearest
from gramspec.audit.results import LawFigure, OutcomeFigure, SuiteResult, Table
from gramspec.audit.statistics import pearson, power_line, tv_floor
from gramspec.audit.suites.context import Context
from gramspec.audit.suites.faults import decoder_of, finding, first_line, not_repeatable
from gramspec.audit.suites.found_law import FALSE_ALARM, PLANTED, find_law, how_strange, strangest
from gramspec.audit.suites.tally import Tally

MOST_PATHS: Final = 20_000

CHECKS: Final = {
    "answers": "a text is drawn without an exception",
    "writes-members-only": "every text drawn is a text of the grammar, once and ended by EOS",
    "repeatable": "the same choices give the same text",
    "law": "the law drawn from is the one that is claimed",
}


def run(context: Context) -> SuiteResult:
    """Name the law that a decoder samples.

    Parameters
    ----------
    context : Context
        Its adapter is a `Decoder`.
    """
    decoder = decoder_of(context)
    tally = Tally("law", "which law the decoder samples, by exact enumeration or from draws", CHECKS)
    open_names: set[str] = set(MEANINGS)
    named: list[tuple[LawWorld, LawFigure]] = []
    worlds = list(WORLDS.values())
    for done, world in enumerate(worlds):
        context.progress("law", done, len(worlds))
        if world.kind not in decoder.kinds:
            tally.skip("law", f"it takes no grammar of kind {world.kind}")
            continue
        if done and context.spent and not decoder.exact:  # to enumerate a world takes a second
            tally.skip("law", "the time of the suite was over")
            continue
        figure = _world(tally, decoder, world, context.seed)
        if figure is not None:
            open_names &= _equal(figure)
            named.append((world, figure))
    context.progress("law", len(worlds), len(worlds))
    if named:
        _judge(tally, decoder, named, open_names)
    return tally.result(context.elapsed)


def _world(tally: Tally, decoder: Decoder, world: LawWorld, seed: int) -> LawFigure | None:
    """The law on one world, or None where there was none to be judged; what went wrong is in the tally."""
    laws = candidates(world)
    try:
        law, draws, followed = find_law(
            decoder, lambda random: decoder.sample(world, random), seed, MOST_PATHS, len(world.members)
        )
    except RefusedGrammarError as refusal:
        tally.refused(world.case, first_line(refusal))
        return None
    except ReplayError as error:
        tally.failed(not_repeatable("law", world, decoder, "sample", error))
        return None
    except Exception as error:
        tally.failed(finding("law", "answers", world, decoder, raised=error))
        return None
    tally.passed("answers")
    if draws is None:
        tally.passed("repeatable")
    strange = strangest(world, law)
    if strange is not None:
        how = how_strange(world, strange)
        tally.failed(
            finding(
                "law",
                "writes-members-only",
                world,
                decoder,
                ids=strange,
                message=f"{decoder.name} writes {how}",
                expected="one text of the grammar, ended by EOS",
                observed=f"{world.spelled(strange)!r} with probability {law[strange]:.3g}",
                cause=how,
            )
        )
        return None
    tally.passed("writes-members-only")
    if not followed:
        tally.skip("law", f"more than {MOST_PATHS} paths")
        return None
    return _figure(world, decoder, law, laws, draws)


def _figure(
    world: LawWorld, decoder: Decoder, law: Law, laws: dict[str, Law], draws: list[Tokens] | None
) -> LawFigure:
    found = distances(law, laws)
    floor = power = None
    p_values: dict[str, float] = {}
    if draws is None:
        verdict = name_of(found, claims=decoder.claims)
    else:
        counts = Counter(draws)
        p_values = {name: pearson(counts, other).p_value for name, other in laws.items()}
        left = [name for name in MEANINGS if p_values.get(name, 0.0) > FALSE_ALARM]
        verdict = (
            decoder.claims if decoder.claims in left else max(left, key=p_values.__getitem__, default="other")
        )
        reference = laws.get(decoder.claims, law)
        floor = tv_floor(reference, len(draws))
        power = power_line(len(draws), PLANTED, max(2, len(reference)), FALSE_ALARM)
    shown = sorted(law, key=lambda ids: -law[ids])[:12]
    outcomes = tuple(
        OutcomeFigure(
            world.spelled(ids), law[ids], {name: other.get(ids, 0.0) for name, other in laws.items()}
        )
        for ids in shown
    )
    return LawFigure(
        world.case,
        verdict,
        found,
        floor,
        None if draws is None else len(draws),
        power,
        None if draws is None else PLANTED,
        p_values,
        outcomes,
        note=_note(found, verdict),
    )


def _note(found: Mapping[str, float], verdict: str) -> str:
    gap = found.get("conditional")
    if verdict == "other":
        near = nearest(found)
        return f"none of the known laws; the nearest is {near!r}, {found[near]:.3g} away"
    if gap is None or verdict.startswith("conditional"):
        return MEANINGS[verdict]
    return f"{MEANINGS[verdict]}; {gap:.3g} from the conditional law in total variation"


def _equal(figure: LawFigure) -> set[str]:
    """The known laws that this figure does not tell from the decoder's."""
    if figure.draws is None:
        return {name for name, d in figure.distances.items() if d <= EXACT}
    return {name for name, p in figure.p_values.items() if p > FALSE_ALARM}


def _judge(
    tally: Tally, decoder: Decoder, named: list[tuple[LawWorld, LawFigure]], open_names: set[str]
) -> None:
    """One verdict for all worlds, and the finding where it is not what is claimed."""
    left = [name for name in MEANINGS if name in open_names]
    overall = decoder.claims if decoder.claims in left else (left[0] if left else "other")
    rows = []
    for world, figure in named:
        claimed = figure.distances.get(decoder.claims, math.nan)
        rows.append(
            (world.name, overall, figure.distances.get(overall), claimed, figure.distances.get("conditional"))
        )
        if overall in _equal(figure):  # laws may coincide on one world
            figure = replace(figure, verdict=overall, note=_note(figure.distances, overall))
        tally.laws.append(figure)
        if overall == decoder.claims:
            tally.passed("law")
            continue
        documented = decoder.documents.get(overall)
        if decoder.claims in _equal(figure) and overall != "other":
            tally.passed("law")  # the two laws coincide on this world
            continue
        tally.failed(
            finding(
                "law",
                "law",
                world,
                decoder,
                severity="error" if documented is None else "warning",
                message=f"{decoder.name} is said to sample the {decoder.claims!r} law and samples "
                + (f"the {overall!r} law" if overall != "other" else "none of the known laws")
                + (f" (documented: {documented})" if documented else ""),
                expected=f"{decoder.claims}: {MEANINGS.get(decoder.claims, '')}",
                observed=f"{overall}: {figure.note}; total variation to the law claimed {claimed:.4g}"
                + _statistics(figure, decoder.claims),
                cause=overall,
            )
        )
    tally.tables.append(
        Table(
            f"The law of {decoder.name}: {overall}",
            (
                "world",
                "law",
                "its distance",
                f"distance to {decoder.claims} (claimed)",
                "distance to conditional",
            ),
            tuple(rows),
            note=MEANINGS.get(overall, "none of the known laws")
            + (
                "; enumerated exactly"
                if named[0][1].draws is None
                else f"; from {named[0][1].draws} draws a world, false alarm {FALSE_ALARM:g} a test"
            ),
        )
    )


def _statistics(figure: LawFigure, claims: str) -> str:
    if figure.draws is None:
        return ", by exact enumeration"
    return (
        f", {figure.draws} draws, X² p = {figure.p_values.get(claims, 0.0):.3g}, floor {figure.floor:.3g},"
        f" power {figure.power:.3g} at distance {figure.planted:g}"
    )
