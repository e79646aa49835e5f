"""Command line: `gramspec generate | compile | sample | check | phi | bench | sql | audit | serve`.

Law: text goes to stdout, everything else to stderr; a refused input is exit code 2 with its place, and 3
is a limit or budget that was reached before there was an answer.
Source: API, "Command line".
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, optional
        Without the program's name; None takes those of the process.

    Returns
    -------
    int
        Exit code: 0 done, 1 the answer is no (`check`: not a member; `sql`: the database refused to run
        a statement), 2 input refused, 3 a limit or budget was reached, 130 interrupted.
    """
    try:
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ModuleNotFoundError as error:
        print(f"error: the command line needs {error.name}: pip install 'gramspec[cli]'", file=sys.stderr)
        return 2
    from gramspec.cli.app import run

    return run(arguments)
