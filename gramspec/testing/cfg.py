"""Random context-free grammars of the awkward kinds, as expressions and as texts for Lark's Earley parser.

Law: the expression and the text of one `Cfg` are written from the same productions, each on its own.
Source: the kinds are those of the literature on general parsing: left recursion, hidden and indirect, rules
that derive nothing or each other, ambiguity, rules without an end, rules that nobody uses, repeated nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from gramspec.grammar import ir
from gramspec.testing.grammars import Dice, chance

KINDS: Final = ("mixed", "left", "hidden", "nullable", "units", "ambiguous", "useless", "repeats")


@dataclass(frozen=True)
class Letter:
    """One letter out of some."""

    letters: bytes


@dataclass(frozen=True)
class Name:
    """A rule by its number."""

    number: int


@dataclass(frozen=True)
class Times:
    """Alternatives repeated; None: without bound."""

    alternatives: tuple[Sequence_, ...]
    minimum: int
    maximum: int | None


Symbol = Letter | Name | Times
Sequence_ = tuple[Symbol, ...]


@dataclass(frozen=True)
class Cfg:
    """Productions: alternatives of rule 0, which is the start, of rule 1, …; an alternative may be empty."""

    rules: tuple[tuple[Sequence_, ...], ...]

    def expr(self) -> ir.Expr:
        """The grammar as an expression."""
        rules = [ir.Rule(f"r{number}") for number in range(len(self.rules))]

        def symbol(item: Symbol) -> ir.Expr:
            match item:
                case Letter(letters):
                    return ir.byte_set(letters)
                case Name(number):
                    return ir.Ref(rules[number])
                case Times(alternatives, minimum, maximum):
                    return ir.repeat(body(alternatives), minimum, maximum)

        def body(alternatives: tuple[Sequence_, ...]) -> ir.Expr:
            return ir.union(*(ir.concat(*map(symbol, items)) for items in alternatives))

        for rule, alternatives in zip(rules, self.rules, strict=True):
            rule.define(body(alternatives))
        return ir.Ref(rules[0])

    def lark(self) -> str:
        """The grammar for Lark, starting at ``r0``."""

        def symbol(item: Symbol) -> str:
            match item:
                case Letter(letters):
                    return "(" + "|".join(f'"{chr(letter)}"' for letter in letters) + ")"
                case Name(number):
                    return f"r{number}"
                case Times(alternatives, minimum, maximum):
                    inner = f"({body(alternatives)})"
                    if maximum is not None:
                        return f"{inner}~{minimum}..{maximum}"
                    return f"({inner}~{minimum} {inner}*)" if minimum else f"{inner}*"

        def body(alternatives: tuple[Sequence_, ...]) -> str:
            return " | ".join(" ".join(map(symbol, items)) for items in alternatives)

        return "\n".join(f"r{number}: {body(rule)}" for number, rule in enumerate(self.rules)) + "\n"

    def __str__(self) -> str:
        return self.lark()


def random_cfg(dice: Dice, kind: str, alphabet: bytes) -> Cfg:
    """A random grammar of one of `KINDS` over an alphabet; its language may be empty."""
    count = 1 + dice.pick(3) + (kind in ("units", "useless")) * 2
    maker = _Maker(dice, kind, alphabet, count)
    return Cfg(tuple(maker.rule(number) for number in range(count)))


class _Maker:
    def __init__(self, dice: Dice, kind: str, alphabet: bytes, count: int) -> None:
        self.dice, self.kind, self.alphabet, self.count = dice, kind, alphabet, count

    def letter(self) -> Letter:
        if chance(self.dice, 15):
            return Letter(self.alphabet)
        return Letter(self.alphabet[(at := self.dice.pick(len(self.alphabet))) : at + 1])

    def name(self) -> Name:
        return Name(self.dice.pick(self.count))

    def times(self) -> Times:
        inner = tuple(self.items(1 + self.dice.pick(2), depth=1) for _ in range(1 + self.dice.pick(2)))
        if chance(self.dice, 40):
            inner = (*inner, ())
        minimum = self.dice.pick(3)
        maximum = None if self.dice.pick(2) else minimum + 1 + self.dice.pick(2)
        return Times(inner, minimum, maximum)

    def symbol(self, depth: int = 0) -> Symbol:
        if not depth and chance(self.dice, 45 if self.kind == "repeats" else 8):
            return self.times()
        return self.letter() if self.dice.pick(2) else self.name()

    def items(self, length: int, depth: int = 0) -> Sequence_:
        return tuple(self.symbol(depth) for _ in range(length))

    def rule(self, number: int) -> tuple[Sequence_, ...]:
        pick = self.dice.pick
        out = [self.items(pick(4)) for _ in range(1 + pick(2))]
        me, other = Name(number), Name((number + 1) % self.count)
        match self.kind:
            case "left":
                out.append((me if pick(2) else other, *self.items(1 + pick(2))))
            case "hidden":
                out += [(other, me, *self.items(1 + pick(2))), () if pick(2) else (other, other)]
            case "nullable":
                out += [(me, other) if pick(2) else (other, me, me), ()]
            case "units":
                out += [(other,), (self.name(),)]
            case "ambiguous":
                out += [(me, me), (self.letter(), me, self.letter())]
            case "useless":
                if chance(self.dice, 60):  # no alternative ends
                    return tuple((*items, me) for items in out)
        if chance(self.dice, 75):
            out.append((self.letter(),))
        return tuple(dict.fromkeys(out))


class Earley:
    """Lark's Earley parser with the dynamic lexer that tries all lengths.

    Parameters
    ----------
    grammar : str
        In Lark's format.
    start : str
    """

    def __init__(self, grammar: str, start: str = "r0") -> None:
        import lark

        # The forest is not walked: that of a cyclic grammar has no end.
        self._parser: Any = lark.Lark(
            grammar, start=start, parser="earley", lexer="dynamic_complete", ambiguity="forest"
        )
        self._wrong: Any = (lark.exceptions.UnexpectedInput, lark.exceptions.ParseError)

    def accepts(self, text: str) -> bool:
        """Whether Lark parses the text."""
        try:
            self._parser.parse(text)
        except self._wrong:
            return False
        return True
