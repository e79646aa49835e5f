"""Jobs that write texts, as answers and as streams of events.

Law: what a stream has shown is never taken back; an error after that is its last event, before `[DONE]`.
Source: https://html.spec.whatwg.org/multipage/server-sent-events.html; OpenAI's streams.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import StreamingResponse

from gramspec.errors import CancelledError
from gramspec.integrations.server.engine import Job
from gramspec.integrations.server.errors import api_error, naming
from gramspec.integrations.server.logging import note
from gramspec.integrations.server.server import Server, gone
from gramspec.integrations.server.texts import Piece, Plan, Written, with_grammar

Render = Callable[[Piece], Iterable[dict[str, Any]]]
Close = Callable[[list[Written]], Iterable[dict[str, Any]]]


async def ready(request: Request, plan: Plan) -> Plan:
    """The plan with its grammar compiled.

    Parameters
    ----------
    request : Request
    plan : Plan

    Raises
    ------
    ApiError
        400 when the grammar cannot be used, naming the field and the place in it.
    """
    if plan.wanted is None:
        return plan
    with naming(plan.wanted.param):
        compiled = await plan.server.compiled(
            request, plan.wanted.key, plan.wanted.make, size=plan.wanted.size, seconds=plan.seconds
        )
    return with_grammar(plan, compiled)


async def all_texts(request: Request, plan: Plan) -> list[Written]:
    """The texts of a request.

    Parameters
    ----------
    request : Request
    plan : Plan
        With its grammar.
    """
    job = plan.server.engine.submit(lambda work: plan.run(work), seconds=plan.seconds, alone=plan.alone)
    texts = await plan.server.finished(request, job)
    counted(request, plan, texts)
    return texts


async def streamed(
    request: Request, plan: Plan, begin: list[dict[str, Any]], render: Render, close: Close
) -> StreamingResponse:
    """The texts of a request as events.

    Parameters
    ----------
    request : Request
    plan : Plan
        With its grammar.
    begin : list of dict
        The first events.
    render : callable
        The events of a piece.
    close : callable
        The last events, from all texts.

    Raises
    ------
    ApiError
        What ends the job before anything is shown, if it comes soon: an error has its status then.
    """
    loop = asyncio.get_running_loop()
    coming: asyncio.Queue[Piece | None] = asyncio.Queue()

    def tell(piece: Piece | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            loop.call_soon_threadsafe(coming.put_nowait, piece)

    server = plan.server
    job = server.engine.submit(lambda work: plan.run(work, tell), seconds=plan.seconds, alone=plan.alone)
    job.future.add_done_callback(lambda _: tell(None))
    try:
        first = await _first(request, server, job, coming)
    except BaseException:
        job.stop("client")
        raise
    events = _events(request, plan, job, coming, first, begin, render, close)
    headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


async def _first(
    request: Request, server: Server, job: Job[Any], coming: asyncio.Queue[Piece | None]
) -> list[Piece | None]:
    """What comes before the first comment would be due; nothing if nothing does."""
    got = asyncio.ensure_future(coming.get())
    left = asyncio.ensure_future(gone(request))
    try:
        await asyncio.wait(
            {got, left}, timeout=server.settings.keep_alive_seconds, return_when=asyncio.FIRST_COMPLETED
        )
        if got.done():
            piece = got.result()
            if piece is None:
                job.future.result()  # raises what ended it
            return [piece]
        if left.done():
            raise CancelledError("the client has left")
        return []
    finally:
        for task in (got, left):
            task.cancel()
            with contextlib.suppress(BaseException):
                await task


async def _events(
    request: Request,
    plan: Plan,
    job: Job[list[Written]],
    coming: asyncio.Queue[Piece | None],
    first: list[Piece | None],
    begin: list[dict[str, Any]],
    render: Render,
    close: Close,
) -> AsyncIterator[bytes]:
    pause = plan.server.settings.keep_alive_seconds
    try:
        for event in begin:
            yield data(event)
        while True:
            if first:
                piece = first.pop(0)
            else:
                left = job.left()
                try:
                    piece = await asyncio.wait_for(
                        coming.get(), pause if left is None else min(pause, left + 0.01)
                    )
                except TimeoutError:
                    if job.left() == 0.0:
                        job.stop("deadline")
                    yield b": keep-alive\n\n"
                    continue
            if piece is None:
                break
            for event in render(piece):
                yield data(event)
        try:
            texts = job.future.result()
        except Exception as error:
            yield data(api_error(error).body())
        else:
            counted(request, plan, texts)
            for event in close(texts):
                yield data(event)
        yield b"data: [DONE]\n\n"
    finally:
        job.stop("client")


def data(event: dict[str, Any]) -> bytes:
    """One event.

    Parameters
    ----------
    event : dict
    """
    return b"data: " + json.dumps(event, ensure_ascii=True, separators=(",", ":")).encode() + b"\n\n"


def counted(request: Request, plan: Plan, texts: list[Written]) -> None:
    """Add to the figures, and to the request's line in the log, what it has used.

    Parameters
    ----------
    request : Request
    plan : Plan
    texts : list of Written
    """
    used = {
        "prompt_tokens": plan.prompt_tokens,
        "completion_tokens": sum(one.tokens for one in texts),
        "target_forwards": sum(one.claims.target_forwards for one in texts),
        "draft_forwards": sum(one.claims.draft_forwards for one in texts),
    }
    plan.server.metrics.count(**used)
    kind = "text" if plan.wanted is None else plan.wanted.kind
    note(request.scope, grammar=kind, law=plan.law, texts=len(texts), **used)
