"""Compiles every kernel for a GPU that need not be there, through the launches that production code makes.

`python -m tests.kernels.compile_cases CAPABILITY` prints the names of the kernels as JSON. The interpreter
does not look at types, shapes of branches or powers of two as the compiler does.
"""

from __future__ import annotations

import json
import sys
from unittest import mock

import torch
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from triton.runtime.jit import JITFunction

from gramspec.kernels import (
    Tilt,
    apply_bitmask,
    arrays,
    row_statistics,
    sample_rows,
    tilted_rows,
    triton_common,
    verify_blocks,
    verify_tokens,
)


class OtherMachine:
    """A driver for a device of the given capability that is only compiled for."""

    def __init__(self, capability: int) -> None:
        self.target = GPUTarget("cuda", capability, 32)

    def get_current_target(self):
        return self.target

    def get_current_device(self):
        return 0

    def get_current_stream(self, device=None):
        return 0


def launches(dtype: torch.dtype, width: int, effects: tuple[int, ...]) -> None:
    logits = torch.randn(2, 3, width).to(dtype)
    words = torch.zeros(4, -(-width // 32), dtype=torch.int32)
    rows = torch.zeros(2, 3, dtype=torch.int32)
    apply_bitmask(logits, words, rows=rows, backend="triton")
    apply_bitmask(logits[:, 0], words[:2], backend="triton")
    row_statistics(logits, temperature=0.7, backend="triton")
    for count in effects:
        table = torch.zeros(4, width, dtype=torch.uint8)
        tilt = Tilt(torch.zeros(2, 3, count), table, rows)
        some = torch.ones(2, 3)
        options = {"rows": rows, "tilt": tilt, "temperature": some, "log_h_row": some}
        sample_rows(logits, some, words, **options, backend="triton")
        tilted_rows(logits, words, **options, backend="triton")


def verifications(dtype: torch.dtype, width: int) -> None:
    rows, drafted = torch.rand(2, 4, width).to(dtype), torch.zeros(2, 3, dtype=torch.int64)
    coins = torch.rand(2, 4)
    options = {"restart": coins, "lengths": drafted[:, 0].int(), "closed": drafted[:, 0] == 0}
    for operation in (verify_tokens, verify_blocks):
        operation(rows, rows[:, 1:], drafted, coins, backend="triton")
        operation(rows, rows[:, 1:], drafted, coins, **options, backend="triton")


def main(capability: int) -> None:
    driver.set_active(OtherMachine(capability))
    compiled = []
    run = JITFunction.run

    def compile_only(self, *arguments, grid, warmup, **options):
        kernel = run(self, *arguments, grid=grid, warmup=True, **options)
        assert kernel.asm["cubin"]
        compiled.append(self.__name__)

    # Tensors on the CPU stand for those of the device: nothing is launched.
    with (
        mock.patch.object(JITFunction, "run", compile_only),
        mock.patch.object(triton_common, "INTERPRETED", True),
    ):
        assert arrays.choose_backend(torch.zeros(1), "triton") == "triton"
        launches(torch.bfloat16, 131_072, (3, 40))
        launches(torch.float64, 5003, (2,))
        verifications(torch.float32, 131_072)
    print(json.dumps(compiled))


if __name__ == "__main__":
    main(int(sys.argv[1]))
