"""Errors: one class for each way an input or a run can be refused.

Law: whatever goes wrong, the answer is one of these, never unconstrained text.
Source: design rule "fail closed".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from gramspec.decoding.report import Report


_LINE_AND_COLUMN: Final = re.compile(r"(?:^|:)(\d+):(\d+)$")
_WINDOW: Final = 40


def caret(text: str, line: int, column: int) -> str:
    """What an error shows below its first line: the line of a place, cut to a window, and a caret.

    Parameters
    ----------
    text : str
        The user's text.
    line, column : int
        From 1; the column may be one behind the end of the line.
    """
    lines = text.split("\n", line)
    shown = lines[line - 1] if 0 < line <= len(lines) else ""
    return _excerpt(shown, min(column - 1, len(shown)))


def _excerpt(text: str, offset: int) -> str:
    begin = max(0, offset - _WINDOW)
    window = "".join(char if char.isprintable() else " " for char in text[begin : offset + _WINDOW])
    return f"\n    {window}\n    {' ' * (offset - begin)}^"


class GramspecError(Exception):
    """Base of every error that gramspec raises on purpose."""


class GrammarError(GramspecError, ValueError):
    """The grammar as the user wrote it cannot be compiled.

    Parameters
    ----------
    pointer : str
        Where in the user's input: a JSON pointer (``/properties/a``) for a schema, a character
        offset (``@12``) for a pattern, line and column (``3:14``, ``file.lark:3:14``) for a grammar's text, a
        rule name where there is no text. Empty for the whole input.
    reason : str
        What is wrong there.
    hint : str, optional
        What to write instead.
    source : str, optional
        The user's text; shown with a caret when `pointer` is a character offset, or line and column.
    """

    def __init__(self, pointer: str, reason: str, hint: str = "", source: str | None = None) -> None:
        self.pointer = pointer
        self.reason = reason
        self.hint = hint
        self.source = source
        super().__init__(self._render())

    def _render(self) -> str:
        place = self.pointer or "(whole input)"
        text = f"{place}: {self.reason}"
        if self.source is not None and self.pointer.startswith("@"):
            text += _excerpt(self.source, int(self.pointer[1:]))
        elif self.source is not None and (found := _LINE_AND_COLUMN.search(self.pointer)):
            text += caret(self.source, int(found[1]), int(found[2]))
        if self.hint:
            text += f"\n  hint: {self.hint}"
        return text


class UnsupportedError(GrammarError):
    """A construct that is understood but not enforced yet; refused by name, never dropped."""


class EmptyLanguageError(GrammarError):
    """No string at all satisfies the grammar."""


class VocabularyError(GramspecError, ValueError):
    """The vocabulary is malformed, lacks an EOS token, or cannot spell any member of the grammar."""


class LimitError(GramspecError, RuntimeError):
    """An explicit limit was reached (`limit` names the field of `Limits` or the option).

    Everything stays usable: the call changed nothing, and can be made again.
    """

    def __new__(cls, limit: str, message: str) -> Self:
        """Each field of `Limits` has a class of its own, whoever raises it."""
        named = _BY_LIMIT.get(limit)
        return super().__new__(cls if named is None or not issubclass(named, cls) else named)

    def __init__(self, limit: str, message: str) -> None:
        self.limit = limit
        self.message = message
        super().__init__(f"{limit}: {message}")

    def __reduce__(self) -> tuple[type[LimitError], tuple[str, str]]:
        return LimitError, (self.limit, self.message)


class StateLimitError(LimitError):
    """`Limits.max_states`: the grammar needs more automaton states than one engine may hold."""


class ConfigurationLimitError(LimitError):
    """`Limits.max_configurations`: matching needs more configurations or stacks than an engine may hold."""


class StackDepthLimitError(LimitError):
    """`Limits.max_stack_depth`: a text is nested too deep, or an expression is."""


class RowLimitError(LimitError):
    """`Limits.max_row_bytes`: token rows need more memory than one engine may use."""


class MaskStepLimitError(LimitError):
    """`Limits.mask_steps`: one mask takes too many steps."""


class SearchStepLimitError(LimitError):
    """`Limits.search_steps`: an exact answer about endings takes too many steps."""


class NodeLimitError(LimitError):
    """`Limits.max_nodes`: the grammar expression is too large."""


class CompileTimeLimitError(LimitError):
    """`Limits.compile_seconds`: compiling takes too long."""


class MaskTimeLimitError(LimitError):
    """`Limits.mask_seconds`: one call of a matcher takes too long."""


class ExactLimitError(LimitError):
    """`max_prefixes` or `max_table_states` of an exact potential: the language is too large for it."""


_BY_LIMIT: dict[str, type[LimitError]] = {
    "max_states": StateLimitError,
    "max_configurations": ConfigurationLimitError,
    "max_stack_depth": StackDepthLimitError,
    "max_row_bytes": RowLimitError,
    "mask_steps": MaskStepLimitError,
    "search_steps": SearchStepLimitError,
    "max_nodes": NodeLimitError,
    "compile_seconds": CompileTimeLimitError,
    "mask_seconds": MaskTimeLimitError,
    "max_prefixes": ExactLimitError,
    "max_table_states": ExactLimitError,
}


class CancelledError(GramspecError, RuntimeError):
    """A `CancelToken` has asked for an end; what was called can be called again without it."""


class SerialisationError(GramspecError, ValueError):
    """Stored bytes cannot be read, or a grammar cannot be stored.

    Parameters
    ----------
    place : str
        Where: a byte, a word, or a part by name.
    reason : str
        What is wrong there.
    hint : str, optional
        What to do instead.
    """

    def __init__(self, place: str, reason: str, hint: str = "") -> None:
        self.place = place
        self.reason = reason
        self.hint = hint
        super().__init__(f"{place}: {reason}" + (f"\n  hint: {hint}" if hint else ""))


class RowCacheWarning(UserWarning):
    """A file of the cache of token rows is damaged or cannot be written; the rows are made without it."""


class RejectedTokenError(GramspecError, ValueError):
    """`Matcher.advance` met a token that is not allowed; the matcher is unchanged."""


class ModelError(GramspecError, RuntimeError):
    """The language model cannot be used as asked (load failure, unknown cache, wrong width)."""


class PromptError(GramspecError, ValueError):
    """The prompt is empty where it may not be, has unknown token ids, or is longer than the model."""


class LogitsError(ModelError):
    """A row of logits holds NaN or +inf, or has no finite entry; names the prefix."""


class OptionError(GramspecError, ValueError):
    """An option of `generate` is out of range, or unknown."""


class DraftError(GramspecError, RuntimeError):
    """A drafter broke its contract: what it proposed is no tree, or holds a token that cannot follow."""


class BudgetTooSmallError(GramspecError, ValueError):
    """`max_new_tokens` is smaller than the shortest member of the grammar, EOS included."""


class ContractError(GramspecError, RuntimeError):
    """A potential broke its contract (rho above 1 + delta under contract S)."""


class DivergenceError(GramspecError, ArithmeticError):
    """A system of partition functions has no finite solution, or its solution was not reached.

    Parameters
    ----------
    place : str
        The variables or rules it is about.
    reason : str
        What is wrong there.
    hint : str, optional
        What to do instead.
    """

    def __init__(self, place: str, reason: str, hint: str = "") -> None:
        self.place = place
        self.reason = reason
        self.hint = hint
        super().__init__(f"{place}: {reason}" + (f"\n  hint: {hint}" if hint else ""))


class DeadEndError(GramspecError, RuntimeError):
    """Masked decoding met a prefix without a valid continuation."""


class BudgetExhaustedError(GramspecError, RuntimeError):
    """No member of the grammar was found within the attempt budget.

    Parameters
    ----------
    report : Report
        What was spent and what is known of log Phi.
    """

    def __init__(self, report: Report, message: str) -> None:
        self.report = report
        super().__init__(message)


class UndefinedLawError(GramspecError, RuntimeError):
    """The model gives the grammar no probability at all (certified), so P(y | y in L) does not exist.

    Parameters
    ----------
    report : Report
        What was spent before this was known.
    """

    def __init__(self, report: Report, message: str) -> None:
        self.report = report
        super().__init__(message)


class KernelError(GramspecError, ValueError):
    """A tensor that a kernel cannot take, or a device without its back-end.

    Parameters
    ----------
    place : str
        The argument.
    reason : str
        What is wrong with it.
    hint : str, optional
        What to pass instead.
    """

    def __init__(self, place: str, reason: str, hint: str = "") -> None:
        self.place = place
        self.reason = reason
        self.hint = hint
        super().__init__(f"{place}: {reason}" + (f"\n  hint: {hint}" if hint else ""))
