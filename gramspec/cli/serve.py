"""`gramspec serve`: the HTTP server, from the options typed to a process that ends cleanly.

Law: nothing is served before everything typed has been checked and the models are loaded.
Source: API, "Command line"; uvicorn.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from gramspec.errors import OptionError

if TYPE_CHECKING:
    from gramspec.integrations.server.settings import Settings

EXAMPLE = "Example: gramspec serve --port 8000"


def command(
    target: Annotated[
        str | None,
        typer.Option(help="Directory of the target model; default: the embedded pair.", show_default=False),
    ] = None,
    draft: Annotated[
        str | None, typer.Option(help="Directory of a draft model; 'none' drafts nothing.")
    ] = None,
    model_name: Annotated[
        str | None,
        typer.Option(
            help="What requests call the model; default: gramspec-embedded, or the target's directory.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[str | None, typer.Option(help="Where to compute: cpu, cuda, …")] = None,
    dtype: Annotated[str | None, typer.Option(help="Type of the weights: float32, bfloat16, …")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 is all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8000,
    max_batch: Annotated[int, typer.Option(help="Requests worked on at a time.")] = 16,
    max_queue: Annotated[int, typer.Option(help="Requests that may wait; more get 429.")] = 128,
    max_new_tokens: Annotated[int, typer.Option(help="Longest text that may be asked for.")] = 4096,
    request_seconds: Annotated[float, typer.Option(help="After which a request is given up.")] = 120.0,
    batch_seeded: Annotated[
        bool,
        typer.Option(
            "--batch-seeded",
            help="Compute rows of requests with a seed together with others': faster, and their texts may"
            " then depend on rounding.",
        ),
    ] = False,
    memo_bytes: Annotated[int, typer.Option(help="Bytes of rows remembered by all requests together.")] = 1
    << 30,
    cache_bytes: Annotated[int, typer.Option(help="Bytes of compiled grammars kept.")] = 256 << 20,
    max_body_bytes: Annotated[int, typer.Option(help="Largest body of a request.")] = 4 << 20,
    api_key: Annotated[
        list[str] | None,
        typer.Option(help="Key that clients must send; may be given several times.", show_default=False),
    ] = None,
    api_key_file: Annotated[
        Path | None, typer.Option(help="File with one key per line; GRAMSPEC_API_KEY is read too.")
    ] = None,
    db: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=URL",
            help="Database that requests may name, e.g. shop=sqlite:///shop.db; several times.",
            show_default=False,
        ),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Let statements write into the databases.")] = False,
    rows: Annotated[int, typer.Option(help="Rows of a result table at most.")] = 100,
    seconds: Annotated[float, typer.Option(help="Seconds that a statement may run.")] = 10.0,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option(help="Origin whose pages may ask; several times.", show_default=False),
    ] = None,
    log_level: Annotated[
        str, typer.Option(help="'debug', 'info', 'warning', 'error' or 'critical'.")
    ] = "info",
) -> None:
    """Serve texts of grammars over HTTP, in the shapes of OpenAI's API, with a page to try grammars at /.

    Logs go to stderr, one JSON object a line. Ctrl-C or SIGTERM ends it after what is under way.
    """
    _check_packages()
    from gramspec.integrations.server.auth import read_keys
    from gramspec.integrations.server.settings import Settings

    settings = Settings(
        target=target,
        draft=draft,
        model_name=model_name,
        device=device,
        dtype=dtype,
        host=host,
        port=port,
        max_batch=max_batch,
        max_queue=max_queue,
        max_new_tokens=max_new_tokens,
        request_seconds=request_seconds,
        batch_seeded=batch_seeded,
        memo_bytes=memo_bytes,
        cache_bytes=cache_bytes,
        max_body_bytes=max_body_bytes,
        api_keys=read_keys(api_key or (), api_key_file, os.environ),
        databases=_databases(db or []),
        sql_write=write,
        sql_rows=rows,
        sql_seconds=seconds,
        cors_origins=tuple(cors_origin or ()),
        log_level=log_level,
    )
    serve(settings)


def serve(settings: Settings) -> None:
    """Serve until a signal comes.

    Parameters
    ----------
    settings : Settings

    Raises
    ------
    OptionError
        When the address cannot be listened on.
    ModelError
        When a model cannot be loaded.
    """
    import uvicorn

    from gramspec.integrations.server.app import create_app
    from gramspec.integrations.server.logging import configure

    configure(settings.log_level)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    listening = _listening(settings)
    with listening:
        with console.status("loading the models"):
            app = create_app(settings)
        name = app.state.server.model_name
        listening.listen(2048)  # who reads the line and connects is served
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        console.print(f"serving {name} at http://{host}:{listening.getsockname()[1]} (Ctrl-C ends it)")
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=10
        )
        try:
            uvicorn.Server(config).run(sockets=[listening])
        except KeyboardInterrupt:  # uvicorn passes on the signal that ended it, when everything is closed
            return


def _listening(settings: Settings) -> Any:
    import socket

    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except (OSError, OverflowError) as error:
        listening.close()
        raise OptionError(
            f"--host {settings.host} --port {settings.port}: {error}\n  hint: --port 0 takes a free port"
        ) from None
    return listening


def _databases(given: list[str]) -> dict[str, str]:
    databases: dict[str, str] = {}
    for one in given:
        name, equals, url = one.partition("=")
        if not equals or not name or "://" not in url:
            raise OptionError("--db: a name and a URL are needed\n  hint: --db shop=sqlite:///shop.db")
        if name in databases:
            raise OptionError(f"--db: there are two databases {name!r}")
        databases[name] = url
    return databases


def _check_packages() -> None:
    for name in ("fastapi", "uvicorn", "prometheus_client"):
        try:
            __import__(name)
        except ModuleNotFoundError as error:
            raise OptionError(
                f"serve: the server needs the package {error.name}\n  hint: pip install 'gramspec[server]'"
            ) from None
