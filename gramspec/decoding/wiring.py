"""From names in `DecodingOptions` to drafter, verifier, controller and sampler of one prompt.

Law: the sampler's name and the potential's contract decide the law; nothing else here does.
Source: API, section 4; laws, "What may be claimed".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from gramspec.decoding.control import Arm, Bandit, PayingPlan, ThresholdPlan
from gramspec.decoding.control.bandit import Metric
from gramspec.decoding.drafting import (
    DRAWN_PLAN,
    MODEL_FREE_PLAN,
    AtTheFrontier,
    DraftMemory,
    ModelDrafter,
    model_free,
    model_free_drawn,
)
from gramspec.decoding.drafting.draft_rows import DraftRows
from gramspec.decoding.drafting.dyspec import DySpecDrafter
from gramspec.decoding.drafting.model_free import DRAWN_KEEP
from gramspec.decoding.drafting.model_tree import ModelTreeDrafter
from gramspec.decoding.drafting.probing import ProbingDrafter
from gramspec.decoding.drafting.protocol import Controller, Drafter
from gramspec.decoding.drafting.sources import TOP
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
from gramspec.models.memo import MemoModel
from gramspec.models.protocol import LanguageModel
from gramspec.validity import Potential
from gramspec.validity.protocol import CompiledLanguage

WEIGHTED: Mapping[str, type[Sampler[Any]]] = {
    "smc": SmcSampler,
    "mcmc": McmcSampler,
    "twisted": TwistedSampler,
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
    law : {"conditional", "masked"}
        What is sampled.
    memory : DraftMemory
        What drafters learn from all prompts of the call.
    """

    model: LanguageModel
    draft: LanguageModel | None
    compiled: CompiledLanguage
    rows: RowLaw
    budget: int
    options: DecodingOptions
    law: Literal["conditional", "masked"]
    memory: DraftMemory | None


class Recipe(NamedTuple):
    """How a drafter is made.

    Attributes
    ----------
    make : callable
        Takes the call and the prompt.
    plan : callable
        Takes the call: what suits the drafter where the options say nothing.
    needs_draft : bool
        Whether there has to be a draft model.
    walks : bool
        Whether it walks remembered rows by itself, so that it is asked everywhere.
    """

    make: Callable[[Call, Sequence[int]], Drafter]
    plan: Callable[[Call], DraftPlan]
    needs_draft: bool = False
    walks: bool = False


def _probing(call: Call, prompt: Sequence[int]) -> Drafter:
    return ProbingDrafter(call.draft, prompt, call.rows)


def _model(call: Call, prompt: Sequence[int]) -> Drafter:
    return ModelDrafter(_draft(call), prompt, call.rows)


def _tree(call: Call, prompt: Sequence[int]) -> Drafter:
    return ModelTreeDrafter(_draft(call), prompt, call.rows)


def _dyspec(call: Call, prompt: Sequence[int]) -> Drafter:
    return DySpecDrafter(_draft(call), prompt, call.rows)


def _model_free(call: Call, prompt: Sequence[int]) -> Drafter:
    return model_free(call.compiled, prompt, memory=call.memory)


def _searching(call: Call, prompt: Sequence[int]) -> Drafter:
    probing = ProbingDrafter(None, prompt, call.rows)
    return model_free(call.compiled, prompt, memory=call.memory, drawn=probing)


def _fused(call: Call, prompt: Sequence[int]) -> Drafter:
    return model_free(call.compiled, prompt, memory=call.memory, drawn=_model(call, prompt))


def _drawn(call: Call, prompt: Sequence[int]) -> Drafter:
    return model_free_drawn(call.compiled, prompt, memory=call.memory)


def _fused_drawn(call: Call, prompt: Sequence[int]) -> Drafter:
    draft = DraftRows(_draft(call), prompt, call.rows)
    return model_free_drawn(call.compiled, prompt, memory=call.memory, draft=draft)


def _draft(call: Call) -> LanguageModel:
    assert call.draft is not None  # `recipe_of` has refused names that need one
    return call.draft


def _chain(call: Call) -> DraftPlan:
    return DraftPlan(8)


def _wide(call: Call) -> DraftPlan:
    return DraftPlan(6, 3, 24)


def _known(call: Call) -> DraftPlan:
    return MODEL_FREE_PLAN


def _many(call: Call) -> DraftPlan:
    return DRAWN_PLAN


def _far(call: Call) -> DraftPlan:
    return DraftPlan(call.budget, 8, 64)


def _both(call: Call) -> DraftPlan:
    return DraftPlan(call.budget, 8, 64)


RECIPES: Mapping[str, Recipe] = {
    "model": Recipe(_model, _chain, needs_draft=True),
    "tree": Recipe(_tree, _wide, needs_draft=True),
    "dyspec": Recipe(_dyspec, _wide, needs_draft=True),
    "probing": Recipe(_probing, _far, walks=True),
    "model-free": Recipe(_model_free, _known),
    "model-free-probing": Recipe(_searching, _both, walks=True),
    "fused": Recipe(_fused, _known, needs_draft=True),
    "model-free-drawn": Recipe(_drawn, _many),
    "fused-drawn": Recipe(_fused_drawn, _many, needs_draft=True),
}


def recipe_of(call: Call, *, weighted: bool = False) -> Recipe | None:
    """How the drafter of the options is made; None drafts nothing.

    Parameters
    ----------
    call : Call
        The call.
    weighted : bool
        Whether draws are weighted: then nothing dies, and there is less to be learned by probing.

    Raises
    ------
    OptionError
        When there is no drafter of that name, or it needs a draft model and there is none.
    """
    name = call.options.drafter
    if name == "auto":
        if weighted or call.law == "masked":
            name = "fused" if call.draft is not None else "model-free"
        else:
            name = "probing" if call.draft is not None else "model-free-probing"
    recipe = RECIPES.get(name)
    if recipe is None and name != "none":
        names = ", ".join(map(repr, ("auto", "none", *RECIPES)))
        raise OptionError(f"drafter={name!r}: one of {names} is needed")
    if recipe is not None and recipe.needs_draft and call.draft is None:
        raise OptionError(f"drafter={name!r}: it needs a draft model; pass draft=...")
    return None if call.options.gamma == 0 else recipe


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


def drafting_of(
    call: Call, prompt: Sequence[int], begun: tuple[int, ...], *, weighted: bool = False
) -> tuple[Drafter | None, DraftPlan | Controller]:
    """Who drafts for one prompt, and how much each round drafts.

    Parameters
    ----------
    call : Call
        The call.
    prompt, begun : sequence of int
        Prompt ids, and the tokens of the prompt as the target holds them.
    weighted : bool
        As for `recipe_of`.
    """
    recipe = recipe_of(call, weighted=weighted)
    if recipe is None:
        return None, DraftPlan(0)
    drafter: Drafter
    plan: DraftPlan | Controller
    if call.options.controller in _BANDITS:
        names = [name for name, r in RECIPES.items() if not r.walks and (call.draft or not r.needs_draft)]
        arms = [Arm("none", None, DraftPlan(0))]
        arms += [Arm(n, RECIPES[n].make(call, prompt), _plan(call, RECIPES[n])) for n in names]
        bandit = Bandit(arms, metric=_BANDITS[call.options.controller])
        drafter, plan = bandit.drafter, bandit
    else:
        drafter, plan = recipe.make(call, prompt), _plan(call, recipe)
        if call.options.controller == "threshold":
            plan = ThresholdPlan(plan)
        elif call.options.controller == "latency":
            plan = PayingPlan(plan)
    model = call.model
    if call.options.controller != "fixed" and not recipe.walks and isinstance(model, MemoModel):
        plan = AtTheFrontier(plan, lambda prefix: model.remembers(begun + prefix))
    return drafter, plan


def _plan(call: Call, recipe: Recipe) -> DraftPlan:
    options, own = call.options, recipe.plan(call)
    return DraftPlan(
        own.length if options.gamma is None else options.gamma,
        own.width if options.width is None else options.width,
        own.nodes if options.nodes is None else options.nodes,
    )


_BANDITS: Mapping[str, Metric] = {"bandit": "forwards", "bandit-seconds": "seconds"}
_BY_THE_CLOCK = {"bandit-seconds": "'bandit', which counts forwards,", "latency": "'auto'"}
CONTROLLERS = ("auto", "fixed", "threshold", "latency", *_BANDITS)


def check_names(call: Call, seed: int | None = None) -> None:
    """Refuse names that mean nothing, before a token is made.

    Parameters
    ----------
    call : Call
        The call.
    seed : int, optional
        Promises that the call can be repeated.

    Raises
    ------
    OptionError
        Naming the option.
    """
    verifier_of(call)
    recipe_of(call)
    name = call.options.controller
    if name not in CONTROLLERS:
        names = ", ".join(map(repr, CONTROLLERS))
        raise OptionError(f"controller={name!r}: one of {names} is needed")
    if name in _BY_THE_CLOCK and seed is not None:
        raise OptionError(
            f"controller={name!r}: it goes by the clock, so a call with a seed could not be repeated"
            f"\n  hint: take {_BY_THE_CLOCK[name]} or no seed"
        )


_LEARNING: Mapping[Callable[..., Drafter], int] = {
    _model_free: TOP,
    _searching: TOP,
    _fused: TOP,
    _drawn: DRAWN_KEEP,
    _fused_drawn: DRAWN_KEEP,
}


def kept_of_rows(call: Call) -> int:
    """Tokens of a row that a memory for the drafters of the call keeps; 0 where none of them needs one.

    Parameters
    ----------
    call : Call
        The call.
    """
    recipes = (recipe_of(call), recipe_of(call, weighted=True))
    kept = max(_LEARNING.get(r.make, 0) for r in recipes if r is not None) if any(recipes) else 0
    return max(kept, TOP) if call.options.controller in _BANDITS else kept


def sampler_of(call: Call, name: str, potential: Potential | None, prompt: Sequence[int]) -> Sampler[Any]:
    """The sampler of one prompt.

    Parameters
    ----------
    call : Call
        The call.
    name : str
        "auto", "restart", or a name of `WEIGHTED`.
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
    begun = tuple(sequence.tokens)  # an empty prompt may have become a BOS token
    meter = Meter(call.model, call.draft)
    width, noise = call.model.vocab_size, call.model.row_noise

    def parts(*, weighted: bool) -> tuple[tuple[Any, ...], dict[str, Any]]:
        drafter, plan = drafting_of(call, prompt, begun, weighted=weighted)
        named = {"verifier": verifier_of(call), "plan": plan, "model": call.model}
        return (sequence, len(begun), drafter, call.options, meter), named

    if potential is None:
        masked = MaskedLaw(call.compiled, call.rows, budget=call.budget, width=width)
        more, named = parts(weighted=False)
        return MaskedSampler(masked, *more, **named)
    restart = None
    if name == "restart" or (name == "auto" and potential.contract != "W"):
        killed = KilledLaw(potential, call.rows, budget=call.budget, width=width, row_noise=noise)
        more, named = parts(weighted=False)
        restart = RestartSampler(killed, *more, **named)
        if name == "restart":
            return restart
    twisted = TwistedLaw(potential, call.rows, budget=call.budget, width=width, row_noise=noise)
    more, named = parts(weighted=True)
    if name == "auto":
        return AutoSampler(restart, SmcSampler(twisted, *more, **named))
    return WEIGHTED[name](twisted, *more, **named)
