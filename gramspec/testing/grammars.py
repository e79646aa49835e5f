"""Small random grammars and vocabularies from one source of dice.

Law: every expression is byte-level and within the IR's rules (And/Not only over regular parts).
Cost: a few hundred dice per grammar. Source: laws, "How exactness is proved".

The dice are a NumPy generator (fresh worlds by seed) or a hypothesis draw (which then shrinks).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np

from gramspec.grammar import ir
from gramspec.testing.oracle import Recogniser

KINDS = (
    "finite",
    "regular",
    "recursive",
    "counted",
    "boolean",
    "object",
    "utf8",
    "edges",
    "machine",
    "members",
)
SPECIAL_NAME = "<|tool|>"


class Dice(Protocol):
    """A source of small choices; 0 is the simplest."""

    def pick(self, n: int) -> int:
        """An int in 0..n-1."""
        ...


class SeededDice:
    """Dice over a NumPy generator.

    Parameters
    ----------
    key : sequence of int
        Entropy words.
    """

    def __init__(self, key: Sequence[int]) -> None:
        self._generator = np.random.default_rng(list(key))

    def pick(self, n: int) -> int:
        """An int in 0..n-1."""
        return int(self._generator.integers(n))


def chance(dice: Dice, percent: int) -> bool:
    """True `percent` times in a hundred; False is the simple case."""
    return dice.pick(100) >= 100 - percent


def alphabet_of(dice: Dice, kind: str) -> bytes:
    """Letters that a grammar of this kind is made of."""
    if kind in ("object", "members"):
        return b'{}":,ab01'
    if kind == "utf8":
        return "éèa".encode()
    return b"ab" if dice.pick(2) == 0 else b"abc"


def expression(dice: Dice, kind: str, alphabet: bytes) -> ir.Expr:
    """A random expression of one of `KINDS` over an alphabet."""
    match kind:
        case "finite":
            return _finite(dice, alphabet)
        case "regular":
            return _regular(dice, alphabet, 3, boolean=False)
        case "boolean":
            return _boolean(dice, alphabet)
        case "counted":
            return _counted(dice, alphabet)
        case "recursive":
            return _recursive(dice, alphabet)
        case "object":
            return _object(dice, 1)
        case "members":
            return _members(dice)
        case "utf8":
            return _utf8(dice)
        case "machine":
            return _machine_part(dice, alphabet)
        case "edges":
            tail = _regular(dice, alphabet, 2, boolean=False)
            head = _regular(dice, alphabet, 1, boolean=False)
            edge: ir.Expr = ir.TokenEdge(SPECIAL_NAME)
            return ir.concat(head, edge if dice.pick(2) == 0 else ir.repeat(edge, 0, 2), tail)
        case _:
            raise ValueError(f"unknown kind {kind!r}")


def _word(dice: Dice, alphabet: bytes, longest: int) -> bytes:
    return bytes(alphabet[dice.pick(len(alphabet))] for _ in range(dice.pick(longest + 1)))


def _finite(dice: Dice, alphabet: bytes) -> ir.Expr:
    return ir.union(*(ir.literal(_word(dice, alphabet, 4)) for _ in range(1 + dice.pick(6))))


def _letters(dice: Dice, alphabet: bytes) -> ir.Expr:
    chosen = [b for b in alphabet if dice.pick(2) == 0]
    return ir.byte_set(chosen or [alphabet[dice.pick(len(alphabet))]])


def _regular(dice: Dice, alphabet: bytes, depth: int, *, boolean: bool) -> ir.Expr:
    choice = dice.pick(9 if boolean else 7) if depth else dice.pick(2)
    if depth > 1 and choice < 2:  # fewer leaves near the root
        choice = dice.pick(9 if boolean else 7)
    below = depth - 1
    match choice:
        case 0:
            return _letters(dice, alphabet)
        case 1:
            return ir.literal(_word(dice, alphabet, 2))
        case 2 | 3:
            items = [_regular(dice, alphabet, below, boolean=boolean) for _ in range(2 + dice.pick(2))]
            return ir.concat(*items)
        case 4:
            items = [_regular(dice, alphabet, below, boolean=boolean) for _ in range(2 + dice.pick(2))]
            return ir.union(*items)
        case 5:
            low = dice.pick(3)
            high = None if dice.pick(2) == 0 else low + dice.pick(3)
            return ir.repeat(_regular(dice, alphabet, below, boolean=boolean), low, high)
        case 6:
            return ir.Call(_regular(dice, alphabet, below, boolean=boolean))
        case 7:
            return ir.And(tuple(_regular(dice, alphabet, below, boolean=boolean) for _ in range(2)))
        case _:
            inside = ir.repeat(ir.byte_set(alphabet), 0, None)
            return ir.And((inside, ir.Not(_regular(dice, alphabet, below, boolean=boolean))))


def _boolean(dice: Dice, alphabet: bytes) -> ir.Expr:
    words = ir.repeat(ir.byte_set(alphabet), 0, None if dice.pick(2) else 4)
    part = _regular(dice, alphabet, 2, boolean=True)
    items = [words, ir.Not(part) if dice.pick(2) else part]
    if chance(dice, 50):
        items.append(_regular(dice, alphabet, 2, boolean=False))
    node: ir.Expr = ir.And(tuple(items))
    return ir.concat(node, ir.literal(_word(dice, alphabet, 1))) if dice.pick(2) else node


def _machine(dice: Dice, alphabet: bytes) -> ir.Expr:
    def reads() -> ir.Expr:
        match dice.pick(4):
            case 0 | 1:
                return _letters(dice, alphabet)
            case 2:
                return ir.literal(_word(dice, alphabet, 2) or alphabet[-1:])
            case _:
                return ir.concat(_letters(dice, alphabet), _regular(dice, alphabet, 1, boolean=True))

    size = 1 + dice.pick(4)
    arcs = tuple(tuple((reads(), dice.pick(size)) for _ in range(dice.pick(4))) for _ in range(size))
    # Some states lead nowhere, some are never reached.
    return ir.Machine(arcs, tuple(chance(dice, 40) for _ in range(size)))


def _machine_part(dice: Dice, alphabet: bytes) -> ir.Expr:
    node = _machine(dice, alphabet)
    match dice.pick(6):
        case 0:
            words = ir.repeat(ir.byte_set(alphabet), 0, 4)
            return ir.And((words, ir.Not(node)))
        case 1:
            return ir.And((node, _regular(dice, alphabet, 2, boolean=True)))
        case 2:
            return ir.concat(_regular(dice, alphabet, 1, boolean=False), node, _letters(dice, alphabet))
        case 3:
            low = dice.pick(3)
            return ir.repeat(node, low, None if dice.pick(2) else low + 1)
        case 4:
            return ir.union(ir.Call(node), _machine(dice, alphabet))
        case _:
            return node


def _counted(dice: Dice, alphabet: bytes) -> ir.Expr:
    def item() -> ir.Expr:
        match dice.pick(5):
            case 0:
                return _letters(dice, alphabet)
            case 1:  # ambiguous lengths: one item or two
                letter = ir.literal(alphabet[:1])
                return ir.union(letter, ir.concat(letter, letter))
            case 2:
                return ir.optional(_letters(dice, alphabet))
            case 3:
                return ir.literal(_word(dice, alphabet, 2) or alphabet[:1])
            case _:
                return _regular(dice, alphabet, 1, boolean=False)

    def counter(inner: ir.Expr) -> ir.Expr:
        low = dice.pick(4)
        match dice.pick(4):
            case 0:
                high: int | None = low
            case 1:
                high = None
            case _:
                high = low + 1 + dice.pick(4)
        return ir.repeat(inner, low, high)

    node = counter(item())
    if chance(dice, 40):
        node = counter(ir.concat(node, ir.literal(alphabet[-1:])))
    parts = [node]
    if chance(dice, 40):
        parts.insert(0, ir.literal(_word(dice, alphabet, 1)))
    if chance(dice, 40):
        parts.append(_letters(dice, alphabet))
    return ir.concat(*parts)


def _recursive(dice: Dice, alphabet: bytes) -> ir.Expr:
    rules = [ir.Rule(f"r{i}") for i in range(1 + dice.pick(3))]

    def symbol() -> ir.Expr:
        match dice.pick(6):
            case 0 | 1:
                return ir.literal(bytes([alphabet[dice.pick(len(alphabet))]]))
            case 2 | 3 | 4:
                return ir.Ref(rules[dice.pick(len(rules))])
            case _:
                return _regular(dice, alphabet, 1, boolean=False)

    for rule in rules:
        # The last alternative is free of rules, so that most rules are productive.
        alternatives = [
            ir.concat(*(symbol() for _ in range(1 + dice.pick(3)))) for _ in range(1 + dice.pick(2))
        ]
        alternatives.append(ir.literal(_word(dice, alphabet, 2)))
        rule.define(ir.union(*alternatives))
    root: ir.Expr = ir.Ref(rules[0])
    if chance(dice, 25):
        root = ir.concat(root, ir.literal(_word(dice, alphabet, 1)))
    return ir.repeat(root, 0, 1 + dice.pick(2)) if chance(dice, 20) else root


def _object(dice: Dice, depth: int) -> ir.Expr:
    escapes = chance(dice, 30)

    def key(name: str) -> ir.Expr:
        if escapes:  # as a declared key must: all its spellings among the free keys
            return ir.union(ir.literal(name), ir.literal(f"\\u{ord(name):04x}"))
        return ir.literal(name)

    def value() -> ir.Expr:
        if depth and chance(dice, 15):
            return _object(dice, depth - 1)
        return ir.literal("0") if dice.pick(2) == 0 else ir.byte_set(b"01")

    names = ["a", "b"] if dice.pick(2) == 0 else ["b", "a"]
    names = names[: dice.pick(3)]
    properties = tuple(ir.JsonProperty(n, key(n), value(), dice.pick(2) == 1) for n in names)
    letter: ir.Expr = ir.byte_set(b"ab")
    if escapes:
        letter = ir.union(letter, ir.literal("\\u0061"), ir.literal("\\u0062"))
    free_key = ir.repeat(letter, 0, None)
    gap = ir.optional(ir.literal(" ")) if chance(dice, 15) else ir.EPSILON
    additional = value() if not properties or dice.pick(2) == 1 else None
    order: Literal["schema", "any"] = "schema" if dice.pick(2) == 0 else "any"
    node = ir.JsonObject(properties, additional, order, gap, free_key)
    return ir.concat(node, ir.literal("0")) if chance(dice, 10) else node


def _members(dice: Dice) -> ir.Expr:
    """An object with what plain ones lack: key classes, counts, marks, late properties."""
    escapes = chance(dice, 20)
    marks = (0, 0, 1, 3, 3, 7)[dice.pick(6)]

    def letter(text: str, spelled: bool) -> ir.Expr:
        if spelled and escapes:
            return ir.union(*(part for c in text for part in (ir.literal(c), ir.literal(f"\\u{ord(c):04x}"))))
        return ir.byte_set(text.encode())

    def value() -> ir.Expr:
        return (ir.literal("0"), ir.byte_set(b"01"), ir.literal("1"), ir.EMPTY)[dice.pick(7) % 4]

    def marked() -> ir.Marked:
        if not marks:
            return ()
        return tuple((value(), 1 + dice.pick(marks)) for _ in range(dice.pick(3)))

    def names(choice: int, spelled: bool) -> ir.Expr:
        a, b, both = letter("a", spelled), letter("b", spelled), letter("ab", spelled)
        match choice:
            case 0:
                return ir.concat(a, ir.repeat(both))
            case 1:
                return ir.union(a, ir.concat(b, b))
            case 2:
                return ir.repeat(both, 2, 2)
            case 3:
                return ir.concat(b, ir.optional(both))
            case 4:
                return ir.repeat(ir.union(a, ir.concat(b, b)))
            case _:
                return ir.repeat(both, 0, 1)

    chosen = [dice.pick(6) for _ in range(dice.pick(3))]
    whole, spelled = [names(c, False) for c in chosen], [names(c, True) for c in chosen]
    if len(chosen) == 2:  # disjoint
        whole[1] = ir.And((whole[1], ir.Not(whole[0])))
        spelled[1] = ir.And((spelled[1], ir.Not(spelled[0])))
    classes = tuple(ir.JsonKeyClass(n, value(), marked()) for n in whole)
    order: Literal["schema", "any"] = "schema" if dice.pick(2) == 0 else "any"
    declared = (["a", "b"] if dice.pick(2) == 0 else ["b", "a", "ab"])[: dice.pick(4)]
    properties = tuple(
        ir.JsonProperty(
            name,
            ir.concat(*(letter(c, True) for c in name)),
            value(),
            chance(dice, 30),
            marked(),
            chance(dice, 25),
        )
        for name in declared
    )
    least = (0, 0, 1, 2, 3)[dice.pick(5)]
    most = (None, None, 1, 2, 3)[dice.pick(5)]
    everything = ir.repeat(letter("ab", True))
    additional = value() if dice.pick(2) else None
    free_key = everything if additional is not None or chance(dice, 10) else ir.union(*spelled)
    gap = ir.optional(ir.literal(" ")) if chance(dice, 10) else ir.EPSILON
    others = marked() if additional is not None else ()
    bounds = (least, most, marks)
    return ir.JsonObject(properties, additional, order, gap, free_key, classes, others, *bounds)


def _utf8(dice: Dice) -> ir.Expr:
    letters = [ir.literal(c) for c in "éèa"]
    chosen = [letter for letter in letters if dice.pick(2) == 0] or letters[:1]
    item = ir.union(*chosen)
    return ir.repeat(item, dice.pick(2), None if dice.pick(2) == 0 else 2 + dice.pick(2))


def derive(expr: ir.Expr, dice: Dice, alphabet: bytes, fuel: int = 40) -> list[int | str] | None:
    """A random member as bytes and edge names; None when the fuel ends first or there is none."""
    out: list[int | str] = []
    left = [fuel]

    def go(node: ir.Expr) -> bool:
        left[0] -= 1
        if left[0] < 0:
            return False
        match node:
            case ir.ByteSet(mask):
                bits = [b for b in range(256) if mask >> b & 1]
                if not bits:
                    return False
                out.append(bits[dice.pick(len(bits))])
                return True
            case ir.Epsilon():
                return True
            case ir.Concat(items):
                return all(go(item) for item in items)
            case ir.Union(items):
                return go(items[dice.pick(len(items))])
            case ir.Repeat(item, minimum, maximum):
                most = 2 if maximum is None else maximum - minimum
                return all(go(item) for _ in range(minimum + dice.pick(min(most, 2) + 1)))
            case ir.Call(item) | ir.Builtin(item):
                return go(item)
            case ir.Ref(rule):
                return rule.body is not None and go(rule.body)
            case ir.TokenEdge(token):
                out.append(str(token))
                return True
            case ir.And() | ir.Not() | ir.Machine():
                known = Recogniser(node)
                short = (bytes(w) for k in range(4) for w in itertools.product(alphabet, repeat=k))
                words = [word for word in short if known.accepts(word)]
                if words:
                    out.extend(words[dice.pick(len(words))])
                return bool(words)
            case ir.JsonObject():
                return go(_one_object(node, dice))
            case _:
                return False

    return out if go(expr) else None


def _one_object(node: ir.JsonObject, dice: Dice) -> ir.Expr:
    def member(key: ir.Expr, values: list[ir.Expr]) -> None:
        able = [value for value in values if not isinstance(value, ir.Empty)]
        if able:
            value = able[dice.pick(len(able))] if len(able) > 1 else able[0]
            parts.append(ir.concat(ir.literal('"'), key, ir.literal('":'), value))

    parts: list[ir.Expr] = []
    for prop in node.properties:
        if prop.required or dice.pick(2):
            member(prop.key, [prop.value, *(value for value, _ in prop.marked)])
    others = [] if node.additional is None else [node.additional, *(value for value, _ in node.marked)]
    for group in node.classes:
        others += [group.value, *(value for value, _ in group.marked)]
    if others and dice.pick(2):
        member(node.free_key, others)
    if len(parts) < node.least and others:
        member(node.free_key, others)
    joined: list[ir.Expr] = []
    for i, part in enumerate(parts):
        joined.extend([ir.literal(","), part] if i else [part])
    return ir.concat(ir.literal("{"), *joined, ir.literal("}"))


class SmallVocabulary:
    """Tokens, EOS ids and special tokens of a small world, as plain data."""

    def __init__(
        self, tokens: Sequence[bytes | None], eos_ids: Sequence[int], special_tokens: dict[str, int]
    ) -> None:
        self.tokens = tuple(tokens)
        self.eos_ids = tuple(sorted(eos_ids))
        self.special_tokens = special_tokens

    @property
    def edges(self) -> frozenset[int]:
        """Ids that are written as token edges."""
        return frozenset(self.special_tokens.values())

    def __repr__(self) -> str:
        """All of it: these are small."""
        return f"SmallVocabulary({list(self.tokens)!r}, {list(self.eos_ids)!r}, {self.special_tokens!r})"


def vocabulary(
    dice: Dice,
    expr: ir.Expr,
    alphabet: bytes,
    size: int,
    *,
    special: bool = False,
    covered: bool | None = None,
) -> SmallVocabulary:
    """A vocabulary of about `size` tokens around the members of an expression.

    Tokens straddle symbols (members are cut anywhere, characters included), some are duplicates,
    some ids are gaps, there are one or two EOS ids, and ids are shuffled.
    """
    found: list[bytes | None] = []
    if covered if covered is not None else chance(dice, 60):
        found.extend(bytes([b]) for b in sorted(set(alphabet)))
        size = max(size, len(found) + 2)
    longest = 8 if b"{" in alphabet else 3
    for _ in range(12):
        if len(found) >= size:
            break
        member = derive(expr, dice, alphabet)
        if not member:
            found.append(_word(dice, alphabet, 2) or alphabet[:1])
            continue
        run: list[int] = []
        for symbol in [*member, "end"]:
            if isinstance(symbol, int):
                run.append(symbol)
                continue
            while run:
                cut = 1 + dice.pick(min(longest, len(run)))
                found.append(bytes(run[:cut]))
                run = run[cut:]
    kept: list[bytes | None] = list(dict.fromkeys(found))[:size]
    if chance(dice, 25) and kept:
        kept.append(kept[dice.pick(len(kept))])  # two ids with the same bytes
    if chance(dice, 20):
        kept.append(None)  # a gap
    if chance(dice, 20):
        kept.append(_word(dice, alphabet, 3) or None)
    ends = 1 + (dice.pick(4) == 3)
    slots: list[bytes | str | None] = [*kept, *(["eos"] * ends), *([SPECIAL_NAME] if special else [])]
    for i in range(len(slots) - 1, 0, -1):  # Fisher-Yates with the same dice
        j = i - dice.pick(i + 1)
        slots[i], slots[j] = slots[j], slots[i]
    eos = [i for i, slot in enumerate(slots) if slot == "eos"]
    named = {slot: i for i, slot in enumerate(slots) if isinstance(slot, str) and slot != "eos"}
    tokens = [slot if isinstance(slot, bytes) else None for slot in slots]
    return SmallVocabulary(tokens, eos, named)
