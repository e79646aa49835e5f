"""Limits: explicit bounds on what one grammar may cost.

Law: fuel (states, configurations, steps) is counted first, seconds are a backstop; each limit
raises `LimitError` with its own field name.
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
    mask_steps : int
        Byte steps that one mask may take.
    search_steps : int
        Steps of one exact search for the fewest tokens to an ending.
    max_nodes : int
        Nodes of a grammar expression, counted with sharing.
    compile_seconds : float
        Wall-clock backstop of one compile.
    """

    max_states: int = 2_000_000
    max_configurations: int = 400_000
    max_stack_depth: int = 20_000
    max_row_bytes: int = 1 << 30
    mask_steps: int = 20_000_000
    search_steps: int = 20_000_000
    max_nodes: int = 2_000_000
    compile_seconds: float = 60.0
