"""`DecodingOptions`: how a decoder works, never what law it samples.

Law: no option here changes the law of a completion; budgets are consulted between attempts only.
Source: laws, "What may be claimed".
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from gramspec.errors import OptionError


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """Options of the decoding loop.

    Parameters
    ----------
    gamma : int
        Tokens drafted per round at most (only used with a draft model).
    max_attempts : int
        Attempts per sample.
    max_seconds : float or None
        Seconds per sample after which no further attempt begins.
    max_target_forwards : int or None
        Target forwards per sample after which no further attempt begins.
    trie_nodes : int
        Prefixes whose learned mass is remembered.
    memo_bytes : int
        Bytes of rows remembered per model during one call; 0 remembers none.

    Raises
    ------
    OptionError
        When an option is out of range.
    """

    gamma: int = 4
    max_attempts: int = 10_000
    max_seconds: float | None = None
    max_target_forwards: int | None = None
    trie_nodes: int = 100_000
    memo_bytes: int = 1 << 28

    def __post_init__(self) -> None:
        for name, least in (("gamma", 0), ("max_attempts", 1), ("trie_nodes", 1), ("memo_bytes", 0)):
            check_whole(name, getattr(self, name), least)
        if self.max_target_forwards is not None:
            check_whole("max_target_forwards", self.max_target_forwards, 1)
        if self.max_seconds is not None and not 0 < self.max_seconds < inf:
            raise OptionError(f"max_seconds={self.max_seconds!r}: a positive number, or None, is needed")


def check_whole(name: str, value: object, least: int) -> None:
    """Refuse a value that is not a whole number of at least `least`.

    Raises
    ------
    OptionError
        Naming the option.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise OptionError(f"{name}={value!r}: a whole number of at least {least} is needed")
