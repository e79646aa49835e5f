"""`Partition`: the mass of the texts that complete a prefix, under a proxy of the model.

Law: contract W; h(x) = min(1, stop · Σ over the stacks of the configuration after x of the mass of what is
left to write)^power, at least `floor` where an ending within the budget may exist, else 0;
h(y·EOS) = 1[y ∈ L]. With power 1, under a target that writes bytes with exactly these weights, on an
unambiguous grammar and a vocabulary of single bytes, h = Φ.
Cost: the system once a grammar (any JSON: 10 ms; most schemas: below 0.1 s; half a second more for lengths).
A step evaluates h once for each configuration that tokens lead to, by states that all stacks share: below
1 ms on 131,072 tokens where the state is known, a walk of the tokens it reads (5 to 50 ms) where it is new.
Source: laws, "Partition"; theory, section 4; Nederhof and Satta, 2008 (partition functions of PCFGs).

The names of undeclared object keys written before are forgotten, and expressions that are very unlikely to be
reached count as one shortest text (see `partition_system`): this only moves h, which W allows.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import log
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from gramspec import _native
from gramspec.errors import ConfigurationLimitError, OptionError, RowLimitError, StateLimitError
from gramspec.validity.partition_series import Algebra, Numbers, Series
from gramspec.validity.partition_solve import SolveLimits
from gramspec.validity.partition_system import ExploreLimits, ExpressionSystem
from gramspec.validity.partition_weights import Weights
from gramspec.validity.protocol import CompiledLanguage, Contract, GrammarState

Floats = NDArray[np.float64]

_Answer = TypeVar("_Answer")
_FULL: Final = (StateLimitError, ConfigurationLimitError, RowLimitError)
_ROOT: Final = np.zeros(1, dtype=np.int32)  # the trie node of the empty token
_VALUES: Final = 20_000  # values of stacks and configurations kept
_ENGINES: Final = 2  # engines whose systems are kept: a full one is replaced by a fresh one


class Partition:
    """Pushdown partition functions as a potential with contract W.

    Parameters
    ----------
    compiled : CompiledGrammar
        The language and its vocabulary.
    weights : ByteWeights, TokenWeights, StateWeights or other Weights
        The proxy: chances of bytes and of stopping. Read now, and again by `refit`.
    max_bytes : int or None
        Lengths told apart, so that h falls when the budget gets too small for a completion; longer
        completions count as one length. None: the budget is looked at by viability alone.
    power : float
        Exponent in (0, 1]: h = (stop · mass)^power. Below 1 where the proxy is far from the model: the chance
        of an ending then falls with every byte that is left, but less than the proxy says.
    floor : float
        Least value of a viable prefix; in (0, 1).
    explore : ExploreLimits, optional
        How many expressions are explored.
    solve : SolveLimits, optional
        Bounds of the solver.
    cache_bytes : int
        Memory for effects of states on tokens.

    Raises
    ------
    OptionError
        If an option is out of range, or the grammar is not compiled.
    DivergenceError
        If the masses cannot be found (see `partition_solve`).
    """

    contract: Contract = "W"

    def __init__(
        self,
        compiled: CompiledLanguage,
        weights: Weights,
        *,
        max_bytes: int | None = 256,
        power: float = 1.0,
        floor: float = 1e-300,
        explore: ExploreLimits | None = None,
        solve: SolveLimits | None = None,
        cache_bytes: int = 1 << 28,
    ) -> None:
        if not 0.0 < power <= 1.0:
            raise OptionError(f"power: above 0 and at most 1, not {power!r}")
        if not 0.0 < floor < 1.0:
            raise OptionError(f"floor: above 0 and below 1, not {floor!r}")
        if max_bytes is not None and max_bytes < 1:
            raise OptionError(f"max_bytes: at least 1, or None, not {max_bytes!r}")
        if not hasattr(compiled.matcher(), "_config"):
            raise OptionError("Partition needs a grammar made by gramspec.compile")
        self.compiled = compiled
        self.weights = weights
        self.max_bytes = max_bytes
        self.power = power
        self.floor = floor
        self._explore = explore or ExploreLimits()
        self._solve = solve or SolveLimits()
        self._cache_bytes = cache_bytes
        self._eos = np.asarray(sorted(compiled.vocabulary.eos_ids), dtype=np.int64)
        self._lengths = weights.token_lengths(compiled.vocabulary.tokens) if max_bytes is not None else None
        self._engines: OrderedDict[int, _Masses] = OrderedDict()
        self.refit()

    @property
    def name(self) -> str:
        """Name of the function with its parameters."""
        return (
            f"partition({self._fingerprint},bytes={self.max_bytes},power={self.power!r},floor={self.floor!r})"
        )

    def refit(self) -> None:
        """Read the weights again and solve; between runs only, never within one."""
        self._fingerprint = self.weights.fingerprint
        self._stop = self.weights.stop
        self._engines.clear()
        matcher = self.compiled.matcher()
        self._masses(matcher).root(int(matcher._config))

    @property
    def iterations(self) -> list[int]:
        """Newton steps of each recursive component solved so far."""
        return [c.iterations for masses in self._engines.values() for c in masses.system.components]

    @property
    def damped(self) -> int:
        """Components whose mass is infinite (ambiguous without end) and was damped."""
        return sum(c.damping < 1.0 for m in self._engines.values() for c in m.system.components)

    @property
    def cut(self) -> int:
        """Expressions that count as one shortest text."""
        return sum(masses.system.cut for masses in self._engines.values())

    def log_h(self, state: GrammarState, prefix: Sequence[int], budget: int) -> float:
        """Return log h of a prefix; -inf where no ending within the budget exists.

        Parameters
        ----------
        state : Matcher
            The grammar state after `prefix`.
        prefix : sequence of int
            Generated tokens so far.
        budget : int
            Tokens that may still come, EOS included.
        """
        if state.is_finished:
            return 0.0
        if budget < 1 or state.min_tokens() > budget:
            return -np.inf
        mass = self._ask(state, lambda masses, config: masses.configuration(config, budget - 1))
        return log(min(1.0, max(self.floor, (self._stop * mass) ** self.power)))

    def h_children(self, state: GrammarState, prefix: Sequence[int], budget: int) -> Floats:
        """h(xv) for every token v; float64 [V], a fresh array.

        Parameters
        ----------
        state, prefix, budget
            As of `log_h`, before v.
        """
        viable = state.viable(budget, exact=False)
        h = np.zeros(len(viable))
        if state.is_finished:
            return h
        if budget > 1:
            found = self._ask(state, lambda masses, config: list(masses.children(config, budget - 2)))
            for effects, masses in found:
                h[effects.tokens] += (self._stop * masses)[effects.group]
            if self.power < 1.0:
                np.power(h, self.power, out=h)
            np.clip(h, self.floor, 1.0, out=h)
            h *= viable
        h[self._eos] = viable[self._eos]
        return h

    def _ask(self, state: Any, question: Callable[[_Masses, int], _Answer]) -> _Answer:
        """Ask about a state; if its engine is full, once more in a fresh one, as matchers do."""
        try:
            return question(self._masses(state), int(state._config))
        except _FULL:
            fresh = state._basis.fresh()
            if fresh is None:
                raise
            state._move_to(fresh)
            return question(self._masses(state), int(state._config))

    def _masses(self, state: Any) -> _Masses:
        core = state._core
        known = self._engines.get(int(core.serial))
        if known is None:
            known = self._engines[int(core.serial)] = self._load(core)
            while len(self._engines) > _ENGINES:
                self._engines.popitem(last=False)
        return known

    def _load(self, core: Any) -> _Masses:
        serial, weights = int(core.serial), self.weights
        mean = 1
        algebra: Algebra = Numbers()
        if self.max_bytes is not None and self._lengths is not None:
            mean = max(1, round(float(self._lengths @ np.arange(len(self._lengths)))))
            algebra = Series(self.max_bytes, self._lengths)
        system = ExpressionSystem(
            core,
            lambda expr, arcs, forced: weights.at(serial, expr, arcs, forced),
            weights.edge,
            edge_length=mean,
            explore=self._explore,
            limits=self._solve,
        )
        return _Masses(core, system, algebra, self._cache_bytes)

    def __repr__(self) -> str:
        return f"<gramspec.Partition {self.name}>"


@dataclass(frozen=True)
class _Effects:
    """What the tokens below some nodes do in a state over an unknown stack."""

    tokens: NDArray[np.int32]
    group: NDArray[np.intp]  # of each token
    values: Any  # of each group
    escapes: NDArray[np.int32]

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        return self.tokens.nbytes + self.group.nbytes + np.asarray(self.values).nbytes + self.escapes.nbytes


class _Masses:
    """Values of configurations and stacks of one engine.

    A stack set is worth the product of its frames, summed over its stacks, and keeps that value: pushing a
    frame is one product, a return none. Values are relative to what lies below wherever they can be shared.
    """

    def __init__(self, core: Any, system: ExpressionSystem, algebra: Algebra, cache_bytes: int) -> None:
        self.core = core
        self.system = system
        self.algebra = algebra
        self._stacks: dict[int, Any] = {}
        self._configs: dict[int, Any] = {}
        self._effects: OrderedDict[tuple[int, bytes], _Effects] = OrderedDict()
        self._room = cache_bytes
        self._solved = -1

    def root(self, config: int) -> None:
        """Explore all that a first configuration depends on."""
        tops, stacks = set(), [s for _, s in _native.partition_items(self.core, config)[1]]
        for top, _ in _native.partition_items(self.core, config)[1]:
            tops.add(top)
        while stacks:
            for frame, below in _native.partition_frames(self.core, stacks.pop())[2]:
                tops.add(frame)
                stacks.append(below)
        self.system.require(tops)
        self._take_over()

    def configuration(self, config: int, tokens: int) -> float:
        """Mass of what completes a configuration within so many tokens."""
        self._make_room()
        ended, items = _native.partition_items(self.core, config)
        parts = [(self.algebra.one(), self.algebra.one())] if ended else []
        for top, stack in items:
            for root, below in self._relative(top, stack):
                parts.append((self._config_value(root), self._stack_value(below)))
        return float(sum(self.algebra.masses([value], below, tokens)[0] for value, below in parts))

    def children(self, config: int, tokens: int) -> Iterator[tuple[_Effects, Floats]]:
        """Tokens in groups, with the mass of what completes the text after each group; tokens may recur."""
        self._make_room()
        todo, seen = [(config, _ROOT)], {(config, _ROOT.tobytes())}
        while todo:
            at, nodes = todo.pop()
            for top, stack in _native.partition_items(self.core, at)[1]:
                for root, below in self._relative(top, stack):
                    effects = self._effects_of(root, nodes)
                    if len(effects.tokens):
                        yield effects, self.algebra.masses(effects.values, self._stack_value(below), tokens)
                    if len(effects.escapes):
                        after = int(_native.partition_returned(self.core, below))
                        key = after, effects.escapes.tobytes()
                        if after and key not in seen:
                            seen.add(key)
                            todo.append((after, effects.escapes))

    # -- values -----------------------------------------------------------------------------------

    def _make_room(self) -> None:
        for values in (self._stacks, self._configs):
            if len(values) > _VALUES:
                values.clear()

    def _expr_value(self, expr: int) -> Any:
        variable = self.system.variable(expr)
        self._take_over()
        return self.algebra.of(variable)

    def _take_over(self) -> None:
        """Tell the algebra what the system has solved since."""
        if len(self.system.values) != self._solved:
            self.algebra.extend(self.system.system, self.system.values)
            self._solved = len(self.system.values)

    def _config_value(self, config: int) -> Any:
        known = self._configs.get(config)
        if known is None:
            ended, items = _native.partition_items(self.core, config)
            known = self.algebra.one() if ended else self.algebra.zero()
            for top, stack in items:
                known = known + self.algebra.times(self._expr_value(top), self._stack_value(stack))
            self._configs[config] = known
        return known

    def _stack_value(self, stack: int) -> Any:
        # Deep stacks: what lies below comes first, on a list of our own.
        waiting = [stack]
        while waiting:
            here = waiting[-1]
            if here in self._stacks:
                waiting.pop()
                continue
            ends, _, frames = _native.partition_frames(self.core, here)
            missing = [below for _, below in frames if below not in self._stacks]
            if missing:
                waiting += missing
                continue
            value = self.algebra.one() if ends else self.algebra.zero()
            for frame, below in frames:
                value = value + self.algebra.times(self._expr_value(frame), self._stacks[below])
            self._stacks[here] = value
            waiting.pop()
        return self._stacks[stack]

    # -- tokens -----------------------------------------------------------------------------------

    def _relative(self, top: int, stack: int) -> Iterator[tuple[int, int]]:
        """A state over an unknown stack, and that stack; a key being written stays above."""
        _, has_key, frames = _native.partition_frames(self.core, stack)
        if not has_key:
            yield int(_native.partition_relative(self.core, top, -1)), stack
            return
        for frame, below in frames:
            yield int(_native.partition_relative(self.core, top, frame)), below

    def _effects_of(self, root: int, nodes: NDArray[np.int32]) -> _Effects:
        key = root, nodes.tobytes()
        known = self._effects.get(key)
        if known is not None:
            self._effects.move_to_end(key)
            return known
        packed = _native.partition_effects(self.core, root, nodes)
        tokens, targets, escapes = (np.frombuffer(part, dtype=np.int32) for part in packed)
        configs, group = np.unique(targets, return_inverse=True)
        values = [self._config_value(int(config)) for config in configs]
        known = self._effects[key] = _Effects(tokens, group, np.asarray(values), escapes)
        self._room -= known.size
        while self._room < 0 and len(self._effects) > 1:
            self._room += self._effects.popitem(last=False)[1].size
        return known
