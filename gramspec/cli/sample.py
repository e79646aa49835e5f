"""`gramspec sample`: random members of a grammar, without a language model.

Law: that of `gramspec.automaton.members`; the same seed, the same texts.
Source: API, "Command line".
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

from rich.console import Console

from gramspec.automaton.members import Members, UniformMembers, WeightedMembers, seeded
from gramspec.cli.progress import counting_bar
from gramspec.cli.sources import GrammarRequest, read_grammar
from gramspec.errors import OptionError


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
        for _ in bar.track(range(request.n), description="sampling"):
            _write(members.draw(choose), request.as_jsonl)


def _write(text: bytes, as_jsonl: bool) -> None:
    if as_jsonl:
        try:
            record: dict[str, str] = {"text": text.decode("utf-8")}
        except UnicodeDecodeError:
            record = {"hex": text.hex()}
        sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
    else:
        # As bytes: a grammar may hold texts that are not UTF-8.
        sys.stdout.flush()
        sys.stdout.buffer.write(text + b"\n")
    sys.stdout.flush()
