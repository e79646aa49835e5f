"""`gramspec check`: whether a text belongs to a grammar, and if not, where it leaves and what was allowed.

Law: exit code 0 iff the text belongs, residual predicates included; 1 if it does not.
Source: API, "Command line".
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from gramspec.automaton.graph import TextGraph
from gramspec.automaton.reading import Reading, read
from gramspec.automaton.wording import allowed_words, visible
from gramspec.cli.arguments import AsJson, Draft, Formats, GrammarSource, Kind, Order, Start, WhiteSpace
from gramspec.cli.places import json_pointer, spot
from gramspec.cli.sources import GrammarRequest, read_grammar
from gramspec.errors import OptionError

EXAMPLE = 'Example: gramspec check examples/calculator.lark "(1 + x) * 2"'


@dataclass(frozen=True)
class CheckRequest:
    """The options of the command, as typed."""

    grammar: GrammarRequest
    text: str | None
    file: str | None
    as_json: bool


def check_text(request: CheckRequest) -> int:
    """Say whether a text belongs to a grammar.

    Parameters
    ----------
    request : CheckRequest
        The options of the command.

    Returns
    -------
    int
        0 if it belongs, 1 if it does not.

    Raises
    ------
    GramspecError
        When the grammar or the text cannot be used.
    """
    if request.file == "-" and request.grammar.source == "-":
        raise OptionError("--file -: stdin is the grammar already")
    text = _text(request)
    source = read_grammar(request.grammar)
    reading = read(TextGraph(source.grammar), text)
    facts = _facts(reading, text, source.kind == "json-schema")
    if request.as_json:
        sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")
    else:
        _show(reading, text, facts, source.name)
    return 0 if reading.verdict == "member" else 1


def _text(request: CheckRequest) -> bytes:
    if (request.text is None) == (request.file is None):
        raise OptionError("TEXT, --file: exactly one of the two is needed")
    if request.file is None:
        assert request.text is not None
        # What the shell hands over need not be UTF-8; its bytes are what is meant.
        return request.text.encode("utf-8", "surrogateescape")
    try:
        return sys.stdin.buffer.read() if request.file == "-" else Path(request.file).read_bytes()
    except OSError as error:
        raise OptionError(f"--file {request.file}: {error}") from None


def _facts(reading: Reading, text: bytes, is_json: bool) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "belongs": reading.verdict == "member",
        "verdict": reading.verdict,
        "bytes": len(text),
    }
    if reading.verdict != "member":
        place = spot(text, reading.offset)
        facts |= {"byte": place.byte, "line": place.line, "column": place.column}
        if is_json:
            facts["where"] = json_pointer(text[: reading.offset])
    if reading.allowed is not None:
        allowed = reading.allowed
        facts["allowed"] = {
            "characters": [[chr(low), chr(high)] for low, high in allowed.characters],
            "bytes": list(allowed.stray),
            "complete": allowed.complete,
            "end": allowed.end,
        }
        done = reading.completion
        facts["completion"] = None if done is None else done.decode("utf-8", "replace")
    if reading.refusals:
        facts["refused_by"] = [
            {**r.place._asdict(), "where": r.where, "byte": r.offset} for r in reading.refusals
        ]
    return facts


def _show(reading: Reading, text: bytes, facts: dict[str, Any], name: str) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if reading.verdict == "member":
        console.print(Text(f"belongs: {name} accepts all {len(text)} bytes.", style="green"))
        return
    place = spot(text, reading.offset)
    at = f"at line {place.line}, column {place.column} (byte {place.byte})"
    if reading.verdict == "refused":
        early = any(refusal.offset is not None for refusal in reading.refusals)
        where = f" {at}: no continuation will do" if early else ""
        console.print(Text(f"does not belong: predicates on the whole text say no{where}.", style="red"))
        if early:
            console.print(Text(f"    {place.shown}\n    {place.caret}"))
        for refusal in reading.refusals:
            where = "" if refusal.where is None else f"in {refusal.where or 'the whole text'}, "
            pointer = refusal.place.pointer or "the whole grammar"
            console.print(Text(f"  {where}by {refusal.place.keyword} of {pointer}"))
        return
    what = "leaves the grammar" if reading.verdict == "leaves" else "ends too early,"
    where = f", in {facts['where'] or 'the root value'}" if "where" in facts else ""
    console.print(Text(f"does not belong: it {what} {at}{where}.", style="red"))
    console.print(Text(f"    {place.shown}\n    {place.caret}"))
    assert reading.allowed is not None
    console.print(Text(f"allowed here: {allowed_words(reading.allowed)}"))
    if reading.completion:
        rest = visible(reading.completion.decode("utf-8", "replace"))
        console.print(Text(f"a short way to finish from here: {rest}"))


def command(
    grammar: GrammarSource,
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="The text.", show_default=False)] = None,
    file: Annotated[
        str | None, typer.Option("--file", help="File with the text, every byte of it; '-' reads stdin.")
    ] = None,
    as_json: AsJson = False,
    kind: Kind = "auto",
    property_order: Order = "schema",
    whitespace: WhiteSpace = "any",
    formats: Formats = "assert",
    draft: Draft = None,
    start: Start = None,
) -> None:
    """Say whether a text belongs to a grammar and, if not, where it leaves and what was allowed there.

    Exit code: 0 it belongs, 1 it does not, 2 the grammar or an option cannot be used.
    """
    source = GrammarRequest(grammar, kind, property_order, whitespace, formats, draft, start)
    raise typer.Exit(check_text(CheckRequest(source, text, file, as_json)))
