"""`/v1/models`: the one model there is.

Law: what is said of it is what the server was started with.
Source: https://platform.openai.com/docs/api-reference/models.
"""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from gramspec.integrations.server.errors import RESPONSES
from gramspec.integrations.server.server import Server, server_of
from gramspec.integrations.server.texts import model_checked

router = APIRouter(tags=["models"])


class ModelFacts(BaseModel):
    """A model."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "gramspec"
    max_model_len: int | None
    vocab_size: int
    draft: bool
    chat_template: Literal["tokenizer", "plain"]


class ModelList(BaseModel):
    """All models."""

    object: Literal["list"] = "list"
    data: list[ModelFacts]


@router.get("/v1/models", responses=RESPONSES)
async def models(request: Request) -> ModelList:
    """The models that requests may name."""
    return ModelList(data=[_facts(server_of(request))])


@router.get("/v1/models/{model:path}", responses=RESPONSES)
async def model(request: Request, model: str) -> ModelFacts:
    """One model."""
    server = server_of(request)
    model_checked(server, model)
    return _facts(server)


def _facts(server: Server) -> ModelFacts:
    tokenizer: Any = getattr(server.target, "tokenizer", None)
    return ModelFacts(
        id=server.model_name,
        created=server.started,
        max_model_len=server.target.max_length,
        vocab_size=len(server.vocabulary),
        draft=server.draft is not None,
        chat_template="tokenizer" if getattr(tokenizer, "chat_template", None) else "plain",
    )
