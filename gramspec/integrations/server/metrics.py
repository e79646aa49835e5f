"""Figures of a server for Prometheus, in a registry of its own.

Law: labels come from fixed sets (routes, statuses, reasons), so that no client makes series.
Source: https://prometheus.io/docs/practices/naming/.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class Metrics:
    """What one application counts.

    Attributes
    ----------
    registry : CollectorRegistry
    requests : Counter
        By route, method and status.
    request_seconds : Histogram
        By route; of streams, until the last event.
    queue_depth, running : Gauge
        Requests that wait for the engine, and that it works on.
    prompt_tokens, completion_tokens : Counter
    target_forwards, draft_forwards : Counter
        Forward passes, counted per sequence.
    compile_seconds : Histogram
        Of grammars.
    cache_bytes, cache_entries : Gauge
        Of compiled grammars.
    cache_hits, cache_misses : Counter
    cancellations : Counter
        By reason: "client", "deadline", "shutdown".
    sql_statements : Counter
        By outcome: "run", "refused" by the database, "not_run".
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = self._counter("requests", "Requests answered", ("route", "method", "status"))
        self.request_seconds = self._histogram("request_seconds", "Seconds until an answer ended", ("route",))
        self.queue_depth = self._gauge("queue_depth", "Requests that wait")
        self.running = self._gauge("running", "Requests that the engine works on")
        self.prompt_tokens = self._counter("prompt_tokens", "Tokens of prompts")
        self.completion_tokens = self._counter("completion_tokens", "Tokens of completions")
        self.target_forwards = self._counter("target_forwards", "Forward passes of the target model")
        self.draft_forwards = self._counter("draft_forwards", "Forward passes of the draft model")
        self.compile_seconds = self._histogram("compile_seconds", "Seconds to compile a grammar")
        self.cache_bytes = self._gauge("grammar_cache_bytes", "Bytes of compiled grammars kept")
        self.cache_entries = self._gauge("grammar_cache_entries", "Compiled grammars kept")
        self.cache_hits = self._counter("grammar_cache_hits", "Grammars found compiled")
        self.cache_misses = self._counter("grammar_cache_misses", "Grammars that had to be compiled")
        self.cancellations = self._counter("cancellations", "Requests given up", ("reason",))
        self.sql_statements = self._counter("sql_statements", "Statements answered by /v1/sql", ("outcome",))

    def count(
        self,
        *,
        prompt_tokens: int = 0,
        completion_tokens: int = 0,
        target_forwards: int = 0,
        draft_forwards: int = 0,
    ) -> None:
        """Add what one request has used.

        Parameters
        ----------
        prompt_tokens, completion_tokens, target_forwards, draft_forwards : int
            As in the usage of its answer.
        """
        self.prompt_tokens.inc(prompt_tokens)
        self.completion_tokens.inc(completion_tokens)
        self.target_forwards.inc(target_forwards)
        self.draft_forwards.inc(draft_forwards)

    def exposition(self) -> bytes:
        """All figures in the text format of Prometheus."""
        return generate_latest(self.registry)

    def _counter(self, name: str, meaning: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(f"gramspec_{name}", meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(f"gramspec_{name}", meaning, registry=self.registry)

    def _histogram(self, name: str, meaning: str, labels: tuple[str, ...] = ()) -> Histogram:
        return Histogram(f"gramspec_{name}", meaning, labels, buckets=_SECONDS, registry=self.registry)
