"""URIs of schemas: resolving a reference against a base, and JSON pointers in fragments.

Law: any scheme resolves alike (`urn:` too), as RFC 3986 says; nothing is fetched.
Source: RFC 3986, section 5.2 (resolution) and appendix B (syntax); RFC 6901 (pointers).
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

_SYNTAX = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):)?(?://(?P<authority>[^/?#]*))?(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?",
    re.DOTALL,
)
_BAD_TILDE = re.compile(r"~(?![01])")


class _Uri(NamedTuple):
    scheme: str | None
    authority: str | None
    path: str
    query: str | None


def join(base: str, reference: str) -> str:
    """The URI that a reference means under a base URI; both without a fragment.

    Parameters
    ----------
    base : str
        The base URI; may itself be relative or empty, as that of a schema without ``$id``.
    reference : str
        A URI reference.
    """
    if not reference:
        return base
    it, under = _split(reference), _split(base)
    if it.scheme is not None:
        return _unsplit(it._replace(path=_without_dots(it.path)))
    if it.authority is not None:
        return _unsplit(it._replace(scheme=under.scheme, path=_without_dots(it.path)))
    if not it.path:
        return _unsplit(under._replace(query=under.query if it.query is None else it.query))
    path = it.path
    if not path.startswith("/"):
        folder = under.path[: under.path.rfind("/") + 1]
        path = ("/" if under.authority is not None and not under.path else folder) + path
    return _unsplit(_Uri(under.scheme, under.authority, _without_dots(path), it.query))


def defragment(reference: str) -> tuple[str, str]:
    """A reference as the part before the first ``#`` and the fragment, still percent-encoded."""
    uri, _, fragment = reference.partition("#")
    return uri, fragment


def decode(fragment: str) -> str:
    """A fragment without percent-encoding.

    Raises
    ------
    ValueError
        If the encoded bytes are not UTF-8.
    """
    return unquote(fragment, errors="strict")


def tokens(pointer: str) -> list[str]:
    """The unescaped reference tokens of a JSON pointer.

    Raises
    ------
    ValueError
        If it is not empty and begins without ``/``, or holds a ``~`` that is neither ``~0`` nor ``~1``.
    """
    if pointer and not pointer.startswith("/"):
        raise ValueError("it does not begin with /")
    if _BAD_TILDE.search(pointer):
        raise ValueError("~ must be written ~0, and / in a name ~1")
    return [unescape(token) for token in pointer.split("/")[1:]]


def unescape(token: str) -> str:
    """The name that one reference token of a JSON pointer stands for."""
    return token.replace("~1", "/").replace("~0", "~")


def _split(uri: str) -> _Uri:
    match = _SYNTAX.match(uri)
    assert match is not None  # every part is optional
    return _Uri(match["scheme"], match["authority"], match["path"], match["query"])


def _unsplit(uri: _Uri) -> str:
    scheme = "" if uri.scheme is None else f"{uri.scheme}:"
    authority = "" if uri.authority is None else f"//{uri.authority}"
    query = "" if uri.query is None else f"?{uri.query}"
    return f"{scheme}{authority}{uri.path}{query}"


def _without_dots(path: str) -> str:
    if "." not in path:
        return path
    rooted, segments = path.startswith("/"), path.split("/")
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            if kept and kept != [""]:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    if rooted and kept[:1] != [""]:
        kept.insert(0, "")
    return "/".join(kept)
