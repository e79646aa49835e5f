"""The `auto` sampler: exact draws by restarts within a budget, weighted draws beyond it.

Law: given everything before it, a draw labelled exact follows P*; the others are draws of one "smc" run each
and say so. No draw is dropped for its label. Cost: `auto_attempts` attempts, then one run.
Source: laws, "What may be claimed".
"""

from __future__ import annotations

from collections.abc import Callable

from gramspec.decoding.kernel import TwistedLaw
from gramspec.decoding.random import RandomSource
from gramspec.decoding.report import Tally
from gramspec.decoding.samplers.base import Draw, Sampler
from gramspec.decoding.samplers.restart import RestartSampler
from gramspec.decoding.samplers.smc import SmcSampler


class AutoSampler(Sampler[TwistedLaw]):
    """Restarts, then weights.

    Parameters
    ----------
    restart : RestartSampler or None
        For exact draws; None where the potential allows none (contract W).
    smc : SmcSampler
        For weighted draws of the same law, with the same meter.
    """

    name = "auto"

    def __init__(self, restart: RestartSampler | None, smc: SmcSampler) -> None:
        super().__init__(smc.law, smc._sequence, smc._prompt_length, None, smc._options, smc._meter)
        self._restart = restart
        self._smc = smc
        self._member: tuple[int, ...] | None = None

    def draw(self, stream: Callable[[int], RandomSource]) -> Draw:
        """Draw one sample; its report says what may be claimed of it.

        Parameters
        ----------
        stream : callable
            The random source of attempt number k of this sample.

        Raises
        ------
        BudgetExhaustedError
            When no attempt was accepted and every particle ended with weight zero.
        UndefinedLawError
            When h(ε) = 0 certifies that p gives the grammar no mass.
        """
        tally = Tally()
        self._meter.reset()
        if self._restart is not None and self._options.auto_attempts > 0:
            self._restart.watch = self.watch
            most = min(self._options.auto_attempts, self._options.max_attempts)
            found = self._restart.attempts(stream, tally, most)
            if found is not None:
                self._member = found.tokens
                return found
            self._restart.check_root(self._restart.root_h(), tally)
        member = self._member if self._options.bounds else None
        return self._smc.one_run(stream(tally.attempts), tally, member)

    def close(self) -> None:
        """Let go of the attempts that are under way."""
        if self._restart is not None:
            self._restart.close()
