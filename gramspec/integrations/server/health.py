"""`/health`, `/ready` and `/metrics`: what machines ask of a server.

Law: `/health` answers as long as the process can; `/ready` says 503 while no request would be served.
Source: https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from gramspec.integrations.server.errors import RESPONSES, not_ready
from gramspec.integrations.server.metrics import CONTENT_TYPE

router = APIRouter(tags=["operations"])


class Status(BaseModel):
    """How a server is."""

    status: str


@router.get("/health", responses={status: RESPONSES[status] for status in (500,)})
async def health() -> Status:
    """Whether the process answers."""
    return Status(status="ok")


@router.get("/ready", responses={status: RESPONSES[status] for status in (500, 503)})
async def ready(request: Request) -> Status:
    """Whether requests are served."""
    if (reason := why_not_ready(request.app)) is not None:
        raise not_ready(reason)
    return Status(status="ready")


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "For Prometheus"},
        **{status: RESPONSES[status] for status in (401, 500)},
    },
)
async def metrics(request: Request) -> Response:
    """Figures in the text format of Prometheus."""
    engine = getattr(request.app.state, "engine", None)
    figures = request.app.state.metrics
    if engine is not None:
        figures.queue_depth.set(engine.queued)
        figures.running.set(engine.running)
    return Response(figures.exposition(), headers={"content-type": CONTENT_TYPE})


def why_not_ready(app: object) -> str | None:
    """Why an application serves no requests now; None if it does."""
    engine = getattr(getattr(app, "state", None), "engine", None)
    if engine is None:
        return "the server is starting"
    if engine.closing:
        return "the server is shutting down"
    return None if engine.ready else "the model is being loaded"
