"""`Server`: what the routes of one application share, and how a request gets its texts.

Law: nothing that takes time runs on the event loop; whoever leaves or runs out of time is given up.
Cost: two hops between threads for each request.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, TypeVar, cast

from starlette.requests import Request

from gramspec.decoding.checks import tokenize
from gramspec.decoding.completion import Completion
from gramspec.decoding.generate import generate
from gramspec.decoding.options import DecodingOptions
from gramspec.decoding.streaming import Chunk
from gramspec.errors import CancelledError, ModelError
from gramspec.grammar.core import Grammar
from gramspec.integrations.server.cache import Cancellable, GrammarCache
from gramspec.integrations.server.engine import Engine, Job, Work
from gramspec.integrations.server.errors import ApiError, deadline_passed
from gramspec.integrations.server.metrics import Metrics
from gramspec.integrations.server.settings import Settings
from gramspec.matching import CompiledGrammar, compile

T = TypeVar("T")

Prompts = Sequence[str | Sequence[int]]


class Server:
    """Models, engine, cache and figures behind one application.

    Parameters
    ----------
    settings : Settings
    target, draft : LanguageModel or None
        Models that carry a vocabulary and a tokenizer.
    name : str
        What requests call the model.
    metrics : Metrics

    Raises
    ------
    ModelError
        When the target has no tokenizer.
    """

    def __init__(self, settings: Settings, target: Any, draft: Any, name: str, metrics: Metrics) -> None:
        if getattr(target, "vocabulary", None) is None:
            raise ModelError("a server needs a target with a tokenizer, to read prompts and write texts")
        self.settings = settings
        self.target = target
        self.draft = draft
        self.model_name = name
        self.metrics = metrics
        self.vocabulary = target.vocabulary
        self.started = int(time.time())
        # Normalisation may make a text shorter before it is cut into tokens, never by so much.
        self._widest = 4 * max((len(token) for token in self.vocabulary.tokens if token), default=1)
        self._tokenizing = threading.Lock()
        for model in (target, draft):  # what is found out on first use is found out before threads share it
            if model is not None:
                _ = (model.fingerprint, model.vocabulary, getattr(model, "batches", False))
        self.engine = Engine(
            target, draft, max_batch=settings.max_batch, max_queue=settings.max_queue, metrics=metrics
        )
        self.cache = GrammarCache(
            settings.cache_bytes,
            metrics,
            threads=settings.compile_threads,
            most_coming=settings.max_queue + settings.max_batch,
        )

    def close(self) -> None:
        """Finish what is under way, and stop."""
        self.cache.close()
        self.engine.close()

    async def compiled(
        self,
        request: Request | None,
        key: str,
        make: Callable[[], Grammar],
        *,
        size: int = 0,
        seconds: float | None = None,
    ) -> CompiledGrammar:
        """A grammar on the server's vocabulary, from the cache or compiled off the event loop.

        Parameters
        ----------
        request : Request or None
            Whose client may leave meanwhile.
        key : str
            What the grammar is made of; see `cache.key_of`.
        make : callable
            Reads it.
        size : int
            Bytes of its source; see `Settings.limits_of`.
        seconds : float, optional
            After which nobody waits for it any more; the server's setting by default.

        Raises
        ------
        GramspecError
            When it cannot be read or compiled.
        ApiError
            429 when too many wait, 504 when it takes too long.
        """
        limits = self.settings.limits_of(key, size)

        def both() -> CompiledGrammar:
            return compile(make(), self.vocabulary, limits=limits)

        coming = self.cache.get(key, both, large=size > self.settings.large_bytes)
        if coming.done():
            return coming.result()
        seconds = self.settings.request_seconds if seconds is None else seconds
        # The grammar may be waited for by others, so that it is compiled to its end whoever leaves.
        return await until(request, asyncio.shield(_wrapped(coming)), seconds)

    async def finished(self, request: Request | None, job: Job[T]) -> T:
        """The result of a job; it is given up when the client leaves or its time is over.

        Parameters
        ----------
        request : Request or None
            Whose client may leave.
        job : Job
            From `Engine.submit`.

        Raises
        ------
        ApiError
            504 when its time is over, 503 when the server stops.
        GramspecError
            What the task has raised.
        """
        try:
            return await until(request, _wrapped(job.future), job.left(), job)
        finally:
            job.stop("client")

    async def complete(
        self,
        request: Request | None,
        prompts: Prompts,
        grammar: Grammar | CompiledGrammar,
        *,
        cache_key: str | None = None,
        seconds: float | None = None,
        options: DecodingOptions | None = None,
        stream: Callable[[Chunk], None] | None = None,
        **asked: Any,
    ) -> list[list[Completion]]:
        """Texts of a grammar, as `gramspec.generate` makes them.

        Parameters
        ----------
        request : Request or None
            Whose client may leave.
        prompts : list of str or of token-id lists
        grammar : Grammar or CompiledGrammar
            What may be written.
        cache_key : str, optional
            Under which a grammar that has to be compiled is kept; its fingerprint by default.
        seconds : float, optional
            After which the request is given up; the server's setting by default.
        options : DecodingOptions, optional
            As for `gramspec.generate`; `memo_bytes` is the server's.
        stream : callable, optional
            As for `gramspec.generate`; called in a thread of the engine.
        **asked
            Other options of `gramspec.generate`: law, sampler, n, max_new_tokens, temperature, top_p, top_k,
            seed.
        """
        if isinstance(grammar, Grammar):
            source = grammar
            key = grammar.fingerprint if cache_key is None else cache_key
            compiled = await self.compiled(request, key, lambda: source)
        else:
            compiled = grammar
        job = self.submit(prompts, compiled, seconds=seconds, options=options, stream=stream, **asked)
        texts = await self.finished(request, job)
        self.count(sum(len(p) for p in self.ids(prompts)), [one for each in texts for one in each])
        return texts

    def submit(
        self,
        prompts: Prompts,
        compiled: CompiledGrammar,
        *,
        seconds: float | None = None,
        options: DecodingOptions | None = None,
        stream: Callable[[Chunk], None] | None = None,
        seed: int | None = None,
        **asked: Any,
    ) -> Job[list[list[Completion]]]:
        """Queue a call of `gramspec.generate`; see `complete`."""
        settings = self.settings
        own = DecodingOptions() if options is None else options

        def task(work: Work) -> list[list[Completion]]:
            return generate(
                work.target,
                prompts,
                Cancellable(compiled, work.cancel),
                draft=work.draft if own.drafter != "none" else None,
                seed=seed,
                options=share_of(own, settings),
                stream=stream,
                **asked,
            )

        return self.engine.submit(
            task,
            seconds=settings.request_seconds if seconds is None else min(seconds, settings.request_seconds),
            alone=self.alone(seed),
        )

    def alone(self, seed: int | None) -> bool:
        """Whether rows of a request are computed apart from those of others.

        Parameters
        ----------
        seed : int or None
            That of the request.
        """
        return seed is not None and not self.settings.batch_seeded

    def ids(self, prompts: Prompts, *, special: bool = True) -> list[list[int]]:
        """Token ids of prompts; safe from any thread, and not for the event loop where texts may be long.

        Parameters
        ----------
        prompts : list of str or of token-id lists
        special : bool
            Whether the special tokens are put in front that the tokenizer adds.

        Raises
        ------
        PromptError
            For unknown ids.
        ApiError
            400 for texts that are too long whatever their tokens are.
        """
        longest = self.target.max_length
        for i, prompt in enumerate(prompts):
            if longest is not None and isinstance(prompt, str) and len(prompt) > longest * self._widest:
                raise ApiError(
                    400,
                    f"prompts[{i}]: {len(prompt)} characters do not fit into {longest} tokens",
                    code="context_length_exceeded",
                    param="prompt",
                )
        with self._tokenizing:  # tokenizers of Transformers set themselves up anew for each call
            if not special:
                cut = self.target.tokenizer
                return [
                    [int(i) for i in cut(text, add_special_tokens=False)["input_ids"]] for text in prompts
                ]
            return tokenize(self.target, list(prompts))

    def count(self, prompt_tokens: int, texts: Sequence[Completion]) -> None:
        """Add to the figures what a request has used.

        Parameters
        ----------
        prompt_tokens : int
        texts : list of Completion
        """
        self.metrics.count(
            prompt_tokens=prompt_tokens,
            completion_tokens=sum(len(one.token_ids) for one in texts),
            target_forwards=sum(one.report.target_forwards for one in texts),
            draft_forwards=sum(one.report.draft_forwards for one in texts),
        )


def server_of(request: Request) -> Server:
    """The server behind the application that a request came to.

    Parameters
    ----------
    request : Request
    """
    return cast(Server, request.app.state.server)


def share_of(options: DecodingOptions, settings: Settings) -> DecodingOptions:
    """The options with the memory that the server gives to one request.

    Parameters
    ----------
    options : DecodingOptions
        As asked for.
    settings : Settings
    """
    return replace(options, memo_bytes=settings.memo_share)


async def gone(request: Request) -> None:
    """Wait until the client of a request has left; its body must have been read.

    Parameters
    ----------
    request : Request
    """
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _wrapped(coming: Future[T]) -> asyncio.Future[T]:
    """A result to wait for, whose error is nobody's affair once nobody waits."""
    wrapped = asyncio.wrap_future(coming)
    wrapped.add_done_callback(lambda done: done.cancelled() or done.exception())
    return wrapped


async def until(
    request: Request | None,
    coming: asyncio.Future[T],
    seconds: float | None = None,
    job: Job[Any] | None = None,
) -> T:
    """What comes, unless the client leaves or the time is over before.

    Parameters
    ----------
    request : Request or None
        Whose client may leave; its body must have been read.
    coming : asyncio.Future
        Cancelled when nobody waits for it any more.
    seconds : float, optional
        Time for it.
    job : Job, optional
        Given up with it.

    Raises
    ------
    CancelledError
        When the client has left.
    ApiError
        504 when the time is over.
    """
    watched: set[asyncio.Future[Any]] = {coming}
    left = None if request is None else asyncio.ensure_future(gone(request))
    if left is not None:
        watched.add(left)
    try:
        done, _ = await asyncio.wait(watched, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if coming in done:
            return coming.result()
        if job is not None:
            job.stop("client" if done else "deadline")
        if done:
            raise CancelledError("the client has left")
        raise deadline_passed(seconds or 0.0)
    finally:
        if left is not None:
            left.cancel()
            with contextlib.suppress(BaseException):
                await left
        if not coming.done():
            coming.cancel()
