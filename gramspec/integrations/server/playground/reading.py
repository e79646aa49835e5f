"""The next token and a text token by token: p, its masked and its conditional share, and Φ with its bounds.

Law: p and the masked share are those of the samplers. Φ lies within its bounds (up to the model's row noise);
an estimate is unbiased and comes with its standard error. A conditional share is p·Φ(xv)/Σ p·Φ.
Cost: `prefixes` rows, and `runs` runs under the mask, side by side, where bounds do not meet.
Source: laws, "One frame for everything"; `gramspec.validity.bracketing`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from gramspec.automaton.graph import TextGraph
from gramspec.automaton.reading import read
from gramspec.automaton.wording import allowed_words
from gramspec.errors import OptionError, PromptError, UnsupportedError
from gramspec.integrations.server.playground.requests import StepRequest, TraceRequest, World
from gramspec.integrations.server.playground.tokens import check_tokens, shown, tokens_of
from gramspec.matching import CompiledGrammar
from gramspec.models.protocol import LanguageModel
from gramspec.validity.bracketing import Bracket, Brackets, Guess, Opened
from gramspec.validity.reading import RowReader

_REFUSED: Final = 4  # likely tokens that the grammar refuses, shown beside those it allows
_MEMO_BYTES: Final = 1 << 26  # rows that one question remembers
_ROW_BYTES: Final = 1 << 27  # rows that one listing holds
_AGREE: Final = 1e-3  # bounds that differ by less need no estimate
_WAVE: Final = 64  # prefixes between two looks at the clock

Going = Callable[[], bool]
"""Whether there is time left."""


class Phi(NamedTuple):
    """What is known of Φ at one prefix.

    Attributes
    ----------
    kind : str
        "exact": the bounds meet; "bounds": certified, no more is known; "estimate": an unbiased mean besides.
    low, high : float
        Φ certainly lies between them (up to the row noise of the model).
    mean : float or None
        The estimate; the middle where the bounds differ by less than a thousandth.
    error : float
        Standard error of the estimate; half the distance of such near bounds.
    near, far : float
        Two standard errors around the estimate, within the bounds.
    runs : int
        Runs behind the estimate.
    """

    kind: str
    low: float
    high: float
    mean: float | None
    error: float
    near: float
    far: float
    runs: int

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "kind": self.kind,
            "low": self.low,
            "high": self.high,
            "mean": self.mean,
            "error": self.error,
            "runs": self.runs,
        }


def phi_of(bracket: Bracket, guess: Guess | None = None) -> Phi:
    """Bounds, and an estimate where there is one.

    Parameters
    ----------
    bracket : Bracket
    guess : Guess, optional
    """
    low, high = bracket.low, bracket.high
    if bracket.closed:
        return Phi("exact", low, high, low, 0.0, low, high, 0)
    if high - low <= _AGREE * high:
        return Phi("bounds", low, high, (low + high) / 2, (high - low) / 2, low, high, 0)
    if guess is None:
        return Phi("bounds", low, high, None, 0.0, low, high, 0)
    mean = min(max(guess.mean, low), high)
    near, far = max(low, mean - 2 * guess.error), min(high, mean + 2 * guess.error)
    return Phi("estimate", low, high, mean, guess.error, near, far, guess.runs)


ENDED: Final = Phi("exact", 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0)


def reader_of(target: LanguageModel, world: World) -> RowReader:
    """Rows of the model after the prompt.

    Parameters
    ----------
    target : LanguageModel
    world : World

    Raises
    ------
    PromptError
        If prompt and text are longer than the model takes.
    """
    encode = getattr(target, "encode", None)
    if encode is None:
        raise OptionError("the model has no tokenizer, so it cannot read a prompt")
    prompt = [int(t) for t in encode(world.prompt)]
    if target.max_length is not None and len(prompt) + world.max_new_tokens > target.max_length:
        raise PromptError(
            f"prompt of {len(prompt)} tokens + {world.max_new_tokens} new ones: the model takes"
            f" {target.max_length}\n  hint: take a shorter prompt or a smaller max_new_tokens"
        )
    return RowReader(target, prompt, world.rows.row, memo_bytes=_MEMO_BYTES)


def step(
    target: LanguageModel, compiled: CompiledGrammar, request: StepRequest, going: Going
) -> dict[str, Any]:
    """What may follow some tokens, and how probable it is under each law.

    Parameters
    ----------
    target : LanguageModel
    compiled : CompiledGrammar
    request : StepRequest
    going : callable
        Whether there is time left.

    Returns
    -------
    dict
        As JSON: `tokens` (most probable first under any law), `refused`, and what is known of the prefix.
    """
    vocabulary = compiled.vocabulary
    check_tokens(vocabulary, request.tokens)
    remaining = request.max_new_tokens - len(request.tokens)
    if remaining < 1:
        raise OptionError(f"tokens: {len(request.tokens)} of them leave no room for another one")
    matcher = compiled.matcher()
    if matcher.advance_many(request.tokens) < len(request.tokens):
        raise OptionError("tokens: the grammar does not allow them")
    reader = reader_of(target, request)
    if matcher.is_finished:
        raise OptionError("tokens: the text has ended")
    search = Brackets(
        compiled,
        reader,
        request.tokens,
        remaining,
        max_prefixes=request.prefixes + request.top + 1,
        max_bytes=_ROW_BYTES,
    )
    root = search.root
    ids = np.flatnonzero(root.viable)
    ids = ids[np.argsort(-root.p[ids], kind="stable")]
    first = ids[: request.top].tolist()
    if request.prefixes:
        search.look_at(root, [t for t in first if root.p[t] > 0.0])
        _search(search, request.prefixes, going)
    bounds = search.bounds()
    known = _known(search, first, bounds, request.runs if going() else 0)
    whole = bounds[root.prefix]
    shares = _conditional(root, known, whole)
    rows = [
        {
            **shown(vocabulary, token),
            "p": float(root.p[token]),
            "masked": _share(float(root.p[token]), root.allowed),
            "phi": known[token].document(),
            "conditional": shares[token],
        }
        for token in first
    ]
    likely = np.argsort(-root.p, kind="stable")[: request.top].tolist()
    refused = [t for t in likely if not root.viable[t] and root.p[t] > 0.0][:_REFUSED]
    return {
        "tokens": rows,
        "refused": [{**shown(vocabulary, t), "p": float(root.p[t])} for t in refused],
        "allowed": len(ids),
        "vocabulary": len(vocabulary),
        "allowed_mass": root.allowed,
        "phi": _whole(known, root, whole).document(),
        "forced": matcher.forced_bytes().decode("utf-8", "replace")[:200],
        "accepting": matcher.is_accepting,
        "remaining": remaining,
        "prefixes": len(search.opened),
    }


def _known(
    search: Brackets, tokens: Sequence[int], bounds: Mapping[tuple[int, ...], Bracket], runs: int
) -> dict[int, Phi]:
    """Φ after each token; runs are shared by what the bounds leave open of the whole."""
    root, ends = search.root, search.compiled.vocabulary.eos_ids
    known: dict[int, Phi] = {}
    open_: list[tuple[int, Opened, Bracket]] = []
    for token in tokens:
        child = root.children.get(token)
        if token in ends:
            known[token] = ENDED
        elif child is None:
            known[token] = phi_of(Bracket(0.0, 1.0, False))
        else:
            bracket = bounds[child.prefix]
            known[token] = phi_of(bracket)
            if known[token].mean is None:
                open_.append((token, child, bracket))
    if runs >= 2 and open_:
        gaps = [float(root.p[token]) * (bracket.high - bracket.low) for token, _, bracket in open_]
        counts = [max(2, round(runs * gap / sum(gaps))) for gap in gaps]
        wanted = [(child, bracket, n) for (_, child, bracket), n in zip(open_, counts, strict=True)]
        guesses = search.estimates(wanted, np.random.default_rng(0).random)
        for (token, _, bracket), guess in zip(open_, guesses, strict=True):
            known[token] = phi_of(bracket, guess)
    return known


def _conditional(
    root: Opened, known: Mapping[int, Phi], whole: Bracket
) -> dict[int, dict[str, float] | None]:
    """P(v | x, ends in L) of each token: an interval from those of Φ, and a value from the estimates."""
    p = {t: float(root.p[t]) for t in known}
    low_rest, high_rest = _rest(root, known, whole)
    near = sum(p[t] * phi.near for t, phi in known.items()) + low_rest
    far = sum(p[t] * phi.far for t, phi in known.items()) + high_rest
    guessed = all(phi.mean is not None for phi in known.values())
    middle = sum(p[t] * (phi.mean or 0.0) for t, phi in known.items()) + (low_rest + high_rest) / 2
    found: dict[int, dict[str, float] | None] = {}
    for token, phi in known.items():
        most, least = p[token] * phi.far, p[token] * phi.near
        if far <= 0.0:
            found[token] = None
            continue
        low = _share(least, least + (far - most))
        high = _share(most, most + max(0.0, near - least))
        mean = _share(p[token] * phi.mean, middle) if guessed and phi.mean is not None else None
        found[token] = (
            {"low": low, "high": high} if mean is None else {"low": low, "high": high, "mean": mean}
        )
    return found


def _rest(root: Opened, known: Mapping[int, Phi], whole: Bracket) -> tuple[float, float]:
    """Bounds of Σ p·Φ over the viable tokens that are not shown."""
    low = whole.low - sum(float(root.p[t]) * phi.low for t, phi in known.items())
    high = whole.high - sum(float(root.p[t]) * phi.high for t, phi in known.items())
    low = max(0.0, low)
    return (low, low) if whole.closed else (low, max(low, high))


def _whole(known: Mapping[int, Phi], root: Opened, whole: Bracket) -> Phi:
    """Φ at the prefix itself, from what is known of the tokens after it."""
    if whole.closed or not all(phi.mean is not None for phi in known.values()):
        return phi_of(whole)
    low, high = _rest(root, known, whole)
    p = {t: float(root.p[t]) for t in known}
    mean = sum(p[t] * (phi.mean or 0.0) for t, phi in known.items()) + (low + high) / 2
    error = float(np.sqrt(sum((p[t] * phi.error) ** 2 for t, phi in known.items()))) + (high - low) / 4
    return phi_of(whole, Guess(mean, error, sum(phi.runs for phi in known.values())))


def _share(part: float, whole: float) -> float:
    return min(1.0, part / whole) if whole > 0.0 else 0.0


def _search(search: Brackets, prefixes: int, going: Going) -> None:
    for begun in range(0, prefixes, _WAVE):
        if not search.search(min(_WAVE, prefixes - begun)) or not going():
            return


def trace(
    target: LanguageModel, compiled: CompiledGrammar, request: TraceRequest, going: Going
) -> dict[str, Any]:
    """A text token by token: p, masked share, and Φ before and after each.

    Parameters
    ----------
    target : LanguageModel
    compiled : CompiledGrammar
    request : TraceRequest
    going : callable
        Whether there is time left.

    Returns
    -------
    dict
        As JSON: `tokens` up to the first that is refused, `rejected` if there is one.
    """
    vocabulary = compiled.vocabulary
    if (request.text is None) == (request.tokens is None):
        raise OptionError("text, tokens: exactly one of the two is needed")
    ids = request.tokens if request.text is None else tokens_of(target, vocabulary, request.text)
    assert ids is not None
    check_tokens(vocabulary, ids)
    reader = reader_of(target, request)
    start = compiled.matcher()
    known = [t for t in ids[: start.advance_many(ids)] if t not in vocabulary.eos_ids][
        : request.max_new_tokens
    ]
    for _ in reader.tree(known, list(range(-1, len(known) - 1))):
        pass  # all rows along the text from one forward: they are remembered
    most = request.prefixes + len(ids) + 1
    search = Brackets(compiled, reader, (), request.max_new_tokens, max_prefixes=most, max_bytes=_ROW_BYTES)
    path, rejected = [search.root], None
    done: list[int] = []
    for index, token in enumerate(ids):
        if not path[-1].viable[token]:
            rejected = _rejection(compiled, path[-1], ids, index)
            break
        done.append(token)
        if token in vocabulary.eos_ids:
            rejected = None if index == len(ids) - 1 else {"index": index + 1, "reason": "the text has ended"}
            break
        path.append(search.follow(done)[-1])
    _search(search, request.prefixes, going)
    phis = _along(search, path, request.runs if going() else 0)
    tokens = [
        {
            **shown(vocabulary, token),
            "p": float(at.p[token]),
            "masked": _share(float(at.p[token]), at.allowed),
            "allowed": int(at.viable.sum()),
            "phi": phis[at.prefix].document(),
        }
        for at, token in zip(path, done, strict=False)
    ]
    ended = bool(done) and done[-1] in vocabulary.eos_ids
    last = ENDED if ended else phis[path[-1].prefix]
    return {
        "tokens": tokens,
        "phi": last.document(),
        "accepting": ended or path[-1].state.is_accepting,
        "ended": ended,
        "rejected": rejected,
    }


def _along(search: Brackets, path: Sequence[Opened], runs: int) -> dict[tuple[int, ...], Phi]:
    """Φ at each prefix of a text; runs are shared equally where bounds are apart."""
    bounds = search.bounds()
    known = {at.prefix: phi_of(bounds[at.prefix]) for at in path}
    open_ = [at for at in path if known[at.prefix].mean is None]
    if runs >= 2 and open_:
        wanted = [(at, bounds[at.prefix], max(2, runs // len(open_))) for at in open_]
        guesses = search.estimates(wanted, np.random.default_rng(0).random)
        for at, guess in zip(open_, guesses, strict=True):
            known[at.prefix] = phi_of(bounds[at.prefix], guess)
    return known


def _rejection(compiled: CompiledGrammar, at: Opened, ids: Sequence[int], index: int) -> dict[str, Any]:
    """Why a token is refused, and what the grammar wants instead."""
    vocabulary, token = compiled.vocabulary, ids[index]
    found: dict[str, Any] = {"index": index, **shown(vocabulary, token), "offset": None, "expected": None}
    rest = b"".join(vocabulary.tokens[t] or b"" for t in ids[index:])
    found["rest"] = rest.decode("utf-8", "replace")
    before = vocabulary.decode(at.prefix)
    if at.state.fork().advance_many([token]) == 1:
        found["reason"] = f"no ending fits into the {at.remaining} tokens that are left"
        return found
    found["reason"] = "the grammar does not allow it here"
    try:
        reading = read(TextGraph(compiled.grammar), before + rest)
    except UnsupportedError:
        return found
    if reading.verdict == "leaves":
        found["offset"] = len((before + rest)[: reading.offset].decode("utf-8", "replace"))
    if reading.allowed is not None:
        found["expected"] = allowed_words(reading.allowed)
    return found
