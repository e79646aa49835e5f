"""`Grammar`: an expression with its name and its residual predicates, and the algebra users see.

Law: a grammar denotes its expression's language cut down by its residual predicates.
Source: API, section 1; architecture, "Residual predicates".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

from gramspec.errors import GrammarError, UnsupportedError
from gramspec.grammar import encoding, ir


class Place(NamedTuple):
    """What a residual predicate enforces, and where the user wrote it.

    Attributes
    ----------
    pointer : str
        Place in the user's input.
    keyword : str
        What is enforced there.
    reason : str
        Why no automaton enforces it.
    """

    pointer: str
    keyword: str
    reason: str

    def __str__(self) -> str:
        return f"{self.pointer or '(whole input)'}: {self.keyword} ({self.reason})"


class Reading(Protocol):
    """How far a predicate has read a text; immutable, so that sequences may share and forget it."""

    def read(self, data: bytes) -> Reading | None:
        """The reading after more bytes; None if no continuation of the text satisfies the predicate."""
        ...


class Residual(Protocol):
    """A predicate on the whole text: what neither automaton nor payload enforces."""

    @property
    def places(self) -> tuple[Place, ...]:
        """What it enforces; at least one."""
        ...

    @property
    def key(self) -> str:
        """Identifies the predicate: equal keys, equal answers on every text."""
        ...

    def holds(self, text: bytes) -> bool:
        """Whether a text of the expression's language satisfies the predicate.

        Raises
        ------
        LimitError
            If the text cannot be decided within the limits.
        """
        ...

    def reading(self) -> Reading | None:
        """The reading of the empty text; None where the predicate is only asked at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Predicate:
    """A residual predicate made of a function.

    Parameters
    ----------
    pointer, keyword, reason : str
        As in `Place`.
    key : str
        Names the function; two functions with one key must agree on every text.
    test : callable
        Takes the whole text.
    """

    pointer: str
    keyword: str
    reason: str
    key: str
    test: Callable[[bytes], bool]

    @property
    def places(self) -> tuple[Place, ...]:
        """The one place."""
        return (Place(self.pointer, self.keyword, self.reason),)

    def holds(self, text: bytes) -> bool:
        """What the function says."""
        return self.test(text)

    def reading(self) -> Reading | None:
        """A function is asked at the end of the text."""
        return None


class Grammar:
    """What may be written. Immutable; made by `gramspec.regex`, `gramspec.json_schema`, ….

    Parameters
    ----------
    expr : ir.Expr
        Byte-level expression (no `CharSet` left).
    description : str
        One line for people.
    residuals : tuple of Residual
        Predicates that a member satisfies besides; they see bytes, so they exclude token edges.

    Raises
    ------
    UnsupportedError
        If there are both residual predicates and token edges.
    """

    __slots__ = ("_expr", "_fingerprint", "bytes_only", "description", "residuals")

    # Set by the package: membership and fingerprints need the automaton room, which lies to the right.
    _accepts_hook: ClassVar[Callable[[Grammar, Sequence[bytes | int]], bool]]
    _fingerprint_hook: ClassVar[Callable[[ir.Expr], str]]

    def __init__(
        self, expr: ir.Expr, description: str = "grammar", residuals: tuple[Residual, ...] = ()
    ) -> None:
        if residuals and any(isinstance(node, ir.TokenEdge | ir.TokenSet) for node in ir.walk(expr)):
            raise UnsupportedError(
                residuals[0].places[0].pointer,
                f"{description} has token edges and residual predicates ({_listed(residuals)}),"
                " which see the bytes of a text only",
                "keep token edges out of grammars with such keywords",
            )
        self._expr: ir.Expr | Callable[[], ir.Expr] = expr
        self.description = description
        self.residuals = residuals
        self.bytes_only = bool(residuals)  # known to have no token edges
        self._fingerprint: str | None = None

    @classmethod
    def deferred(
        cls,
        make: Callable[[], ir.Expr],
        description: str,
        residuals: tuple[Residual, ...] = (),
        *,
        bytes_only: bool = False,
    ) -> Grammar:
        """A grammar whose expression is made when it is first asked for.

        Parameters
        ----------
        make : callable
            Makes the expression.
        description : str
            One line for people.
        residuals : tuple of Residual
            Predicates; only with `bytes_only`.
        bytes_only : bool
            The maker knows that there are no token edges: nobody need look at every rule for them.
        """
        if residuals and not bytes_only:
            raise ValueError("predicates on the bytes of a text need a grammar without token edges")
        grammar = cls(ir.EMPTY, description, residuals)
        grammar._expr = make
        grammar.bytes_only = bytes_only
        return grammar

    @property
    def expr(self) -> ir.Expr:
        """Byte-level expression (no `CharSet` left)."""
        if callable(self._expr):
            self._expr = self._expr()
        return self._expr

    @property
    def fingerprint(self) -> str:
        """Identifies the language (hex): the expression's structure and the keys of its residuals."""
        if self._fingerprint is None:
            text = Grammar._fingerprint_hook(self.expr)
            for residual in self.residuals:
                text = hashlib.sha256(f"{text}\n{residual.key}".encode()).hexdigest()
            self._fingerprint = text
        return self._fingerprint

    def accepts(self, text: str | bytes | Sequence[bytes | int]) -> bool:
        """Whether the whole of `text` belongs to the grammar, residual predicates included.

        Parameters
        ----------
        text : str, bytes or sequence of bytes and int
            Ints are token ids, for grammars with token edges. A str is taken as UTF-8.

        Raises
        ------
        UnicodeEncodeError
            If a str holds lone surrogates.
        """
        if isinstance(text, str):
            parts: Sequence[bytes | int] = [text.encode("utf-8")]
        elif isinstance(text, bytes):
            parts = [text]
        else:
            parts = text
        return Grammar._accepts_hook(self, parts)

    def __or__(self, other: Grammar) -> Grammar:
        """Union; with residual predicates a text belongs to it iff one of the sides accepts it."""
        residuals: tuple[Residual, ...] = ()
        if self.residuals or other.residuals:
            residuals = (OneSide((self, other)),)
        description = f"({self.description} | {other.description})"
        return Grammar(ir.union(self.expr, other.expr), description, residuals)

    def __add__(self, other: Grammar) -> Grammar:
        """Concatenation; `UnsupportedError` if a side has residual predicates."""
        _require_none_left(self, "+")
        _require_none_left(other, "+")
        return Grammar(ir.concat(self.expr, other.expr), f"({self.description} + {other.description})")

    def __and__(self, other: Grammar) -> Grammar:
        """Intersection; `GrammarError` unless both sides are regular and have no residual predicates."""
        _require_regular(self, "&")
        _require_regular(other, "&")
        return Grammar(ir.And((self.expr, other.expr)), f"({self.description} & {other.description})")

    def __invert__(self) -> Grammar:
        """All valid UTF-8 texts that are not members; `GrammarError` as for ``&``."""
        _require_regular(self, "~")
        return Grammar(ir.And((encoding.UTF8_TEXT, ir.Not(self.expr))), f"~{self.description}")

    def __repr__(self) -> str:
        return f"<gramspec.Grammar {self.description}>"


class OneSide:
    """The residual of a union: one of its sides accepts the text.

    Parameters
    ----------
    sides : tuple of Grammar
        At least one of them has residual predicates.
    """

    __slots__ = ("places", "sides")

    def __init__(self, sides: tuple[Grammar, ...]) -> None:
        self.sides = sides
        self.places = tuple(dict.fromkeys(p for side in sides for r in side.residuals for p in r.places))

    @property
    def key(self) -> str:
        """Names the sides, in order."""
        return "one of " + " ".join(side.fingerprint for side in self.sides)

    def holds(self, text: bytes) -> bool:
        """Whether a side accepts the text."""
        return any(side.accepts(text) for side in self.sides)

    def reading(self) -> Reading | None:
        """The sides are asked at the end of the text."""
        return None


def _listed(residuals: Sequence[Residual]) -> str:
    return "; ".join(str(place) for residual in residuals for place in residual.places)


def _require_none_left(grammar: Grammar, operator: str) -> None:
    if grammar.residuals:
        raise UnsupportedError(
            grammar.residuals[0].places[0].pointer,
            f"`{operator}` cannot be applied to {grammar.description}: predicates on its whole text are"
            f" left over, {_listed(grammar.residuals)}",
            "take these keywords out, or combine grammars with `|`",
        )


def _require_regular(grammar: Grammar, operator: str) -> None:
    _require_none_left(grammar, operator)
    if any(
        isinstance(node, (ir.Ref, ir.JsonObject, ir.TokenEdge, ir.TokenSet)) for node in ir.walk(grammar.expr)
    ):
        raise GrammarError(
            "",
            f"`{operator}` needs regular operands, and {grammar.description} is not regular",
            "use regex, choice or literal grammars on both sides",
        )
