"""From names in `DecodingOptions` to drafter, verifier, controller and sampler of one prompt.

Law: the sampler's name and the potential's contract decide the law; nothing else here does.
Source: API, section 4; laws, "What may be claimed".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from gramspec.decoding.drafting import ModelDrafter
from gramspec.decoding.drafting.protocol import Controller, Drafter
from gramspec.decoding.drafting.tree import DraftPlan
from gramspec.decoding.kernel import KilledLaw, MaskedLaw, TwistedLaw
from gramspec.decoding.meter import Meter
from gramspec.decoding.options import DecodingOptions
from gramspec.decoding.rows import RowLaw
from gramspec.decoding.samplers import (
    AutoSampler,
    MaskedSampler,
    McmcSampler,
    RestartSampler,
    Sampler,
    SmcSampler,
    TwistedSampler,
)
from gramspec.decoding.verification.protocol import Verifier
from gramspec.decoding.verification.registry import by_name
from gramspec.errors import OptionError
from gramspec.models.protocol import LanguageModel
from gramspec.validity import Potential
from gramspec.validity.protocol import CompiledLanguage

SAMPLERS: Mapping[str, type[Sampler[Any]]] = {
    "restart": RestartSampler,
    "smc": SmcSampler,
    "mcmc": McmcSampler,
    "twisted": TwistedSampler,
    "auto": AutoSampler,
}


class Call(NamedTuple):
    """What is the same for every prompt of a call.

    Attributes
    ----------
    model : LanguageModel
        The target, remembered rows included.
    draft : LanguageModel or None
        The draft model, likewise.
    compiled : CompiledLanguage
        The grammar.
    rows : RowLaw
        What turns logits into p.
    budget : int
        Largest number of new tokens, EOS included.
    options : DecodingOptions
        How it is decoded.
    """

    model: LanguageModel
    draft: LanguageModel | None
    compiled: CompiledLanguage
    rows: RowLaw
    budget: int
    options: DecodingOptions


DRAFTERS: dict[str, Callable[[Call, Sequence[int]], Drafter | None]] = {}


def drafter_of(call: Call, prompt: Sequence[int]) -> Drafter | None:
    """Who drafts for one prompt.

    Parameters
    ----------
    call : Call
        The call.
    prompt : sequence of int
        Prompt ids.

    Raises
    ------
    OptionError
        When there is no drafter of that name, or it needs a draft model and there is none.
    """
    name = call.options.drafter
    make = DRAFTERS.get(name)
    if make is None:
        raise OptionError(f"drafter={name!r}: one of {', '.join(map(repr, DRAFTERS))} is needed")
    return make(call, prompt) if call.options.gamma > 0 else None


def _auto(call: Call, prompt: Sequence[int]) -> Drafter | None:
    return None if call.draft is None else _model(call, prompt)


def _none(call: Call, prompt: Sequence[int]) -> None:
    return None


def _model(call: Call, prompt: Sequence[int]) -> Drafter:
    if call.draft is None:
        raise OptionError(f"drafter={call.options.drafter!r}: it needs a draft model; pass draft=...")
    return ModelDrafter(call.draft, prompt, call.rows)


DRAFTERS.update({"auto": _auto, "none": _none, "model": _model})


def verifier_of(call: Call) -> Verifier:
    """The verifier of the options.

    Parameters
    ----------
    call : Call
        The call.

    Raises
    ------
    OptionError
        When there is none of that name.
    """
    return by_name(call.options.verifier)


def plan_of(call: Call) -> DraftPlan | Controller:
    """How much each round drafts.

    Parameters
    ----------
    call : Call
        The call.

    Raises
    ------
    OptionError
        When there is no controller of that name.
    """
    options = call.options
    if options.controller != "fixed":
        raise OptionError(f"controller={options.controller!r}: 'fixed' is needed")
    return DraftPlan(options.gamma, options.width, options.nodes)


def check_names(call: Call) -> None:
    """Refuse names that mean nothing, before a token is made.

    Parameters
    ----------
    call : Call
        The call.

    Raises
    ------
    OptionError
        Naming the option.
    """
    if call.options.drafter not in DRAFTERS:
        drafter_of(call, ())
    verifier_of(call)
    plan_of(call)


def sampler_of(call: Call, name: str, potential: Potential | None, prompt: Sequence[int]) -> Sampler[Any]:
    """The sampler of one prompt.

    Parameters
    ----------
    call : Call
        The call.
    name : str
        A name of `SAMPLERS`.
    potential : Potential or None
        Bound to the prompt; None samples the masked law.
    prompt : sequence of int
        Prompt ids.

    Raises
    ------
    OptionError
        When the potential does not allow the sampler.
    """
    sequence = call.model.open(prompt)
    parts: tuple[Any, ...] = (
        sequence,
        len(sequence.tokens),  # an empty prompt may have become a BOS token
        drafter_of(call, prompt),
        call.options,
        Meter(call.model, call.draft),
    )
    more: dict[str, Any] = {"verifier": verifier_of(call), "plan": plan_of(call), "model": call.model}
    width, noise = call.model.vocab_size, call.model.row_noise
    if potential is None:
        return MaskedSampler(
            MaskedLaw(call.compiled, call.rows, budget=call.budget, width=width), *parts, **more
        )
    if name == "restart":
        return RestartSampler(_killed(call, potential), *parts, **more)
    twisted = TwistedLaw(potential, call.rows, budget=call.budget, width=width, row_noise=noise)
    if name == "auto":
        killed = _killed(call, potential) if potential.contract != "W" else None
        return AutoSampler(killed, twisted, *parts, **more)
    return SAMPLERS[name](twisted, *parts, **more)


def _killed(call: Call, potential: Potential) -> KilledLaw:
    return KilledLaw(
        potential,
        call.rows,
        budget=call.budget,
        width=call.model.vocab_size,
        row_noise=call.model.row_noise,
    )
