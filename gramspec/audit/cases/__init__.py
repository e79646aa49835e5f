"""Cases: grammars with texts, built in, from files, or from random worlds.

Law: a case says where it comes from; built-in ones lie beside this file as JSON.
"""

from gramspec.audit.cases.built_in import built_in, named_cases
from gramspec.audit.cases.vocabularies import named_vocabulary, partial_vocabulary, small_vocabulary

__all__ = ["built_in", "named_cases", "named_vocabulary", "partial_vocabulary", "small_vocabulary"]
