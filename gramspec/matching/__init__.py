"""Matching room: a grammar compiled for a vocabulary, and the state of one sequence."""

from gramspec.matching.batch import fill_bitmasks
from gramspec.matching.compiled import CompiledGrammar, compile
from gramspec.matching.matcher import Matcher

__all__ = ["CompiledGrammar", "Matcher", "compile", "fill_bitmasks"]
