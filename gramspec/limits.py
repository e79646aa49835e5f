"""Limits: explicit bounds on what one grammar may cost.

Law: fuel (states, configurations, steps) is counted first, seconds are a backstop; each limit
raises a class of its own, derived from `LimitError`, with its field name. One request never uses up what
another may use: steps and seconds are counted for each compile and each call, and a full engine is replaced.
Source: design rule "no input may hang, crash or exhaust the process".
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for compiling and matching.

    Parameters
    ----------
    max_states : int
        Expressions (automaton states) one engine may hold.
    max_configurations : int
        Configurations (sets of top state and stack set) one engine may hold.
    max_stack_depth : int
        Frames on one stack.
    max_row_bytes : int
        Bytes of token rows one engine may hold before it is rebuilt.
    max_cache_bytes : int
        Bytes of complete masks that one engine remembers; beyond, the oldest are forgotten, and made
        again when they are asked for. 0: none are remembered.
    mask_steps : int
        Byte steps that one mask may take.
    search_steps : int
        Steps of one exact search for the fewest tokens to an ending.
    max_nodes : int
        Nodes of a grammar expression, counted with sharing.
    compile_seconds : float
        Wall-clock backstop of one compile.
    mask_seconds : float
        Wall-clock backstop of one call of a matcher.
    """

    max_states: int = 2_000_000
    max_configurations: int = 400_000
    max_stack_depth: int = 20_000
    max_row_bytes: int = 1 << 30
    max_cache_bytes: int = 1 << 26
    mask_steps: int = 20_000_000
    search_steps: int = 20_000_000
    max_nodes: int = 2_000_000
    compile_seconds: float = 60.0
    mask_seconds: float = 30.0
