"""`ExactNgram`: Φ for models whose law depends on the last n − 1 tokens, by dynamic programming.

Law: F_r(s, c) = Σ_{EOS} p(v|c)·1[s accepts] + Σ_v p(v|c)·F_{r−1}(s·v, c·v), h(x) = F_budget; contract E, and
S when residual predicates remain, which the automaton does not see. Nothing is fitted; made once per model.
Cost: when made, one row per context, one advance per (state, context, token), N sparse products; then
a look-up per token. Source: laws, "Exact"; theory, section 1 (exact DP).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from math import inf, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gramspec.errors import ContractError, ExactLimitError, OptionError
from gramspec.models.protocol import LanguageModel
from gramspec.validity.graded import canonical, check_number, state_key
from gramspec.validity.protocol import CompiledLanguage, Contract, GrammarState
from gramspec.validity.reading import RowFunction, RowReader

_CHECKS = 16  # contexts met again whose rows are compared: a model with a longer memory is found out

_State = tuple[Hashable, tuple[int, ...]]


class ExactNgram:
    """The exact potential of an automaton and an n-gram (or tabular) model.

    Parameters
    ----------
    compiled : CompiledGrammar
        The language and its vocabulary.
    model : LanguageModel
        Its row depends on the last `n` − 1 tokens of prompt and prefix only.
    prompt : sequence of int
        Prompt ids.
    n : int
        Order of the model; 1 for a unigram model.
    row : callable
        The law of the sampler: `RowLaw(temperature, top_k, top_p).row`.
    budget : int
        Largest number of new tokens, EOS included.
    max_table_states : int
        Pairs of automaton state and context at most.
    progress : callable, optional
        Called as ``progress(done, total)`` with tokens of budget.

    Raises
    ------
    ExactLimitError
        If more than `max_table_states` pairs are within reach.
    ContractError
        If two prefixes with the same last tokens show different rows.
    OptionError
        If an option is out of range, or residual predicates cannot be taken off the grammar.
    """

    def __init__(
        self,
        compiled: CompiledLanguage,
        model: LanguageModel,
        prompt: Sequence[int] = (),
        *,
        n: int,
        row: RowFunction,
        budget: int,
        max_table_states: int = 50_000,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        for name, value in (("n", n), ("budget", budget), ("max_table_states", max_table_states)):
            check_number(name, value, 1)
        self.compiled = compiled
        self.contract: Contract = "S" if compiled.residuals else "E"
        self.budget = budget
        self.n = n
        self.name = f"exact-ngram({n}, {budget} tokens, {model.fingerprint[:16]})"
        self._automaton = _without_residuals(compiled)
        self._prompt = tuple(int(t) for t in prompt)
        self._reader = RowReader(model, self._prompt, row)
        self.bound = self._reader.bound
        self._noise = model.row_noise
        self._eos = np.asarray(sorted(compiled.vocabulary.eos_ids), dtype=np.int64)
        self._numbers: dict[_State, int] = {}
        self._edges: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []  # tokens, numbers of states
        matrix, endings = self._explore(max_table_states, progress)
        self._table = np.zeros((budget + 1, len(self._numbers)))
        for r in range(1, budget + 1):
            self._table[r] = matrix @ self._table[r - 1] + endings

    def __len__(self) -> int:
        """Pairs of automaton state and context in the table."""
        return len(self._numbers)

    def log_h(self, state: GrammarState, prefix: Sequence[int], budget: int) -> float:
        """Return log Φ at a prefix (an upper bound under residual predicates)."""
        if state.is_finished:
            return 0.0
        number = self._number(prefix, budget)
        h = 0.0 if number is None else float(self._table[max(budget, 0), number])
        return log(h) if h > 0.0 else -inf

    def h_children(self, state: GrammarState, prefix: Sequence[int], budget: int) -> NDArray[np.float64]:
        """h(xv) for every token; float64 [V], a fresh array."""
        h = np.zeros(len(self.compiled.vocabulary))
        number = self._number(prefix, budget)
        if number is None or budget < 1:
            return h
        tokens, after = self._edges[number]
        h[tokens] = self._table[budget - 1, after]
        h[~state.viable(budget, exact=False)] = 0.0  # where a residual predicate tells that it is too late
        h[self._eos] = float(state.is_accepting)  # residual predicates included
        return h

    def _number(self, prefix: Sequence[int], budget: int) -> int | None:
        if len(prefix) + budget > self.budget:
            raise OptionError(
                f"{self.name}: asked for {len(prefix)} + {budget} tokens, made for {self.budget}"
                "\n  hint: make ExactNgram(..., budget=N) with the largest max_new_tokens it serves"
            )
        state = canonical(self._automaton.matcher())
        if state.advance_many(list(prefix)) < len(prefix):
            return None
        return self._numbers.get((state_key(state, prefix), self._context(prefix)))

    def _context(self, prefix: Sequence[int]) -> tuple[int, ...]:
        if self.n == 1:
            return ()
        recent = tuple(int(t) for t in prefix[-(self.n - 1) :])
        missing = self.n - 1 - len(recent)
        return (self._prompt[-missing:] if missing else ()) + recent

    def _explore(
        self, max_states: int, progress: Callable[[int, int], None] | None
    ) -> tuple[Any, NDArray[np.float64]]:
        """States by depth: each is met first with the most budget left, so with all of its edges."""
        from scipy.sparse import csr_array

        first: dict[tuple[int, ...], tuple[int, ...]] = {}  # the prefix whose row stands for its context
        checks = _CHECKS
        root = canonical(self._automaton.matcher())
        start: _State = (state_key(root, ()), self._context(()))
        self._numbers[start] = 0
        level: list[tuple[int, tuple[int, ...], Any]] = [(0, (), root)]
        into, out, mass, endings = [], [], [], [0.0]
        for depth in range(self.budget):
            if progress is not None:
                progress(depth, self.budget)
            below: list[tuple[int, tuple[int, ...], Any]] = []
            for number, prefix, state in level:
                context = self._context(prefix)
                p = self._reader.row(first.setdefault(context, prefix))
                viable = state.viable(self.budget - depth, exact=False)
                endings[number] = float(p[self._eos] @ viable[self._eos])
                viable[self._eos] = False
                tokens = np.flatnonzero(viable) if depth + 1 < self.budget else np.zeros(0, dtype=np.int64)
                after = np.empty(len(tokens), dtype=np.int64)
                for i, token in enumerate(tokens.tolist()):
                    child = (*prefix, token)
                    then = state.fork()
                    then.advance(token)
                    at: _State = (state_key(then, child), self._context(child))
                    known = self._numbers.get(at)
                    met = first.get(at[1], child)
                    if checks and met != child:
                        checks -= 1
                        self._compare(met, child)
                    if known is None:
                        known = self._numbers[at] = len(endings)
                        if len(endings) >= max_states:
                            raise _too_many(max_states, self.budget)
                        endings.append(0.0)
                        below.append((known, child, then))
                    after[i] = known
                self._edges.append((tokens, after))
                out.append(np.full(len(tokens), number))
                into.append(after)
                mass.append(p[tokens])
            level = below
        self._edges.extend([(np.zeros(0, np.int64), np.zeros(0, np.int64))] * len(level))
        size = len(endings)
        matrix = csr_array(
            (np.concatenate(mass), (np.concatenate(out), np.concatenate(into))), shape=(size, size)
        )
        return matrix, np.asarray(endings)

    def _compare(self, seen: tuple[int, ...], prefix: tuple[int, ...]) -> None:
        gap = float(np.abs(self._reader.row(prefix) - self._reader.row(seen)).max())
        if gap > 1e-9 + 4 * self._noise:
            raise ContractError(
                f"{self.name}: after {list(seen)} and {list(prefix)}, which end alike, the rows differ by"
                f" {gap:.3g}: the model remembers more than {self.n - 1} tokens"
                "\n  hint: give its order as n, or take Exact, PrefixTrie or Hmm, which work for any model"
            )

    def __repr__(self) -> str:
        return f"<{self.name}, {len(self)} states, contract {self.contract}>"


def _too_many(max_states: int, budget: int) -> ExactLimitError:
    return ExactLimitError(
        "max_table_states",
        f"more than {max_states} pairs of automaton state and context are within {budget} tokens"
        "\n  hint: take a smaller budget or order, or Partition or Hmm, which approximate",
    )


def _without_residuals(compiled: Any) -> Any:
    """The same language with nothing but its automaton."""
    if not compiled.residuals:
        return compiled
    from gramspec.grammar.core import Grammar
    from gramspec.matching import compile as compile_grammar

    grammar = getattr(compiled, "grammar", None)
    if not isinstance(grammar, Grammar):
        raise OptionError(
            f"ExactNgram: residual predicates cannot be taken off a {type(compiled).__name__}"
            "\n  hint: pass what gramspec.compile returned"
        )
    return compile_grammar(Grammar(grammar.expr, grammar.description), compiled.vocabulary)
