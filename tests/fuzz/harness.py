"""A fuzz harness: what it feeds, where its inputs begin, how they change, and what must hold of each.

Law: `run` returns for every input that is read or refused as documented, and raises for anything else;
it is a function of the bytes alone, so that a file is all that is needed to see a find again.
Source: libFuzzer's contract of a target (deterministic, no state between inputs).
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from typing import Protocol

import gramspec as gs

# Of one input; what meets them is refused by name. About a hundredth of the defaults, so that an input is
# over in seconds at most and the time-out of the fuzzer means a hang.
LIMITS = gs.Limits(
    max_states=60_000,
    max_configurations=40_000,
    max_stack_depth=2_000,
    max_row_bytes=1 << 27,
    mask_steps=2_000_000,
    search_steps=300_000,
    max_nodes=100_000,
    compile_seconds=10.0,
)


class Finding(AssertionError):
    """Something that must hold did not."""


class Harness(Protocol):
    """One entry of the library as a target of fuzzing."""

    name: str
    what: str
    longest: int
    words: Sequence[bytes]

    def seeds(self) -> Iterator[bytes]:
        """Inputs to begin with, from the cases of the tests."""
        ...

    def mutate(self, data: bytes, choose: random.Random) -> bytes:
        """Another input that keeps most of the structure of `data`."""
        ...

    def run(self, data: bytes) -> None:
        """Read one input; raises only if something is wrong."""
        ...


def check(holds: bool, what: str) -> None:
    """Raise a `Finding` unless something holds."""
    if not holds:
        raise Finding(what)


def dice_of(data: bytes) -> random.Random:
    """Choices that are a function of an input."""
    return random.Random(hashlib.sha256(data).digest())


def text_of(data: bytes) -> str:
    """Bytes as text; lone surrogates pass, what else is no UTF-8 is replaced."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace")


def change_bytes(data: bytes, choose: random.Random, words: Sequence[bytes], longest: int) -> bytes:
    """A few changes that know nothing of the structure: bits, bytes, words, repetitions, cuts."""
    out = bytearray(data)
    for _ in range(1 + choose.randrange(4)):
        at = choose.randrange(len(out) + 1)
        end = min(len(out), at + 1 + choose.randrange(8))
        match choose.randrange(7):
            case 0:
                out[at:at] = choose.choice(words) if words else b"\0"
            case 1:
                out[at:end] = choose.choice(words) if words else b""
            case 2:
                del out[at:end]
            case 3:
                out[at:at] = out[at:end] * (1 + choose.randrange(4))
            case 4 if at < len(out):
                out[at] ^= 1 << choose.randrange(8)
            case 5 if at < len(out):
                out[at] = choose.randrange(256)
            case _:
                other = choose.randrange(len(out) + 1)
                out[at:at] = out[other : other + choose.randrange(32)]
    return bytes(out[:longest])
