"""The speculation suite: drafts change what decoding costs, never what it writes.

Law: the law with drafts equals the law without, by enumeration of both loops (or X² on draws); greedy texts
are the same texts; beams and drafts raise nothing and write members only.
Source: Leviathan et al. (2211.17192); laws, "Verification rules"; traps 1, 2, 3 and 9.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from gramspec.audit.adapters.decoder import Decoder, RefusedGrammarError
from gramspec.audit.enumerate import ReplayError
from gramspec.audit.law_worlds import ALL_WORLDS, SPECULATION, LawWorld, Tokens
from gramspec.audit.named_laws import EXACT, MEANINGS, candidates, distances, name_of, nearest
from gramspec.audit.results import SuiteResult, Table
from gramspec.audit.statistics import pearson, power_line
from gramspec.audit.suites.context import Context
from gramspec.audit.suites.faults import decoder_of, finding, first_line, not_repeatable
from gramspec.audit.suites.found_law import FALSE_ALARM, PLANTED, find_law, how_strange, strangest
from gramspec.audit.suites.tally import Tally
from gramspec.decoding.random import RandomSource
from gramspec.errors import OptionError

MOST_PATHS: Final = 6000

CHECKS: Final = {
    "answers": "every way to decode gives a text, not an exception",
    "writes-members-only": "every text is a text of the grammar, once and ended by EOS",
    "repeatable": "the same choices give the same text",
    "same-law": "the law with drafts is the law without",
    "same-beams": "beams write what they write under the masks of the listed texts",
    "same-greedy": "the greedy text with drafts is the greedy text without",
}


def run(context: Context) -> SuiteResult:
    """Compare every way to decode that a decoder offers with plain decoding.

    Parameters
    ----------
    context : Context
        Its adapter is a `Decoder`.
    """
    decoder = decoder_of(context)
    tally = Tally("speculation", "decoding with drafts and with beams against plain decoding", CHECKS)
    modes = [mode for mode in decoder.modes if mode not in ("sample", "greedy")]
    if not modes:
        return tally.result(context.elapsed, skipped=f"{decoder.name} offers neither drafts nor beams")
    rows: list[tuple[str, ...]] = []
    worlds = [world for world in ALL_WORLDS.values() if world.kind in decoder.kinds]
    for done, world in enumerate(worlds):
        context.progress("speculation", done, len(worlds))
        if done and context.spent and not decoder.exact:  # as in the law suite
            tally.skip("answers", "the time of the suite was over")
            break
        rows.append((world.name, *(_mode(tally, decoder, world, mode, context.seed) for mode in modes)))
    context.progress("speculation", len(worlds), len(worlds))
    tally.tables.append(Table(f"Ways to decode: {decoder.name}", ("world", *modes), tuple(rows)))
    return tally.result(context.elapsed)


def _mode(tally: Tally, decoder: Decoder, world: LawWorld, mode: str, seed: int) -> str:
    """One way to decode on one world, in a word for the table."""
    try:
        if mode in ("assisted", "lookup"):
            if world.name not in SPECULATION:
                return ""  # too large to enumerate
            return _drawn(tally, decoder, world, mode, seed)
        return _certain(tally, decoder, world, mode)
    except RefusedGrammarError as refusal:
        tally.refused(world.case, first_line(refusal))
        return "refused"
    except ReplayError as error:
        tally.failed(not_repeatable("speculation", world, decoder, mode, error))
        return "not repeatable"
    except Exception as error:
        tally.failed(finding("speculation", "answers", world, decoder, raised=error, mode=mode))
        return f"raises {type(error).__name__}"


def _certain(tally: Tally, decoder: Decoder, world: LawWorld, mode: str) -> str:
    """A way to decode without chance."""
    ids = tuple(decoder.generate(world, [world.prompt_ids], mode, _no_choice)[0])
    tally.passed("answers")
    if ids not in world.members:
        return _nonmember(tally, decoder, world, mode, ids)
    tally.passed("writes-members-only")
    if mode == "beams":
        return _beams(tally, decoder, world, ids)
    if "greedy" not in decoder.modes:
        return "member"
    plain = tuple(decoder.generate(world, [world.prompt_ids], "greedy", _no_choice)[0])
    if plain != ids:
        tally.failed(
            finding(
                "speculation",
                "same-greedy",
                world,
                decoder,
                mode=mode,
                ids=ids,
                message=f"{decoder.name} writes another greedy text in mode {mode!r}",
                expected=world.spelled(plain),
                observed=world.spelled(ids),
            )
        )
        return "another text"
    tally.passed("same-greedy")
    return "same text"


def _beams(tally: Tally, decoder: Decoder, world: LawWorld, ids: Tokens) -> str:
    """Beams against those under the reference masks, or where it is documented the forced ones."""
    from gramspec.audit.adapters.listed import ListedDecoder

    wanted = [
        tuple(ListedDecoder(forced=forced).generate(world, [world.prompt_ids], "beams", _no_choice)[0])
        for forced in (False, True)
        if not forced or "forced" in decoder.documents
    ]
    if ids in wanted:
        tally.passed("same-beams")
        return "same text"
    tally.failed(
        finding(
            "speculation",
            "same-beams",
            world,
            decoder,
            mode="beams",
            ids=ids,
            message=f"{decoder.name} finds another text with beams than the same search under exact masks",
            expected=world.spelled(wanted[-1]),
            observed=world.spelled(ids),
        )
    )
    return "another text"


def _drawn(tally: Tally, decoder: Decoder, world: LawWorld, mode: str, seed: int) -> str:
    """A way to decode by chance: its law against that of plain draws."""

    def draw(how: str) -> Callable[[RandomSource], Sequence[int]]:
        return lambda random: decoder.generate(world, [world.prompt_ids], how, lambda _: random)[0]

    law, draws, followed = find_law(decoder, draw(mode), seed, MOST_PATHS, len(world.members))
    tally.passed("answers")
    strange = strangest(world, law)
    if strange is not None:
        return _nonmember(tally, decoder, world, mode, strange)
    tally.passed("writes-members-only")
    plain, _, ended = find_law(decoder, draw("sample"), seed + 1, MOST_PATHS, len(world.members))
    if not followed or not ended:
        tally.skip("same-law", f"more than {MOST_PATHS} paths")
        return "not followed"
    laws = candidates(world)
    found = distances(law, laws)
    if draws is None:
        gap = law.tv(plain)
        same, how = gap <= EXACT, "by exact enumeration"
    else:
        plain_name = min(laws, key=lambda name: plain.tv(laws[name]))
        test = pearson(Counter(draws), laws[plain_name])
        gap, same = law.tv(laws[plain_name]), test.p_value > FALSE_ALARM
        power = power_line(len(draws), PLANTED, max(2, test.cells), FALSE_ALARM)
        how = f"{len(draws)} draws, X² p = {test.p_value:.3g}, power {power:.3g} at distance {PLANTED:g}"
    if same:
        tally.passed("same-law")
        return "same law"
    name = name_of(found) if draws is None else nearest(found)
    near = nearest(found)
    tally.failed(
        finding(
            "speculation",
            "same-law",
            world,
            decoder,
            mode=mode,
            message=f"{decoder.name} samples another law in mode {mode!r}"
            + (f": {name!r} ({MEANINGS[name]})" if name != "other" else ""),
            expected="the law of plain draws",
            observed=f"total variation {gap:.4g} to it, {how}; the nearest known law is {near!r}, "
            f"{found[near]:.4g} away",
            cause=f"{mode}: {name}",
        )
    )
    return f"another law: {name}"


def _nonmember(tally: Tally, decoder: Decoder, world: LawWorld, mode: str, ids: Tokens) -> str:
    how = how_strange(world, ids)
    tally.failed(
        finding(
            "speculation",
            "writes-members-only",
            world,
            decoder,
            mode=mode,
            ids=ids,
            message=f"{decoder.name} writes {how} in mode {mode!r}, and says nothing",
            expected="one text of the grammar, ended by EOS",
            observed=repr(world.spelled(ids)),
            cause=f"{mode}: {how}",
        )
    )
    return how


def _no_choice(row: int) -> RandomSource:
    raise OptionError("a way to decode without chance asked for a random number")
