"""Proxy weights as files.

Law: what is read gives the weights that were stored; averages by state are kept for the states that read the
same bytes in the same way, as states have other numbers in another process.
Cost: one pass; 2 kB a kind of state. Source: API ("never pickle").
"""

from __future__ import annotations

import os
from itertools import pairwise
from typing import Any

import numpy as np

from gramspec.errors import OptionError, SerialisationError
from gramspec.validity.partition_weights import ByteWeights, StateWeights, Tally, TokenWeights
from gramspec.validity.stored import load_arrays, require, save_arrays

_KIND = "partition weights"
_ARRAYS: dict[str, tuple[type[np.generic], int]] = {
    "weights": (np.floating, 1),
    "lengths": (np.floating, 1),
    "ranges": (np.integer, 2),
    "offsets": (np.integer, 1),
    "bytes": (np.floating, 2),
    "seen": (np.floating, 1),
}
_CLASSES: dict[str, type[ByteWeights]] = {"ByteWeights": ByteWeights, "TokenWeights": TokenWeights}


def save_weights(weights: ByteWeights | StateWeights, path: str | os.PathLike[str]) -> None:
    """Write weights to a file.

    Parameters
    ----------
    weights : ByteWeights, TokenWeights or StateWeights over one of these
    path : path

    Raises
    ------
    OptionError
        If the weights are of another class.
    """
    base = weights.base if isinstance(weights, StateWeights) else weights
    if type(base).__name__ not in _CLASSES or type(base) is not _CLASSES[type(base).__name__]:
        raise OptionError(f"weights of class {type(base).__name__} cannot be stored")
    kinds = weights.kinds if isinstance(weights, StateWeights) else {}
    header: dict[str, Any] = {"class": type(base).__name__, "stop": base.stop, "fluency": base.fluency}
    if isinstance(weights, StateWeights):
        header["states"] = weights.summary
    ranges = [part for kind in kinds for part in kind]
    save_arrays(
        path,
        _KIND,
        header,
        {
            "weights": base.weights,
            "lengths": np.zeros(0) if base.lengths is None else np.asarray(base.lengths, dtype=np.float64),
            "ranges": np.array(ranges, dtype=np.int64).reshape(-1, 2),
            "offsets": np.cumsum([0, *(len(kind) for kind in kinds)], dtype=np.int64),
            "bytes": np.array([tally.bytes for tally in kinds.values()]).reshape(-1, 256),
            "seen": np.array([tally.seen for tally in kinds.values()], dtype=np.float64),
        },
    )


def load_weights(path: str | os.PathLike[str]) -> ByteWeights | StateWeights:
    """Read what `save_weights` wrote.

    Raises
    ------
    SerialisationError
        If the file cannot be read, is damaged, or holds something else.
    """
    header, arrays = load_arrays(path, _KIND, _ARRAYS)
    place = str(path)
    require(header.get("class") in _CLASSES, place, f"names the unknown class {header.get('class')!r}")
    lengths = arrays["lengths"] if len(arrays["lengths"]) else None
    if lengths is not None:
        proper = (lengths >= 0).all() and lengths[0] == 0 and abs(lengths.sum() - 1.0) < 1e-9
        require(bool(proper), place, "the lengths of tokens are no distribution over 1, 2, … bytes")
    try:
        base = _CLASSES[header["class"]](
            arrays["weights"], float(header["stop"]), lengths, float(header["fluency"])
        )
    except (OptionError, KeyError, TypeError, ValueError) as error:
        raise SerialisationError(place, f"the weights are out of range: {error}") from None
    states = header.get("states")
    if states is None:
        return base
    offsets, ranges = arrays["offsets"], arrays["ranges"]
    bytes_, seen = arrays["bytes"], arrays["seen"]
    fits = (
        ranges.shape[1] == 2
        and bytes_.shape == (len(seen), 256)
        and len(offsets) == len(seen) + 1
        and offsets[0] == 0
        and offsets[-1] == len(ranges)
        and (np.diff(offsets) >= 0).all()
    )
    require(bool(fits), place, "the kinds of states do not fit together")
    good = (bytes_ >= 0).all() and (seen >= 0).all() and (bytes_.sum(axis=1) <= seen + 1e-6).all()
    require(bool(good), place, "an average is out of range")
    weights = StateWeights(base)
    kinds = {
        tuple((int(low), int(high)) for low, high in ranges[begin:end]): Tally(
            bytes_[i].copy(), float(seen[i])
        )
        for i, (begin, end) in enumerate(pairwise(offsets.tolist()))
    }
    try:
        weights.restore(states, kinds)
    except (OptionError, KeyError, TypeError, ValueError) as error:
        raise SerialisationError(place, f"the averages are out of range: {error}") from None
    return weights
