"""Small worlds for decoders that generate: a real tokenizer, tabular models, a language listed text by text.

Law: members are all segmentations of the listed texts, EOS included; nothing here asks a grammar engine.
Cost: some dozens of token sequences per world. Source: laws, "How exactness is proved".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gramspec.audit.results import Case
from gramspec.vocabulary import Vocabulary

Tokens = tuple[int, ...]
Rows = Callable[[Sequence[int]], NDArray[np.float64]]

EOS: Final = "<eos>"
DRAFTED: Final = 2
"""Tokens drafted in a round of speculation."""
_SHARED: Final = (
    "tokenizer",
    "vocabulary",
    "target_rows",
    "draft_rows",
    "target",
    "draft",
    "active",
    "members",
    "_by_bytes",
)


@dataclass(frozen=True)
class LawWorld:
    """A grammar whose language is known, two models over one tokenizer, and the options that define p.

    Parameters
    ----------
    name : str
        Of the world, as reports show it.
    kind, grammar : str
        The grammar, as `adapters.KINDS` names kinds.
    texts : tuple of str
        All its texts (ASCII).
    merges : tuple of str
        Tokens of two or more characters; every byte is a token too.
    strays : tuple of str
        Tokens that the models like and the grammar has no use for.
    seed : int
        Of the models' rows.
    prompt : tuple of str
        Tokens of the prompt.
    ids : tuple of int, optional
        Ids of the prompt, instead.
    temperature, top_k, top_p
        Options of the draw.
    max_new_tokens : int
        N, beyond the longest member.
    """

    name: str
    kind: str
    grammar: str
    texts: tuple[str, ...]
    merges: tuple[str, ...]
    strays: tuple[str, ...] = ("x",)
    seed: int = 0
    prompt: tuple[str, ...] = ("x",)
    ids: Tokens | None = None
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    max_new_tokens: int = 8

    def with_(self, **changes: Any) -> LawWorld:
        """A copy with other fields; what is equal is not made again."""
        other = replace(self, **changes)
        if {"merges", "strays", "seed", "texts"}.isdisjoint(changes):
            for name in _SHARED:
                if name in self.__dict__:
                    other.__dict__[name] = self.__dict__[name]
        return other

    def at(self, prompt: Tokens) -> LawWorld:
        """The same world after another prompt."""
        return self.with_(ids=prompt)

    @cached_property
    def tokenizer(self) -> Any:
        """A fast byte-level tokenizer of Transformers."""
        from gramspec.testing.causal import byte_tokenizer

        return byte_tokenizer(self.merges, eos=EOS)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Its tokens as bytes."""
        return Vocabulary.from_tokenizer(self.tokenizer)

    @property
    def eos(self) -> int:
        """The token that ends a text."""
        return int(self.tokenizer.eos_token_id)

    @cached_property
    def prompt_ids(self) -> Tokens:
        """Ids of the prompt."""
        return self.ids if self.ids is not None else tuple(self.id_of(text) for text in self.prompt)

    @cached_property
    def active(self) -> list[int]:
        """Tokens that the models may write: those of the language, the strays, EOS."""
        used = {token for text in self.texts for ids in self.segmentations(text) for token in ids}
        return sorted(used | {self.id_of(text) for text in self.strays} | {self.eos})

    @cached_property
    def target_rows(self) -> Rows:
        """Logits of the target; -inf for tokens that are not active."""
        return self._rows(2 * self.seed)

    @cached_property
    def draft_rows(self) -> Rows:
        """Logits of the draft: another model."""
        return self._rows(2 * self.seed + 1)

    @cached_property
    def target(self) -> Any:
        """The target, for `model.generate`."""
        return self._model(self.target_rows)

    @cached_property
    def draft(self) -> Any:
        """The draft, for `assistant_model`."""
        return self._model(self.draft_rows)

    @cached_property
    def members(self) -> tuple[Tokens, ...]:
        """Every token sequence of the language, EOS included."""
        return tuple(sorted((*ids, self.eos) for text in self.texts for ids in self.segmentations(text)))

    @property
    def case(self) -> Case:
        """What a finding shows."""
        options = {
            "temperature": f"{self.temperature:g}",
            "top_k": str(self.top_k),
            "top_p": f"{self.top_p:g}",
        }
        return Case(
            self.kind,
            self.grammar,
            vocabulary=f"all bytes and {', '.join(map(repr, self.merges))}",
            origin=f"built-in:{self.name}",
            options=options,
        )

    def id_of(self, text: str) -> int:
        """Id of the token with these characters."""
        if text == EOS:
            return self.eos
        return self._by_bytes[text.encode()]

    def spelled(self, ids: Sequence[int]) -> str:
        """Tokens as a reader sees them."""
        known = {token: raw.decode("utf-8", "replace") for raw, token in self._by_bytes.items()}
        return " ".join(known.get(token, EOS if token == self.eos else f"<{token}>") for token in ids)

    def text_of(self, ids: Sequence[int]) -> str:
        """The text of token ids, EOS excluded."""
        return self.vocabulary.decode(ids).decode("utf-8", "replace")

    def segmentations(self, text: str) -> list[Tokens]:
        """Every way to write a text in tokens."""
        raw = text.encode()
        tables: list[list[Tokens]] = [[()]]
        for end in range(1, len(raw) + 1):
            tables.append(
                [
                    (*before, self._by_bytes[raw[begin:end]])
                    for begin in range(end)
                    if raw[begin:end] in self._by_bytes
                    for before in tables[begin]
                ]
            )
        return tables[-1]

    def canonical(self, text: str) -> Tokens:
        """The tokenizer's own way."""
        return tuple(self.tokenizer.encode(text, add_special_tokens=False))

    @cached_property
    def _by_bytes(self) -> dict[bytes, int]:
        return {raw: token for token, raw in enumerate(self.vocabulary.tokens) if raw is not None}

    def _rows(self, seed: int) -> Rows:
        from gramspec.testing.worlds import random_rows

        active, width = self.active, len(self.tokenizer)
        base = random_rows(seed, len(active), scale=1.3, impossible=0.0)

        def row(prefix: Sequence[int]) -> NDArray[np.float64]:
            logits = np.full(width, -np.inf)
            logits[active] = base(prefix)
            return logits

        return row

    def _model(self, rows: Rows) -> Any:
        from gramspec.testing.causal import TabularCausalLM

        return TabularCausalLM(rows, len(self.tokenizer), self.eos, int(self.tokenizer.pad_token_id))


_LETTERS = LawWorld(
    "letters",
    "regex",
    "(ab|ba)c?|cab",
    ("ab", "abc", "ba", "bac", "cab"),
    ("ab", "bc", "abc"),
    seed=21,
)
_WARPED = _LETTERS.with_(name="letters, cut", seed=148, temperature=0.7, top_k=4, top_p=0.95)
_HOT = _LETTERS.with_(name="letters, hot", seed=217, temperature=1.6)
_VALUES = LawWorld(
    "values",
    "json_schema",
    '{"enum": ["ab", "abc", 12]}',
    ('"ab"', '"abc"', "12"),
    ('"a', "ab", 'b"'),
    seed=108,
)
_SHORT = LawWorld(
    "short", "regex", "ab|b", ("ab", "b"), ("ab",), seed=69, prompt=("a", "b", "a"), max_new_tokens=5
)

WORLDS: Final[dict[str, LawWorld]] = {w.name: w for w in (_LETTERS, _WARPED, _HOT, _VALUES)}
"""Worlds of the law suite."""

SPECULATION: Final[dict[str, LawWorld]] = {
    "short": _SHORT,
    "short, hot": _SHORT.with_(name="short, hot", seed=33, temperature=1.6),
}
"""Worlds small enough to enumerate draft and verify loops."""

_WIDE = LawWorld(
    "wide",
    "regex",
    "[abc]{3,4}",
    tuple("".join(letters) for n in (3, 4) for letters in product("abc", repeat=n)),
    ("ab", "bc", "abc"),
)
BEAMS: Final[dict[str, LawWorld]] = {
    f"wide {seed}": _WIDE.with_(name=f"wide {seed}", seed=seed) for seed in range(4)
}
"""Worlds wide enough for beams to change places."""

ALL_WORLDS: Final[dict[str, LawWorld]] = {**WORLDS, **SPECULATION, **BEAMS}
"""By name, for the snippets of findings."""
