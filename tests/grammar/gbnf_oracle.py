"""Random grammars in GBNF, and their languages up to a length, computed by themselves.

Law: `language` is the least solution of the rules, cut at a length, found by iteration from nothing.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

LETTERS = "ab"


@dataclass(frozen=True)
class Node:
    """A literal, class, reference, sequence, choice or repetition; `kind` tells which."""

    kind: str
    text: str = ""
    items: tuple[Node, ...] = ()
    least: int = 0
    most: int | None = None


Rules = dict[str, Node]


def random_rules(rng: random.Random, *, guarded: bool = False) -> Rules:
    """One to four rules, `root` first; any may use any; guarded: with a letter before each use."""
    names = ["root", "x", "y-z", "w_1"][: rng.randint(1, 4)]
    if guarded:
        names = [f"{letter}:{name}" for name in names for letter in LETTERS]
        return {name.partition(":")[2]: _choice(rng, names, 3) for name in names}
    return {name: _choice(rng, names, 3) for name in names}


def _choice(rng: random.Random, names: list[str], depth: int) -> Node:
    count = rng.choice((1, 1, 2, 2, 3))
    return Node("choice", items=tuple(_sequence(rng, names, depth) for _ in range(count)))


def _sequence(rng: random.Random, names: list[str], depth: int) -> Node:
    return Node("sequence", items=tuple(_item(rng, names, depth) for _ in range(rng.choice((1, 1, 2, 3)))))


def _item(rng: random.Random, names: list[str], depth: int) -> Node:
    kinds = ["literal", "literal", "class", "reference"] + (["choice"] if depth else [])
    kind = rng.choice(kinds)
    if kind == "literal":
        node = Node("literal", "".join(rng.choice(LETTERS) for _ in range(rng.choice((0, 1, 1, 2)))))
    elif kind == "class":
        node = Node("class", rng.choice(["[a]", "[ab]", "[^a]", "[^ab]", "[b-z]"]))
    elif kind == "reference":
        before, _, name = rng.choice(names).rpartition(":")
        node = Node("reference", name)
        if before:
            node = Node("choice", items=(Node("sequence", items=(Node("literal", before), node)),))
    else:
        node = _choice(rng, names, depth - 1)
    bounds = rng.choice(([0, None], [1, None], [0, 1], [2, 2], [1, None], [0, 2], [1, 3], [2, None]))
    return Node("repeat", items=(node,), least=bounds[0], most=bounds[1]) if rng.random() < 0.3 else node


def language(rules: Rules, start: str, alphabet: str, length: int) -> frozenset[str]:
    """The members of at most `length` letters of the alphabet."""
    found: dict[str, frozenset[str]] = dict.fromkeys(rules, frozenset())
    while True:
        new = {name: _strings(body, found, alphabet, length) for name, body in rules.items()}
        if new == found:
            return found[start]
        found = new


def _strings(node: Node, found: dict[str, frozenset[str]], alphabet: str, length: int) -> frozenset[str]:
    match node.kind:
        case "literal":
            return frozenset([node.text] if len(node.text) <= length else [])
        case "class":
            return frozenset(char for char in alphabet if _in_class(node.text, char))
        case "reference":
            return found[node.text]
        case "choice":
            return frozenset().union(*(_strings(item, found, alphabet, length) for item in node.items))
        case "sequence":
            joined = frozenset([""])
            for item in node.items:
                joined = _join(joined, _strings(item, found, alphabet, length), length)
            return joined
        case _:
            return _repeated(node, _strings(node.items[0], found, alphabet, length), length)


def _in_class(text: str, char: str) -> bool:
    inner = text[1:-1].removeprefix("^")
    inside = "b" <= char <= "z" if inner == "b-z" else char in inner
    return inside != text.startswith("[^")


def _join(first: frozenset[str], second: frozenset[str], length: int) -> frozenset[str]:
    return frozenset(one + two for one in first for two in second if len(one) + len(two) <= length)


def _repeated(node: Node, once: frozenset[str], length: int) -> frozenset[str]:
    power = frozenset([""])
    for _ in range(node.least):
        power = _join(power, once, length)
    total = power
    rounds = length if node.most is None else node.most - node.least
    for _ in range(rounds):
        power = _join(power, once, length)
        total |= power
    return total


def written(rules: Rules, rng: random.Random) -> str:
    """The rules as text, with white space, comments and groups as people write them."""
    lines = []
    for name, body in rules.items():
        lines += rng.choice(([], [""], ['# a comment | "a" ::='], [" \t"]))
        gap = rng.choice((" ", "\n", "  "))
        lines.append(f"{name} ::={gap}{_text(body, rng, top=True)}")
    return "\n".join(lines) + rng.choice(("", "\n", " # end", "\r\n"))


def _text(node: Node, rng: random.Random, *, top: bool = False) -> str:
    match node.kind:
        case "literal":
            spelled = "".join(rng.choice((char, f"\\x{ord(char):02x}")) for char in node.text)
            return f'"{spelled}"'
        case "class" | "reference":
            return node.text
        case "choice":
            bar = rng.choice((" | ", "|", " |\n  "))
            inner = bar.join(_text(item, rng) for item in node.items)
            return inner if top else f"({inner})"
        case "sequence":
            return " ".join(_text(item, rng) for item in node.items)
        case _:
            return _text(node.items[0], rng) + _bounds(node, rng)


def _bounds(node: Node, rng: random.Random) -> str:
    marks = {(0, None): ("*", "{0,}"), (1, None): ("+", "{1,}", "{ 1, }"), (0, 1): ("?", "{0,1}")}
    known = marks.get((node.least, node.most))
    if known is not None:
        return rng.choice(known)
    if node.least == node.most:
        return f"{{{node.least}}}"
    return f"{{{node.least},{'' if node.most is None else node.most}}}"
