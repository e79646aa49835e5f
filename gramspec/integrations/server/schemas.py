"""Bodies of requests: every field there is, with its type and bounds.

Law: a field that is not here is refused; names that other servers use are refused with the present one.
Source: https://platform.openai.com/docs/api-reference (completions, chat completions).
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

REPLACED: Final = {
    "guided_json": 'response_format: {"type": "json_schema", "json_schema": {"name": …, "schema": …}}',
    "guided_regex": "regex",
    "guided_choice": "choice",
    "guided_grammar": 'grammar: {"type": "lark" | "gbnf", "text": …}',
    "guided_decoding_backend": "nothing: there is one engine",
    "guided_whitespace_pattern": 'gramspec: {"whitespace": …}',
    "guided_json_object": 'response_format: {"type": "json_object"}',
    "structured_outputs": "response_format, regex, choice, grammar or structural_tag",
    "json_schema": 'response_format: {"type": "json_schema", "json_schema": {"name": …, "schema": …}}',
    "ebnf": 'grammar: {"type": "ebnf", "text": …}',
    "n_predict": "max_tokens",
    "max_new_tokens": "max_tokens",
    "n_probs": "logprobs",
    "functions": "tools",
    "function_call": "tool_choice",
    "law": 'gramspec: {"law": …}',
    "sampler": 'gramspec: {"sampler": …}',
    "best_of": "n: the best of several texts by probability would follow another law",
    "suffix": "a grammar that ends with it",
    "repetition_penalty": "nothing: penalties are not part of the model's law here",
    "min_p": "top_p or top_k",
    "min_tokens": "a grammar whose members are long enough",
    "ignore_eos": "a grammar whose members are long enough",
}
"""Names of fields that other servers take, and what to write here."""


class Body(BaseModel):
    """What all bodies have in common: no field is converted, none is dropped."""

    model_config = ConfigDict(extra="forbid", strict=True)


class SchemaFormat(Body):
    """A named JSON Schema; it is enforced whether `strict` or not."""

    name: Annotated[str, Field(min_length=1, max_length=64)] = "schema"
    description: str | None = None
    schema_: Annotated[dict[str, Any] | bool, Field(alias="schema")]
    strict: bool | None = None


class TextFormat(Body):
    """Any text."""

    type: Literal["text"]


class ObjectFormat(Body):
    """Any JSON object."""

    type: Literal["json_object"]


class JsonFormat(Body):
    """JSON of a schema."""

    type: Literal["json_schema"]
    json_schema: SchemaFormat


class TagFormat(Body):
    """Free text with tags, as in xgrammar's structural tags."""

    type: Literal["structural_tag"]
    format: dict[str, Any]


ResponseFormat = Annotated[TextFormat | ObjectFormat | JsonFormat | TagFormat, Field(discriminator="type")]


class GrammarText(Body):
    """A grammar in the language of Lark, llama.cpp (gbnf) or xgrammar (ebnf)."""

    type: Literal["lark", "gbnf", "ebnf"]
    text: str
    start: Annotated[str | None, Field(description="Start rule; `start` for Lark, else `root`.")] = None


class SqlRequest(Body):
    """SQL statements over a schema."""

    schema_: Annotated[
        str | dict[str, list[str] | dict[str, str]] | None,
        Field(alias="schema", description="DDL, or table → columns, or table → {column: type}."),
    ] = None
    database: Annotated[str | None, Field(description="A database of the server, by its name.")] = None
    dialect: Literal["sqlite", "postgres", "mysql"] | None = None
    prepare: Annotated[bool, Field(description="Only statements that SQLite prepares.")] = False
    statements: list[Literal["select", "insert", "update", "delete"]] | None = None


class Law(Body):
    """What `gramspec.generate` takes besides."""

    law: Annotated[
        Literal["conditional", "masked", "greedy"] | None,
        Field(description="`conditional` by default; at temperature 0 `greedy`, which is no sampling law."),
    ] = None
    sampler: Literal["auto", "restart", "smc", "mcmc", "twisted"] = "auto"
    draft: Annotated[bool, Field(description="Whether the server's draft model drafts.")] = True
    drafter: Literal[
        "auto",
        "none",
        "model",
        "tree",
        "dyspec",
        "probing",
        "model-free",
        "model-free-probing",
        "fused",
        "model-free-drawn",
        "fused-drawn",
    ] = "auto"
    verifier: str = "auto"
    controller: Literal["auto", "fixed", "threshold", "latency", "bandit", "bandit-seconds"] = "auto"
    gamma: Annotated[int | None, Field(ge=0, le=64)] = None
    parallel: Annotated[int, Field(ge=1, le=16)] = 1
    particles: Annotated[int, Field(ge=1, le=64)] = 16
    mcmc_steps: Annotated[int, Field(ge=1, le=1_000)] = 10
    auto_attempts: Annotated[int, Field(ge=0, le=100_000)] = 50
    max_attempts: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    max_seconds: Annotated[float | None, Field(gt=0, le=3_600)] = None
    whitespace: Annotated[
        Literal["any", "compact"] | Annotated[int, Field(ge=0, le=64)],
        Field(description="Of JSON: any, none, or at most so many characters between tokens."),
    ] = "any"
    property_order: Literal["schema", "any"] = "schema"
    formats: Literal["assert", "annotate"] = "assert"


class StreamOptions(Body):
    """How a stream ends."""

    include_usage: bool = False


TokenIds = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
Stop = str | Annotated[list[str], Field(max_length=4)]


class Sampling(Body):
    """Fields of both kinds of completions."""

    model: str
    n: Annotated[int | None, Field(ge=1, le=128)] = None
    temperature: Annotated[float | None, Field(ge=0, le=2, description="0: greedy under the mask.")] = None
    top_p: Annotated[float | None, Field(gt=0, le=1)] = None
    top_k: Annotated[int | None, Field(ge=0)] = None
    max_tokens: Annotated[int | None, Field(ge=1, description="EOS included.")] = None
    seed: Annotated[int | None, Field(ge=0, lt=1 << 64)] = None
    stop: Annotated[Stop | None, Field(description="Only without a grammar.")] = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    presence_penalty: Annotated[float | None, Field(ge=0, le=0, description="Only 0.")] = None
    frequency_penalty: Annotated[float | None, Field(ge=0, le=0, description="Only 0.")] = None
    logit_bias: Annotated[dict[str, float] | None, Field(max_length=0, description="Only empty.")] = None
    user: Annotated[str | None, Field(max_length=256, description="Has no effect.")] = None
    response_format: ResponseFormat | None = None
    grammar: GrammarText | None = None
    regex: str | None = None
    choice: Annotated[list[str] | None, Field(min_length=1)] = None
    sql: SqlRequest | None = None
    structural_tag: dict[str, Any] | None = None
    gramspec: Law | None = None


class CompletionRequest(Sampling):
    """Body of `/v1/completions`."""

    prompt: Annotated[
        str
        | Annotated[list[str], Field(min_length=1)]
        | TokenIds
        | Annotated[list[TokenIds], Field(min_length=1)],
        Field(description="A text, its token ids, or a list of either."),
    ]
    logprobs: Annotated[int | None, Field(ge=0, le=20)] = None
    echo: bool | None = None


class TextPart(Body):
    """A piece of a message."""

    type: Literal["text"]
    text: str


Content = str | Annotated[list[TextPart], Field(min_length=1)]


class SystemMessage(Body):
    """What the model is told about its task."""

    role: Literal["system", "developer"]
    content: Content
    name: str | None = None


class UserMessage(Body):
    """What the model is asked."""

    role: Literal["user"]
    content: Content
    name: str | None = None


class CalledFunction(Body):
    """A function that was called."""

    name: str
    arguments: str


class ToolCall(Body):
    """A call in an earlier answer."""

    id: str
    type: Literal["function"] = "function"
    function: CalledFunction


class AssistantMessage(Body):
    """An earlier answer, as the server wrote it."""

    role: Literal["assistant"]
    content: Content | None = None
    tool_calls: list[ToolCall] | None = None
    name: str | None = None
    refusal: None = None
    audio: None = None
    function_call: None = None
    annotations: Annotated[list[Any] | None, Field(max_length=0)] = None


class ToolMessage(Body):
    """What a function has answered."""

    role: Literal["tool"]
    content: Content
    tool_call_id: str


Message = Annotated[SystemMessage | UserMessage | AssistantMessage | ToolMessage, Field(discriminator="role")]


class Function(Body):
    """A function that may be called."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{1,64}$")]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Body):
    """A tool; all of them are functions."""

    type: Literal["function"]
    function: Function


class NamedFunction(Body):
    """A function by its name."""

    name: str


class NamedTool(Body):
    """The function that has to be called."""

    type: Literal["function"]
    function: NamedFunction


class ChatRequest(Sampling):
    """Body of `/v1/chat/completions`."""

    messages: Annotated[list[Message], Field(min_length=1)]
    max_completion_tokens: Annotated[int | None, Field(ge=1, description="EOS included.")] = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int | None, Field(ge=0, le=20)] = None
    tools: Annotated[list[Tool] | None, Field(min_length=1, max_length=128)] = None
    tool_choice: Annotated[
        Literal["none", "auto", "required"] | NamedTool | None,
        Field(description="`auto` is refused: take `none`, `required` or a function by its name."),
    ] = None
    parallel_tool_calls: Annotated[bool | None, Field(description="One call is written at a time.")] = None
