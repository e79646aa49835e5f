"""Storing grammars: bytes that hold a grammar whole, and the reading of bytes that nobody vouches for.

Law: what is read back denotes the same language; bytes that were not written here give an error.
Source: architecture, "The automaton (native core)"; docs/serialisation.md.
"""

from gramspec.automaton.storing.grammars import StoredGrammar, read_grammar, write_grammar
from gramspec.automaton.storing.loading import load_stored
from gramspec.automaton.storing.packing import FORMAT, Reader, Writer, pack, unpack

__all__ = [
    "FORMAT",
    "Reader",
    "StoredGrammar",
    "Writer",
    "load_stored",
    "pack",
    "read_grammar",
    "unpack",
    "write_grammar",
]
