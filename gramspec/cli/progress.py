"""The progress bar of commands that count what they have done.

Law: on stderr, gone when the work is, and shown to people only: never where stderr is no terminal.
"""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


def counting_bar(console: Console, *, hidden: bool = False) -> Progress:
    """A bar with a description, a count and the time.

    Parameters
    ----------
    console : Console
        Where it is shown.
    hidden : bool
        Whether not to show it, terminal or not.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=hidden or not console.is_terminal)
