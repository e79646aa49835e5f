"""Drafting without a draft model: what `generate` uses when it is given none.

Law: fixed branches (`model_free`): the random choices, and with a seed the output, do not depend on what is
drafted; or branches drawn from what the tables expect (`model_free_drawn`), of which more are kept.
Cost: a few look-ups per node; `DraftMemory` bounds what is remembered. Source: laws, "match".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gramspec.decoding.drafting.copying import CopyDrafter, CopyTable
from gramspec.decoding.drafting.draft_rows import DraftRows
from gramspec.decoding.drafting.drawn import DrawnDrafter
from gramspec.decoding.drafting.forced import ForcedDrafter
from gramspec.decoding.drafting.fusion import FusedDrafter, Trust
from gramspec.decoding.drafting.literals import grammar_literals
from gramspec.decoding.drafting.lookup import LookupDrafter, TextIndex
from gramspec.decoding.drafting.mixture import Mixture
from gramspec.decoding.drafting.ngram import NgramDrafter, NgramTable
from gramspec.decoding.drafting.protocol import Controller, Drafter, controller_of
from gramspec.decoding.drafting.rates import Rates
from gramspec.decoding.drafting.retrieval import CompletionStore, RetrievalDrafter
from gramspec.decoding.drafting.segmentation import Segmenter
from gramspec.decoding.drafting.sources import TOP, SourceDrafter
from gramspec.decoding.drafting.tree import DraftPlan
from gramspec.decoding.kernel import Node
from gramspec.errors import OptionError
from gramspec.validity.protocol import CompiledLanguage

MODEL_FREE_PLAN = DraftPlan(length=10, width=8, nodes=12)
"""A plan that suits `model_free` where nothing is known of what a forward costs."""


DRAWN_PLAN = DraftPlan(length=32, width=16, nodes=96)
"""A plan that suits `model_free_drawn`: as few forwards as may be."""

DRAWN_KEEP = 32
"""Tokens of a row that are worth drawing from."""


class DraftMemory:
    """What model-free drafters have learned of one grammar; shared by attempts, samples and prompts.

    Drafts never change the law, so one memory may also serve several calls; a call with a seed of its own
    starts with a fresh one, so that its costs too can be repeated.

    Parameters
    ----------
    compiled : CompiledGrammar
        The grammar on its vocabulary.
    texts : sequence of bytes
        Texts that are likely to be written, besides those the grammar spells out.
    order : int
        Longest n-gram.
    max_bytes : int
        Bound on what is learned: three quarters for the n-gram table, one quarter for past outputs.
    keep : int
        Most probable tokens remembered of a row: more of them serve drafts that are drawn.
    table : NgramTable, optional
        What to begin with, for example `NgramTable.load(path, compiled)`; it brings its own order and bound.
    store : CompletionStore, optional
        Past outputs to begin with; it brings its own bound.

    Raises
    ------
    OptionError
        When an option is out of range.
    """

    def __init__(
        self,
        compiled: CompiledLanguage,
        *,
        texts: Sequence[bytes] = (),
        order: int = 4,
        max_bytes: int = 1 << 26,
        keep: int = TOP,
        table: NgramTable | None = None,
        store: CompletionStore | None = None,
    ) -> None:
        if isinstance(max_bytes, bool) or not isinstance(max_bytes, int) or max_bytes < 1 << 12:
            raise OptionError(f"max_bytes={max_bytes!r}: a whole number of at least 4096 is needed")
        grammar = getattr(compiled, "grammar", None)
        spelled = grammar_literals(grammar) if grammar is not None else []
        self.compiled = compiled
        self._given = (tuple(texts), order, max_bytes, keep)
        self.keep = keep
        self.segmenter = Segmenter(compiled.vocabulary)
        self.texts = TextIndex([*texts, *spelled])
        most = 3 * (max_bytes // 4)
        self.table = table if table is not None else NgramTable(order, keep=keep, max_bytes=most)
        self.store = store if store is not None else CompletionStore(max_bytes // 4)
        self.forced = ForcedDrafter(compiled.vocabulary, segmenter=self.segmenter)
        self.trust = Trust()
        self.mixture = Mixture()
        self.rates = Rates()
        self.copied = CopyTable()
        self.plain = NgramTable(order, by_state=False, keep=keep, max_bytes=max_bytes // 4)

    def fresh(self) -> DraftMemory:
        """A memory with the same texts and bounds that has learned nothing."""
        texts, order, max_bytes, keep = self._given
        return DraftMemory(self.compiled, texts=texts, order=order, max_bytes=max_bytes, keep=keep)


def shared_memory(
    memory: DraftMemory | None, compiled: CompiledLanguage, seed: int | None = None, *, keep: int = TOP
) -> DraftMemory:
    """The memory that a call works with.

    Parameters
    ----------
    memory : DraftMemory or None
        What the user shares between calls; None begins afresh.
    compiled : CompiledGrammar
        The grammar of the call.
    seed : int, optional
        A call that can be repeated learns in a memory of its own.
    keep : int
        Tokens remembered of a row in a memory that begins afresh.

    Raises
    ------
    OptionError
        When `memory` is something else, or belongs to another grammar or vocabulary.
    """
    if memory is None:
        return DraftMemory(compiled, keep=keep)
    if not isinstance(memory, DraftMemory):
        raise OptionError(f"memory={memory!r}: a DraftMemory is needed")
    if memory.compiled.fingerprint != compiled.fingerprint:
        raise OptionError("memory: it was made for another grammar or vocabulary")
    return memory if seed is None else memory.fresh()


def model_free(
    compiled: CompiledLanguage,
    prompt: Sequence[int],
    *,
    memory: DraftMemory | None = None,
    drawn: Drafter | None = None,
    least: float = 0.02,
) -> FusedDrafter:
    """Forced runs, look-up, n-grams by grammar state and past outputs, fused into one tree.

    Parameters
    ----------
    compiled : CompiledGrammar
        The grammar on its vocabulary.
    prompt : sequence of int
        Prompt ids.
    memory : DraftMemory, optional
        What has been learned; a fresh one by default.
    drawn : Drafter, optional
        A drafter that draws, whose candidates come first.
    least : float
        Estimated probability below which a path is not drafted.

    Raises
    ------
    OptionError
        When `memory` belongs to another grammar or vocabulary.
    """
    memory = shared_memory(memory, compiled)
    return FusedDrafter(_sources(memory, prompt), drawn, trust=memory.trust, least=least)


def model_free_drawn(
    compiled: CompiledLanguage,
    prompt: Sequence[int],
    *,
    memory: DraftMemory | None = None,
    draft: DraftRows | None = None,
    floor: float = 0.004,
) -> DrawnDrafter:
    """N-grams by grammar state, copies from the prompt, forced runs and look-up, their mixture drawn from.

    Parameters
    ----------
    compiled : CompiledGrammar
        The grammar on its vocabulary.
    prompt : sequence of int
        Prompt ids.
    memory : DraftMemory, optional
        What has been learned; a fresh one by default.
    draft : DraftRows, optional
        Rows of a draft model, one more source.
    floor : float
        Places that are reached with less probability are not drafted.

    Raises
    ------
    OptionError
        When `memory` belongs to another grammar or vocabulary.
    """
    memory = shared_memory(memory, compiled, keep=DRAWN_KEEP)
    vocabulary = compiled.vocabulary
    segmenter = memory.segmenter
    return DrawnDrafter(
        [
            NgramDrafter(prompt, memory.table),
            CopyDrafter(prompt, vocabulary, memory.copied, segmenter=segmenter),
        ],
        draft,
        backing=[
            memory.forced,
            LookupDrafter(prompt, vocabulary, memory.texts, segmenter=segmenter),
            NgramDrafter(prompt, memory.plain, name="plain n-gram"),
        ],
        mixture=memory.mixture,
        rates=memory.rates,
        floor=floor,
        keep=memory.keep,
    )


def _sources(memory: DraftMemory, prompt: Sequence[int]) -> list[SourceDrafter]:
    vocabulary = memory.compiled.vocabulary
    return [
        NgramDrafter(prompt, memory.table),  # asked first: where it is sure the others are not asked
        memory.forced,
        RetrievalDrafter(memory.store, eos_ids=vocabulary.eos_ids),
        LookupDrafter(prompt, vocabulary, memory.texts, segmenter=memory.segmenter),
    ]


class AtTheFrontier:
    """A controller that drafts nothing where the target's row is remembered: such a round costs no forward.

    A tree drafted below a remembered row would be paid for before the text has come to what is unknown.

    Parameters
    ----------
    plan : int, DraftPlan or Controller
        How much is drafted elsewhere.
    remembered : callable
        Takes a prefix (prompt excluded); whether its row will be answered from memory.
    """

    def __init__(
        self, plan: int | DraftPlan | Controller, remembered: Callable[[tuple[int, ...]], bool]
    ) -> None:
        self._controller = controller_of(plan)
        self._remembered = remembered

    def plan(self, node: Node) -> DraftPlan:
        """No draft at a remembered prefix."""
        return _NO_DRAFT if self._remembered(node.prefix) else self._controller.plan(node)

    def observe(self, plan: DraftPlan, result: Any, seconds: dict[str, float]) -> None:
        """Rounds that were paid for are passed on."""
        if plan is not _NO_DRAFT:
            self._controller.observe(plan, result, seconds)


_NO_DRAFT = DraftPlan(0)
