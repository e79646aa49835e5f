"""Random context-free grammars against CYK, Lark's Earley parser and saturation.

Cost: about 80 grammars a second, or seconds for one that Earley's parser is asked about.
Source: `gramspec.testing.cyk`, `gramspec.testing.cfg`, `gramspec.testing.saturation`.

Run ``python -m tests.automaton.cfg_fuzz --seconds 600`` for a long search; a find is printed with its
seed and ends the run with status 1.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import gramspec as gs
from gramspec.errors import EmptyLanguageError, VocabularyError
from gramspec.grammar.core import Grammar
from gramspec.testing.cfg import KINDS, Cfg, Earley, random_cfg
from gramspec.testing.cyk import Cyk
from gramspec.testing.grammars import SeededDice, chance
from gramspec.testing.saturation import allowed_tokens

PREFIXES = 40  # masks looked at in one grammar
LONG = 4  # longer texts of one grammar


class Find(NamedTuple):
    """Where two readings of a grammar differ."""

    seed: tuple[int, ...]
    grammar: str
    what: str

    def __str__(self) -> str:
        return f"seed {self.seed}\n{self.grammar}{self.what}"


def words(alphabet: bytes, longest: int) -> Iterator[bytes]:
    """All words up to a length, short ones first."""
    for length in range(longest + 1):
        yield from map(bytes, itertools.product(alphabet, repeat=length))


def case(seed: tuple[int, ...]) -> tuple[SeededDice, Cfg, bytes]:
    """The grammar of a seed, whose first number picks the kind, with its alphabet."""
    dice = SeededDice(seed)
    alphabet = b"ab" if dice.pick(2) else b"abc"
    return dice, random_cfg(dice, KINDS[seed[0] % len(KINDS)], alphabet), alphabet


def judge(seed: tuple[int, ...], *, earley: bool) -> Iterator[str]:
    """What is wrong with the automaton of a grammar; Earley's parser is asked only if told to, it is slow."""
    dice, cfg, alphabet = case(seed)
    expr = cfg.expr()
    oracle = Cyk(expr)
    every = list(words(alphabet, 6 if len(alphabet) == 2 else 5))
    every += [bytes(alphabet[dice.pick(len(alphabet))] for _ in range(7 + dice.pick(6))) for _ in range(LONG)]
    grammar = Grammar(expr)
    for word in every:
        if grammar.accepts(word) != oracle.accepts(word):
            yield f"membership of {word!r}: CYK says {oracle.accepts(word)}"
            return
    if earley:
        other = Earley(cfg.lark())
        short = [word for word in every if len(word) <= 4]  # it takes seconds for longer ones
        for word in short[dice.pick(3) :: max(1, len(short) // 10)]:
            if other.accepts(word.decode()) != oracle.accepts(word):
                yield f"membership of {word!r}: Earley says {not oracle.accepts(word)}"
                return
    yield from masks(dice, grammar, oracle, alphabet)


def masks(dice: SeededDice, grammar: Grammar, oracle: Cyk, alphabet: bytes) -> Iterator[str]:
    """Masks on a vocabulary of letters and longer tokens, or of some of them."""
    whole = chance(dice, 75)
    longer = {bytes(alphabet[dice.pick(len(alphabet))] for _ in range(2 + dice.pick(3))) for _ in range(8)}
    single = [bytes([letter]) for letter in alphabet if whole or chance(dice, 40)]
    tokens: list[bytes | None] = [*single, *sorted(longer), None]
    eos = len(tokens) - 1
    try:
        compiled = gs.compile(grammar, gs.Vocabulary(tokens, [eos]))
    except EmptyLanguageError:
        if oracle.lives:
            yield "compiling says that there is no member"
        return
    except VocabularyError:
        if whole or any(allowed_tokens(grammar.expr, tokens, [eos], [])):
            yield f"compiling says that {tokens} spell no member"
        return
    if not oracle.lives:
        yield "a grammar without members is compiled"
        return
    todo: list[tuple[int, ...]] = [()]
    for prefix in itertools.islice(todo, PREFIXES if whole else 4):
        matcher = compiled.matcher()
        assert matcher.advance_many(prefix) == len(prefix)
        found = set(matcher.allowed_ids().tolist())
        text = b"".join(tokens[token] or b"" for token in prefix)
        if whole:
            wanted = {t for t, raw in enumerate(tokens) if raw and oracle.viable(text + raw)}
            wanted |= {eos} if oracle.accepts(text) else set()
        else:
            verdicts = allowed_tokens(grammar.expr, tokens, [eos], prefix)
            wanted = {token for token, allowed in enumerate(verdicts) if allowed}
        if found != wanted:
            yield f"mask after {text!r} over {tokens}: {sorted(found)}, not {sorted(wanted)}"
            return
        todo += [(*prefix, token) for token in sorted(found - {eos})]


def finds(first: int, count: int, *, earley_every: int) -> Iterator[Find]:
    """What is wrong in grammars `first` … `first + count - 1`."""
    for number in range(first, first + count):
        seed = (number % len(KINDS), number)
        for what in judge(seed, earley=bool(earley_every) and number // len(KINDS) % earley_every == 0):
            yield Find(seed, str(case(seed)[1]), what)


def main(arguments: Sequence[str] | None = None) -> int:
    """Search until the time is up; 1 when something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    end = time.monotonic() + options.seconds
    number = options.seed
    while time.monotonic() < end:
        for find in finds(number, 8, earley_every=12):
            print(find)
            return 1
        number += 8
    print(f"grammars {options.seed} to {number - 1}, nothing wrong")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
