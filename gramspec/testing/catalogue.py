"""Every way to decode that claims to be exact, by name: drafters with their verifiers, and potentials.

Law: each combination has to pass the proof scheme on any world; nothing here is specific to a world.
Source: laws, "How exactness is proved".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from gramspec.decoding.drafting import (
    FixedPlan,
    ForcedDrafter,
    LookupDrafter,
    ModelDrafter,
    NgramDrafter,
    RecyclingDrafter,
    RetrievalDrafter,
    model_free,
    model_free_drawn,
)
from gramspec.decoding.drafting.copying import CopyDrafter
from gramspec.decoding.drafting.draft_rows import DraftRows
from gramspec.decoding.drafting.dyspec import DySpecDrafter
from gramspec.decoding.drafting.model_free import DraftMemory
from gramspec.decoding.drafting.model_tree import ModelTreeDrafter, sequoia_shape
from gramspec.decoding.drafting.probing import ProbingDrafter
from gramspec.decoding.drafting.stopping import ThresholdStop
from gramspec.decoding.drafting.tree import DraftPlan
from gramspec.decoding.random import NumpyRandomSource
from gramspec.decoding.round import Attempt
from gramspec.decoding.verification.registry import VERIFIERS, by_name
from gramspec.testing.proofs import Bench, Pieces
from gramspec.testing.worlds import World
from gramspec.validity import (
    ByteWeights,
    Exact,
    Hmm,
    Learned,
    Minimum,
    Mixture,
    OneStep,
    Partition,
    Product,
    Restricted,
    Rollout,
    Viability,
)

Make = Callable[[Bench], Any]


class Draft(NamedTuple):
    """A way to draft, and the rules that may verify it.

    Attributes
    ----------
    make : callable
        Takes a bench; its drafter.
    plan : DraftPlan
        How much a round drafts.
    verifiers : tuple of str
        Names of the rules.
    """

    make: Make
    plan: DraftPlan
    verifiers: tuple[str, ...]


def _parts(bench: Bench) -> tuple[Any, tuple[int, ...], Any]:
    return bench.world.draft, bench.world.prompt, bench.rows()


def _trees(law: str) -> Make:
    return lambda bench: ModelTreeDrafter(*_parts(bench), law=law)  # type: ignore[arg-type]


def _member(bench: Bench) -> tuple[int, ...]:
    return bench.world.members[0]


def _lookup(bench: Bench) -> Any:
    vocabulary = bench.world.vocabulary
    text = vocabulary.decode(_member(bench))
    return LookupDrafter((*_member(bench), *bench.world.prompt), vocabulary, [text])


def _taught(make: Make) -> Make:
    """A drafter that has seen two attempts, and is frozen then: rounds alone teach it nothing."""

    def made(bench: Bench) -> Any:
        drafter = make(bench)
        world = bench.world
        law = bench.killed(Viability(bench.compiled))  # type: ignore[arg-type]
        for k in range(2):
            sequence = world.target.open(world.prompt)
            attempt = Attempt(law, sequence, len(world.prompt), drafter, FixedPlan(DraftPlan(3, 2, 5)))
            attempt.run(NumpyRandomSource((world.seed, k)))
        return drafter

    return made


def _retrieval(bench: Bench) -> Any:
    drafter = RetrievalDrafter(eos_ids=bench.world.small.eos_ids)
    drafter.store.add(_member(bench))
    return drafter


def _fused(drawn: bool) -> Make:
    def made(bench: Bench) -> Any:
        memory = DraftMemory(bench.compiled)
        first = ModelDrafter(*_parts(bench)) if drawn else None
        return model_free(bench.compiled, bench.world.prompt, memory=memory, drawn=first, least=0.0)

    return made


def _tables(drawn: bool) -> Make:
    def made(bench: Bench) -> Any:
        memory = DraftMemory(bench.compiled)
        draft = DraftRows(*_parts(bench)) if drawn else None
        return model_free_drawn(bench.compiled, bench.world.prompt, memory=memory, draft=draft, floor=0.0)

    return made


def _copying(bench: Bench) -> Any:
    prompt = (*_member(bench), *bench.world.prompt)
    return CopyDrafter(prompt, bench.world.vocabulary)


_CHAIN = ("token", "block", "match", "recursive", "descent", "traversal", "auto")
_DRAWN = ("match", "recursive", "descent", "traversal", "auto")
_FIXED = ("match", "descent", "traversal", "auto")
_TREE = DraftPlan(2, 2, 3)
_WIDE = DraftPlan(3, 3, 5)

DRAFTS: dict[str, Draft] = {
    "chain": Draft(lambda bench: ModelDrafter(*_parts(bench)), DraftPlan(3), _CHAIN),
    "i.i.d. tree": Draft(_trees("iid"), _TREE, ("k-seq", *_DRAWN)),
    "tree without replacement": Draft(_trees("wor"), _TREE, _DRAWN),
    "greedy tree": Draft(_trees("greedy"), _TREE, ("greedy", "match", "descent", "traversal", "auto")),
    "static shape": Draft(
        lambda bench: ModelTreeDrafter(*_parts(bench), shape=sequoia_shape((0.5, 0.3, 0.1), 3, 2)),
        DraftPlan(2, 3, 3),
        _DRAWN,
    ),
    "growing tree": Draft(lambda bench: DySpecDrafter(*_parts(bench)), DraftPlan(3, 2, 3), _DRAWN),
    "growing tree that stops": Draft(
        lambda bench: DySpecDrafter(*_parts(bench), floor=0.05, stop=ThresholdStop(0.5)),
        DraftPlan(3, 2, 3),
        _DRAWN,
    ),
    "probing": Draft(
        _taught(lambda bench: ProbingDrafter(*_parts(bench), floor=0.0)),
        _TREE,
        ("descent", "traversal", "auto"),
    ),
    "forced runs": Draft(lambda bench: ForcedDrafter(bench.world.vocabulary), _WIDE, _FIXED),
    "n-grams": Draft(_taught(lambda bench: NgramDrafter(bench.world.prompt)), _WIDE, _FIXED),
    "recycling": Draft(_taught(lambda bench: RecyclingDrafter(bench.world.prompt)), _WIDE, _FIXED),
    "look-up": Draft(_lookup, _WIDE, _FIXED),
    "retrieval": Draft(_retrieval, _WIDE, _FIXED),
    "fusion": Draft(_fused(False), _WIDE, _FIXED),
    "fusion with probing": Draft(
        _taught(
            lambda bench: model_free(
                bench.compiled,
                bench.world.prompt,
                drawn=ProbingDrafter(None, *_parts(bench)[1:], floor=0.0),
                least=0.0,
            )
        ),
        DraftPlan(3, 4, 6),
        ("descent", "traversal", "auto"),
    ),
    "copying": Draft(_taught(_copying), _WIDE, _FIXED),
    "drawn tables": Draft(_taught(_tables(False)), _TREE, _DRAWN),
    "drawn tables with a draft model": Draft(_taught(_tables(True)), _TREE, _DRAWN),
    "fusion with a drawn chain": Draft(_fused(True), _TREE, ("descent", "traversal", "auto")),
}


def _row(world: World) -> Any:
    from gramspec.decoding.rows import RowLaw

    return RowLaw(world.temperature, world.top_k, world.top_p).row


def _one_step(world: World, compiled: Any) -> Any:
    return OneStep(compiled, world.target, world.prompt, own_row=True, row=_row(world))


def _exact(world: World, compiled: Any) -> Any:
    return Exact(compiled, world.target, world.prompt, row=_row(world), budget=world.max_new_tokens)


POTENTIALS: dict[str, Callable[[World, Any], Any]] = {
    "viability": lambda world, compiled: Viability(compiled),
    "one step, own row": _one_step,
    "exact": _exact,
    "minimum": lambda world, compiled: Minimum(Viability(compiled), _one_step(world, compiled)),
    "mixture": lambda world, compiled: Mixture(
        _one_step(world, compiled), _exact(world, compiled), Viability(compiled), weights=(2.0, 1.0, 1.0)
    ),
    "restricted": lambda world, compiled: Restricted(_one_step(world, compiled), Viability(compiled)),
}


def _learned(world: World, compiled: Any) -> Any:
    learned = Learned(compiled)
    learned.fit(
        world.target, [world.prompt], row=_row(world), budget=world.max_new_tokens, runs=4, seed=world.seed
    )
    return learned


def _partition(world: World, compiled: Any) -> Any:
    return Partition(compiled, ByteWeights(np.ones(256), 0.2))


def _rollout(world: World, compiled: Any) -> Any:
    return Rollout(compiled, world.draft, world.prompt, runs=2, seed=world.seed)  # type: ignore[arg-type]


WEIGHTED: dict[str, Callable[[World, Any], Any]] = {
    "one step of the draft": lambda world, compiled: OneStep(compiled, world.draft, world.prompt),  # type: ignore[arg-type]
    "rollout": _rollout,
    "partition": _partition,
    "hidden Markov": lambda world, compiled: Hmm.fit(compiled, world.members[:6], states=2, iterations=2),
    "learned": _learned,
    "product": lambda world, compiled: Product(_partition(world, compiled), _one_step(world, compiled)),
    "exact": _exact,
    "viability": POTENTIALS["viability"],
}


class Combination(NamedTuple):
    """One cell of the table.

    Attributes
    ----------
    draft, verifier, potential : str
        Names.
    """

    draft: str
    verifier: str
    potential: str

    def bench(self, world: World, compiled: Any) -> Bench:
        """The production parts of this cell around a world.

        Parameters
        ----------
        world : World
            A world with a draft model.
        compiled : CompiledGrammar
            Its grammar.
        """
        draft = DRAFTS[self.draft]
        base = POTENTIALS.get(self.potential) or WEIGHTED[self.potential]
        plain = Bench(world, compiled)
        pieces = Pieces(
            drafter=lambda *_: draft.make(plain),
            base=lambda language: base(world, language),
            verifier=by_name(self.verifier),
            plan=draft.plan,
        )
        return Bench(world, compiled, pieces)


def combinations(*, weighted: bool = False) -> Iterator[Combination]:
    """All cells, potentials first, so that neighbours differ in them.

    Parameters
    ----------
    weighted : bool
        Potentials of any contract, for draws with a weight; otherwise those that make draws exact.
    """
    for draft, way in DRAFTS.items():
        for verifier in way.verifiers:
            for potential in WEIGHTED if weighted else POTENTIALS:
                yield Combination(draft, verifier, potential)


def every_verifier_is_listed() -> bool:
    """Whether no registered verifier is missing."""
    return set(VERIFIERS) == {name for draft in DRAFTS.values() for name in draft.verifiers}
