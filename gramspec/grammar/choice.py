"""Finite choices: one text out of a list, or one text.

Cost: a prefix tree, linear in the total length after one sort.
Source: API, section 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from gramspec.errors import EmptyLanguageError, GrammarError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar

_MAX_DEPTH: Final = 100


def literal(text: str | bytes) -> Grammar:
    """The grammar of exactly one text.

    Parameters
    ----------
    text : str or bytes
        A str is taken as UTF-8.

    Raises
    ------
    GrammarError
        If `text` is neither, or holds a lone surrogate.
    """
    return Grammar(ir.literal(_encode(text, "")), f"literal {text!r}")


def choice(strings: Iterable[str | bytes]) -> Grammar:
    """The grammar of the given texts and no others.

    Parameters
    ----------
    strings : iterable of str or bytes
        Duplicates count once. The empty text may be one of them.

    Raises
    ------
    EmptyLanguageError
        If there is no text.
    GrammarError
        If `strings` is a single text, or a member is not a text or holds a lone surrogate; the
        pointer is ``/index``.
    """
    if isinstance(strings, str | bytes) or not isinstance(strings, Iterable):
        hint = "write choice([text]) for one text"
        raise GrammarError("", f"choice takes a list of texts, not {type(strings).__name__}", hint)
    members = sorted({_encode(text, f"/{index}") for index, text in enumerate(strings)})
    if not members:
        raise EmptyLanguageError("", "a choice of no texts", "give at least one text")
    return Grammar(prefix_tree(members), f"choice of {len(members)}")


@dataclass(slots=True)
class _Branch:
    """A node of the prefix tree that is still open: its members share their first `depth` bytes."""

    depth: int
    parts: list[ir.Expr] = field(default_factory=list)


def prefix_tree(members: list[bytes], tails: Mapping[bytes, ir.Expr] | None = None) -> ir.Expr:
    """The union of sorted, distinct byte strings, common prefixes written once.

    With `tails`, each member is followed by what they say.

    Chains of prefixes longer than a hundred branches are left as plain alternatives, so that
    the expression stays shallow.
    """
    stack = [_Branch(0)]
    for index, member in enumerate(members):
        shared = _common(member, members[index + 1]) if index + 1 < len(members) else 0
        if shared > stack[-1].depth and len(stack) < _MAX_DEPTH:
            stack.append(_Branch(shared))
        top = stack[-1]
        tail = ir.EPSILON if tails is None else tails[member]
        top.parts.append(ir.concat(ir.literal(member[top.depth :]), tail))
        while shared < stack[-1].depth:
            closed = stack.pop()
            body = ir.union(*closed.parts)
            parent = stack[-1].depth
            if parent < shared:
                stack.append(_Branch(shared))
                parent = shared
            stack[-1].parts.append(ir.concat(ir.literal(member[parent : closed.depth]), body))
    return ir.union(*stack[0].parts)


def _common(first: bytes, second: bytes) -> int:
    length = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        length += 1
    return length


def _encode(text: str | bytes, pointer: str) -> bytes:
    if isinstance(text, bytes):
        return text
    if not isinstance(text, str):
        raise GrammarError(pointer, f"a text is a str or bytes, not {type(text).__name__}")
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        reason = f"lone surrogate U+{ord(text[error.start]):04X} at character {error.start}"
        raise GrammarError(pointer, reason, "write the character itself") from error
