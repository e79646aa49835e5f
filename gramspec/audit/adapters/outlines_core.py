"""outlines_core behind the audit's face: JSON Schema as one regular expression, regular expressions, choices.

Law: `default` has its white space (one blank where JSON allows any); `permissive` the white space of JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gramspec.audit.adapters.guard import Guarded
from gramspec.audit.adapters.naming import distribution_version, settings_name
from gramspec.audit.adapters.protocol import Capabilities, Refused
from gramspec.vocabulary import Vocabulary

_KINDS: Final = frozenset({"json_schema", "regex", "choice"})
_STATED: Final = {
    "default": {"settings": "default", "whitespace_pattern": "[ ]?", "max_recursion_depth": "3"},
    "permissive": {
        "settings": "permissive",
        "whitespace_pattern": "[ \\t\\n\\r]*",
        "max_recursion_depth": "3",
    },
}


class OutlinesMatcher:
    """A guide of outlines_core."""

    def __init__(self, guide: Any, size: int) -> None:
        self._guide, self._size = guide, size

    def mask(self) -> NDArray[np.bool_]:
        """Allowed ids as bools."""
        words = np.zeros((self._size + 31) // 32, dtype=np.int32)
        self._guide.write_mask_into(words.ctypes.data, words.size, words.itemsize)
        return np.unpackbits(words.view(np.uint8), bitorder="little")[: self._size].astype(np.bool_)

    def advance(self, token_id: int) -> bool:
        """Read a token."""
        try:
            self._guide.advance(token_id, False)  # False: no list of the next tokens
        except ValueError:
            return False
        return True

    @property
    def is_accepting(self) -> bool:
        """Whether the sequence so far is complete."""
        return bool(self._guide.is_finished())

    def rollback(self, tokens: int) -> None:
        """Take back tokens, at most 32."""
        self._guide.rollback_state(tokens)


class OutlinesCompiled:
    """An index of outlines_core."""

    def __init__(self, library: Any, index: Any, size: int) -> None:
        self._library, self._index, self._size = library, index, size

    def matcher(self) -> OutlinesMatcher:
        """A matcher at the beginning."""
        return OutlinesMatcher(self._library.Guide(self._index), self._size)


class OutlinesCore:
    """outlines_core in this process.

    Parameters
    ----------
    settings : str
        ``default`` or ``permissive``.
    """

    name = "outlines_core"
    capabilities = Capabilities(_KINDS, rollback=True)

    def __init__(self, *, settings: str = "default") -> None:
        import outlines_core

        self._library: Any = outlines_core
        stated = settings_name(settings, _STATED)
        self._whitespace = None if stated == "default" else _STATED[stated]["whitespace_pattern"]
        self.version = distribution_version("outlines_core")
        self.settings: Mapping[str, str] = _STATED[settings]
        self._vocabularies: dict[str, Any] = {}

    def compile(
        self, kind: str, text: str, vocabulary: Vocabulary, options: Mapping[str, Any] | None = None
    ) -> OutlinesCompiled | Refused:
        """Compile a grammar, or refuse it."""
        try:
            index = self._library.Index(self._pattern(kind, text), self._vocabulary(vocabulary))
        except (ValueError, TypeError, RuntimeError) as error:
            return Refused(str(error).splitlines()[0] if str(error) else type(error).__name__)
        return OutlinesCompiled(self._library, index, len(vocabulary))

    def _pattern(self, kind: str, text: str) -> str:
        if kind == "regex":
            return text
        if kind == "choice":
            return _choice(text)
        from outlines_core.json_schema import build_regex_from_schema

        return str(build_regex_from_schema(text, self._whitespace))

    def _vocabulary(self, vocabulary: Vocabulary) -> Any:
        made = self._vocabularies.get(vocabulary.fingerprint)
        if made is None:
            table: dict[bytes, list[int]] = {}
            for number, token in enumerate(vocabulary.tokens):
                if token:
                    table.setdefault(token, []).append(number)
            made = self._library.Vocabulary(vocabulary.eos_ids[0], table)
            self._vocabularies[vocabulary.fingerprint] = made
        return made

    def snippet(self, kind: str, grammar: str, text: str | None = None) -> str:
        """The calls of outlines_core, on a vocabulary of bytes."""
        lines = ["from outlines_core import Guide, Index, Vocabulary"]
        if kind == "json_schema":
            lines.append("from outlines_core.json_schema import build_regex_from_schema")
            space = f", {self._whitespace!r}" if self._whitespace else ""
            pattern = f"build_regex_from_schema({grammar!r}{space})"
        else:
            pattern = repr(grammar if kind == "regex" else _choice(grammar))
        lines += [
            "",
            "vocabulary = Vocabulary(256, {bytes([value]): [value] for value in range(256)})",
            f"guide = Guide(Index({pattern}, vocabulary))",
        ]
        if text is not None:
            lines += [
                f"tokens = list({text!r}.encode())",
                "print(guide.accepts_tokens(tokens))",
                "for token in tokens:",
                "    guide.advance(token)",
                "print(guide.is_finished())",
            ]
        return "\n".join(lines) + "\n"


def _choice(text: str) -> str:
    return "(" + "|".join(re.escape(option) for option in json.loads(text)) + ")"


def make(*, settings: str = "default", seconds: float = 10.0, memory: int = 3 << 30) -> Guarded:
    """Make outlines_core in a process of its own, with limits on its time and memory."""
    return Guarded(
        "gramspec.audit.adapters.outlines_core:OutlinesCore",
        {"settings": settings},
        seconds=seconds,
        memory=memory,
    )
