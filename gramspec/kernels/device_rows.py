"""`DeviceRows`: rows of masks (or of effects) that stay on the device and are gathered there by index.

Law: an index points at the row that was filled for its key; it holds until the next call.
Cost: a known row costs its index (4 bytes to the device per call and row); a new one is filled, and all new
ones of a call travel in one copy. Memory: at most `max_bytes` on the device, and a key per row on the host.
Source: architecture, "Token rows" (rows are keyed by what they looked at and shared).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gramspec.errors import KernelError, LimitError
from gramspec.kernels.arrays import TABLES

if TYPE_CHECKING:
    import torch

    from gramspec.matching.matcher import Matcher

_FIRST = 64  # rows that a table begins with; it doubles up to its bound


class Gathered(NamedTuple):
    """Where the rows of a call are.

    Attributes
    ----------
    table : torch.Tensor, [N, width]
        What `apply_bitmask`, `row_statistics` and `sample_rows` take as `bitmask`, or `Tilt` as `effects`.
    rows : torch.Tensor, int32, [number of keys]
        Row of the table for each key; -1 for None.
    """

    table: torch.Tensor
    rows: torch.Tensor


class DeviceRows:
    """A table on a device, filled by key; when it is full, the rows unused for longest make room.

    Parameters
    ----------
    width : int
        Entries of a row: ceil(V / 32) for packed masks, V for effects.
    device : str or torch.device
        Where the table lives.
    dtype : {"int32", "int16", "uint8"}
        int32 for packed masks; any of them for effects.
    max_bytes : int
        Largest size of the table. (While a table grows, the one before it is alive too.)

    Attributes
    ----------
    hits, misses, evictions : int
        Rows found, filled, and dropped for others since the table was made.

    Raises
    ------
    KernelError
        If `width` or `dtype` is none.
    LimitError
        If `max_bytes` holds no row.

    Notes
    -----
    Calls from several threads wait for each other. Rows are overwritten in the order of the stream that is
    current at the call, so use what a call returns on that stream and before the next call: one table per
    stream.
    """

    def __init__(
        self, width: int, *, device: str | torch.device, dtype: str = "int32", max_bytes: int = 1 << 28
    ) -> None:
        import torch

        if dtype not in TABLES:
            raise KernelError("dtype", f"{dtype!r}", f"one of {', '.join(TABLES)} is needed")
        if width < 1:
            raise KernelError("width", f"{width}", "a positive number of entries is needed")
        self._host_type = np.dtype(dtype)
        self._row_bytes = width * self._host_type.itemsize
        self._capacity = max_bytes // self._row_bytes
        if self._capacity < 1:
            raise LimitError("max_bytes", f"{max_bytes} bytes hold no row of {self._row_bytes}")
        size = min(self._capacity, _FIRST)
        self._table = torch.zeros((size, width), dtype=getattr(torch, dtype), device=device)
        self._used = 0  # rows of the table that have ever been written
        self._slots: OrderedDict[Hashable, int] = OrderedDict()
        self._lock = threading.Lock()
        self.hits = self.misses = self.evictions = 0

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def bytes_used(self) -> int:
        """Bytes that the table takes on the device."""
        return int(self._table.shape[0]) * self._row_bytes

    def gather(self, keys: Sequence[Hashable | None], fill: Callable[[int, NDArray[Any]], None]) -> Gathered:
        """Find the row of each key; rows not known are filled and brought to the device.

        Parameters
        ----------
        keys : sequence of hashable or None
            Equal keys have equal rows; None stands for no row and gives -1.
        fill : callable
            ``fill(i, row)`` writes the row of ``keys[i]`` into a NumPy array, in full. It is asked once per
            new key.

        Returns
        -------
        Gathered

        Raises
        ------
        LimitError
            If the distinct keys of this call need more than `max_bytes`; nothing has changed then.
        """
        import torch

        with self._lock:
            first: dict[Hashable, int] = {}
            for i, key in enumerate(keys):
                if key is not None:
                    first.setdefault(key, i)
            if len(first) > self._capacity:
                raise LimitError("max_bytes", f"{len(first)} rows are needed at once, {self._capacity} fit")
            new = [key for key in first if key not in self._slots]
            staged = np.empty((len(new), int(self._table.shape[1])), dtype=self._host_type)
            for key, row in zip(new, staged, strict=True):
                fill(first[key], row)  # may raise: nothing has changed yet
            for key in first:
                if key in self._slots:
                    self._slots.move_to_end(key)
            if new:
                self._grow(len(self._slots) + len(new))
                slots = [self._slot() for _ in new]
                self._table.index_copy_(
                    0, self._sent(torch.tensor(slots)), self._sent(torch.from_numpy(staged))
                )
                self._slots.update(zip(new, slots, strict=True))
            self.misses += len(new)
            self.hits += len(first) - len(new)
            places = [-1 if key is None else self._slots[key] for key in keys]
            return Gathered(self._table, self._sent(torch.tensor(places, dtype=torch.int32)))

    def masks(self, matchers: Sequence[Matcher | None]) -> Gathered:
        """Find the mask of each matcher; masks that the table does not hold yet are filled and brought there.

        Parameters
        ----------
        matchers : sequence of Matcher or None
            All on one vocabulary, with ``width`` words per mask; None leaves its row unconstrained.

        Returns
        -------
        Gathered

        Raises
        ------
        LimitError
            If the distinct masks of this call need more than `max_bytes`; nothing has changed then.
        """

        def fill(i: int, row: NDArray[Any]) -> None:
            matcher = matchers[i]
            assert matcher is not None  # its key would be None
            matcher.fill_bitmask(row[None])

        return self.gather([None if m is None else m.mask_key for m in matchers], fill)

    def _grow(self, needed: int) -> None:
        size = int(self._table.shape[0])
        if needed > size and size < self._capacity:
            table = self._table.new_zeros((min(self._capacity, max(needed, 2 * size)), self._table.shape[1]))
            table[:size] = self._table
            self._table = table

    def _slot(self) -> int:
        """A free row of the table; the keys of the call under way are the last to be evicted."""
        if self._used < self._table.shape[0]:
            self._used += 1
            return self._used - 1
        self.evictions += 1
        return self._slots.popitem(last=False)[1]

    def _sent(self, values: torch.Tensor) -> torch.Tensor:
        device = self._table.device
        return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values
