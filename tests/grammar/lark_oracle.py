"""Lark's own Earley parser as an oracle, and where the order of a match decides what it accepts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lark import Lark
from lark.exceptions import UnexpectedInput

from gramspec.automaton.members import Members, UniformMembers, WeightedMembers, seeded
from gramspec.errors import LimitError, OptionError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar
from gramspec.grammar.lark import lark
from gramspec.grammar.lark.model import Model, Translator
from gramspec.grammar.lark.modules import Loader
from gramspec.grammar.regex import parse_regex
from gramspec.grammar.regex.characters import is_empty


@dataclass(frozen=True)
class Subject:
    """A grammar, its start, and the folder of its relative imports."""

    text: str
    start: str = "start"
    folder: Path | None = None

    @cached_property
    def parser(self) -> Lark:
        """Lark's Earley parser that tries every way to cut a text."""
        source = str(self.folder / "subject.lark") if self.folder else None
        return Lark(
            self.text,
            start=self.start,
            parser="earley",
            lexer="dynamic_complete",
            ambiguity="resolve",
            **({"source_path": source} if source else {}),
        )

    def earley(self, text: str) -> bool:
        """Whether Lark accepts a text."""
        try:
            self.parser.parse(text)
        except UnexpectedInput:
            return False
        return True

    def grammar(self, lexer: str = "scannerless") -> Grammar:
        """The same grammar here."""
        return lark(self.text, start=self.start, lexer=lexer, base_path=self.folder)  # type: ignore[arg-type]

    def _model(self, *, ordered: bool) -> Model:
        scope = Loader(()).load(self.text, str(self.folder) if self.folder else None)
        return Translator(scope, ordered=ordered).model(self.start)

    @cached_property
    def model(self) -> Model:
        """The rules over terminals."""
        return self._model(ordered=False)

    @cached_property
    def ordered_terminals(self) -> list[str]:
        """Terminals of which a match in Lark's order finds fewer texts than belong to their language."""
        ordered = self._model(ordered=True).terminals
        found = []
        for name, terminal in self.model.terminals.items():
            if name in self.model.ignored or terminal.kind == "string":
                continue
            if not _none(ir.And((terminal.expr, ir.Not(ordered[name].expr)))):
                found.append(name)
        return found

    @cached_property
    def greedy_gaps(self) -> bool:
        """Whether a shorter piece of ignored text may be followed by what continues a longer one.

        Lark skips the longest piece only, so that it does not see what would follow a shorter one. (The
        first characters that are looked at are those of ASCII and two others.)
        """
        ignored = [self.model.terminals[name].expr for name in self.model.ignored]
        others = [t.expr for name, t in self.model.terminals.items() if name not in self.model.ignored]
        rest = parse_regex(r"(?s:.*)")
        firsts = [
            (point, point)
            for point in (*range(128), 0xE9, 0x4E00)
            if any(not _none(ir.And((t, ir.concat(ir.CharSet(((point, point),)), rest)))) for t in others)
        ]
        begin = ir.CharSet(tuple(firsts))
        return any(not _none(ir.And((gap, ir.concat(gap, begin, rest)))) for gap in ignored)


def _none(expr: ir.Expr) -> bool:
    return is_empty(expr, 20_000) is True


def texts(
    subject: Subject, grammar: Grammar, rng: random.Random, *, count: int, length: int
) -> Iterator[str]:
    """Members of a grammar, and texts a few changes away from one."""
    try:
        members: Members = UniformMembers(grammar, length)
    except (LimitError, OptionError):
        members = WeightedMembers(grammar)
    choose = seeded(rng.randrange(1 << 30))
    drawn = [members.draw(choose).decode("utf-8", "replace") for _ in range(count)]
    if isinstance(members, WeightedMembers):
        drawn = sorted(drawn, key=len)[: count // 2 + 1]
    alphabet = sorted({char for text in drawn for char in text} | set("a "))
    yield from dict.fromkeys(drawn)
    for _ in range(count):
        text = rng.choice(drawn)
        for _ in range(rng.choice((1, 1, 2, 3))):
            text = mutated(text, alphabet, rng)
        yield text


def mutated(text: str, alphabet: list[str], rng: random.Random) -> str:
    """A text with one change."""
    at = rng.randrange(len(text) + 1)
    match rng.randrange(5):
        case 0:
            return text[:at] + text[at + 1 :]
        case 1:
            return text[:at] + rng.choice(alphabet) + text[at:]
        case 2:
            return text[:at] + rng.choice(alphabet) + text[at + 1 :]
        case 3:
            return text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :]
    end = rng.randrange(at, len(text) + 1)
    return text[:at] + text[at:end] * 2 + text[end:]
