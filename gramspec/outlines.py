"""gramspec in outlines: ``Generator(model, processor=gs.outlines.processor(...))``; ``backend="gramspec"``.

Law: that of `gramspec.GrammarLogitsProcessor`.
Source: API, section 5; a thin face of `gramspec.integrations`.
"""

from gramspec.integrations.outlines_backend import Backend, install, is_installed, uninstall
from gramspec.integrations.outlines_processor import processor
from gramspec.integrations.outlines_processor import vocabulary_of as vocabulary
from gramspec.integrations.outlines_terms import grammar

__all__ = ["Backend", "grammar", "install", "is_installed", "processor", "uninstall", "vocabulary"]
