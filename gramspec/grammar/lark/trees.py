"""Names for what Lark's grammar parser gives: trees with `data` and `children`, and tokens."""

from __future__ import annotations

from typing import Any, TypeAlias

Tree: TypeAlias = Any
Token: TypeAlias = Any
