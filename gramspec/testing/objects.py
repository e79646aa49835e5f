"""What the oracles know of JSON objects: values by key, when an object may end, and whether it still can.

Law: the documented meaning of `ir.JsonObject`, by exhaustion over small sets. Source: `grammar.ir`.
Cost: exponential in nothing but the marks; for a few declared keys and a small supply of names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from gramspec.grammar import ir

Values = tuple[tuple[ir.Expr, int], ...]


@dataclass(frozen=True)
class Written:
    """Members read so far.

    Parameters
    ----------
    stage : int
        Under order "schema": the first declared key of the sequence that may still come.
    used : frozenset of str
        Keys, after unescaping.
    marks : int
        Marks set by the values.
    """

    stage: int = 0
    used: frozenset[str] = field(default_factory=frozenset)
    marks: int = 0


class ObjectRules:
    """The meaning of one `JsonObject`.

    Parameters
    ----------
    node : JsonObject
    accepts : callable
        Membership of a name (UTF-8) in the names of a key class.
    """

    def __init__(self, node: ir.JsonObject, accepts: Callable[[ir.Expr, bytes], bool]) -> None:
        self.node = node
        self.accepts = accepts
        self.place = {p.name: i for i, p in enumerate(node.properties)}
        self.required = frozenset(p.name for p in node.properties if p.required)
        self._groups: dict[str, int | None] = {}

    def group(self, name: str) -> int | None:
        """The key class of an undeclared name; None where it is of no class."""
        if name not in self._groups:
            raw = name.encode()
            fits = [i for i, c in enumerate(self.node.classes) if self.accepts(c.names, raw)]
            assert len(fits) <= 1, f"key classes overlap in {name!r}"
            self._groups[name] = fits[0] if fits else None
        return self._groups[name]

    def values(self, name: str) -> Values:
        """Languages of the value of a key, each with the marks that it sets."""
        node = self.node
        if name in self.place:
            prop = node.properties[self.place[name]]
            return ((prop.value, 0), *prop.marked)
        group = self.group(name)
        if group is not None:
            chosen = node.classes[group]
            return ((chosen.value, 0), *chosen.marked)
        plain = () if node.additional is None else ((node.additional, 0),)
        return (*plain, *node.marked)

    def fits(self, name: str, at: Written) -> bool:
        """Whether a key may come next, its value aside."""
        if name in at.used:
            return False
        if self.node.order == "any" or name not in self.place or self.node.properties[self.place[name]].late:
            return True
        return self.place[name] >= at.stage

    def after(self, name: str, marks: int, at: Written) -> Written:
        """One member later."""
        last = len(self.node.properties)
        in_sequence = name in self.place and not self.node.properties[self.place[name]].late
        return Written(self.place[name] + 1 if in_sequence else last, at.used | {name}, at.marks | marks)

    def may_end(self, at: Written) -> bool:
        """Whether the closing brace may follow."""
        node = self.node
        return (
            self.required <= at.used
            and node.least <= len(at.used)
            and (node.most is None or len(at.used) <= node.most)
            and at.marks & node.marks == node.marks
        )

    def can_end(
        self,
        at: Written,
        supply: Iterable[str],
        live: Callable[[ir.Expr], bool],
        *,
        most_members: int | None = None,
    ) -> bool:
        """Whether some further members bring the object to an end.

        Parameters
        ----------
        at : Written
            Members read so far.
        supply : iterable of str
            Undeclared names that can be written: all, or more than can be needed.
        live : callable
            Whether a value language has a member.
        most_members : int, optional
            A bound on all members (what the alphabet can write).
        """
        node = self.node
        bounds = [b for b in (node.most, most_members) if b is not None]
        most = min(bounds, default=None)
        if any(p.required and not self.fits(p.name, at) for p in node.properties if p.name not in at.used):
            return False
        reached = {(len(at.used), at.marks & node.marks)}
        for name in self._items(at, supply):
            steps = {marks & node.marks for value, marks in self.values(name) if live(value)}
            longer = {
                (count + 1, marks | step)
                for count, marks in reached
                for step in steps
                if most is None or count < most
            }
            reached = longer if name in self.required else reached | longer
        return any(
            count >= node.least and marks == node.marks and (most is None or count <= most)
            for count, marks in reached
        )

    def _items(self, at: Written, supply: Iterable[str]) -> Iterator[str]:
        for prop in self.node.properties:
            if self.fits(prop.name, at):
                yield prop.name
        for name in supply:
            if name not in self.place and self.fits(name, at):
                yield name
