"""The typer application: commands, and how refusals are shown.

Law: one `GramspecError`, one red message that names the place, exit code 2; no traceback, no partial text.
Source: API, "Command line".
"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from gramspec.cli import audit, serve
from gramspec.cli.check import CheckRequest, check_text
from gramspec.cli.compile import CompileRequest, explain
from gramspec.cli.generate import GenerateRequest, generate_texts
from gramspec.cli.phi import PhiRequest, show_phi
from gramspec.cli.potentials import POTENTIAL_HELP
from gramspec.cli.sample import SampleRequest, sample_texts
from gramspec.cli.sources import KIND_HELP, SOURCE_HELP, START_HELP, GrammarRequest
from gramspec.cli.sql import SqlRequest, answer
from gramspec.cli.vocabularies import EOS_HELP, VOCABULARY_HELP
from gramspec.errors import GramspecError

app = typer.Typer(
    name="gramspec",
    help="Sample from a language model conditioned on a grammar; explain, sample and check grammars.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

_GENERATE_EXAMPLE = (
    'Example: gramspec generate --schema examples/user.schema.json --prompt "Write a JSON user profile for'
    ' Maria Lopez." --n 2 --seed 1'
)
_COMPILE_EXAMPLE = "Example: gramspec compile examples/user.schema.json --svg user.svg"
_SAMPLE_EXAMPLE = "Example: gramspec sample examples/user.schema.json --n 3 --seed 1"
_CHECK_EXAMPLE = 'Example: gramspec check examples/calculator.lark "(1 + x) * 2"'
_PHI_EXAMPLE = (
    'Example: gramspec phi regex:"[0-9]{4}-[0-9]{2}" --prompt "Write a month." --max-new-tokens 8'
    " --potential viability --potential learned --rollouts 32 --points 4"
)
_SQL_EXAMPLE = 'Example: gramspec sql "names of customers in Berlin" --ddl examples/shop.sql --seed 1'

Source = Annotated[str, typer.Argument(metavar="GRAMMAR", help=SOURCE_HELP)]
Kind = Annotated[str, typer.Option(help=KIND_HELP)]
Order = Annotated[str, typer.Option(help="Order of an object's keys: 'schema' or 'any'.")]
WhiteSpace = Annotated[
    str, typer.Option(help="White space in JSON: 'any', 'compact', or the most characters per gap.")
]
Formats = Annotated[str, typer.Option(help="Whether `format` counts: 'assert' or 'annotate'.")]
Draft = Annotated[
    str | None, typer.Option(help="Draft of JSON Schema: 4, 6, 7, 2019-09 or 2020-12; default: by $schema.")
]
Start = Annotated[str | None, typer.Option(help=START_HELP, show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")]
Temperature = Annotated[float, typer.Option(help="Divides the logits.")]
TopK = Annotated[int, typer.Option(help="Keep the k most probable tokens; 0 keeps all.")]
TopP = Annotated[float, typer.Option(help="Keep the most probable tokens of this mass.")]
Target = Annotated[
    str | None,
    typer.Option(help="Directory of the target model; default: the embedded pair.", show_default=False),
]


@app.callback()
def _root() -> None:
    """Sample from a language model conditioned on a grammar; explain, sample and check grammars."""


@app.command(epilog=_GENERATE_EXAMPLE)
def generate(
    prompt: Annotated[str, typer.Option(help="What the model is asked.")],
    schema: Annotated[str | None, typer.Option(help="File with a JSON Schema; '-' reads stdin.")] = None,
    regex: Annotated[str | None, typer.Option(help="A regular expression in place of a schema.")] = None,
    grammar: Annotated[str | None, typer.Option(help=SOURCE_HELP)] = None,
    law: Annotated[
        str, typer.Option(help="'conditional': P(text | text fits); 'masked': local masking.")
    ] = "conditional",
    sampler: Annotated[
        str,
        typer.Option(
            help="'restart': exact; 'smc', 'mcmc': consistent; 'twisted': one weighted pass;"
            " 'auto': restarts, then 'smc'."
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
        typer.Option(help="'auto', 'none', 'model', 'tree', 'dyspec', 'probing', 'model-free' or 'fused'."),
    ] = "auto",
    verifier: Annotated[str, typer.Option(help="Rule that keeps or refuses drafts.")] = "auto",
    controller: Annotated[
        str, typer.Option(help="'auto', 'fixed', 'threshold', 'latency', 'bandit' or 'bandit-seconds'.")
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
        )
    )


@app.command(name="compile", epilog=_COMPILE_EXAMPLE)
def compile_(
    grammar: Source,
    vocabulary: Annotated[str, typer.Option(help=VOCABULARY_HELP)] = "none",
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


@app.command(epilog=_SAMPLE_EXAMPLE)
def sample(
    grammar: Source,
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
    kind: Kind = "auto",
    property_order: Order = "schema",
    whitespace: WhiteSpace = "any",
    formats: Formats = "assert",
    draft: Draft = None,
    start: Start = None,
) -> None:
    """Write random members of a grammar to stdout, without a language model."""
    source = GrammarRequest(grammar, kind, property_order, whitespace, formats, draft, start)
    sample_texts(SampleRequest(source, n, uniform, max_length, length, seed, jsonl))


@app.command(epilog=_CHECK_EXAMPLE)
def check(
    grammar: Source,
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


@app.command(epilog=_PHI_EXAMPLE)
def phi(
    grammar: Source,
    prompt: Annotated[str, typer.Option(help="What the model is asked.")],
    potential: Annotated[
        list[str] | None,
        typer.Option(help=POTENTIAL_HELP, show_default="viability, one-step, partition"),
    ] = None,
    samples: Annotated[int, typer.Option("--samples", "-n", help="Draws of each potential's proposal.")] = 32,
    rollouts: Annotated[int, typer.Option(help="Monte-Carlo runs at each prefix.")] = 64,
    points: Annotated[int, typer.Option(help="Prefixes at which Φ is estimated.")] = 8,
    fit_samples: Annotated[int, typer.Option(help="Samples or runs of the target that fits take.")] = 64,
    fits: Annotated[
        str | None,
        typer.Option(
            help="Directory of fitted potentials (hmm, learned): read where there, else written.",
            show_default=False,
        ),
    ] = None,
    plot: Annotated[
        str | None, typer.Option(help="File for the plots: .png, .svg or .pdf.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    seed: Annotated[int, typer.Option(help="Makes the answer reproducible.")] = 0,
    max_new_tokens: Annotated[
        int, typer.Option(help="Longest text in tokens, the end-of-sequence token counted.")
    ] = 64,
    temperature: Temperature = 1.0,
    top_k: TopK = 0,
    top_p: TopP = 1.0,
    target: Target = None,
    draft: Annotated[
        str | None,
        typer.Option(help="Directory of a draft model, for rollouts; 'none': no draft.", show_default=False),
    ] = None,
    kind: Kind = "auto",
    property_order: Order = "schema",
    whitespace: WhiteSpace = "any",
    formats: Formats = "assert",
    start: Start = None,
) -> None:
    """Measure potentials: h against Φ by Monte Carlo, ρ along draws, effective sample size; plot them."""
    chosen = tuple(potential) if potential else ("viability", "one-step", "partition")
    show_phi(
        PhiRequest(
            grammar=GrammarRequest(grammar, kind, property_order, whitespace, formats, start=start),
            prompt=prompt,
            potentials=chosen,
            samples=samples,
            rollouts=rollouts,
            points=points,
            fit_samples=fit_samples,
            fits=fits,
            plot=plot,
            as_json=as_json,
            seed=seed,
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            target=target,
            draft=draft,
        )
    )


@app.command(epilog=_SQL_EXAMPLE)
def sql(
    question: Annotated[
        str | None,
        typer.Argument(
            metavar="QUESTION", help="What is asked; left out: the tables are shown.", show_default=False
        ),
    ] = None,
    db: Annotated[
        str | None,
        typer.Option(
            help="URL of the database: sqlite:///file.db, postgresql://user@host/name.", show_default=False
        ),
    ] = None,
    ddl: Annotated[
        str | None,
        typer.Option(
            help="File with CREATE statements in place of a database; '-' reads stdin.", show_default=False
        ),
    ] = None,
    dialect: Annotated[
        str | None,
        typer.Option(help="'sqlite', 'postgres' or 'mysql'.", show_default="that of the URL, sqlite for DDL"),
    ] = None,
    tables: Annotated[
        str | None, typer.Option(help="Only these tables, with commas between.", show_default="all")
    ] = None,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Only statements that SQLite prepares on the tables.")
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="INSERT, UPDATE and DELETE too, and run them.")
    ] = False,
    run_: Annotated[
        bool, typer.Option("--run/--no-run", help="Run the statements on the database and show the rows.")
    ] = True,
    rows: Annotated[int, typer.Option(help="Rows shown of each result.")] = 20,
    seconds: Annotated[float, typer.Option(help="Seconds that a statement may run.")] = 10.0,
    template: Annotated[
        str | None,
        typer.Option(
            help="The prompt, with {schema}, {dialect} and {question}.",
            show_default="the question alone for the embedded pair, else all three",
        ),
    ] = None,
    law: Annotated[
        str, typer.Option(help="'conditional': P(statement | it fits); 'masked': local masking.")
    ] = "conditional",
    sampler: Annotated[
        str, typer.Option(help="'restart', 'smc', 'mcmc', 'twisted' or 'auto', as in `gramspec generate`.")
    ] = "auto",
    n: Annotated[int, typer.Option("--n", "-n", help="How many statements.")] = 1,
    seed: Annotated[int | None, typer.Option(help="Makes the statements reproducible.")] = None,
    report: Annotated[
        bool,
        typer.Option("--report", help="Show on stderr what each statement cost and what may be claimed."),
    ] = False,
    as_json: AsJson = False,
    max_new_tokens: Annotated[
        int, typer.Option(help="Longest statement in tokens, the end-of-sequence token counted.")
    ] = 128,
    temperature: Temperature = 1.0,
    top_k: TopK = 0,
    top_p: TopP = 1.0,
    target: Target = None,
    draft: Annotated[
        str | None,
        typer.Option(help="Directory of a draft model; 'none' drafts nothing.", show_default=False),
    ] = None,
    max_attempts: Annotated[int, typer.Option(help="Attempts per statement.")] = 10_000,
    max_seconds: Annotated[
        float | None, typer.Option(help="Seconds per statement after which no attempt begins.")
    ] = None,
) -> None:
    """Show the tables of a database, write statements that answer a question, and run them read only.

    Exit code: 0 done, 1 the database refused to run a statement, 2 the input cannot be used.
    """
    request = SqlRequest(
        question=question,
        db=db,
        ddl=ddl,
        dialect=dialect,
        tables=tables,
        prepare=prepare,
        write=write,
        run=run_,
        rows=rows,
        seconds=seconds,
        template=template,
        n=n,
        seed=seed,
        report=report,
        as_json=as_json,
        max_new_tokens=max_new_tokens,
        law=law,
        sampler=sampler,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        target=target,
        draft=draft,
        max_attempts=max_attempts,
        max_seconds=max_seconds,
    )
    raise typer.Exit(answer(request))


app.command(name="audit", epilog=audit.EXAMPLE)(audit.command)
app.command(name="serve", epilog=serve.EXAMPLE)(serve.command)


def run(arguments: list[str] | None = None) -> int:
    """Run the application and turn errors into messages and exit codes.

    Parameters
    ----------
    arguments : list of str, optional
        Without the program's name; None takes those of the process.
    """
    try:
        app(args=arguments, prog_name="gramspec")
    except GramspecError as error:
        message = Text(f"error: {type(error).__name__}: {error}", style="red")
        Console(stderr=True, highlight=False, soft_wrap=True).print(message)
        return 2
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    return 0
