"""Kernels beside a device copy, beside torch, and beside xgrammar's Triton kernel, in one run on one GPU.

Law: all columns of a row work on the same tensors; a fraction is bytes that must move, over time, over the
rate of a copy measured in the same run. Without a GPU it says so and ends well; `--cpu` times the references
instead.
Cost: about a minute. Example: `python -m benchmarks.gpu --batches 1 64 --json gpu.json`
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import torch

from gramspec.kernels import (
    DeviceRows,
    Tilt,
    apply_bitmask,
    row_statistics,
    sample_rows,
    verify_blocks,
    verify_tokens,
)

WIDTH = 131_072
GAMMA = 4
EFFECTS = 8
APART = 1 << 28  # bytes that a round of calls walks through, so that no call finds its tensors in a cache
Call = Callable[[int], object]


@dataclass(frozen=True)
class Line:
    """One line of the table: microseconds a call, and bytes that have to move."""

    operation: str
    by: str
    dtype: str
    batch: int
    microseconds: float
    bytes: int
    fraction: float | None  # of the copy rate


def timed(call: Call, copies: int, device: str) -> float:
    """Microseconds a call, median of seven rounds; on a GPU the calls of a round are one CUDA graph."""
    if device == "cpu":
        call(0)
        spent = []
        for i in range(3):
            begin = time.perf_counter()
            call(i % copies)
            spent.append(time.perf_counter() - begin)
        return 1e6 * statistics.median(spent)
    inner = max(copies, 20)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # compiles, and lets allocators settle before the capture
        for i in range(min(copies, 3)):
            call(i)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for i in range(inner):
            call(i % copies)
    spent = []
    for _ in range(8):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        graph.replay()
        end.record()
        torch.cuda.synchronize()
        spent.append(1e3 * begin.elapsed_time(end) / inner)
    return statistics.median(spent[1:])


def called(call: Call, copies: int) -> float:
    """Microseconds a call from Python, launches included, on a GPU."""
    for i in range(5):
        call(i % copies)
    torch.cuda.synchronize()
    begin = time.perf_counter()
    for i in range(100):
        call(i % copies)
    torch.cuda.synchronize()
    return 1e4 * (time.perf_counter() - begin)


def copy_rate(device: str) -> float:
    """Bytes per second that a copy within the device reads and writes."""
    source = torch.zeros(1 << (22 if device == "cpu" else 30), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * source.numel() / (timed(lambda _: target.copy_(source), 1, device) * 1e-6)


def masks(kind: str, batch: int, device: str) -> torch.Tensor:
    """Packed masks: nearly all allowed (in a string), half, nearly none (after a key)."""
    generator = torch.Generator().manual_seed(0)
    shape = (batch, WIDTH // 32)
    words = torch.randint(-(2**31), 2**31 - 1, shape, generator=generator, dtype=torch.int32)
    if kind == "most":
        words = torch.where(torch.rand(shape, generator=generator) < 0.03, words, -1).to(torch.int32)
    elif kind == "few":
        words = torch.where(torch.rand(shape, generator=generator) < 0.01, words & 1, 0).to(torch.int32)
    return words.to(device)


def operations(batch: int, dtype: torch.dtype, device: str) -> Iterator[tuple[str, str, int, int, Call]]:
    """Name, by whom, bytes that move, tensors to walk through, and the call on the i-th of them."""
    size = batch * WIDTH * dtype.itemsize
    copies = 1 if device == "cpu" else max(1, min(256, APART // size))
    logits = [torch.randn(batch, WIDTH, device=device).to(dtype) for _ in range(copies)]
    words = batch * WIDTH // 8
    other = None
    if device != "cpu" and importlib.util.find_spec("xgrammar") is not None:
        from xgrammar.kernels.apply_token_bitmask_inplace_triton import apply_token_bitmask_inplace_triton

        other = apply_token_bitmask_inplace_triton
    for kind in ("most", "half", "few"):
        mask = masks(kind, batch, device)
        banned = sum(int((mask >> bit & 1 == 0).sum()) for bit in range(32))
        moved = words + banned * dtype.itemsize
        work = [row.clone() for row in logits]
        yield (
            f"mask ({kind} allowed)",
            "gramspec",
            moved,
            copies,
            lambda i, m=mask, w=work: apply_bitmask(w[i], m),
        )
        if other is not None:
            yield (
                f"mask ({kind} allowed)",
                "xgrammar",
                moved,
                copies,
                lambda i, m=mask, w=work: other(w[i], m),
            )
    del work
    mask = masks("half", batch, device)
    bits = torch.arange(32, device=device, dtype=torch.int32)

    def composed(i: int) -> object:
        allowed = ((mask[..., None] >> bits) & 1).bool().view(batch, WIDTH)
        z = torch.logsumexp(logits[i].float(), -1)
        return torch.logsumexp(logits[i].float().masked_fill(~allowed, -torch.inf), -1) - z

    yield "statistics, masked", "gramspec", size + words, copies, lambda i: row_statistics(logits[i], mask)
    yield "statistics, masked", "torch", size + words, copies, composed
    tilt = Tilt(
        -torch.rand(batch, EFFECTS, device=device),
        torch.randint(0, EFFECTS, (batch, WIDTH), device=device, dtype=torch.int32).to(torch.uint8),
    )
    name, moved = f"statistics, {EFFECTS} effects", size + batch * WIDTH
    yield name, "gramspec", moved, copies, lambda i: row_statistics(logits[i], tilt=tilt, temperature=0.8)
    uniforms = torch.rand(batch, device=device)
    yield "draw, masked", "gramspec", size + words, copies, lambda i: sample_rows(logits[i], uniforms, mask)


def verifications(batch: int, device: str) -> Iterator[tuple[str, str, int, int, Call]]:
    """The same for verification of drafts of GAMMA tokens over float32 rows."""
    row = WIDTH * 4
    copies = 1 if device == "cpu" else max(1, min(8, APART // (batch * (2 * GAMMA + 1) * row)))
    sets = []
    for _ in range(copies):
        target = torch.softmax(torch.randn(batch, GAMMA + 1, WIDTH, device=device) * 3, -1)
        draft = torch.softmax(torch.log(target[:, :GAMMA]) + torch.randn(1, device=device) * 0.1, -1)
        drafted = torch.multinomial(draft.view(-1, WIDTH), 1).view(batch, GAMMA)
        sets.append((target, draft, drafted, torch.rand(batch, GAMMA + 1, device=device)))
    for name, operation, rows in (("token", verify_tokens, 2), ("block", verify_blocks, 2 * GAMMA + 1)):
        yield (
            f"{name} verification",
            "gramspec",
            batch * rows * row,
            copies,
            lambda i, f=operation: f(*sets[i]),
        )


def transfers(batch: int, device: str) -> dict[str, float]:
    """Microseconds a call to have masks on the device: copied whole, and gathered from known rows."""
    held = masks("half", batch, "cpu").pin_memory()
    rows = DeviceRows(WIDTH // 32, device=device)
    keys = list(range(batch))
    rows.gather(keys, lambda i, row: row.__setitem__(slice(None), held[i].numpy()))

    def known(_: int) -> object:
        return rows.gather(keys, lambda i, row: None)

    return {
        "copied": called(lambda _: held.to(device, non_blocking=True), 1),
        "gathered": called(known, 1),
    }


def table(lines: list[Line]) -> str:
    """Markdown."""
    head = ["operation", "by", "logits", "batch", "µs", "GB/s", "of copy"]
    rows = [
        [
            line.operation,
            line.by,
            line.dtype,
            str(line.batch),
            f"{line.microseconds:,.1f}",
            f"{line.bytes / line.microseconds / 1e3:,.1f}",
            "" if line.fraction is None else f"{line.fraction:.0%}",
        ]
        for line in lines
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="benchmarks.gpu"
    )
    parser.add_argument("--cpu", action="store_true", help="time the references on the CPU instead")
    parser.add_argument(
        "--batches", type=int, nargs="+", default=None, help="default 1 8 64 256; 1 on the CPU"
    )
    parser.add_argument(
        "--dtypes", nargs="+", default=["bfloat16", "float32"], choices=("bfloat16", "float16", "float32")
    )
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parsed(arguments)
    if not options.cpu and not torch.cuda.is_available():
        print("benchmarks.gpu: no CUDA device here, nothing is measured (--cpu times the references)")
        return 0
    device = "cpu" if options.cpu else "cuda"
    batches = options.batches or ([1] if options.cpu else [1, 8, 64, 256])
    rate = copy_rate(device)
    name = "the CPU (references)" if options.cpu else torch.cuda.get_device_name()
    packages = ("torch", "triton", "xgrammar")
    versions = {p: metadata.version(p) for p in packages if importlib.util.find_spec(p) is not None}
    listed = ", ".join(f"{package} {number}" for package, number in versions.items())
    print(f"{name}; {listed}; {WIDTH:,} ids; copy {rate / 1e9:,.0f} GB/s\n")
    lines: list[Line] = []
    waits: dict[int, dict[str, float]] = {}
    for batch in batches:
        cases = [(dtype, operations(batch, getattr(torch, dtype), device)) for dtype in options.dtypes]
        cases.append(("float32 rows", verifications(min(batch, 64), device)))
        for dtype, given in cases:
            for operation, by, size, copies, call in given:
                spent = timed(call, copies, device)
                shown = min(batch, 64) if "verification" in operation else batch
                fraction = None if options.cpu else size / (spent * 1e-6) / rate
                lines.append(Line(operation, by, dtype, shown, spent, size, fraction))
        if not options.cpu:
            waits[batch] = transfers(batch, device)
    print(table(lines))
    for batch, wait in waits.items():
        print(
            f"\nmasks of {batch} on the device: {wait['copied']:.1f} µs a call when copied,"
            f" {wait['gathered']:.1f} µs when the rows are there (Python included)"
        )
    if options.json is not None:
        figures = {
            "device": name,
            "versions": versions,
            "copy_bytes_per_second": rate,
            "lines": [asdict(line) for line in lines],
            "transfers": waits,
        }
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
