"""`TextGraph`: a grammar read byte by byte, without a vocabulary.

Law: a path from the start spells a prefix of a member, and each member is spelled by exactly one path.
Cost: at most 256 native steps per configuration, once; configurations are made when they are visited.
Source: architecture, "A configuration maps top states to stack sets".
"""

from __future__ import annotations

from typing import Any, Final

from gramspec.automaton.engine import Engine
from gramspec.automaton.loader import load
from gramspec.errors import UnsupportedError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar
from gramspec.limits import Limits

DEAD: Final = 0
_TRIES: Final = 500

Successors = tuple[tuple[int, bytes], ...]


class TextGraph:
    """The configurations of a grammar and the bytes between them.

    Parameters
    ----------
    grammar : Grammar
        Residual predicates are not part of the graph: whoever walks it asks them at the end.
    limits : Limits, optional
        Bounds of the engine; `Limits()` by default.

    Raises
    ------
    EmptyLanguageError
        If no text belongs to the grammar.
    UnsupportedError
        If the grammar has token edges: they have no spelling.
    LimitError
        If a limit is reached, here or in any method.
    """

    def __init__(self, grammar: Grammar, limits: Limits | None = None) -> None:
        for node in ir.walk(grammar.expr):
            if isinstance(node, ir.TokenEdge | ir.TokenSet):
                what = "sets of tokens, which have"
                if isinstance(node, ir.TokenEdge):
                    what = f"the token {node.token!r}, which has"
                raise UnsupportedError(
                    "",
                    f"the grammar uses {what} no spelling",
                    "only grammars over bytes can be walked without a vocabulary",
                )
        self.grammar = grammar
        self.limits = limits or Limits()
        self.steps = 0  # bytes tried so far, the measure of what walking costs
        self._load()

    def _load(self) -> None:
        self.engine = Engine([bytes([b]) for b in range(256)], self.limits)
        self._core: Any = self.engine.core
        self.start = int(self._core.start(load(self.engine, self.grammar.expr).expr))
        self._successors: dict[int, Successors] = {}

    def refresh(self) -> bool:
        """Start over with an empty engine if this one is half full; earlier configurations are void then."""
        if not self.engine.exhausted:
            return False
        self._load()
        return True

    @property
    def configurations(self) -> int:
        """How many configurations have been made."""
        return int(self._core.configurations)

    def successors(self, config: int) -> Successors:
        """Live successors with the bytes that lead there, ordered by their smallest byte."""
        known = self._successors.get(config)
        if known is None:
            groups: dict[int, bytearray] = {}
            live = bytes(self._core.live_bytes(config))
            self.steps += len(live)
            for byte in live:
                following = int(self._core.advance_bytes(config, bytes([byte])))
                groups.setdefault(following, bytearray()).append(byte)
            known = self._successors[config] = tuple((c, bytes(b)) for c, b in groups.items())
        return known

    def advance(self, config: int, data: bytes) -> int:
        """Configuration after more bytes; `DEAD` if they are not allowed."""
        return int(self._core.advance_bytes(config, data))

    def accepts(self, config: int) -> bool:
        """Whether the text read so far is a member (but for residual predicates)."""
        return bool(self._core.accepts(config))

    def distance(self, config: int) -> int:
        """Fewest bytes to a member; a lower bound where object keys are still to be chosen."""
        return int(self._core.fewest_tokens_bound(config))

    def completion(self, config: int, limit: int = 4096) -> bytes | None:
        """A short way to a member; None if none of up to `limit` bytes was found.

        None is shorter but for the keys of objects, whose lengths are known by bounds only. Where these lead
        astray, the ways on from the next few bytes are looked at.
        """
        found: bytes | None = self._core.shortest_completion(config, limit)
        layer = [(b"", config)]
        tries = 0
        while found is None and layer and tries < _TRIES:
            following: list[tuple[bytes, int]] = []
            for begun, at in layer:
                for successor, data in self.successors(at):
                    tries += 1
                    if tries > _TRIES:
                        break
                    rest: bytes | None = self._core.shortest_completion(successor, limit)
                    text = begun + data[:1]
                    following.append((text, successor))
                    if rest is not None and (found is None or len(text) + len(rest) < len(found)):
                        found = text + rest
            layer = following
        return found if found is None or len(found) <= limit else None
