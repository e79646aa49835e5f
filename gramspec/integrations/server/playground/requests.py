"""What the page asks for: every field has a bound, unknown fields are refused.

Law: nothing here reads a file or opens a database: SQL is DDL text, and Lark imports its own library alone.
Source: `docs/playground.md`.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from gramspec.decoding.rows import RowLaw

LONGEST_GRAMMAR: Final = 65_536
LONGEST_PROMPT: Final = 4_096
LONGEST_TEXT: Final = 4_096
MOST_TOKENS: Final = 256

Kind = Literal["json_schema", "regex", "choice", "lark", "gbnf", "sql", "structural_tag"]
Token = Annotated[int, Field(ge=0, le=10_000_000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class GrammarText(_Body):
    """A grammar as it stands in the editor."""

    kind: Kind
    text: str = Field(max_length=LONGEST_GRAMMAR)
    whitespace: Literal["any", "compact"] = Field(default="any", description="JSON Schema: between tokens.")


class World(_Body):
    """What defines the laws: grammar, prompt, and what turns logits into p."""

    grammar: GrammarText
    prompt: str = Field(default="", max_length=LONGEST_PROMPT)
    max_new_tokens: int = Field(default=48, ge=1, le=MOST_TOKENS, description="EOS included.")
    temperature: float = Field(default=1.0, gt=0.0, le=100.0)
    top_k: int = Field(default=0, ge=0, le=10_000_000)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)

    @property
    def rows(self) -> RowLaw:
        """From logits to p."""
        return RowLaw(float(self.temperature), self.top_k, float(self.top_p))


class CompileRequest(_Body):
    """A grammar to explain."""

    grammar: GrammarText


class StepRequest(World):
    """The next token after some tokens."""

    tokens: list[Token] = Field(default=[], max_length=MOST_TOKENS)
    top: int = Field(default=16, ge=1, le=64, description="Tokens to show.")
    prefixes: int = Field(default=64, ge=0, le=1_000, description="Prefixes to look at for the bounds of Φ.")
    runs: int = Field(default=0, ge=0, le=128, description="Runs that estimate Φ where its bounds are apart.")


class TraceRequest(World):
    """A text, token by token; given as text or as tokens."""

    text: str | None = Field(default=None, max_length=LONGEST_TEXT)
    tokens: list[Token] | None = Field(default=None, max_length=MOST_TOKENS)
    prefixes: int = Field(default=128, ge=0, le=1_000)
    runs: int = Field(default=0, ge=0, le=256, description="Runs that estimate Φ where its bounds are apart.")


class SampleRequest(World):
    """One draw, with the attempts that failed."""

    law: Literal["conditional", "masked"] = "conditional"
    seed: int = Field(default=0, ge=0, lt=1 << 53)
    max_attempts: int = Field(default=100, ge=1, le=500)


class CompareRequest(World):
    """Both laws side by side."""

    prefixes: int = Field(default=600, ge=1, le=2_000)
    draws: int = Field(default=24, ge=2, le=100, description="Of each law, where the texts cannot be listed.")
    seed: int = Field(default=0, ge=0, lt=1 << 53)
    top: int = Field(default=12, ge=1, le=40)
