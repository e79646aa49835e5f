"""Worlds for the laws of potentials, made once for all of this folder's tests."""

from __future__ import annotations

from functools import cache
from typing import Any

from gramspec.errors import ContractError
from gramspec.matching import compile as compile_grammar
from gramspec.testing.proofs import Bench, ProofError
from gramspec.testing.reference import ReferenceCompiled
from gramspec.testing.worlds import World, worlds


@cache
def found(seed: int, count: int, residuals: bool, options: bool = True) -> tuple[World, ...]:
    return tuple(worlds(seed, count, residuals=residuals, options=options))


def native(world: World) -> Bench:
    """A bench on the native core."""
    return Bench(world, compile_grammar(world.grammar, world.vocabulary))


class SharedWorlds:
    """Gives a mixin of laws its worlds: two of three on the native core, the others on the slow reference."""

    count = 12
    seed = 41
    residuals = False

    def benches(self) -> list[Bench]:
        chosen = found(self.seed, self.count, self.residuals)
        return [native(w) if i % 3 else Bench(w, ReferenceCompiled(w, 0)) for i, w in enumerate(chosen)]


class NativeWorlds(SharedWorlds):
    """The native core only: for potentials that need states with keys."""

    def benches(self) -> list[Bench]:
        return [native(world) for world in found(self.seed, self.count, self.residuals)]


def refused(laws: Any, *names: str) -> bool:
    """Whether one of the named laws fails."""
    for name in names:
        try:
            getattr(laws, name)()
        except (AssertionError, ProofError, ContractError, ZeroDivisionError):
            return True
    return False
