"""What the audit asks of a decoder that generates: token ids of one text, from a world and a random source.

Law: an *exact* decoder makes every choice through the source, so that its law is enumerated; any other is
judged from draws. Source: laws, "How exactness is proved".
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from gramspec.audit.adapters.protocol import KINDS, Capabilities
from gramspec.audit.law_worlds import LawWorld
from gramspec.decoding.random import RandomSource
from gramspec.errors import GramspecError, OptionError

Sources = Callable[[int], RandomSource]
"""The random source of each row of a batch."""

MODES: Final = ("sample", "greedy", "beams", "assisted", "assisted-greedy", "lookup", "lookup-greedy")
"""Ways to decode: draws, the likeliest token, beams, with a draft model, with drafts from the prompt."""


class RefusedGrammarError(GramspecError, ValueError):
    """The decoder does not take this grammar or this way to decode, and says so: no fault, counted apart."""


class Decoder(ABC):
    """A decoder under test.

    One's own overrides `sample` alone; this one masks by partial matches of the package regex::

        class Mine(Decoder):
            name = "mine"
            kinds = ("regex",)

            def sample(self, world, random):
                ids = []
                while world.eos not in ids:
                    logits = world.target_rows((*world.prompt_ids, *ids))
                    weights = np.exp(logits / world.temperature)
                    for token in np.flatnonzero(weights).tolist():
                        more = token != world.eos
                        text = world.text_of([*ids, token])
                        if not regex.fullmatch(world.grammar, text, partial=more):
                            weights[token] = 0.0
                    ids.append(random.choose(weights))
                return ids

        print(gs.audit.run(Mine(), suites=["law"], seed=1).suite("law").tables[0].title)

    Attributes
    ----------
    name, version : str
        As shown in reports.
    settings : Mapping of str to str
        Options that it runs with.
    claims : str
        The law it is said to sample, one of `gramspec.audit.named_laws.MEANINGS`.
    documents : Mapping of str to str
        Other laws that it is documented to sample, and where.
    exact : bool
        Whether all its choices go through the source that it is given.
    repeatable : bool
        Whether the same source gives the same text (a seed is drawn from it, at least).
    modes : tuple of str
        What it can do, out of `MODES`.
    batches : bool
        Whether `generate` takes several prompts at once.
    pathwise : bool
        Whether a row of a batch writes the same text as alone, choice by choice; where rows share what
        changes the cost only, their laws are compared instead.
    draws : int
        Draws that it is judged from, where it is not exact; 0: as many as the power needs.
    kinds : tuple of str
        Kinds of grammar it takes.
    """

    name: str = ""
    version: str = ""
    claims: str = "masked"
    documents: Mapping[str, str] = {}
    settings: Mapping[str, str] = {}
    exact: bool = True
    repeatable: bool = True
    modes: tuple[str, ...] = ("sample",)
    batches: bool = False
    pathwise: bool = True
    draws: int = 0
    kinds: tuple[str, ...] = KINDS

    @property
    def capabilities(self) -> Capabilities:
        """It draws, and shows no masks."""
        return Capabilities(frozenset(self.kinds), masks=False, draws=True)

    @abstractmethod
    def sample(self, world: LawWorld, random: RandomSource) -> Sequence[int]:
        """Draw one text of the world's grammar.

        Parameters
        ----------
        world : LawWorld
            Grammar, prompt, options and the model: ``world.target_rows(prefix)`` gives logits (prompt
            included in the prefix), ``world.target`` is the same as a Transformers model.
        random : RandomSource
            ``random.choose(weights)`` gives an index with probability proportional to its weight.

        Returns
        -------
        sequence of int
            New tokens, EOS included.

        Raises
        ------
        RefusedGrammarError
            If it does not take the grammar.
        """

    def generate(
        self, world: LawWorld, prompts: Sequence[Sequence[int]], mode: str, sources: Sources
    ) -> list[list[int]]:
        """Decode one text for each prompt, in one call.

        Parameters
        ----------
        world : LawWorld
            Its own prompt is not used.
        prompts : sequence of token-id lists
        mode : str
            One of `modes`.
        sources : callable
            The random source of each row.

        Returns
        -------
        list of list of int
            New tokens of each row, EOS included.
        """
        if mode != "sample" or len(prompts) != 1:
            raise OptionError(f"{self.name}: mode {mode!r} with {len(prompts)} prompts is not offered")
        prompt = tuple(int(token) for token in prompts[0])
        return [list(self.sample(world.at(prompt), sources(0)))]

    def fresh(self) -> Decoder:
        """A decoder of the same kind that shares no state with this one."""
        return type(self)()

    def snippet(self, world: LawWorld, mode: str = "sample") -> str:
        """Python lines that reproduce a finding with the engine's own calls; empty where there are none."""
        return ""
