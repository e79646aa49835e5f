"""Look-ahead and look-behind anywhere in a pattern, as a finite automaton.

Law: exact. A state is one thread of the pattern with what it still owes (looks ahead that must or must
not succeed), and how far every look-behind has matched; alternatives are arcs that overlap.
Cost: states under `MAX_STATES`, work under `FUEL`; both refuse by the name of the look.
Source: Brzozowski and Leiss, "On equations for regular languages, finite automata, and sequential
networks" (TCS 1980); Chida and Terauchi, "On lookaheads in regular expressions with backreferences"
(FSCD 2022).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from gramspec.grammar import ir
from gramspec.grammar.regex.looknet import END, TRUE, Before, Follows, Guard, Network, Precedes
from gramspec.grammar.regex.tree import Tree

MAX_STATES: Final = 10_000
FUEL: Final = 2_500_000

# A literal is a state of the network plus one ("accepted from there on"), or minus that ("not").
Clause: TypeAlias = frozenset[int]
Formula: TypeAlias = frozenset[Clause]  # any clause, all of its literals
Progress: TypeAlias = tuple[tuple[int, Formula], ...]  # of a look-behind: state -> under which condition
_Position: TypeAlias = tuple[tuple[Progress, ...], tuple[Formula, ...]]
Thread: TypeAlias = tuple[Clause, tuple[Progress, ...]]

_YES: Final[Formula] = frozenset([frozenset()])
_NO: Final[Formula] = frozenset()
_START: Final = -1  # instead of the class of the character before


def automaton(pattern: Tree, source: str) -> ir.Expr:
    """The texts that match a tree as a whole.

    Parameters
    ----------
    pattern : Tree
        The tree; it may hold looks anywhere.
    source : str
        The text of the pattern, for errors.

    Returns
    -------
    ir.Expr
        A `Machine` whose arcs are single characters, or `ir.EMPTY`.

    Raises
    ------
    UnsupportedError
        When the budget of states or of work is spent; names the first look.
    """
    return _Automaton(Network(pattern, source)).build()


class _Automaton:
    def __init__(self, network: Network) -> None:
        self.network = network
        self.fuel = FUEL
        self.needs = _looks_behind(network)
        inside = [self.needs[begin].bit_count() for begin, _ in network.behind]
        self.order = sorted(range(len(inside)), key=inside.__getitem__)  # the inner ones first
        self.advances: dict[tuple[tuple[Progress, ...], int], _Position] = {}
        self.closures: dict[tuple[int, int, tuple[Formula, ...]], Formula] = {}
        self.steps: dict[tuple[int, int, tuple[Formula, ...]], Formula] = {}
        self.negations: dict[Formula, Formula] = {}

    def build(self) -> ir.Expr:
        network = self.network
        blank = tuple(() for _ in network.behind)
        progress, values = self.advance(blank, _START)
        first = self.closure(network.start, _START, values)
        numbers: dict[Thread, int] = {}
        arcs: list[dict[int, int]] = []
        initial = [self.number(clause, progress, numbers, arcs) for clause in first]
        done = 0
        threads = list(numbers)
        while done < len(threads):
            clause, progress = threads[done]
            for kind in range(network.alphabet.size):
                after, values = self.advance(progress, kind)
                for target in self.step([clause], kind, values):
                    number = self.number(target, after, numbers, arcs)
                    arcs[done][number] = arcs[done].get(number, 0) | 1 << kind
                    if number == len(threads):
                        threads.append(next(reversed(numbers)))
            done += 1
        accepting = [_ends(clause) for clause, _ in threads]
        return _emit(network, arcs, accepting, initial)

    def number(
        self,
        clause: Clause,
        progress: Sequence[Progress],
        numbers: dict[Thread, int],
        arcs: list[dict[int, int]],
    ) -> int:
        """The number of a thread; what no look-behind of its future asks for is forgotten."""
        self.spend(2)
        wanted = 0
        for literal in clause:
            wanted |= self.needs[abs(literal) - 1]
        kept = tuple(item if wanted >> look & 1 else () for look, item in enumerate(progress))
        found = numbers.get((clause, kept))
        if found is None:
            if len(numbers) >= MAX_STATES:
                self.network.refuse(f"more than {MAX_STATES} states")
            found = numbers[clause, kept] = len(numbers)
            arcs.append({})
        return found

    # -- positions ------------------------------------------------------------------------

    def advance(self, progress: tuple[Progress, ...], kind: int) -> _Position:
        """Every look-behind one character further; and under which condition each now succeeds."""
        found = self.advances.get((progress, kind))
        if found is None:
            found = self.advances[progress, kind] = self.advanced(progress, kind)
        return found

    def advanced(self, progress: tuple[Progress, ...], kind: int) -> _Position:
        network = self.network
        values = [_NO] * len(network.behind)
        found: list[Progress] = [()] * len(network.behind)
        for look in self.order:
            begin, end = network.behind[look]
            reached: dict[int, Formula] = {begin: _YES}
            self.spend(len(progress[look]))
            for state, condition in progress[look]:
                targets = [target for mask, target in network.moves[state] if mask >> kind & 1]
                if targets:
                    condition = self.step(condition, kind, values)
                    for target in targets:
                        reached[target] = self.either(reached.get(target, _NO), condition)
            spread = self.spread(reached, kind, values)
            values[look] = spread.pop(end, _NO)
            found[look] = tuple(sorted((s, f) for s, f in spread.items() if network.moves[s]))
        return tuple(found), tuple(values)

    def step(self, formula: Iterable[Clause], kind: int, values: Sequence[Formula]) -> Formula:
        """What a formula asks for after a character."""
        result = _NO
        for clause in formula:
            self.spend(2 + len(clause) // 2)
            certain: set[int] = set()
            choices: list[Formula] = []
            for literal in clause:
                after = self.after(abs(literal) - 1, kind, values)
                if literal < 0:
                    after = self.negation(after)
                if not after:
                    break
                if len(after) == 1:
                    certain.update(*after)
                else:
                    choices.append(after)
            else:
                if not any(-literal in certain for literal in certain):
                    product: Formula = frozenset([frozenset(certain)])
                    for choice in choices:
                        product = self.both(product, choice)
                    result = self.either(result, product)
        return result

    def after(self, state: int, kind: int, values: Sequence[Formula]) -> Formula:
        """What being accepted from a state asks for after a character."""
        key = (state, kind, tuple(values))
        found = self.steps.get(key)
        if found is None:
            found = _NO
            for mask, target in self.network.moves[state]:
                if mask >> kind & 1:
                    found = self.either(found, self.closure(target, kind, values))
            self.steps[key] = found
        return found

    def closure(self, state: int, kind: int, values: Sequence[Formula]) -> Formula:
        """What being accepted from a state asks for, in terms of states with moves (or the end)."""
        key = (state, kind, tuple(values))
        found = self.closures.get(key)
        if found is None:
            found = _NO
            for target, condition in self.spread({state: _YES}, kind, values).items():
                if target == TRUE:
                    found = self.either(found, condition)
                elif target == END or self.network.moves[target]:
                    literal: Formula = frozenset([frozenset([target + 1])])
                    found = self.either(found, self.both(condition, literal))
            self.closures[key] = found
        return found

    def spread(self, reached: dict[int, Formula], kind: int, values: Sequence[Formula]) -> dict[int, Formula]:
        """Follow the empty moves from states reached under conditions."""
        reached = dict(reached)
        stack = list(reached)
        while stack:
            state = stack.pop()
            for guards, target in self.network.empty[state]:
                condition = reached[state]
                for guard in guards:
                    condition = self.both(condition, self.holds(guard, kind, values))
                old = reached.get(target, _NO)
                new = self.either(old, condition)
                if new != old:
                    reached[target] = new
                    stack.append(target)
        return reached

    def holds(self, guard: Guard, kind: int, values: Sequence[Formula]) -> Formula:
        match guard:
            case Before():
                fits = guard.start if kind == _START else guard.mask >> kind & 1
                return _YES if fits else _NO
            case Follows():
                found = self.closure(guard.state, kind, values)
            case Precedes():
                found = values[guard.look]
        return self.negation(found) if guard.negative else found

    # -- formulas -------------------------------------------------------------------------

    def either(self, first: Formula, second: Formula) -> Formula:
        if not first or first == second:
            return second
        if not second:
            return first
        return self.absorbed(first | second)

    def both(self, first: Formula, second: Formula) -> Formula:
        if first == _YES:
            return second
        if second == _YES:
            return first
        self.spend(len(first) * len(second))
        clauses = {one | two for one in first for two in second}
        return self.absorbed(
            clause for clause in clauses if not any(-literal in clause for literal in clause)
        )

    def negation(self, formula: Formula) -> Formula:
        found = self.negations.get(formula)
        if found is None:
            found = _YES
            for clause in formula:
                found = self.both(found, frozenset(frozenset([-literal]) for literal in clause))
            self.negations[formula] = found
        return found

    def absorbed(self, clauses: Iterable[Clause]) -> Formula:
        """Without the clauses that ask for more than another one."""
        ordered = sorted(clauses, key=len)
        self.spend(len(ordered))
        kept: list[Clause] = []
        for clause in ordered:
            if len(kept) > 1:
                self.spend(len(kept) // 8)
            if not any(small <= clause for small in kept if len(small) < len(clause)):
                kept.append(clause)
        return frozenset(kept)

    def spend(self, amount: int) -> None:
        self.fuel -= amount
        if self.fuel < 0:
            self.network.refuse("too much work")


def _ends(clause: Clause) -> bool:
    """Whether a thread may end with the text."""
    return all((literal == END + 1) if literal > 0 else (literal != -END - 1) for literal in clause)


def _looks_behind(network: Network) -> list[int]:
    """By state: the look-behinds (as bits) that may be asked for from there on."""
    size = len(network.moves)
    needs = [0] * size
    sources: list[list[int]] = [[] for _ in range(size)]
    for state in range(size):
        onward = [target for _, target in network.moves[state]]
        for guards, target in network.empty[state]:
            onward.append(target)
            for guard in guards:
                if isinstance(guard, Follows):
                    onward.append(guard.state)
                elif isinstance(guard, Precedes):
                    needs[state] |= 1 << guard.look
                    onward.append(network.behind[guard.look][0])
        for target in onward:
            sources[target].append(state)
    stack = [state for state in range(size) if needs[state]]
    while stack:
        state = stack.pop()
        for source in sources[state]:
            if needs[state] & ~needs[source]:
                needs[source] |= needs[state]
                stack.append(source)
    return needs


def _emit(network: Network, arcs: list[dict[int, int]], accepting: list[bool], initial: list[int]) -> ir.Expr:
    """The machine of the states that can still end, equal ones merged."""
    live = _live(arcs, accepting)
    initial = [state for state in initial if state in live]
    if not initial:
        return ir.EMPTY
    arcs = [{target: mask for target, mask in pairs.items() if target in live} for pairs in arcs]
    groups = _merged(arcs, accepting, live)
    start: dict[int, int] = {}
    order: dict[int, int] = {}
    members: list[int] = []

    def place(state: int) -> int:
        group = groups[state]
        if group not in order:
            order[group] = len(order) + 1
            members.append(state)
        return order[group]

    for state in initial:
        for target, mask in arcs[state].items():
            number = place(target)
            start[number] = start.get(number, 0) | mask
    rows = [start]
    ends = [any(accepting[state] for state in initial)]
    for state in members:
        row: dict[int, int] = {}
        for target, mask in arcs[state].items():
            number = place(target)
            row[number] = row.get(number, 0) | mask
        rows.append(row)
        ends.append(accepting[state])
    sets: dict[int, ir.Expr] = {}
    for row in rows:
        for mask in row.values():
            if mask not in sets:
                sets[mask] = ir.CharSet(network.alphabet.ranges(mask))
    return ir.Machine(
        tuple(tuple((sets[mask], target) for target, mask in row.items()) for row in rows), tuple(ends)
    )


def _live(arcs: list[dict[int, int]], accepting: list[bool]) -> set[int]:
    sources: list[list[int]] = [[] for _ in arcs]
    for state, pairs in enumerate(arcs):
        for target in pairs:
            sources[target].append(state)
    stack = [state for state, ends in enumerate(accepting) if ends]
    live = set(stack)
    while stack:
        for source in sources[stack.pop()]:
            if source not in live:
                live.add(source)
                stack.append(source)
    return live


def _merged(arcs: list[dict[int, int]], accepting: list[bool], live: set[int]) -> dict[int, int]:
    """Groups of states with the same future (bisimilar), by refinement."""
    groups = {state: int(accepting[state]) for state in live}
    count = len(set(groups.values()))
    while True:
        signatures: dict[tuple[int, frozenset[tuple[int, int]]], int] = {}
        new: dict[int, int] = {}
        for state, group in groups.items():
            onward: dict[int, int] = {}
            for target, mask in arcs[state].items():
                onward[groups[target]] = onward.get(groups[target], 0) | mask
            signature = (group, frozenset(onward.items()))
            new[state] = signatures.setdefault(signature, len(signatures))
        groups = new
        if len(signatures) == count:
            return groups
        count = len(signatures)
