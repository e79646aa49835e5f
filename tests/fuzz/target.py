"""One fuzz harness under atheris (libFuzzer): the process that `tests.fuzz.drive` starts.

Law: an exception, a signal, an input over its time or memory ends the process with the input in a file.
Source: atheris 3; libFuzzer's options. Where the native core is built with `GRAMSPEC_COVERAGE`, its blocks
are counted beside the branches of the Python code.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import random
import sys
from pathlib import Path
from typing import Any

import atheris

ROOMS = ("grammar", "automaton", "vocabulary", "matching")
"""Parts of the library whose code is counted."""


def count_native_blocks() -> bool:
    """Hand the counters of the native core, if it has any, to the fuzzer."""
    from gramspec import _native

    core = ctypes.CDLL(str(_native.__file__))
    if not hasattr(core, "gramspec_coverage_size"):
        return False
    size = int(core.gramspec_coverage_size())
    counters = ctypes.addressof((ctypes.c_uint8 * size).in_dll(core, "gramspec_coverage_counters"))
    places = (ctypes.c_size_t * (2 * size)).in_dll(core, "gramspec_coverage_places")
    # Counters have no address of their own; the fuzzer wants one that is unlike all others.
    for index in range(size):
        places[2 * index] = counters + index
    fuzzer = ctypes.CDLL(str(importlib.import_module("atheris.core_with_libfuzzer").__file__))
    for name, start, length in (
        ("__sanitizer_cov_8bit_counters_init", counters, size),
        ("__sanitizer_cov_pcs_init", ctypes.addressof(places), ctypes.sizeof(places)),
    ):
        getattr(fuzzer, name)(ctypes.c_void_p(start), ctypes.c_void_p(start + length))
    return True


def main() -> None:
    """Fuzz the harness named first, with libFuzzer's options after it."""
    name = sys.argv.pop(1)
    # The oracles are not what is looked into, and slow enough as they are.
    testing = Path(importlib.util.find_spec("gramspec").origin).parent / "testing"  # type: ignore[union-attr,arg-type]
    oracles = [f"gramspec.testing.{path.stem}" for path in testing.glob("*.py")]
    with atheris.instrument_imports(include=["gramspec"], exclude=oracles, enable_loader_override=False):
        import gramspec

        # Public names are imported on first use, which would be too late for the fuzzer to see them.
        package = Path(gramspec.__file__).parent
        for room in ROOMS:
            for path in sorted((package / room).rglob("*.py")):
                parts = path.relative_to(package.parent).with_suffix("").parts
                importlib.import_module(".".join(part for part in parts if part != "__init__"))
        from tests.fuzz.harnesses import HARNESSES
    harness: Any = HARNESSES[name]

    def changed(data: bytes, longest: int, seed: int) -> bytes:
        choose = random.Random(seed)
        if choose.random() < 0.4:
            mutated: bytes = atheris.Mutate(data, longest)
            return mutated
        return bytes(harness.mutate(data, choose)[:longest])

    begun = False

    def run(data: bytes) -> None:
        nonlocal begun
        if not begun:
            # Not before: the fuzzer looks for the mutator when it is loaded, and `Fuzz` loads both.
            begun = True
            counted = "counted" if count_native_blocks() else "not counted"
            print(f"native blocks are {counted}", file=sys.stderr, flush=True)
        harness.run(data)

    atheris.Setup(sys.argv, run, custom_mutator=changed)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
