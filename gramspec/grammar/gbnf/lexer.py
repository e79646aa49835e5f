"""The tokens of a GBNF or EBNF text, with their places.

Law: white space and comments separate tokens and mean nothing else, line ends included; what no token begins
with is refused where it stands.
Cost: linear in the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NoReturn

from gramspec.grammar.rules import Position

_GAP: Final = r"(?:[ \t\r\n]|\#[^\r\n]*(?=[\r\n]))*"
_TOKEN: Final = re.compile(
    rf"""
      (?P<gap>(?:[ \t\r\n]+|\#[^\r\n]*)+)
    | (?P<name>[A-Za-z0-9_.\-]+)
    | (?P<assign>::=)
    | (?P<literal>"[^"\\]*(?:\\[\s\S][^"\\]*)*")
    | (?P<class>\[[^\]\\]*(?:\\[\s\S][^\]\\]*)*\])
    | (?P<range>\{{{_GAP}-?[0-9]+{_GAP}(?:,{_GAP}(?:-?[0-9]+{_GAP})?)?\}})
    | (?P<edge>!?<(?:\[[0-9]+\]|(?!\[)[^>\r\n]+)>)
    | (?P<look>\(=)
    | (?P<mark>[()|*+?,=])
    """,
    re.VERBOSE,
)
_OPTIONS: Final = re.compile(r'\[[^\]"\r\n]*(?:"[^"\r\n]*"[^\]"\r\n]*)*\](?=[ \t]*::=)')
_HINTS: Final = {
    ":": "rules are written `name ::= ...`; a Lark grammar is read by `lark`",
    "'": 'strings stand in double quotes: "..."',
    "/": 'comments begin with #; a regular expression is written Regex("...")',
    ";": "a rule ends where the next one begins; take the semicolon out",
    "]": 'write "]" for the character itself',
    "}": 'write "}" for the character itself',
    ">": "a token is written <name> or <[id]>",
    "~": "there is no complement; write a class [^...]",
    "%": "there are no directives; a Lark grammar is read by `lark`",
    "$": "names are made of ASCII letters, digits, '-' and '_'",
}
_NAMES: Final = "names are made of ASCII letters, digits, '-', '_' and '.'"


@dataclass(frozen=True, slots=True)
class Token:
    """A token: kind, text, and the offsets where it begins and ends.

    Kinds are the names of the groups in the pattern; a ``mark`` has its own character as kind; a name that
    a rule begins with is a ``definition``, and the attributes behind it are ``options``.
    """

    kind: str
    text: str
    offset: int
    end: int


def tokens(text: str) -> list[Token]:
    """The tokens of a grammar; the last one is of kind ``end``.

    Raises
    ------
    GrammarError
        Where no token begins or one is not closed, and where a rule begins in the middle of a line.
    """
    found: list[Token] = []
    at = 1 if text.startswith("\ufeff") else 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            _refuse(text, at)
        kind = match.lastgroup
        assert kind is not None
        end = match.end()
        if kind == "class" and found and found[-1].kind == "name" and found[-1].end == at:
            options = _OPTIONS.match(text, at)
            if options is not None:
                kind, end = "options", options.end()
        if kind != "gap":
            found.append(Token(text[at] if kind == "mark" else kind, text[at:end], at, end))
        at = end
    _mark_definitions(text, found)
    found.append(Token("end", "", len(text), len(text)))
    return found


def _mark_definitions(text: str, found: list[Token]) -> None:
    for index, token in enumerate(found):
        if token.kind != "assign":
            continue
        at = index - 1
        if at >= 0 and found[at].kind == "options":
            at -= 1
        if at < 0 or found[at].kind != "name":
            raise Position(text, token.offset).error(
                "`::=` without a rule name in front of it", "a rule is written `name ::= ...`"
            )
        name = found[at]
        before = text[found[at - 1].end : name.offset] if at else "\n"
        if "\n" not in before and "\r" not in before:
            raise Position(text, name.offset).error(
                f"rule `{name.text}` begins in the middle of a line", "begin every rule on a line of its own"
            )
        found[at] = Token("definition", name.text, name.offset, name.end)


def _refuse(text: str, at: int) -> NoReturn:
    char = text[at]
    place = Position(text, at)
    if char == '"':
        _refuse_open_string(text, at)
    if char == "[":
        raise place.error("this class is not closed", 'add "]", or write \\] for the character in a class')
    if char == "{":
        raise place.error(
            "malformed repetition",
            "write {3}, {3,} or {3,5}, and {0,5} for at most 5",
        )
    if char == "<":
        raise place.error("malformed token", "write <name> or <[id]> with a decimal id")
    if char == "!":
        raise place.error("`!` without a token", "it negates a token: !<name> or !<[id]>")
    shown = repr(char) if char.isprintable() and ord(char) < 0x10000 else f"U+{ord(char):04X}"
    hint = _HINTS.get(char, _NAMES if char.isalpha() else "")
    raise place.error(f"unexpected character {shown}", hint)


def _refuse_open_string(text: str, at: int) -> NoReturn:
    """A quote that nothing closes: the first string that runs over a line is the likely culprit."""
    done = 0
    while done < at:
        match = _TOKEN.match(text, done) if text[done] != "\ufeff" else None
        if match is None:
            done += 1
            continue
        if match.lastgroup == "literal" and ("\n" in match[0] or "\r" in match[0]):
            raise Position(text, done).error(
                "a string is not closed: one that begins here runs over the end of the line",
                "close it, or write \\n for a line end",
            )
        done = match.end()
    raise Position(text, at).error("this string is not closed", "add the closing quote")
