"""What every baseline is given and counts: a problem, a walk along one sequence, sequence-forwards.

Law: all baselines read the same rows (`RowLaw`), the same exact viability and one `RandomSource`.
Cost: a row asked for is one forward, as in the published loops; `fresh` counts those at a new prefix.
Source: laws, "Verification rules" (one door for choices) and trap 8 (the budget is part of L).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.random import RandomSource
from gramspec.decoding.report import Report
from gramspec.decoding.rows import RowLaw, fit_width
from gramspec.errors import BudgetExhaustedError, OptionError, UndefinedLawError
from gramspec.models.protocol import LanguageModel, ModelSequence
from gramspec.validity.protocol import CompiledLanguage, GrammarState

Row = NDArray[np.float64]
Tokens = tuple[int, ...]


@dataclass(frozen=True)
class Problem:
    """One prompt, one grammar, one target.

    Parameters
    ----------
    model : LanguageModel
        The target.
    compiled : CompiledGrammar
        The language and its vocabulary.
    prompt : tuple of int
        Prompt ids.
    budget : int
        Largest number of new tokens, EOS included.
    rows : RowLaw
        What turns logits into p.
    """

    model: LanguageModel
    compiled: CompiledLanguage
    prompt: Tokens
    budget: int
    rows: RowLaw = field(default_factory=RowLaw)

    def __post_init__(self) -> None:
        if isinstance(self.budget, bool) or not isinstance(self.budget, int) or self.budget < 1:
            raise OptionError(f"budget={self.budget!r}: a whole number of at least 1 is needed")


@dataclass(slots=True)
class Spent:
    """What a baseline has spent since it was made.

    Attributes
    ----------
    forwards : int
        Rows asked for: one target forward per generated token of every attempt or particle.
    fresh : int
        Those at a prefix that this sampler had not asked for before: its forwards with a memory of rows.
    positions : int
        Token positions of `forwards`: the prompt at the root of an attempt, then one each.
    attempts : int
        Attempts, chains or passes begun.
    """

    forwards: int = 0
    fresh: int = 0
    positions: int = 0
    attempts: int = 0


class Baseline(Protocol):
    """One published sampler on one problem."""

    name: str
    guarantee: Literal["exact", "consistent", "biased"]
    spent: Spent

    def draw(self, random: RandomSource) -> Tokens:
        """Draw one sample, EOS included.

        Parameters
        ----------
        random : RandomSource
            Source of every choice.
        """
        ...


class Walk:
    """One growing sequence of a problem: its prefix, the grammar's state, the model's row.

    Parameters
    ----------
    sampler : Sampler
        Whose problem and counters are used.
    sequence : ModelSequence
        Opened with the prompt; used by one walk at a time.
    """

    def __init__(self, sampler: Sampler, sequence: ModelSequence) -> None:
        self._sampler = sampler
        self._sequence = sequence
        self.prefix: Tokens = ()
        self.matcher: GrammarState = sampler.problem.compiled.matcher()

    @property
    def remaining(self) -> int:
        """Tokens that may still come, EOS included."""
        return self._sampler.problem.budget - len(self.prefix)

    def row(self) -> Row:
        """p(.|prefix); one forward."""
        sampler = self._sampler
        held = list(self._sequence.tokens)[sampler.prompt_length :]
        common = 0
        for a, b in zip(held, self.prefix, strict=False):
            if a != b:
                break
            common += 1
        if len(held) > common:
            self._sequence.rollback(len(held) - common)
        if len(self.prefix) > common:
            self._sequence.commit(list(self.prefix[common:]))
        sampler.charge(self.prefix)
        return sampler.problem.rows.row(self._sequence.score()[0], self.prefix)

    def viable(self) -> Row:
        """1.0 for each token after which an ending within the budget exists, as wide as a row."""
        allowed = self.matcher.viable(self.remaining, exact=True).astype(np.float64)
        return fit_width(allowed, self._sampler.problem.model.vocab_size)

    def push(self, token: int) -> None:
        """Take one viable token."""
        self.matcher.advance(token)
        self.prefix = (*self.prefix, token)

    def fork(self) -> Walk:
        """An independent copy."""
        other = Walk.__new__(Walk)
        other._sampler = self._sampler
        other._sequence = self._sequence.fork()
        other.prefix = self.prefix
        other.matcher = self.matcher.fork()
        return other


class Sampler:
    """Shared part of the baselines: counters, budgets and walks.

    Parameters
    ----------
    problem : Problem
        What is sampled.
    max_forwards : int or None
        Forwards of one draw after which no further attempt begins; None: no bound.
    """

    name = "baseline"
    guarantee: Literal["exact", "consistent", "biased"] = "exact"

    def __init__(self, problem: Problem, *, max_forwards: int | None = None) -> None:
        if max_forwards is not None and max_forwards < 1:
            raise OptionError(f"max_forwards={max_forwards!r}: at least 1, or None, is needed")
        self.problem = problem
        self.spent = Spent()
        self.eos_ids = frozenset(int(i) for i in problem.compiled.vocabulary.eos_ids)
        self._sequence = problem.model.open(problem.prompt)
        self.prompt_length = len(self._sequence.tokens)  # an empty prompt may have become a BOS token
        self._max_forwards = max_forwards
        self._seen: set[Tokens] = set()
        self._begun = Spent()

    def charge(self, prefix: Tokens) -> None:
        """Count one row asked for."""
        self.spent.forwards += 1
        self.spent.positions += 1 if prefix else self.prompt_length
        if prefix not in self._seen:
            self._seen.add(prefix)
            self.spent.fresh += 1

    def walk(self) -> Walk:
        """A walk from the prompt; only one of them may be used at a time."""
        return Walk(self, self._sequence)

    def begin_draw(self) -> None:
        """Set the mark that the budget of one draw is counted from."""
        self._begun = Spent(self.spent.forwards, self.spent.fresh, self.spent.positions, self.spent.attempts)

    def begin_attempt(self) -> None:
        """Count an attempt; the budget is asked between attempts only.

        Raises
        ------
        BudgetExhaustedError
            When this draw has spent its forwards.
        """
        spent = self.spent.forwards - self._begun.forwards
        if self._max_forwards is not None and spent >= self._max_forwards:
            raise BudgetExhaustedError(
                self.report(),
                f"{self.name}: no member of the grammar in"
                f" {self.spent.attempts - self._begun.attempts} attempts ({spent} forwards)"
                "\n  hint: raise max_forwards",
            )
        self.spent.attempts += 1

    def undefined(self) -> NoReturn:
        """The model certainly gives the grammar no mass."""
        raise UndefinedLawError(
            self.report(), f"{self.name}: the model gives the grammar no probability within the budget"
        )

    def report(self) -> Report:
        """What this draw has spent."""
        return Report(
            guarantee=self.guarantee,
            law="conditional",
            sampler=self.name,
            target_forwards=self.spent.forwards - self._begun.forwards,
            attempts=self.spent.attempts - self._begun.attempts,
        )


def log(x: float) -> float:
    """The logarithm, with log 0 = -inf."""
    return math.log(x) if x > 0.0 else -math.inf
