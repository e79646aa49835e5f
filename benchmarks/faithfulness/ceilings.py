"""How many tokens a pass can keep at most when the candidates are fixed: the best tree, built from K itself.

Law: a path that was not drawn is kept with at most its probability under the law, so among trees of n fixed
candidates the n most probable prefixes are kept longest. Drawn candidates are not bounded by it: what bounds
them is one pass per text.
Cost: about twenty forwards of the target per round that is bounded.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np

from gramspec.decoding.kernel import MaskedLaw, Node, child_node
from gramspec.decoding.random import NumpyRandomSource

Ids = tuple[int, ...]

_WAVE = 24  # prefixes whose rows are asked for in one forward
_LEAST = 1e-5  # probability below which a prefix is never among the best


def ceilings(
    target: Any, law: MaskedLaw, prompts: Sequence[Ids], nodes: Sequence[int], seed: int
) -> tuple[dict[int, float], float]:
    """Tokens per pass under the best fixed tree of so many nodes, and tokens per text.

    Parameters
    ----------
    target : TransformersModel
        The model.
    law : MaskedLaw
        What is sampled.
    prompts : sequence of tuple of int
        One text is drawn for each.
    nodes : sequence of int
        Sizes of the tree.
    seed : int
        Of the texts.
    """
    passes = dict.fromkeys(nodes, 0)
    tokens = 0
    for k, prompt in enumerate(prompts):
        sequence = target.open(prompt)
        begun = len(sequence.tokens)
        text = _drawn(law, sequence, NumpyRandomSource((seed, k)))
        tokens += len(text)
        best: dict[int, list[Ids]] = {}
        for size in nodes:
            at = 0
            while at < len(text):
                if at not in best:
                    sequence.rollback(len(sequence.tokens) - begun)
                    if at:
                        sequence.commit(list(text[:at]))
                    best[at] = _most_probable(law, sequence, _after(law, text[:at]), max(nodes))
                tree = set(best[at][:size])
                kept = 0
                while text[at : at + kept + 1] in tree and at + kept < len(text):
                    kept += 1
                at += kept + 1
                passes[size] += 1
    return {size: tokens / count for size, count in passes.items()}, tokens / max(1, len(prompts))


def _drawn(law: MaskedLaw, sequence: Any, random: NumpyRandomSource) -> Ids:
    node, text = law.root(), []
    while True:
        token = random.choose(law.kernel(node, sequence.score()[0]))
        if token == law.width:
            raise RuntimeError(f"no viable token after {text}")
        text.append(token)
        if token in law.eos_ids:
            return tuple(text)
        sequence.commit([token])
        node = child_node(law, node, token)


def _after(law: MaskedLaw, tokens: Ids) -> Node:
    node = law.root()
    for token in tokens:
        node = child_node(law, node, token)
    return node


def _most_probable(law: MaskedLaw, sequence: Any, root: Node, most: int) -> list[Ids]:
    """The most probable continuations of a prefix, each after its own prefixes, in falling probability."""
    nodes: dict[Ids, Node | None] = {(): root}
    rows: dict[Ids, Any] = {}
    heap: list[tuple[float, Ids]] = [(-1.0, ())]
    found: list[Ids] = []
    while heap and len(found) < most:
        if nodes[heap[0][1]] is not None and heap[0][1] not in rows:
            wave = [x for _, x in heapq.nsmallest(_WAVE, heap) if nodes[x] is not None and x not in rows]
            _score(law, sequence, nodes, rows, wave)
        value, path = heapq.heappop(heap)
        if path:
            found.append(path)
        node = nodes[path]
        if node is None:
            continue
        row = rows[path][:-1]
        for token in np.flatnonzero(row * -value > _LEAST).tolist():
            child = (*path, token)
            ends = token in law.eos_ids or node.remaining < 2
            nodes[child] = None if ends else child_node(law, node, token)
            heapq.heappush(heap, (value * float(row[token]), child))
    return found


def _score(
    law: MaskedLaw, sequence: Any, nodes: dict[Ids, Node | None], rows: dict[Ids, Any], wave: list[Ids]
) -> None:
    paths = sorted({x[:i] for x in wave for i in range(1, len(x) + 1)}, key=len)
    place = {path: i for i, path in enumerate(paths)}
    answer = sequence.score([path[-1] for path in paths], [place.get(path[:-1], -1) for path in paths])
    for path in wave:
        node = nodes[path]
        assert node is not None
        rows[path] = law.kernel(node, answer[place[path] + 1 if path else 0])
