"""Token trees and rows: the checks that every model shares.

Law: parents come before children; a row holds no NaN and no +inf, and has a finite entry.
Source: `LanguageModel` protocol.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gramspec.errors import LogitsError, ModelError, PromptError


def token_ids(tokens: Iterable[Any], vocab_size: int, what: str) -> list[int]:
    """Return `tokens` as a list of int, all within ``range(vocab_size)``.

    Raises
    ------
    PromptError
        For an entry that is no integer or no id of the model, with its place.
    """
    if isinstance(tokens, (str, bytes)):
        raise PromptError(f"{what} is text; encode it first (a list of token ids is needed)")
    ids: list[int] = []
    for place, token in enumerate(tokens):
        try:
            value = operator.index(token)
        except TypeError:
            raise PromptError(f"{what}[{place}] is {token!r}, not an integer token id") from None
        if not 0 <= value < vocab_size:
            raise PromptError(f"{what}[{place}] is {value}; the model knows the ids 0 to {vocab_size - 1}")
        ids.append(value)
    return ids


def tree_parents(count: int, parents: Sequence[int] | None) -> list[int]:
    """Return the parent of each node (-1: root); None stands for a chain.

    Raises
    ------
    ModelError
        When the length differs from `count` or a parent does not come before its child.
    """
    if parents is None:
        return list(range(-1, count - 1))
    result = [operator.index(parent) for parent in parents]
    if len(result) != count:
        raise ModelError(f"a tree of {count} tokens has {len(result)} parents; one per token is needed")
    for node, parent in enumerate(result):
        if not -1 <= parent < node:
            raise ModelError(f"parents[{node}] is {parent}; it must be -1 (root) or an earlier node")
    return result


def is_chain(parents: Sequence[int]) -> bool:
    """Whether every node's parent is the node before it."""
    return all(parent == node - 1 for node, parent in enumerate(parents))


def tree_paths(tokens: Sequence[int], parents: Sequence[int]) -> list[tuple[int, ...]]:
    """Tokens from the root to each node, the node included."""
    paths: list[tuple[int, ...]] = []
    for token, parent in zip(tokens, parents, strict=True):
        paths.append(((*paths[parent], token)) if parent >= 0 else (token,))
    return paths


def tree_depths(parents: Sequence[int]) -> list[int]:
    """Depth of each node; children of the root have depth 1."""
    depths: list[int] = []
    for parent in parents:
        depths.append(1 if parent < 0 else depths[parent] + 1)
    return depths


def check_row(row: NDArray[np.floating[Any]], *prefix: Sequence[int]) -> None:
    """Refuse a row that is no law; `prefix` is the tokens before it, in parts.

    Raises
    ------
    LogitsError
        On NaN, +inf or no finite entry; the message ends with the last tokens of the prefix.
    """
    top = row.max(initial=-np.inf)  # NaN propagates through max, so one pass decides the good case
    if np.isfinite(top):
        return
    if np.isnan(top):
        bad = np.flatnonzero(np.isnan(row))
        reason = f"{bad.size} of {row.size} logits are NaN, the first at id {bad[0]}"
    elif top == np.inf:
        reason = f"the logit of id {int(row.argmax())} is +inf"
    else:
        reason = "every logit is -inf"
    tokens = [token for part in prefix for token in part]
    shown = ", ".join(map(str, tokens[-16:]))
    if len(tokens) > 16:
        shown = "..., " + shown
    raise LogitsError(f"{reason}; prefix of {len(tokens)} tokens: [{shown}]")
