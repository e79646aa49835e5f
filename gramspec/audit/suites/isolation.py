"""The isolation suite: what one request writes does not depend on the others.

Law: a row draws from a stream of its own, so that it writes the same text alone, in a batch, behind other
requests and beside other threads; compared token by token, without statistics.
Source: laws, traps 9 and 11; the ways that processors are used in Transformers (batches, reuse, threads).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from gramspec.audit.adapters.decoder import Decoder, RefusedGrammarError
from gramspec.audit.law_worlds import SPECULATION, WORLDS, LawWorld
from gramspec.audit.named_laws import EXACT
from gramspec.audit.results import SuiteResult
from gramspec.audit.streams import RowStreams
from gramspec.audit.suites.context import Context
from gramspec.audit.suites.faults import decoder_of, finding, first_line
from gramspec.audit.suites.found_law import Draw, find_law
from gramspec.audit.suites.tally import Tally
from gramspec.decoding.random import NumpyRandomSource, RandomSource
from gramspec.errors import OptionError

ROUNDS: Final = 6
THREADS: Final = 4
MOST_PATHS: Final = 2000
THREAD_SECONDS: Final = 120.0

CHECKS: Final = {
    "answers": "batches, further calls and threads give texts, not exceptions",
    "rows": "a row of a batch writes what it writes alone (left padding, rows that end early)",
    "calls": "a request writes the same text before and after another one with another grammar",
    "interleaved": "requests of two grammars that go on in turns write what they write alone",
    "reuse": "a logits processor serves a second call of generate",
    "threads": "requests in several threads write what they write one after the other",
    "raw-logits": "output_logits returns the model's logits, not masked ones",
}


def run(context: Context) -> SuiteResult:
    """Look for requests that reach each other.

    Parameters
    ----------
    context : Context
        Its adapter is a `Decoder`.
    """
    decoder = decoder_of(context)
    tally = Tally("isolation", "whether one request reaches another", CHECKS)
    worlds = [world for world in WORLDS.values() if world.kind in decoder.kinds]
    steps: list[tuple[str, Callable[[Tally, Decoder, list[LawWorld]], None]]] = [
        ("rows", _rows),
        ("calls", _calls),
        ("interleaved", _interleaved),
        ("reuse", _reuse),
        ("threads", _threads),
        ("raw-logits", _raw_logits),
    ]
    for done, (check, step) in enumerate(steps):
        context.progress("isolation", done, len(steps))
        if not worlds:
            tally.skip(check, "it takes no grammar of the worlds")
            continue
        try:
            step(tally, decoder, worlds)
        except RefusedGrammarError as refusal:
            tally.refused(worlds[0].case, first_line(refusal))
        except Exception as error:
            tally.failed(
                finding(
                    "isolation",
                    "answers",
                    worlds[0],
                    decoder,
                    raised=error,
                    message=f"{decoder.name} raises {type(error).__name__} where requests meet ({check})",
                    expected="the texts of all requests",
                    cause=check,
                )
            )
    context.progress("isolation", len(steps), len(steps))
    return tally.result(context.elapsed)


def _how(decoder: Decoder) -> str:
    """Coupled draws where the same source gives the same text, else greedy texts."""
    if decoder.repeatable:
        return "sample"
    return "greedy" if "greedy" in decoder.modes else ""


def _text(decoder: Decoder, world: LawWorld, prompt: Sequence[int], mode: str, key: int) -> list[int]:
    return list(decoder.generate(world, [prompt], mode, RowStreams([key]))[0])


def _prompts(world: LawWorld) -> list[list[int]]:
    x, a, b = (world.id_of(text) for text in ("x", "a", "b"))
    return [[x], [a, x, b], [x, x], [b, a, a, x, x]]


def _rows(tally: Tally, decoder: Decoder, worlds: list[LawWorld]) -> None:
    mode = _how(decoder)
    if not decoder.batches:
        tally.skip("rows", "it takes one prompt at a time")
        return
    if not mode:
        tally.skip("rows", "its draws cannot be coupled and it has no greedy texts")
        return
    if not decoder.pathwise:
        _row_laws(tally, decoder)
        return
    for world in (worlds[0], worlds[-1]):
        prompts = _prompts(world)
        for round_ in range(ROUNDS if mode == "sample" else 1):
            keys = [100 * round_ + i for i in range(len(prompts))]
            together = decoder.generate(world, prompts, mode, RowStreams(keys))
            tally.passed("answers")
            for i, (prompt, key) in enumerate(zip(prompts, keys, strict=True)):
                alone = _text(decoder, world, prompt, mode, key)
                _compare(
                    tally,
                    decoder,
                    world.at(tuple(prompt)),
                    "rows",
                    list(together[i]),
                    alone,
                    f"row {i} of a batch of {len(prompts)} writes another text than alone",
                )


def _row_laws(tally: Tally, decoder: Decoder) -> None:
    """The law of the second row, whatever the first one drew, against its law alone."""
    for world in SPECULATION.values():
        if world.kind not in decoder.kinds:
            continue
        first, second = _prompts(world)[1], list(world.prompt_ids)
        draw = partial(decoder.sample, world)
        alone = find_law(decoder, draw, 0, MOST_PATHS, len(world.members))
        compared = 0
        for key in range(10):
            try:
                found = find_law(
                    decoder, _beside(decoder, world, [first, second], key), 0, MOST_PATHS, len(world.members)
                )
            except OptionError:  # the first row found no text in its attempts, whatever the second did
                continue
            compared += 1
            gap = found.law.tv(alone.law)
            if gap <= EXACT:
                tally.passed("rows")
            else:
                tally.failed(
                    finding(
                        "isolation",
                        "rows",
                        world,
                        decoder,
                        message=f"{decoder.name}: the law of a row depends on the row before it",
                        expected="the law of the row alone",
                        observed=f"total variation {gap:.4g}, by exact enumeration",
                        cause="rows",
                    )
                )
            if compared == 2:
                break


def _beside(decoder: Decoder, world: LawWorld, prompts: list[list[int]], key: int) -> Draw:
    """The second row, every choice open, beside a first row with a stream of its own."""

    def draw(random: RandomSource) -> Sequence[int]:
        other = NumpyRandomSource((key, 30))
        return decoder.generate(world, prompts, "sample", lambda i: random if i else other)[1]

    return draw


def _calls(tally: Tally, decoder: Decoder, worlds: list[LawWorld]) -> None:
    mode = _how(decoder)
    if not mode:
        tally.skip("calls", "its draws cannot be repeated and it has no greedy texts")
        return
    first, other = worlds[0], worlds[-1]
    for key in range(ROUNDS):
        before = _text(decoder.fresh(), first, first.prompt_ids, mode, key)
        _text(decoder, other, other.prompt_ids, mode, key + 50)
        _text(decoder, first, _prompts(first)[1], mode, key + 60)
        after = _text(decoder, first, first.prompt_ids, mode, key)
        tally.passed("answers")
        _compare(
            tally,
            decoder,
            first,
            "calls",
            after,
            before,
            "a request writes another text after another request",
        )


def _interleaved(tally: Tally, decoder: Decoder, worlds: list[LawWorld]) -> None:
    """Two requests in turns, in loops of their own, each with its own processor of the same factory."""
    make: Any = getattr(decoder, "processor", None)
    step: Any = getattr(decoder, "likeliest", None)
    if make is None or step is None:
        tally.skip("interleaved", "it is no logits processor")
        return
    pair = (worlds[0], worlds[-1])
    alone = [_in_turns([world], make, step)[0] for world in pair]
    together = _in_turns(list(pair), make, step)
    for world, found, wanted in zip(pair, together, alone, strict=True):
        what = "a request writes another text when it takes turns with another one"
        _compare(tally, decoder, world, "interleaved", found, wanted, what)


def _in_turns(worlds: list[LawWorld], make: Any, step: Any) -> list[list[int]]:
    """The likeliest texts of some requests, a token each in turn."""
    processors = [make(world) for world in worlds]
    texts: list[list[int]] = [[] for _ in worlds]
    for _ in range(max(world.max_new_tokens for world in worlds)):
        for world, processor, ids in zip(worlds, processors, texts, strict=True):
            if world.eos not in ids:
                ids.append(step(world, processor, [*world.prompt_ids, *ids]))
    return texts


def _reuse(tally: Tally, decoder: Decoder, worlds: list[LawWorld]) -> None:
    make = getattr(decoder, "processor", None)
    serve = getattr(decoder, "run", None)
    if make is None or serve is None or not getattr(decoder, "own", True):
        tally.skip("reuse", "it has no logits processor of its own")
        return
    single_use = getattr(decoder, "single_use", "")
    world = worlds[0]
    used, prompts = make(world), [list(world.prompt_ids)]
    serve(world, used, prompts, "sample", RowStreams([7]))
    wanted = serve(world, make(world), prompts, "sample", RowStreams([8]))[0]
    if getattr(decoder, "resets", False):
        used.reset()
    raised: Exception | None = None
    found: list[int] = []
    try:
        found = serve(world, used, prompts, "sample", RowStreams([8]))[0]
    except Exception as error:
        raised = error
    if raised is None and list(found) == list(wanted):
        tally.passed("reuse")
        return
    said = f" ({single_use})" if single_use else ""
    tally.failed(
        finding(
            "isolation",
            "reuse",
            world,
            decoder,
            raised=raised,
            ids=found if raised is None else None,
            severity="warning" if single_use else "error",
            message=f"a processor of {decoder.name} fails at its second call of generate{said}"
            if raised is not None
            else f"a processor of {decoder.name} writes another text at its second call of generate{said}",
            expected=world.spelled(wanted),
            observed=first_line(raised) if raised is not None else repr(world.spelled(found)),
            cause="reuse",
        )
    )


def _threads(tally: Tally, decoder: Decoder, worlds: list[LawWorld]) -> None:
    mode = "greedy" if "greedy" in decoder.modes else _how(decoder)
    if not mode:
        tally.skip("threads", "its draws cannot be repeated and it has no greedy texts")
        return
    tasks = [
        (world, prompt, i) for world in (worlds[0], worlds[-1]) for i, prompt in enumerate(_prompts(world))
    ] * 3
    wanted = [_text(decoder, world, prompt, mode, key) for world, prompt, key in tasks]
    found: list[list[int] | BaseException | None] = [None] * len(tasks)
    begin = threading.Barrier(THREADS)

    def work(number: int) -> None:
        begin.wait()
        for at in range(number, len(tasks), THREADS):
            world, prompt, key = tasks[at]
            try:
                found[at] = _text(decoder, world, prompt, mode, key)
            except Exception as error:
                found[at] = error

    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(THREAD_SECONDS)
    for (world, prompt, _), text, alone in zip(tasks, found, wanted, strict=True):
        if isinstance(text, BaseException):
            raise text
        if text is None:
            raise TimeoutError(f"a thread did not end in {THREAD_SECONDS:g} s")
        what = f"one of {THREADS} threads writes another text than without the others"
        _compare(tally, decoder, world.at(tuple(prompt)), "threads", text, alone, what)
    tally.passed("answers")


def _raw_logits(tally: Tally, decoder: Decoder, worlds: list[LawWorld]) -> None:
    raw = getattr(decoder, "raw_logits", None)
    if raw is None:
        tally.skip("raw-logits", "it is no logits processor")
        return
    found, wanted = raw(worlds[0])
    if bool((found == wanted).all()):
        tally.passed("raw-logits")
        return
    tally.failed(
        finding(
            "isolation",
            "raw-logits",
            worlds[0],
            decoder,
            severity="warning",
            message=f"{decoder.name} changes the scores in place: output_logits=True returns masked logits",
            expected="the model's logits",
            observed=f"{int((found != wanted).sum())} of {len(wanted)} logits differ",
            cause="in place",
        )
    )


def _compare(
    tally: Tally,
    decoder: Decoder,
    world: LawWorld,
    check: str,
    found: list[int],
    wanted: list[int],
    what: str,
) -> None:
    if found == wanted:
        tally.passed(check)
        return
    tally.failed(
        finding(
            "isolation",
            check,
            world,
            decoder,
            ids=found,
            message=f"{decoder.name}: {what}",
            expected=world.spelled(wanted),
            observed=world.spelled(found),
            cause=check,
        )
    )
