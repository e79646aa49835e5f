"""Measuring: what is read, in which process, on which clock, and what becomes of the figures."""
