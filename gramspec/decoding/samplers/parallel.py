"""Attempts under way at the same time, taken in the order they were launched.

Law: given everything launched before it, an accepted attempt follows P*; one that ends early waits for all
launched before it, so short texts are not preferred. What waits is kept for the next sample, not dropped.
Cost: as many attempts at a time as asked for. Source: laws, "Parallel attempts" and trap 10.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar


class Flight(Protocol):
    """What the order needs to know of an attempt."""

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        ...

    @property
    def died(self) -> bool:
        """Whether it ended in †."""
        ...


F = TypeVar("F", bound=Flight)


class LaunchOrder(Generic[F]):
    """A queue of attempts in launch order.

    Parameters
    ----------
    launch : callable
        Takes the number of a launch within the sample and begins an attempt.
    advance : callable
        Plays one round of each attempt it is given, all of them not over.
    width : int
        Attempts under way at most.
    """

    def __init__(
        self, launch: Callable[[int], F], advance: Callable[[Sequence[F]], None], width: int
    ) -> None:
        self._launch = launch
        self._advance = advance
        self._width = width
        self.waiting: deque[F] = deque()

    def next(
        self, within_budget: Callable[[int], bool], ended: Callable[[F], None] | None = None
    ) -> tuple[F | None, int]:
        """The next accepted attempt in launch order.

        Parameters
        ----------
        within_budget : callable
            Takes the number of attempts that this sample has begun or taken over, at least 1; whether
            another may be launched. Whatever was launched is played to its end.
        ended : callable, optional
            Told of each attempt when its turn comes.

        Returns
        -------
        tuple
            The attempt, or None when the budget ended first; and the attempts whose turn has come.
        """
        taken = launched = 0
        while True:
            while self.waiting and self.waiting[0].over:
                head = self.waiting.popleft()
                taken += 1
                if ended is not None:
                    ended(head)
                if not head.died:
                    return head, taken
            while (
                sum(not a.over for a in self.waiting) < self._width
                and len(self.waiting) < 2 * self._width
                and (taken + len(self.waiting) == 0 or within_budget(taken + len(self.waiting)))
            ):
                self.waiting.append(self._launch(launched))
                launched += 1
            if not self.waiting:
                return None, taken
            under_way = [a for a in self.waiting if not a.over]
            if under_way:
                self._advance(under_way)
