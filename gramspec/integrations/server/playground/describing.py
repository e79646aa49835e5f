"""What the page says of a grammar: a drawing, and facts.

Law: every fact is one of `gramspec.automaton.analysis`, or read off the compiled grammar.
Cost: that of `analyse` and `draw` under the limits below; what is too large is left out with the reason.
"""

from __future__ import annotations

import re
from typing import Any, Final

from gramspec.automaton.analysis import AnalysisLimits, analyse
from gramspec.automaton.drawing import DrawingLimits, draw
from gramspec.automaton.wording import byte_words
from gramspec.errors import LimitError, UnsupportedError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar
from gramspec.matching import CompiledGrammar

_DRAWING: Final = DrawingLimits(max_boxes=600, max_regular=40)
_ANALYSIS: Final = AnalysisLimits(max_explored=800, max_steps=20_000, max_pairs=4_000, max_pairs_each=300)
# The page has styles of its own, and its security policy allows no others.
_OWN_STYLE: Final = re.compile(r'<style>[^<]*</style>|<rect [^>]*style="[^"]*"/>')
_LARGEST: Final = 20_000  # nodes of an expression that is drawn and analysed
_LONGEST: Final = 400


def describe(grammar: Grammar) -> dict[str, Any]:
    """Drawing and facts of a grammar, as JSON.

    Parameters
    ----------
    grammar : Grammar

    Raises
    ------
    EmptyLanguageError
        If no text belongs to it.
    """
    facts: dict[str, Any] = {
        "description": grammar.description,
        "residuals": [str(place) for residual in grammar.residuals for place in residual.places],
        "svg": None,
        "svg_refused": None,
        "facts": None,
        "facts_refused": None,
    }
    nodes = sum(1 for _ in ir.walk(grammar.expr))
    if nodes > _LARGEST:
        reason = f"the expression has {nodes:,} nodes; up to {_LARGEST:,} are drawn and analysed here"
        return facts | {"svg_refused": reason, "facts_refused": reason}
    try:
        facts["svg"] = _OWN_STYLE.sub("", draw(grammar, limits=_DRAWING))
    except (LimitError, UnsupportedError) as error:
        facts["svg_refused"] = str(error)
    try:
        found = analyse(grammar, limits=_ANALYSIS)
    except (LimitError, UnsupportedError) as error:
        facts["facts_refused"] = str(error)
        return facts
    language = found.language
    facts["facts"] = {
        "nodes": sum(found.nodes.values()),
        "rules": found.rules,
        "recursive_rules": found.recursive_rules,
        "extent": language.extent,
        "members": None if language.members is None else str(language.members),
        "bytes": byte_words(language.alphabet) + ("" if language.alphabet_complete else ", or more"),
        "shortest": [_text(each) for each in found.shortest],
        "samples": [_text(each) for each in found.samples],
        "ambiguous": found.ambiguity.ambiguous,
    }
    return facts


def measure(compiled: CompiledGrammar) -> dict[str, Any]:
    """What the vocabulary of the model makes of a grammar.

    Parameters
    ----------
    compiled : CompiledGrammar
    """
    matcher = compiled.matcher()
    return {
        "vocabulary": len(compiled.vocabulary),
        "first_tokens": len(matcher.allowed_ids()),
        "forced": matcher.forced_bytes().decode("utf-8", "replace")[:_LONGEST],
        "fewest_tokens": matcher.min_tokens(),
        "masks_exact": compiled.masks_exact,
        "states": compiled.statistics()["states"],
    }


def _text(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
