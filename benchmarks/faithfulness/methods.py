"""Methods: what is run on a task, behind one function that draws n samples and says what each cost.

Law: all read the same rows of the same pair; forwards are counted per sequence, catch-up of cached tokens
is in the positions. A run that has spent `cap` forwards ends after the draw or attempt it is in.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import astuple, dataclass
from importlib.util import find_spec
from typing import Any

import gramspec as gs
from benchmarks.faithfulness.charged import ChargedModel
from benchmarks.faithfulness.tasks import Task
from gramspec.audit.baselines import Ars, Asap, Cars, Masked, Mcmc, Problem, Rejection, Rsft, SmcAwrs
from gramspec.audit.baselines.genlm import GenlmSmc
from gramspec.decoding.random import NumpyRandomSource
from gramspec.decoding.rows import RowLaw
from gramspec.errors import BudgetExhaustedError, DeadEndError


@dataclass(frozen=True)
class Cost:
    """What one draw cost: target forwards (and those with a memory of rows), positions, draft forwards."""

    forwards: int
    fresh: int
    positions: int
    draft_forwards: int
    attempts: int


@dataclass
class Run:
    """The draws of one run; `capped` when the cap ended it early, then `spent` is what it had spent."""

    costs: list[Cost]
    tokens: list[tuple[int, ...]]
    capped: bool = False
    spent: int = 0
    spent_fresh: int = 0
    seconds: float | None = (
        None  # CPU time of this method's own work, every row being known; where it was timed
    )

    def written(self) -> dict[str, Any]:
        """For a file; tokens are left out."""
        costs = [list(astuple(cost)) for cost in self.costs]
        return {
            "costs": costs,
            "capped": self.capped,
            "spent": self.spent,
            "fresh": self.spent_fresh,
            "seconds": self.seconds,
        }

    @classmethod
    def read(cls, data: dict[str, Any]) -> Run:
        """What `written` gave."""
        costs = [Cost(*values) for values in data["costs"]]
        return cls(costs, [], data["capped"], data["spent"], data["fresh"], data["seconds"])


class Pair:
    """A target and a draft whose rows are shared by all methods."""

    def __init__(self, target: Any, draft: Any, *, max_bytes: int = 2 << 30) -> None:
        self.target = ChargedModel(target, max_bytes=max_bytes)
        self.draft = ChargedModel(draft, max_bytes=max_bytes // 2)
        self.vocabulary = target.vocabulary
        self._compiled: dict[str, Any] = {}
        self._models = (target, draft)

    def forward_seconds(self) -> tuple[float, float, float]:
        """CPU seconds of a target forward without and for each new position, and of a draft forward."""
        target, draft = self._models
        one, many = _seconds(target, 1), _seconds(target, 33)
        slope = max(0.0, (many - one) / 32)
        return one - slope, slope, _seconds(draft, 1)

    def forget_some(self) -> None:
        """Drop rows if they have become too many; between runs."""
        for model in (self.target, self.draft):
            model.shared.forget_some()

    def compiled(self, task: Task) -> Any:
        if task.name not in self._compiled:
            self._compiled[task.name] = gs.compile(task.grammar(), self.vocabulary)
        return self._compiled[task.name]

    def prompt(self, task: Task) -> tuple[int, ...]:
        return tuple(self.target.encode(task.prompt + "\n"))

    def problem(self, task: Task) -> Problem:
        rows = RowLaw(task.temperature)
        return Problem(self.target.again(), self.compiled(task), self.prompt(task), task.max_new_tokens, rows)


def _seconds(model: Any, positions: int, times: int = 12) -> float:
    """Median CPU seconds of one forward of new positions after a short prompt."""
    found = []
    sequence = model.open(model.encode("SQL: names of all customers"))
    sequence.score()
    for k in range(times):
        tokens = [(7 * k + i) % 200 + 5 for i in range(positions)]
        begun = time.process_time()
        sequence.score(tokens)
        found.append(time.process_time() - begun)
    return sorted(found)[times // 2]


Method = Callable[[Pair, Task, int, int, int], Run]  # pair, task, draws, seed, cap


def plain(method: Method, pair: Pair, task: Task, draws: int, seed: int, cap: int) -> Run:
    """A run."""
    return method(pair, task, draws, seed, cap)


def timed(method: Method, pair: Pair, task: Task, draws: int, seed: int, cap: int) -> Run:
    """A run, and the CPU time of the same run once all of its rows are known."""
    run = method(pair, task, draws, seed, cap)
    begun = time.process_time()
    again = method(pair, task, draws, seed, cap)
    run.seconds = time.process_time() - begun
    if again.costs != run.costs:
        raise RuntimeError(f"{task.name}: the same seed and rows have given other counts")
    return run


def baseline(make: Callable[[Problem, int], Any]) -> Method:
    """A method out of a sampler of `gramspec.audit.baselines`."""

    def run(pair: Pair, task: Task, n: int, seed: int, cap: int) -> Run:
        problem = pair.problem(task)
        sampler = make(problem, cap)
        out = Run([], [])
        for k in range(n):
            before = astuple(sampler.spent)
            try:
                tokens = sampler.draw(NumpyRandomSource((seed, k)))
            except BudgetExhaustedError:
                out.capped = True
                break
            except DeadEndError:  # a run whose weights are all zero gives nothing and is paid for
                continue
            spent = zip(before, astuple(sampler.spent), strict=True)
            forwards, fresh, positions, attempts = (b - a for a, b in spent)
            out.costs.append(Cost(forwards, fresh, positions, 0, attempts))
            out.tokens.append(tuple(tokens))
            if sampler.spent.forwards >= cap and k + 1 < n:
                out.capped = True
                break
        out.spent, out.spent_fresh = sampler.spent.forwards, sampler.spent.fresh
        return out

    return run


def gramspec(*, draft: bool = True, **settings: Any) -> Method:
    """`gs.generate`; settings are its arguments, and `options` those of `DecodingOptions`."""

    def run(pair: Pair, task: Task, n: int, seed: int, cap: int) -> Run:
        target, assistant = pair.target.again(), pair.draft.again()
        options = {"max_target_forwards": cap, "max_attempts": 1_000_000, **settings.get("options", {})}
        rest = {name: value for name, value in settings.items() if name != "options"}
        counters = target.counters
        out = Run([], [])
        marks: list[int] = []

        def mark(done: int, total: int) -> None:
            marks.append(counters.positions)

        mark(0, n)
        begun = counters.forwards
        try:
            [completions] = gs.generate(
                target,
                [pair.prompt(task)],
                pair.compiled(task),
                draft=assistant if draft else None,
                n=n,
                max_new_tokens=task.max_new_tokens,
                temperature=task.temperature,
                seed=seed,
                options=gs.DecodingOptions(**options),
                progress=mark,
                **rest,
            )
        except BudgetExhaustedError as error:
            out.capped, out.spent = True, error.report.target_forwards
            out.spent_fresh = out.spent
            return out
        for k, one in enumerate(completions):
            report = one.report
            positions, forwards = marks[k + 1] - marks[k], report.target_forwards
            out.costs.append(Cost(forwards, forwards, positions, report.draft_forwards, report.attempts))
            out.tokens.append(tuple(one.token_ids))
        out.spent = out.spent_fresh = counters.forwards - begun
        return out

    return run


METHODS: dict[str, Method] = {
    "gramspec": gramspec(sampler="restart"),
    "gramspec chain": gramspec(sampler="restart", options={"drafter": "model"}),
    "gramspec model-free": gramspec(draft=False, sampler="restart"),
    "gramspec no draft": gramspec(draft=False, sampler="restart", options={"drafter": "none"}),
    "cars": baseline(lambda problem, cap: Cars(problem, max_forwards=cap)),
    "ars": baseline(lambda problem, cap: Ars(problem, max_forwards=cap)),
    "rsft": baseline(lambda problem, cap: Rsft(problem, max_forwards=cap)),
    "rejection": baseline(lambda problem, cap: Rejection(problem, max_forwards=cap)),
    "mcmc": baseline(lambda problem, cap: Mcmc(problem, "restart", 10)),
    "smc+awrs": baseline(lambda problem, cap: SmcAwrs(problem, 10, 0.5)),
    "asap": baseline(lambda problem, cap: Asap(problem)),
    "masked": baseline(lambda problem, cap: Masked(problem)),
}
if find_spec("genlm") is not None:  # the published package, where it is installed
    METHODS["genlm-control"] = baseline(lambda problem, cap: GenlmSmc(problem, 10, 0.5))
GUARANTEE = {
    "genlm-control": "consistent",
    "mcmc": "consistent",
    "smc+awrs": "consistent",
    "asap": "biased",
    "masked": "biased",
}


LEARNS = frozenset({"cars", "ars", "asap", *(name for name in METHODS if name.startswith("gramspec"))})
