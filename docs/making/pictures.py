"""The pictures of the concept pages, each made from an enumeration or a seeded run of gramspec itself.

Run: python docs/making/pictures.py; writes docs/pictures/*.svg.
Law: every number shown is computed here by the code that decodes; nothing is typed in.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from math import exp, log
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import gramspec as gs
from gramspec.audit.enumerate import outcome_masses
from gramspec.decoding.drafting.tree import DraftTree
from gramspec.decoding.random import NumpyRandomSource
from gramspec.decoding.verification import by_name
from gramspec.testing.drafts import Growth, chain, emitted_law

sys.path.insert(0, str(Path(__file__).resolve().parent))
from svg import BAD, GOOD, GREY, INK, LIGHT, SOFT, Drawing

PICTURES = Path(__file__).resolve().parents[1] / "pictures"

# The world of the concept pages: six tokens, a model that prefers "yes", a grammar that allows two answers.
WORDS = [b"yes", b"no", b" indeed", b".", b" way", b"</s>"]
YES, NO, INDEED, STOP, WAY, EOS = range(6)
ROWS: dict[tuple[int, ...], dict[int, float]] = {
    (): {YES: 0.6, NO: 0.4},
    (YES,): {STOP: 0.95, INDEED: 0.05},
    (NO,): {STOP: 0.9, WAY: 0.1},
}
GRAMMAR = r"(yes indeed|no)\."
LONGEST = 4


def row(prefix: Sequence[int]) -> list[float]:
    """Log-probabilities of the next token."""
    known = ROWS.get(tuple(prefix), {EOS: 1.0} if prefix and prefix[-1] == STOP else {STOP: 1.0})
    return [log(known[token]) if token in known else -np.inf for token in range(len(WORDS))]


def world() -> tuple[gs.models.TabularModel, gs.Vocabulary]:
    """The model and its vocabulary."""
    return gs.models.TabularModel(row, len(WORDS), EOS), gs.Vocabulary(WORDS, [EOS])


def laws() -> tuple[dict[str, float], dict[str, float]]:
    """Conditional and masked law of the world, by text."""
    model, vocabulary = world()
    grammar = gs.regex(GRAMMAR)
    conditional, masked = (
        gs.audit.exact_law(model, grammar, LONGEST, vocabulary=vocabulary, law=law).by_text(vocabulary)
        for law in ("conditional", "masked")
    )
    return dict(conditional), dict(masked)


def phi(prefix: tuple[int, ...]) -> float:
    """Φ of a prefix: enumerated."""
    _, vocabulary = world()
    compiled = gs.compile(gs.regex(GRAMMAR), vocabulary)
    state = compiled.matcher()
    if state.advance_many(list(prefix)) < len(prefix):
        return 0.0
    if prefix and prefix[-1] == EOS:
        return 1.0
    if len(prefix) == LONGEST:
        return 0.0
    return float(
        sum(exp(value) * phi((*prefix, token)) for token, value in enumerate(row(prefix)) if value > -np.inf)
    )


PLACES: dict[tuple[int, ...], tuple[float, float]] = {
    (): (60, 150),
    (YES,): (210, 80),
    (NO,): (210, 220),
    (YES, STOP): (380, 45),
    (YES, INDEED): (380, 115),
    (NO, STOP): (380, 185),
    (NO, WAY): (380, 255),
    (YES, INDEED, STOP): (540, 115),
}


def _edge(picture: Drawing, prefix: tuple[int, ...], words: str, *, colour: str) -> None:
    (x0, y0), (x1, y1) = PLACES[prefix[:-1]], PLACES[prefix]
    half = 9 + 4 * len(WORDS[prefix[-1]])
    start = 13 if len(prefix) == 1 else 9 + 4 * len(WORDS[prefix[-2]])
    picture.line([(x0 + start, y0), (x1 - half, y1)], colour=colour)
    picture.text(
        (x0 + start + x1 - half) / 2, (y0 + y1) / 2 - 6, words, anchor="middle", colour=colour, size=12
    )


def masking() -> Drawing:
    """The tree of the model, what the mask cuts off, and the two laws."""
    conditional, masked = laws()
    picture = Drawing(980, 300, "What masking does to the law")
    picture.text(20, 24, "the model p; red: outside of the grammar", bold=True)
    for prefix in PLACES:
        if prefix:
            inside = phi(prefix) > 0
            p = exp(row(prefix[:-1])[prefix[-1]])
            _edge(picture, prefix, f"{p:.2f}", colour=INK if inside else BAD)
    for prefix, (x, y) in PLACES.items():
        words = WORDS[prefix[-1]].decode().strip() if prefix else "ε"
        dead = phi(prefix) == 0
        picture.node(x, y, words, fill="#ffebee" if dead else LIGHT, stroke=BAD if dead else GREY)
    picture.text(640, 24, "the law of what is written", bold=True)
    for i, text in enumerate(sorted(conditional)):
        y = 60 + 110 * i
        picture.text(640, y, repr(text), size=15)
        for j, (name, law, colour) in enumerate(
            (("conditional: P(y | y ∈ L)", conditional, GOOD), ("masked", masked, GREY))
        ):
            top = y + 12 + 36 * j
            picture.box(640, top, 240 * law[text], 16, fill=colour)
            picture.text(646 + 240 * law[text], top + 13, f"{law[text]:.4f}", size=13)
            picture.text(640, top + 29, name, size=11, colour=GREY)
    return picture


def chances() -> Drawing:
    """Φ of every prefix, and the next-token law that it makes."""
    picture = Drawing(700, 300, "Φ of every prefix")
    picture.text(20, 24, "Φ(x), the chance that the model ends inside of the grammar", bold=True)
    for prefix in PLACES:
        if prefix:
            p, before, after = exp(row(prefix[:-1])[prefix[-1]]), phi(prefix[:-1]), phi(prefix)
            new = p * after / before if before else 0.0
            colour = INK if after > 0 else BAD
            _edge(picture, prefix, f"{p:.2f} → {new:.3f}", colour=colour)
    for prefix, (x, y) in PLACES.items():
        words = WORDS[prefix[-1]].decode().strip() if prefix else "ε"
        value = phi(prefix)
        picture.node(x, y, words, fill=SOFT if value > 0 else "#ffebee", stroke=GOOD if value > 0 else BAD)
        picture.text(x, y + 30, f"Φ = {value:.2f}", anchor="middle", size=12, colour=GOOD if value else BAD)
    picture.text(20, 290, "edges: p(v|x) → P*(v|x) = p(v|x)·Φ(xv)/Φ(x)", size=12, colour=GREY)
    return picture


def chain_model() -> tuple[gs.models.TabularModel, gs.Vocabulary, gs.Grammar, int]:
    """A model of letters by what stands before, for runs that have something to learn."""
    rng = np.random.default_rng(0)
    table = rng.dirichlet(np.full(5, 0.6), size=(5, 8))
    vocabulary = gs.Vocabulary([b"a", b"b", b"c", b"d", b"</s>"], [4])

    def letters(prefix: Sequence[int]) -> NDArray[np.float64]:
        last = prefix[-1] if prefix else 4
        return np.log(np.maximum(table[last, min(len(prefix), 7)], 1e-9))

    return gs.models.TabularModel(letters, 5, 4), vocabulary, gs.regex("a*b(c|da)+"), 9


def model_logprob(model: gs.models.TabularModel, tokens: Sequence[int]) -> list[float]:
    """Log p of each token of a text."""
    rows = [model.row(tuple(tokens[:i])) for i in range(len(tokens))]
    return [float(row[token] - np.logaddexp.reduce(row)) for row, token in zip(rows, tokens, strict=True)]


def learning() -> Drawing:
    """Attempts per sample and the bound h(ε) on Φ(ε), from one seeded run that learns."""
    model, vocabulary, grammar, longest = chain_model()
    [drawn] = gs.generate(
        model,
        [[]],
        grammar,
        n=60,
        sampler="restart",
        max_new_tokens=longest,
        seed=3,
        vocabulary=vocabulary,
        options=gs.DecodingOptions(gamma=0),
    )
    compiled = gs.compile(grammar, vocabulary)
    law = gs.audit.exact_law(model, compiled, longest, vocabulary=vocabulary)
    y, p_star = next(iter(law.items()))
    true = exp(sum(model_logprob(model, y))) / p_star
    bounds = [1.0, *(exp(x.report.log_phi_bound) for x in drawn if x.report.log_phi_bound is not None)]
    attempts = [x.report.attempts for x in drawn]
    picture = Drawing(760, 310, "What restarts learn")
    left, width, base, height = 60, 660, 240, 190
    step, lowest = width / len(attempts), log(true) * 1.08

    def level(value: float) -> float:
        return base - height * (1 - log(value) / lowest)

    for i, count in enumerate(attempts):
        tall = height * count / max(attempts)
        picture.box(left + i * step + 1, base - tall, step - 2, tall, fill=SOFT)
    picture.line([(left, level(true)), (left + width, level(true))], colour=BAD, dashed=True)
    picture.line([(left + i * step, level(value)) for i, value in enumerate(bounds)], colour=GOOD, width=2.5)
    picture.line([(left, base), (left + width, base)], colour=INK)
    for power in range(3):
        picture.text(
            left - 6, level(10.0**-power) + 5, f"{10.0**-power:g}", anchor="end", size=11, colour=GREY
        )
    picture.text(20, 24, f"{len(drawn)} exact samples of one call, one after the other", bold=True)
    end, middle = left + width, left + width / 2
    picture.text(
        middle, level(bounds[-1]) - 40, f"h(ε): 1 before, {bounds[-1]:.4f} at the end", colour=GOOD, size=12
    )
    picture.text(middle, level(true) - 8, f"Φ(ε) = {true:.4f}, enumerated", colour=BAD, size=12)
    picture.text(left, base + 20, "sample 1", size=12, colour=GREY)
    picture.text(end, base + 20, f"sample {len(drawn)}", size=12, colour=GREY, anchor="end")
    picture.text(
        *(left, base + 42, f"bars: attempts of each sample, {sum(attempts)} in all;"),
        size=12,
        colour=GREY,
    )
    picture.text(
        *(left, base + 60, f"a sampler that learns nothing takes 1/Φ(ε) = {1 / true:.0f} for one sample"),
        size=12,
        colour=GREY,
    )
    return picture


def tree() -> Drawing:
    """One drafted tree, and with which probability each of its nodes is kept."""
    letters = ["</s>", "a", "b", "c"]

    def target(prefix: tuple[int, ...]) -> NDArray[np.float64]:
        return np.random.default_rng([1, len(prefix), *prefix]).dirichlet([0.3, 3, 2, 1, 0.3])

    def draft(prefix: tuple[int, ...]) -> NDArray[np.float64]:
        noise = np.random.default_rng([2, len(prefix), *prefix]).dirichlet([1, 1, 1, 1])
        mixed = 0.4 * target(prefix)[:4] / target(prefix)[:4].sum() + 0.6 * noise
        return np.asarray(mixed / mixed.sum())

    growth = Growth(draft, NumpyRandomSource((10,)), 4)
    level = growth.add(0, "wor", 2)
    below = [child for index in level for child in growth.add(index, "wor", 2)]
    for index in below[:1]:
        growth.add(index, "wor", 1)
    drafted: DraftTree = growth.builder.build()
    kernels = [None if node is None else target(node.prefix) for node in drafted.nodes]
    verifier = by_name("auto")
    masses, _ = outcome_masses(lambda source: verifier.verify(drafted, kernels, source))
    kept = [0.0] * len(drafted.nodes)
    for verdict, mass in masses.items():
        for index in verdict.path:
            kept[index] += mass
    tokens = sum(mass * len(verdict.path) for verdict, mass in masses.items())
    dies = sum(mass for verdict, mass in masses.items() if verdict.next == 4)
    picture = Drawing(820, 330, "A drafted tree and what is kept of it")
    picture.text(20, 24, "one drafted tree, scored by the target in one forward pass", bold=True)
    places = {0: (60.0, 175.0)}
    _spread(drafted, 0, 40.0, 300.0, places)
    for index in range(1, len(drafted.nodes)):
        (x0, y0), (x1, y1) = places[drafted.parents[index]], places[index]
        node = drafted.nodes[drafted.parents[index]]
        assert node is not None
        token = drafted.tokens[index]
        q, k = draft(node.prefix)[token], target(node.prefix)[token]
        picture.line([(x0 + 14, y0), (x1 - 14, y1)], width=1 + 5 * kept[index], colour=GOOD)
        picture.text((x0 + x1) / 2, (y0 + y1) / 2 - 7, f"q {q:.2f}, K {k:.2f}", anchor="middle", size=11)
    for index, (x, y) in places.items():
        picture.node(
            x, y, letters[drafted.tokens[index]] if index else "x", fill=SOFT if index else LIGHT, stroke=GOOD
        )
        if index:
            picture.text(x, y + 28, f"kept {kept[index]:.3f}", size=12, colour=GOOD, anchor="middle")
    picture.text(
        20,
        318,
        f"over the verifier's choices: {tokens:.3f} drafted tokens kept and, unless the text ends,"
        f" one more symbol; that symbol is † (begin again) with probability {dies:.3f}",
        size=12,
        colour=GREY,
    )
    return picture


def _spread(
    tree: DraftTree, index: int, low: float, high: float, places: dict[int, tuple[float, float]]
) -> None:
    below = [i for i in range(1, len(tree.nodes)) if tree.parents[i] == index]
    for position, child in enumerate(below):
        top = low + (high - low) * position / len(below)
        bottom = low + (high - low) * (position + 1) / len(below)
        places[child] = (places[index][0] + 210, (top + bottom) / 2)
        _spread(tree, child, top, bottom, places)


def rules() -> Drawing:
    """Tokens kept of a chain of two by rule, enumerated, beside the bound that no lossless rule passes."""
    k, q = np.array([0.0, 1 / 3, 2 / 3, 0.0]), np.array([0.0, 2 / 3, 1 / 3])
    found = {
        name: emitted_law(by_name(name), chain(2), lambda prefix: k, lambda prefix: q).accepted
        for name in ("match", "token", "block")
    }
    found["bound"] = gs.audit.chain_bound(lambda prefix: k, lambda prefix: q, 2)
    picture = Drawing(560, 190, "Tokens kept by rule")
    picture.text(20, 24, "drafted tokens kept of two, on average", bold=True)
    for i, (name, value) in enumerate(found.items()):
        y = 48 + 32 * i
        picture.text(90, y + 14, name, anchor="end")
        picture.box(100, y, 300 * value, 20, fill=GREY if name == "bound" else GOOD)
        picture.text(108 + 300 * value, y + 15, f"{value:.4f}", size=13)
    return picture


MADE: dict[str, Callable[[], Drawing]] = {
    "masking.svg": masking,
    "phi.svg": chances,
    "restarts.svg": learning,
    "speculation_tree.svg": tree,
    "verification_rules.svg": rules,
}


def main() -> None:
    """Write all pictures."""
    PICTURES.mkdir(exist_ok=True)
    for name, make in MADE.items():
        (PICTURES / name).write_text(str(make()), "utf-8")


if __name__ == "__main__":
    main()
