"""Fitted numbers as files: named arrays and a JSON header in one ``.npz``, never pickle.

Law: what is read is checked for its format, its kind and the shape and range of every array, or refused.
Cost: one pass over the arrays. Source: API ("never pickle").
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gramspec.errors import SerialisationError

_VERSION = 1
_HEADER = "header"
_MOST_BYTES = 1 << 33  # of all arrays together: a small file must not unpack to any size


def save_arrays(
    path: str | os.PathLike[str], kind: str, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write arrays and a header.

    Parameters
    ----------
    path : path
        The file; its name is kept as it is.
    kind : str
        What is stored; asked for again when it is read.
    header : mapping
        JSON values.
    arrays : mapping of str to ndarray
        Numbers only.
    """
    text = json.dumps({**header, "kind": kind, "version": _VERSION}, sort_keys=True)
    words = np.frombuffer(text.encode("utf-8"), dtype=np.uint8)
    with open(path, "wb") as file:
        np.savez_compressed(file, allow_pickle=False, **{_HEADER: words}, **dict(arrays))


def load_arrays(
    path: str | os.PathLike[str], kind: str, names: Mapping[str, tuple[type[np.generic], int]]
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read what `save_arrays` wrote.

    Parameters
    ----------
    path : path
        The file.
    kind : str
        What it must hold.
    names : mapping of str to (type, int)
        The arrays expected, with their element type and number of dimensions.

    Raises
    ------
    SerialisationError
        If the file cannot be read, holds something else, or has an array that is not as expected.
    """
    place = str(path)
    try:
        with zipfile.ZipFile(Path(path)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > _MOST_BYTES:
            raise SerialisationError(place, f"unpacks to {unpacked} bytes; at most {_MOST_BYTES} are read")
        with np.load(Path(path), allow_pickle=False) as data:
            found = {name: data[name] for name in data.files}
    except SerialisationError:
        raise
    except (
        OSError,
        ValueError,
        EOFError,
        KeyError,
        NotImplementedError,
        zlib.error,
        zipfile.BadZipFile,
    ) as error:
        raise SerialisationError(place, f"cannot be read: {error}") from None
    words = found.pop(_HEADER, None)
    try:
        header = json.loads(bytes(words.tobytes()).decode("utf-8")) if words is not None else None
    except (ValueError, AttributeError) as error:
        raise SerialisationError(f"{place}, header", str(error)) from None
    if not isinstance(header, dict) or header.get("kind") != kind:
        named = header.get("kind") if isinstance(header, dict) else None
        raise SerialisationError(place, f"holds {named!r}, not {kind!r}", "give the file that save() wrote")
    if header.get("version") != _VERSION:
        raise SerialisationError(place, f"has version {header.get('version')!r}; this is {_VERSION}")
    if set(found) != set(names):
        raise SerialisationError(place, f"has the arrays {sorted(found)}, not {sorted(names)}")
    for name, (dtype, dimensions) in names.items():
        array = found[name]
        if not np.issubdtype(array.dtype, dtype) or array.ndim != dimensions:
            raise SerialisationError(
                f"{place}, {name}", f"is {array.dtype} with {array.ndim} dimensions, not {dimensions}"
            )
        if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
            raise SerialisationError(f"{place}, {name}", "has entries that are not finite")
    return header, found


def require(good: bool, place: str, reason: str) -> None:
    """Refuse stored numbers that are out of range.

    Raises
    ------
    SerialisationError
        Unless `good`.
    """
    if not good:
        raise SerialisationError(place, reason)
