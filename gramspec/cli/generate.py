"""`gramspec generate`: a schema and a prompt in, texts out.

Law: each text on stdout belongs to the grammar and follows the law asked for.
Source: API, "Command line".
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast

from rich.console import Console

from gramspec import models
from gramspec.cli.progress import counting_bar
from gramspec.cli.sources import GrammarRequest, read_grammar, read_text
from gramspec.decoding.completion import Completion
from gramspec.decoding.generate import generate
from gramspec.decoding.options import DecodingOptions
from gramspec.decoding.streaming import Chunk
from gramspec.errors import OptionError
from gramspec.grammar.core import Grammar


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
    from gramspec.grammar.json_schema import json_schema

    whitespace: Any = int(request.whitespace) if request.whitespace.isdecimal() else request.whitespace
    order = cast(Literal["schema", "any"], request.property_order)
    return json_schema(read_text(request.schema, "--schema"), property_order=order, whitespace=whitespace)


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
