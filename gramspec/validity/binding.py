"""Potentials of one prompt and one law: recipes that make them for a call, and the check that they fit it.

Law: a potential with contract E or S that was made from rows keeps its contract for the law of those rows
only; used for another it could lose members without an error, so it is refused by name.
Cost: that of the potential made. Source: laws, "PrefixTrie" (what defines P*) and trap 15.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from gramspec.errors import OptionError
from gramspec.models.protocol import LanguageModel
from gramspec.validity.exact import Exact
from gramspec.validity.exact_ngram import ExactNgram
from gramspec.validity.one_step import OneStep
from gramspec.validity.protocol import CompiledLanguage, Potential
from gramspec.validity.reading import Bound, RowFunction
from gramspec.validity.rollout import Rollout


class Rows(Protocol):
    """What turns logits into p (`RowLaw`); equal objects are equal laws."""

    @property
    def row(self) -> RowFunction:
        """From one row of logits to probabilities."""
        ...


class Call(NamedTuple):
    """What a potential of one prompt is made from.

    Attributes
    ----------
    compiled : CompiledGrammar
        The language and its vocabulary.
    target : LanguageModel
        As decoding uses it: a `MemoModel` shares its rows with the potential.
    draft : LanguageModel or None
        As decoding uses it.
    prompt : tuple of int
        Prompt ids.
    rows : RowLaw
        The law of the sampler.
    budget : int
        Largest number of new tokens, EOS included.
    """

    compiled: CompiledLanguage
    target: LanguageModel
    draft: LanguageModel | None
    prompt: tuple[int, ...]
    rows: Rows
    budget: int


@dataclass(frozen=True)
class Recipe:
    """How to make a potential for each prompt of a call: ``gs.generate(..., potential=Recipe.exact())``.

    Rows that making it asks for are remembered and so free later; reports begin to count at the first draw.

    Parameters
    ----------
    name : str
        For people.
    make : callable
        From a `Call` to the potential.
    """

    name: str
    make: Callable[[Call], Potential]

    @classmethod
    def one_step(cls, *, own_row: bool = False, **options: Any) -> Recipe:
        """`OneStep` on the target; with `own_row` under contract S for the law of the call.

        Parameters
        ----------
        own_row : bool
        **options
            As in `OneStep`.
        """

        def make(call: Call) -> Potential:
            settings = {"row": call.rows.row, **options} if own_row else options
            return OneStep(call.compiled, call.target, call.prompt, own_row=own_row, **settings)

        return cls("one-step", make)

    @classmethod
    def rollout(cls, **options: Any) -> Recipe:
        """`Rollout` with the draft model of the call, or the target where there is none.

        Parameters
        ----------
        **options
            As in `Rollout`.
        """

        def make(call: Call) -> Potential:
            model = call.draft if call.draft is not None else call.target
            return Rollout(call.compiled, model, call.prompt, **{"row": call.rows.row, **options})

        return cls("rollout", make)

    @classmethod
    def exact(cls, **options: Any) -> Recipe:
        """`Exact` for the law and the budget of the call.

        Parameters
        ----------
        **options
            As in `Exact`.
        """

        def make(call: Call) -> Potential:
            rows, budget = call.rows.row, call.budget
            return Exact(call.compiled, call.target, call.prompt, row=rows, budget=budget, **options)

        return cls("exact", make)

    @classmethod
    def exact_ngram(cls, n: int, **options: Any) -> Recipe:
        """`ExactNgram` for the law and the budget of the call.

        Parameters
        ----------
        n : int
            Order of the target.
        **options
            As in `ExactNgram`.
        """

        def make(call: Call) -> Potential:
            rows, budget = call.rows.row, call.budget
            return ExactNgram(
                call.compiled, call.target, call.prompt, n=n, row=rows, budget=budget, **options
            )

        return cls("exact-ngram", make)


def check_bound(potential: Any, call: Call) -> None:
    """Refuse a potential with contract E or S that was made from the rows of another prompt, model or law.

    Parameters
    ----------
    potential : Potential or PrefixTrie
        Combinations and tries are checked through to their parts.
    call : Call
        What it shall be used for.

    Raises
    ------
    OptionError
        Naming the potential and what differs.
    """
    for part in (*getattr(potential, "parts", ()), *_base(potential)):
        check_bound(part, call)
    bound: Bound | None = getattr(potential, "bound", None)
    if bound is None:
        return
    if bound.model != call.target.fingerprint:
        what = "another model"
    elif bound.prompt != tuple(call.prompt):
        what = "another prompt"
    elif bound.law != call.rows:
        what = f"another law ({bound.law!r}, not {call.rows!r})"
    else:
        return
    raise OptionError(
        f"potential: {potential.name!r} was made for {what}, where alone it has contract {potential.contract}"
        "\n  hint: pass a Recipe, which makes one for each prompt"
    )


def _base(potential: Any) -> tuple[Any, ...]:
    base = getattr(potential, "base", None)
    return () if base is None else (base,)
