"""`DecodingOptions`: how a decoder works, never what law it samples.

Law: no option here changes the law of a completion; budgets are consulted between attempts only.
Source: laws, "What may be claimed".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from gramspec.errors import OptionError


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """Options of the decoding loop.

    Parameters
    ----------
    gamma : int or None
        Tokens drafted on a path per round at most; 0 drafts nothing; None: as suits the drafter.
    max_attempts : int
        Attempts per sample.
    max_seconds : float or None
        Seconds per sample after which no further attempt begins.
    max_target_forwards : int or None
        Target forwards per sample after which no further attempt begins.
    trie_nodes : int
        Prefixes whose learned mass is remembered.
    memo_bytes : int
        Bytes of rows remembered per model during one call; 0 remembers none.
    width : int or None
        Candidates drafted at one node at most; 1 drafts a chain; None: as suits the drafter.
    nodes : int or None
        Tokens drafted per round at most, all paths together; None: as suits the drafter.
    drafter : str
        Who drafts: "auto" (for restarts "probing" with a draft model and "model-free-probing" without,
        otherwise "fused" and "model-free"), "none", "model" (a chain of the draft model), "tree" (a tree of
        it), "dyspec" (a tree that grows where it is likely to be kept), "probing" (that also looks where Φ
        can be learned fastest; needs no draft model), "model-free" (grammar, n-grams, look-up and past
        outputs), "model-free-probing" (the last one behind "probing" without a draft model), "fused"
        (behind "model"), "model-free-drawn" (drawn from what grammar, n-grams, look-up and past outputs
        expect: the fewest target forwards without a draft model), "fused-drawn" (with the draft model as one
        more source).
    verifier : str
        Rule that keeps or refuses drafts: "auto" (the best that holds for every drafter), or a name of
        `gramspec.decoding.verification.VERIFIERS`.
    controller : str
        Who decides how much each round drafts: "auto" drafts only where the target's row is not remembered,
        "fixed" always; "threshold" also by how often drafts of a grammar state are kept; "latency" drafts
        nodes only while they pay in measured seconds (never with a seed); "bandit" tries the drafters at hand
        and goes by tokens per round; "bandit-seconds" by the clock (never with a seed).
    lanes : int
        Prompts decoded side by side, their rows asked for in one forward, where the target can score
        several sequences at once (`TransformersModel.batches`); 1: one after the other. Each takes its
        share of `memo_bytes`, and what a sample takes in seconds counts the others' turns too.
    parallel : int
        Attempts of one prompt under way at a time ("restart").
    auto_attempts : int
        Attempts that "auto" makes before it turns to weighted draws.
    particles : int
        Particles of one "smc" run.
    ess_threshold : float
        Particles are resampled where their effective number falls below this share of them.
    mcmc_steps : int
        Moves of one "mcmc" chain.
    mcmc_fresh : float
        Share of moves that propose a whole text; the others keep a prefix of the present one.
    bounds : bool
        "auto": where an exact draw of the prompt is at hand, a weighted draw also reports both stochastic
        bounds on log Φ(ε), at the cost of one more run.

    Raises
    ------
    OptionError
        When an option is out of range.
    """

    gamma: int | None = None
    max_attempts: int = 10_000
    max_seconds: float | None = None
    max_target_forwards: int | None = None
    trie_nodes: int = 100_000
    memo_bytes: int = 1 << 28
    width: int | None = field(default=None, kw_only=True)
    nodes: int | None = field(default=None, kw_only=True)
    drafter: str = field(default="auto", kw_only=True)
    verifier: str = field(default="auto", kw_only=True)
    controller: str = field(default="auto", kw_only=True)
    lanes: int = field(default=8, kw_only=True)
    parallel: int = field(default=1, kw_only=True)
    auto_attempts: int = field(default=1_000, kw_only=True)
    particles: int = field(default=16, kw_only=True)
    ess_threshold: float = field(default=0.5, kw_only=True)
    mcmc_steps: int = field(default=10, kw_only=True)
    mcmc_fresh: float = field(default=0.5, kw_only=True)
    bounds: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None or name not in ("gamma", "width", "nodes", "max_target_forwards"):
                check_whole(name, value, least)
        if self.max_seconds is not None and not 0 < self.max_seconds < inf:
            raise OptionError(f"max_seconds={self.max_seconds!r}: a positive number, or None, is needed")
        for name in ("ess_threshold", "mcmc_fresh"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
                raise OptionError(f"{name}={value!r}: a number from 0 to 1 is needed")
        for name in ("drafter", "verifier", "controller"):
            if not isinstance(getattr(self, name), str):
                raise OptionError(f"{name}={getattr(self, name)!r}: a name is needed")
        if not isinstance(self.bounds, bool):
            raise OptionError(f"bounds={self.bounds!r}: True or False is needed")


_LEAST = {
    "gamma": 0,
    "max_attempts": 1,
    "max_target_forwards": 1,
    "trie_nodes": 1,
    "memo_bytes": 0,
    "width": 1,
    "nodes": 1,
    "lanes": 1,
    "parallel": 1,
    "auto_attempts": 0,
    "particles": 1,
    "mcmc_steps": 0,
}


def check_whole(name: str, value: object, least: int) -> None:
    """Refuse a value that is not a whole number of at least `least`.

    Raises
    ------
    OptionError
        Naming the option.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise OptionError(f"{name}={value!r}: a whole number of at least {least} is needed")
