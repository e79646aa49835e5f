"""What a SQL dialect is to the grammar: words, quotes, literals, operators, functions, clauses.

Law: a `Dialect` is plain data; the modules that build the grammar read it and hold no dialect of their own.
Source: the manuals named in the modules of the dialects.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from gramspec.grammar.sql.catalog import Dialect as Name

Kind = Literal["scalar", "aggregate", "window", "ordered", "table"]


@dataclass(frozen=True, slots=True)
class Function:
    """A function as it may be called.

    Parameters
    ----------
    names : str
        Its name and synonyms, with spaces between them.
    least : int
        Fewest arguments.
    most : int or None
        Most arguments; None: any number.
    kind : {"scalar", "aggregate", "window", "ordered", "table"}
        An aggregate may have DISTINCT (one argument), FILTER and OVER; a window function needs OVER; an
        ordered-set aggregate needs WITHIN GROUP; a table function stands behind FROM.
    """

    names: str
    least: int
    most: int | None
    kind: Kind = "scalar"


@dataclass(frozen=True, slots=True)
class Dialect:
    """The data of one dialect; fields that hold words separate them by spaces."""

    name: Name
    reserved: frozenset[str]
    """Words in capitals that are never identifiers without quotes."""
    keywords: frozenset[str]
    """Words in capitals that are not used as aliases without quotes; holds `reserved`."""
    not_columns: frozenset[str]
    """Words in capitals that name no column or qualifier at the start of an expression without quotes."""
    quotes: str
    """Characters that open a quoted identifier: ``"``, ``[`` and the grave accent."""
    functions: tuple[Function, ...]
    constants: str
    arithmetic: str
    """Operators that bind more tightly than comparisons, written with signs."""
    comparisons: str
    row_comparisons: str
    """Comparisons of rows."""
    signs: str
    """Prefix operators."""
    word_comparisons: tuple[str, ...]
    """Comparison operators written with words."""
    likes: str
    """Pattern operators that may have ESCAPE."""
    patterns: str
    """Those that may not."""
    postfixes: tuple[str, ...]
    collations: tuple[str, ...]
    types: tuple[str, ...]
    """Names of types; `()` after a name: lengths may follow."""
    word_arithmetic: tuple[str, ...] = ()
    typed_texts: str = ""
    """Words before a text that make it a literal of a type."""
    units: str = ""
    """Parts of a date, for EXTRACT."""
    rowids: tuple[str, ...] = ()
    joins: tuple[str, ...] = ()
    """Joins: a condition may follow; behind "!" it must, behind "-" it cannot."""
    set_operators: tuple[str, ...] = ("UNION", "UNION ALL", "INTERSECT", "EXCEPT")
    line_comment: bytes = b"--"
    touchy: frozenset[str] = frozenset("-")
    """Characters of operators that must not meet another operator."""
    conflict_words: tuple[str, ...] = ()
    features: frozenset[str] = field(default_factory=frozenset)
    """Constructs that not every dialect has, by name."""

    def has(self, feature: str) -> bool:
        """Whether the dialect has a construct."""
        return feature in self.features


def words_of(*lines: str) -> frozenset[str]:
    """The words of some lines."""
    return frozenset(" ".join(lines).split())
