"""The macros of xgrammar's EBNF: ``Regex(...)``, ``Substring(...)``, ``TagDispatch(...)``, ``Token(...)``.

Law: a macro denotes the language that xgrammar documents for it.
Source: the documentation of xgrammar, "Macros".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gramspec.errors import EmptyLanguageError, GrammarError
from gramspec.grammar import ir
from gramspec.grammar.encoding import utf8
from gramspec.grammar.gbnf.lexer import Token
from gramspec.grammar.gbnf.regexes import xgrammar_regex
from gramspec.grammar.tags.text import free_text, tag_dispatch

if TYPE_CHECKING:
    from gramspec.grammar.gbnf.parser import Parser

MAX_TOKEN: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Name:
    """The name of a rule, as a value."""

    text: str


@dataclass(frozen=True, slots=True)
class Value:
    """A value, and the token it begins with: a text, number, truth value, name, or a tuple of such."""

    value: str | int | bool | Name | tuple[Value, ...]
    token: Token


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of a macro call."""

    macro: Token
    values: tuple[Value, ...]
    named: dict[str, Value]


def meaning(parser: Parser, macro: Token) -> ir.Expr:
    """What a macro call denotes; the parser stands behind the macro's name."""
    arguments = _arguments(parser, macro)
    return _MACROS[macro.text](parser, arguments)


def token_id(parser: Parser, token: Token, digits: str) -> int:
    """A token id as written."""
    if len(digits) > 12 or int(digits) > MAX_TOKEN:
        parser.fail(token, f"there is no token of this id, {digits[:20]}", "ids count from 0")
    return int(digits)


# -- arguments --------------------------------------------------------------------------------


def _arguments(parser: Parser, macro: Token) -> Arguments:
    if parser.here.kind != "(":
        parser.fail(macro, f"`{macro.text}` is neither a rule nor a call", f"write {macro.text}(...)")
    parser.take()
    values: list[Value] = []
    named: dict[str, Value] = {}
    while parser.here.kind != ")":
        if values or named:
            _separator(parser)
        name = parser.take()
        if name.kind == "name" and parser.here.kind == "=":
            parser.take()
            if name.text in named:
                parser.fail(name, f"`{name.text}` is given twice")
            named[name.text] = _value(parser, parser.take())
        else:
            values.append(_value(parser, name))
    parser.take()
    return Arguments(macro, tuple(values), named)


def _separator(parser: Parser) -> None:
    token = parser.take()
    if token.kind != ",":
        parser.fail(token, "expected `,` or `)` in the arguments of a macro")


def _value(parser: Parser, token: Token) -> Value:
    if token.kind != "(":
        return _plain(parser, token)
    items: list[Value] = []
    while parser.here.kind != ")":
        if items:
            _separator(parser)
            if parser.here.kind == ")":
                break
        items.append(_plain(parser, parser.take()))
    parser.take()
    return Value(tuple(items), token)


def _plain(parser: Parser, token: Token) -> Value:
    if token.kind == "literal":
        return Value(parser.characters.literal(token.offset, token.end), token)
    if token.kind == "name":
        if token.text.isdigit():
            return Value(token_id(parser, token, token.text), token)
        if token.text in ("true", "false"):
            return Value(token.text == "true", token)
        return Value(Name(token.text), token)
    hint = 'arguments are "texts", numbers, true, false, names of rules, and tuples of them'
    parser.fail(token, "this is no argument of a macro", hint)


def _only(parser: Parser, arguments: Arguments, *names: str) -> None:
    for name, value in arguments.named.items():
        if name not in names:
            known = ", ".join(f"`{known}`" for known in names)
            hint = f"it takes {known}" if names else "it takes none by name"
            parser.fail(value.token, f"`{arguments.macro.text}` has no argument `{name}`", hint)


def _flag(parser: Parser, arguments: Arguments, name: str, default: bool) -> bool:
    given = arguments.named.get(name)
    if given is None:
        return default
    if not isinstance(given.value, bool):
        parser.fail(given.token, f"`{name}` is true or false")
    return given.value


# -- meanings ---------------------------------------------------------------------------------


def _regex(parser: Parser, arguments: Arguments) -> ir.Expr:
    _only(parser, arguments, "flags", "json_string")
    if len(arguments.values) != 1 or not isinstance(arguments.values[0].value, str):
        parser.fail(arguments.macro, "Regex takes one text, the pattern", 'write Regex("[0-9]+")')
    given = arguments.values[0]
    flags = arguments.named.get("flags")
    if flags is not None and not isinstance(flags.value, str):
        parser.fail(flags.token, "`flags` is a text", 'write flags="i"')
    json_string = _flag(parser, arguments, "json_string", False)
    assert isinstance(given.value, str)
    letters = flags.value if flags is not None and isinstance(flags.value, str) else None
    try:
        expr = xgrammar_regex(given.value, flags=letters, json_string=json_string)
    except EmptyLanguageError:
        return ir.EMPTY
    except GrammarError as error:
        raise parser.position(given.token).error(
            f"in this regular expression, at {error.pointer or 'its start'}: {error.reason}",
            error.hint,
            type(error),
        ) from error
    return utf8(expr)


def _substring(parser: Parser, arguments: Arguments) -> ir.Expr:
    """Contiguous runs of the chunks: state i + 1 stands before chunk i, state 0 anywhere."""
    _only(parser, arguments)
    chunks: list[ir.Expr] = []
    for given in arguments.values:
        if not isinstance(given.value, str):
            parser.fail(given.token, "Substring takes texts", 'write Substring("first ", "second ")')
        if given.value:
            chunks.append(ir.literal(given.value))
    if not chunks:
        return ir.EPSILON
    steps = tuple((chunk, index + 2) for index, chunk in enumerate(chunks))
    arcs = (steps, *((step,) for step in steps), ())
    return ir.Machine(arcs, (True,) * len(arcs))


def _token(parser: Parser, arguments: Arguments) -> ir.Expr:
    ids = _token_ids(parser, arguments)
    return ir.TokenEdge(ids[0]) if len(ids) == 1 else ir.TokenSet(tuple(ids))


def _exclude_token(parser: Parser, arguments: Arguments) -> ir.Expr:
    return ir.TokenSet(tuple(_token_ids(parser, arguments)), negated=True)


def _token_ids(parser: Parser, arguments: Arguments) -> list[int]:
    _only(parser, arguments)
    if not arguments.values:
        parser.fail(arguments.macro, f"{arguments.macro.text} takes one token id or more")
    return list(dict.fromkeys(_token_id(parser, given) for given in arguments.values))


def _token_id(parser: Parser, given: Value) -> int:
    if isinstance(given.value, bool) or not isinstance(given.value, int):
        parser.fail(given.token, "this is no token id", "ids are numbers")
    return given.value


def _tag_dispatch(parser: Parser, arguments: Arguments) -> ir.Expr:
    """Free text until a tag, then the tag's rule, then free text again (or the end)."""
    _only(parser, arguments, "loop_after_dispatch", "excludes")
    loop = _flag(parser, arguments, "loop_after_dispatch", True)
    excludes = [_tag(parser, item) for item in _excludes(parser, arguments)]
    pairs: list[tuple[bytes, ir.Expr]] = []
    places: list[str] = []
    for tag, follows in _pairs(parser, arguments, "a tag"):
        pairs.append((_tag(parser, tag), follows))
        places.append(str(parser.position(tag.token)))
    if not pairs:
        return free_text(excludes)
    try:
        return tag_dispatch(pairs, loop=loop, excludes=excludes, places=places)
    except GrammarError as error:
        raise GrammarError(error.pointer, error.reason, error.hint, parser.text) from None


def _token_tag_dispatch(parser: Parser, arguments: Arguments) -> ir.Expr:
    """Free tokens until one that has a rule, then the rule, then free tokens again (or the end)."""
    _only(parser, arguments, "loop_after_dispatch", "excludes")
    loop = _flag(parser, arguments, "loop_after_dispatch", True)
    excludes = [_token_id(parser, item) for item in _excludes(parser, arguments)]
    pairs: list[tuple[int, ir.Expr]] = []
    for trigger, follows in _pairs(parser, arguments, "a token id"):
        token = _token_id(parser, trigger)
        if token in excludes:
            parser.fail(trigger.token, f"the token {token} is excluded", "take it out of `excludes`")
        pairs.append((token, follows))
    named = [*(token for token, _ in pairs), *excludes]
    free = ir.repeat(ir.TokenSet(tuple(dict.fromkeys(named)), negated=True))
    called = ir.union(*(ir.concat(ir.TokenEdge(token), follows) for token, follows in pairs))
    return ir.concat(free, ir.repeat(ir.concat(called, free)) if loop else ir.optional(called))


def _pairs(parser: Parser, arguments: Arguments, what: str) -> Iterator[tuple[Value, ir.Expr]]:
    """What each argument begins with, and the rule it names."""
    for given in arguments.values:
        if not isinstance(given.value, tuple) or len(given.value) != 2:
            parser.fail(given.token, f"{arguments.macro.text} takes pairs of {what} and a rule")
        first, rule = given.value
        if not isinstance(rule.value, Name):
            parser.fail(rule.token, "the second part of a pair names a rule", "give the rule a name")
        yield first, parser.rules.reference(rule.value.text, parser.position(rule.token))


def _excludes(parser: Parser, arguments: Arguments) -> tuple[Value, ...]:
    given = arguments.named.get("excludes")
    if given is None:
        return ()
    if not isinstance(given.value, tuple):
        parser.fail(given.token, "`excludes` is a tuple", 'write excludes=("</tag>",)')
    return given.value


def _tag(parser: Parser, given: Value) -> bytes:
    if not isinstance(given.value, str) or not given.value:
        parser.fail(given.token, "a tag is a text and not empty", 'write "<tag>"')
    return given.value.encode("utf-8")


_MACROS: Final[dict[str, Callable[[Parser, Arguments], ir.Expr]]] = {
    "Regex": _regex,
    "Substring": _substring,
    "Token": _token,
    "ExcludeToken": _exclude_token,
    "TagDispatch": _tag_dispatch,
    "TokenTagDispatch": _token_tag_dispatch,
}
NAMES: Final = frozenset(_MACROS)
