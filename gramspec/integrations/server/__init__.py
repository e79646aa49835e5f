"""`gramspec serve`: texts of grammars over HTTP, in the shapes of OpenAI's API.

Law: that of `gramspec.generate`; what a request asks for is done or refused by name.
Source: https://platform.openai.com/docs/api-reference; FastAPI, uvicorn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gramspec.integrations.server.app import create_app
    from gramspec.integrations.server.settings import Settings

__all__ = ["Settings", "create_app"]


def __getattr__(name: str) -> Any:
    if name == "create_app":
        from gramspec.integrations.server.app import create_app

        return create_app
    if name == "Settings":
        from gramspec.integrations.server.settings import Settings

        return Settings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
