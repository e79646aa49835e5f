"""Output types of outlines as grammars.

Law: the texts that the type describes; JSON schemas and Lark grammars inside of terms keep their meaning.
Source: `outlines.types.dsl`: Python types become terms, terms become texts.
"""

from __future__ import annotations

from typing import Any

from gramspec.errors import GrammarError, OptionError, UnsupportedError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar
from gramspec.grammar.json_schema import json_schema
from gramspec.grammar.lark import lark
from gramspec.grammar.regex import regex

_NESTED = ("JsonSchema", "CFG")
_LARK = (
    "a CFG of outlines is read as Lark, with what llguidance adds to it; EBNF with ::=, which the xgrammar"
    " back-end reads, is gs.outlines.processor(model, gs.gbnf(...))"
)
_RE = "the syntax is Python's; \\p{...} is gs.outlines.processor(model, gs.regex(..., dialect='ecma'))"


def grammar(output_type: Any) -> Grammar:
    """The grammar of an output type of outlines.

    Parameters
    ----------
    output_type : type, term or Grammar
        Whatever `outlines.Generator` takes: a Python type, ``Literal``, ``Enum``, a pydantic model, a
        dataclass, a callable, a term of `outlines.types` (``Regex``, ``CFG``, ``JsonSchema``, ``Choice``,
        sequences and repetitions of them). A `gramspec.Grammar` is returned as it is.

    Returns
    -------
    Grammar
        A ``CFG`` is a Lark grammar, as `gramspec.lark` reads it; a ``Regex`` has the syntax of Python's `re`.

    Raises
    ------
    GrammarError
        If the type, or a part of it, describes no texts.
    """
    if isinstance(output_type, Grammar):
        return output_type
    dsl = _dsl()
    try:
        term = dsl.python_types_to_terms(output_type)
    except (TypeError, ValueError, RecursionError) as error:
        raise GrammarError("", f"outlines knows no texts of {output_type!r}: {error}") from error
    return _grammar(term, dsl)


def regex_grammar(pattern: str) -> Grammar:
    """A regular expression as outlines hands it to a back-end."""
    try:
        return regex(pattern)
    except GrammarError as error:
        if "\\p" not in pattern and "\\P" not in pattern:
            raise
        raise _with_hint(error, _RE) from error


def json_grammar(schema: str, whitespace_pattern: str | None = None) -> Grammar:
    """A JSON schema as outlines hands it to a back-end."""
    return json_schema(schema, whitespace="any" if whitespace_pattern is None else whitespace_pattern)


def cfg_grammar(definition: str) -> Grammar:
    """A context-free grammar as outlines hands it to a back-end: Lark."""
    try:
        return lark(definition)
    except GrammarError as error:
        if "::=" not in definition:
            raise
        raise _with_hint(error, _LARK) from error


def _with_hint(error: GrammarError, more: str) -> GrammarError:
    hint = f"{error.hint}; {more}" if error.hint else more
    return type(error)(error.pointer, error.reason, hint, error.source)


def _dsl() -> Any:
    try:
        from outlines.types import dsl
    except ImportError as error:
        raise OptionError(
            f"the package {error.name} is not installed\n  hint: pip install 'gramspec[outlines]'"
        ) from error
    return dsl


def _grammar(term: Any, dsl: Any) -> Grammar:
    kind = type(term).__name__
    if kind == "JsonSchema":
        return json_grammar(term.schema, term.whitespace_pattern)
    if kind == "CFG":
        return cfg_grammar(term.definition)
    if kind == "Regex":
        return regex_grammar(term.pattern)
    if not _holds_nested(term, dsl):
        try:
            return regex_grammar(dsl.to_regex(term))
        except TypeError as error:
            raise GrammarError("", f"the outlines term {kind} describes no texts: {error}") from error
    # A schema or a grammar inside: outlines would write it as a regular expression that loses bounds.
    parts = [_grammar(part, dsl) for part in _parts(term, dsl)]
    for part in parts:
        if part.residuals and kind != "Alternatives":
            raise UnsupportedError(
                "",
                f"{kind} of {part.description}: residual predicates hold of whole texts, not of parts of one",
            )
    if kind in ("Alternatives", "Choice"):
        whole = parts[0]
        for part in parts[1:]:
            whole = whole | part
        return whole
    if kind == "Sequence":
        return Grammar(ir.concat(*(part.expr for part in parts)), f"sequence of {len(parts)}")
    low, high = _COUNTS[kind](term)
    return Grammar(ir.repeat(parts[0].expr, low, high), f"{kind} of {parts[0].description}")


_COUNTS: dict[str, Any] = {
    "KleeneStar": lambda term: (0, None),
    "KleenePlus": lambda term: (1, None),
    "Optional": lambda term: (0, 1),
    "QuantifyExact": lambda term: (term.count, term.count),
    "QuantifyMinimum": lambda term: (term.min_count, None),
    "QuantifyMaximum": lambda term: (0, term.max_count),
    "QuantifyBetween": lambda term: (term.min_count, term.max_count),
}


def _parts(term: Any, dsl: Any) -> list[Any]:
    if type(term).__name__ == "Choice":
        return [dsl.python_types_to_terms(item) for item in term.items]
    if hasattr(term, "terms"):
        return list(term.terms)
    return [term.term] if hasattr(term, "term") else []


def _holds_nested(term: Any, dsl: Any) -> bool:
    return type(term).__name__ in _NESTED or any(_holds_nested(part, dsl) for part in _parts(term, dsl))
