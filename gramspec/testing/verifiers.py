"""`VerifierLaws`: a chain verifier emits the law of the target rows, whatever the draft rows, as a mixin.

Law: draft, verify, then continue from K: the first γ + 1 symbols follow ∏ K, to 1e-12, choices enumerated.
Source: laws, "Verification rules". Inherit, set `verify`; `toy_accepted` is checked where it is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gramspec.audit.enumerate import outcome_masses
from gramspec.decoding.random import RandomSource

WIDTH = 3  # tokens 0, 1, 2; 0 is EOS; symbol 3 is †
EOS, DEAD = 0, WIDTH
Rows = Callable[[tuple[int, ...]], NDArray[np.float64]]


def random_kernel(seed: int, *, impossible: float = 0.25, coin: bool = True) -> Rows:
    """Rows over tokens and †, by prefix; some entries are zero."""

    def row(prefix: tuple[int, ...]) -> NDArray[np.float64]:
        rng = np.random.default_rng([seed, len(prefix), *prefix])
        weights = rng.dirichlet(np.full(WIDTH + 1, 0.8))
        weights[rng.random(WIDTH + 1) < impossible] = 0.0
        if not coin:
            weights[DEAD] = 0.0
        if weights.sum() <= 0.0:
            weights[1] = 1.0
        return np.asarray(weights / weights.sum())

    return row


def draft_rows(seed: int, target: Rows, kind: int) -> Rows:
    """Rows over tokens: independent of the target, equal to it up to †, or with other zeros."""

    def row(prefix: tuple[int, ...]) -> NDArray[np.float64]:
        if kind == 1:
            weights = target(prefix)[:WIDTH].copy()
        else:
            weights = random_kernel(seed + 1, impossible=0.25 * kind)(prefix)[:WIDTH]
        if weights.sum() <= 0.0:
            weights = np.array([0.0, 0.5, 0.5])
        return np.asarray(weights / weights.sum())

    return row


class VerifierLaws:
    """Mixin: subclasses set `verify`, a function of (kernels, drafts, drafted, random)."""

    verify: ClassVar[Any]
    toy_accepted: ClassVar[float | None] = None

    def run(self, target: Rows, draft: Rows, gamma: int, random: RandomSource) -> tuple[tuple[int, ...], int]:
        """Draft a chain, verify it; the symbols emitted and how many drafted tokens were kept."""
        drafted: tuple[int, ...] = ()
        kernels, drafts = [target(())], []
        while len(drafted) < gamma:
            q = draft(drafted)
            drafts.append(q)
            drafted = (*drafted, random.choose(q))
            if drafted[-1] == EOS:
                break
            kernels.append(target(drafted))
        verdict = type(self).verify(kernels, drafts, drafted, random)
        emitted = () if verdict.next is None else (int(verdict.next),)
        assert 0 <= verdict.accepted <= len(drafted)
        assert (verdict.next is None) == (verdict.accepted == len(drafted) and drafted[-1:] == (EOS,))
        return drafted[: verdict.accepted] + emitted, verdict.accepted

    def test_emitted_symbols_follow_the_target(self) -> None:
        """On random rows with zeros, γ = 0..3; EOS and † are leaves."""
        for seed in range(24):
            gamma = seed % 4
            target = random_kernel(seed, coin=seed % 3 > 0)
            draft = draft_rows(seed, target, seed % 3)

            def decode(random: RandomSource, rows: Rows = target, q: Rows = draft, g: int = gamma) -> Any:
                symbols = self.run(rows, q, g, random)[0]
                while len(symbols) <= g and symbols[-1] not in (EOS, DEAD):
                    symbols = (*symbols, random.choose(rows(symbols)))
                return symbols

            found, lost = outcome_masses(decode, unresolved_errors=())
            assert lost <= 1e-12
            expected: dict[tuple[int, ...], float] = {}

            def follow(
                prefix: tuple[int, ...],
                mass: float,
                rows: Rows = target,
                g: int = gamma,
                out: dict[tuple[int, ...], float] = expected,
            ) -> None:
                if len(prefix) == g + 1 or prefix[-1:] in ((EOS,), (DEAD,)):
                    out[prefix] = mass
                    return
                for symbol, share in enumerate(rows(prefix).tolist()):
                    if share > 0.0:
                        follow((*prefix, symbol), mass * share)

            follow((), 1.0)
            worst = max(abs(found.get(k, 0.0) - expected.get(k, 0.0)) for k in {*found, *expected})
            assert worst <= 1e-12, (seed, worst)

    def test_equal_rows_are_always_accepted(self) -> None:
        """Where K equals q every drafted token is kept."""
        for seed in range(8):
            target = random_kernel(seed, coin=False)
            draft = draft_rows(seed, target, 1)

            def decode(random: RandomSource, rows: Rows = target, q: Rows = draft) -> tuple[Any, int]:
                return self.run(rows, q, 2, random)

            found, _ = outcome_masses(decode, unresolved_errors=())
            for (symbols, kept), mass in found.items():
                if mass <= 1e-12:  # K and q differ in the last bit
                    continue
                assert kept == 2 or (kept == len(symbols) and symbols[-1] == EOS)

    def test_toy_acceptance(self) -> None:
        """K = (1/3, 2/3), q = (2/3, 1/3), γ = 2: the rule's known mean of drafted tokens kept."""
        known = type(self).toy_accepted
        if known is None:
            return
        k = np.array([0.0, 1 / 3, 2 / 3, 0.0])
        q = np.array([0.0, 2 / 3, 1 / 3])
        found, _ = outcome_masses(
            lambda random: self.run(lambda prefix: k, lambda prefix: q, 2, random)[1], unresolved_errors=()
        )
        assert math.isclose(sum(kept * mass for kept, mass in found.items()), known, rel_tol=1e-12)
