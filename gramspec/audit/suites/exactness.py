"""Token exactness: the mask is what reading would do, and what some member needs; nothing else.

Law: for every token, the mask's bit, the answer of `advance` and the verdict of the oracles on the prefix are
one; masks depend on the bytes read, not on their tokens; rollback and fork bring back the same masks.
Cost: one `advance` for every token of the vocabulary at every prefix that is probed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import numpy as np

from gramspec.audit.driving import Probe, Tokens, Turn, masks_after, probe, turns
from gramspec.audit.results import Finding, SuiteResult
from gramspec.audit.suites.bench import ANSWERS, Bench, Opened
from gramspec.audit.suites.context import Context
from gramspec.audit.suites.tally import Tally

DESCRIPTION: Final = "the mask against brute force, token by token"
CHECKS: Final = {
    "mask-against-advance": "the mask allows a token exactly if `advance` takes it",
    "mask-against-oracle": "the mask allows a token exactly if some member goes on with it",
    "end-against-accepting": "the mask allows EOS exactly if the matcher says that it accepts",
    "gap-allowed": "ids without bytes are never allowed",
    "mask-by-segmentation": "the mask depends on the bytes read, not on the tokens they came in",
    "rollback": "after going back the mask is what it was",
    "fork": "a fork has the same mask, and reading on one does not change the other",
    **ANSWERS,
}
_EFFORT: Final = {"quick": (3, 1), "full": (8, 3)}
"""Prefixes probed a case, texts a case."""


def run(context: Context) -> SuiteResult:
    """Run the suite."""
    tally = Tally("exactness", DESCRIPTION, CHECKS, command=context.command)
    bench = Bench(context, tally)
    prefixes, texts = _EFFORT[context.profile]
    for opened in bench.opened():
        chosen = [i.text for i in opened.case.instances if i.valid is not False][:texts]
        for text in chosen or [""]:
            ids = bench.tokens(opened, text)
            places = {0, len(ids), *(opened.choose.randint(0, len(ids)) for _ in range(prefixes))}
            for place in sorted(places)[: prefixes + 1]:
                _probe(bench, opened, ids[:place])
            _segmentations(bench, opened, text)
            _turns(bench, opened, ids)
    return tally.result(context.elapsed)


def _probe(bench: Bench, opened: Opened, ids: Tokens) -> None:
    if len(opened.vocabulary) > 5000:
        bench.tally.skip("mask-against-advance", "the vocabulary is too large to try every token")
        return
    fork = bench.context.adapter.capabilities.fork
    found: Probe | None = bench.drive(opened, probe, ids=ids, fork=fork, seconds=bench.seconds)
    if found is None:
        bench.tally.skip("mask-against-advance", "the prefix is refused, or the engine is slow")
        return
    bench.tally.figures["tokens tried"] += len(opened.vocabulary)
    ends = set(opened.vocabulary.eos_ids)
    allowed, taken = set(found.allowed) - ends, set(found.taken) - ends
    _compare(bench, opened, "mask-against-advance", ids, allowed - taken, taken - allowed, "advance")
    ended = bool(ends & set(found.allowed))
    if ended == found.accepting:
        bench.tally.passed("end-against-accepting")
    else:
        _told(
            bench,
            opened,
            "end-against-accepting",
            ids,
            "the mask and the matcher do not agree on whether the text may end here",
            f"EOS {'allowed' if found.accepting else 'not allowed'}, as the matcher says",
            f"EOS {'allowed' if ended else 'not allowed'}",
        )
    gaps = {t for t, token in enumerate(opened.vocabulary.tokens) if not token} - ends
    if gaps & allowed:
        bytes_less = ", ".join(map(str, sorted(gaps & allowed)[:8]))
        _told(
            bench,
            opened,
            "gap-allowed",
            ids,
            "the mask allows ids that have no bytes",
            "not allowed",
            f"allowed: {bytes_less}",
        )
    else:
        bench.tally.passed("gap-allowed")
    _oracle(bench, opened, ids, allowed, taken)


def _oracle(bench: Bench, opened: Opened, ids: Tokens, allowed: set[int], taken: set[int]) -> None:
    """The mask against the oracles of prefixes, where they know every token."""
    if opened.case.kind == "json_schema":
        bench.tally.skip("mask-against-oracle", "engines may restrict the spelling of JSON; see completeness")
        return
    should = _should(bench, opened, ids)
    if should is None:
        bench.tally.skip("mask-against-oracle", "no oracle knows, or they disagree")
        return
    more = {token for token in allowed if should.get(token) is False}
    # A token that reading takes is no loss of the language: `mask-against-advance` tells of it.
    less = {token for token, possible in should.items() if possible and token not in allowed | taken}
    _compare(bench, opened, "mask-against-oracle", ids, more, less, "the oracles")


def _should(bench: Bench, opened: Opened, ids: Tokens) -> dict[int, bool] | None:
    """Whether some member is still possible after a token, for those tokens of which an oracle knows."""
    raw = opened.vocabulary.decode(ids)
    texts = [instance.text for instance in opened.case.instances]
    if opened.case.kind == "regex" and re.search(r"\\[a-zA-Z]", opened.case.grammar):
        return None  # what a class holds hangs on the dialect
    if opened.case.kind == "lark" and not (texts and opened.oracles.settled(texts)):
        return None  # its meaning may hang on the lexer
    tokens = opened.vocabulary.tokens
    ids_asked = [t for t, token in enumerate(tokens) if token]
    said = opened.oracles.alive([raw + (tokens[t] or b"") for t in ids_asked])
    theirs = {t: possible for t, possible in zip(ids_asked, said, strict=True) if possible is not None}
    compiled = opened.exact() if bench.second else None
    if compiled is None:
        return theirs or None
    matcher = compiled.matcher()
    if matcher.advance_many(list(ids)) < len(ids):
        return None
    allowed = {int(t) for t in matcher.allowed_ids()}
    ours = {t: t in allowed for t, token in enumerate(tokens) if token}
    return ours if all(ours[t] == possible for t, possible in theirs.items()) else None


def _compare(
    bench: Bench, opened: Opened, check: str, ids: Tokens, more: set[int], less: set[int], against: str
) -> None:
    if not more and not less:
        bench.tally.passed(check)
        return
    tokens = opened.vocabulary.tokens
    construct = "" if against == "advance" else f"{opened.case.cause or opened.case.kind}: "
    way = "allows tokens that it should not" if more else "forbids tokens that it should allow"
    _told(
        bench,
        opened,
        check,
        ids,
        f"the mask {way}, by {against}",
        f"by {against}: {_shown(tokens, less) or 'none of these'}",
        f"allowed besides: {_shown(tokens, more)}" if more else f"forbidden: {_shown(tokens, less)}",
        cause=f"{construct}{'too many' if more else 'too few'}",
    )


def _shown(tokens: tuple[bytes | None, ...], ids: Iterable[int]) -> str:
    chosen = sorted(ids, key=lambda t: (len(tokens[t] or b""), t))
    text = ", ".join(f"{t} {tokens[t]!r}" for t in chosen[:8])
    return text + (f" and {len(chosen) - 8} more" if len(chosen) > 8 else "")


def _segmentations(bench: Bench, opened: Opened, text: str) -> None:
    raw = text.encode()
    place = opened.choose.randint(0, len(raw))
    cuts = opened.segments.several(raw[:place], opened.choose, 4)
    if len(cuts) < 2:
        return
    masks: list[Tokens | None] | None = bench.drive(opened, masks_after, sequences=cuts)
    read = [(ids, mask) for ids, mask in zip(cuts, masks or (), strict=masks is not None) if mask is not None]
    for ids, mask in read[1:]:
        if mask == read[0][1]:
            bench.tally.passed("mask-by-segmentation")
            continue
        other = set(read[0][1] or ()) ^ set(mask)
        _told(
            bench,
            opened,
            "mask-by-segmentation",
            ids,
            "the same bytes in other tokens have another mask",
            f"the mask after {list(read[0][0])}",
            f"differs in {_shown(opened.vocabulary.tokens, other)}",
        )


def _turns(bench: Bench, opened: Opened, ids: Tokens) -> None:
    able = bench.context.adapter.capabilities
    for name, is_able in (("rollback", able.rollback), ("fork", able.fork)):
        if not is_able:
            bench.tally.skip(name, f"the engine has no {name}")
    if not (able.rollback or able.fork) or not ids:
        return
    seed = int(np.int64(opened.choose.randrange(1 << 30)))
    arguments = {"ids": ids[:60], "seed": seed, "rollback": able.rollback, "fork": able.fork}
    found: tuple[dict[str, int], list[Turn]] | None = bench.drive(opened, turns, **arguments)
    if found is None:
        return
    made, wrong = found
    for how, count in made.items():
        bench.tally.passed(how, count - sum(turn.how == how for turn in wrong))
    for turn in wrong:
        _told(
            bench,
            opened,
            turn.how,
            turn.ids,
            "going back does not bring back the mask"
            if turn.back
            else "a fork changes the matcher it came from",
            "the mask as it was",
            f"{turn.lost} tokens lost, {turn.added} added, after taking back {turn.back}",
        )


def _told(
    bench: Bench,
    opened: Opened,
    check: str,
    ids: Tokens,
    message: str,
    expected: str,
    observed: str,
    cause: str = "",
) -> None:
    case = opened.case
    text = opened.vocabulary.decode(ids).decode("utf-8", "surrogateescape")
    bench.tally.failed(
        Finding(
            bench.tally.suite,
            check,
            "error",
            message,
            expected,
            observed,
            opened.record(text, ids),
            snippet=bench.context.snippet(case.kind, case.grammar, text),
            oracles=("the engine itself",) if check != "mask-against-oracle" else ("oracles of prefixes",),
            cause=cause or case.cause or case.kind,
        )
    )
