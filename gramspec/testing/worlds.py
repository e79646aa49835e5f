"""Small random worlds: grammar, vocabulary, target, draft and budget, with their exact law by brute force.

Law: p and Φ of a world are computed without production code (own rows, own membership, plain sums).
Cost: V^(N−1) membership tests per world. Source: laws, "How exactness is proved".
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gramspec.grammar import ir
from gramspec.grammar.core import Grammar, Place, Residual
from gramspec.models.tabular import TabularModel
from gramspec.testing.grammars import Dice, SeededDice, SmallVocabulary, alphabet_of, expression, vocabulary
from gramspec.testing.oracle import Recogniser, token_language
from gramspec.vocabulary import Vocabulary

LAW_KINDS = ("finite", "regular", "recursive", "counted", "boolean", "object", "utf8")


def random_rows(
    seed: int,
    width: int,
    *,
    scale: float = 1.5,
    impossible: float = 0.15,
    base: Callable[[Sequence[int]], NDArray[np.float64]] | None = None,
) -> Callable[[Sequence[int]], NDArray[np.float64]]:
    """A function from prefix to logits by hashing the prefix; some entries are -inf.

    Parameters
    ----------
    seed : int
        Of the function.
    width : int
        Length of a row.
    scale : float
        Standard deviation of the logits.
    impossible : float
        Chance of -inf per entry; one entry per row stays finite.
    base : callable, optional
        Row function to perturb instead of starting from zero (a draft that resembles its target).
    """
    known: dict[tuple[int, ...], NDArray[np.float64]] = {}

    def row(prefix: Sequence[int]) -> NDArray[np.float64]:
        key = tuple(int(t) for t in prefix)
        if key not in known:
            generator = np.random.default_rng([seed, len(key), *key])
            logits = scale * generator.standard_normal(width)
            if base is not None:
                logits = np.where(np.isneginf(base(key)), scale * logits, base(key) + 0.5 * logits)
            dead = generator.random(width) < impossible
            dead[int(generator.integers(width))] = False
            known[key] = np.where(dead, -np.inf, logits)
        return known[key]

    return row


def reference_row(
    logits: NDArray[np.float64], temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0
) -> NDArray[np.float64]:
    """Temperature, top-k, top-p in this order, written independently of the decoding room.

    No ties are broken here: meant for rows whose finite entries differ.
    """
    scaled = [x / temperature for x in logits.tolist()]
    top = max(scaled)
    weight = [math.exp(x - top) for x in scaled]
    order = sorted(range(len(weight)), key=lambda v: -weight[v])
    order = [v for v in order if weight[v] > 0.0]
    if top_k > 0:
        order = order[:top_k]
    total = math.fsum(weight[v] for v in order)
    if top_p < 1.0:
        kept, mass = [], 0.0
        for v in order:
            kept.append(v)
            mass += weight[v] / total
            if mass >= top_p:
                break
        order = kept
        total = math.fsum(weight[v] for v in order)
    out = np.zeros(len(weight))
    for v in order:
        out[v] = weight[v] / total
    return out


@dataclass(frozen=True)
class HashPredicate:
    """A residual predicate that holds for about a share of all texts, by a hash of the text.

    With `reads` it also fails on every text with a prefix of a certain hash, and its reading says so there.
    """

    seed: int
    share: float
    reads: bool

    @property
    def places(self) -> tuple[Place, ...]:
        """One made-up place."""
        return (Place("", f"hash {self.seed}", "a hash is no automaton"),)

    @property
    def key(self) -> str:
        """All that it depends on."""
        return repr(self)

    def holds(self, text: bytes) -> bool:
        """By the hash of the text and, with `reads`, of its prefixes."""
        if self.reads and any(self.forbids(text[:n]) for n in range(1, len(text) + 1)):
            return False
        return self._hash(text) < self.share

    def forbids(self, prefix: bytes) -> bool:
        """Whether no text with this prefix holds."""
        return self._hash(b"prefix " + prefix) < 0.15

    def reading(self) -> HashReading | None:
        """Of the empty text, with `reads`."""
        return HashReading(self, b"") if self.reads else None

    def _hash(self, text: bytes) -> float:
        return zlib.crc32(b"%d " % self.seed + text) / 2**32


@dataclass(frozen=True)
class HashReading:
    """What a `HashPredicate` has read."""

    predicate: HashPredicate
    text: bytes

    def read(self, data: bytes) -> HashReading | None:
        """After more bytes; None after a forbidden prefix."""
        text = self.text + data
        ends = range(len(self.text) + 1, len(text) + 1)
        return (
            None if any(self.predicate.forbids(text[:n]) for n in ends) else HashReading(self.predicate, text)
        )


@dataclass(frozen=True)
class World:
    """One small world; every field is plain data or a pure function, so it can be rebuilt from its seed."""

    seed: int
    kind: str
    expr: ir.Expr
    small: SmallVocabulary
    width: int
    max_new_tokens: int
    prompt: tuple[int, ...]
    temperature: float
    top_k: int
    top_p: float
    gamma: int
    target_rows: Callable[[Sequence[int]], NDArray[np.float64]]
    draft_rows: Callable[[Sequence[int]], NDArray[np.float64]] | None
    residuals: tuple[Residual, ...] = ()

    @property
    def grammar(self) -> Grammar:
        """The grammar."""
        return Grammar(self.expr, f"world {self.seed} ({self.kind})", self.residuals)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary."""
        return Vocabulary(
            list(self.small.tokens), list(self.small.eos_ids), special_tokens=self.small.special_tokens
        )

    @cached_property
    def target(self) -> TabularModel:
        """The target model."""
        return TabularModel(
            self.target_rows, self.width, self.small.eos_ids, fingerprint=f"world-{self.seed}-target"
        )

    @cached_property
    def draft(self) -> TabularModel | None:
        """The draft model, if this world has one."""
        if self.draft_rows is None:
            return None
        return TabularModel(
            self.draft_rows, self.width, self.small.eos_ids, fingerprint=f"world-{self.seed}-draft"
        )

    @cached_property
    def recogniser(self) -> Recogniser:
        """Independent membership."""
        return Recogniser(self.expr, self.small.special_tokens)

    @cached_property
    def members(self) -> list[tuple[int, ...]]:
        """L: every token sequence of at most N tokens, EOS included, by brute force."""
        return self.members_within(self.max_new_tokens)

    def members_within(self, max_tokens: int) -> list[tuple[int, ...]]:
        """L for another budget."""
        return [ids for ids in self.spelled_within(max_tokens) if self.holds(ids)]

    def spelled_within(self, max_tokens: int) -> list[tuple[int, ...]]:
        """What the expression allows, residual predicates not asked."""
        return token_language(
            self.recogniser, self.small.tokens, self.small.eos_ids, max_tokens, self.small.edges
        )

    def holds(self, ids: Sequence[int]) -> bool:
        """Whether the text of a token sequence satisfies the residual predicates."""
        text = b"".join(self.small.tokens[t] or b"" for t in ids)
        return all(residual.holds(text) for residual in self.residuals)

    def row(self, prefix: Sequence[int]) -> NDArray[np.float64]:
        """p(.|prefix), from the reference implementation of the options."""
        logits = self.target_rows((*self.prompt, *prefix))
        return reference_row(logits, self.temperature, self.top_k, self.top_p)

    @cached_property
    def weights(self) -> dict[tuple[int, ...], float]:
        """p(y) of every member."""
        rows: dict[tuple[int, ...], NDArray[np.float64]] = {}
        out: dict[tuple[int, ...], float] = {}
        for ids in self.members:
            product = 1.0
            for t, token in enumerate(ids):
                if ids[:t] not in rows:
                    rows[ids[:t]] = self.row(ids[:t])
                product *= float(rows[ids[:t]][token])
            out[ids] = product
        return out

    @cached_property
    def phi(self) -> float:
        """Φ_N(ε)."""
        return math.fsum(self.weights.values())

    def phi_at(self, prefix: Sequence[int]) -> float:
        """Φ(x) = P_p(the rest lies in L | x), by the weights of the members below x."""
        start = tuple(prefix)
        reach = 1.0
        for t, token in enumerate(start):
            reach *= float(self.row(start[:t])[token])
        if reach == 0.0:
            raise ValueError(f"prefix {start} has probability 0")
        below = [w for ids, w in self.weights.items() if ids[: len(start)] == start]
        return math.fsum(below) / reach

    def __str__(self) -> str:
        """What to print when something fails here."""
        return (
            f"world seed={self.seed} kind={self.kind} N={self.max_new_tokens} gamma={self.gamma} "
            f"options=(T={self.temperature}, k={self.top_k}, p={self.top_p}) width={self.width} "
            f"prompt={self.prompt} {self.small!r} residuals={[r.key for r in self.residuals]} "
            f"members={len(self.members)} Phi={self.phi:.6g}\n"
            f"  {show(self.expr)}"
        )


def make_world(
    seed: int,
    dice: Dice | None = None,
    *,
    kinds: Sequence[str] = LAW_KINDS,
    max_sequences: int = 700,
    size: int | None = None,
    budget: int | None = None,
    gamma: int | None = None,
    draft: bool | None = None,
    options: bool = True,
    min_members: int = 2,
    residuals: bool = False,
) -> World | None:
    """A world from dice, or None where its language is empty within the budget or has Φ = 0.

    Parameters
    ----------
    seed : int
        Of the dice (unless given) and of the model rows.
    dice : Dice, optional
        Source of all structural choices.
    kinds : sequence of str
        Kinds of grammar to choose from.
    max_sequences : int
        Bound on usable tokens ** (N − 1), the price of brute force.
    size, budget, gamma, draft : optional
        Fix the vocabulary's size, N, γ, or whether there is a draft model.
    options : bool
        Whether temperature, top-k, top-p, prompts and wider heads vary too.
    min_members : int
        Least number of members with positive probability.
    residuals : bool
        Whether the grammar has residual predicates, that refuse a member or more within the budget.
    """
    rolls = dice if dice is not None else SeededDice([seed, 1])
    kind = kinds[rolls.pick(len(kinds))]
    alphabet = alphabet_of(rolls, kind)
    expr = expression(rolls, kind, alphabet)
    wanted = size if size is not None else 2 + rolls.pick(4)
    covered = False if kind in ("object", "members") else None
    small = vocabulary(rolls, expr, alphabet, wanted, special=kind == "edges", covered=covered)
    usable = sum(1 for t in small.tokens if t) + len(small.edges)
    longest = budget if budget is not None else 2 + rolls.pick(5)
    while longest > 2 and usable ** (longest - 1) > max_sequences:
        longest -= 1
    width = len(small.tokens)
    temperature, top_k, top_p = 1.0, 0, 1.0
    prompt: tuple[int, ...] = ()
    if options:
        width += rolls.pick(2)
        temperature = (1.0, 1.0, 0.7, 1.6)[rolls.pick(4)]
        top_k = (0, 0, 0, max(2, width - 2))[rolls.pick(4)]
        top_p = (1.0, 1.0, 1.0, 0.9)[rolls.pick(4)]
        prompt = ((), (0,), (1, 0))[rolls.pick(3)]
    rows = random_rows(seed * 4 + 1, width)
    with_draft = rolls.pick(2) == 1 if draft is None else draft
    draft_rows = None
    if with_draft:
        alone = random_rows(seed * 4 + 2, width)
        draft_rows = (alone, random_rows(seed * 4 + 3, width, base=rows), rows)[rolls.pick(3)]
    steps = gamma if gamma is not None else 1 + rolls.pick(4)
    world = World(
        seed, kind, expr, small, width, longest, prompt, temperature, top_k, top_p, steps, rows, draft_rows
    )
    if residuals:
        count, reads = 1 + rolls.pick(2), rolls.pick(2)
        predicates = tuple(HashPredicate(7 * seed + i, 0.6, reads == i) for i in range(count))
        world = replace(world, residuals=predicates)
        if len(world.members) == len(world.spelled_within(longest)):
            return None
    if sum(1 for weight in world.weights.values() if weight > 0.0) < min_members:
        return None
    return world


def worlds(seed: int, count: int, **settings: object) -> list[World]:
    """`count` worlds with a law, from consecutive seeds; deterministic in `seed` and `settings`."""
    found: list[World] = []
    at = 0
    while len(found) < count:
        world = make_world(seed * 100_000 + at, **settings)  # type: ignore[arg-type]
        at += 1
        if world is not None:
            found.append(world)
        if at > 100 * count + 100:
            raise ValueError("these settings make almost no world with a law")
    return found


def show(node: ir.Expr, depth: int = 12) -> str:
    """An expression as text, rules by name and spelled out once."""
    rules: dict[int, str] = {}
    todo: list[ir.Rule] = []

    def shown(e: ir.JsonObject, left: int) -> Iterator[str]:
        def values(value: ir.Expr | None, marked: ir.Marked) -> str:
            plain = "none" if value is None else text(value, left - 1)
            return "+".join([plain, *(f"{text(v, left - 1)}@{marks}" for v, marks in marked)])

        yield e.order
        for p in e.properties:
            sign = ("!" if p.required else "?") + ("~" if p.late else "")
            yield f"{p.name}{sign}={text(p.key, left - 1)}:{values(p.value, p.marked)}"
        for c in e.classes:
            yield f"names={text(c.names, left - 1)}:{values(c.value, c.marked)}"
        yield f"others={values(e.additional, e.marked)}"
        yield f"gap={text(e.gap, left - 1)}; keys={text(e.free_key, left - 1)}"
        if (e.least, e.most, e.marks) != (0, None, 0):
            yield f"members={e.least}..{e.most}, marks={e.marks}"

    def text(e: ir.Expr, left: int) -> str:
        if left == 0:
            return "…"
        match e:
            case ir.ByteSet(mask):
                found = bytes(b for b in range(256) if mask >> b & 1)
                if len(found) == 1:
                    return repr(found)[1:]
                return f"[{repr(found)[2:-1]}]" if len(found) < 20 else "[…]"
            case ir.Epsilon():
                return "ε"
            case ir.Empty():
                return "∅"
            case ir.Concat(items):
                return "(" + " ".join(text(i, left - 1) for i in items) + ")"
            case ir.Union(items):
                return "(" + " | ".join(text(i, left - 1) for i in items) + ")"
            case ir.Repeat(item, minimum, maximum):
                return f"{text(item, left - 1)}{{{minimum},{'' if maximum is None else maximum}}}"
            case ir.And(items):
                return "(" + " & ".join(text(i, left - 1) for i in items) + ")"
            case ir.Not(item):
                return f"~{text(item, left - 1)}"
            case ir.Call(item) | ir.Builtin(item):
                return f"call{text(item, left - 1)}"
            case ir.Machine(arcs, accepting):
                states = (
                    f"{q}{'!' if accepting[q] else ''}: "
                    + ", ".join(f"{text(item, left - 1)}→{target}" for item, target in row)
                    for q, row in enumerate(arcs)
                )
                return f"machine[{'; '.join(states)}]"
            case ir.Ref(rule):
                if id(rule) not in rules:
                    rules[id(rule)] = rule.name
                    todo.append(rule)
                return rule.name
            case ir.TokenEdge(token):
                return f"<{token}>"
            case ir.TokenSet(tokens, negated):
                return f"<{'not ' if negated else ''}{', '.join(map(str, tokens))}>"
            case ir.JsonObject():
                return f"object[{'; '.join(shown(e, left))}]"
            case _:
                return repr(e)

    lines = [text(node, depth)]
    for rule in todo:
        lines.append(f"{rule.name} = {text(rule.body, depth) if rule.body is not None else 'undefined'}")
    return "; ".join(lines)
