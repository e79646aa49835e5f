"""`GrammarLogitsProcessor`: a grammar as a logits processor of `model.generate`.

Law: samples the locally masked law, not P(y | y in L); a mask is a function of the ids after the prompt.
Cost: a step looks up one trie edge a token of each row, advances one matcher a new row, masks the batch once.
Source: API, section 5; the calls that Transformers 5 makes of a logits processor.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from typing import Any, Literal

from gramspec.errors import (
    BudgetTooSmallError,
    DeadEndError,
    LogitsError,
    OptionError,
    PromptError,
    RejectedTokenError,
    VocabularyError,
)
from gramspec.integrations.continuous_batching import refuse, refuse_in_generate_batch
from gramspec.integrations.prefix_states import PrefixStates, State
from gramspec.integrations.running_call import RunningCall, running_call
from gramspec.kernels.masking import apply_bitmask
from gramspec.matching.compiled import CompiledGrammar


class _ContinuousBatching:
    """False; an error when continuous batching asks a processor, since it would drop it then."""

    def __get__(self, processor: Any, kind: type) -> bool:
        asking = sys._getframe(1).f_globals.get("__name__", "")
        if processor is not None and "continuous_batching" in asking and asking.startswith("transformers."):
            refuse(processor, kind)
        return False


class _Local(threading.local):
    """What one thread remembers: its trie of states, and the generation of a loop of the caller's own."""

    states: PrefixStates | None = None
    generation: int = 0
    length: int | None = None
    prompts: frozenset[tuple[int, ...]] = frozenset()


class GrammarLogitsProcessor:
    """Mask the tokens that a grammar does not allow after the text so far, inside `model.generate`.

    It **samples the masked law**: every text is a member of the grammar (or a prefix of one, where the length
    ends it), but not drawn from P(y | y in L). That is what `gramspec.transformers.generate` does.

    A mask is a function of the ids after the prompt, whatever was asked before; scores are never changed in
    place. Under `model.generate` the end of the prompt is read from the running call, so that one
    processor serves any number of calls, threads, beams, drafts and look-ups. In a loop of your own it is
    `prompt_length`, or that of `for_prompt`; without either the first call shows the prompts, and every
    further one has to go on with them by a token: anything else is an error, until `reset`.

    Parameters
    ----------
    compiled : CompiledGrammar
    prompt_length : int, optional
        Ids of a row before the text, padding on the left counted.
    pad_token_id : int, optional
        The token that fills rows after EOS. By default any token may, but the same one throughout a row.
    max_new_tokens : int or "call", optional
        Tokens of a text, EOS counted: masks then keep the tokens alone after which the text can still end
        in time, so that every row is a member. "call": those of the call of `model.generate`. None: the
        length may cut a text off.
    max_entries : int
        Prefixes remembered by a thread; above it those that the rows at hand do not begin with are forgotten.

    Raises
    ------
    OptionError
        If an argument is out of range.
    """

    supports_continuous_batching = _ContinuousBatching()

    def __init__(
        self,
        compiled: CompiledGrammar,
        *,
        prompt_length: int | None = None,
        pad_token_id: int | None = None,
        max_new_tokens: int | Literal["call"] | None = None,
        max_entries: int = 65536,
    ) -> None:
        if not isinstance(compiled, CompiledGrammar):
            raise OptionError(f"compiled={type(compiled).__name__}: give what `gramspec.compile` returns")
        _require_count("prompt_length", prompt_length, 0)
        _require_count("pad_token_id", pad_token_id, 0)
        if max_new_tokens != "call":
            _require_count("max_new_tokens", max_new_tokens, 1)
        _require_count("max_entries", max_entries, 1)
        self._compiled = compiled
        self._length = prompt_length
        self._prompts: frozenset[tuple[int, ...]] | None = None
        self._pad = pad_token_id
        self._budget = max_new_tokens
        self._most = max_entries
        self._local = _Local()
        self._checked_eos: frozenset[int] = frozenset()
        refuse_in_generate_batch(GrammarLogitsProcessor)

    @property
    def compiled(self) -> CompiledGrammar:
        """The compiled grammar."""
        return self._compiled

    def for_prompt(self, input_ids: Any) -> GrammarLogitsProcessor:
        """A processor for these prompts alone.

        Parameters
        ----------
        input_ids : torch.Tensor, int64, [B, S]
            What `model.generate` is given.

        Returns
        -------
        GrammarLogitsProcessor
            It raises PromptError for a row that begins with none of the prompts.
        """
        rows = _rows(input_ids)
        bound = GrammarLogitsProcessor(
            self._compiled,
            prompt_length=len(rows[0]),
            pad_token_id=self._pad,
            max_new_tokens=self._budget,
            max_entries=self._most,
        )
        bound._prompts = frozenset(map(tuple, rows))
        return bound

    def reset(self) -> None:
        """Begin a generation in a loop of your own: the next call shows its prompts."""
        self._local.length = None

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """The scores with −inf for every token that is not allowed.

        Parameters
        ----------
        input_ids : torch.Tensor, int64, [B, S]
        scores : torch.Tensor, [B, V], float64, float32, float16 or bfloat16, on any device

        Returns
        -------
        torch.Tensor
            A new tensor. A row that has ended may only repeat EOS. A row that took a token which its mask
            forbade is −inf throughout while another row of the same prompt has not (beam search keeps such
            beams, of probability 0, when there are fewer texts than beams).

        Raises
        ------
        RejectedTokenError
            If a row left the grammar; names the row and the token.
        DeadEndError
            If no row of a prompt has a token that the mask and the processors before it leave.
        BudgetTooSmallError
            If no text has as few as `max_new_tokens`.
        PromptError
            If it is not known where the prompt ends, or rows are shorter than the prompt.
        LogitsError
            If scores have another shape than [B, V], or are narrower than the vocabulary.
        VocabularyError
            If the call ends at a token that is text in this vocabulary.
        OptionError
            For assisted decoding between two tokenizers.
        """
        call = running_call()
        _check_shapes(input_ids, scores, len(self._compiled.vocabulary))
        if call is not None:
            self._check_eos(call.eos_ids)
        length = self._prompt_length(input_ids, call)
        texts: list[list[int]] = input_ids[:, length:].tolist()
        states = self._states()
        found = states.states(texts)
        for state in found:
            state.shown = self._local.generation
        budget = self._tokens(length, call)
        table = states.masks(found, budget)
        if call is not None and call.assisted:
            # Behind a token that the target rejects; no row of the loop is read there.
            for state, words in zip(found, table, strict=True):
                if state.left is not None or (call.drafting and not words.any()):
                    states.allow_eos(words)
        import torch

        out = scores.clone(memory_format=torch.contiguous_format)
        apply_bitmask(out, torch.from_numpy(table).to(out.device))
        if call is None or not call.drafting:
            alive = (out != -torch.inf).any(dim=-1).tolist()
            if not all(alive):
                self._refuse(input_ids[:, :length].tolist(), found, table, alive, budget)
        return out

    def __copy__(self) -> GrammarLogitsProcessor:
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._local = _Local()
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> GrammarLogitsProcessor:
        return self.__copy__()  # all that is shared is immutable

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        del state["_local"]
        state["_compiled"] = self._compiled.to_bytes(), self._compiled.vocabulary
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        data, vocabulary = state.pop("_compiled")
        self.__dict__.update(state)
        self._compiled = CompiledGrammar.from_bytes(data, vocabulary)
        self._local = _Local()
        refuse_in_generate_batch(GrammarLogitsProcessor)

    def _states(self) -> PrefixStates:
        if self._local.states is None:
            self._local.states = PrefixStates(self._compiled, self._pad, self._most)
        return self._local.states

    def _tokens(self, length: int, call: RunningCall | None) -> int | None:
        """Tokens of a text in all."""
        if self._budget != "call":
            return self._budget
        if call is None:
            raise OptionError(
                "max_new_tokens='call' outside of model.generate: no call says how long a text may be"
                "\n  hint: give the number of tokens"
            )
        return call.max_length - length

    def _check_eos(self, ids: frozenset[int]) -> None:
        if ids == self._checked_eos:
            return
        vocabulary = self._compiled.vocabulary
        for token in sorted(ids.difference(vocabulary.eos_ids)):
            if 0 <= token < len(vocabulary) and vocabulary.tokens[token] is not None:
                raise VocabularyError(
                    f"eos_token_id: the call ends at token {token}, which is the text"
                    f" {vocabulary.tokens[token]!r} in this vocabulary, so that texts would be cut off"
                    f"\n  hint: those of the vocabulary are {list(vocabulary.eos_ids)}; give it the call's"
                )
        self._checked_eos = ids

    def _prompt_length(self, input_ids: Any, call: RunningCall | None) -> int:
        size = int(input_ids.shape[1])
        length = self._length
        where = f"prompt_length={length}"
        if length is None:
            if call is None:
                return self._own_loop(_rows(input_ids))
            length, where = call.length, f"the prompt of the call ({call.length})"
        if size < length:
            raise PromptError(f"rows of {size} ids are shorter than {where}")
        if self._prompts is not None:
            for index, row in enumerate(input_ids[:, :length].tolist()):
                if tuple(row) not in self._prompts:
                    raise PromptError(f"row {index} begins with none of the prompts this processor is for")
        return length

    def _own_loop(self, rows: list[list[int]]) -> int:
        """The length of the prompts of the running generation, of which every row has to be a part."""
        local, size = self._local, len(rows[0])
        if local.length is None:
            local.generation += 1
            local.length, local.prompts = size, frozenset(map(tuple, rows))
            return size
        for index, row in enumerate(rows):
            if size < local.length or tuple(row[: local.length]) not in local.prompts:
                why = "begins with none of its prompts"
            elif size > local.length and not self._was_shown(row[local.length : -1]):
                why = "goes on by more than a token behind what it has shown"
            else:
                continue
            raise PromptError(
                f"row {index} is not of the running generation with prompts of {local.length} ids: it {why}"
                "\n  hint: outside of model.generate call reset() before each generation, or say where"
                " the prompt ends: for_prompt(input_ids), prompt_length=..."
            )
        return local.length

    def _was_shown(self, tokens: Sequence[int]) -> bool:
        state = self._states().find(tokens)
        return state is not None and state.shown == self._local.generation

    @staticmethod
    def _refuse(
        prompts: list[list[int]],
        states: Sequence[State],
        table: Any,
        alive: Sequence[bool],
        budget: int | None,
    ) -> None:
        hopeful = {tuple(prompt) for prompt, lives in zip(prompts, alive, strict=True) if lives}
        for index, (prompt, state) in enumerate(zip(prompts, states, strict=True)):
            if alive[index] or tuple(prompt) in hopeful:
                continue
            if state.left is not None:
                raise RejectedTokenError(f"row {index} left the grammar {state.left}")
            if state.length == 0 and budget is not None and not table[index].any():
                least = state.matcher.min_tokens(exact=True)
                raise BudgetTooSmallError(
                    f"max_new_tokens={budget}: the shortest text has {least} tokens, EOS included"
                )
            why = (
                "every token that the grammar allows has the score −inf already: by the model, or by a"
                " processor before this one"
                if table[index].any()
                else "no token is allowed: its texts are too long for max_new_tokens, or its residual"
                " predicates are not met"
            )
            raise DeadEndError(f"row {index} after {state.length} generated tokens: {why}")


def _require_count(name: str, value: Any, least: int) -> None:
    if value is None and name != "max_entries":
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise OptionError(f"{name}={value!r}: a whole number from {least} on is needed")


def _check_shapes(input_ids: Any, scores: Any, size: int) -> None:
    ids, shape = tuple(getattr(input_ids, "shape", ())), tuple(getattr(scores, "shape", ()))
    if len(ids) != 2 or ids[0] < 1:
        raise PromptError(f"input_ids of shape {ids}: [B, S] with a row is needed")
    if len(shape) != 2 or shape[0] != ids[0]:
        raise LogitsError(f"scores of shape {shape} for {ids[0]} rows of ids: [B, V] is needed")
    if shape[1] < size:
        raise LogitsError(
            f"scores have {shape[1]} entries a row, the vocabulary {size} tokens: that is another tokenizer's"
            "\n  hint: gs.Vocabulary.from_tokenizer(tokenizer, size=...) of the model that is asked"
        )


def _rows(input_ids: Any) -> list[list[int]]:
    shape = tuple(getattr(input_ids, "shape", ()))
    if len(shape) != 2 or shape[0] < 1:
        raise PromptError(f"input_ids of shape {shape}: [B, S] with a row is needed")
    rows: list[list[int]] = input_ids.tolist()
    return rows
