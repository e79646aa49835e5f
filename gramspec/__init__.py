"""gramspec: sample from a language model conditioned on a grammar, exactly.

Law: ``generate`` draws from P(y | y in L), not from the locally masked law.
Source: docs; nothing heavy is imported until it is used.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gramspec.errors import (
    BudgetExhaustedError,
    BudgetTooSmallError,
    CancelledError,
    CompileTimeLimitError,
    ConfigurationLimitError,
    ContractError,
    DeadEndError,
    EmptyLanguageError,
    ExactLimitError,
    GrammarError,
    GramspecError,
    KernelError,
    LimitError,
    LogitsError,
    MaskStepLimitError,
    MaskTimeLimitError,
    ModelError,
    NodeLimitError,
    OptionError,
    PromptError,
    RejectedTokenError,
    RowCacheWarning,
    RowLimitError,
    SearchStepLimitError,
    SerialisationError,
    StackDepthLimitError,
    StateLimitError,
    UndefinedLawError,
    UnsupportedError,
    VocabularyError,
)
from gramspec.grammar.core import Grammar
from gramspec.limits import Limits

if TYPE_CHECKING:
    from gramspec import audit, models, outlines, transformers
    from gramspec._native import CancelToken
    from gramspec.decoding.completion import Completion
    from gramspec.decoding.generate import generate
    from gramspec.decoding.options import DecodingOptions
    from gramspec.decoding.report import Report
    from gramspec.decoding.streaming import Chunk
    from gramspec.grammar.choice import choice, literal
    from gramspec.grammar.gbnf import gbnf
    from gramspec.grammar.ir import Expr
    from gramspec.grammar.json_schema import json_schema
    from gramspec.grammar.lark import lark
    from gramspec.grammar.regex import regex
    from gramspec.grammar.sql import sql
    from gramspec.grammar.tags import any_token, structural_tag, text_until, token
    from gramspec.integrations.logits_processor import GrammarLogitsProcessor
    from gramspec.matching import CompiledGrammar, Matcher, compile, fill_bitmasks
    from gramspec.matching.row_cache import RowCache
    from gramspec.validity import Potential, PrefixTrie, Viability
    from gramspec.vocabulary import Vocabulary

__version__ = "0.1.0"

# Public names and where they live; imported on first use, so that `import gramspec` stays light.
_LAZY = {
    "CancelToken": "gramspec._native",
    "Chunk": "gramspec.decoding.streaming",
    "Completion": "gramspec.decoding.completion",
    "CompiledGrammar": "gramspec.matching",
    "DecodingOptions": "gramspec.decoding.options",
    "GrammarLogitsProcessor": "gramspec.integrations.logits_processor",
    "Matcher": "gramspec.matching",
    "Potential": "gramspec.validity",
    "PrefixTrie": "gramspec.validity",
    "Report": "gramspec.decoding.report",
    "RowCache": "gramspec.matching.row_cache",
    "Viability": "gramspec.validity",
    "Vocabulary": "gramspec.vocabulary",
    "any_token": "gramspec.grammar.tags",
    "choice": "gramspec.grammar.choice",
    "compile": "gramspec.matching",
    "fill_bitmasks": "gramspec.matching",
    "gbnf": "gramspec.grammar.gbnf",
    "generate": "gramspec.decoding.generate",
    "json_schema": "gramspec.grammar.json_schema",
    "lark": "gramspec.grammar.lark",
    "literal": "gramspec.grammar.choice",
    "regex": "gramspec.grammar.regex",
    "sql": "gramspec.grammar.sql",
    "structural_tag": "gramspec.grammar.tags",
    "text_until": "gramspec.grammar.tags",
    "token": "gramspec.grammar.tags",
}
_MODULES = ("audit", "models", "outlines", "testing", "transformers")

__all__ = [
    "BudgetExhaustedError",
    "BudgetTooSmallError",
    "CancelToken",
    "CancelledError",
    "Chunk",
    "CompileTimeLimitError",
    "CompiledGrammar",
    "Completion",
    "ConfigurationLimitError",
    "ContractError",
    "DeadEndError",
    "DecodingOptions",
    "EmptyLanguageError",
    "ExactLimitError",
    "Grammar",
    "GrammarError",
    "GrammarLogitsProcessor",
    "GramspecError",
    "KernelError",
    "LimitError",
    "Limits",
    "LogitsError",
    "MaskStepLimitError",
    "MaskTimeLimitError",
    "Matcher",
    "ModelError",
    "NodeLimitError",
    "OptionError",
    "Potential",
    "PrefixTrie",
    "PromptError",
    "RejectedTokenError",
    "Report",
    "RowCache",
    "RowCacheWarning",
    "RowLimitError",
    "SearchStepLimitError",
    "SerialisationError",
    "StackDepthLimitError",
    "StateLimitError",
    "UndefinedLawError",
    "UnsupportedError",
    "Viability",
    "Vocabulary",
    "VocabularyError",
    "any_token",
    "audit",
    "choice",
    "compile",
    "fill_bitmasks",
    "gbnf",
    "generate",
    "json_schema",
    "lark",
    "literal",
    "models",
    "outlines",
    "regex",
    "sql",
    "structural_tag",
    "text_until",
    "token",
    "transformers",
]


def _accepts(grammar: Grammar, parts: Sequence[bytes | int]) -> bool:
    from gramspec.automaton.membership import accepts

    return accepts(grammar, parts)


def _fingerprint(expr: Expr) -> str:
    from gramspec.automaton.fingerprint import fingerprint

    return fingerprint(expr)


Grammar._accepts_hook = staticmethod(_accepts)
Grammar._fingerprint_hook = staticmethod(_fingerprint)


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        value = getattr(importlib.import_module(_LAZY[name]), name)
    elif name in _MODULES:
        value = importlib.import_module(f"gramspec.{name}")
    else:
        raise AttributeError(f"module 'gramspec' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
