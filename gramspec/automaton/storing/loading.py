"""Stored grammars into an engine without making their nodes in Python.

Law: the loaded expression has the language that `gramspec.automaton.loader` gives the same nodes.
Cost: one native pass over the words; built-in expressions are loaded one by one.
Source: docs/serialisation.md.
"""

from __future__ import annotations

from gramspec import _native
from gramspec.automaton.engine import Engine
from gramspec.automaton.loader import Loaded, load_parts
from gramspec.automaton.storing.expressions import MOST_DEPTH
from gramspec.automaton.storing.grammars import StoredGrammar
from gramspec.errors import SerialisationError


def load_stored(engine: Engine, stored: StoredGrammar) -> Loaded | None:
    """Load a stored grammar.

    Returns
    -------
    Loaded or None
        None if the nodes are needed: it has token edges, classes of keys, numbers of more than 32 bits, or
        no member on this engine.

    Raises
    ------
    SerialisationError
        If it is malformed.
    LimitError
        If a limit is reached.
    """
    expressions, core = stored.expressions, engine.core
    try:
        strings = [string.decode() for string in expressions.section.strings]
    except UnicodeDecodeError:
        return None

    def whole() -> int | None:
        builtins = load_parts(engine, expressions.builtins)
        number: int | None = None
        try:
            number = _native.load_stored(
                core,
                expressions.section.data,
                expressions.size,
                [rule.name for rule in expressions.rules],
                strings,
                builtins,
                stored.root,
                MOST_DEPTH,
            )
        finally:
            if number is None:
                core.finalise([])  # no rule is pending any more
        return number

    try:
        # Rules are half-defined until all is loaded: no other thread may use the engine meanwhile.
        number = core.exclusively(whole, engine.limits.compile_seconds, None)
    except ValueError as error:
        raise SerialisationError("nodes", str(error)) from None
    if number is None or not core.live(number):
        return None
    if not engine.complete and not core.token_live(core.start(number)):
        return None
    return Loaded(number, engine.complete)
