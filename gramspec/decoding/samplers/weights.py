"""Weights of particles: effective number, mean, and systematic resampling with enumerable choices.

Law: particle i gets N·w_i/Σw offspring on average, floor or ceiling of it always.
Source: Kitagawa (1996); Chopin & Papaspiliopoulos, An Introduction to Sequential Monte Carlo, ch. 9.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, inf, log

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.random import RandomSource


def scaled(log_weights: Sequence[float]) -> NDArray[np.float64]:
    """Weights over their maximum; all zero where every weight is.

    Parameters
    ----------
    log_weights : sequence of float
        -inf allowed.
    """
    top = max(log_weights)
    if top == -inf:
        return np.zeros(len(log_weights))
    return np.array([exp(w - top) for w in log_weights])


def log_mean(log_weights: Sequence[float]) -> float:
    """Log of the mean weight; -inf where every weight is zero.

    Parameters
    ----------
    log_weights : sequence of float
        -inf allowed, not empty.
    """
    top = max(log_weights)
    return -inf if top == -inf else top + log(float(scaled(log_weights).mean()))


def effective(log_weights: Sequence[float]) -> float:
    """(Σw)²/Σw², the effective number of draws; 0 where every weight is zero.

    Parameters
    ----------
    log_weights : sequence of float
        -inf allowed, not empty.
    """
    w = scaled(log_weights)
    square = float((w * w).sum())
    return float(w.sum()) ** 2 / square if square > 0.0 else 0.0


def systematic(weights: NDArray[np.float64], random: RandomSource) -> list[int]:
    """How many offspring each particle has.

    All of them follow from one uniform u; they change where u passes the fractional part of N times a
    cumulative weight. One of these intervals is chosen by its length, so there are at most N + 1 outcomes.

    Parameters
    ----------
    weights : ndarray, shape (N,)
        Non-negative, with a positive sum.
    random : RandomSource
        Asked once.
    """
    n = len(weights)
    ends = n * np.cumsum(weights) / float(weights.sum())
    ends[-1] = n
    ends = np.minimum(ends, n)
    cuts = np.unique(np.concatenate([[0.0, 1.0], ends - np.floor(ends)]))
    lengths = np.diff(cuts)
    u = float(cuts[:-1][interval := random.choose(lengths)] + 0.5 * lengths[interval])
    below = np.ceil(np.concatenate([[0.0], ends]) - u)  # points u + j below each end
    below[-1] = n
    counts: list[int] = np.diff(np.maximum(below, 0.0)).astype(int).tolist()
    return counts
