"""`create_app`: models, engine and routes as one FastAPI application.

Law: an application serves one target; whatever a route needs of it is in `app.state.server`.
Source: https://fastapi.tiangolo.com; ASGI.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI

import gramspec
from gramspec.errors import OptionError
from gramspec.integrations.server import catalogue, chat, completions, playground, sql_routes
from gramspec.integrations.server.databases import Databases
from gramspec.integrations.server.metrics import Metrics
from gramspec.integrations.server.server import Server
from gramspec.integrations.server.settings import Settings
from gramspec.integrations.server.surroundings import install

EMBEDDED = "gramspec-embedded"


def create_app(settings: Settings | None = None, *, target: Any = None, draft: Any = None) -> FastAPI:
    """An application; models are loaded here, threads begin with the first request.

    Parameters
    ----------
    settings : Settings, optional
        `Settings()` by default.
    target, draft : LanguageModel, optional
        Models that are loaded already, in place of those that the settings name.

    Raises
    ------
    ModelError
        When a model cannot be loaded.
    OptionError
        When a draft is given without a target.
    """
    settings = Settings() if settings is None else settings
    if target is None:
        if draft is not None:
            raise OptionError("draft: a draft model needs the target that it drafts for")
        target, draft = load_models(settings)
    metrics = Metrics()
    server = Server(settings, target, draft, _name(settings), metrics)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(server.close)

    app = FastAPI(
        title="gramspec",
        version=gramspec.__version__,
        summary="Texts of a grammar, by the law that was asked for",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.server = server
    app.state.engine = server.engine
    app.state.settings = settings
    app.state.metrics = metrics
    app.state.databases = Databases(settings)
    install(app, settings, metrics)
    app.include_router(completions.router)
    app.include_router(chat.router)
    app.include_router(catalogue.router)
    app.include_router(sql_routes.router)
    app.include_router(playground.router)
    return app


def load_models(settings: Settings) -> tuple[Any, Any]:
    """Target and draft as the settings name them; None where there is no draft.

    Parameters
    ----------
    settings : Settings

    Raises
    ------
    ModelError
        When a model cannot be loaded.
    """
    from gramspec import models

    place = {"device": settings.device, "dtype": settings.dtype}
    draft: Any = None
    if settings.target is None:
        target, draft = models.embedded()
        if settings.device is not None or settings.dtype is not None:
            raise OptionError("device, dtype: the embedded pair computes in float32 on the CPU")
    else:
        target = models.load(settings.target, **place)
    if settings.draft == "none":
        return target, None
    return target, draft if settings.draft is None else models.load(settings.draft, **place)


def _name(settings: Settings) -> str:
    if settings.model_name is not None:
        return settings.model_name
    return EMBEDDED if settings.target is None else Path(settings.target).resolve().name
