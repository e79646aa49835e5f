"""`Hmm`: the probability that a hidden Markov proxy ends in the language.

Law: contract W, h(x) = Σ_z P(z|x)·G_r(z, s): the forward filter on the prefix times a backward table over
automaton states s and r tokens left, G_r(z, s) = Σ_v e(v|z)·g(v), g(EOS) = 1[s accepts] and otherwise
g(v) = Σ_z' A(z,z')·G_{r−1}(z', s·v). Fitted by EM to token sequences, e.g. samples of the target.
Cost: once, up to `max_states` states with `max_tokens` advances each, and O(edges·K + states·K²) per token of
budget; for each node O(`max_tokens`) advances and O(V·K). No row of any model.
Source: Ctrl-G (arXiv 2406.13892), backward pass; theory, 2.7. Here with any automaton, and a floor.
"""

from __future__ import annotations

import heapq
import os
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gramspec.errors import OptionError
from gramspec.validity.graded import (
    GradedPotential,
    canonical,
    check_number,
    fill_rest,
    likeliest,
    state_key,
    successors,
)
from gramspec.validity.hidden_markov import HiddenMarkov
from gramspec.validity.protocol import CompiledLanguage, Contract


class _Edges(NamedTuple):
    """What may follow one state: groups of tokens, and the emission mass of each."""

    keys: tuple[Hashable, ...]
    states: tuple[Any, ...]
    mass: NDArray[np.float64]  # [groups, K]
    ending: NDArray[np.float64]  # [K]
    rest: NDArray[np.float64]  # [K], of viable tokens beyond the cap


class Hmm(GradedPotential):
    """A hidden Markov proxy with the automaton's backward pass.

    Parameters
    ----------
    compiled : CompiledGrammar
        The language and its vocabulary.
    model : HiddenMarkov
        As wide as the vocabulary.
    max_states : int
        Automaton states in the backward table, the likeliest first; what lies beyond has the mean of those
        within. The table takes 8 bytes for each automaton state, hidden state and token of budget.
    max_tokens : int
        Tokens advanced from one state, the likeliest first; the others lead to that mean too.
    floor : float
        Least h on viable prefixes.
    memo_bytes : int
        Bytes of remembered children.

    Raises
    ------
    OptionError
        If the proxy has another width than the vocabulary, or an option is out of range.
    """

    contract: Contract = "W"

    def __init__(
        self,
        compiled: CompiledLanguage,
        model: HiddenMarkov,
        *,
        max_states: int = 512,
        max_tokens: int = 512,
        floor: float = 1e-30,
        memo_bytes: int = 1 << 26,
    ) -> None:
        check_number("max_states", max_states, 1)
        check_number("max_tokens", max_tokens, 1)
        check_number("floor", floor, 0, 1, open_low=True)
        if model.size != len(compiled.vocabulary):
            raise OptionError(
                f"Hmm: the proxy has {model.size} tokens, the vocabulary {len(compiled.vocabulary)}"
            )
        super().__init__(compiled, floor=float(floor), memo_bytes=memo_bytes)
        self.model = model
        self.max_states = max_states
        self.max_tokens = max_tokens
        self.name = f"hmm({model.states} states, {max_states} x {max_tokens}, floor {floor:g})"
        self._width = len(compiled.vocabulary)
        self._usual = model.emission.mean(axis=0)
        self._numbers: dict[Hashable, int] | None = None
        self._source = self._target = np.zeros(0, dtype=np.int64)
        self._flow = np.zeros((0, model.states))
        self._endings = np.zeros((0, model.states))
        self._table: list[NDArray[np.float64]] = []
        self._beliefs: OrderedDict[tuple[int, ...], NDArray[np.float64]] = OrderedDict()

    @classmethod
    def fit(
        cls,
        compiled: CompiledLanguage,
        sequences: Iterable[Sequence[int]],
        *,
        states: int = 16,
        iterations: int = 30,
        smoothing: float = 1.0,
        seed: int = 0,
        progress: Callable[[int, int], None] | None = None,
        **options: Any,
    ) -> Hmm:
        """Fit a proxy to token sequences and join it with a grammar.

        Parameters
        ----------
        compiled : CompiledGrammar
            The language and its vocabulary.
        sequences : iterable of sequence of int
            Token ids, EOS included where a text ended; samples of the target: `draw_sequences`.
        states, iterations, smoothing, seed, progress
            As in `HiddenMarkov.fit`.
        **options
            As in `Hmm`.
        """
        model = HiddenMarkov.fit(
            sequences,
            len(compiled.vocabulary),
            states=states,
            iterations=iterations,
            smoothing=smoothing,
            seed=seed,
            progress=progress,
        )
        return cls(compiled, model, **options)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the proxy; the backward table is made again."""
        self.model.save(path, vocabulary=self.compiled.vocabulary.fingerprint)

    @classmethod
    def load(cls, path: str | os.PathLike[str], compiled: CompiledLanguage, **options: Any) -> Hmm:
        """Read a proxy fitted on the same vocabulary, and join it with a grammar (any grammar).

        Raises
        ------
        SerialisationError
            If the file is damaged or speaks of another vocabulary.
        """
        model = HiddenMarkov.load(path, vocabulary=compiled.vocabulary.fingerprint)
        return cls(compiled, model, **options)

    def _root(self, state: Any, budget: int) -> float:
        return float(self.model.start @ self._ahead(state_key(state, ()), state, (), budget))

    def _interior(
        self, state: Any, prefix: tuple[int, ...], budget: int, tokens: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        belief = self._belief(prefix)
        p = belief @ self.model.emission
        order = likeliest(tokens, p, self.max_tokens)
        h = np.zeros(self._width)
        for group in successors(state, prefix, order.tolist()):
            child = (*prefix, int(group.tokens[0]))
            ahead = self.model.transition @ self._ahead(group.key, group.state, child, budget - 1)
            joint = belief[:, None] * self.model.emission[:, group.tokens]
            total = joint.sum(axis=0)
            h[group.tokens] = np.where(total > 0.0, ahead @ joint / np.where(total > 0.0, total, 1.0), 0.0)
        fill_rest(h, p, order, self.floor)
        return h[tokens]

    def _belief(self, prefix: tuple[int, ...]) -> NDArray[np.float64]:
        """Law of the hidden state of the next token."""
        known = len(prefix)
        while known and prefix[:known] not in self._beliefs:
            known -= 1
        belief = self._beliefs[prefix[:known]] if known else self.model.start
        for end in range(known, len(prefix)):
            belief = self._beliefs[prefix[: end + 1]] = self.model.after(belief, prefix[end])
        while len(self._beliefs) > 65_536:
            self._beliefs.popitem(last=False)
        return belief

    # -- the backward table -----------------------------------------------------------------------

    def _ahead(self, key: Hashable, state: Any, prefix: tuple[int, ...], budget: int) -> NDArray[np.float64]:
        """G_budget(., s), budget at least 1: from the table, or by one step into it."""
        if self._numbers is None:
            self._explore()
        assert self._numbers is not None
        self._extend(budget)
        number = self._numbers.get(key)
        if number is not None:
            known: NDArray[np.float64] = self._table[budget][number]
            return known
        # One step from a state beyond the bound: a function of the state alone, whatever was read before.
        edges = self._edges(state, prefix)
        outside = len(self._numbers)
        numbers = [self._numbers.get(each, outside) for each in edges.keys]
        moved = self._table[budget - 1][[*numbers, outside]] @ self.model.transition.T
        flow = np.concatenate([edges.mass, edges.rest[None, :]])
        ahead: NDArray[np.float64] = edges.ending + (flow * moved).sum(axis=0)
        return ahead

    def _edges(self, state: Any, prefix: tuple[int, ...]) -> _Edges:
        viable = state.viable(None)
        emission = self.model.emission
        ending = emission[:, self._eos] @ viable[self._eos].astype(np.float64)
        viable[self._eos] = False
        tokens = np.flatnonzero(viable)
        order = likeliest(tokens, self._usual, self.max_tokens)
        rest = emission[:, np.setdiff1d(tokens, order, assume_unique=True)].sum(axis=1)
        groups = successors(state, prefix, order.tolist())
        mass = np.zeros((len(groups), self.model.states))
        for i, group in enumerate(groups):
            mass[i] = emission[:, group.tokens].sum(axis=1)
        return _Edges(tuple(g.key for g in groups), tuple(g.state for g in groups), mass, ending, rest)

    def _explore(self) -> None:
        """States from the root on, likeliest first, each with its edges."""
        root = canonical(self.compiled.matcher())
        start = state_key(root, ())
        numbers: dict[Hashable, int] = {}
        found: list[_Edges] = []
        # (−mass, order of discovery): a state is taken with the largest mass it was reached with
        queue: list[tuple[float, int, Hashable, Any]] = [(-1.0, 0, start, root)]
        discovered = 1
        while queue and len(numbers) < self.max_states:
            mass, _, key, state = heapq.heappop(queue)
            if key in numbers:
                continue
            numbers[key] = len(numbers)
            edges = self._edges(state, _prefix_of(key))
            found.append(edges)
            for below, then, flow in zip(edges.keys, edges.states, edges.mass, strict=True):
                if below not in numbers:
                    heapq.heappush(queue, (mass * float(flow.mean()), discovered, below, then))
                    discovered += 1
        outside = len(numbers)
        source, target, flows = [], [], []
        for number, edges in enumerate(found):
            for below, flow in zip(edges.keys, edges.mass, strict=True):
                source.append(number)
                target.append(numbers.get(below, outside))
                flows.append(flow)
            if edges.rest.any():
                source.append(number)
                target.append(outside)
                flows.append(edges.rest)
        self._numbers = numbers
        self._source, self._target = np.asarray(source, np.int64), np.asarray(target, np.int64)
        self._flow = np.asarray(flows).reshape(len(flows), self.model.states)
        self._endings = np.stack([edges.ending for edges in found])
        self._table = [np.zeros((outside + 1, self.model.states))]

    def _extend(self, budget: int) -> None:
        """Rows of the table up to `budget` tokens left; the last state is what lies beyond."""
        while len(self._table) <= budget:
            moved = self._table[-1] @ self.model.transition.T
            after = np.zeros_like(moved)
            after[:-1] = self._endings
            np.add.at(after, self._source, self._flow * moved[self._target])
            after[-1] = after[:-1].mean(axis=0)
            self._table.append(after)


def _prefix_of(key: Hashable) -> tuple[int, ...]:
    """The prefix of a state that has no key but its prefix; nobody asks for that of another."""
    return tuple(key[1:]) if isinstance(key, tuple) and key[:1] == ("prefix",) else ()
