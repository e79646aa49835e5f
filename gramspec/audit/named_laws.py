"""The laws that decoders are known to sample, exactly, on one small world; and the name of a law found.

Law: each candidate is computed from the members and the raw rows by plain sums; a law found has a name when
its total variation to one candidate is below `EXACT`. Source: laws; llguidance#263 (forced canonical tokens).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gramspec.audit.law import Law
from gramspec.audit.law_worlds import DRAFTED, LawWorld, Rows, Tokens

EXACT: Final = 1e-4
"""Largest distance of equal laws: rows are float32 inside Transformers."""

Row = NDArray[np.float64]
Step = Callable[[Tokens], Row]

MEANINGS: Final[dict[str, str]] = {
    "conditional": "P(y | y in L): the model's own law, given the grammar",
    "masked": "local masking at each token, then temperature, top-k and top-p",
    "masked, cut first": "temperature, top-k and top-p first, then local masking",
    "forced": "local masking, and where the grammar leaves one text only, only its canonical token",
    "canonical": "local masking among the sequences that the tokenizer itself writes",
    "canonical conditional": "P(y | y in L and y is what the tokenizer itself writes)",
    "conditional, uncut": "the conditional law of the model without top-k and top-p",
    "masked, uncut": "local masking without top-k and top-p",
    "masked, temperature twice": "local masking with the temperature applied twice",
    "conditional, temperature twice": "the conditional law with the temperature applied twice",
    "masked, temperature ignored": "local masking at temperature 1",
    "conditional, temperature ignored": "the conditional law at temperature 1",
    "draft, masked": "the draft model's law under the mask: drafts are kept whatever the target says",
    "draft, conditional": "the draft model's conditional law",
    "no residual": "masked, but a token drawn after a rejected draft is not drawn from the residual",
    "uniform": "every token sequence of the language alike",
    "greedy": "always the likeliest allowed token",
}
"""What each name means. The order breaks ties where laws coincide on a world."""


class Trie:
    """The prefixes of a set of token sequences."""

    def __init__(self, members: Iterable[Tokens], width: int) -> None:
        self.width = width
        self.members = frozenset(members)
        below: dict[Tokens, set[int]] = {}
        for ids in self.members:
            for t, token in enumerate(ids):
                below.setdefault(ids[:t], set()).add(token)
        self.below = {prefix: sorted(tokens) for prefix, tokens in below.items()}

    def mask(self, prefix: Tokens) -> Row:
        """1.0 for each token that a member goes on with."""
        row = np.zeros(self.width)
        row[self.below.get(prefix, [])] = 1.0
        return row

    def product(self, step: Step) -> dict[Tokens, float]:
        """∏ step(x)[v] of every member."""
        found: dict[Tokens, float] = {}
        rows = {prefix: step(prefix) for prefix in self.below}
        for ids in self.members:
            found[ids] = math.prod(float(rows[ids[:t]][token]) for t, token in enumerate(ids))
        return found


def cut(logits: Row, temperature: float, top_k: int, top_p: float) -> Row:
    """Temperature, top-k, top-p in this order; entries of -inf stay impossible."""
    weight = np.exp(logits / temperature - np.max(logits / temperature))
    order = np.argsort(-weight, kind="stable")
    order = order[weight[order] > 0.0]
    if 0 < top_k < len(order):
        order = order[:top_k]
    share = weight[order] / weight[order].sum()
    if top_p < 1.0:
        order = order[: int(np.searchsorted(np.cumsum(share), top_p)) + 1]
    row = np.zeros(len(weight))
    row[order] = weight[order] / weight[order].sum()
    return row


def candidates(world: LawWorld) -> dict[str, Law]:
    """Every known law of a world, in the order of `MEANINGS`; those that do not exist there are left out.

    Parameters
    ----------
    world : LawWorld
        With a language, two models and the options of the draw.
    """
    return dict(_candidates(world, world.prompt_ids))


@lru_cache(maxsize=64)
def _candidates(world: LawWorld, prompt: Tokens) -> tuple[tuple[str, Law], ...]:
    width = len(world.tokenizer)
    whole = Trie(world.members, width)
    own = Trie([(*world.canonical(text), world.eos) for text in world.texts], width)
    options = world.temperature, world.top_k, world.top_p
    bare = world.temperature, 0, 1.0
    twice = world.temperature**2, world.top_k, world.top_p
    at_one = 1.0, world.top_k, world.top_p

    def logits(rows: Rows, prefix: Tokens) -> Row:
        return np.asarray(rows((*prompt, *prefix)), dtype=np.float64)

    def plain(rows: Rows, how: tuple[float, int, float]) -> Step:
        return lambda x: cut(logits(rows, x), *how)

    def masked(rows: Rows, how: tuple[float, int, float], mask: Step) -> Step:
        return lambda x: cut(np.where(mask(x) > 0.0, logits(rows, x), -np.inf), *how)

    def after(x: Tokens) -> Row:
        row: Row = plain(world.target_rows, options)(x) * whole.mask(x)
        if row.sum() > 0.0:
            row /= row.sum()
        return row

    def greedy(x: Tokens) -> Row:
        p = masked(world.target_rows, bare, whole.mask)(x)
        row: Row = np.eye(width)[int(p.argmax())]
        return row

    target, draft = world.target_rows, world.draft_rows
    weights: dict[str, dict[Tokens, float]] = {
        "conditional": whole.product(plain(target, options)),
        "masked": whole.product(masked(target, options, whole.mask)),
        "masked, cut first": whole.product(after),
        "forced": whole.product(masked(target, options, forced_mask(world)(whole))),
        "canonical": own.product(masked(target, options, own.mask)),
        "canonical conditional": own.product(plain(target, options)),
        "conditional, uncut": whole.product(plain(target, bare)),
        "masked, uncut": whole.product(masked(target, bare, whole.mask)),
        "masked, temperature twice": whole.product(masked(target, twice, whole.mask)),
        "conditional, temperature twice": whole.product(plain(target, twice)),
        "masked, temperature ignored": whole.product(masked(target, at_one, whole.mask)),
        "conditional, temperature ignored": whole.product(plain(target, at_one)),
        "draft, masked": whole.product(masked(draft, options, whole.mask)),
        "draft, conditional": whole.product(plain(draft, options)),
        "no residual": _without_residual(
            whole, masked(target, options, whole.mask), masked(draft, options, whole.mask)
        ),
        "uniform": dict.fromkeys(whole.members, 1.0),
        "greedy": whole.product(greedy),
    }
    found = []
    for name in MEANINGS:
        total = math.fsum(weights[name].values())
        if total > 0.0:
            found.append((name, Law({ids: w / total for ids, w in weights[name].items()})))
    return tuple(found)


def _without_residual(whole: Trie, target: Step, draft: Step) -> dict[Tokens, float]:
    """Rounds of `DRAFTED` drafts, kept while the coin min(1, p/q) allows, then p, not the residual."""
    found = dict.fromkeys(whole.members, 0.0)
    todo: list[tuple[Tokens, int, float]] = [((), DRAFTED, 1.0)]
    while todo:
        prefix, left, mass = todo.pop()
        if prefix in found:
            found[prefix] += mass
            continue
        p = target(prefix)
        kept = np.minimum(p, draft(prefix)) if left else np.zeros(len(p))
        for token in np.flatnonzero(p > 0.0).tolist():
            if kept[token] > 0.0:
                todo.append(((*prefix, token), left - 1, mass * float(kept[token])))
            todo.append(((*prefix, token), DRAFTED, mass * float((1.0 - kept.sum()) * p[token])))
    return found


def forced_mask(world: LawWorld) -> Callable[[Trie], Step]:
    """The mask that leaves, of bytes that the grammar forces, only the tokenizer's own next token.

    As llguidance does it: the text so far and the forced bytes are written canonically, and tokens at the
    end that another one may still swallow are not forced.
    """
    texts = [text.encode() for text in world.texts]

    def swallowed(before: bytes, tail: bytes) -> bool:
        longer = [raw for raw in world.vocabulary.tokens if raw and raw != tail and raw.startswith(tail)]
        return any(text.startswith(before + raw) for raw in longer for text in texts)

    def mask(prefix: Tokens, whole: Trie) -> Row:
        if prefix not in whole.below:
            return np.zeros(whole.width)
        said = world.vocabulary.decode(prefix)
        run = _common([text[len(said) :] for text in texts if text.startswith(said)])
        own = world.canonical((said + run).decode())
        if not run or own[: len(prefix)] != prefix:
            return whole.mask(prefix)
        ahead = own[len(prefix) :]
        keep = len(ahead)
        for count in range(1, min(len(ahead), 4) + 1):
            tail = world.vocabulary.decode(ahead[-count:])
            if swallowed((said + run)[: -len(tail)], tail):
                keep = len(ahead) - count
        return np.eye(whole.width)[ahead[0]] if keep else whole.mask(prefix)

    return lambda whole: lambda prefix: mask(prefix, whole)


def _common(texts: Sequence[bytes]) -> bytes:
    """Longest common beginning."""
    if not texts:
        return b""
    low, high = min(texts), max(texts)
    for i, (a, b) in enumerate(zip(low, high, strict=False)):
        if a != b:
            return low[:i]
    return low


def distances(law: Law, laws: dict[str, Law]) -> dict[str, float]:
    """Total variation to each candidate."""
    return {name: law.tv(other) for name, other in laws.items()}


def name_of(found: dict[str, float], *, claims: str = "", tolerance: float = EXACT) -> str:
    """The candidate that a law equals, or "other".

    Parameters
    ----------
    found : dict of str to float
        Distances.
    claims : str
        Preferred where several candidates coincide.
    tolerance : float
        Largest distance of equal laws.
    """
    equal = [name for name in MEANINGS if found.get(name, math.inf) <= tolerance]
    if claims in equal:
        return claims
    return equal[0] if equal else "other"


def nearest(found: Mapping[str, float]) -> str:
    """The nearest candidate."""
    return min(found, key=lambda name: found[name])
