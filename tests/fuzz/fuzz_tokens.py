"""Fuzz harness of matchers: bytes choose a grammar, a vocabulary and calls; each answer against slow oracles.

Law: whatever was called before, a state is its token prefix: masks, acceptance, forks, rollbacks, batches and
draft trees agree with a fresh matcher without shortcuts, and its masks with saturation or byte by byte.
Source: API, section 3; `gramspec.testing.saturation` (Bar-Hillel).
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np

import gramspec as gs
from gramspec.errors import EmptyLanguageError, LimitError, VocabularyError
from gramspec.grammar.core import Grammar
from gramspec.testing.grammars import KINDS, SmallVocabulary, alphabet_of, expression, vocabulary
from gramspec.testing.saturation import allowed_tokens
from gramspec.testing.worlds import show
from tests.fuzz.harness import LIMITS, change_bytes, check

SEEDS = 150
CALLS = 24  # of one input
JUDGED = 2  # states of one input whose masks the slowest oracle makes
LONG = (256, 300, 513)
OBJECTS = ("object", "members")  # saturation needs their keys to be finitely many


class ByteDice:
    """Choices read off an input, one byte each (two above 256 ways); 0 when it is used up."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    @property
    def empty(self) -> bool:
        """Whether all bytes are used."""
        return self.at >= len(self.data)

    def pick(self, n: int) -> int:
        """An int in 0..n-1."""
        size = 1 if n <= 256 else 2
        value = int.from_bytes(self.data[self.at : self.at + size], "little")
        self.at += size
        return value % n


class World:
    """A grammar on a vocabulary, the engine under test, and what is known of each prefix."""

    def __init__(self, dice: ByteDice) -> None:
        kind = KINDS[dice.pick(len(KINDS))]
        alphabet = alphabet_of(dice, kind)
        self.expr = expression(dice, kind, alphabet)
        small = vocabulary(dice, self.expr, alphabet, 3 + dice.pick(6), special=kind == "edges")
        tokens = list(small.tokens)
        if dice.pick(4) == 0:  # a run of a letter, longer than one byte can count
            tokens += [bytes([alphabet[dice.pick(len(alphabet))]]) * LONG[dice.pick(3)] for _ in range(2)]
        if dice.pick(4) == 0:  # ids in the next word of a mask
            tokens += [None, *tokens[:2], *[None] * 30, *(raw for raw in tokens[:3])]
        tokens = [raw if i not in small.eos_ids else None for i, raw in enumerate(tokens)]
        self.small = SmallVocabulary(tokens, small.eos_ids, small.special_tokens)
        self.kind = kind
        self.size, self.words = len(tokens), (len(tokens) + 31) // 32
        self.compiled = self.compile()
        self.slow = self.compile()  # on an engine of its own: the vocabulary is another object
        self.known: dict[tuple[int, ...], tuple[bytes, bool]] = {}
        self.judged = 0

    def compile(self) -> gs.CompiledGrammar:
        """The grammar on a vocabulary, hence an engine, of its own."""
        small = self.small
        made = gs.Vocabulary(list(small.tokens), list(small.eos_ids), special_tokens=small.special_tokens)
        return gs.compile(Grammar(self.expr), made, limits=LIMITS)

    def __str__(self) -> str:
        return f"{self.small!r}\n  {show(self.expr)}"

    def at(self, prefix: tuple[int, ...]) -> tuple[bytes, bool]:
        """Mask (packed) and acceptance after a prefix, from a fresh matcher."""
        if prefix not in self.known:
            matcher = self.slow.matcher()
            check(matcher.advance_many(prefix) == len(prefix), f"{prefix} is not read again: {self}")
            row = np.zeros((1, self.words), dtype=np.int32)
            matcher.fill_bitmask(row)
            self.known[prefix] = row.tobytes(), matcher.is_accepting
        return self.known[prefix]

    def ids(self, prefix: tuple[int, ...]) -> list[int]:
        """Allowed tokens after a prefix."""
        return bits_of(self.at(prefix)[0])

    def judge(self, prefix: tuple[int, ...]) -> None:
        """The mask after a prefix against saturation; of a few prefixes, for it is slow."""
        if self.judged >= JUDGED or self.kind in OBJECTS or any(t in self.small.eos_ids for t in prefix):
            return
        if sum(len(raw or b"") for raw in self.small.tokens) > 60 or len(prefix) > 8:
            return
        self.judged += 1
        small = self.small
        wanted = allowed_tokens(
            self.expr, small.tokens, small.eos_ids, prefix, special_tokens=small.special_tokens
        )
        found = self.ids(prefix)
        check(
            [t for t, ok in enumerate(wanted) if ok] == found,
            f"{found} after {prefix}, by saturation {[t for t, ok in enumerate(wanted) if ok]}: {self}",
        )


def bits_of(row: bytes) -> list[int]:
    """Ids set in a packed mask."""
    return np.flatnonzero(np.unpackbits(np.frombuffer(row, np.uint8), bitorder="little")).tolist()


class Walker:
    """A matcher and the tokens that it has read."""

    def __init__(self, matcher: gs.Matcher, prefix: tuple[int, ...] = ()) -> None:
        self.matcher, self.prefix = matcher, prefix


class TokensHarness:
    """See the head of the file."""

    name = "tokens"
    what = "advance, advance_many, rollback, fork, fill_bitmask, fill_bitmask_tree, fill_bitmasks, viable, …"
    longest = 600
    words: tuple[bytes, ...] = ()

    def seeds(self) -> Iterator[bytes]:
        """Random bytes."""
        for seed in range(SEEDS):
            choose = random.Random(seed)
            yield bytes([seed % len(KINDS)]) + choose.randbytes(60 + choose.randrange(240))

    def mutate(self, data: bytes, choose: random.Random) -> bytes:
        """Other bytes: often in the second half, so that the grammar stays."""
        cut = choose.randrange(len(data) + 1) if choose.random() < 0.5 else len(data) // 2
        if choose.random() < 0.3:
            return (data[:cut] + choose.randbytes(choose.randrange(80)))[: self.longest]
        return (data[:cut] + change_bytes(data[cut:], choose, (), self.longest))[: self.longest]

    def run(self, data: bytes) -> None:
        """Make the world, then calls until the bytes are used up."""
        dice = ByteDice(data)
        try:
            world = World(dice)
        except (EmptyLanguageError, VocabularyError, LimitError):
            return
        walkers = [Walker(world.compiled.matcher())]
        try:
            for _ in range(CALLS):
                if dice.empty:
                    break
                one_call(world, walkers, dice)
        except LimitError:
            pass  # by name; the states stay as they are
        for walker in walkers:
            try:
                same_state(world, walker)
            except LimitError:
                continue


def same_state(world: World, walker: Walker) -> None:
    """The state of a walker is that of a fresh matcher after its prefix."""
    mask, accepting = world.at(walker.prefix)
    rows = np.full((3, world.words), -1, dtype=np.int32)
    walker.matcher.fill_bitmask(rows, 1)
    check(rows[1].tobytes() == mask, f"another mask after {walker.prefix}: {world}")
    check(
        bool(np.all(rows[[0, 2]] == -1)), f"rows beside the mask are written after {walker.prefix}: {world}"
    )
    check(
        walker.matcher.allowed_ids().tolist() == bits_of(mask), f"allowed_ids after {walker.prefix}: {world}"
    )
    check(walker.matcher.is_accepting == accepting, f"is_accepting after {walker.prefix}: {world}")
    finished = bool(walker.prefix) and walker.prefix[-1] in world.small.eos_ids
    check(walker.matcher.is_finished == finished, f"is_finished after {walker.prefix}: {world}")
    check(finished or bool(mask.strip(b"\0")), f"no token is allowed after {walker.prefix}: {world}")
    check(
        accepting == any(t in world.small.eos_ids for t in bits_of(mask)),
        f"EOS after {walker.prefix}: {world}",
    )
    world.judge(walker.prefix)


def one_call(world: World, walkers: list[Walker], dice: ByteDice) -> None:
    """One call on one of the matchers, with its answer checked."""
    walker = walkers[dice.pick(len(walkers))]
    matcher, prefix = walker.matcher, walker.prefix
    match dice.pick(12):
        case 0 | 1 | 2:
            allowed = world.ids(prefix)
            if allowed:
                token = allowed[dice.pick(len(allowed))]
                matcher.advance(token)
                walker.prefix = (*prefix, token)
        case 3:
            token = dice.pick(world.size + 4) - 2
            wanted = token in world.ids(prefix)
            check((matcher.advance_many([token]) == 1) == wanted, f"{token} after {prefix}: {world}")
            walker.prefix = (*prefix, token) if wanted else prefix
        case 4:
            ids = [dice.pick(world.size) for _ in range(dice.pick(5))]
            walker.prefix = after(world, prefix, ids)
            read = matcher.advance_many(ids)
            check(len(prefix) + read == len(walker.prefix), f"{read} of {ids} read after {prefix}: {world}")
        case 5:
            n = dice.pick(len(prefix) + 1)
            matcher.rollback(n)
            walker.prefix = prefix[: len(prefix) - n]
        case 6 if len(walkers) < 5:
            walkers.append(Walker(matcher.fork(), prefix))
        case 7:
            draft_tree(world, walker, dice)
        case 8:
            batch(world, walkers, dice)
        case 9:
            budgets(world, walker, dice)
        case 10:
            forced(world, walker)
        case _:
            same_state(world, walker)


def after(world: World, prefix: tuple[int, ...], ids: list[int]) -> tuple[int, ...]:
    """The prefix after those of `ids` that are read one after another."""
    for token in ids:
        if token not in world.ids(prefix):
            break
        prefix = (*prefix, token)
    return prefix


def draft_tree(world: World, walker: Walker, dice: ByteDice) -> None:
    """Masks after the nodes of a random tree; half of its tokens are allowed ones."""
    parents: list[int] = []
    tokens: list[int] = []
    paths: list[tuple[int, ...] | None] = [walker.prefix]
    for node in range(dice.pick(10)):
        parents.append(dice.pick(node + 1) - 1)
        above = paths[parents[-1] + 1]
        allowed = world.ids(above) if above is not None and dice.pick(4) else []
        tokens.append(allowed[dice.pick(len(allowed))] if allowed else dice.pick(world.size))
        below = after(world, above, tokens[-1:]) if above is not None else None
        paths.append(below if below != above else None)
    rows = np.full((len(tokens) + 2, world.words), -1, dtype=np.int32)
    walker.matcher.fill_bitmask_tree(parents, tokens, rows)
    for row, path in zip(rows, paths, strict=False):
        wanted = bytes(4 * world.words) if path is None else world.at(path)[0]
        check(row.tobytes() == wanted, f"draft {parents} {tokens} after {walker.prefix}, at {path}: {world}")
    check(bool(np.all(rows[-1] == -1)), f"a row beyond the draft is written: {world}")


def batch(world: World, walkers: list[Walker], dice: ByteDice) -> None:
    """Masks of all matchers in one call, in rows of another order."""
    count = len(walkers)
    turn = dice.pick(count)
    rows = [(i + turn) % count for i in range(count)]
    array = np.full((count + 1, world.words), -1, dtype=np.int32)
    gs.fill_bitmasks(
        [walker.matcher for walker in walkers], array, rows=rows, threads=(None, 1, 2, 3)[dice.pick(4)]
    )
    for walker, row in zip(walkers, rows, strict=True):
        check(array[row].tobytes() == world.at(walker.prefix)[0], f"batch after {walker.prefix}: {world}")
    check(bool(np.all(array[count] == -1)), f"a row beside the batch is written: {world}")


def budgets(world: World, walker: Walker, dice: ByteDice) -> None:
    """Budgets agree with each other: exact within bound within mask, monotone, and with `min_tokens`."""
    matcher = walker.matcher
    left = dice.pick(6)
    exact, bound = matcher.viable(left, exact=True), matcher.viable(left)
    mask = np.zeros(world.size, dtype=bool)
    mask[world.ids(walker.prefix)] = True
    where = f"{left} left after {walker.prefix}: {world}"
    check(not np.any(exact & ~bound) and not np.any(bound & ~mask), where)
    check(not np.any(exact & ~matcher.viable(left + 1, exact=True)), where)
    if not matcher.is_finished:
        fewest = matcher.min_tokens(exact=True, cap=8)
        check(matcher.can_end_within(left) == (fewest <= left), where)
        check(bool(exact.any()) == (fewest <= left), where)
        check(fewest > 8 or matcher.min_tokens() <= fewest, where)


def forced(world: World, walker: Walker) -> None:
    """Forced tokens are the only ones allowed, one after another."""
    prefix = walker.prefix
    for token in walker.matcher.forced_ids():
        check(world.ids(prefix) == [token], f"{token} is not forced after {prefix}: {world}")
        prefix = (*prefix, token)
    text = walker.matcher.forced_bytes()
    for token in world.ids(walker.prefix):
        raw = world.small.tokens[token] or b""
        agree = raw.startswith(text) or text.startswith(raw)
        check(agree, f"{text!r} is not forced after {walker.prefix}, for {raw!r} is allowed: {world}")
