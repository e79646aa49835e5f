"""Batched tensor operations on rows of logits: one signature each, a NumPy reference and a Triton version.

Law: both versions of an operation compute the same; which one runs is chosen by the device, or by name.
Cost: importing this room imports neither torch nor Triton. Source: architecture, `gramspec/kernels/`.
"""

from gramspec.kernels.device_rows import DeviceRows, Gathered
from gramspec.kernels.masking import apply_bitmask
from gramspec.kernels.rows import TiltedRows, tilted_rows
from gramspec.kernels.sampling import Sampled, sample_rows
from gramspec.kernels.statistics import RowStatistics, row_statistics
from gramspec.kernels.tilted import Tilt
from gramspec.kernels.verification import Verdicts, verify_blocks, verify_tokens

__all__ = [
    "DeviceRows",
    "Gathered",
    "RowStatistics",
    "Sampled",
    "Tilt",
    "TiltedRows",
    "Verdicts",
    "apply_bitmask",
    "row_statistics",
    "sample_rows",
    "tilted_rows",
    "verify_blocks",
    "verify_tokens",
]
