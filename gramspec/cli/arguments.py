"""Arguments that several commands share, each with its help and what a shell completes it to.

Law: one name, one meaning, one default in every command that takes it.
Source: API, "Command line".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from gramspec.cli.sources import KIND_HELP, KINDS, SOURCE_HELP, START_HELP


def one_of(*values: str) -> Callable[[str], list[str]]:
    """What a shell completes an option to that takes one of some values.

    Parameters
    ----------
    *values : str
        All of them.
    """

    def matching(incomplete: str) -> list[str]:
        return [value for value in values if value.startswith(incomplete)]

    return matching


GrammarSource = Annotated[str, typer.Argument(metavar="GRAMMAR", help=SOURCE_HELP)]
Kind = Annotated[str, typer.Option(help=KIND_HELP, autocompletion=one_of("auto", *KINDS))]
Order = Annotated[
    str,
    typer.Option(
        help="Order of an object's keys: 'schema' or 'any'.", autocompletion=one_of("schema", "any")
    ),
]
WhiteSpace = Annotated[
    str,
    typer.Option(
        help="White space in JSON: 'any', 'compact', or the most characters per gap.",
        autocompletion=one_of("any", "compact", "1"),
    ),
]
Formats = Annotated[
    str,
    typer.Option(
        help="Whether `format` counts: 'assert' or 'annotate'.", autocompletion=one_of("assert", "annotate")
    ),
]
Draft = Annotated[
    str | None,
    typer.Option(
        help="Draft of JSON Schema: 4, 6, 7, 2019-09 or 2020-12; default: by $schema.",
        autocompletion=one_of("4", "6", "7", "2019-09", "2020-12"),
    ),
]
Start = Annotated[str | None, typer.Option(help=START_HELP, show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Answer with one JSON object, errors too.")]
Temperature = Annotated[float, typer.Option(help="Divides the logits.")]
TopK = Annotated[int, typer.Option(help="Keep the k most probable tokens; 0 keeps all.")]
TopP = Annotated[float, typer.Option(help="Keep the most probable tokens of this mass.")]
Target = Annotated[
    str | None,
    typer.Option(help="Directory of the target model; default: the embedded pair.", show_default=False),
]
LAWS = one_of("conditional", "masked")
SAMPLERS = one_of("auto", "restart", "smc", "mcmc", "twisted")
