"""`Report`: what a completion cost, what its label is, and the certificate of that label.

Law: `guarantee` is relative to `law`; every figure is of one sample, all of its attempts included.
Source: API, section 4; laws, "What may be claimed".
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import exp
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Report:
    """What one sample cost and what may be claimed of it.

    Attributes
    ----------
    guarantee : {"exact", "consistent", "biased"}
        Relative to `law`.
    law : {"conditional", "masked", "masked|R", "greedy"}
        The law that was asked for. "masked|R": the masked law of a grammar with residual predicates,
        given that no dead end is met. "greedy": the most probable viable token at every step, one text.
    sampler : str
        How it was sampled.
    target_forwards, target_rows, draft_forwards : int
        Forward passes counted per sequence, and target rows used.
    attempts : int
        Attempts begun, the accepted one included.
    rounds, drafted, accepted : int
        Rounds, tokens drafted and drafted tokens kept, over all attempts.
    accepted_length : float
        Drafted tokens kept per round.
    ess : float
        Effective number of draws: 1.0 for one exact draw; "smc": of the particles at the end of the run;
        "twisted": of all draws on this prompt so far, taken with their weights.
    log_weight : float
        "twisted" and "smc": log w with E[w·f(y)] = Σ p(y)·1[y ∈ L]·f(y) for every f ("smc": the run's
        estimate of Φ(ε)). "restart" and "mcmc": 0. Masked law: log ∏ Z, the weight that would correct it.
    log_phi_root : float or None
        Estimate of log Φ(ε) from all attempts on this prompt so far ("restart": successes over Σ 1/h(ε),
        never above the bound; otherwise the mean weight); None where no attempt has succeeded or the law
        needs no Φ.
    log_phi_bound : float or None
        Certified upper bound log h(ε) on log Φ(ε), up to the row noise of the model; None where the
        potential certifies none.
    log_phi_lower, log_phi_upper : float or None
        Stochastic bounds: log Φ(ε) lies between their expectations. The lower one is the run's own
        estimate, the upper one that of a conditional run through an exact draw.
    rho_max : float or None
        Largest ρ met; at most 1 (up to row noise) under contract S.
    proposed, moved : int
        "mcmc": moves proposed, and accepted.
    verifier, drafter : str
        Names of the rule and of who drafted.
    potential : str or None
        Name of the potential.
    seconds : dict of str to float
        Wall-clock time by phase.
    """

    guarantee: Literal["exact", "consistent", "biased"]
    law: Literal["conditional", "masked", "masked|R", "greedy"]
    sampler: str
    target_forwards: int = 0
    target_rows: int = 0
    draft_forwards: int = 0
    attempts: int = 0
    rounds: int = 0
    drafted: int = 0
    accepted: int = 0
    accepted_length: float = 0.0
    ess: float = 1.0
    log_weight: float = 0.0
    log_phi_root: float | None = None
    log_phi_bound: float | None = None
    log_phi_lower: float | None = None
    log_phi_upper: float | None = None
    rho_max: float | None = None
    proposed: int = 0
    moved: int = 0
    verifier: str = "none"
    drafter: str = "none"
    potential: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def rows(self) -> list[tuple[str, str]]:
        """Name and value of every figure, for people."""

        def share(log_phi: float | None) -> str:
            return "-" if log_phi is None else f"{exp(log_phi):.3g} (log {log_phi:.3f})"

        return [
            ("law", f"{self.law}, {self.guarantee} ({self.sampler})"),
            ("attempts", str(self.attempts)),
            ("target forwards", f"{self.target_forwards} ({self.target_rows} rows)"),
            ("draft forwards", str(self.draft_forwards)),
            (
                "drafted tokens kept per round",
                f"{self.accepted_length:.2f} ({self.accepted} of {self.drafted})",
            ),
            ("Phi of the prompt, estimate", share(self.log_phi_root)),
            ("Phi of the prompt, upper bound", share(self.log_phi_bound)),
            *(
                [("stochastic bounds on Phi", f"{share(self.log_phi_lower)}, {share(self.log_phi_upper)}")]
                if self.log_phi_upper is not None
                else []
            ),
            ("largest rho", "-" if self.rho_max is None else f"{self.rho_max:.6g}"),
            ("effective draws, log weight", f"{self.ess:.4g}, {self.log_weight:.3f}"),
            *([("moves accepted", f"{self.moved} of {self.proposed}")] if self.proposed else []),
            ("potential, drafter, verifier", f"{self.potential or '-'}, {self.drafter}, {self.verifier}"),
            ("seconds", ", ".join(f"{k} {v:.3f}" for k, v in self.seconds.items()) or "-"),
        ]

    def __str__(self) -> str:
        rows = self.rows()
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)

    def __rich__(self) -> Any:
        """A table, for rich."""
        from rich.table import Table

        table = Table(show_header=False, box=None, pad_edge=False)
        for name, value in self.rows():
            table.add_row(name, value)
        return table


class Tally:
    """What one sample has cost so far; the only mutable piece behind a `Report`."""

    def __init__(self) -> None:
        self.attempts = 0
        self.rounds = 0
        self.drafted = 0
        self.accepted = 0
        self.seconds: dict[str, float] = {}
        self.begun = time.perf_counter()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time spent inside to one phase."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun

    def elapsed(self) -> float:
        """Seconds since the sample began."""
        return time.perf_counter() - self.begun

    def figures(self) -> dict[str, Any]:
        """Fields of a `Report` that are counted here."""
        return {
            "attempts": self.attempts,
            "rounds": self.rounds,
            "drafted": self.drafted,
            "accepted": self.accepted,
            "accepted_length": self.accepted / self.rounds if self.rounds else 0.0,
            "seconds": {**self.seconds, "total": self.elapsed()},
        }
