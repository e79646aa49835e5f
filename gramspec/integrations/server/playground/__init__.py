"""The page at `/`: a grammar, its automaton, what each law does with every token, and both laws side by side.

Law: what is exact and what is estimated is said beside each figure. Source: `docs/playground.md`.
"""

from gramspec.integrations.server.playground.router import router

__all__ = ["router"]
