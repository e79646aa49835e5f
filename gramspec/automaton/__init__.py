"""Automaton room: expressions loaded into the native core, whole-string membership."""
