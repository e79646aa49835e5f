"""`model.generate` with a logits processor, in every way to decode: the decoder that most engines offer.

Law: that of Transformers' own loops; each of their choices is one of the random source.
Source: `transformers.GenerationMixin` (sampling, beams, assisted decoding, prompt look-up).
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from importlib import metadata
from typing import Any

import torch
from transformers import LogitsProcessorList
from transformers.utils import logging

from gramspec.audit.adapters.decoder import MODES, Decoder, RefusedGrammarError, Sources
from gramspec.audit.adapters.protocol import KINDS
from gramspec.audit.law_worlds import DRAFTED, LawWorld
from gramspec.audit.torch_choices import choices_from
from gramspec.decoding.random import RandomSource
from gramspec.errors import OptionError

_CALL = {
    "sample": ", do_sample=True",
    "greedy": "",
    "beams": ", num_beams=3",
    "assisted": ", do_sample=True, assistant_model=world.draft",
    "assisted-greedy": ", assistant_model=world.draft",
    "lookup": ", do_sample=True, prompt_lookup_num_tokens=2",
    "lookup-greedy": ", prompt_lookup_num_tokens=2",
}

Factory = Callable[[Any, str, str], Any]
"""``factory(tokenizer, kind, grammar)`` gives a new logits processor."""

_DRAWN = ("sample", "assisted", "lookup")


class ProcessorDecoder(Decoder):
    """`model.generate(..., logits_processor=[factory(tokenizer, kind, grammar)])`.

    Parameters
    ----------
    factory : callable
        Gives a new processor for a tokenizer of Transformers and a grammar; raises `RefusedGrammarError`
        for a grammar that the engine refuses.
    name, version : str
        As shown in reports.
    kinds : tuple of str
        Kinds of grammar it takes.
    documents : mapping of str to str
        Laws other than the masked one that the engine documents, and where.
    resets : bool
        Whether the engine calls the processor's `reset` before each call of `generate`.
    single_use : str
        Where the engine says that a processor serves one call; empty: it does not say so.
    own : bool
        Whether the engine brings the processor itself.
    modes : tuple of str
        Ways to decode that are tried.
    reproduce : mapping of str to str
        By kind: Python lines that make ``processor`` from ``tokenizer`` and ``grammar``, for findings.
    """

    batches = True

    def __init__(
        self,
        factory: Factory,
        *,
        name: str,
        version: str = "",
        kinds: tuple[str, ...] = KINDS,
        documents: Mapping[str, str] | None = None,
        resets: bool = False,
        single_use: str = "",
        own: bool = True,
        modes: tuple[str, ...] = MODES,
        reproduce: Mapping[str, str] | None = None,
    ) -> None:
        self._factory = factory
        self.name = name
        self.version = version
        self.kinds = kinds
        self.documents = dict(documents or {})
        self.resets = resets
        self.single_use = single_use
        self.own = own
        self.modes = modes
        self._reproduce = dict(reproduce or {})
        self.settings = {"transformers": metadata.version("transformers")}

    def processor(self, world: LawWorld) -> Any:
        """A new processor for a world.

        Raises
        ------
        RefusedGrammarError
            If the engine does not take the grammar.
        """
        if world.kind not in self.kinds:
            raise RefusedGrammarError(f"{self.name} takes no grammar of kind {world.kind!r}")
        return self._factory(world.tokenizer, world.kind, world.grammar)

    def sample(self, world: LawWorld, random: RandomSource) -> Sequence[int]:
        """One text, token by token."""
        return self.generate(world, [world.prompt_ids], "sample", lambda _: random)[0]

    def generate(
        self, world: LawWorld, prompts: Sequence[Sequence[int]], mode: str, sources: Sources
    ) -> list[list[int]]:
        """One call of `model.generate` with a new processor."""
        return self.run(world, self.processor(world), prompts, mode, sources)

    def run(
        self,
        world: LawWorld,
        processor: Any,
        prompts: Sequence[Sequence[int]],
        mode: str,
        sources: Sources,
    ) -> list[list[int]]:
        """One call of `model.generate` with a processor that may have been used before.

        Returns
        -------
        list of list of int
            New tokens; padding behind EOS is left out, other tokens behind it are not.
        """
        ids, mask = padded(prompts, int(world.tokenizer.pad_token_id))
        drawn = choices_from(sources) if mode in _DRAWN else nullcontext()
        with drawn, quiet():
            out = world.target.generate(
                ids,
                attention_mask=mask,
                max_new_tokens=world.max_new_tokens,
                logits_processor=LogitsProcessorList([processor]),
                **_options(world, mode),
            )
        return [_unpadded(row[ids.shape[1] :].tolist(), world) for row in out]

    def likeliest(self, world: LawWorld, processor: Any, ids: Sequence[int]) -> int:
        """The likeliest token after some ids, by one call of a processor as a loop of one's own makes it."""
        scores = world.target.row(tuple(ids)).clone()[None]
        with quiet():
            return int(processor(torch.tensor([list(ids)]), scores)[0].argmax())

    def raw_logits(self, world: LawWorld) -> tuple[torch.Tensor, torch.Tensor]:
        """The first row that ``output_logits=True`` returns, and the one that the model gave."""
        ids, mask = padded([world.prompt_ids], int(world.tokenizer.pad_token_id))
        with quiet():
            out = world.target.generate(
                ids,
                attention_mask=mask,
                max_new_tokens=1,
                do_sample=False,
                logits_processor=LogitsProcessorList([self.processor(world)]),
                return_dict_in_generate=True,
                output_logits=True,
            )
        return out.logits[0][0], world.target.row(tuple(world.prompt_ids))

    def fresh(self) -> Decoder:
        """Another one over the same factory; a factory keeps what it compiled, not what it decoded."""
        return ProcessorDecoder(
            self._factory,
            name=self.name,
            version=self.version,
            kinds=self.kinds,
            documents=self.documents,
            resets=self.resets,
            single_use=self.single_use,
            own=self.own,
            modes=self.modes,
            reproduce=self._reproduce,
        )

    def snippet(self, world: LawWorld, mode: str = "sample") -> str:
        """How a processor is made and used; ways that draw are tried with some seeds."""
        if world.kind not in self._reproduce:
            return ""
        lines = [
            *self._reproduce[world.kind].splitlines(),
            "ids = torch.tensor([world.prompt_ids])",
            f"out = model.generate(ids, logits_processor=[processor], max_new_tokens=8{_CALL[mode]})",
            "print(world.spelled(out[0, ids.shape[1] :].tolist()))",
        ]
        if mode in _DRAWN:
            lines = [
                "for seed in range(20):",
                *(f"    {line}" for line in ["torch.manual_seed(seed)", *lines]),
            ]
        return (
            "import torch\n\n"
            "from gramspec.audit.law_worlds import ALL_WORLDS\n\n"
            f"world = ALL_WORLDS[{world.name!r}]  # a tabular model and a byte-level tokenizer\n"
            f"tokenizer, model, grammar = world.tokenizer, world.target, {world.grammar!r}\n"
            + "\n".join(lines)
            + "\n"
        )


def padded(prompts: Sequence[Sequence[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Prompts padded on the left, and their attention mask."""
    longest = max(len(prompt) for prompt in prompts)
    ids = [[pad] * (longest - len(prompt)) + list(prompt) for prompt in prompts]
    mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return torch.tensor(ids), torch.tensor(mask)


def _unpadded(row: list[int], world: LawWorld) -> list[int]:
    pad = int(world.tokenizer.pad_token_id)
    if world.eos not in row:
        return row
    end = row.index(world.eos) + 1
    behind = row[end:]
    return row[:end] if all(token in (pad, world.eos) for token in behind) else row


def _options(world: LawWorld, mode: str) -> dict[str, Any]:
    if mode not in MODES:
        raise OptionError(f"no way to decode is called {mode!r}; there are {', '.join(MODES)}")
    options: dict[str, Any] = {"do_sample": False}
    if mode in _DRAWN:
        options = {
            "do_sample": True,
            "temperature": world.temperature,
            "top_k": world.top_k,
            "top_p": world.top_p,
        }
    if mode == "beams":
        options["num_beams"] = 3
    if mode.startswith("assisted"):
        config = world.draft.generation_config
        config.num_assistant_tokens = DRAFTED
        config.num_assistant_tokens_schedule = "constant"
        config.assistant_confidence_threshold = 0.0  # stopping by what was drawn would bias the law
        options["assistant_model"] = world.draft
    if mode.startswith("lookup"):
        options["prompt_lookup_num_tokens"] = DRAFTED
    return options


class _Quiet:
    """Silence that the first to ask for begins and the last to leave ends: warnings belong to the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._stack = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._stack.callback(logging.set_verbosity, logging.get_verbosity())
                self._stack.enter_context(warnings.catch_warnings())
                logging.set_verbosity_error()
                warnings.simplefilter("ignore")

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._stack.close()


_QUIET = _Quiet()


def quiet() -> AbstractContextManager[None]:
    """Without the warnings of Transformers and of engines: what matters is in the findings."""
    return _QUIET
