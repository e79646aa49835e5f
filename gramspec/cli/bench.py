"""`gramspec bench`: what a grammar costs on this machine: compiling, masks, and with a prompt whole texts.

Law: masks are timed along random members of the grammar, one call of `fill_bitmask` and `advance` a token;
clocks are wall clocks of this process. Source: API, "Command line".
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib import resources
from typing import Annotated, Any, Final, Literal

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from gramspec.automaton.members import WeightedMembers, seeded
from gramspec.cli.arguments import (
    AsJson,
    Draft,
    Formats,
    GrammarSource,
    Kind,
    Order,
    Start,
    Target,
    WhiteSpace,
    one_of,
)
from gramspec.cli.generate import named_models
from gramspec.cli.progress import counting_bar
from gramspec.cli.sources import GrammarRequest, read_grammar
from gramspec.cli.vocabularies import EOS_HELP, read_vocabulary
from gramspec.decoding.generate import generate
from gramspec.errors import OptionError, VocabularyError
from gramspec.grammar.core import Grammar
from gramspec.matching import CompiledGrammar
from gramspec.matching import compile as compile_grammar
from gramspec.vocabulary import Vocabulary

EXAMPLE: Final = "Example: gramspec bench examples/user.schema.json --n 20 --seed 1"
_VOCABULARY_HELP: Final = (
    "Vocabulary: 'embedded' (the small one of the package), 'tekken', a Tekken, tokenizer.json or"
    " SentencePiece (.model) file."
)
_EMBEDDED_EOS: Final = "<|eos|>"


@dataclass(frozen=True)
class BenchRequest:
    """The options of the command, as typed."""

    grammar: GrammarRequest
    vocabulary: str
    eos: str | None
    n: int
    prompt: str | None
    max_new_tokens: int
    target: str | None
    seed: int
    as_json: bool


@dataclass(frozen=True)
class MaskFigures:
    """What masks took, in microseconds unless said otherwise."""

    vocabulary: str
    tokens: int
    compile_ms: float
    first_mask_us: float
    texts: int
    masks: int
    median_us: float
    p99_us: float
    worst_us: float
    row_bytes: int


@dataclass(frozen=True)
class LawFigures:
    """What whole texts took under one law."""

    law: str
    texts: int
    tokens: int
    seconds: float
    tokens_per_second: float
    target_forwards_per_token: float
    attempts_per_text: float
    guarantees: dict[str, int]


def measure(request: BenchRequest) -> None:
    """Measure a grammar and write the figures to stdout.

    Parameters
    ----------
    request : BenchRequest
        The options of the command.

    Raises
    ------
    GramspecError
        When the grammar or an option cannot be used, or a limit is reached.
    """
    for name, value, least in (
        ("--n", request.n, 1),
        ("--seed", request.seed, 0),
        ("--max-new-tokens", request.max_new_tokens, 1),
    ):
        if value < least:
            raise OptionError(f"{name} {value}: must be at least {least}")
    if request.target is not None and request.prompt is None:
        raise OptionError("--target: a model is only used with --prompt")
    grammar = read_grammar(request.grammar).grammar
    vocabulary = _vocabulary(request)
    with counting_bar(Console(stderr=True)) as bar:
        masks = _masks(grammar, vocabulary, request, bar)
        texts = [] if request.prompt is None else list(_texts(grammar, request, bar))
    if request.as_json:
        document = {"masks": asdict(masks), "texts": [asdict(figures) for figures in texts]}
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    else:
        _show(masks, texts)


def _vocabulary(request: BenchRequest) -> Vocabulary:
    if request.vocabulary != "embedded":
        return read_vocabulary(request.vocabulary, request.eos)
    if request.eos is not None:
        raise OptionError("--eos: only with a --vocabulary that does not tell")
    path = resources.files("gramspec.models") / "embedded" / "tokenizer.json"
    with resources.as_file(path) as file:
        return read_vocabulary(str(file), _EMBEDDED_EOS)


def _masks(grammar: Grammar, vocabulary: Vocabulary, request: BenchRequest, bar: Progress) -> MaskFigures:
    members, choose = WeightedMembers(grammar), seeded(request.seed)
    words = _words(vocabulary)
    begun = time.perf_counter()
    compiled = compile_grammar(grammar, vocabulary)
    compiled_at = time.perf_counter()
    row = np.empty((1, (len(vocabulary) + 31) // 32), dtype=np.int32)
    compiled.matcher().fill_bitmask(row)
    first = time.perf_counter()
    taken: list[float] = []
    for _ in bar.track(range(request.n), description="masks"):
        taken += _walk(compiled, _tokens(members.draw(choose), words), row)
    return MaskFigures(
        vocabulary=request.vocabulary,
        tokens=len(vocabulary),
        compile_ms=1e3 * (compiled_at - begun),
        first_mask_us=1e6 * (first - compiled_at),
        texts=request.n,
        masks=len(taken),
        median_us=1e6 * float(np.median(taken)),
        p99_us=1e6 * float(np.quantile(taken, 0.99)),
        worst_us=1e6 * max(taken),
        row_bytes=compiled.statistics()["row_bytes"],
    )


def _walk(compiled: CompiledGrammar, tokens: list[int], row: Any) -> list[float]:
    """Seconds that each mask and step along a text took."""
    matcher, taken = compiled.matcher(), []
    for token in tokens:
        begun = time.perf_counter()
        matcher.fill_bitmask(row)
        matcher.advance(token)
        taken.append(time.perf_counter() - begun)
    begun = time.perf_counter()
    matcher.fill_bitmask(row)  # the mask that has EOS
    taken.append(time.perf_counter() - begun)
    return taken


def _words(vocabulary: Vocabulary) -> dict[bytes, int]:
    special = set(vocabulary.eos_ids)
    return {word: i for i, word in enumerate(vocabulary.tokens) if word and i not in special}


def _tokens(text: bytes, words: dict[bytes, int]) -> list[int]:
    """A text as tokens, the longest one at each place."""
    longest = max(map(len, words))
    found, at = [], 0
    while at < len(text):
        for end in range(min(len(text), at + longest), at, -1):
            if (token := words.get(text[at:end])) is not None:
                found.append(token)
                at = end
                break
        else:
            raise VocabularyError(f"no token spells the byte {text[at]:#04x} at byte {at} of a member")
    return found


def _texts(grammar: Grammar, request: BenchRequest, bar: Progress) -> Iterator[LawFigures]:
    target, draft = named_models(request.target, None)
    laws: tuple[Literal["conditional", "masked"], ...] = ("conditional", "masked")
    for law in laws:
        task = bar.add_task(law, total=request.n)
        begun = time.perf_counter()
        [drawn] = generate(
            target,
            [request.prompt or ""],
            grammar,
            draft=draft,
            law=law,
            n=request.n,
            max_new_tokens=request.max_new_tokens,
            seed=request.seed,
            progress=partial(_advance, bar, task),
        )
        seconds = time.perf_counter() - begun
        tokens = sum(len(each.token_ids) for each in drawn)
        labels = [each.report.guarantee for each in drawn]
        yield LawFigures(
            law=law,
            texts=len(drawn),
            tokens=tokens,
            seconds=seconds,
            tokens_per_second=tokens / seconds,
            target_forwards_per_token=sum(each.report.target_forwards for each in drawn) / tokens,
            attempts_per_text=sum(each.report.attempts for each in drawn) / len(drawn),
            guarantees={label: labels.count(label) for label in sorted(set(labels))},
        )


def _advance(bar: Progress, task: TaskID, done: int, total: int) -> None:
    bar.update(task, completed=done, total=total)


def _show(masks: MaskFigures, texts: list[LawFigures]) -> None:
    console = Console(highlight=False)
    table = Table(
        title=f"masks, {masks.vocabulary} ({masks.tokens} tokens)", title_justify="left", show_header=False
    )
    for name, value in (
        ("compile", f"{masks.compile_ms:.3f} ms"),
        ("first mask", f"{masks.first_mask_us:.1f} µs"),
        ("masks timed", f"{masks.masks} along {masks.texts} random members"),
        ("mask and step, median", f"{masks.median_us:.1f} µs"),
        ("99th percentile", f"{masks.p99_us:.1f} µs"),
        ("worst", f"{masks.worst_us:.1f} µs"),
        ("memory of token rows", f"{masks.row_bytes} bytes"),
    ):
        table.add_row(name, value)
    console.print(table)
    if not texts:
        return
    table = Table(title="texts of a model", title_justify="left")
    for head in ("law", "texts", "tokens", "tokens/s", "forwards per token", "attempts per text", "labels"):
        table.add_column(head, justify="left" if head in ("law", "labels") else "right")
    for each in texts:
        table.add_row(
            each.law,
            str(each.texts),
            str(each.tokens),
            f"{each.tokens_per_second:.1f}",
            f"{each.target_forwards_per_token:.2f}",
            f"{each.attempts_per_text:.1f}",
            ", ".join(f"{count} {label}" for label, count in each.guarantees.items()),
        )
    console.print(table)


def command(
    grammar: GrammarSource,
    vocabulary: Annotated[
        str, typer.Option(help=_VOCABULARY_HELP, autocompletion=one_of("embedded", "tekken"))
    ] = "embedded",
    eos: Annotated[str | None, typer.Option(help=EOS_HELP, show_default=False)] = None,
    n: Annotated[int, typer.Option("--n", "-n", help="How many texts.")] = 100,
    prompt: Annotated[
        str | None,
        typer.Option(help="What a model is asked; without it only masks are timed.", show_default=False),
    ] = None,
    max_new_tokens: Annotated[
        int, typer.Option(help="Longest text in tokens, the end-of-sequence token counted.")
    ] = 256,
    target: Target = None,
    seed: Annotated[int, typer.Option(help="Chooses the texts.")] = 0,
    as_json: AsJson = False,
    kind: Kind = "auto",
    property_order: Order = "schema",
    whitespace: WhiteSpace = "any",
    formats: Formats = "assert",
    draft: Draft = None,
    start: Start = None,
) -> None:
    """Measure what a grammar costs on this machine: compiling, masks, and with --prompt whole texts."""
    source = GrammarRequest(grammar, kind, property_order, whitespace, formats, draft, start)
    measure(BenchRequest(source, vocabulary, eos, n, prompt, max_new_tokens, target, seed, as_json))
