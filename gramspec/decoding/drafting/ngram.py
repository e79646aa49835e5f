"""`NgramDrafter`: a table of what the target gave after the last tokens, keyed by grammar state.

Law: fixed branches; the table changes after the verdicts of a round only.
Cost: `order` dictionary look-ups per node; memory is bounded, the contexts unseen for longest go first.
Source: ADED (2407.12021), tri-gram matrix with the twelve best kept and PUCT growth; interpolation as in
Jelinek-Mercer smoothing.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence

from gramspec.decoding.drafting.ngram_file import StoredContext, load_contexts, save_contexts
from gramspec.decoding.drafting.sources import (
    NOTHING,
    TOP,
    Growth,
    Seen,
    SourceDrafter,
    Suggestion,
    state_class,
)
from gramspec.decoding.kernel import Node
from gramspec.errors import OptionError, SerialisationError
from gramspec.validity.protocol import CompiledLanguage

_CONTEXT_BYTES = 400  # key, entry and dictionary slots of a context
_TOKEN_BYTES = 110  # one remembered token of it
_LEFT = 0.05  # weight of all shorter contexts below which they are not asked
_STATE_BYTES = 250  # a grammar state, its prefix aside
_SURE = 0.9  # share of the best token above which other sources need not be asked

Context = tuple[Hashable, ...]


class NgramTable:
    """Running averages of the target's rows by context; may be shared by prompts and calls.

    Parameters
    ----------
    order : int
        Longest n-gram: contexts of up to ``order - 1`` tokens.
    by_state : bool
        Whether the grammar state is part of every context.
    keep : int
        Most probable tokens kept per context.
    memory : int
        Rows that an average looks back on; one keeps the last row only.
    max_bytes : int
        Bound on the table.

    Raises
    ------
    OptionError
        When an option is out of range.
    """

    def __init__(
        self,
        order: int = 3,
        *,
        by_state: bool = True,
        keep: int = TOP,
        memory: int = 16,
        max_bytes: int = 1 << 25,
    ) -> None:
        for name, value in (("order", order), ("keep", keep), ("memory", memory), ("max_bytes", max_bytes)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise OptionError(f"{name}={value!r}: a whole number of at least 1 is needed")
        self.order = order
        self.by_state = by_state
        self._keep = keep
        self._memory = memory
        self._max_bytes = max_bytes
        self._bytes = 0
        self._rows: OrderedDict[Context, tuple[int, dict[int, float]]] = OrderedDict()
        self._reached: dict[Hashable, _Reached] = {}  # by state

    def __len__(self) -> int:
        """Contexts held."""
        return len(self._rows)

    @property
    def bytes_held(self) -> int:
        """Memory held, as estimated."""
        return self._bytes

    def context(self, tokens: Sequence[int], state: Hashable, length: int) -> Context:
        """Key of the last `length` tokens in a grammar state.

        Parameters
        ----------
        tokens : sequence of int
            At least `length` tokens.
        state : hashable
            Class of the grammar state.
        length : int
            Tokens of context.
        """
        tail = tuple(tokens[len(tokens) - length :])
        return (state, *tail) if self.by_state else tail

    def update(
        self,
        tokens: Sequence[int],
        state: Hashable,
        row: Sequence[int],
        shares: Sequence[float],
        prefix: tuple[int, ...] | None = None,
    ) -> None:
        """Learn one row.

        Parameters
        ----------
        tokens : sequence of int
            The text before, prompt included; its end is enough.
        state : hashable
            Class of the grammar state.
        row, shares : sequence of int, sequence of float
            Most probable tokens and their probabilities.
        prefix : tuple of int, optional
            What the grammar has read to come to the state; a table without it cannot be saved.
        """
        for length in range(min(self.order, len(tokens) + 1)):
            key = self.context(tokens, state, length)
            known = self._rows.pop(key, None)
            if known is None:
                count, entry = 1, dict(zip(row, shares, strict=True))
                if self.by_state:
                    self._reach(state, prefix)
            else:
                count = min(known[0] + 1, self._memory)
                self._bytes -= _size(known[1])
                rate = 1.0 / count
                rest = 1.0 - rate
                entry = {token: p * rest for token, p in known[1].items()}
                for token, share in zip(row, shares, strict=True):
                    entry[token] = entry.get(token, 0.0) + rate * share
            entry = self._best(entry)
            self._rows[key] = (count, entry)
            self._bytes += _size(entry)
        self._shrink()

    def _best(self, entry: dict[int, float]) -> dict[int, float]:
        if len(entry) <= self._keep:
            return entry
        return dict(sorted(entry.items(), key=_by_share)[: self._keep])

    def _shrink(self) -> None:
        while self._bytes > self._max_bytes and self._rows:
            key, (_, entry) = self._rows.popitem(last=False)
            self._bytes -= _size(entry)
            if self.by_state:
                self._leave(key[0])

    def _reach(self, state: Hashable, prefix: tuple[int, ...] | None) -> None:
        found = self._reached.get(state)
        if found is None:
            found = self._reached[state] = _Reached(prefix)
            self._bytes += found.size
        found.contexts += 1

    def _leave(self, state: Hashable) -> None:
        found = self._reached[state]
        found.contexts -= 1
        if not found.contexts:
            self._bytes -= found.size
            del self._reached[state]

    def expect(self, tokens: Sequence[int], state: Hashable) -> Suggestion:
        """Estimate of the next row: longer contexts weigh more the more often they have been seen.

        Parameters
        ----------
        tokens : sequence of int
            The text before, prompt included; its end is enough.
        state : hashable
            Class of the grammar state.
        """
        rows = self._rows
        n = len(tokens)
        found: list[tuple[int, dict[int, float]]] = []
        confidence = 0
        for length in range(min(self.order, n + 1)):
            tail = tuple(tokens[n - length :])
            known = rows.get((state, *tail) if self.by_state else tail)
            if known is None:
                if length:  # no longer context is known either
                    break
                continue
            found.append(known)
            confidence = 2 * length + (known[0] > 1)
        if not found:
            return NOTHING
        mixed: dict[int, float] = {}
        left = 1.0
        for count, entry in reversed(found[1:]):
            share = left * count / (count + 1.0)
            left -= share
            for token, p in entry.items():
                mixed[token] = mixed.get(token, 0.0) + share * p
            if left < _LEFT:  # shorter contexts would hardly be heard
                break
        else:
            for token, p in found[0][1].items():
                mixed[token] = mixed.get(token, 0.0) + left * p
        if not mixed:  # the rows that were seen here gave nothing viable any probability
            return NOTHING
        # The longest context has been seen, and it left little open.
        whole = len(found) == min(self.order, n + 1)
        return Suggestion(list(mixed.items()), confidence, whole and max(mixed.values()) > _SURE)

    def save(self, path: str | os.PathLike[str], compiled: CompiledLanguage) -> None:
        """Write the averages; grammar states are named by a prefix that reaches them.

        Parameters
        ----------
        path : path
            The file; its name is kept as it is.
        compiled : CompiledGrammar
            The grammar that it was learned with.

        Raises
        ------
        OptionError
            When a state was learned without a prefix that reaches it.
        """
        contexts = []
        for key, (count, entry) in self._rows.items():
            state, tail = (key[0], key[1:]) if self.by_state else (None, key)
            prefix = self._reached[state].prefix if self.by_state else ()
            if prefix is None or (self.by_state and state is None):
                raise OptionError("this table was learned without prefixes that reach its grammar states")
            tokens = tuple(t for t in tail if isinstance(t, int))
            contexts.append(StoredContext(state, prefix, tokens, count, entry))
        save_contexts(path, compiled, self.order, contexts)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        compiled: CompiledLanguage,
        *,
        keep: int = TOP,
        memory: int = 16,
        max_bytes: int = 1 << 25,
    ) -> NgramTable:
        """Read a table learned with the same grammar and vocabulary.

        Parameters
        ----------
        path : path
            What `save` wrote.
        compiled : CompiledGrammar
            The same grammar.
        keep, memory, max_bytes : int
            As in `NgramTable`; what does not fit is dropped, the contexts unseen for longest first.

        Raises
        ------
        SerialisationError
            If the file is damaged, or speaks of another grammar.
        """
        order, contexts = load_contexts(path, compiled)
        by_state = not contexts or contexts[0].state is not None
        if any((one.state is not None) != by_state for one in contexts):
            raise SerialisationError(f"{path}, states", "names grammar states for some contexts only")
        self = cls(order, by_state=by_state, keep=keep, memory=memory, max_bytes=max_bytes)
        for one in contexts:
            key: Context = (one.state, *one.tail) if by_state else one.tail
            if key in self._rows:
                raise SerialisationError(str(path), "holds a context twice")
            entry = self._best(one.entry)
            self._rows[key] = (min(one.rows, memory), entry)
            self._bytes += _size(entry)
            if by_state:
                self._reach(one.state, one.prefix)
        self._shrink()
        return self

    def entries(self) -> Mapping[Context, Mapping[int, float]]:
        """The averages by context."""
        return {key: dict(entry) for key, (_, entry) in self._rows.items()}


class _Reached:
    """A grammar state: a prefix that reaches it, and how many contexts are of it."""

    __slots__ = ("contexts", "prefix")

    def __init__(self, prefix: tuple[int, ...] | None) -> None:
        self.prefix = prefix
        self.contexts = 0

    @property
    def size(self) -> int:
        return _STATE_BYTES + 8 * len(self.prefix or ())


def _by_share(item: tuple[int, float]) -> tuple[float, int]:
    return -item[1], item[0]


def _size(entry: dict[int, float]) -> int:
    return _CONTEXT_BYTES + _TOKEN_BYTES * len(entry)


class NgramDrafter(SourceDrafter):
    """Drafts from an n-gram table that the target's rows keep up to date.

    Parameters
    ----------
    prompt : sequence of int
        Prompt ids.
    table : NgramTable, optional
        What is known; a fresh tri-gram table by default.
    growth, least
        As for `SourceDrafter`; PUCT by default.
    name : str
        Its name among other sources.
    """

    name = "ngram"

    def __init__(
        self,
        prompt: Sequence[int] = (),
        table: NgramTable | None = None,
        *,
        growth: Growth = "puct",
        least: float = 0.01,
        name: str = "ngram",
    ) -> None:
        super().__init__(growth=growth, least=least)
        self.name = name
        self.table = table if table is not None else NgramTable()
        most = self.table.order - 1
        self._tail = tuple(prompt[len(prompt) - min(most, len(prompt)) :])
        self._most = most

    def suggest(self, node: Node) -> Suggestion:
        """The table's estimate after the last tokens."""
        return self.table.expect(self._context(node.prefix), state_class(node))

    def learn(self, seen: Sequence[Seen], text: Sequence[int]) -> None:
        """Every row of the round goes into the table, those of rejected tokens too."""
        for one in seen:
            self.table.update(self._context(one.prefix), one.state, one.tokens, one.shares, one.prefix)

    def _context(self, prefix: tuple[int, ...]) -> tuple[int, ...]:
        most = self._most
        if len(prefix) >= most:
            return prefix[len(prefix) - most :]
        return (self._tail + prefix)[-most:]
