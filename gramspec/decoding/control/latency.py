"""`LatencyModel`: what prefill, drafting, verification and kernel take on this machine, and the best plan.

Law: a plan is chosen from fitted times and past acceptance, before anything of the round is drawn.
Cost: `measure` runs a few dozen forwards. Source: latency model of speculative serving (2605.15051), with
the mask's time beside the models'; expected tokens of a chain: Leviathan et al. (2211.17192).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.drafting.tree import DraftPlan
from gramspec.decoding.kernel import StepLaw
from gramspec.errors import OptionError
from gramspec.models.protocol import LanguageModel

Phase = Literal["prefill", "verify", "draft", "kernel"]
PHASES: tuple[Phase, ...] = ("prefill", "verify", "draft", "kernel")


class Timing(NamedTuple):
    """One measurement.

    Attributes
    ----------
    phase : {"prefill", "verify", "draft", "kernel"}
        "prefill": the target's first forward over so many prompt tokens. "verify", "draft": a forward of
        target or draft after a cached prefix, over so many rows. "kernel": mask, h and K of so many rows.
    rows : int
        Rows (prompt tokens for "prefill").
    seconds : float
        Time taken.
    """

    phase: Phase
    rows: int
    seconds: float


@dataclass(frozen=True)
class LatencyModel:
    """Seconds of each phase as a constant and a slope per row.

    Parameters
    ----------
    constants, slopes : mapping of str to float
        By phase; not negative.
    """

    constants: Mapping[str, float]
    slopes: Mapping[str, float]

    @classmethod
    def fit(cls, timings: Iterable[Timing]) -> LatencyModel:
        """Non-negative least squares, phase by phase.

        Parameters
        ----------
        timings : iterable of Timing
            For each phase measured, at two or more numbers of rows; phases without timings cost nothing.

        Raises
        ------
        OptionError
            When there is nothing to fit, or a phase was measured at one number of rows only.
        """
        groups: dict[str, list[Timing]] = {}
        for timing in timings:
            if timing.phase not in PHASES or not timing.seconds >= 0.0 or timing.rows < 0:
                raise OptionError(f"{timing!r} is no timing; phases are {', '.join(PHASES)}")
            groups.setdefault(timing.phase, []).append(timing)
        if not groups:
            raise OptionError("LatencyModel.fit: no timings")
        constants: dict[str, float] = dict.fromkeys(PHASES, 0.0)
        slopes: dict[str, float] = dict.fromkeys(PHASES, 0.0)
        for phase, group in groups.items():
            x = np.array([float(t.rows) for t in group])
            if len(set(x.tolist())) < 2:
                raise OptionError(f"LatencyModel.fit: phase {phase!r} needs two or more numbers of rows")
            constants[phase], slopes[phase] = _line(x, np.array([t.seconds for t in group]))
        return cls(constants, slopes)

    def seconds(self, phase: Phase, rows: int) -> float:
        """Predicted time of one call.

        Parameters
        ----------
        phase : str
            The phase.
        rows : int
            Its rows.
        """
        return self.constants[phase] + self.slopes[phase] * rows

    def r_squared(self, timings: Sequence[Timing]) -> float:
        """Share of the variance of measured times that the model explains."""
        y = np.array([t.seconds for t in timings])
        left = y - np.array([self.seconds(t.phase, t.rows) for t in timings])
        total = float(((y - y.mean()) ** 2).sum())
        return 1.0 - float((left**2).sum()) / total if total > 0.0 else 1.0

    def round_seconds(self, plan: DraftPlan, *, drafts: bool = True) -> float:
        """Predicted time of one round whose plan is used up.

        Parameters
        ----------
        plan : DraftPlan
            The plan; the draft is asked once per level.
        drafts : bool
            Whether a draft model drafts; False for drafts that cost nothing.
        """
        rows = plan.most if plan.length > 0 else 0
        drafting = 0.0
        if drafts and rows:
            drafting = plan.length * self.constants["draft"] + self.slopes["draft"] * rows
        return drafting + self.seconds("verify", rows + 1) + self.seconds("kernel", rows + 1)

    def cost(self, plan: DraftPlan, result: Any) -> float:
        """Predicted time of a round, a function of counts: what `Bandit` takes for reproducible choices.

        Parameters
        ----------
        plan : DraftPlan
            Its plan.
        result : RoundResult
            What was drafted.
        """
        used = plan._replace(length=min(plan.length, result.drafted), nodes=result.drafted)
        return self.round_seconds(used)

    def best(
        self,
        plans: Sequence[DraftPlan],
        acceptance: float | Callable[[int], float],
        *,
        drafts: bool = True,
    ) -> DraftPlan:
        """The plan with the most expected tokens per second.

        Parameters
        ----------
        plans : sequence of DraftPlan
            Choices; the first of equals wins.
        acceptance : float or callable
            Probability that a level is accepted, or a function from the number of candidates to it. A
            number α stands for 1 − (1 − α)^width.
        drafts : bool
            Whether a draft model drafts.

        Raises
        ------
        OptionError
            Without plans.
        """
        if not plans:
            raise OptionError("best: no plans to choose from")
        return max(plans, key=lambda p: expected_tokens(p, acceptance) / self.round_seconds(p, drafts=drafts))

    def under_load(self, plan: DraftPlan, tokens: float, acceptance: float, rate: float) -> float:
        """Mean latency of one request when requests come at a given rate.

        With constants C1 and a share C2 per concurrent request, L = C1 + B·C2 and B = rate·L give
        L = C1/(1 − rate·C2).

        Parameters
        ----------
        plan : DraftPlan
            How each round drafts.
        tokens : float
            Tokens of a request.
        acceptance : float
            Probability that a level is accepted.
        rate : float
            Requests per second.

        Raises
        ------
        OptionError
            When the machine cannot keep up: rate·C2 is one or more.
        """
        rounds = tokens / expected_tokens(plan, acceptance)
        rows = (plan.most if plan.length > 0 else 0) + 1
        fixed = self.constants["prefill"] + rounds * (
            self.constants["verify"] + self.constants["kernel"] + plan.length * self.constants["draft"]
        )
        share = rounds * rows * (self.slopes["verify"] + self.slopes["kernel"])
        share += rounds * (rows - 1) * self.slopes["draft"]
        if rate * share >= 1.0:
            raise OptionError(
                f"rate={rate!r}: {rate * share:.3g} seconds of work arrive per second; no latency is finite"
            )
        return fixed / (1.0 - rate * share) if rate > 0.0 else fixed + share

    def save(self, path: str | Path) -> None:
        """Write the coefficients as JSON."""
        Path(path).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> LatencyModel:
        """Read what `save` has written.

        Raises
        ------
        OptionError
            When the file holds something else.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
            parts: list[dict[str, float]] = [
                {p: float(data[key][p]) for p in PHASES} for key in ("constants", "slopes")
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise OptionError(f"{path}: no latency model ({error!r})") from error
        return cls(parts[0], parts[1])


def expected_tokens(plan: DraftPlan, acceptance: float | Callable[[int], float]) -> float:
    """Expected tokens of one round: Σ of acceptance^i over the levels, the last symbol included.

    Parameters
    ----------
    plan : DraftPlan
        A chain, or a tree with the same number of candidates everywhere; a bound on nodes cuts its depth.
    acceptance : float or callable
        As for `LatencyModel.best`.
    """
    width = max(1, plan.width)
    level = acceptance(width) if callable(acceptance) else 1.0 - (1.0 - acceptance) ** width
    if not 0.0 <= level <= 1.0:
        raise OptionError(f"acceptance {level!r}: a probability is needed")
    depth = min(plan.length, plan.most)
    return float(sum(level**i for i in range(depth + 1)))


def measure(
    target: LanguageModel,
    draft: LanguageModel | None,
    law: StepLaw,
    prompt: Sequence[int],
    *,
    rows: Sequence[int] = (1, 2, 4, 8, 16),
    repeats: int = 3,
    clock: Callable[[], float] = time.perf_counter,
    progress: Callable[[int, int], None] | None = None,
) -> list[Timing]:
    """Time the phases of a round on this machine; the smallest of a few repeats counts.

    Parameters
    ----------
    target, draft : LanguageModel
        Models without a memory of rows.
    law : StepLaw
        Whose kernel is timed, at the root.
    prompt : sequence of int
        A prompt of the usual kind, two tokens or more.
    rows : sequence of int
        Numbers of rows to time.
    repeats : int
        Measurements of each.
    clock : callable
        Seconds.
    progress : callable, optional
        Called as ``progress(done, total)``.

    Raises
    ------
    OptionError
        For a prompt below two tokens or no number of rows.
    """
    if len(prompt) < 2 or not rows or min(rows) < 1 or repeats < 1:
        raise OptionError(
            "measure: a prompt of 2 tokens or more, and rows and repeats of 1 or more are needed"
        )
    found: list[Timing] = []
    jobs: list[tuple[Phase, int, Callable[[], Callable[[], object]]]] = []
    for length in sorted({max(1, len(prompt) // 2), len(prompt)}):
        jobs.append(("prefill", length, lambda n=length: target.open(list(prompt)[:n]).score))  # type: ignore[misc]
    for phase, model in (("verify", target), ("draft", draft)):
        if model is None:
            continue
        for n in rows:
            jobs.append((phase, n, lambda m=model, k=n: _scoring(m, prompt, k)))  # type: ignore[misc,arg-type]
    logits = np.asarray(target.open(list(prompt)).score()[0])
    for n in rows:
        jobs.append(("kernel", n, lambda k=n: lambda: [law.kernel(law.root(), logits) for _ in range(k)]))  # type: ignore[misc]
    for done, (phase, n, prepare) in enumerate(jobs):
        best = float("inf")
        for _ in range(repeats):
            call = prepare()
            begun = clock()
            call()
            best = min(best, clock() - begun)
        found.append(Timing(phase, n, best))
        if progress is not None:
            progress(done + 1, len(jobs))
    return found


def _scoring(model: LanguageModel, prompt: Sequence[int], rows: int) -> Callable[[], object]:
    sequence = model.open(list(prompt))
    sequence.score()
    sequence.commit([prompt[-1]])  # a row known already would take no time
    return lambda: sequence.score([prompt[-1]] * (rows - 1))


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Constant and slope of least squares with neither below zero."""
    centred = x - x.mean()
    slope = float((centred * y).sum() / (centred**2).sum())
    constant = float(y.mean()) - slope * float(x.mean())
    if slope < 0.0:
        return max(0.0, float(y.mean())), 0.0
    if constant < 0.0:
        return 0.0, max(0.0, float((x * y).sum() / (x**2).sum()))
    return constant, slope
