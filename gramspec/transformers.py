"""gramspec in Transformers: ``model.generate(..., custom_generate=gs.transformers.generate(grammar=...))``.

Law: that of `gramspec.generate`, with p as `model.generate` defines it.
Source: API, section 5; a thin face of `gramspec.integrations`.
"""

from gramspec.integrations.processors import ProcessedModel
from gramspec.integrations.transformers_generate import GrammarGeneration, GrammarOutput, generate

__all__ = ["GrammarGeneration", "GrammarOutput", "ProcessedModel", "generate"]
