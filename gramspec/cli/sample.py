"""`gramspec sample`: random members of a grammar, without a language model.

Law: that of `gramspec.automaton.members`; the same seed, the same texts.
Source: API, "Command line".
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console

from gramspec.automaton.members import Members, UniformMembers, WeightedMembers, seeded
from gramspec.cli.arguments import AsJson, Draft, Formats, GrammarSource, Kind, Order, Start, WhiteSpace
from gramspec.cli.progress import counting_bar
from gramspec.cli.sources import GrammarRequest, read_grammar
from gramspec.errors import OptionError

EXAMPLE = "Example: gramspec sample examples/user.schema.json --n 3 --seed 1"


@dataclass(frozen=True)
class SampleRequest:
    """The options of the command, as typed."""

    grammar: GrammarRequest
    n: int
    uniform: bool
    max_length: int | None
    length: int | None
    seed: int | None
    as_jsonl: bool
    as_json: bool = False


def sample_texts(request: SampleRequest) -> None:
    """Write `n` random members to stdout.

    Parameters
    ----------
    request : SampleRequest
        The options of the command.

    Raises
    ------
    GramspecError
        When the grammar or an option cannot be used, or a limit is reached.
    """
    if request.n < 1:
        raise OptionError(f"--n {request.n}: must be at least 1")
    if request.as_json and request.as_jsonl:
        raise OptionError("--json, --jsonl: one object for all texts or one for each; leave one of them out")
    if request.uniform and request.length is not None:
        raise OptionError("--length: with --uniform the length is bounded by --max-length")
    if not request.uniform and request.max_length is not None:
        raise OptionError("--max-length: only with --uniform; weighted texts have --length")
    choose = seeded(request.seed)
    grammar = read_grammar(request.grammar).grammar
    with counting_bar(Console(stderr=True)) as bar:
        members: Members
        if request.uniform:
            counting = bar.add_task("counting", total=None)
            members = UniformMembers(
                grammar,
                40 if request.max_length is None else request.max_length,
                progress=lambda done, total: bar.update(counting, completed=done, total=total),
            )
            bar.remove_task(counting)
        else:
            members = WeightedMembers(grammar, request.length)
        drawn: list[dict[str, str]] = []
        for _ in bar.track(range(request.n), description="sampling"):
            text = members.draw(choose)
            if request.as_json:
                drawn.append(_record(text))
            else:
                _write(text, request.as_jsonl)
    if request.as_json:
        sys.stdout.write(json.dumps({"texts": drawn}, ensure_ascii=False) + "\n")


def _record(text: bytes) -> dict[str, str]:
    try:
        return {"text": text.decode("utf-8")}
    except UnicodeDecodeError:
        return {"hex": text.hex()}


def _write(text: bytes, as_jsonl: bool) -> None:
    if as_jsonl:
        sys.stdout.write(json.dumps(_record(text), ensure_ascii=False) + "\n")
    else:
        # As bytes: a grammar may hold texts that are not UTF-8.
        sys.stdout.flush()
        sys.stdout.buffer.write(text + b"\n")
    sys.stdout.flush()


def command(
    grammar: GrammarSource,
    n: Annotated[int, typer.Option("--n", "-n", help="How many texts.")] = 10,
    uniform: Annotated[
        bool, typer.Option("--uniform", help="Every length evenly, every member of a length evenly.")
    ] = False,
    max_length: Annotated[
        int | None, typer.Option(help="Longest uniform text in bytes.", show_default="40")
    ] = None,
    length: Annotated[
        int | None,
        typer.Option(
            help="Longest weighted text in bytes.", show_default="120 more than the shortest member"
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Makes the texts reproducible.")] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object per text and line.")] = False,
    as_json: AsJson = False,
    kind: Kind = "auto",
    property_order: Order = "schema",
    whitespace: WhiteSpace = "any",
    formats: Formats = "assert",
    draft: Draft = None,
    start: Start = None,
) -> None:
    """Write random members of a grammar to stdout, without a language model."""
    source = GrammarRequest(grammar, kind, property_order, whitespace, formats, draft, start)
    sample_texts(SampleRequest(source, n, uniform, max_length, length, seed, jsonl, as_json))
