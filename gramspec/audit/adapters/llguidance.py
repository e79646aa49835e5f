"""llguidance behind the audit's face: Lark with a lexer, JSON Schema, regular expressions, GBNF through Lark.

Law: `default` is the library as it comes; `permissive` allows every segmentation (`no_forcing`) and every
escape of JSON. Neither turns off what it enforces (`lenient`, `coerce_one_of` stay off).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gramspec.audit.adapters.guard import Guarded
from gramspec.audit.adapters.naming import distribution_version, settings_name
from gramspec.audit.adapters.protocol import Capabilities, EngineFault, Refused
from gramspec.audit.segmentation import segmenter
from gramspec.vocabulary import Vocabulary

_KINDS: Final = frozenset({"json_schema", "regex", "lark", "gbnf", "choice"})
_PATTERN: Final = r"\p{L}+|\p{N}|[^\s\p{L}\p{N}]+|\s+"
_ESCAPES: Final = {"json_allow_general_unicode_escapes": True}
_NO_FORCING: Final = '%llguidance {"no_forcing": true, "allow_initial_skip": true}\n'
_STATED: Final = {
    "default": {"settings": "default"},
    "permissive": {
        "settings": "permissive",
        "no_forcing": "true",
        "allow_initial_skip": "true",
        "json_allow_general_unicode_escapes": "true",
    },
}


class LlguidanceMatcher:
    """A matcher of llguidance; its error state becomes an `EngineFault`."""

    def __init__(self, matcher: Any, size: int) -> None:
        self._matcher, self._size = matcher, size

    def mask(self) -> NDArray[np.bool_]:
        """Allowed ids as bools."""
        packed = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        self._check("mask")
        return np.unpackbits(packed, bitorder="little")[: self._size].astype(np.bool_)

    def advance(self, token_id: int) -> bool:
        """Read a token."""
        taken: bool = self._matcher.try_consume_tokens([token_id]) == 1
        self._check("advance")
        return taken

    @property
    def is_accepting(self) -> bool:
        """Whether the sequence so far is complete."""
        return bool(self._matcher.is_accepting())

    def rollback(self, tokens: int) -> None:
        """Take back tokens."""
        self._matcher.rollback(tokens)
        self._check("rollback")

    def fork(self) -> LlguidanceMatcher:
        """An independent matcher."""
        return LlguidanceMatcher(self._matcher.deep_copy(), self._size)

    def _check(self, stage: Any) -> None:
        if self._matcher.is_error():
            raise EngineFault("error", stage, self._matcher.get_error().splitlines()[0])


class LlguidanceCompiled:
    """A grammar with the matcher that every other is copied from."""

    def __init__(self, matcher: Any, size: int) -> None:
        self._matcher, self._size = matcher, size

    def matcher(self) -> LlguidanceMatcher:
        """A matcher at the beginning."""
        return LlguidanceMatcher(self._matcher.deep_copy(), self._size)


class _Greedy:
    """A vocabulary without some byte, as the library wraps tokenizers: its encoder of pairs needs all."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.eos_token_id = vocabulary.eos_ids[0]
        self.bos_token_id = None
        self.special_token_ids = [i for i, token in enumerate(vocabulary.tokens) if not token]
        self.tokens = [token or f"<special_{i}>".encode() for i, token in enumerate(vocabulary.tokens)]
        self._segments = segmenter(vocabulary)

    def __call__(self, text: bytes | str) -> list[int]:
        raw = text.encode() if isinstance(text, str) else text
        return list(self._segments.greedy(raw) or ())


class Llguidance:
    """llguidance in this process.

    Parameters
    ----------
    settings : str
        ``default`` or ``permissive``.
    """

    name = "llguidance"
    capabilities = Capabilities(_KINDS, rollback=True, fork=True)

    def __init__(self, *, settings: str = "default") -> None:
        import llguidance

        self._library: Any = llguidance
        self._permissive = settings_name(settings, _STATED) == "permissive"
        self.version = distribution_version("llguidance")
        self.settings: Mapping[str, str] = _STATED[settings]
        self._tokenizers: dict[str, Any] = {}

    def compile(
        self, kind: str, text: str, vocabulary: Vocabulary, options: Mapping[str, Any] | None = None
    ) -> LlguidanceCompiled | Refused:
        """Compile a grammar, or refuse it."""
        try:
            grammar = self._grammar(kind, text)
        except ValueError as error:
            return Refused(str(error).splitlines()[0])
        matcher = self._library.LLMatcher(self._tokenizer(vocabulary), grammar, log_level=0)
        if matcher.is_error():
            return Refused(matcher.get_error().splitlines()[0])
        return LlguidanceCompiled(matcher, len(vocabulary))

    def _grammar(self, kind: str, text: str) -> str:
        matcher = self._library.LLMatcher
        if kind == "json_schema" and not self._permissive:
            return str(matcher.grammar_from_json_schema(text))
        if kind == "regex":
            grammar = str(matcher.grammar_from_regex(text))
            if not self._permissive:
                return grammar
            lark = json.loads(grammar)["grammars"][0]["lark_grammar"]
        else:
            lark = _lark(kind, text)
        return str(matcher.grammar_from_lark(_NO_FORCING + lark if self._permissive else lark))

    def _tokenizer(self, vocabulary: Vocabulary) -> Any:
        made = self._tokenizers.get(vocabulary.fingerprint)
        if made is None and len(vocabulary.byte_complete) < 256:
            made = self._library.LLTokenizer(self._library.TokenizerWrapper(_Greedy(vocabulary)))
            self._tokenizers[vocabulary.fingerprint] = made
        elif made is None:
            ranks: dict[bytes, int] = {}
            for number, token in enumerate(vocabulary.tokens):
                if token and token not in ranks:
                    ranks[token] = number
            taken = set(ranks.values())
            specials = {f"<special_{i}>": i for i in range(len(vocabulary)) if i not in taken}
            made = self._library.LLTokenizer.from_tiktoken(
                encoder=ranks,
                special_tokens=specials,
                pattern=_PATTERN,
                eos_token=vocabulary.eos_ids[0],
                n_vocab=len(vocabulary),
            )
            self._tokenizers[vocabulary.fingerprint] = made
        return made

    def snippet(self, kind: str, grammar: str, text: str | None = None) -> str:
        """The calls of llguidance, on its tokenizer of bytes."""
        if kind == "regex":
            made = f"LLMatcher.grammar_from_regex({grammar!r})"
        elif kind == "json_schema" and not self._permissive:
            made = f"LLMatcher.grammar_from_json_schema({grammar!r})"
        else:
            lark = _lark(kind, grammar)
            made = f"LLMatcher.grammar_from_lark({_NO_FORCING + lark if self._permissive else lark!r})"
        lines = [
            "from llguidance import LLMatcher, LLTokenizer",
            "",
            'tokenizer = LLTokenizer("byte")',
            f"matcher = LLMatcher(tokenizer, {made})",
            "print(matcher.get_error())",
        ]
        if text is not None:
            lines += [
                f"tokens = tokenizer.tokenize_str({text!r})",
                "print(matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting())",
            ]
        return "\n".join(lines) + "\n"


def _lark(kind: str, text: str) -> str:
    """A grammar in the library's variant of Lark."""
    if kind == "json_schema":
        schema = json.loads(text)
        schema = {} if schema is True else schema
        if isinstance(schema, dict):
            schema = schema | {"x-guidance": _ESCAPES}
        return f"start: %json {json.dumps(schema)}"
    if kind == "choice":
        return "start: " + " | ".join(json.dumps(option, ensure_ascii=False) for option in json.loads(text))
    if kind == "gbnf":
        from llguidance.gbnf_to_lark import gbnf_to_lark

        return str(gbnf_to_lark(text))
    return text


def make(*, settings: str = "default", seconds: float = 10.0, memory: int = 3 << 30) -> Guarded:
    """Make llguidance in a process of its own, with limits on its time and memory."""
    return Guarded(
        "gramspec.audit.adapters.llguidance:Llguidance",
        {"settings": settings},
        seconds=seconds,
        memory=memory,
    )
