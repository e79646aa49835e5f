"""`RecyclingDrafter`: for every token, in every grammar state, what the target put first after it last time.

Law: fixed branches; the table changes after the verdicts of a round only.
Cost: one dictionary look-up per node; `keep` ids per pair of state and token, in bounded memory.
Source: Token Recycling (2408.08696): adjacency matrix of the top k, tree of a fixed shape; here the shape is
filled with candidates that can follow, and the key holds the grammar state.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence

from gramspec.decoding.drafting.sources import NOTHING, Seen, SourceDrafter, Suggestion, state_class
from gramspec.decoding.kernel import Node
from gramspec.errors import OptionError

_PAIR_BYTES = 360  # key, tuple and dictionary slot


class RecyclingTable:
    """Tokens that came first after (state, token) the last time; may be shared by prompts and calls.

    Parameters
    ----------
    keep : int
        Tokens kept per pair.
    by_state : bool
        Whether the grammar state is part of the key.
    max_bytes : int
        Bound on the table.

    Raises
    ------
    OptionError
        When an option is out of range.
    """

    def __init__(self, keep: int = 8, *, by_state: bool = True, max_bytes: int = 1 << 24) -> None:
        for name, value in (("keep", keep), ("max_bytes", max_bytes)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise OptionError(f"{name}={value!r}: a whole number of at least 1 is needed")
        self.by_state = by_state
        self._keep = keep
        self._most = max(1, max_bytes // (_PAIR_BYTES + 36 * keep))
        self._next: OrderedDict[Hashable, tuple[int, ...]] = OrderedDict()
        # Shares of a fixed tree: how often the candidate of each rank is the next token, falling by half.
        self._ranks = tuple(0.5 ** (rank + 1) for rank in range(keep))

    def __len__(self) -> int:
        """Pairs held."""
        return len(self._next)

    def put(self, state: Hashable, token: int, row: Sequence[int], shares: Sequence[float]) -> None:
        """Overwrite what comes after a token.

        Parameters
        ----------
        state : hashable
            Class of the grammar state after `token`.
        token : int
            The token.
        row, shares : sequence of int, sequence of float
            Most probable tokens and their probabilities.
        """
        key = (state, token) if self.by_state else token
        ranked = sorted(zip(shares, row, strict=True), key=lambda pair: (-pair[0], pair[1]))
        self._next.pop(key, None)
        self._next[key] = tuple(token for _, token in ranked[: self._keep])
        if len(self._next) > self._most:
            self._next.popitem(last=False)

    def after(self, state: Hashable, token: int) -> Suggestion:
        """Candidates after a token, by rank.

        Parameters
        ----------
        state : hashable
            Class of the grammar state after `token`.
        token : int
            The token.
        """
        found = self._next.get((state, token) if self.by_state else token)
        return Suggestion(tuple(zip(found, self._ranks, strict=False))) if found else NOTHING


class RecyclingDrafter(SourceDrafter):
    """Drafts with candidates that earlier rounds have thrown away.

    Parameters
    ----------
    prompt : sequence of int
        Prompt ids.
    table : RecyclingTable, optional
        What is known; a fresh one by default.
    least
        As for `SourceDrafter`.
    """

    name = "recycling"

    def __init__(
        self, prompt: Sequence[int] = (), table: RecyclingTable | None = None, *, least: float = 0.001
    ) -> None:
        super().__init__(least=least)
        self.table = table if table is not None else RecyclingTable()
        self._before = int(prompt[-1]) if len(prompt) else -1

    def suggest(self, node: Node) -> Suggestion:
        """Candidates after the last token."""
        return self.table.after(state_class(node), node.prefix[-1] if node.prefix else self._before)

    def learn(self, seen: Sequence[Seen], text: Sequence[int]) -> None:
        """Overwrite the candidates after every token whose row the round has shown."""
        for one in seen:
            if one.tokens:
                last = one.prefix[-1] if one.prefix else self._before
                self.table.put(one.state, last, one.tokens, one.shares)
