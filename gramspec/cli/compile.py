"""`gramspec compile`: a grammar explained.

Law: every figure is one of `gramspec.automaton.analysis`, or measured on the vocabulary asked for.
Source: API, "Command line".
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from gramspec.automaton.analysis import Analysis, analyse
from gramspec.automaton.drawing import DrawingLimits, draw
from gramspec.automaton.wording import byte_words, visible
from gramspec.cli.arguments import (
    AsJson,
    Draft,
    Formats,
    GrammarSource,
    Kind,
    Order,
    Start,
    WhiteSpace,
    one_of,
)
from gramspec.cli.keywords import Enforced, enforced_keywords
from gramspec.cli.sources import GrammarRequest, Source, read_grammar
from gramspec.cli.vocabularies import EOS_HELP, VOCABULARY_HELP, read_vocabulary
from gramspec.errors import OptionError
from gramspec.matching import compile as compile_grammar

_LONGEST_SHOWN = 300
_LISTED = ("automaton", "object frame", "nothing: annotation")
EXAMPLE = "Example: gramspec compile examples/user.schema.json --svg user.svg"


@dataclass(frozen=True)
class CompileRequest:
    """The options of the command, as typed."""

    grammar: GrammarRequest
    vocabulary: str
    eos: str | None
    svg: str | None
    output: str | None
    max_boxes: int
    seed: int
    as_json: bool


def explain(request: CompileRequest) -> None:
    """Write what there is to know about a grammar to stdout, and a drawing to a file.

    Parameters
    ----------
    request : CompileRequest
        The options of the command.

    Raises
    ------
    GramspecError
        When the grammar, the vocabulary or an option cannot be used.
    """
    if request.seed < 0:
        raise OptionError(f"--seed {request.seed}: must not be negative")
    if request.output is not None and request.vocabulary == "none":
        raise OptionError(f"--output {request.output}: say for which vocabulary, with --vocabulary")
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading the grammar")
        source = read_grammar(request.grammar)
        drawing = None
        if request.svg is not None:
            bar.update(task, description="drawing")
            drawing = draw(source.grammar, limits=DrawingLimits(max_boxes=request.max_boxes))
        bar.update(task, description="analysing")
        analysis = analyse(source.grammar, seed=request.seed)
        keywords = _keywords(source, request.grammar, analysis)
        figures = None
        if request.vocabulary != "none":
            bar.update(task, description="compiling for the vocabulary")
            figures = _measure(source, request)
    if drawing is not None:
        assert request.svg is not None
        _save(request.svg, drawing)
    if request.as_json:
        sys.stdout.write(
            json.dumps(_document(source, analysis, keywords, figures), ensure_ascii=False) + "\n"
        )
    else:
        _show(Console(highlight=False), source, analysis, keywords, figures)


def _measure(source: Source, request: CompileRequest) -> dict[str, Any]:
    vocabulary = read_vocabulary(request.vocabulary, request.eos)
    begin = time.perf_counter()
    compiled = compile_grammar(source.grammar, vocabulary)
    compiled_at = time.perf_counter()
    if request.output is not None:
        try:
            Path(request.output).write_bytes(compiled.to_bytes())
        except OSError as error:
            raise OptionError(f"--output {request.output}: {error}") from None
    matcher = compiled.matcher()
    first = len(matcher.allowed_ids())
    masked_at = time.perf_counter()
    return {
        "vocabulary": request.vocabulary,
        "tokens": len(vocabulary),
        "compile_ms": round(1e3 * (compiled_at - begin), 3),
        "first_mask_ms": round(1e3 * (masked_at - compiled_at), 3),
        "first_tokens": first,
        "forced": matcher.forced_bytes().decode("utf-8", "replace"),
        "fewest_tokens": matcher.min_tokens(),
        "masks_exact": compiled.masks_exact,
        "states": compiled.statistics()["states"],
    }


def _save(path: str, drawing: str) -> None:
    try:
        Path(path).write_text(drawing, "utf-8")
    except OSError as error:
        raise OptionError(f"--svg {path}: {error}") from None


def _keywords(source: Source, request: GrammarRequest, analysis: Analysis) -> list[Enforced]:
    if source.kind != "json-schema":
        return []
    return enforced_keywords(
        source.text,
        draft=request.draft,
        assert_formats=request.formats == "assert",
        residuals=analysis.residuals,
    )


def _document(
    source: Source, analysis: Analysis, keywords: list[Enforced], figures: dict[str, Any] | None
) -> dict[str, Any]:
    language, ambiguity = analysis.language, analysis.ambiguity
    return {
        "name": source.name,
        "kind": source.kind,
        "fingerprint": source.grammar.fingerprint,
        "nodes": sum(analysis.nodes.values()),
        "nodes_by_kind": analysis.nodes,
        "rules": analysis.rules,
        "recursive_rules": analysis.recursive_rules,
        "extent": language.extent,
        "members": language.members,
        "alphabet": list(language.alphabet),
        "alphabet_complete": language.alphabet_complete,
        "configurations": language.explored,
        "configurations_complete": language.complete,
        "shortest": [_decoded(text) for text in analysis.shortest],
        "samples": [_decoded(text) for text in analysis.samples],
        "samples_refused": analysis.samples_refused,
        "frames": [asdict(frame) for frame in analysis.frames],
        "keywords": [keyword._asdict() for keyword in keywords],
        "residuals": [place._asdict() for place in analysis.residuals],
        "ambiguity": {
            "witnesses": [{"kind": w.kind, "text": _decoded(w.text)} for w in ambiguity.witnesses],
            "ambiguous": ambiguity.ambiguous,
            "searched": ambiguity.searched,
            "unfinished": ambiguity.unfinished,
            "atomic": ambiguity.atomic,
        },
        "compiled": figures,
    }


def _show(
    console: Console,
    source: Source,
    analysis: Analysis,
    keywords: list[Enforced],
    figures: dict[str, Any] | None,
) -> None:
    for title, rows in (
        (f"{source.name} ({source.kind})", _size_rows(analysis)),
        ("Members", _member_rows(analysis)),
        ("Enforced by", _enforcement_rows(analysis, keywords)),
        ("Ambiguity", _ambiguity_rows(analysis)),
        ("On the vocabulary", _vocabulary_rows(figures)),
    ):
        if not rows:
            continue
        table = Table(title=Text(title), title_justify="left", show_header=False, expand=False)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in rows:
            table.add_row(Text(name), Text(value))
        console.print(table)


def _size_rows(analysis: Analysis) -> list[tuple[str, str]]:
    language = analysis.language
    kinds = ", ".join(f"{count} {kind}" for kind, count in analysis.nodes.items())
    extent: str = language.extent
    if language.members is not None:
        extent = f"finite: {language.members} members"
    elif extent == "undecided":
        extent = f"not decided within {language.explored} configurations"
    whole = "all of them" if language.complete else "there are more"
    return [
        ("expression", f"{sum(analysis.nodes.values())} nodes: {kinds}"),
        ("rules", f"{analysis.rules}, {analysis.recursive_rules} of them recursive"),
        ("language", extent + _besides(analysis)),
        ("bytes used", byte_words(language.alphabet) + ("" if language.alphabet_complete else ", or more")),
        ("configurations", f"{language.explored} visited, {whole}"),
    ]


def _besides(analysis: Analysis) -> str:
    return ", before residual predicates" if analysis.residuals else ""


def _member_rows(analysis: Analysis) -> list[tuple[str, str]]:
    rows = [("shortest", _shown(text)) for text in analysis.shortest]
    if not rows:
        rows.append(("shortest", "not found within the bound of the search"))
    rows += [("sample", _shown(text)) for text in analysis.samples]
    if analysis.samples_refused is not None:
        rows.append(("sample", f"none: {analysis.samples_refused}"))
    return rows


def _enforcement_rows(analysis: Analysis, keywords: list[Enforced]) -> list[tuple[str, str]]:
    rows = [("automaton", "everything that is not named below")]
    if keywords:
        counts = {by: Counter(k.keyword for k in keywords if k.by == by) for by in _LISTED}
        words = {by: ", ".join(f"{k} ({n})" for k, n in c.most_common()) for by, c in counts.items() if c}
        rows = [(f"{by}: keywords", text) for by, text in words.items()]
    rows += [(f"frame: {f.kind}", f"{f.enforces} ({f.count})") for f in analysis.frames]
    rows += [("residual predicate", str(place)) for place in analysis.residuals]
    return rows


def _ambiguity_rows(analysis: Analysis) -> list[tuple[str, str]]:
    found = analysis.ambiguity
    what = f"{found.searched} alternatives, sequences and repetitions searched"
    if found.unfinished:
        what += f", {found.unfinished} not to the end"
    if found.atomic:
        what += f"; {found.atomic} objects, machines, intersections and complements taken as one piece each"
    rows = [
        ("searched", what),
        ("ambiguous", f"{found.ambiguous} of them" if found.ambiguous else "none found"),
    ]
    rows += [(f"two ways, {witness.kind}", _shown(witness.text)) for witness in found.witnesses]
    return rows


def _vocabulary_rows(figures: dict[str, Any] | None) -> list[tuple[str, str]]:
    if figures is None:
        return []
    masks = "exact" if figures["masks_exact"] else "exact but for the residual predicates"
    return [
        ("vocabulary", f"{figures['vocabulary']}, {figures['tokens']} tokens"),
        ("compiled", f"in {figures['compile_ms']} ms, {figures['states']} states"),
        ("first mask", f"{figures['first_tokens']} tokens allowed, made in {figures['first_mask_ms']} ms"),
        ("first bytes", f"{_quoted(figures['forced'])} in every member" if figures["forced"] else "several"),
        ("shortest member", f"{figures['fewest_tokens']} tokens or more, EOS counted"),
        ("masks", masks),
    ]


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _shown(text: bytes) -> str:
    return _quoted(_decoded(text))


def _quoted(text: str) -> str:
    if not text:
        return "(the empty text)"
    cut = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
    return visible(cut)


def command(
    grammar: GrammarSource,
    vocabulary: Annotated[
        str, typer.Option(help=VOCABULARY_HELP, autocompletion=one_of("none", "tekken"))
    ] = "none",
    eos: Annotated[str | None, typer.Option(help=EOS_HELP, show_default=False)] = None,
    svg: Annotated[
        str | None, typer.Option(help="File to draw the grammar into.", show_default=False)
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(help="File to store the compiled grammar in; needs --vocabulary.", show_default=False),
    ] = None,
    max_boxes: Annotated[int, typer.Option(help="Largest drawing, in boxes.")] = 2_000,
    seed: Annotated[int, typer.Option(help="Chooses the samples.")] = 0,
    as_json: AsJson = False,
    kind: Kind = "auto",
    property_order: Order = "schema",
    whitespace: WhiteSpace = "any",
    formats: Formats = "assert",
    draft: Draft = None,
    start: Start = None,
) -> None:
    """Explain a grammar: size, language, members, what enforces what, ambiguity; draw it."""
    source = GrammarRequest(grammar, kind, property_order, whitespace, formats, draft, start)
    explain(CompileRequest(source, vocabulary, eos, svg, output, max_boxes, seed, as_json))
