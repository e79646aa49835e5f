"""`Exact`: Φ itself, from the list of all members within the budget.

Law: contract E, h(x) = Φ(x) for every remaining budget; residual predicates are asked at every ending, so
that nothing is left over. Nothing is fitted; the list is made once, for one model, prompt and row law.
Cost: when made, one exact mask per prefix and one forward over a tree for each `chunk` prefixes; then a
look-up per token, no row. Memory: one float per prefix and token of budget left. Source: laws, "Exact".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, log

import numpy as np
from numpy.typing import NDArray

from gramspec.errors import ExactLimitError, OptionError
from gramspec.models.protocol import LanguageModel
from gramspec.validity.graded import check_number
from gramspec.validity.protocol import CompiledLanguage, Contract, GrammarState
from gramspec.validity.reading import RowFunction, RowReader


class _Prefix:
    """A prefix of some member; `phi[r]` is the mass of the endings within r more tokens."""

    __slots__ = ("children", "endings", "order", "parent", "phi", "token")

    def __init__(self, parent: _Prefix | None, token: int) -> None:
        self.parent = parent
        self.token = token
        self.order = 0
        self.children: dict[int, _Prefix] = {}
        self.endings: list[int] = []
        self.phi: NDArray[np.float64] = np.zeros(1)


class Exact:
    """The exact potential of a finite language; any language is finite within a budget.

    Parameters
    ----------
    compiled : CompiledGrammar
        The language and its vocabulary.
    model : LanguageModel
        The target. A `MemoModel` that decoding uses too pays no row twice.
    prompt : sequence of int
        Prompt ids.
    row : callable
        The law of the sampler: `RowLaw(temperature, top_k, top_p).row`.
    budget : int
        Largest number of new tokens, EOS included; smaller budgets are served from the same list.
    max_prefixes : int
        Prefixes listed at most, before any row of the model is asked for.
    chunk : int
        Prefixes scored in one forward.
    progress : callable, optional
        Called as ``progress(done, total)`` with prefixes scored.

    Raises
    ------
    ExactLimitError
        If there are more prefixes than `max_prefixes`; nothing was scored then.
    OptionError
        If an option is out of range.
    """

    contract: Contract = "E"

    def __init__(
        self,
        compiled: CompiledLanguage,
        model: LanguageModel,
        prompt: Sequence[int] = (),
        *,
        row: RowFunction,
        budget: int,
        max_prefixes: int = 20_000,
        chunk: int = 64,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        for name, value in (("budget", budget), ("max_prefixes", max_prefixes), ("chunk", chunk)):
            check_number(name, value, 1)
        self.compiled = compiled
        self.budget = budget
        self.name = f"exact({budget} tokens, {model.fingerprint[:16]})"
        self._eos = frozenset(int(t) for t in compiled.vocabulary.eos_ids)
        self._root = _Prefix(None, -1)
        self.prefixes = self._list(max_prefixes)
        nodes = self._prune()
        reader = RowReader(model, prompt, row)
        self.bound = reader.bound
        self._score(reader, nodes, chunk, progress)

    def log_h(self, state: GrammarState, prefix: Sequence[int], budget: int) -> float:
        """Return log Φ at a prefix."""
        if state.is_finished:
            return 0.0
        self._check_budget(len(prefix), budget)
        node = self._find(prefix)
        phi = 0.0 if node is None else _within(node, budget)
        return log(phi) if phi > 0.0 else -inf

    def h_children(self, state: GrammarState, prefix: Sequence[int], budget: int) -> NDArray[np.float64]:
        """Φ(xv) for every token; float64 [V], a fresh array."""
        self._check_budget(len(prefix), budget)
        h = np.zeros(len(self.compiled.vocabulary))
        node = self._find(prefix)
        if node is not None and budget >= 1:
            h[node.endings] = 1.0
            for token, child in node.children.items():
                h[token] = _within(child, budget - 1)
        return h

    def _check_budget(self, length: int, budget: int) -> None:
        if length + budget > self.budget:
            raise OptionError(
                f"{self.name}: asked for {length} + {budget} tokens, listed up to {self.budget}"
                "\n  hint: make Exact(..., budget=N) with the largest max_new_tokens it serves"
            )

    def _find(self, prefix: Sequence[int]) -> _Prefix | None:
        node: _Prefix | None = self._root
        for token in prefix:
            assert node is not None
            node = node.children.get(int(token))
            if node is None:
                return None
        return node

    def _list(self, max_prefixes: int) -> int:
        """All prefixes through the exact masks: every branch ends in L, unless a predicate refuses it."""
        count = 1
        todo = [(self._root, self.compiled.matcher(), self.budget)]
        while todo:
            node, state, remaining = todo.pop()
            for token in np.flatnonzero(state.viable(remaining, exact=True)).tolist():
                if token in self._eos:
                    node.endings.append(token)
                    continue
                count += 1
                if count > max_prefixes:
                    raise ExactLimitError(
                        "max_prefixes",
                        f"the grammar has more than {max_prefixes} prefixes of members of at most"
                        f" {self.budget} tokens (every segmentation of a text counts)"
                        "\n  hint: take a smaller budget or grammar, ExactNgram for a model of short memory,"
                        " or PrefixTrie, which learns the prefixes that are met",
                    )
                child = node.children[token] = _Prefix(node, token)
                after = state.fork()
                after.advance(token)
                todo.append((child, after, remaining - 1))
        return count

    def _prune(self) -> list[_Prefix]:
        """Drop the branches without a member; the prefixes left, in depth-first order."""
        order = [self._root]
        for node in order:  # grows: parents before children
            order.extend(node.children.values())
        for node in reversed(order):
            node.children = {t: c for t, c in node.children.items() if c.children or c.endings}
        found: list[_Prefix] = []
        todo = [self._root]
        while todo:
            node = todo.pop()
            node.order = len(found)
            found.append(node)
            todo.extend(reversed(node.children.values()))
        return found

    def _score(
        self,
        reader: RowReader,
        nodes: list[_Prefix],
        chunk: int,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        """Rows of the model, `chunk` prefixes and their ancestors at a time; then Φ from the leaves up."""
        shares: dict[int, tuple[float, dict[int, float]]] = {}
        for begin in range(0, len(nodes), chunk):
            block = nodes[begin : begin + chunk]
            above: list[_Prefix] = []
            node = block[0].parent
            while node is not None and node.parent is not None:
                above.append(node)
                node = node.parent
            listed = [*reversed(above), *(n for n in block if n.parent is not None)]
            place = {n.order: i for i, n in enumerate(listed)}
            parents = [place.get(n.parent.order, -1) if n.parent is not None else -1 for n in listed]
            rows = reader.tree([n.token for n in listed], parents)
            for at, p in zip([self._root, *listed], rows, strict=True):
                if begin <= at.order < begin + chunk:
                    inner = {token: float(p[token]) for token in at.children}
                    shares[at.order] = (float(p[at.endings].sum()), inner)
            if progress is not None:
                progress(min(begin + chunk, len(nodes)), len(nodes))
        for node in reversed(nodes):
            ending, inner = shares[node.order]
            longest = max((len(c.phi) for c in node.children.values()), default=1)
            phi = np.zeros(longest + 1)
            phi[1:] = ending
            for token, child in node.children.items():
                phi[1 : len(child.phi) + 1] += inner[token] * child.phi
                phi[len(child.phi) + 1 :] += inner[token] * child.phi[-1]
            node.phi = phi

    def __repr__(self) -> str:
        return f"<{self.name}, {self.prefixes} prefixes, contract {self.contract}>"


def _within(node: _Prefix, budget: int) -> float:
    """Φ with `budget` tokens left: constant from the longest ending on."""
    return float(node.phi[min(max(budget, 0), len(node.phi) - 1)])
