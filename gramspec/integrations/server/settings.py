"""`Settings`: what one server is told when it starts; immutable, no request changes it.

Law: `memo_bytes` and `draft` decide how a seeded text is found, so they are settings and not measured.
Source: `gramspec serve --help`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from zlib import crc32

from gramspec.errors import OptionError
from gramspec.integrations.server.logging import LEVELS
from gramspec.limits import Limits

_TABLES = 4

LIMITS = Limits(
    max_states=400_000,
    max_configurations=100_000,
    max_stack_depth=5_000,
    max_row_bytes=1 << 28,
    max_cache_bytes=1 << 26,
    mask_steps=5_000_000,
    search_steps=5_000_000,
    max_nodes=500_000,
    compile_seconds=10.0,
    mask_seconds=1.0,
)
"""What one grammar of a stranger may cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of a server.

    Parameters
    ----------
    target, draft : str or None
        Directories of models; None: the embedded pair, or no draft beside a target of one's own. "none" for
        the draft: none.
    model_name : str or None
        What requests call the model; None: `gramspec-embedded`, or the name of the target's directory.
    device, dtype : str or None
        Where and in which type the models compute.
    host : str
    port : int
        0 takes a free one.
    max_batch : int
        Requests worked on at a time; what they ask the models for is asked together.
    max_queue : int
        Requests that may wait; more are answered with 429.
    max_new_tokens : int
        Longest text that may be asked for, EOS included.
    default_tokens : int
        The same where a request does not say.
    max_texts : int
        Texts that one request may ask for: prompts times `n`.
    max_logprobs : int
        Alternatives that one request may ask for at each token.
    request_seconds : float
        After which a request is given up.
    keep_alive_seconds : float
        A stream that has nothing to say sends a comment so often.
    batch_seeded : bool
        Whether rows of requests with a seed may be computed together with those of others, which changes
        their last digits.
    memo_bytes : int
        Bytes of rows that all requests together remember; each has its fixed share.
    cache_bytes : int
        Bytes of compiled grammars that are kept.
    compile_threads : int
        Grammars compiled at a time.
    limits : Limits
        What one grammar may cost.
    large_bytes : int
        Grammars whose source is longer are loaded where they hold up none but each other.
    api_keys : tuple of str
        Who may ask; empty: everybody.
    max_body_bytes : int
    body_seconds : float
        Time to send a body.
    databases : mapping of str to str
        Name and SQLAlchemy URL of each database that `sql` may name.
    sql_write : bool
        Whether statements may write.
    sql_rows : int
        Rows of a result table.
    sql_seconds : float
        Time of one statement.
    log_level : str
    cors_origins : tuple of str
        Origins whose pages may ask.

    Raises
    ------
    OptionError
        When a setting is out of range.
    """

    target: str | None = None
    draft: str | None = None
    model_name: str | None = None
    device: str | None = None
    dtype: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    max_batch: int = 16
    max_queue: int = 128
    max_new_tokens: int = 4096
    default_tokens: int = 256
    max_texts: int = 128
    max_logprobs: int = 20
    request_seconds: float = 120.0
    keep_alive_seconds: float = 5.0
    batch_seeded: bool = False
    memo_bytes: int = 1 << 30
    cache_bytes: int = 256 << 20
    compile_threads: int = 8
    limits: Limits = LIMITS
    large_bytes: int = 1 << 16
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    max_body_bytes: int = 4 << 20
    body_seconds: float = 30.0
    databases: Mapping[str, str] = field(default_factory=dict, repr=False)
    sql_write: bool = False
    sql_rows: int = 100
    sql_seconds: float = 10.0
    log_level: str = "info"
    cors_origins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise OptionError(f"{name}={value!r}: a whole number, {least} or more, is needed")
        for name in ("request_seconds", "keep_alive_seconds", "body_seconds", "sql_seconds"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < inf:
                raise OptionError(f"{name}={value!r}: a positive number of seconds is needed")
        if self.log_level not in LEVELS:
            raise OptionError(f"log_level={self.log_level!r}: must be one of {', '.join(LEVELS)}")
        if self.port > 65_535:
            raise OptionError(f"port={self.port}: a number up to 65535 is needed")
        if "" in self.api_keys:
            raise OptionError("api_keys: an empty key lets everybody in by mistake; leave it out to do so")

    def limits_of(self, key: str, size: int) -> Limits:
        """What a grammar may cost; each value has tables of its own, in which one thread works at a time.

        Grammars are spread over several, so that one whose masks are dear holds up a part of the others only.

        Parameters
        ----------
        key : str
            What the grammar is made of.
        size : int
            Bytes of its source.
        """
        if size > self.large_bytes:
            return replace(self.limits, compile_seconds=2 * self.limits.compile_seconds)
        number = crc32(key.encode("utf-8", "backslashreplace")) % _TABLES
        return replace(self.limits, compile_seconds=self.limits.compile_seconds + number / 1000)

    @property
    def memo_share(self) -> int:
        """Bytes of rows that one request remembers of one model."""
        return self.memo_bytes // (2 * self.max_batch)


_LEAST = {
    "port": 0,
    "max_batch": 1,
    "max_queue": 0,
    "max_new_tokens": 1,
    "default_tokens": 1,
    "max_texts": 1,
    "max_logprobs": 0,
    "memo_bytes": 0,
    "cache_bytes": 0,
    "large_bytes": 0,
    "compile_threads": 1,
    "max_body_bytes": 1,
    "sql_rows": 1,
}
