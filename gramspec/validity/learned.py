"""`Learned`: a value per automaton state, fitted by temporal differences.

Law: contract W; h(s) ← (1 − α)·h(s) + α·S after each run of `fit`, never within one, S = Σ_v p(v|x)·h(xv).
A state that was not met has the value of its depth and of the tokens left, in buckets.
Cost: for each node one advance for each of `max_tokens` tokens, no row (with features: one call of theirs).
A run of `fit` costs one row per token. Source: laws, "Learned"; Sutton and Barto, TD(0); theory, 2.8.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gramspec.errors import OptionError, SerialisationError
from gramspec.kernels.inverse_cdf import pick
from gramspec.models.protocol import LanguageModel
from gramspec.validity.graded import (
    GradedPotential,
    canonical,
    check_number,
    fill_rest,
    likeliest,
    state_key,
    successors,
)
from gramspec.validity.protocol import CompiledLanguage, Contract
from gramspec.validity.reading import RowFunction, RowReader
from gramspec.validity.stored import load_arrays, require, save_arrays

Features = Callable[[Sequence[int]], NDArray[np.float64]]
"""From a prefix (prompt excluded) to a vector of fixed length, e.g. a hidden state of the draft model."""

_ANY = -1  # bucket of a state's value over all budgets


class _Entry:
    """What is known of one state with one bucket of tokens left."""

    __slots__ = ("count", "prefix", "value", "weights")

    def __init__(self, prefix: tuple[int, ...], value: float, size: int) -> None:
        self.prefix = prefix  # one that reaches the state: its name in files
        self.value = value
        self.count = 0
        self.weights = np.zeros(size)


class _Step(NamedTuple):
    """One prefix of a run: what S needs."""

    key: Hashable
    prefix: tuple[int, ...]
    remaining: int
    features: NDArray[np.float64]  # of the prefix before
    below: tuple[tuple[Hashable, float], ...]  # states after it and their mass
    below_features: NDArray[np.float64]
    ending: float
    rest: float


class Learned(GradedPotential):
    """Learned values of automaton states.

    Parameters
    ----------
    compiled : CompiledGrammar
        The language and its vocabulary.
    rate : float
        α; the first visits of a state count more (1/visits while that is larger).
    floor : float
        Least h on viable prefixes.
    max_tokens : int
        Tokens advanced from one state: all, or the most frequent ones of the runs; the others get their mean.
    max_entries : int
        States remembered at most; later ones keep the value of their bucket.
    features : callable, optional
        Adds a linear term: each state has weights on the features of the prefix before it.
    memo_bytes : int
        Bytes of remembered children.

    Notes
    -----
    `fit` changes h and so ends every attempt that has read it: call it between runs only.
    """

    contract: Contract = "W"

    def __init__(
        self,
        compiled: CompiledLanguage,
        *,
        rate: float = 0.05,
        floor: float = 1e-20,
        max_tokens: int = 512,
        max_entries: int = 100_000,
        features: Features | None = None,
        memo_bytes: int = 1 << 26,
    ) -> None:
        check_number("rate", rate, 0, 1, open_low=True)
        check_number("floor", floor, 0, 1, open_low=True)
        check_number("max_tokens", max_tokens, 1)
        check_number("max_entries", max_entries, 1)
        super().__init__(compiled, floor=float(floor), memo_bytes=memo_bytes)
        self.rate = float(rate)
        self.max_tokens = max_tokens
        self.max_entries = max_entries
        self.runs = 0
        self._features = features
        self._size = 0 if features is None else len(self._feature_of(()))
        self._entries: dict[tuple[Hashable, int], _Entry] = {}
        self._coarse: dict[tuple[int, int], tuple[float, int]] = {}
        self._seen = np.zeros(len(compiled.vocabulary))
        self._rename()

    def _rename(self) -> None:
        """The name changes with every fit."""
        linear = f", {self._size} features" if self._size else ""
        self.name = f"learned({self.runs} runs, rate {self.rate:g}{linear}, floor {self.floor:g})"

    def __len__(self) -> int:
        """States (with their bucket of tokens left) that have a value."""
        return len(self._entries)

    def fit(
        self,
        model: LanguageModel,
        prompts: Sequence[Sequence[int]],
        *,
        row: RowFunction,
        budget: int,
        runs: int = 64,
        seed: int = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Make runs of the twisted proposal r(v|x) ∝ p(v|x)·h(xv), and learn after each.

        Parameters
        ----------
        model : LanguageModel
            Whose Φ is learned: the target, or a draft model that resembles it.
        prompts : sequence of sequence of int
            Prompt ids; values are shared between prompts.
        row : callable
            The law of the sampler: `RowLaw(temperature, top_k, top_p).row`.
        budget : int
            Largest number of new tokens, EOS included.
        runs : int
            Runs per prompt.
        seed : int
            Run i on prompt j has the random numbers keyed by (seed, j, i, runs made before).
        progress : callable, optional
            Called as ``progress(done, total)`` with runs.
        """
        for name, value in (("budget", budget), ("runs", runs)):
            check_number(name, value, 1)
        check_number("seed", seed, 0)
        if not prompts:
            raise OptionError("prompts: at least one is needed")
        if self._size and len(prompts) > 1:
            raise OptionError(
                "prompts: features see the prefix only, so that one prompt is all they can serve"
            )
        before = self.runs
        readers = [RowReader(model, prompt, row) for prompt in prompts]
        for i in range(runs):
            for j, reader in enumerate(readers):
                random = np.random.default_rng([seed, j, i, before])
                self._learn(self._run(reader, budget, random))
                self.runs += 1
                self._rename()
                self._memo.clear()
                if progress is not None:
                    progress(self.runs - before, runs * len(prompts))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the values; states are named by a prefix that reaches them."""
        entries = list(self._entries.items())
        lengths = [len(entry.prefix) for _, entry in entries]
        save_arrays(
            path,
            "learned values",
            {"language": self.compiled.fingerprint, "runs": self.runs, "features": self._size},
            {
                "tokens": np.array([t for _, e in entries for t in e.prefix], dtype=np.int32),
                "ends": np.cumsum(lengths, dtype=np.int64),
                "buckets": np.array([bucket for (_, bucket), _ in entries], dtype=np.int64),
                "values": np.array([e.value for _, e in entries], dtype=np.float64),
                "counts": np.array([e.count for _, e in entries], dtype=np.int64),
                "weights": np.array([e.weights for _, e in entries]).reshape(len(entries), self._size),
                "coarse": np.array(list(self._coarse), dtype=np.int64).reshape(len(self._coarse), 2),
                "coarse_values": np.array([v for v, _ in self._coarse.values()], dtype=np.float64),
                "coarse_counts": np.array([n for _, n in self._coarse.values()], dtype=np.int64),
                "seen": self._seen,
            },
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str], compiled: CompiledLanguage, **options: Any) -> Learned:
        """Read values learned for the same grammar and vocabulary.

        Parameters
        ----------
        path : path
            What `save` wrote.
        compiled : CompiledGrammar
            The same language.
        **options
            As in `Learned`; features of the same length where it had some.

        Raises
        ------
        SerialisationError
            If the file is damaged, or speaks of another language or other features.
        """
        self = cls(compiled, **options)
        whole, real = np.integer, np.floating
        header, found = load_arrays(
            path,
            "learned values",
            {
                "tokens": (whole, 1),
                "ends": (whole, 1),
                "buckets": (whole, 1),
                "values": (real, 1),
                "counts": (whole, 1),
                "weights": (real, 2),
                "coarse": (whole, 2),
                "coarse_values": (real, 1),
                "coarse_counts": (whole, 1),
                "seen": (real, 1),
            },
        )
        place = str(path)
        require(header.get("language") == compiled.fingerprint, place, "was learned for another language")
        require(header.get("features") == self._size, place, f"has {header.get('features')} features")
        ends, values, counts = found["ends"], found["values"], found["counts"]
        count, coarse = len(ends), found["coarse"]
        same = all(len(found[name]) == count for name in ("buckets", "values", "counts", "weights"))
        same = same and all(len(found[name]) == len(coarse) for name in ("coarse_values", "coarse_counts"))
        same = same and found["weights"].shape[1] == self._size and (len(coarse) == 0 or coarse.shape[1] == 2)
        require(
            same and found["seen"].shape == self._seen.shape, place, "has arrays that do not fit together"
        )
        order = np.diff(ends, prepend=0)
        fits = (order >= 0).all() and (int(ends[-1]) if count else 0) == len(found["tokens"])
        require(bool(fits), f"{place}, ends", "is not ascending to the number of tokens")
        for name in ("values", "coarse_values"):
            inside = (found[name] >= 0.0).all() and (found[name] <= 1.0).all()
            require(bool(inside), f"{place}, {name}", "has values outside 0..1")
        known = len(compiled.vocabulary)
        for name, most in (
            ("seen", np.inf),
            ("counts", np.inf),
            ("coarse_counts", np.inf),
            ("tokens", known - 1),
        ):
            inside = (found[name] >= 0).all() and (found[name] <= most).all()
            require(bool(inside), f"{place}, {name}", "has entries out of range")
        runs = header.get("runs")
        if not isinstance(runs, int) or runs < 0:
            raise SerialisationError(f"{place}, runs", f"is {runs!r}")
        root = canonical(compiled.matcher())
        for i in range(count):
            prefix = tuple(found["tokens"][int(ends[i] - order[i]) : int(ends[i])].tolist())
            state = root.fork()
            require(
                state.advance_many(prefix) == len(prefix), f"{place}, prefix {i}", "is none of this language"
            )
            entry = _Entry(prefix, float(values[i]), self._size)
            entry.count, entry.weights = int(counts[i]), found["weights"][i].astype(np.float64)
            self._entries[state_key(state, prefix), int(found["buckets"][i])] = entry
        for (depth, left), value, n in zip(
            coarse.tolist(), found["coarse_values"].tolist(), found["coarse_counts"].tolist(), strict=True
        ):
            self._coarse[depth, left] = (value, n)
        self._seen = found["seen"].astype(np.float64)
        self.runs = runs
        self._rename()
        return self

    # -- reading ----------------------------------------------------------------------------------

    def _root(self, state: Any, budget: int) -> float:
        return self._value(state_key(state, ()), 0, budget, np.zeros(self._size))

    def _interior(
        self, state: Any, prefix: tuple[int, ...], budget: int, tokens: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        order = self._chosen(tokens, self._seen)
        features = self._feature_of(prefix)
        h = np.zeros(len(self._seen))
        for group in successors(state, prefix, order.tolist()):
            h[group.tokens] = self._value(group.key, len(prefix) + 1, budget - 1, features)
        fill_rest(h, self._seen, order, self._coarsely(len(prefix) + 1, budget - 1))
        return h[tokens]

    def _chosen(self, tokens: NDArray[np.int64], mass: NDArray[np.float64]) -> NDArray[np.int64]:
        if len(tokens) <= self.max_tokens:
            return tokens
        return likeliest(tokens, mass, self.max_tokens)

    def _value(self, key: Hashable, depth: int, remaining: int, features: NDArray[np.float64]) -> float:
        entry = self._entries.get((key, _bucket(remaining))) or self._entries.get((key, _ANY))
        if entry is None:
            return self._coarsely(depth, remaining)
        return min(1.0, max(self.floor, entry.value + float(entry.weights @ features)))

    def _coarsely(self, depth: int, remaining: int) -> float:
        value, _ = self._coarse.get((_bucket(depth), _bucket(remaining)), (1.0, 0))
        return max(self.floor, value)

    def _feature_of(self, prefix: Sequence[int]) -> NDArray[np.float64]:
        if self._features is None:
            return np.zeros(0)
        found = np.asarray(self._features(prefix), dtype=np.float64)
        if (
            found.ndim != 1
            or not np.isfinite(found).all()
            or len(found) != getattr(self, "_size", len(found))
        ):
            raise OptionError(
                f"features: after {list(prefix)} they are {found!r}, not a vector of finite numbers"
                " of the same length everywhere"
            )
        return found

    # -- learning ---------------------------------------------------------------------------------

    def _run(self, reader: RowReader, budget: int, random: np.random.Generator) -> list[_Step]:
        steps: list[_Step] = []
        state, before = canonical(self.compiled.matcher()), np.zeros(self._size)
        prefix: tuple[int, ...] = ()
        ends = frozenset(self._eos.tolist())
        for remaining in range(budget, 0, -1):
            viable = self._viability.h_children(state, prefix, remaining)
            p = reader.row(prefix)[: len(viable)] * viable
            inner = viable > 0.0
            inner[self._eos] = False
            tokens = np.flatnonzero(inner)
            order = self._chosen(tokens, p)
            features = self._feature_of(prefix)
            tilt = np.zeros(len(p))
            tilt[self._eos] = viable[self._eos]
            below: list[tuple[Hashable, float]] = []
            for group in successors(state, prefix, order.tolist()):
                below.append((group.key, float(p[group.tokens].sum())))
                tilt[group.tokens] = self._value(group.key, len(prefix) + 1, remaining - 1, features)
            rest = np.setdiff1d(tokens, order, assume_unique=True)
            if len(rest):
                mass = float(p[order].sum())
                usual = self._coarsely(len(prefix) + 1, remaining - 1)
                tilt[rest] = float(p[order] @ tilt[order]) / mass if mass > 0.0 else usual
            self._seen += p
            steps.append(
                _Step(
                    state_key(state, prefix),
                    prefix,
                    remaining,
                    before,
                    tuple(below),
                    features,
                    float(p[self._eos].sum()),
                    float(p[rest].sum()),
                )
            )
            token = pick(p * tilt, float(random.random()))
            if token < 0 or token in ends:
                break
            state.advance(token)
            prefix, before = (*prefix, token), features
        return steps

    def _learn(self, steps: list[_Step]) -> None:
        for step in reversed(steps):  # what is learned at the end of a run reaches its beginning at once
            depth, left = len(step.prefix), step.remaining
            inside = weight = 0.0
            for key, mass in step.below:
                inside += mass * self._value(key, depth + 1, left - 1, step.below_features)
                weight += mass
            mean = inside / weight if weight > 0.0 else self._coarsely(depth + 1, left - 1)
            s = min(1.0, step.ending + inside + step.rest * mean)
            for bucket in (_bucket(left), _ANY):
                self._update(step, bucket, s)
            at = (_bucket(depth), _bucket(left))
            value, count = self._coarse.get(at, (1.0, 0))
            alpha = max(self.rate, 1.0 / (count + 1))
            self._coarse[at] = ((1.0 - alpha) * value + alpha * s, count + 1)

    def _update(self, step: _Step, bucket: int, s: float) -> None:
        entry = self._entries.get((step.key, bucket))
        if entry is None:
            if len(self._entries) >= self.max_entries:
                return
            entry = self._entries[step.key, bucket] = _Entry(step.prefix, s, self._size)
        alpha = max(self.rate, 1.0 / (entry.count + 1))
        error = s - entry.value - float(entry.weights @ step.features)
        entry.count += 1
        if self._size:  # one step of normalised least mean squares on (1, features)
            scale = alpha / (1.0 + float(step.features @ step.features))
            entry.weights = entry.weights + scale * error * step.features
            alpha = scale
        entry.value = min(1.0, max(0.0, entry.value + alpha * error))


def _bucket(count: int) -> int:
    """Small numbers each for itself, larger ones by powers of two."""
    return count if count <= 8 else 5 + count.bit_length()
