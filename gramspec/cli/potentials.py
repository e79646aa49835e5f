"""Potentials as the commands name them, fitted where they have to be, kept in files where asked.

Law: contract and cost of each are those of its class in `gramspec.validity`.
Source: API, "Command line".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gramspec.decoding.rows import RowLaw
from gramspec.errors import OptionError
from gramspec.models.protocol import LanguageModel
from gramspec.validity import (
    Exact,
    Hmm,
    Learned,
    OneStep,
    Partition,
    Potential,
    Rollout,
    TokenWeights,
    Viability,
    draw_sequences,
)

Progress = Callable[[int, int], None]

POTENTIALS = {
    "viability": "1 where an ending is possible (S)",
    "one-step": "valid mass one token further, from the current row of the target (W)",
    "one-step-own": "valid mass one token further, from the next row of the target (S)",
    "rollout": "the draft model finishes 4 times (W)",
    "rollout-masked": "the draft model finishes 4 times under the mask, weighted (W)",
    "partition": "pushdown partition function, weights from samples of the target (W)",
    "hmm": "hidden Markov proxy of samples of the target, and the automaton (W)",
    "learned": "values of automaton states by temporal differences on the target (W)",
    "exact": "every prefix of the language listed (E)",
}
POTENTIAL_HELP = "One or more of: " + "; ".join(f"{name}: {what}" for name, what in POTENTIALS.items()) + "."


@dataclass(frozen=True)
class Setting:
    """What potentials are made for.

    Parameters
    ----------
    compiled : CompiledGrammar
    target : LanguageModel
        Shared by all of them, so that its rows are paid once.
    draft : LanguageModel or None
    prompt : tuple of int
    rows : RowLaw
        The law of the target.
    budget : int
        EOS included.
    samples : int
        Free samples, or runs, that fits take.
    seed : int
    fits : Path or None
        Directory of fitted potentials: read where they are there, else fitted and written.
    """

    compiled: Any
    target: LanguageModel
    draft: LanguageModel | None
    prompt: tuple[int, ...]
    rows: RowLaw
    budget: int
    samples: int
    seed: int
    fits: Path | None


def check_names(names: Sequence[str]) -> None:
    """Refuse a name that no potential has, and one given twice.

    Raises
    ------
    OptionError
    """
    for i, name in enumerate(names):
        if name not in POTENTIALS:
            raise OptionError(f"--potential {name}: must be one of {', '.join(POTENTIALS)}")
        if name in names[:i]:
            raise OptionError(f"--potential {name}: given twice")


def make_potential(name: str, at: Setting, progress: Progress) -> Potential:
    """The potential of a name.

    Parameters
    ----------
    name : str
        One of `POTENTIALS`.
    at : Setting
    progress : callable
        Called as ``progress(done, total)`` while it is fitted.

    Raises
    ------
    OptionError
        If it needs a draft model and there is none, or `fits` cannot be written.
    GramspecError
        If the potential refuses the grammar, the model or the budget.
    """
    compiled, prompt = at.compiled, at.prompt
    if name == "viability":
        return Viability(compiled)
    if name in ("one-step", "one-step-own"):
        own = name == "one-step-own"
        row = at.rows.row if own else RowLaw(at.rows.temperature).row
        return OneStep(compiled, at.target, prompt, own_row=own, row=row)
    if name in ("rollout", "rollout-masked"):
        if at.draft is None:
            raise OptionError(f"--potential {name}: needs a draft model\n  hint: --draft DIRECTORY")
        masked = name == "rollout-masked"
        return Rollout(compiled, at.draft, prompt, row=at.rows.row, masked=masked, seed=at.seed)
    if name == "exact":
        return Exact(compiled, at.target, prompt, row=at.rows.row, budget=at.budget, progress=progress)
    if name == "partition":
        return Partition(compiled, _token_weights(at, progress))
    file = None if at.fits is None else at.fits / f"{name}.npz"
    if file is not None and file.exists():
        return Hmm.load(file, compiled) if name == "hmm" else Learned.load(file, compiled)
    fitted: Hmm | Learned
    if name == "hmm":
        fitted = Hmm.fit(compiled, _samples(at, progress), seed=at.seed)
    else:
        fitted = Learned(compiled)
        fitted.fit(
            at.target,
            [prompt],
            row=at.rows.row,
            budget=at.budget,
            runs=at.samples,
            seed=at.seed,
            progress=progress,
        )
    if file is not None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            fitted.save(file)
        except OSError as error:
            raise OptionError(f"--fits {at.fits}: {error}") from None
    return fitted


def _samples(at: Setting, progress: Progress) -> list[tuple[int, ...]]:
    drawn = draw_sequences(
        at.target,
        [at.prompt],
        at.samples,
        max_tokens=at.budget,
        row=at.rows.row,
        seed=at.seed,
        progress=progress,
    )
    known = len(at.compiled.vocabulary)  # a head may be wider than the vocabulary
    return [tuple(t for t in each if t < known) for each in drawn]


def _token_weights(at: Setting, progress: Progress) -> TokenWeights:
    size = len(at.compiled.vocabulary)
    every = [token for each in _samples(at, progress) for token in each]
    return TokenWeights.from_counts(at.compiled.vocabulary, np.bincount(every, minlength=size).astype(float))
