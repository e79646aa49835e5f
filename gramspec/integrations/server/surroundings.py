"""What stands around every route: ids, logs, keys, limits, figures, headers, answers to errors.

Law: pure ASGI, outermost; a body is read and checked before its route, and `receive` is the server's own
after that, so that routes see the client leave. No exception leaves the application.
Source: https://asgi.readthedocs.io/en/latest/specs/www.html.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gramspec.errors import OptionError
from gramspec.integrations.server import health
from gramspec.integrations.server.auth import ApiKeys
from gramspec.integrations.server.bodies import ClientGone, check_json, read_body
from gramspec.integrations.server.errors import ApiError, api_error, install_errors, not_ready
from gramspec.integrations.server.logging import LEVELS, log, noted, request_id
from gramspec.integrations.server.metrics import Metrics

if TYPE_CHECKING:
    from gramspec.integrations.server.settings import Settings

PUBLIC: Final = frozenset({"/", "/health", "/ready", "/favicon.ico"})
PUBLIC_BELOW: Final = "/playground/static/"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
        b" connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
)


def install(app: FastAPI, settings: Settings, metrics: Metrics) -> None:
    """Put an application into its surroundings.

    Parameters
    ----------
    app : FastAPI
        Before it has served a request.
    settings : Settings
        Keys, limits, origins.
    metrics : Metrics
        Where requests are counted.

    Raises
    ------
    OptionError
        For a setting that cannot be used.
    """
    if settings.log_level not in LEVELS:
        raise OptionError(f"log_level={settings.log_level!r}: must be one of {', '.join(LEVELS)}")
    if settings.max_body_bytes < 1 or not settings.body_seconds > 0:
        raise OptionError("max_body_bytes, body_seconds: must be positive")
    app.state.metrics = metrics
    app.include_router(health.router)
    install_errors(app)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type", "x-request-id"],
            expose_headers=["x-request-id", "retry-after"],
        )
    app.add_middleware(Surroundings, settings=settings, metrics=metrics, keys=ApiKeys(settings.api_keys))


class Surroundings:
    """The middleware that `install` adds.

    Parameters
    ----------
    app : ASGI application
        What it stands around.
    settings : Settings
        Limits.
    metrics : Metrics
        Where requests are counted.
    keys : ApiKeys
        Who may ask.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings, metrics: Metrics, keys: ApiKeys) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1000})
                return
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, send)
        begun = time.perf_counter()
        fault: BaseException | None = None
        try:
            await self._served(scope, receive, answer)
        except ClientGone:
            answer.status = 499
            self._metrics.cancellations.labels("client").inc()
        except asyncio.CancelledError:
            answer.status = answer.status or 499
            raise
        except Exception as error:
            fault = error
            if answer.status == 0:
                await _send(api_error(error), scope, receive, answer)
        finally:
            self._end(scope, answer, time.perf_counter() - begun, fault)

    async def _served(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        try:
            self._check_key(scope)
            if scope["method"] == "POST" and _has_route(scope):
                if scope["path"].startswith("/v1/"):
                    self._check_ready(scope)
                receive = await self._checked(scope, receive)
        except ApiError as error:
            await _send(error, scope, receive, answer)
            return
        await self._app(scope, receive, answer)

    def _check_key(self, scope: Scope) -> None:
        path = scope["path"]
        if path in PUBLIC or path.startswith(PUBLIC_BELOW) or scope["method"] == "OPTIONS":
            return
        header = dict(scope["headers"]).get(b"authorization")
        if not self._keys.allows(None if header is None else header.decode("latin-1")):
            missing = header is None
            raise ApiError(
                401,
                "an API key is needed: authorization: Bearer KEY" if missing else "the API key is wrong",
                code="missing_api_key" if missing else "invalid_api_key",
                headers={"www-authenticate": "Bearer"},
            )

    def _check_ready(self, scope: Scope) -> None:
        reason = health.why_not_ready(scope.get("app"))
        if reason is not None:
            raise not_ready(reason)

    async def _checked(self, scope: Scope, receive: Receive) -> Receive:
        limits = self._settings
        body = await read_body(scope, receive, most_bytes=limits.max_body_bytes, seconds=limits.body_seconds)
        check_json(scope, body)
        given = False

        async def replayed() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        return replayed

    def _end(self, scope: Scope, answer: _Answer, seconds: float, fault: BaseException | None) -> None:
        route = getattr(scope.get("route"), "path", None) or "other"
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.requests.labels(route, method, str(answer.status or 499)).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        failed = fault is not None or answer.status >= 500
        quiet = route in ("/health", "/ready", "/metrics") and not failed
        log(
            "request",
            level=logging.ERROR if failed else logging.DEBUG if quiet else logging.INFO,
            error=fault,
            request_id=answer.request_id,
            method=method,
            route=route,
            status=answer.status or 499,
            seconds=round(seconds, 4),
            bytes=answer.bytes,
            **noted(scope),
        )


class _Answer:
    """`send`, with the headers that every answer has; remembers status and length."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.status = 0
        self.bytes = 0
        self.request_id = request_id(dict(scope["headers"]).get(b"x-request-id"))
        self._send = send
        scope.setdefault("state", {})["request_id"] = self.request_id

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            present = {name.lower() for name, _ in headers}
            added: list[Any] = [pair for pair in _HEADERS if pair[0] not in present]
            message = {
                **message,
                "headers": [*headers, *added, (b"x-request-id", self.request_id.encode())],
            }
        elif message["type"] == "http.response.body":
            self.bytes += len(message.get("body", b""))
        await self._send(message)


def _has_route(scope: Scope) -> bool:
    return any(route.matches(scope)[0] is Match.FULL for route in scope["app"].routes)


async def _send(error: ApiError, scope: Scope, receive: Receive, answer: _Answer) -> None:
    await error.response()(scope, receive, answer)
