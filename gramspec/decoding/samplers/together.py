"""One round of several attempts, their trees scored in one call of the target.

Law: each attempt follows its own kernel rows; attempts on one learned potential have the product law.
Cost: one `score_many` per round. Source: laws, "The snapshot rule" and trap 13.
"""

from __future__ import annotations

from collections.abc import Sequence

from gramspec.decoding.random import RandomSource
from gramspec.decoding.round import Attempt
from gramspec.models.protocol import LanguageModel


def play_together(
    attempts: Sequence[Attempt], randoms: Sequence[RandomSource], model: LanguageModel | None
) -> None:
    """Play one round of each attempt.

    Parameters
    ----------
    attempts : sequence of Attempt
        Attempts that are not over, each with its own sequence.
    randoms : sequence of RandomSource
        The source of each.
    model : LanguageModel or None
        Scores all trees in one call; None scores one attempt after the other.
    """
    if model is None or len(attempts) == 1:
        for attempt, random in zip(attempts, randoms, strict=True):
            attempt.step(random)
        return
    trees = [attempt.begin(random) for attempt, random in zip(attempts, randoms, strict=True)]
    requests = []
    for attempt, tree in zip(attempts, trees, strict=True):
        _, tokens, parents = tree.to_score()
        requests.append((attempt.sequence, tokens, parents))
    with attempts[0].tally.phase("target"):
        answers = model.score_many(requests)
    for attempt, tree, rows, random in zip(attempts, trees, answers, randoms, strict=True):
        attempt.settle(tree, rows, random)
    for attempt in attempts:
        attempt.learn()
