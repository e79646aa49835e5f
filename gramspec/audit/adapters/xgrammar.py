"""xgrammar behind the audit's face: JSON Schema, regular expressions, EBNF (GBNF), Lark, structural tags.

Law: `default` is the library as it comes (`strict_mode`); `permissive` reads objects as open, as JSON Schema
does. `any_order` is off in both: it checks neither required nor repeated keys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gramspec.audit.adapters.guard import Guarded
from gramspec.audit.adapters.naming import distribution_version, settings_name
from gramspec.audit.adapters.protocol import Capabilities, Refused
from gramspec.vocabulary import Vocabulary

_KINDS: Final = frozenset({"json_schema", "regex", "lark", "gbnf", "choice", "structural_tag"})
_STATED: Final = {
    "default": {"settings": "default", "strict_mode": "true", "any_whitespace": "true", "any_order": "false"},
    "permissive": {
        "settings": "permissive",
        "strict_mode": "false",
        "any_whitespace": "true",
        "any_order": "false",
    },
}


class XgrammarMatcher:
    """A matcher of xgrammar."""

    def __init__(self, matcher: Any, size: int) -> None:
        self._matcher, self._size = matcher, size

    def mask(self) -> NDArray[np.bool_]:
        """Allowed ids as bools."""
        if self._matcher.is_terminated():
            return np.zeros(self._size, dtype=np.bool_)
        words = np.zeros((1, (self._size + 31) // 32), dtype=np.int32)
        self._matcher.fill_next_token_bitmask(words)
        return np.unpackbits(words.view(np.uint8)[0], bitorder="little")[: self._size].astype(np.bool_)

    def advance(self, token_id: int) -> bool:
        """Read a token."""
        return not self._matcher.is_terminated() and bool(self._matcher.accept_token(token_id))

    @property
    def is_accepting(self) -> bool:
        """Whether the sequence so far is complete."""
        return bool(self._matcher.is_completed())

    def rollback(self, tokens: int) -> None:
        """Take back tokens."""
        self._matcher.rollback(tokens)

    def fork(self) -> XgrammarMatcher:
        """An independent matcher."""
        return XgrammarMatcher(self._matcher.fork(), self._size)


class XgrammarCompiled:
    """A compiled grammar of xgrammar."""

    def __init__(self, library: Any, compiled: Any, size: int) -> None:
        self._library, self._compiled, self._size = library, compiled, size

    def matcher(self) -> XgrammarMatcher:
        """A matcher at the beginning."""
        return XgrammarMatcher(self._library.GrammarMatcher(self._compiled), self._size)


class Xgrammar:
    """xgrammar in this process.

    Parameters
    ----------
    settings : str
        ``default`` or ``permissive``.
    """

    name = "xgrammar"
    capabilities = Capabilities(_KINDS, rollback=True, fork=True)

    def __init__(self, *, settings: str = "default") -> None:
        import xgrammar

        self._library: Any = xgrammar
        self._strict = settings_name(settings, _STATED) == "default"
        self.version = distribution_version("xgrammar")
        self.settings: Mapping[str, str] = _STATED[settings]
        self._compilers: dict[str, Any] = {}

    def compile(
        self, kind: str, text: str, vocabulary: Vocabulary, options: Mapping[str, Any] | None = None
    ) -> XgrammarCompiled | Refused:
        """Compile a grammar, or refuse it."""
        compiler = self._compiler(vocabulary)
        start = (options or {}).get("start", "root")
        try:
            if kind == "json_schema":
                compiled = compiler.compile_json_schema(text, strict_mode=self._strict)
            elif kind == "regex":
                compiled = compiler.compile_regex(text)
            elif kind == "lark":
                compiled = compiler.compile_lark(text)
            elif kind == "structural_tag":
                compiled = compiler.compile_structural_tag(text)
            else:
                compiled = compiler.compile_grammar(_ebnf(kind, text), root_rule_name=start)
        except (RuntimeError, ValueError, TypeError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            return Refused(reason.split("] ", 1)[-1])  # without time and place in its source
        return XgrammarCompiled(self._library, compiled, len(vocabulary))

    def _compiler(self, vocabulary: Vocabulary) -> Any:
        made = self._compilers.get(vocabulary.fingerprint)
        if made is None:
            info = self._library.TokenizerInfo(
                [token or b"" for token in vocabulary.tokens],
                self._library.VocabType.RAW,
                vocab_size=len(vocabulary),
                stop_token_ids=list(vocabulary.eos_ids),
            )
            made = self._library.GrammarCompiler(info, max_threads=1, cache_enabled=False)
            self._compilers[vocabulary.fingerprint] = made
        return made

    def snippet(self, kind: str, grammar: str, text: str | None = None) -> str:
        """The calls of xgrammar, on a vocabulary of bytes."""
        strict = "" if self._strict else ", strict_mode=False"
        call = {
            "json_schema": f"compile_json_schema({grammar!r}{strict})",
            "regex": f"compile_regex({grammar!r})",
            "lark": f"compile_lark({grammar!r})",
            "structural_tag": f"compile_structural_tag({grammar!r})",
        }.get(kind) or f"compile_grammar({_ebnf(kind, grammar)!r})"
        lines = [
            "import xgrammar",
            "",
            "tokens = [bytes([value]) for value in range(256)] + [b'']",
            "info = xgrammar.TokenizerInfo(tokens, xgrammar.VocabType.RAW, stop_token_ids=[256])",
            f"compiled = xgrammar.GrammarCompiler(info).{call}",
            "matcher = xgrammar.GrammarMatcher(compiled)",
        ]
        if text is not None:
            lines += [
                f"text = {text!r}.encode()",
                "print(all(matcher.accept_token(byte) for byte in text) and matcher.is_completed())",
            ]
        return "\n".join(lines) + "\n"


def _ebnf(kind: str, text: str) -> str:
    if kind == "choice":
        return "root ::= " + " | ".join(json.dumps(option, ensure_ascii=False) for option in json.loads(text))
    return text


def make(*, settings: str = "default", seconds: float = 10.0, memory: int = 3 << 30) -> Guarded:
    """Make xgrammar in a process of its own, with limits on its time and memory."""
    return Guarded(
        "gramspec.audit.adapters.xgrammar:Xgrammar", {"settings": settings}, seconds=seconds, memory=memory
    )
