"""Makes a failing pair of schema and instance small.

Law: every step keeps the failure and makes the JSON text of the pair shorter, so it ends.
Source: greedy structural reduction.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any


def shrunk(value: Any, fails: Callable[[Any], bool], *, attempts: int = 300) -> Any:
    """A smaller value that still fails, after at most so many trials."""
    tried: set[str] = set()
    progress = True
    while progress:
        progress = False
        for smaller in _smaller(value):
            text = json.dumps(smaller)
            if text in tried or len(text) >= len(json.dumps(value)):
                continue
            tried.add(text)
            attempts -= 1
            if attempts < 0:
                return value
            if fails(smaller):
                value, progress = smaller, True
                break
    return value


def _smaller(value: Any) -> Iterator[Any]:
    """The same value with one node left out, replaced by one of its children, or by a scalar."""
    paths = sorted(_paths(value), key=len)
    for path in paths:
        node = _at(value, path)
        if path:
            yield _without(value, path)
        if isinstance(node, dict | list):
            children = list(node.values()) if isinstance(node, dict) else node
            for child in children:
                yield _replaced(value, path, child)
                if isinstance(child, dict):
                    for grandchild in child.values():
                        yield _replaced(value, path, grandchild)
            yield _replaced(value, path, {})
            yield _replaced(value, path, True)
        elif isinstance(node, str) and node:
            yield _replaced(value, path, node[:-1])
        if node not in (0, 1):
            yield _replaced(value, path, 0)


def _paths(value: Any) -> Iterator[tuple[Any, ...]]:
    yield ()
    if isinstance(value, dict):
        for name, child in value.items():
            yield from ((name, *rest) for rest in _paths(child))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from ((index, *rest) for rest in _paths(child))


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        value = value[part]
    return value


def _without(value: Any, path: tuple[Any, ...]) -> Any:
    value = copy.deepcopy(value)
    del _at(value, path[:-1])[path[-1]]
    return value


def _replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    new = copy.deepcopy(new)
    if not path:
        return new
    value = copy.deepcopy(value)
    _at(value, path[:-1])[path[-1]] = new
    return value
