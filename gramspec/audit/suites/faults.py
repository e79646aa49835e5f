"""Findings of the suites for decoders that generate: one shape for all of them.

Law: a finding names the world, the way to decode and what was expected; an exception keeps its last frame.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace

from gramspec.audit.adapters.decoder import Decoder
from gramspec.audit.law_worlds import LawWorld
from gramspec.audit.results import Finding, Severity
from gramspec.audit.suites.context import Context
from gramspec.errors import OptionError


def decoder_of(context: Context) -> Decoder:
    """What is audited, which has to draw texts.

    Parameters
    ----------
    context : Context
        Its adapter is a `Decoder`.

    Raises
    ------
    OptionError
        When it is not.
    """
    if not isinstance(context.adapter, Decoder):
        raise OptionError(f"{context.adapter!r} is no Decoder: it draws no texts")
    return context.adapter


def first_line(error: BaseException) -> str:
    """An exception in one line."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__


def finding(
    suite: str,
    check: str,
    world: LawWorld,
    decoder: Decoder,
    *,
    raised: BaseException | None = None,
    mode: str = "sample",
    ids: Sequence[int] | None = None,
    severity: Severity = "error",
    message: str = "",
    expected: str = "a text of the grammar",
    observed: str = "",
    cause: str = "",
    extra: Mapping[str, str] | None = None,
) -> Finding:
    """A fault of a decoder.

    Parameters
    ----------
    suite, check : str
        Names.
    world : LawWorld
        Where it was seen.
    decoder : Decoder
        Whose fault it is.
    raised : exception, optional
        What it raised; message, observation and cause are made of it.
    mode : str
        The way to decode.
    ids : sequence of int, optional
        What it wrote.
    severity, message, expected, observed, cause, extra
        As in `Finding`.
    """
    case = world.case
    case = replace(case, options={**case.options, "mode": mode, "prompt": world.spelled(world.prompt_ids)})
    more = dict(extra or {})
    if ids is not None:
        case = replace(case, token_ids=tuple(ids), text=world.text_of(ids))
    if raised is not None:
        message = message or f"{decoder.name} raises {type(raised).__name__} in mode {mode!r}"
        observed = observed or first_line(raised)
        cause = cause or mode
        frames = traceback.extract_tb(raised.__traceback__)
        if frames:
            last = frames[-1]
            more["raised in"] = f"{last.name} ({last.filename.rsplit('site-packages/', 1)[-1]}:{last.lineno})"
    return Finding(
        suite,
        check,
        severity,
        message,
        expected,
        observed,
        case,
        snippet=decoder.snippet(world, mode),
        oracles=("enumeration of the world's members",),
        cause=cause or mode,
        extra=more,
    )


def not_repeatable(suite: str, world: LawWorld, decoder: Decoder, mode: str, error: Exception) -> Finding:
    """The finding where the same choices did not give the same text.

    Parameters
    ----------
    suite : str
        Name.
    world, decoder, mode
        As in `finding`.
    error : exception
        What the enumeration said.
    """
    return finding(
        suite,
        "repeatable",
        world,
        decoder,
        mode=mode,
        message=f"{decoder.name} keeps something from one request to the next: its rows change",
        expected="the same weights after the same choices",
        observed=first_line(error).split(": weights")[0],
        cause="state",
    )
