"""The typer application: commands, and how refusals are shown.

Law: one `GramspecError`, one red message that names the place, no traceback, no partial text; the exit code
says whether the input was refused (2) or a limit was reached before there was an answer (3).
Source: API, "Command line".
"""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.text import Text

from gramspec.cli import audit, bench, check, compile, generate, phi, sample, serve, sql
from gramspec.errors import BudgetExhaustedError, DeadEndError, GramspecError, LimitError

_ABOUT: Final = "Sample from a language model conditioned on a grammar; explain, sample and check grammars."
REFUSED: Final = 2
GAVE_UP: Final = 3

app = typer.Typer(
    name="gramspec",
    help=_ABOUT,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command(name="generate", epilog=generate.EXAMPLE)(generate.command)
app.command(name="compile", epilog=compile.EXAMPLE)(compile.command)
app.command(name="sample", epilog=sample.EXAMPLE)(sample.command)
app.command(name="check", epilog=check.EXAMPLE)(check.command)
app.command(name="phi", epilog=phi.EXAMPLE)(phi.command)
app.command(name="bench", epilog=bench.EXAMPLE)(bench.command)
app.command(name="sql", epilog=sql.EXAMPLE)(sql.command)
app.command(name="audit", epilog=audit.EXAMPLE)(audit.command)
app.command(name="serve", epilog=serve.EXAMPLE)(serve.command)


def _show_version(asked: bool) -> None:
    if asked:
        from gramspec import __version__

        typer.echo(f"gramspec {__version__}")
        raise typer.Exit


@app.callback(help=_ABOUT)
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass


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
        code = GAVE_UP if isinstance(error, LimitError | BudgetExhaustedError | DeadEndError) else REFUSED
        _show_error(error, code, as_json=_json_on_stdout(sys.argv[1:] if arguments is None else arguments))
        return code
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    return 0


def _json_on_stdout(words: list[str]) -> bool:
    """Whether JSON was asked for, and on stdout: `audit` takes a file, or ``-``, with ``--json``."""
    if "--json" not in words:
        return False
    return words[0] != "audit" or words[words.index("--json") + 1 :][:1] == ["-"]


def _show_error(error: GramspecError, code: int, *, as_json: bool) -> None:
    """The message on stderr; where JSON was asked for, one object on stdout as well."""
    notes = list(getattr(error, "__notes__", ()))
    text = "\n".join([f"error: {type(error).__name__}: {error}", *notes])
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(text, style="red"))
    if as_json:
        facts: dict[str, Any] = {"type": type(error).__name__, "message": str(error), "exit_code": code}
        for name in ("pointer", "reason", "hint", "limit", "place"):
            if isinstance(value := getattr(error, name, None), str):
                facts[name] = value
        if notes:
            facts["notes"] = notes
        sys.stdout.write(json.dumps({"error": facts}, ensure_ascii=False) + "\n")
