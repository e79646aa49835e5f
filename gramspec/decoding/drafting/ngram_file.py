"""n-gram tables as files: arrays in one ``.npz``; grammar states are named by a prefix that reaches them.

Law: none, a table only drafts; what is read is checked against the grammar and for its ranges, or refused.
Cost: reading advances a matcher along one prefix per state.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gramspec.errors import OptionError
from gramspec.validity.protocol import CompiledLanguage
from gramspec.validity.stored import load_arrays, require, save_arrays

_KIND = "n-gram table"
_WHOLE = (
    "counts",
    "entry_ends",
    "entry_tokens",
    "prefix_ends",
    "prefix_tokens",
    "states",
    "tail_ends",
    "tail_tokens",
)


class StoredContext(NamedTuple):
    """One context of a table.

    Attributes
    ----------
    state : hashable
        Class of the grammar state; None in a table that does not go by states.
    prefix : tuple of int
        A prefix that reaches the state.
    tail : tuple of int
        The last tokens.
    rows : int
        Rows behind the average.
    entry : dict of int to float
        The average.
    """

    state: Hashable
    prefix: tuple[int, ...]
    tail: tuple[int, ...]
    rows: int
    entry: dict[int, float]


def save_contexts(
    path: str | os.PathLike[str], compiled: CompiledLanguage, order: int, contexts: Sequence[StoredContext]
) -> None:
    """Write contexts, in their order.

    Parameters
    ----------
    path : path
        The file; its name is kept as it is.
    compiled : CompiledGrammar
        The grammar whose states they speak of.
    order : int
        Longest n-gram.
    contexts : sequence of StoredContext
        What is written.
    """
    numbers: dict[Hashable, int] = {}
    prefixes: list[tuple[int, ...]] = []
    states = []
    for one in contexts:
        if one.state is None:
            states.append(-1)
            continue
        if one.state not in numbers:
            numbers[one.state] = len(prefixes)
            prefixes.append(one.prefix)
        states.append(numbers[one.state])
    save_arrays(
        path,
        _KIND,
        {"language": compiled.fingerprint, "order": order},
        {
            "states": np.array(states, dtype=np.int64),
            "counts": np.array([one.rows for one in contexts], dtype=np.int64),
            **_packed("prefix", prefixes),
            **_packed("tail", [one.tail for one in contexts]),
            **_packed("entry", [tuple(one.entry) for one in contexts]),
            "shares": np.array([s for one in contexts for s in one.entry.values()], dtype=np.float64),
        },
    )


def load_contexts(
    path: str | os.PathLike[str], compiled: CompiledLanguage
) -> tuple[int, list[StoredContext]]:
    """Read what `save_contexts` wrote for the same grammar and vocabulary: the order, and the contexts.

    Parameters
    ----------
    path : path
        The file.
    compiled : CompiledGrammar
        The grammar.

    Raises
    ------
    SerialisationError
        If the file is damaged, or speaks of another grammar or vocabulary.
    """
    whole: tuple[Any, int] = (np.integer, 1)
    header, found = load_arrays(path, _KIND, {**dict.fromkeys(_WHOLE, whole), "shares": (np.floating, 1)})
    place = str(path)
    require(header.get("language") == compiled.fingerprint, place, "was learned for another grammar")
    order = header.get("order")
    require(isinstance(order, int) and 1 <= order <= 1 << 16, f"{place}, order", f"is {order!r}")
    assert isinstance(order, int)
    prefixes = _unpacked("prefix", found, place)
    tails, entries = _unpacked("tail", found, place), _unpacked("entry", found, place)
    states, counts, shares = found["states"].tolist(), found["counts"].tolist(), found["shares"].tolist()
    same = len(tails) == len(entries) == len(states) == len(counts)
    require(same and len(shares) == len(found["entry_tokens"]), place, "has arrays that do not fit together")
    require(all(-1 <= s < len(prefixes) for s in states), f"{place}, states", "has entries out of range")
    require(all(c >= 1 for c in counts), f"{place}, counts", "has entries out of range")
    require(all(len(t) < order for t in tails), f"{place}, tails", "are longer than the order allows")
    require(all(0.0 <= s <= 1.0 + 1e-9 for s in shares), f"{place}, shares", "has values outside 0..1")
    classes = [_state_after(compiled, prefix, f"{place}, prefix {i}") for i, prefix in enumerate(prefixes)]
    contexts = []
    at = 0
    for state, tail, count, tokens in zip(states, tails, counts, entries, strict=True):
        entry = dict(zip(tokens, shares[at : at + len(tokens)], strict=True))
        require(0 < len(entry) == len(tokens), f"{place}, entries", "are empty or hold a token twice")
        at += len(tokens)
        known = state >= 0
        contexts.append(
            StoredContext(
                classes[state] if known else None, prefixes[state] if known else (), tail, count, entry
            )
        )
    return order, contexts


def _state_after(compiled: CompiledLanguage, prefix: tuple[int, ...], place: str) -> Hashable:
    matcher: Any = compiled.matcher()
    require(matcher.advance_many(list(prefix)) == len(prefix), place, "is none of this grammar")
    key: Hashable = getattr(matcher, "mask_key", None)
    if key is None:
        raise OptionError("compiled: its matchers have no key of their state")
    return key


def _packed(name: str, parts: Sequence[tuple[int, ...]]) -> dict[str, NDArray[np.int64]]:
    return {
        f"{name}_tokens": np.array([token for part in parts for token in part], dtype=np.int64),
        f"{name}_ends": np.cumsum([len(part) for part in parts], dtype=np.int64),
    }


def _unpacked(name: str, found: dict[str, NDArray[Any]], place: str) -> list[tuple[int, ...]]:
    tokens, ends = found[f"{name}_tokens"], found[f"{name}_ends"]
    steps = np.diff(ends, prepend=0)
    fits = bool((steps >= 0).all()) and (int(ends[-1]) if len(ends) else 0) == len(tokens)
    require(fits, f"{place}, {name}_ends", "is not ascending to the number of tokens")
    inside = bool((tokens >= 0).all()) and bool((tokens < 1 << 31).all())
    require(inside, f"{place}, {name}_tokens", "has entries out of range")
    flat = tokens.tolist()
    return [tuple(flat[int(end - step) : int(end)]) for end, step in zip(ends, steps, strict=True)]
