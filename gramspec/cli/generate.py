"""`gramspec generate`: a schema and a prompt in, texts out.

Law: each text on stdout belongs to the grammar and follows the law asked for.
Source: API, "Command line".
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, cast

import typer
from rich.console import Console

from gramspec import models
from gramspec.cli.arguments import (
    LAWS,
    SAMPLERS,
    AsJson,
    Kind,
    Order,
    Start,
    Target,
    Temperature,
    TopK,
    TopP,
    WhiteSpace,
    one_of,
)
from gramspec.cli.progress import counting_bar
from gramspec.cli.sources import SOURCE_HELP, GrammarRequest, read_grammar
from gramspec.decoding.completion import Completion
from gramspec.decoding.generate import generate
from gramspec.decoding.options import DecodingOptions
from gramspec.decoding.streaming import Chunk
from gramspec.decoding.verification import VERIFIERS
from gramspec.decoding.wiring import CONTROLLERS, RECIPES
from gramspec.errors import OptionError
from gramspec.grammar.core import Grammar

DRAFTERS: Final = ("auto", "none", *RECIPES)
EXAMPLE: Final = (
    'Example: gramspec generate --schema examples/user.schema.json --prompt "Write a JSON user profile for'
    ' Maria Lopez." --n 2 --seed 1'
)


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """What requests of commands that draw texts have in common."""

    law: str
    n: int
    seed: int | None
    report: bool
    max_new_tokens: int
    temperature: float
    top_k: int
    top_p: float
    target: str | None
    draft: str | None
    max_attempts: int
    max_seconds: float | None
    sampler: str = "auto"


@dataclass(frozen=True, kw_only=True)
class GenerateRequest(Sampling):
    """The options of the command, as typed."""

    prompt: str
    schema: str | None
    regex: str | None
    gamma: int | None
    property_order: str
    whitespace: str
    drafter: str = "auto"
    verifier: str = "auto"
    controller: str = "auto"
    parallel: int = 1
    particles: int = 16
    mcmc_steps: int = 10
    stream: bool = False
    grammar: str | None = None
    kind: str = "auto"
    start: str | None = None
    as_json: bool = False


def generate_texts(request: GenerateRequest) -> None:
    """Write `n` texts to stdout, and reports to stderr if asked for.

    Parameters
    ----------
    request : GenerateRequest
        The options of the command.

    Raises
    ------
    GramspecError
        When anything in the request cannot be used.
    """
    if request.stream and request.as_json:
        raise OptionError("--stream, --json: one object is not written piece by piece; leave one of them out")
    grammar = _grammar(request)
    options = DecodingOptions(
        gamma=request.gamma,
        max_attempts=request.max_attempts,
        max_seconds=request.max_seconds,
        drafter=request.drafter,
        verifier=request.verifier,
        controller=request.controller,
        parallel=request.parallel,
        particles=request.particles,
        mcmc_steps=request.mcmc_steps,
    )
    pair = named_models(request.target, request.draft)
    completions = sampled(request, pair, request.prompt, grammar, options, _show if request.stream else None)
    if request.as_json:
        value = {"completions": [dataclasses.asdict(completion) for completion in completions]}
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
        return
    console = Console(stderr=True)
    for completion in completions:
        if not request.stream:
            sys.stdout.write(completion.text + "\n")
            sys.stdout.flush()
        if request.report:
            console.print(completion.report)


def _show(chunk: Chunk) -> None:
    """Write text as soon as it is certain; a text ends with a new line."""
    sys.stdout.write(chunk.text + ("\n" if chunk.final else ""))
    sys.stdout.flush()


def _grammar(request: GenerateRequest) -> Grammar:
    if [request.schema, request.regex, request.grammar].count(None) != 2:
        raise OptionError("--schema, --regex, --grammar: exactly one of the three is needed")
    if request.grammar is not None:
        source = GrammarRequest(
            request.grammar, request.kind, request.property_order, request.whitespace, start=request.start
        )
        return read_grammar(source).grammar
    if request.regex is not None:
        from gramspec.grammar.regex import regex

        return regex(request.regex)
    assert request.schema is not None
    schema = GrammarRequest(request.schema, "json-schema", request.property_order, request.whitespace)
    return read_grammar(schema, "--schema").grammar


def sampled(
    request: Sampling,
    pair: tuple[Any, Any],
    prompt: str,
    grammar: Grammar,
    options: DecodingOptions,
    stream: Callable[[Chunk], None] | None = None,
) -> list[Completion]:
    """The texts that a command asks for, drawn under a progress bar.

    Parameters
    ----------
    request : Sampling
        How many, of which law, how.
    pair : tuple
        Target and draft model, as `named_models` gives them.
    prompt : str
        What the model is asked.
    grammar : Grammar
        What may be written.
    options : DecodingOptions
        The rest of what is asked.
    stream : callable, optional
        Takes text as soon as it is certain; there is no bar then.
    """
    target, draft = pair
    with counting_bar(Console(stderr=True), hidden=stream is not None) as bar:
        task = bar.add_task("sampling", total=request.n)
        [completions] = generate(
            target,
            [prompt],
            grammar,
            draft=draft,
            law=cast(Literal["conditional", "masked"], request.law),
            sampler=request.sampler,
            n=request.n,
            max_new_tokens=request.max_new_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            top_k=request.top_k,
            seed=request.seed,
            options=options,
            progress=lambda done, total: bar.update(task, completed=done),
            stream=stream,
        )
    return completions


def named_models(target: str | None, draft: str | None) -> tuple[Any, Any]:
    """Target and draft model by name; None for the draft where there is none.

    Parameters
    ----------
    target : str or None
        Directory of a model; None: the embedded pair.
    draft : str or None
        Directory of a model; "none" drafts nothing; None: the embedded one beside the embedded target.
    """
    if target is None:
        first, second = models.embedded()
        if draft is None:
            return first, second
    else:
        first = models.load(target)
    if draft is None or draft == "none":
        return first, None
    return first, models.load(draft)


def command(
    prompt: Annotated[str, typer.Option(help="What the model is asked.")],
    schema: Annotated[str | None, typer.Option(help="File with a JSON Schema; '-' reads stdin.")] = None,
    regex: Annotated[str | None, typer.Option(help="A regular expression in place of a schema.")] = None,
    grammar: Annotated[str | None, typer.Option(help=SOURCE_HELP)] = None,
    law: Annotated[
        str,
        typer.Option(
            help="'conditional': P(text | text fits); 'masked': local masking.", autocompletion=LAWS
        ),
    ] = "conditional",
    sampler: Annotated[
        str,
        typer.Option(
            help="'restart': exact; 'smc', 'mcmc': consistent; 'twisted': one weighted pass;"
            " 'auto': restarts, then 'smc'.",
            autocompletion=SAMPLERS,
        ),
    ] = "auto",
    n: Annotated[int, typer.Option("--n", "-n", help="How many texts.")] = 1,
    seed: Annotated[int | None, typer.Option(help="Makes the texts reproducible.")] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Show on stderr what each text cost and what may be claimed.")
    ] = False,
    max_new_tokens: Annotated[
        int, typer.Option(help="Longest text in tokens, the end-of-sequence token counted.")
    ] = 256,
    temperature: Temperature = 1.0,
    top_k: TopK = 0,
    top_p: TopP = 1.0,
    target: Target = None,
    draft: Annotated[
        str | None, typer.Option(help="Directory of a draft model; 'none' drafts nothing.")
    ] = None,
    gamma: Annotated[
        int | None,
        typer.Option(help="Tokens drafted per round; 0 drafts nothing.", show_default="as suits the drafter"),
    ] = None,
    drafter: Annotated[
        str,
        typer.Option(help=f"One of {', '.join(DRAFTERS)}.", autocompletion=one_of(*DRAFTERS)),
    ] = "auto",
    verifier: Annotated[
        str,
        typer.Option(
            help=f"Rule that keeps or refuses drafts: one of {', '.join(VERIFIERS)}.",
            autocompletion=one_of(*VERIFIERS),
        ),
    ] = "auto",
    controller: Annotated[
        str,
        typer.Option(
            help=f"One of {', '.join(CONTROLLERS)}.",
            autocompletion=one_of(*CONTROLLERS),
        ),
    ] = "auto",
    parallel: Annotated[int, typer.Option(help="Attempts under way at a time.")] = 1,
    particles: Annotated[int, typer.Option(help="Particles of one 'smc' run.")] = 16,
    mcmc_steps: Annotated[int, typer.Option(help="Moves of one 'mcmc' chain.")] = 10,
    stream: Annotated[
        bool, typer.Option("--stream", help="Write text as soon as nothing can take it back.")
    ] = False,
    max_attempts: Annotated[int, typer.Option(help="Attempts per text.")] = 10_000,
    max_seconds: Annotated[
        float | None, typer.Option(help="Seconds per text after which no attempt begins.")
    ] = None,
    property_order: Order = "schema",
    whitespace: WhiteSpace = "any",
    kind: Kind = "auto",
    start: Start = None,
    as_json: AsJson = False,
) -> None:
    """Write texts that fit a JSON Schema, a regular expression or a grammar to stdout, one by one."""
    generate_texts(
        GenerateRequest(
            prompt=prompt,
            schema=schema,
            regex=regex,
            grammar=grammar,
            law=law,
            n=n,
            seed=seed,
            report=report,
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            target=target,
            draft=draft,
            gamma=gamma,
            sampler=sampler,
            drafter=drafter,
            verifier=verifier,
            controller=controller,
            parallel=parallel,
            particles=particles,
            mcmc_steps=mcmc_steps,
            stream=stream,
            max_attempts=max_attempts,
            max_seconds=max_seconds,
            property_order=property_order,
            whitespace=whitespace,
            kind=kind,
            start=start,
            as_json=as_json,
        )
    )
