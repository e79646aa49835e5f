"""API keys: who may ask.

Law: the time of a comparison tells nothing of a key; no key is ever logged or shown.
Source: https://platform.openai.com/docs/api-reference/authentication.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from gramspec.errors import OptionError

VARIABLE: Final = "GRAMSPEC_API_KEY"
_SHORTEST: Final = 8
_LONGEST: Final = 1_000


class ApiKeys:
    """The keys that open a server; without any it is open to all.

    Parameters
    ----------
    keys : iterable of str
        At least 8 printable characters of ASCII each.

    Raises
    ------
    OptionError
        For a key that cannot be sent, or is too short; names its place in the list.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        digests: list[bytes] = []
        for number, key in enumerate(keys, 1):
            if not key.isascii() or not key.isprintable() or " " in key:
                raise OptionError(f"api_keys: key {number} holds what no header can carry; use plain ASCII")
            if not _SHORTEST <= len(key) <= _LONGEST:
                raise OptionError(
                    f"api_keys: key {number} has {len(key)} characters;"
                    f" from {_SHORTEST} to {_LONGEST} are needed"
                    '\n  hint: python -c "import secrets; print(secrets.token_urlsafe(32))"'
                )
            digests.append(_digest(key))
        self._digests = tuple(digests)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def allows(self, authorization: str | None) -> bool:
        """Whether a request with this header may pass.

        Parameters
        ----------
        authorization : str or None
            ``Bearer KEY``.
        """
        if not self._digests:
            return True
        scheme, _, key = (authorization or "").partition(" ")
        given = _digest(key.strip())
        known = False
        for digest in self._digests:  # all of them, whichever fits
            known |= hmac.compare_digest(digest, given)
        return known and scheme.lower() == "bearer"


def read_keys(
    keys: Iterable[str] = (), file: str | Path | None = None, environment: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Keys from wherever they are kept.

    Parameters
    ----------
    keys : iterable of str
        Given directly.
    file : str or Path, optional
        One key per line; empty lines and those that begin with ``#`` are skipped.
    environment : mapping, optional
        Whose ``GRAMSPEC_API_KEY`` may hold keys with commas between.

    Returns
    -------
    tuple of str
        Without repetitions.

    Raises
    ------
    OptionError
        If the file cannot be read, or holds no key: a server that was to be closed would be open.
    """
    found = [*keys]
    if file is not None:
        try:
            lines = Path(file).read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise OptionError(f"api_key_file: {file} cannot be read: {error}") from None
        listed = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
        if not listed:
            raise OptionError(f"api_key_file: {file} holds no key\n  hint: one key per line")
        found += listed
    if environment is not None and (value := environment.get(VARIABLE)) is not None:
        listed = [key.strip() for key in value.split(",") if key.strip()]
        if not listed:
            raise OptionError(f"{VARIABLE}: it is set and holds no key\n  hint: unset it, or give a key")
        found += listed
    return tuple(dict.fromkeys(found))


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
