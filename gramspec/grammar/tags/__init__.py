"""Free text with tags in it: single tokens, text up to a trigger, structural tags.

Law: free text ends at the first trigger completed in it, and what follows is bound to the grammar of that
trigger; nothing a specification says is dropped.
Source: the JSON form of xgrammar's structural tags.
"""

from __future__ import annotations

from gramspec.grammar.tags.structural import structural_tag
from gramspec.grammar.tags.tokens import any_token, token
from gramspec.grammar.tags.until import text_until

__all__ = ["any_token", "structural_tag", "text_until", "token"]
