"""What kernels take: NumPy arrays or torch tensors, their checks, and the choice of a back-end.

Law: an argument is used as it is or refused by name; no back-end is replaced by another.
Cost: checks look at shapes only; nothing waits for a device.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gramspec.errors import KernelError

Backend = Literal["auto", "reference", "triton"]
Tensor: TypeAlias = Any  # numpy.ndarray or torch.Tensor: torch is imported by whoever passes one
FLOATS = ("float64", "float32", "float16", "bfloat16")
TABLES = ("uint8", "int16", "int32")


class Grid(NamedTuple):
    """Rows of a [B, V] or [B, nodes, V] tensor, in place: row r is [r // nodes, r % nodes].

    Attributes
    ----------
    rows, nodes, width : int
        Number of rows, rows per batch entry, entries per row.
    stride, node_stride : int
        Elements from one batch entry, and from one node, to the next.
    """

    rows: int
    nodes: int
    width: int
    stride: int
    node_stride: int


def is_tensor(value: object) -> bool:
    """Whether `value` is a torch tensor; torch is not imported to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def dtype_name(value: Tensor) -> str:
    """Name of the element type, the same for both libraries."""
    return str(value.dtype).removeprefix("torch.")


def device_of(value: Tensor) -> str:
    """Name of the device ("cpu", "cuda:0"); NumPy arrays are on the CPU."""
    return str(value.device) if is_tensor(value) else "cpu"


def choose_backend(logits: Tensor, backend: Backend, place: str = "logits") -> Literal["reference", "triton"]:
    """The back-end for a tensor.

    Parameters
    ----------
    logits : ndarray or torch.Tensor
    backend : {"auto", "reference", "triton"}
        "auto": Triton for tensors on a CUDA device, the reference on the CPU. "reference" takes any tensor,
        through host memory. "triton" takes tensors on the CPU too where Triton's interpreter is switched on.
    place : str
        Name of the argument, for the error.

    Raises
    ------
    KernelError
        If the back-end is unknown, not installed, or cannot take the tensor.
    """
    if backend not in ("auto", "reference", "triton"):
        raise KernelError("backend", f"{backend!r} is unknown", "use 'auto', 'reference' or 'triton'")
    if not is_tensor(logits) and not isinstance(logits, np.ndarray):
        raise KernelError(place, f"an array or a torch tensor is needed, not {type(logits).__name__}")
    device = device_of(logits).partition(":")[0]
    if backend == "reference" or (backend == "auto" and device == "cpu"):
        return "reference"
    if not is_tensor(logits):
        raise KernelError(place, "Triton takes torch tensors", "use backend='reference' for NumPy arrays")
    if device not in ("cpu", "cuda"):
        raise KernelError(place, f"no kernels for device {device!r}", "move the tensor to the CPU")
    if importlib.util.find_spec("triton") is None:
        raise KernelError(
            place,
            f"tensors on {device_of(logits)} need Triton, which is not installed",
            "pip install 'gramspec[gpu]', or pass backend='reference' (copies through host memory)",
        )
    if device == "cpu":
        from gramspec.kernels.triton_common import INTERPRETED

        if not INTERPRETED:
            raise KernelError(
                place,
                "Triton takes tensors on the CPU in its interpreter only",
                "set TRITON_INTERPRET=1 before Triton is imported, or use backend='reference'",
            )
    return "triton"


def grid_of(tensor: Tensor, place: str = "logits") -> Grid:
    """Rows of a [B, V] or [B, nodes, V] tensor.

    Raises
    ------
    KernelError
        If it has another shape or element type, or its rows are not contiguous.
    """
    require_type(tensor, FLOATS, place)
    shape = tuple(tensor.shape)
    if len(shape) not in (2, 3):
        raise KernelError(place, f"shape {shape}", "[B, V] or [B, nodes, V] is needed")
    if shape[-1] == 0:
        raise KernelError(place, "rows without entries")
    stride = strides(tensor)
    if stride[-1] != 1 and shape[-1] > 1:
        raise KernelError(place, "entries of a row are not next to each other", "call .contiguous() before")
    if len(shape) == 2:
        return Grid(shape[0], 1, shape[1], stride[0], 0)
    return Grid(shape[0] * shape[1], shape[1], shape[2], stride[0], stride[1])


def strides(tensor: Tensor) -> tuple[int, ...]:
    """Strides in elements."""
    if is_tensor(tensor):
        return tuple(int(s) for s in tensor.stride())
    return tuple(s // tensor.itemsize for s in tensor.strides)


def require_type(tensor: Tensor, names: tuple[str, ...], place: str) -> None:
    """Refuse what is no array, or has another element type.

    Raises
    ------
    KernelError
        Naming the argument.
    """
    if not is_tensor(tensor) and not isinstance(tensor, np.ndarray):
        raise KernelError(place, f"an array or a torch tensor is needed, not {type(tensor).__name__}")
    if dtype_name(tensor) not in names:
        raise KernelError(place, f"dtype {dtype_name(tensor)}", f"one of {', '.join(names)} is needed")


def require_beside(tensor: Tensor, logits: Tensor, place: str) -> None:
    """Refuse a tensor of another library or device than the logits.

    Raises
    ------
    KernelError
        Naming the argument.
    """
    if is_tensor(tensor) != is_tensor(logits):
        raise KernelError(place, "NumPy arrays and torch tensors are mixed", "pass one kind")
    if device_of(tensor) != device_of(logits):
        raise KernelError(place, f"on {device_of(tensor)}, the logits are on {device_of(logits)}")


def require_shape(tensor: Tensor, shape: tuple[int, ...], place: str) -> None:
    """Refuse another shape.

    Raises
    ------
    KernelError
        Naming the argument.
    """
    if tuple(tensor.shape) != shape:
        raise KernelError(place, f"shape {tuple(tensor.shape)}", f"{shape} is needed")


def table_rows(table: Tensor, rows: Tensor | None, logits: Tensor, place: str) -> Tensor | None:
    """Check a table [N, X] and the index of the row that each row of logits takes from it.

    Returns
    -------
    ndarray, torch.Tensor or None
        Flat int32 indices; None: row r takes entry r.

    Raises
    ------
    KernelError
        If the table has not one row per row of logits and no indices are given, or either does not fit.
    """
    lead = tuple(logits.shape[:-1])
    require_beside(table, logits, place)
    if rows is None:
        if tuple(table.shape[:-1]) != lead:
            raise KernelError(
                place,
                f"shape {tuple(table.shape)} for logits {tuple(logits.shape)}",
                "pass the indices in `rows`",
            )
    elif len(table.shape) != 2:
        raise KernelError(place, f"shape {tuple(table.shape)}", "with `rows` a table [N, ...] is needed")
    if strides(table)[-1] != 1 and table.shape[-1] > 1:
        raise KernelError(place, "entries of a row are not next to each other", "call .contiguous() before")
    if rows is None:
        return None
    require_type(rows, ("int32",), f"{place} rows")
    require_beside(rows, logits, f"{place} rows")
    require_shape(rows, lead, f"{place} rows")
    return rows.reshape(-1)


def flat_table(table: Tensor) -> Tensor:
    """A table as [N, X] with contiguous rows one after another."""
    flat = table.reshape(-1, table.shape[-1])
    return flat.contiguous() if is_tensor(flat) else np.ascontiguousarray(flat)


def host(value: Tensor) -> NDArray[Any]:
    """The values as a NumPy array; 16-bit floats become float32 exactly."""
    if not is_tensor(value):
        array: NDArray[Any] = value
        return array
    value = value.detach().cpu()
    if dtype_name(value) == "bfloat16":
        value = value.float()
    converted: NDArray[Any] = value.numpy()
    return converted


def like(value: NDArray[Any], example: Tensor) -> Tensor:
    """A NumPy result in the library and on the device of an argument."""
    if not is_tensor(example):
        return value
    torch = sys.modules["torch"]
    return torch.from_numpy(np.ascontiguousarray(value)).to(example.device)


def row_views(tensor: Tensor) -> Iterator[Tensor]:
    """Each row of a [B, V] or [B, nodes, V] tensor, sharing its memory."""
    for entry in tensor:
        if len(entry.shape) == 1:
            yield entry
        else:
            yield from entry


def unpack(words: NDArray[np.int32], width: int) -> NDArray[np.bool_]:
    """Bits of one packed row as booleans; entries beyond its words are False."""
    bits = np.unpackbits(
        np.ascontiguousarray(words).view(np.uint8), bitorder="little", count=min(width, 32 * len(words))
    )
    return np.pad(bits, (0, width - len(bits))).view(np.bool_)
