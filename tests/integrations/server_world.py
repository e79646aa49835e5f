"""An application over the embedded pair, and a client inside the process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")
httpx = pytest.importorskip("httpx")

from gramspec.integrations.server import Settings, create_app  # noqa: E402

MODEL = "gramspec-embedded"


class Client:
    """Asks an application within the event loop of each call."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.server = app.state.server

    def ask(self, method: str, path: str, **options: Any) -> Any:
        import asyncio

        async def one() -> Any:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://server", timeout=120
            ) as client:
                return await client.request(method, path, **options)

        return asyncio.run(one())

    def post(self, path: str, **body: Any) -> Any:
        return self.ask("POST", path, json={"model": MODEL, **body})

    def completions(self, **body: Any) -> Any:
        return self.post("/v1/completions", **{"prompt": "yes or no?", "max_tokens": 24, **body})


@contextmanager
def served(**settings: Any) -> Iterator[Client]:
    app = create_app(Settings(**settings))
    try:
        yield Client(app)
    finally:
        app.state.server.close()


@contextmanager
def listening(**settings: Any) -> Iterator[tuple[str, Any]]:
    """The same behind uvicorn on a free port: its address, and the application."""
    import threading
    import time

    uvicorn = pytest.importorskip("uvicorn")
    app = create_app(Settings(port=0, **settings))
    config = uvicorn.Config(app, port=0, log_config=None, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + 60
    while not server.started:
        assert time.monotonic() < end and thread.is_alive()
        time.sleep(0.01)
    [port] = [one.getsockname()[1] for each in server.servers for one in each.sockets]
    try:
        yield f"http://127.0.0.1:{port}", app
    finally:
        server.should_exit = True
        thread.join(60)
