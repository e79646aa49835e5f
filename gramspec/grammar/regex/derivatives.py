"""Brzozowski derivatives of character expressions: hash-consed terms, symbolic counts, no recursion.

Law: a term denotes a set of texts of Unicode scalars; equal terms are one integer.
Cost: a derivative costs the size of its result once; every unit of it is paid from `fuel`.
Source: Owens, Reppy, Turon, "Regular-expression derivatives re-examined" (JFP 2009).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypeVar

from gramspec.errors import GrammarError, LimitError
from gramspec.grammar import ir
from gramspec.grammar.regex.alphabet import Alphabet
from gramspec.grammar.regex.edges import joined_counts

Key: TypeAlias = tuple[Any, ...]
_Value = TypeVar("_Value")
_Node = TypeVar("_Node")

EMPTY: Final = 0
EPSILON: Final = 1
ANY: Final = 2  # one character
ALL: Final = 3
_FREE: Final = -1  # an upper bound that is not there
_NO_PREFIX: Final = -1


class Derivatives:
    """Terms over the alphabet of some expressions.

    Parameters
    ----------
    roots : sequence of ir.Expr
        Expressions over characters; `terms` holds their terms in the same order.
    fuel : int
        Units of work before `LimitError` is raised; `fuel` may be raised again at any time.
    """

    def __init__(self, roots: Sequence[ir.Expr], fuel: int) -> None:
        self.fuel = fuel
        self._roots = roots
        self._nodes = _below(roots, ir.children)
        self.alphabet = Alphabet(node.ranges for node in self._nodes if isinstance(node, ir.CharSet))
        self._reset()

    @property
    def terms(self) -> list[int]:
        """The terms of the expressions."""
        return [self._translated[id(root)] for root in self._roots]

    def _reset(self) -> None:
        self.keys: list[Key] = []
        self.nullable: list[bool] = []
        self.plain: list[bool] = []  # made without And, Not and Machine: empty only if it is EMPTY
        self.shortest: list[float] = []  # bounds of the lengths of members
        self.longest: list[float] = []
        self._ids: dict[Key, int] = {}
        self._steps: list[dict[int, int]] = [{} for _ in range(self.alphabet.size)]
        self._partitions: dict[int, tuple[int, ...]] = {}
        self._intern(("empty",), False, True, math.inf, -math.inf)
        self._intern(("epsilon",), True, True, 0, 0)
        self._intern(("set", self.alphabet.full), False, True, 1, 1)
        self._intern(("repeat", ANY, 0, _FREE), True, True, 0, math.inf)
        self._machines: list[ir.Machine] = []
        self._translated: dict[int, int] = {}
        for node in self._nodes:
            self._spend(1)
            self._translated[id(node)] = self._term(node)

    def forget(self, term: int) -> int:
        """Drop every term but those of the expressions and `term`, whose new id is returned."""
        old = self.keys
        order = _below([term], lambda part: parts_of(old[part]))
        self._reset()
        renamed: dict[int, int] = {}
        for part in order:
            renamed[part] = self._rebuilt(old[part], [renamed[inner] for inner in parts_of(old[part])])
        return renamed[term]

    def _rebuilt(self, key: Key, parts: Sequence[int]) -> int:
        match key[0]:
            case "empty":
                return EMPTY
            case "epsilon":
                return EPSILON
            case "set":
                return self.chars(key[1])
            case "cat":
                return self.cat(parts[0], parts[1])
            case "repeat":
                return self.repeat(parts[0], key[2], key[3])
            case "or":
                return self.either(parts)
            case "and":
                return self.both(parts)
            case "not":
                return self.negation(parts[0])
        return self.state(key[1], key[2])

    # -- terms ------------------------------------------------------------------------------

    def _term(self, node: ir.Expr) -> int:
        part = self._translated
        match node:
            case ir.CharSet():
                return self.chars(self.alphabet.masks[node.ranges])
            case ir.Epsilon():
                return EPSILON
            case ir.Empty():
                return EMPTY
            case ir.Concat():
                self._spend(len(node.items))
                term = EPSILON
                for item in reversed(node.items):
                    term = self.cat(part[id(item)], term)
                return term
            case ir.Union():
                return self.either(part[id(item)] for item in node.items)
            case ir.And():
                return self.both(part[id(item)] for item in node.items)
            case ir.Not():
                return self.negation(part[id(node.item)])
            case ir.Repeat():
                high = _FREE if node.maximum is None else node.maximum
                return self.repeat(part[id(node.item)], node.minimum, high)
            case ir.Call() | ir.Builtin():
                return part[id(node.item)]
            case ir.Machine():
                self._machines.append(node)
                return self.state(len(self._machines) - 1, 0)
        raise GrammarError("", f"{type(node).__name__} is not an expression over characters")

    def _intern(self, key: Key, nullable: bool, plain: bool, shortest: float, longest: float) -> int:
        found = self._ids.get(key)
        if found is None:
            found = self._ids[key] = len(self.keys)
            self.keys.append(key)
            self.nullable.append(nullable)
            self.plain.append(plain)
            self.shortest.append(shortest)
            self.longest.append(longest)
        return found

    def chars(self, mask: int) -> int:
        """One character of some classes."""
        return self._intern(("set", mask), False, True, 1, 1) if mask else EMPTY

    def state(self, machine: int, number: int) -> int:
        """The language of a state of a `Machine`."""
        accepting = self._machines[machine].accepting[number]
        return self._intern(("state", machine, number), accepting, False, 0 if accepting else 1, math.inf)

    def cat(self, first: int, second: int) -> int:
        """Concatenation, associated to the right."""
        if EMPTY in (first, second):
            return EMPTY
        chain: list[int] = []
        while self.keys[first][0] == "cat":
            chain.append(self.keys[first][1])
            first = self.keys[first][2]
        chain.append(first)
        self._spend(len(chain))
        for head in reversed(chain):
            second = self._cat(head, second)
        return second

    def _cat(self, first: int, second: int) -> int:
        if first == EPSILON:
            return second
        if second == EPSILON:
            return first
        follows = self.keys[second][1] if self.keys[second][0] == "cat" else second
        if follows == ALL and (first == ALL or self.nullable[first]):
            return second
        return self._intern(
            ("cat", first, second),
            self.nullable[first] and self.nullable[second],
            self.plain[first] and self.plain[second],
            self.shortest[first] + self.shortest[second],
            self.longest[first] + self.longest[second],
        )

    def repeat(self, item: int, low: int, high: int) -> int:
        """`item` from `low` to `high` times (-1: no upper bound)."""
        if item == EMPTY or high == 0:
            return EPSILON if low == 0 else EMPTY
        if item == EPSILON:
            return EPSILON
        key = self.keys[item]
        if key[0] == "repeat":
            joined = joined_counts((key[2], _bound(key[3])), (low, _bound(high)))
            if joined is not None:
                item, low, high = key[1], joined[0], _FREE if joined[1] is None else joined[1]
        if self.nullable[item]:
            low = 0
        if (low, high) == (1, 1) or (self.nullable[item] and high == 1):
            return item
        return self._intern(
            ("repeat", item, low, high),
            low == 0,
            self.plain[item],
            low * self.shortest[item],
            math.inf if high == _FREE else high * self.longest[item],
        )

    def negation(self, term: int) -> int:
        """All texts that are not in `term`."""
        key = self.keys[term]
        if term == EMPTY:
            return ALL
        if term == ALL:
            return EMPTY
        if key[0] == "not":
            return int(key[1])
        if term == EPSILON:
            return self.repeat(ANY, 1, _FREE)
        if key[0] == "repeat" and key[1] == ANY:
            shorter = self.repeat(ANY, 0, key[2] - 1) if key[2] else EMPTY
            longer = EMPTY if key[3] == _FREE else self.repeat(ANY, key[3] + 1, _FREE)
            return self.either((shorter, longer))
        return self._intern(("not", term), not self.nullable[term], False, 0, math.inf)

    def either(self, terms: Iterable[int]) -> int:
        """Union: a sorted set; characters are merged, and counts of one item where they meet."""
        found: set[int] = set()
        mask = 0
        for term in terms:
            for part in self.keys[term][1] if self.keys[term][0] == "or" else (term,):
                if self.keys[part][0] == "set":
                    mask |= self.keys[part][1]
                else:
                    found.add(part)
        self._spend(len(found))
        found.discard(EMPTY)
        if mask:
            found.add(self.chars(mask))
        if len(found) > 1:
            found = self._merged(found)
        if EPSILON in found and any(self.nullable[part] for part in found if part != EPSILON):
            found.discard(EPSILON)
        if ALL in found or any(self.keys[part][0] == "not" and self.keys[part][1] in found for part in found):
            return ALL
        if len(found) < 2:
            return next(iter(found), EMPTY)
        return self._intern(
            ("or", tuple(sorted(found))),
            any(self.nullable[part] for part in found),
            all(self.plain[part] for part in found),
            min(self.shortest[part] for part in found),
            max(self.longest[part] for part in found),
        )

    def _merged(self, terms: set[int]) -> set[int]:
        """Join `p x{a,b} t` and `p x{c,d} t` where the counts overlap or touch."""
        groups: dict[tuple[int, int, int], list[tuple[int, float, int]]] = {}
        for term in terms:
            shape = self._counted(term)
            if shape is not None:
                prefix, item, low, high, tail = shape
                span = (low, math.inf if high == _FREE else high, term)
                groups.setdefault((prefix, item, tail), []).append(span)
        result = terms
        for (prefix, item, tail), spans in groups.items():
            if len(spans) < 2:
                continue
            if result is terms:
                result = set(terms)
            result.difference_update(term for _, _, term in spans)
            spans.sort()
            joined: list[tuple[int, float]] = []
            for least, most, _ in spans:
                if joined and least <= joined[-1][1] + 1:
                    joined[-1] = (joined[-1][0], max(joined[-1][1], most))
                else:
                    joined.append((least, most))
            for least, most in joined:
                body = self.repeat(item, least, _FREE if most == math.inf else int(most))
                body = self.cat(body, tail)
                result.add(body if prefix == _NO_PREFIX else self.cat(prefix, body))
        return result

    def _counted(self, term: int) -> tuple[int, int, int, int, int] | None:
        """A term as prefix, item, low, high, tail when its first or second factor is counted."""
        key = self.keys[term]
        prefix = _NO_PREFIX
        if key[0] == "cat" and self.keys[key[1]][0] != "repeat":
            prefix = key[1]
            key = self.keys[key[2]]
        tail = EPSILON
        if key[0] == "cat":
            key, tail = self.keys[key[1]], key[2]
        if key[0] != "repeat":
            return None
        return prefix, key[1], key[2], key[3], tail

    def both(self, terms: Iterable[int]) -> int:
        """Intersection: a sorted set; sets of characters and bounds on lengths are merged."""
        found: set[int] = set()
        mask = -1
        for term in terms:
            for part in self.keys[term][1] if self.keys[term][0] == "and" else (term,):
                if self.keys[part][0] == "set":
                    mask &= self.keys[part][1]
                else:
                    found.add(part)
        self._spend(len(found))
        if mask != -1:
            found.add(self.chars(mask))
        found.discard(ALL)
        if EMPTY in found:
            return EMPTY
        lengths = [part for part in found if self.keys[part][0] == "repeat" and self.keys[part][1] == ANY]
        found.difference_update(lengths)
        shortest = max((self.shortest[part] for part in found), default=0)
        longest = min((self.longest[part] for part in found), default=math.inf)
        least = max((self.shortest[part] for part in lengths), default=0)
        most = min((self.longest[part] for part in lengths), default=math.inf)
        if max(least, shortest) > min(most, longest):
            return EMPTY
        if any(self.keys[part][0] == "not" and self.keys[part][1] in found for part in found):
            return EMPTY
        if EPSILON in found:
            return EPSILON if all(self.nullable[part] for part in found) else EMPTY
        if least > shortest or most < longest:
            low = int(least) if least > shortest else 0
            found.add(self.repeat(ANY, low, int(most) if most < longest else _FREE))
        if len(found) < 2:
            return next(iter(found), ALL)
        return self._intern(
            ("and", tuple(sorted(found))),
            all(self.nullable[part] for part in found),
            False,
            max(least, shortest),
            min(most, longest),
        )

    # -- steps ------------------------------------------------------------------------------

    def step(self, term: int, char: int) -> int:
        """The derivative of a term by the characters of one class."""
        known = self._steps[char]
        if term not in known:
            self._solve(term, known, lambda part: self._derivative(part, char, known))
        return known[term]

    def _derivative(self, term: int, char: int, known: Mapping[int, int]) -> int:
        key = self.keys[term]
        match key[0]:
            case "set":
                return EPSILON if key[1] >> char & 1 else EMPTY
            case "cat":
                stay = self.cat(known[key[1]], key[2])
                return self.either((stay, known[key[2]])) if self.nullable[key[1]] else stay
            case "repeat":
                high = key[3] if key[3] == _FREE else key[3] - 1
                return self.cat(known[key[1]], self.repeat(key[1], max(key[2] - 1, 0), high))
            case "or":
                return self.either([known[part] for part in key[1]])
            case "and":
                return self.both([known[part] for part in key[1]])
            case "not":
                return self.negation(known[key[1]])
            case "state":
                arcs = self._machines[key[1]].arcs[key[2]]
                return self.either(
                    self.cat(known[self._translated[id(item)]], self.state(key[1], target))
                    for item, target in arcs
                )
        return EMPTY

    def partition(self, term: int) -> tuple[int, ...]:
        """Disjoint sets of classes, covering all, within which every derivative is the same."""
        known = self._partitions
        if term not in known:
            self._solve(term, known, lambda part: self._split(part, known))
        return known[term]

    def _split(self, term: int, known: Mapping[int, tuple[int, ...]]) -> tuple[int, ...]:
        key = self.keys[term]
        full = self.alphabet.full
        if key[0] == "set":
            return (key[1], full & ~key[1]) if key[1] != full else (full,)
        blocks: tuple[int, ...] = (full,)
        for part in dict.fromkeys(self._heads(term)):
            other = known[part]
            if len(other) > 1 and other != blocks:
                self._spend(len(blocks) * len(other))
                blocks = tuple(both for one in blocks for two in other if (both := one & two))
        return blocks

    def _heads(self, term: int) -> Sequence[int]:
        """The terms whose derivatives make the derivative of a term."""
        key = self.keys[term]
        match key[0]:
            case "cat":
                return (key[1], key[2]) if self.nullable[key[1]] else (key[1],)
            case "state":
                return [self._translated[id(item)] for item, _ in self._machines[key[1]].arcs[key[2]]]
        return parts_of(key)

    def _solve(self, root: int, known: dict[int, _Value], value: Callable[[int], _Value]) -> None:
        """Fill `known` for a term and the heads it needs, bottom-up."""
        stack = [root]
        while stack:
            term = stack[-1]
            if term in known:
                stack.pop()
                continue
            todo = [part for part in self._heads(term) if part not in known]
            if todo:
                stack.extend(todo)
                continue
            stack.pop()
            self._spend(1)
            known[term] = value(term)

    def _spend(self, amount: int) -> None:
        self.fuel -= amount
        if self.fuel < 0:
            raise LimitError("max_states", "the derivatives of this expression are too large")


def _bound(high: int) -> int | None:
    return None if high == _FREE else high


def parts_of(key: Key) -> Sequence[int]:
    """The terms that a term is made of."""
    match key[0]:
        case "cat":
            return (key[1], key[2])
        case "repeat" | "not":
            return (key[1],)
        case "or" | "and":
            return tuple(key[1])
    return ()


def _below(roots: Iterable[_Node], parts: Callable[[_Node], Sequence[_Node]]) -> list[_Node]:
    """Everything below some nodes, parts first, each once."""
    done: dict[_Node, None] = {}
    stack = [(root, False) for root in roots]
    while stack:
        node, ready = stack.pop()
        if node in done:
            continue
        if ready:
            done[node] = None
        else:
            stack.append((node, True))
            stack.extend((part, False) for part in parts(node))
    return list(done)
