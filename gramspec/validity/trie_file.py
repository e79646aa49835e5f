"""Learned mass as a file: every key with its prefixes, read back for the same base and language only.

Law: what is read gives the values that were written; keys are complete, so nothing learned under one law is
read under another. Every prefix is walked and its base value asked again. Cost: one pass over the prefixes.
Source: laws, "PrefixTrie(base)"; API ("never pickle").
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, fields
from math import exp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gramspec.errors import GramspecError, SerialisationError
from gramspec.validity.protocol import Potential
from gramspec.validity.stored import load_arrays, require, save_arrays
from gramspec.validity.trie_node import LearnedMass, TrieKey, TrieNode

KIND = "prefix trie"
_NO_ROW = -1.0


def save_tries(
    path: str | os.PathLike[str], base: Potential, tries: Iterable[tuple[TrieKey, LearnedMass]]
) -> None:
    """Write learned mass.

    Parameters
    ----------
    path : path
        The file.
    base : Potential
        The base of all of them.
    tries : iterable of (TrieKey, LearnedMass)
        What was learned for which law.
    """
    keys: list[dict[str, Any]] = []
    nodes: list[tuple[int, int, int, float, float, float, float, int, int]] = []
    ids: list[NDArray[np.int32]] = []
    rows: list[NDArray[np.float64]] = []
    for owner, (key, learned) in enumerate(tries):
        with learned.lock:
            keys.append(
                {
                    **asdict(key),
                    "row_noise": learned.row_noise,
                    "clock": learned.clock,
                }
            )
            places: dict[int, int] = {}
            for node in learned.walk():
                places[id(node)] = len(nodes)
                parent = node.parent
                p = 1.0 if parent is None else float(parent.child_p[parent.slots[node.token]])
                unvisited = _NO_ROW if node.unvisited is None else node.unvisited
                above = -1 if parent is None else places[id(parent)]
                width = -1 if node.row is None else len(node.row[0])
                nodes.append((owner, above, node.token, node.base, node.h, unvisited, p, node.stamp, width))
                if node.row is not None:
                    ids.append(node.row[0])
                    rows.append(node.row[1])
    columns: list[Any] = [list(column) for column in zip(*nodes, strict=True)] if nodes else [[]] * 9
    whole = dict(zip(("owner", "parent", "token"), columns[:3], strict=True))
    real = dict(zip(("base", "h", "unvisited", "p"), columns[3:7], strict=True))
    counts = dict(zip(("stamp", "row"), columns[7:], strict=True))
    save_arrays(
        path,
        KIND,
        {"base": base.name, "language": base.compiled.fingerprint, "keys": keys},
        {
            **{name: np.array(values, dtype=np.int64) for name, values in (whole | counts).items()},
            **{name: np.array(values, dtype=np.float64) for name, values in real.items()},
            "row_ids": np.concatenate([np.empty(0, np.int32), *ids]),
            "row_p": np.concatenate([np.empty(0), *rows]),
        },
    )


def load_tries(
    path: str | os.PathLike[str], base: Potential, *, max_nodes: int, max_row_bytes: int
) -> list[tuple[TrieKey, LearnedMass]]:
    """Read what `save_tries` wrote.

    Parameters
    ----------
    path : path
        The file.
    base : Potential
        A potential equal to the one it was learned on.
    max_nodes, max_row_bytes : int
        Memory bounds of each key.

    Raises
    ------
    SerialisationError
        If the file is damaged, or speaks of another base or language.
    """
    whole: Any = np.integer
    columns: dict[str, tuple[type[np.generic], int]] = {
        **dict.fromkeys(("owner", "parent", "token", "stamp", "row", "row_ids"), (whole, 1)),
        **dict.fromkeys(("base", "h", "unvisited", "p", "row_p"), (np.floating, 1)),
    }
    header, found = load_arrays(path, KIND, columns)
    place = str(path)
    require(
        header.get("base") == base.name, place, f"was learned on {header.get('base')!r}, not {base.name!r}"
    )
    same = header.get("language") == base.compiled.fingerprint
    require(same, place, "was learned for another grammar or vocabulary")
    count = len(found["owner"])
    node_columns = set(columns) - {"row_ids", "row_p"}
    fits = all(len(found[name]) == count for name in node_columns)
    fits = fits and len(found["row_ids"]) == len(found["row_p"])
    require(fits, place, "has arrays that do not fit together")
    keys = header.get("keys")
    if not isinstance(keys, list):
        raise SerialisationError(f"{place}, header", "has no list of keys")
    tries = [_empty(f"{place}, key {i}", keys[i], base, max_nodes, max_row_bytes) for i in range(len(keys))]
    _fill(place, base, tries, found)
    return tries


def _empty(
    place: str, stored: Any, base: Potential, max_nodes: int, max_row_bytes: int
) -> tuple[TrieKey, LearnedMass]:
    names = {f.name for f in fields(TrieKey)}
    if not isinstance(stored, dict) or set(stored) != names | {"row_noise", "clock"}:
        raise SerialisationError(place, f"does not have the parts {sorted(names)}, row_noise and clock")
    try:
        parts: dict[str, Any] = {n: tuple(v) if isinstance(v := stored[n], list) else v for n in names}
        key = TrieKey(**parts).checked()
        noise, clock = float(stored["row_noise"]), int(stored["clock"])
    except (TypeError, ValueError) as error:
        raise SerialisationError(place, str(error)) from None
    good = key.base == base.name and key.language == base.compiled.fingerprint and noise >= 0.0
    require(good, place, "speaks of another base or language than the file")
    learned = LearnedMass(
        base,
        key.budget,
        row_noise=noise,
        truncated=key.top_k > 0 or key.top_p < 1.0,
        max_nodes=max_nodes,
        max_row_bytes=max_row_bytes,
    )
    learned.clock = clock
    return key, learned


def _fill(
    place: str,
    base: Potential,
    tries: list[tuple[TrieKey, LearnedMass]],
    found: dict[str, NDArray[Any]],
) -> None:
    nodes: list[TrieNode] = []
    prefix: tuple[int, ...]
    states: list[Any] = []
    prefixes: list[tuple[int, ...]] = []
    row_at = 0
    for i in range(len(found["owner"])):
        here = f"{place}, prefix {i}"
        owner, above, token = (int(found[name][i]) for name in ("owner", "parent", "token"))
        base_h, h, unvisited, p = (float(found[name][i]) for name in ("base", "h", "unvisited", "p"))
        require(0 <= owner < len(tries), here, "belongs to no key")
        key, learned = tries[owner]
        require(0.0 <= h <= base_h and 0.0 <= p <= 1.0, here, "has values out of range")
        if above < 0:
            require(not learned.root.nodes and learned.root.unvisited is None, here, "is a second root")
            node, state, prefix = learned.root, base.compiled.matcher(), ()
        else:
            require(above < i and int(found["owner"][above]) == owner, here, "has no parent before it")
            parent = nodes[above]
            prefix = (*prefixes[above], token)
            require(token not in parent.slots and parent.unvisited is not None, here, "cannot be there")
            state = states[above].fork()
            try:
                state.advance(token)
            except GramspecError as error:
                raise SerialisationError(here, f"is none of this language: {error}") from None
            node = parent.attach(token, p, base_h)
            learned.nodes += 1
        left = key.budget - len(prefix)
        again = exp(base.log_h(state, prefix, left)) if left > 0 else 0.0
        require(abs(again - base_h) <= 1e-9 * base_h, here, f"has base {base_h!r}; the base says {again!r}")
        node.base, node.h, node.stamp = base_h, h, int(found["stamp"][i])
        node.unvisited = None if unvisited < 0.0 else unvisited
        width = int(found["row"][i])
        if width >= 0:
            ids = found["row_ids"][row_at : row_at + width].astype(np.int32)
            row = found["row_p"][row_at : row_at + width].astype(np.float64)
            row_at += width
            inside = len(ids) == width and (ids >= 0).all() and (row >= 0.0).all() and row.sum() <= 1.0 + 1e-9
            require(bool(inside), here, "has a row that is no law")
            learned.keep_row(node, ids, row)
        nodes.append(node)
        states.append(state)
        prefixes.append(prefix)
    for node in reversed(nodes):
        if node.parent is not None:
            node.parent.child_h[node.parent.slots[node.token]] = node.h
    for i, node in enumerate(nodes):
        if node.unvisited is not None:
            noise = tries[int(found["owner"][i])][1].row_noise
            good = node.h <= node.mass() * (1.0 + noise) * (1.0 + 1e-9)
            require(good, f"{place}, prefix {i}", "has more mass than its children show")
