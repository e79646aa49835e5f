"""`Counters`: what a model was asked to compute.

Law: counts only grow; forwards are counted per sequence, so a batch of B sequences is B forwards.
Source: API, section 4 (`report.target_forwards`, `target_rows`, `draft_forwards`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Work done by one model since it was made.

    Attributes
    ----------
    forwards : int
        Passes through the network, counted per sequence. A branching tree that the architecture
        cannot score in one pass counts one per pass that was really made.
    rows : int
        Rows of logits handed to callers.
    positions : int
        Token positions the passes computed.
    """

    forwards: int = 0
    rows: int = 0
    positions: int = 0

    def add(self, *, forwards: int = 0, rows: int = 0, positions: int = 0) -> None:
        """Add to the counts."""
        self.forwards += forwards
        self.rows += rows
        self.positions += positions

    def copy(self) -> Counters:
        """Return the counts as they are now, to subtract later."""
        return Counters(self.forwards, self.rows, self.positions)

    def since(self, earlier: Counters) -> Counters:
        """Return what was added after `earlier` was copied."""
        return Counters(
            self.forwards - earlier.forwards,
            self.rows - earlier.rows,
            self.positions - earlier.positions,
        )
