"""Free samples of a model, to fit proxies to.

Law: each sequence is drawn token by token from the model's rows, until EOS or `max_tokens`; no grammar.
Cost: one row per token, batched over `batch` sequences. Source: laws, "Hmm" (samples of the target).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gramspec.kernels.inverse_cdf import pick
from gramspec.models.protocol import LanguageModel
from gramspec.validity.graded import check_number
from gramspec.validity.reading import RowFunction, RowReader, softmax


def draw_sequences(
    model: LanguageModel,
    prompts: Sequence[Sequence[int]],
    count: int,
    *,
    max_tokens: int,
    row: RowFunction = softmax,
    seed: int = 0,
    batch: int = 16,
    progress: Callable[[int, int], None] | None = None,
) -> list[tuple[int, ...]]:
    """Draw `count` sequences after each prompt, EOS included where it came.

    Parameters
    ----------
    model : LanguageModel
        Whose law is sampled.
    prompts : sequence of sequence of int
        Prompt ids.
    count : int
        Sequences per prompt.
    max_tokens : int
        Longest sequence.
    row : callable
        From logits to probabilities.
    seed : int
        Sequence i of prompt j has the random numbers keyed by (seed, j, i).
    batch : int
        Sequences drawn side by side.
    progress : callable, optional
        Called as ``progress(done, total)`` with sequences.
    """
    for name, value in (("count", count), ("max_tokens", max_tokens), ("batch", batch)):
        check_number(name, value, 1)
    check_number("seed", seed, 0)
    ends = frozenset(model.eos_ids)
    drawn: list[tuple[int, ...]] = []
    for j, prompt in enumerate(prompts):
        reader = RowReader(model, prompt, row)
        reader.row(())  # the prompt is read once, and its state copied
        for begin in range(0, count, batch):
            lanes = range(begin, min(begin + batch, count))
            sources = [np.random.default_rng([seed, j, i]) for i in lanes]
            sequences = [reader.fork() for _ in lanes]
            tokens: list[list[int]] = [[] for _ in lanes]
            live = list(range(len(lanes)))
            while live:
                rows = reader.score([sequences[i] for i in live])
                for i, p in zip(live, rows, strict=True):
                    token = pick(p, float(sources[i].random()))
                    tokens[i].append(token)
                    sequences[i].commit([token])
                live = [i for i in live if tokens[i][-1] not in ends and len(tokens[i]) < max_tokens]
            drawn.extend(tuple(each) for each in tokens)
            if progress is not None:
                progress(len(drawn), count * len(prompts))
    return drawn
