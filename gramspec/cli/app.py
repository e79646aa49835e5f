"""The typer application: commands, and how refusals are shown.

Law: one `GramspecError`, one red message that names the place, exit code 2; no traceback, no partial text.
Source: API, "Command line".
"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from gramspec.cli.generate import GenerateRequest, generate_texts
from gramspec.errors import GramspecError

app = typer.Typer(
    name="gramspec",
    help="Sample from a language model conditioned on a grammar.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

_EXAMPLE = (
    'Example: gramspec generate --schema examples/user.schema.json --prompt "Write a JSON user profile for'
    ' Maria Lopez." --n 2 --seed 1'
)


@app.callback()
def _root() -> None:
    """Sample from a language model conditioned on a grammar."""


@app.command(epilog=_EXAMPLE)
def generate(
    prompt: Annotated[str, typer.Option(help="What the model is asked.")],
    schema: Annotated[str | None, typer.Option(help="File with a JSON Schema; '-' reads stdin.")] = None,
    regex: Annotated[str | None, typer.Option(help="A regular expression in place of a schema.")] = None,
    law: Annotated[
        str, typer.Option(help="'conditional': P(text | text fits); 'masked': local masking.")
    ] = "conditional",
    n: Annotated[int, typer.Option("--n", "-n", help="How many texts.")] = 1,
    seed: Annotated[int | None, typer.Option(help="Makes the texts reproducible.")] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Show on stderr what each text cost and what may be claimed.")
    ] = False,
    max_new_tokens: Annotated[
        int, typer.Option(help="Longest text in tokens, the end-of-sequence token counted.")
    ] = 256,
    temperature: Annotated[float, typer.Option(help="Divides the logits.")] = 1.0,
    top_k: Annotated[int, typer.Option(help="Keep the k most probable tokens; 0 keeps all.")] = 0,
    top_p: Annotated[float, typer.Option(help="Keep the most probable tokens of this mass.")] = 1.0,
    target: Annotated[
        str | None, typer.Option(help="Directory of the target model; default: the embedded pair.")
    ] = None,
    draft: Annotated[
        str | None, typer.Option(help="Directory of a draft model; 'none' drafts nothing.")
    ] = None,
    gamma: Annotated[int, typer.Option(help="Tokens drafted per round.")] = 4,
    max_attempts: Annotated[int, typer.Option(help="Attempts per text.")] = 10_000,
    max_seconds: Annotated[
        float | None, typer.Option(help="Seconds per text after which no attempt begins.")
    ] = None,
    property_order: Annotated[
        str, typer.Option(help="Order of an object's keys: 'schema' or 'any'.")
    ] = "schema",
    whitespace: Annotated[
        str, typer.Option(help="White space in JSON: 'any', 'compact', or the most characters per gap.")
    ] = "any",
) -> None:
    """Write texts that fit a JSON Schema (or a regular expression), one after the other, to stdout."""
    generate_texts(
        GenerateRequest(
            prompt=prompt,
            schema=schema,
            regex=regex,
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
            max_attempts=max_attempts,
            max_seconds=max_seconds,
            property_order=property_order,
            whitespace=whitespace,
        )
    )


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
