"""Decoders for tests of the audit: a faithful one in plain Python, and one for each known fault.

Law: each faulty decoder differs from the faithful one in the one thing that its name says.
Cost: a row per token. Source: the faults that decoders in use have shown (integration tests, issue threads).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gramspec.audit.adapters.decoder import Decoder, Sources
from gramspec.audit.law_worlds import LawWorld, Tokens
from gramspec.audit.named_laws import Trie, cut
from gramspec.decoding.random import RandomSource

Row = NDArray[np.float64]


class FaithfulDecoder(Decoder):
    """Local masking by the listed texts of the world; drafts are verified token by token.

    Attributes
    ----------
    modes : tuple of str
        "assisted" drafts two tokens from the world's draft model under the mask.
    """

    name = "faithful"
    version = "1"
    modes = ("sample", "assisted")
    batches = True

    def sample(self, world: LawWorld, random: RandomSource) -> Sequence[int]:
        """Token by token."""
        ids: Tokens = ()
        while not ids or ids[-1] != world.eos:
            ids = (*ids, random.choose(self.row(world, ids)))
        return ids

    def generate(
        self, world: LawWorld, prompts: Sequence[Sequence[int]], mode: str, sources: Sources
    ) -> list[list[int]]:
        """Row by row."""
        draw = self.speculate if mode == "assisted" else self.sample
        return [
            list(draw(world.at(tuple(int(t) for t in prompt)), sources(i)))
            for i, prompt in enumerate(prompts)
        ]

    def row(self, world: LawWorld, ids: Tokens, *, draft: bool = False) -> Row:
        """The law of the next token."""
        rows = world.draft_rows if draft else world.target_rows
        logits = np.asarray(rows((*world.prompt_ids, *ids)), dtype=np.float64)
        return cut(np.where(self.mask(world, ids) > 0.0, logits, -np.inf), *self.options(world))

    def mask(self, world: LawWorld, ids: Tokens) -> Row:
        """What may follow."""
        return Trie(world.members, len(world.tokenizer)).mask(ids)

    def options(self, world: LawWorld) -> tuple[float, int, float]:
        """Temperature, top-k, top-p."""
        return world.temperature, world.top_k, world.top_p

    def speculate(self, world: LawWorld, random: RandomSource) -> Sequence[int]:
        """Draft two tokens, keep them while the coin of p/q allows, then one from the residual or from p."""
        ids: Tokens = ()
        while world.eos not in ids and self.mask(world, ids).any():
            drafted = ids
            for _ in range(2):
                if world.eos in drafted:
                    break
                drafted = (*drafted, random.choose(self.row(world, drafted, draft=True)))
            ids = self.verify(world, ids, drafted, random)
        return ids

    def verify(self, world: LawWorld, ids: Tokens, drafted: Tokens, random: RandomSource) -> Tokens:
        """Token verification (Leviathan et al.)."""
        for token in drafted[len(ids) :]:
            p, q = self.row(world, ids), self.row(world, ids, draft=True)
            kept = min(1.0, float(p[token] / q[token]))
            if random.choose(np.array([1.0 - kept, kept])) == 0:
                return (*ids, random.choose(self.after_rejection(p, q)))
            ids = (*ids, token)
        return ids if world.eos in ids else (*ids, random.choose(self.row(world, ids)))

    def after_rejection(self, p: Row, q: Row) -> Row:
        """The residual."""
        return np.maximum(p - q, 0.0)


class MaskedAsConditional(FaithfulDecoder):
    """Samples the masked law and claims the conditional one."""

    name = "masked as conditional"
    claims = "conditional"


class CanonicalOnly(FaithfulDecoder):
    """Allows only the tokenizer's own way to write a text."""

    name = "canonical only"

    def mask(self, world: LawWorld, ids: Tokens) -> Row:
        """What may follow among canonical sequences."""
        own = [(*world.canonical(text), world.eos) for text in world.texts]
        return Trie(own, len(world.tokenizer)).mask(ids)


class TemperatureTwice(FaithfulDecoder):
    """Applies the temperature before the mask and again behind it."""

    name = "temperature twice"

    def options(self, world: LawWorld) -> tuple[float, int, float]:
        """The temperature squared."""
        return world.temperature**2, world.top_k, world.top_p


class CutFirst(FaithfulDecoder):
    """Applies top-k and top-p before the mask."""

    name = "cut first"

    def row(self, world: LawWorld, ids: Tokens, *, draft: bool = False) -> Row:
        """The cut row, masked."""
        rows = world.draft_rows if draft else world.target_rows
        row = cut(np.asarray(rows((*world.prompt_ids, *ids)), dtype=np.float64), *self.options(world))
        row *= self.mask(world, ids)
        return row / row.sum() if row.sum() > 0.0 else row


class NoResidual(FaithfulDecoder):
    """Draws from p instead of the residual after a rejected draft."""

    name = "no residual"

    def after_rejection(self, p: Row, q: Row) -> Row:
        """Not the residual."""
        return p


class KeepsDrafts(FaithfulDecoder):
    """Keeps every draft."""

    name = "keeps drafts"

    def verify(self, world: LawWorld, ids: Tokens, drafted: Tokens, random: RandomSource) -> Tokens:
        """No verification."""
        return drafted


class BonusUnmasked(FaithfulDecoder):
    """Draws the bonus token without the grammar."""

    name = "bonus unmasked"

    def verify(self, world: LawWorld, ids: Tokens, drafted: Tokens, random: RandomSource) -> Tokens:
        """The token behind a draft that was kept whole comes from the bare model."""
        kept = super().verify(world, ids, drafted, random)
        if len(kept) == len(drafted) + 1 and kept[:-1] == drafted:
            logits = np.asarray(world.target_rows((*world.prompt_ids, *drafted)), dtype=np.float64)
            return (*drafted, random.choose(cut(logits, *self.options(world))))
        return kept


class TokenAfterEos(FaithfulDecoder):
    """Writes one more token behind EOS when a draft went beyond it."""

    name = "token after EOS"

    def verify(self, world: LawWorld, ids: Tokens, drafted: Tokens, random: RandomSource) -> Tokens:
        """A bonus token even after EOS."""
        kept = super().verify(world, ids, drafted, random)
        return (*kept, kept[0]) if kept == drafted and kept[-1] == world.eos else kept


class Leaking(FaithfulDecoder):
    """Remembers the first token of the request before, and likes it."""

    name = "leaking"

    def __init__(self) -> None:
        self._last: int | None = None

    def sample(self, world: LawWorld, random: RandomSource) -> Sequence[int]:
        """Token by token; the state outlives the request."""
        ids = tuple(super().sample(world, random))
        self._last = ids[0]
        return ids

    def row(self, world: LawWorld, ids: Tokens, *, draft: bool = False) -> Row:
        """The row, tilted towards what an earlier request wrote."""
        row = super().row(world, ids, draft=draft)
        if self._last is not None and not ids:
            row[self._last] *= 2.0
            row /= row.sum()
        return row


class MixesRows(FaithfulDecoder):
    """Uses the prompt of the longest row of a batch for all of them."""

    name = "mixes rows"

    def generate(
        self, world: LawWorld, prompts: Sequence[Sequence[int]], mode: str, sources: Sources
    ) -> list[list[int]]:
        """Every row after the longest prompt."""
        longest = max(prompts, key=len)
        return super().generate(world, [longest] * len(prompts), mode, sources)
