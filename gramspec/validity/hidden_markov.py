"""`HiddenMarkov`: a hidden Markov model of token sequences, fitted by expectation-maximisation.

Law: z_1 ~ start, x_t ~ emission[z_t], z_{t+1} ~ transition[z_t]; EOS ids are symbols like others. No
iteration lowers the likelihood plus the log prior (Baum-Welch with Dirichlet priors).
Cost: an iteration is O(tokens·K²) and O(K·V). Source: Rabiner 1989, sections III and V; theory, 2.7.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gramspec.errors import OptionError
from gramspec.validity.graded import check_number
from gramspec.validity.stored import load_arrays, require, save_arrays

_BATCH_CELLS = 1 << 22  # floats of one batch of forward variables


@dataclass(frozen=True, eq=False)
class HiddenMarkov:
    """Parameters of a hidden Markov model.

    Attributes
    ----------
    start : ndarray, shape (K,)
        Law of the first hidden state.
    transition : ndarray, shape (K, K)
        Row z: law of the next hidden state.
    emission : ndarray, shape (K, V)
        Row z: law of the token.
    history : tuple of float
        Log-likelihood plus log prior before each iteration of the fit, and after the last.
    """

    start: NDArray[np.float64]
    transition: NDArray[np.float64]
    emission: NDArray[np.float64]
    history: tuple[float, ...] = ()

    @property
    def states(self) -> int:
        """K."""
        return len(self.start)

    @property
    def size(self) -> int:
        """V."""
        return int(self.emission.shape[1])

    def after(self, belief: NDArray[np.float64], token: int) -> NDArray[np.float64]:
        """Law of the next hidden state, from that of this one and the token seen at it."""
        joint = belief * self.emission[:, token]
        total = float(joint.sum())
        if total <= 0.0:  # a token that the model takes for impossible tells nothing
            joint, total = belief, 1.0
        moved: NDArray[np.float64] = (joint / total) @ self.transition
        return moved

    def log_likelihood(self, sequences: Iterable[Sequence[int]]) -> float:
        """Σ log P of token sequences."""
        total = 0.0
        for sequence in sequences:
            belief = self.start
            for token in sequence:
                share = float(belief @ self.emission[:, token])
                total += np.log(share) if share > 0.0 else -np.inf
                belief = self.after(belief, token)
        return float(total)

    @classmethod
    def fit(
        cls,
        sequences: Iterable[Sequence[int]],
        size: int,
        *,
        states: int = 16,
        iterations: int = 30,
        smoothing: float = 1.0,
        seed: int = 0,
        tolerance: float = 1e-5,
        progress: Callable[[int, int], None] | None = None,
    ) -> HiddenMarkov:
        """Fit by Baum-Welch.

        Parameters
        ----------
        sequences : iterable of sequence of int
            Token ids, EOS included where a text ended.
        size : int
            V.
        states : int
            K.
        iterations : int
            At most.
        smoothing : float
            Pseudo-counts per hidden state, spread over the tokens as they are frequent in all sequences (a
            tenth of them evenly), and one tenth of it over the next states. 0: maximum likelihood.
        seed : int
            Of the first guess.
        tolerance : float
            Stop when an iteration gains less than this per token.
        progress : callable, optional
            Called as ``progress(done, total)`` after each iteration.

        Raises
        ------
        OptionError
            If there is no token, a token is outside the vocabulary, or an option is out of range.
        """
        for name, value, low in (("states", states, 1), ("iterations", iterations, 1), ("size", size, 1)):
            check_number(name, value, low)
        check_number("smoothing", smoothing, 0)
        data = [np.asarray(s, dtype=np.int64) for s in sequences if len(s)]
        if not data:
            raise OptionError("sequences: there is no token to fit a hidden Markov model to")
        every = np.concatenate(data)
        if every.min() < 0 or every.max() >= size:
            wrong = int(every[(every < 0) | (every >= size)][0])
            raise OptionError(f"sequences: token {wrong} is not in 0..{size - 1}")
        counts = np.bincount(every, minlength=size) / len(every)
        prior = 0.9 * counts + 0.1 / size
        random = np.random.default_rng(seed)
        noise = random.dirichlet(np.full(states, 0.5), size=size).T if states > 1 else np.ones((1, size))
        emission = prior * (noise + 1e-3)
        emission /= emission.sum(axis=1, keepdims=True)
        transition = random.dirichlet(np.ones(states), size=states)
        model = cls(np.full(states, 1.0 / states), transition, emission)
        history: list[float] = []
        for i in range(iterations):
            score, after = _iterate(model, data, prior, smoothing)
            history.append(score)
            if progress is not None:
                progress(i + 1, iterations)
            model = after
            if len(history) > 1 and history[-1] - history[-2] < tolerance * len(every):
                break
        if progress is not None:
            progress(iterations, iterations)
        history.append(_iterate(model, data, prior, smoothing)[0])
        return cls(model.start, model.transition, model.emission, tuple(history))

    def save(self, path: str | os.PathLike[str], *, vocabulary: str = "") -> None:
        """Write the parameters, with the fingerprint of the vocabulary they speak of."""
        save_arrays(
            path,
            "hidden Markov model",
            {"vocabulary": vocabulary},
            {
                "start": self.start,
                "transition": self.transition,
                "emission": self.emission,
                "history": np.asarray(self.history, dtype=np.float64),
            },
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, vocabulary: str | None = None) -> HiddenMarkov:
        """Read the parameters.

        Raises
        ------
        SerialisationError
            If the file is damaged, holds no laws, or speaks of another vocabulary.
        """
        floats = np.floating
        header, found = load_arrays(
            path,
            "hidden Markov model",
            {
                "start": (floats, 1),
                "transition": (floats, 2),
                "emission": (floats, 2),
                "history": (floats, 1),
            },
        )
        start, transition, emission = (found[name] for name in ("start", "transition", "emission"))
        place, states = str(path), len(start)
        fits = states >= 1 and transition.shape == (states, states) and emission.shape[0] == states
        require(bool(fits), place, "has arrays whose shapes do not fit together")
        for name, array in (("start", start), ("transition", transition), ("emission", emission)):
            laws = (array >= 0.0).all() and np.allclose(array.sum(axis=-1), 1.0, atol=1e-9)
            require(bool(laws), f"{place}, {name}", "has rows that are no probabilities")
        if vocabulary is not None and header.get("vocabulary") != vocabulary:
            require(False, place, "was fitted on another vocabulary")
        return cls(start, transition, emission, tuple(found["history"].tolist()))


def _iterate(
    model: HiddenMarkov, data: list[NDArray[np.int64]], prior: NDArray[np.float64], smoothing: float
) -> tuple[float, HiddenMarkov]:
    """Log-likelihood plus log prior of `model`, and the model after one iteration."""
    k, moves = model.states, 0.1 * smoothing
    start = np.full(k, moves / k)
    transition = np.full((k, k), moves / k)
    emission = np.repeat((smoothing * prior)[:, None], k, axis=1)  # [V, K]: rows are added to by token
    score = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        if smoothing > 0.0:
            score += moves / k * float(np.log(model.start).sum() + np.log(model.transition).sum())
            score += smoothing * float((np.log(model.emission) @ prior).sum())
    for tokens, lengths in _batches(data, k):
        score += _expect(model, tokens, lengths, start, transition, emission)

    def law(counts: NDArray[np.float64]) -> NDArray[np.float64]:
        total = counts.sum(axis=-1, keepdims=True)
        return np.where(total > 0.0, counts / np.where(total > 0.0, total, 1.0), 1.0 / counts.shape[-1])

    return score, HiddenMarkov(law(start), law(transition), law(np.ascontiguousarray(emission.T)))


def _batches(
    data: list[NDArray[np.int64]], states: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Sequences of similar lengths side by side, padded with token 0."""
    order = sorted(range(len(data)), key=lambda i: len(data[i]))
    begin = 0
    while begin < len(order):
        end = begin + 1
        while end < len(order) and (end + 1 - begin) * len(data[order[end]]) * states <= _BATCH_CELLS:
            end += 1
        chosen = [data[i] for i in order[begin:end]]
        lengths = np.array([len(s) for s in chosen])
        tokens = np.zeros((len(chosen), int(lengths.max())), dtype=np.int64)
        for row, sequence in zip(tokens, chosen, strict=True):
            row[: len(sequence)] = sequence
        yield tokens, lengths
        begin = end


def _expect(
    model: HiddenMarkov,
    tokens: NDArray[np.int64],
    lengths: NDArray[np.int64],
    start: NDArray[np.float64],
    transition: NDArray[np.float64],
    emission: NDArray[np.float64],
) -> float:
    """Add the expected counts of one batch (scaled forward-backward); return its log-likelihood."""
    count, steps = tokens.shape
    inside = np.arange(steps)[None, :] < lengths[:, None]
    seen = model.emission.T[tokens]  # [n, t, K]
    forward = np.empty_like(seen)
    scale = np.ones((count, steps))
    belief = np.repeat(model.start[None, :], count, axis=0)
    for t in range(steps):
        joint = belief * seen[:, t]
        total = joint.sum(axis=1)
        scale[:, t] = np.where(inside[:, t], total, 1.0)
        forward[:, t] = joint / np.maximum(total, 1e-300)[:, None]
        belief = forward[:, t] @ model.transition
    backward = np.ones((count, model.states))
    for t in range(steps - 1, -1, -1):
        now = inside[:, t]
        posterior = forward[:, t] * backward
        posterior *= now[:, None] / np.maximum(posterior.sum(axis=1), 1e-300)[:, None]
        np.add.at(emission, tokens[now, t], posterior[now])
        ahead = seen[:, t] * backward / np.maximum(scale[:, t], 1e-300)[:, None]
        ahead[~now] = 1.0
        if t == 0:
            start += posterior.sum(axis=0)
            continue
        before = forward[:, t - 1] * now[:, None]
        transition += model.transition * (before.T @ ahead)
        backward = np.where(now[:, None], ahead @ model.transition.T, 1.0)
    with np.errstate(divide="ignore"):
        return float(np.log(scale).sum())
