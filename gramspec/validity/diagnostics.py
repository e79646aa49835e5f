"""How good a potential is: Φ by Monte Carlo, ρ along twisted walks, effective sample size.

Law: `monte_carlo` is unbiased for Φ(x): the mean over runs under the mask of the product of masked masses.
`twisted_walk` draws r(v|x) = p(v|x)·h(xv)/S(x) and keeps every ρ; h(ε)·∏ρ has the mean Φ(ε) for any h > 0.
Cost: one row per token drawn, batched over runs. Source: laws, "One frame for everything"; theory, 2.4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, inf, log, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gramspec.errors import OptionError
from gramspec.kernels.inverse_cdf import pick
from gramspec.validity.graded import check_number
from gramspec.validity.protocol import CompiledLanguage, Potential
from gramspec.validity.reading import RowReader
from gramspec.validity.viability import Viability

Uniform = Callable[[], float]
"""Gives the next random number in [0, 1)."""


class Estimate(NamedTuple):
    """A Monte-Carlo mean.

    Attributes
    ----------
    mean : float
        Of the runs.
    error : float
        Standard error of the mean.
    runs : int
        How many.
    """

    mean: float
    error: float
    runs: int


class Walk(NamedTuple):
    """One draw of the twisted proposal.

    Attributes
    ----------
    tokens : tuple of int
        EOS included where it came.
    ended : bool
        Whether it did.
    h : tuple of float
        h at every prefix, from the empty one on, as read there.
    rho : tuple of float
        ρ at every prefix at which a row was read.
    log_weight : float
        log h(ε) + Σ log ρ; -inf where it did not end.
    """

    tokens: tuple[int, ...]
    ended: bool
    h: tuple[float, ...]
    rho: tuple[float, ...]
    log_weight: float


class Weights(NamedTuple):
    """What the weights of several walks say.

    Attributes
    ----------
    ess : float
        Effective sample size, (Σw)²/Σw²; 0 when every weight is zero.
    log_phi : float
        Log of the mean weight: an estimate of log Φ(ε).
    relative_error : float
        Standard error of the mean weight, divided by it.
    ended : float
        Share of the walks that ended in the language.
    """

    ess: float
    log_phi: float
    relative_error: float
    ended: float


def monte_carlo(
    compiled: CompiledLanguage,
    reader: RowReader,
    prefix: Sequence[int],
    budget: int,
    *,
    runs: int,
    uniform: Uniform,
) -> Estimate:
    """Φ at a prefix by runs under the mask, each weighted by its product of masked masses.

    Parameters
    ----------
    compiled : CompiledGrammar
        The language.
    reader : RowReader
        Rows of the target, under the law that is asked about.
    prefix : sequence of int
        Allowed tokens.
    budget : int
        Tokens that may still come, EOS included.
    runs : int
        At least 2.
    uniform : callable
        Source of random numbers.
    """
    check_number("runs", runs, 2)
    start = compiled.matcher()
    if start.advance_many(list(prefix)) < len(prefix):
        raise OptionError(f"prefix {list(prefix)}: not allowed by the grammar")
    begun = [(tuple(prefix), start.fork(), budget) for _ in range(runs)]
    weights = masked_runs(compiled, reader, begun, uniform)
    return Estimate(float(weights.mean()), float(weights.std(ddof=1)) / sqrt(runs), runs)


def masked_runs(
    compiled: CompiledLanguage,
    reader: RowReader,
    starts: Sequence[tuple[tuple[int, ...], Any, int]],
    uniform: Uniform,
) -> NDArray[np.float64]:
    """One run under the mask from each start, with its product of masked masses as weight.

    The weight of a run that began at x has the mean Φ(x); it is zero where the budget ended first.

    Parameters
    ----------
    compiled : CompiledGrammar
        The language.
    reader : RowReader
        Rows of the target, under the law that is asked about.
    starts : sequence of (prefix, matcher, budget)
        The matcher stands after the prefix and is used up; the budget counts the tokens that may come, EOS
        included.
    uniform : callable
        Source of random numbers.
    """
    viability = Viability(compiled)
    ends = frozenset(int(t) for t in compiled.vocabulary.eos_ids)
    paths = [prefix for prefix, _, _ in starts]
    states = [state for _, state, _ in starts]
    left = [budget for _, _, budget in starts]
    sequences = [reader.fork(prefix) for prefix in paths]
    weights = np.ones(len(starts))
    live = list(range(len(starts)))
    while live:
        spent = [i for i in live if left[i] < 1]
        weights[spent] = 0.0
        live = [i for i in live if left[i] >= 1]
        if not live:
            break
        rows = reader.score([sequences[i] for i in live])
        going = []
        for i, row in zip(live, rows, strict=True):
            viable = viability.h_children(states[i], paths[i], left[i])
            p = row[: len(viable)] * viable
            weights[i] *= float(p.sum())
            token = pick(p, uniform())
            if token < 0 or token in ends:
                continue
            states[i].advance(token)
            paths[i] = (*paths[i], token)
            left[i] -= 1
            sequences[i].commit([token])
            going.append(i)
        live = going
    return weights


def twisted_walk(potential: Potential, reader: RowReader, budget: int, uniform: Uniform) -> Walk:
    """Draw once from the proposal that a potential makes of the target.

    Parameters
    ----------
    potential : Potential
        Of any contract.
    reader : RowReader
        Rows of the target, under the law that is asked about.
    budget : int
        Largest number of tokens, EOS included.
    uniform : callable
        Source of random numbers.
    """
    state: Any = potential.compiled.matcher()
    ends = frozenset(int(t) for t in potential.compiled.vocabulary.eos_ids)
    prefix: tuple[int, ...] = ()
    log_weight = potential.log_h(state, (), budget)
    h, rho = [exp(log_weight)], []
    for remaining in range(budget, 0, -1):
        if h[-1] <= 0.0:
            break
        children = potential.h_children(state, prefix, remaining)
        mass = reader.row(prefix)[: len(children)] * children
        total = float(mass.sum())
        rho.append(total / h[-1])
        token = pick(mass, uniform())
        if token < 0:
            break
        log_weight += log(rho[-1])
        prefix = (*prefix, token)
        if token in ends:
            return Walk(prefix, True, tuple(h), tuple(rho), log_weight)
        state.advance(token)
        h.append(float(children[token]))
    return Walk(prefix, False, tuple(h), tuple(rho), -inf)


def weigh(walks: Sequence[Walk]) -> Weights:
    """Effective sample size and the estimate of Φ(ε) from the weights of walks.

    Parameters
    ----------
    walks : sequence of Walk
        Independent draws of one potential's proposal.
    """
    if not walks:
        raise OptionError("walks: at least one is needed")
    logs: NDArray[np.float64] = np.array([walk.log_weight for walk in walks])
    ended = float(np.mean([walk.ended for walk in walks]))
    top = float(logs.max())
    if top == -inf:
        return Weights(0.0, -inf, inf, ended)
    w = np.exp(logs - top)
    mean = float(w.mean())
    spread = float(w.std(ddof=1)) / sqrt(len(w)) / mean if len(w) > 1 else inf
    return Weights(float(w.sum() ** 2 / (w @ w)), top + log(mean), spread, ended)
