"""Both laws side by side: the likeliest texts of each, and the total variation distance between them.

Law: distances are those of texts, and of the token sequences that spell them, which are never nearer. Where
all were listed they are exact (up to the model's row noise). Otherwise they lie between certified bounds, and
that of sequences is estimated from draws: M(y)/P*(y) = Φ/w(y) with w(y) = ∏ Z(y_<t), so that
TV = E_P*[(1 − Φ/w)₊] = E_M[(1 − w/Φ)₊]; both are means of numbers from 0 to 1.
Cost: `prefixes` rows; `draws` of each law where the bounds are apart.
Source: laws, "One frame for everything" and trap 12.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest
from math import exp, sqrt
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.checks import check_budget
from gramspec.decoding.completion import Completion
from gramspec.decoding.generate import generate
from gramspec.decoding.options import DecodingOptions
from gramspec.errors import BudgetExhaustedError, DeadEndError
from gramspec.integrations.server.playground.reading import Going, reader_of
from gramspec.integrations.server.playground.requests import CompareRequest
from gramspec.matching import CompiledGrammar
from gramspec.models.memo import MemoModel
from gramspec.models.protocol import LanguageModel
from gramspec.validity.bracketing import Brackets

_WAVE: Final = 64
_NEAR: Final = 0.02  # bounds of the distance that are nearer than this need no draws
_SPLITS: Final = 200
_GRID: Final = 64
_LONGEST: Final = 300
_TINY: Final = 1e-300
_MOST_DRAWN: Final = 12
_OPTIONS: Final = DecodingOptions(drafter="none", lanes=16, max_attempts=500, max_seconds=10.0)


class _Listed(NamedTuple):
    """Texts that were listed: p and masked mass of each, and what was not listed."""

    texts: dict[bytes, tuple[float, float]]
    sequences: list[tuple[float, float]]  # of the token sequences that spell them
    low: float  # bounds of Φ
    high: float
    p: float  # mass of the listed texts
    masked: float
    closed: bool


def compare(
    target: LanguageModel, compiled: CompiledGrammar, request: CompareRequest, going: Going
) -> dict[str, Any]:
    """The conditional and the masked law of texts, and how far apart they are.

    Parameters
    ----------
    target : LanguageModel
    compiled : CompiledGrammar
    request : CompareRequest
    going : callable
        Whether there is time left.

    Returns
    -------
    dict
        As JSON.
    """
    check_budget(compiled, request.max_new_tokens)
    memo = target if isinstance(target, MemoModel) else MemoModel(target, max_bytes=1 << 27)
    reader = reader_of(memo, request)
    search = Brackets(compiled, reader, (), request.max_new_tokens, max_prefixes=request.prefixes)
    begun = 0
    while begun < request.prefixes and search.search(_WAVE) and going():
        begun += _WAVE
    listed = _listed(compiled, search)
    low, high = tv_bounds(list(listed.texts.values()), listed.low, listed.high)
    least, most = tv_bounds(listed.sequences, listed.low, listed.high)
    found: dict[str, Any] = {
        "listed": len(listed.texts),
        "prefixes": len(search.opened),
        "exact": listed.closed,
        "undefined": listed.high <= 0.0,  # there is no conditional law
        "phi": {"low": listed.low, "high": listed.high},
        "covered": {
            "conditional": listed.p / listed.high if listed.high > 0.0 else 0.0,
            "masked": listed.masked,
        },
        "tv": {"low": low, "high": min(high, most)},  # as texts they are never further apart
        "tv_tokens": {"low": max(least, low), "high": most},
        "draws": None,
    }
    if high - low > _NEAR and not listed.closed:
        found["draws"] = _draws(memo, compiled, request, listed, going)
    found["texts"] = _texts(listed, found["draws"], request.top)
    return found


# -- listing ------------------------------------------------------------------------------------------


def _listed(compiled: CompiledGrammar, search: Brackets) -> _Listed:
    texts: dict[bytes, tuple[float, float]] = {}
    members = search.members()
    for member in members:
        text = compiled.vocabulary.decode(member.tokens)
        p, masked = texts.get(text, (0.0, 0.0))
        texts[text] = (p + member.p, masked + member.masked)
    whole = search.bounds()[search.root.prefix]
    p = sum(each[0] for each in texts.values())
    masked = sum(each[1] for each in texts.values())
    sequences = [(member.p, member.masked) for member in members]
    return _Listed(texts, sequences, whole.low, whole.high, p, min(1.0, masked), whole.closed)


def tv_bounds(listed: Sequence[tuple[float, float]], low: float, high: float) -> tuple[float, float]:
    """Bounds of the distance between p/Φ and the masked law, of which only some outcomes are known.

    Parameters
    ----------
    listed : sequence of (float, float)
        p and masked probability of each outcome that is known.
    low, high : float
        Bounds of Φ; `low` is at least the p of all of them.

    Returns
    -------
    tuple of float
        Whatever is not listed may agree or disagree as far as its masses allow.
    """
    if high <= 0.0:
        return 0.0, 1.0
    p = np.array([each[0] for each in listed])
    masked = np.array([each[1] for each in listed])
    missing = max(0.0, 1.0 - float(masked.sum()))
    known = float(p.sum())

    def apart(scale: float) -> tuple[float, float]:
        seen = 0.5 * float(np.abs(masked - p * scale).sum())
        rest = max(0.0, 1.0 - known * scale)
        return seen - 0.5 * (missing + rest), seen + 0.5 * (missing + rest)

    least = 1.0 / high
    most = 1.0 / low if low > 0.0 else least * 1e6
    scales = np.concatenate([np.geomspace(least, most, _GRID), [least, most]])
    pairs = [apart(float(scale)) for scale in scales]
    return max(0.0, min(a for a, _ in pairs)), min(1.0, max(b for _, b in pairs))


# -- draws --------------------------------------------------------------------------------------------


class _LateError(Exception):
    """The time for draws is over."""


def _draws(
    target: MemoModel, compiled: CompiledGrammar, request: CompareRequest, listed: _Listed, going: Going
) -> dict[str, Any]:
    """Estimates from as many draws as were asked for; never from those alone that came in time."""
    try:
        masked = _drawn(target, compiled, request, "masked", going)
    except DeadEndError as error:
        return {"refused": f"masked decoding met a dead end: {error}"}
    except _LateError:
        return {"refused": f"{request.draws} masked draws take too long"}
    weights = np.array([exp(each.report.log_weight) for each in masked])
    mean, spread = float(weights.mean()), float(weights.std(ddof=1)) / sqrt(len(weights))
    phis = [
        min(max(value, listed.low, _TINY), listed.high)
        for value in (mean, mean - 2 * spread, mean + 2 * spread)
    ]
    phi = phis[0]
    found: dict[str, Any] = {
        "n": request.draws,
        "phi": phi,
        "phi_error": spread,
        "texts": _drawn_texts([(each, exp(each.report.log_weight)) for each in masked], [], phi),
        "from_masked": _mean([np.maximum(0.0, 1.0 - weights / each) for each in phis]),
    }
    try:
        conditional = _drawn(target, compiled, request, "conditional", going)
    except (BudgetExhaustedError, _LateError):
        return {**found, "refused": f"{request.draws} exact draws take too long"}
    reader = reader_of(target, request)
    budget = request.max_new_tokens
    ratios = np.array([_masked_mass(compiled, reader, each.token_ids, budget) for each in conditional])
    return {
        **found,
        "texts": _drawn_texts(
            [(each, exp(each.report.log_weight)) for each in masked],
            list(zip(conditional, ratios.tolist(), strict=True)),
            phi,
        ),
        "from_conditional": _mean([np.maximum(0.0, 1.0 - each / ratios) for each in phis]),
        "histogram": _histogram(masked, conditional, request.seed),
        "refused": None,
    }


def _drawn(
    target: MemoModel, compiled: CompiledGrammar, request: CompareRequest, law: str, going: Going
) -> list[Completion]:
    """Independent draws: each begins with a cold trie, several are under way at a time."""

    def watch(done: int, total: int) -> None:
        if done < total and not going():
            raise _LateError

    found = generate(
        target,
        [request.prompt] * request.draws,
        compiled,
        law=law,  # type: ignore[arg-type]
        sampler="auto" if law == "masked" else "restart",
        max_new_tokens=request.max_new_tokens,
        temperature=request.temperature,
        top_k=request.top_k,
        top_p=request.top_p,
        seed=request.seed,
        options=_OPTIONS,
        progress=watch,
    )
    return [each for [each] in found]


def _masked_mass(compiled: CompiledGrammar, reader: Any, tokens: Sequence[int], budget: int) -> float:
    """w(y) = ∏ Z along a text: p(y) divided by its masked probability."""
    matcher = compiled.matcher()
    weight = 1.0
    for at, token in enumerate(tokens):
        viable = matcher.viable(budget - at, exact=True)
        weight *= float(reader.row(tokens[:at])[: len(viable)][viable].sum())
        matcher.advance(token)
    return weight


def _mean(values: Sequence[NDArray[np.float64]]) -> dict[str, float]:
    """The mean, and two standard errors around it, of draws and of Φ: its estimate first, then both ends."""
    means = [float(each.mean()) for each in values]
    errors = [float(each.std(ddof=1)) / sqrt(len(each)) for each in values]
    near = min(mean - 2 * error for mean, error in zip(means, errors, strict=True))
    far = max(mean + 2 * error for mean, error in zip(means, errors, strict=True))
    return {"mean": means[0], "error": errors[0], "near": max(0.0, near), "far": min(1.0, far)}


def _drawn_texts(
    masked: Sequence[tuple[Completion, float]], conditional: Sequence[tuple[Completion, float]], phi: float
) -> list[dict[str, Any]]:
    """Token sequences that were drawn: how often, and with which probability under each law."""
    counts = [Counter(each.token_ids for each, _ in drawn) for drawn in (masked, conditional)]
    found: dict[tuple[int, ...], dict[str, Any]] = {}
    for pair in zip_longest(masked, conditional):
        for drawn in pair:
            if drawn is None or drawn[0].token_ids in found or len(found) >= _MOST_DRAWN:
                continue
            each, weight = drawn
            p = exp(each.logprob)
            found[each.token_ids] = {
                "text": each.text[:_LONGEST],
                "masked": p / weight if weight > 0.0 else 0.0,
                "conditional": min(1.0, p / phi) if phi > 0.0 else 0.0,
                "drawn": [count[each.token_ids] for count in counts],
            }
    return sorted(found.values(), key=lambda row: -max(row["drawn"]))


def _histogram(
    masked: Sequence[Completion], conditional: Sequence[Completion], seed: int
) -> dict[str, float]:
    """Distance of the two histograms of texts, and what two samples of one law show: random splits of all."""
    names = {text: i for i, text in enumerate({each.text for each in (*masked, *conditional)})}
    labels = np.array([names[each.text] for each in (*masked, *conditional)])
    half = len(masked)

    def apart(order: NDArray[np.intp]) -> float:
        first = np.bincount(labels[order[:half]], minlength=len(names)) / half
        second = np.bincount(labels[order[half:]], minlength=len(names)) / (len(labels) - half)
        return 0.5 * float(np.abs(first - second).sum())

    random = np.random.default_rng(seed)
    seen = apart(np.arange(len(labels)))
    splits = np.array([apart(random.permutation(len(labels))) for _ in range(_SPLITS)])
    beyond = int((splits >= seen - 1e-12).sum())
    return {"tv": seen, "floor": float(splits.mean()), "p_value": (1 + beyond) / (_SPLITS + 1)}


# -- texts --------------------------------------------------------------------------------------------


def _texts(listed: _Listed, draws: dict[str, Any] | None, top: int) -> list[dict[str, Any]]:
    """The likeliest texts of either law; what was not listed but drawn comes with its share of the draws."""
    phi = listed.low if listed.closed else max(listed.low, (draws or {}).get("phi", 0.0)) or listed.high
    shares = {t: (min(1.0, p / phi) if phi > 0.0 else 0.0, m) for t, (p, m) in listed.texts.items()}
    # Half of the places for the likeliest of each law, taking turns.
    orders = [sorted(shares, key=lambda t, law=law: -shares[t][law]) for law in (0, 1)]  # type: ignore[misc]
    chosen: dict[bytes, None] = {}
    for pair in zip(*orders, strict=True):
        for text in pair:
            if len(chosen) < top:
                chosen.setdefault(text)
    rows = [
        {
            "text": text.decode("utf-8", "replace")[:_LONGEST],
            "conditional": shares[text][0],
            "masked": shares[text][1],
            "low": listed.texts[text][0] / listed.high if listed.high > 0.0 else 0.0,
            "high": min(1.0, listed.texts[text][0] / listed.low) if listed.low > 0.0 else 1.0,
        }
        for text in chosen
    ]
    return sorted(rows, key=lambda row: -max(row["conditional"], row["masked"]))
