"""Bounds of repetitions: ``?``, ``*``, ``+``, ``~ n`` and ``~ n..m``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gramspec.grammar.lark.trees import Token

if TYPE_CHECKING:
    from gramspec.grammar.lark.modules import Scope

MAX_COUNT: Final = 1_000_000_000
_MARKS: Final[dict[str, tuple[int, int | None]]] = {"?": (0, 1), "*": (0, None), "+": (1, None)}


def bounds(tree: Any, scope: Scope) -> tuple[int, int | None]:
    """Least and most repetitions that an `expr` tree asks for; None: without end.

    Raises
    ------
    GrammarError
        If they cross, are negative or too large to be meant.
    """
    _, mark, *numbers = tree.children
    if mark.value in _MARKS:
        return _MARKS[mark.value]
    least = _count(numbers[0], scope)
    if len(numbers) == 1:
        return least, least
    if numbers[1].value == "-1" and scope.source.rewritten(numbers[1].start_pos):
        return least, None
    most = _count(numbers[1], scope)
    if most < least:
        reason = f"{numbers[0].value}..{numbers[1].value} repetitions: the most are fewer than the least"
        raise scope.place(numbers[0]).error(reason, "swap the two numbers")
    return least, most


def _count(number: Token, scope: Scope) -> int:
    text = number.value
    value = int(text) if len(text) <= 12 else MAX_COUNT + 1
    if text.startswith("-") and value != 0:
        raise scope.place(number).error("a negative number of repetitions")
    if value > MAX_COUNT:
        reason = f"more than {MAX_COUNT:,} repetitions"
        raise scope.place(number).error(reason, "use `*` or `+` for any number")
    return value
