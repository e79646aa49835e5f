"""Proxy weights of bytes: how likely a model is to write each byte, or to stop, whatever came before.

Law: the weights of the bytes and of stopping add up to one, in every state; all are positive.
Source: theory, section 4 (class models over terminals; weights that depend on the state of the automaton).

`ByteWeights` and `TokenWeights` know one row for all states. `StateWeights` learns a row for each state of
the automaton from rows of a model (a draft model's running averages), with a prior where it has seen little.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gramspec import _native
from gramspec.errors import OptionError
from gramspec.kernels.inverse_cdf import pick
from gramspec.models.protocol import LanguageModel
from gramspec.validity.graded import check_number
from gramspec.validity.protocol import CompiledLanguage
from gramspec.validity.reading import RowFunction, RowReader, softmax

Floats = NDArray[np.float64]
Arcs = tuple[tuple[int, int, int], ...]

_BYTES: Final = 256
_LONGEST: Final = 64  # token lengths beyond count as this
_FOLLOWED: Final = 64  # tokens of a row that are followed through the automaton


class Weights(Protocol):
    """Weights of bytes by automaton state, and of stopping."""

    @property
    def stop(self) -> float:
        """Weight of ending the text."""
        ...

    @property
    def fingerprint(self) -> str:
        """Tells the weights apart."""
        ...

    def at(self, serial: int, state: int, arcs: Arcs, forced: bool = False) -> Floats:
        """Weights of the 256 bytes in a state (a native expression of the engine with this number).

        `forced`: in the middle of a rule, where the grammar allows nothing but these arcs.
        """
        ...

    def edge(self, token: int) -> float:
        """Weight of a token that has no bytes."""
        ...

    def token_lengths(self, tokens: Sequence[bytes | None]) -> Floats:
        """Distribution of the bytes of one token; entry n: exactly n bytes."""
        ...


@dataclass(frozen=True, eq=False)
class ByteWeights:
    """One weight a byte, the same in every state.

    Parameters
    ----------
    weights : array of 256 floats
        Not negative; scaled so that with `stop` they add up to one.
    stop : float
        Chance of ending the text before the next byte; in (0, 1).
    lengths : array of float, optional
        How the lengths of tokens are distributed; entry n: n bytes. By default, tokens of the vocabulary
        are weighted by the product of their bytes.
    fluency : float
        Chance that the model follows the grammar of its own accord in the middle of a rule, where nothing but
        the arcs of one state may come: there the weights are this part of a row over those bytes alone, and
        the rest of the plain row. 0: the plain row everywhere.

    Raises
    ------
    OptionError
        If the weights are negative, not finite, all zero, or not 256; if `stop` is out of range.
    """

    weights: Floats
    stop: float
    lengths: Floats | None = None
    fluency: float = 0.0

    def __post_init__(self) -> None:
        given = np.asarray(self.weights, dtype=np.float64)
        if given.shape != (_BYTES,) or not np.isfinite(given).all() or (given < 0).any() or given.sum() == 0:
            raise OptionError("weights: 256 numbers, finite, not negative, not all zero")
        if not 0.0 < self.stop < 1.0:
            raise OptionError(f"stop: a chance above 0 and below 1, not {self.stop!r}")
        if not 0.0 <= self.fluency < 1.0:
            raise OptionError(f"fluency: a chance, at least 0 and below 1, not {self.fluency!r}")
        total = float(given.sum())
        scaled = given if abs(total + self.stop - 1.0) < 1e-12 else given * ((1.0 - self.stop) / total)
        object.__setattr__(self, "weights", scaled)

    @classmethod
    def uniform(cls, *, stop: float = 0.01, alphabet: Iterable[int] = range(_BYTES)) -> ByteWeights:
        """All bytes of an alphabet alike."""
        weights = np.zeros(_BYTES)
        weights[list(alphabet)] = 1.0
        return cls(weights, stop)

    @classmethod
    def from_texts(
        cls, texts: Iterable[str | bytes], *, smoothing: float = 0.5, fluency: float = 0.0
    ) -> ByteWeights:
        """Byte frequencies of texts, each of which ends once.

        Parameters
        ----------
        texts : iterable of str or bytes
        smoothing : float
            Added to every count; above 0, so that no byte is impossible.
        fluency : float
            As of the class.

        Raises
        ------
        OptionError
            If there are no texts, or `smoothing` is not positive.
        """
        counts, ends = np.zeros(_BYTES), 0
        for text in texts:
            data = text.encode("utf-8") if isinstance(text, str) else text
            counts += np.bincount(np.frombuffer(data, dtype=np.uint8), minlength=_BYTES)
            ends += 1
        if ends == 0:
            raise OptionError("texts: at least one text")
        return _smoothed(counts, ends, smoothing, None, fluency)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the numbers, first 16 digits."""
        digest = hashlib.sha256(self.weights.tobytes() + np.array([self.stop, self.fluency]).tobytes())
        if self.lengths is not None:
            digest.update(np.asarray(self.lengths, dtype=np.float64).tobytes())
        return digest.hexdigest()[:16]

    def at(self, serial: int, state: int, arcs: Arcs, forced: bool = False) -> Floats:
        """The one row; where the bytes are forced, a part of it scaled to them."""
        if not forced or self.fluency == 0.0:
            return self.weights
        here = np.zeros(_BYTES)
        for low, high, _ in arcs:
            here[low : high + 1] = self.weights[low : high + 1]
        total = float(here.sum())
        if total <= 0.0:
            return self.weights
        mixed: Floats = (1.0 - self.fluency) * self.weights + self.fluency / total * here
        return mixed

    def edge(self, token: int) -> float:
        """As much as an average byte."""
        return float(self.weights.mean())

    def token_lengths(self, tokens: Sequence[bytes | None]) -> Floats:
        """As given, or by the product of the bytes of each token."""
        if self.lengths is not None:
            return np.asarray(self.lengths, dtype=np.float64)
        lengths = np.zeros(_LONGEST + 1)
        logs = np.log(self.weights + 1e-300)
        for token in tokens:
            if token:
                data = np.frombuffer(token, dtype=np.uint8)
                lengths[min(len(token), _LONGEST)] += float(np.exp(logs[data].sum()))
        return _as_distribution(lengths)


class TokenWeights(ByteWeights):
    """Byte weights read off token counts, with the lengths of the tokens counted."""

    @classmethod
    def from_counts(
        cls,
        vocabulary: Any,
        counts: ArrayLike | Mapping[int, float],
        *,
        smoothing: float = 0.5,
        fluency: float = 0.0,
    ) -> TokenWeights:
        """From how often each token id occurs; EOS ids are the ends of texts.

        Parameters
        ----------
        vocabulary : Vocabulary
        counts : array of float [V] or mapping of id to count
        smoothing : float
            Added to the count of every byte and of stopping; above 0.
        fluency : float
            As of `ByteWeights`.

        Raises
        ------
        OptionError
            If the counts are negative, not finite, of another length, or name an unknown id.
        """
        size = len(vocabulary)
        if isinstance(counts, Mapping):
            row = np.zeros(size)
            for token, count in counts.items():
                if not 0 <= token < size:
                    raise OptionError(f"counts: token id {token} is outside the vocabulary of {size}")
                row[token] = count
        else:
            row = np.asarray(counts, dtype=np.float64)
        if row.shape != (size,) or not np.isfinite(row).all() or (row < 0).any():
            raise OptionError(f"counts: {size} numbers, finite and not negative")
        ends = float(row[list(vocabulary.eos_ids)].sum())
        bytes_, lengths = np.zeros(_BYTES), np.zeros(_LONGEST + 1)
        for token in np.flatnonzero(row).tolist():
            data = vocabulary.tokens[token]
            if data:
                bytes_ += row[token] * np.bincount(np.frombuffer(data, dtype=np.uint8), minlength=_BYTES)
                lengths[min(len(data), _LONGEST)] += row[token]
        plain = _smoothed(bytes_, ends, smoothing, _as_distribution(lengths), fluency)
        return cls(plain.weights, plain.stop, plain.lengths, fluency)


@dataclass
class Tally:
    """What was seen in one state.

    Parameters
    ----------
    bytes : ndarray of float64, shape (256,)
    seen : float
        How much in all, tokens without bytes counted.
    """

    bytes: Floats = field(default_factory=lambda: np.zeros(_BYTES))
    seen: float = 0.0


class StateWeights:
    """Byte weights by automaton state, averaged from rows of a model.

    Parameters
    ----------
    base : Weights
        Where little was seen: counts as `prior` visits of every state.
    prior : float
        Above 0.

    Notes
    -----
    A state is an expression of the engine that matchers run on; in another engine (one that is full is
    replaced) the states that may read the same bytes in the same way stand in for it. A `Partition` reads the
    weights when it is made or refitted, never in between.
    """

    def __init__(self, base: Weights, *, prior: float = 2.0) -> None:
        if not prior > 0.0:
            raise OptionError(f"prior: above 0, not {prior!r}")
        self.base = base
        self.prior = prior
        self._states: dict[tuple[int, int], Tally] = {}
        self._kinds: dict[tuple[tuple[int, int], ...], Tally] = {}
        self._ends = prior * base.stop
        self._accepting = prior
        self._rows = 0

    def observe_row(self, state: Any, p: ArrayLike) -> None:
        """Learn from one row of a model at a grammar state.

        Parameters
        ----------
        state : Matcher
            Not finished; unchanged.
        p : array of float
            Probabilities of the tokens, at least as many as the vocabulary has; restricted to the allowed
            tokens or not. The first bytes count with all tokens; further bytes with the heaviest tokens.
        """
        row = np.asarray(p, dtype=np.float64)
        vocabulary = state._vocabulary
        if row.ndim != 1 or len(row) < len(vocabulary) or not np.isfinite(row).all() or (row < 0).any():
            raise OptionError(f"p: at least {len(vocabulary)} probabilities, finite and not negative")
        self._rows += 1
        core, config = state._core, state._config
        eos = list(vocabulary.eos_ids)
        if state.is_accepting:
            self._ends += float(row[eos].sum())
            self._accepting += 1.0
        first, rest = _first_bytes(vocabulary)
        spelled = row[rest]
        heads: Floats = np.bincount(first, weights=spelled, minlength=_BYTES).astype(np.float64)
        self._add(core, config, heads, 1.0)
        heavy = rest[np.argsort(-spelled)[:_FOLLOWED]]
        for token in heavy.tolist():
            data = vocabulary.tokens[token]
            if len(data) == 1 or row[token] <= 0.0:
                continue
            at = config
            for here, byte in pairwise(data):
                at = int(core.advance_bytes(at, bytes([here])))
                if at == 0:
                    break
                one = np.zeros(_BYTES)
                one[byte] = row[token]
                self._add(core, at, one, float(row[token]))

    def fit(
        self,
        compiled: CompiledLanguage,
        model: LanguageModel,
        prompts: Sequence[Sequence[int]],
        *,
        runs: int = 20,
        max_tokens: int = 256,
        row: RowFunction = softmax,
        seed: int = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> StateWeights:
        """Learn from the rows along runs of a model under the mask.

        Parameters
        ----------
        compiled : CompiledGrammar
        model : LanguageModel
            The draft model, or the target.
        prompts : sequence of sequence of int
            Prompt ids.
        runs : int
            Runs after each prompt.
        max_tokens : int
            Longest run.
        row : callable
            From logits to probabilities.
        seed : int
        progress : callable, optional
            Called as ``progress(done, total)`` with runs.

        Returns
        -------
        StateWeights
            This one.
        """
        check_number("runs", runs, 1)
        check_number("max_tokens", max_tokens, 1)
        for j, prompt in enumerate(prompts):
            reader = RowReader(model, prompt, row)
            for i in range(runs):
                random, state = np.random.default_rng([seed, j, i]), compiled.matcher()
                prefix: tuple[int, ...] = ()
                while len(prefix) < max_tokens and not state.is_finished:
                    p = reader.row(prefix)
                    self.observe_row(state, p)
                    viable = state.viable(max_tokens - len(prefix))
                    allowed = p[: len(viable)] * viable  # heads may be wider than the vocabulary
                    if not allowed.any():
                        break  # the model gives no ending any chance
                    token = pick(allowed, float(random.random()))
                    state.advance(token)
                    prefix = (*prefix, token)
                if progress is not None:
                    progress(j * runs + i + 1, runs * len(prompts))
        return self

    def _add(self, core: Any, config: int, bytes_: Floats, seen: float) -> None:
        for state in _native.partition_reading(core, config):
            arcs = _native.partition_head(core, state)[1]
            tallies = (
                self._states.setdefault((int(core.serial), state), Tally()),
                self._kinds.setdefault(_kind(arcs), Tally()),
            )
            for tally in tallies:
                tally.bytes += bytes_
                tally.seen += seen

    @property
    def kinds(self) -> Mapping[tuple[tuple[int, int], ...], Tally]:
        """What was seen in all states that read the same ranges of bytes."""
        return self._kinds

    @property
    def summary(self) -> dict[str, float]:
        """Prior, EOS mass and visits of accepting states (the prior counted), and rows seen."""
        return {
            "prior": self.prior,
            "ends": self._ends,
            "accepting": self._accepting,
            "rows": float(self._rows),
        }

    def restore(
        self, summary: Mapping[str, float], kinds: Mapping[tuple[tuple[int, int], ...], Tally]
    ) -> None:
        """Take over `summary` and `kinds` of weights over the same base; what was seen before is forgotten.

        Raises
        ------
        OptionError
            If they are out of range.
        """
        prior, ends, accepting, rows = (float(summary[k]) for k in ("prior", "ends", "accepting", "rows"))
        if not (
            0.0 < prior < np.inf and 0.0 <= ends <= accepting + 1e-6 and accepting < np.inf and rows >= 0
        ):
            raise OptionError("the averages by state are out of range")
        self.prior, self._ends, self._accepting, self._rows = prior, ends, accepting, int(rows)
        self._kinds, self._states = dict(kinds), {}

    @property
    def stop(self) -> float:
        """Average chance of EOS where the text may end."""
        return float(np.clip(self._ends / self._accepting, 1e-6, 1.0 - 1e-6))

    @property
    def fingerprint(self) -> str:
        """Of the base, and of all rows seen."""
        digest = hashlib.sha256(
            f"{self.base.fingerprint} {self.prior} {self._rows} {self._ends} {len(self._states)}".encode()
        )
        for kind in sorted(self._kinds):
            digest.update(repr(kind).encode() + self._kinds[kind].bytes.tobytes())
        return digest.hexdigest()[:16]

    def at(self, serial: int, state: int, arcs: Arcs, forced: bool = False) -> Floats:
        """The average of this state, or of those like it, with the base as prior."""
        prior = self.base.at(serial, state, arcs, forced)
        for tally in (self._kinds.get(_kind(arcs)), self._states.get((serial, state))):
            if tally is not None:
                prior = (self.prior * prior + tally.bytes) / (self.prior + tally.seen)
        return prior

    def edge(self, token: int) -> float:
        """That of the base."""
        return self.base.edge(token)

    def token_lengths(self, tokens: Sequence[bytes | None]) -> Floats:
        """Those of the base."""
        return self.base.token_lengths(tokens)


def _kind(arcs: Iterable[tuple[int, int, int]]) -> tuple[tuple[int, int], ...]:
    return tuple((low, high) for low, high, _ in arcs)


def _first_bytes(vocabulary: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    spelled = [(t[0], i) for i, t in enumerate(vocabulary.tokens) if t]
    pairs = np.array(spelled, dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _as_distribution(lengths: Floats) -> Floats:
    total = float(lengths.sum())
    if total == 0.0:
        lengths = np.zeros_like(lengths)
        lengths[1] = total = 1.0
    scaled: Floats = lengths / total
    return scaled


def _smoothed(
    counts: Floats, ends: float, smoothing: float, lengths: Floats | None, fluency: float
) -> ByteWeights:
    if not smoothing > 0.0:
        raise OptionError(f"smoothing: above 0, not {smoothing!r}")
    total = float(counts.sum()) + ends + (_BYTES + 1) * smoothing
    return ByteWeights(counts + smoothing, (ends + smoothing) / total, lengths, fluency)
