"""What the native core tells of expressions, stacks and tokens by effect, against what it reads.

Laws: the tokens met by effects, over returns into the real stack, are those that the configuration reads; a
head reads the bytes of its configuration; ids from elsewhere are refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gramspec as gs
from gramspec import _native
from gramspec.testing.worlds import worlds

ROOT = np.zeros(1, dtype=np.int32)


def tokens_by_effect(core: Any, config: int) -> set[int]:
    """Every token that leads somewhere, by states over an unknown stack and returns into the real one."""
    found: set[int] = set()
    todo, seen = [(config, ROOT)], set()
    while todo:
        at, nodes = todo.pop()
        for top, stack in _native.partition_items(core, at)[1]:
            _, has_key, frames = _native.partition_frames(core, stack)
            for frame, below in frames if has_key else [(-1, stack)]:
                root = _native.partition_relative(core, top, frame)
                parts = _native.partition_effects(core, root, nodes)
                tokens, targets, escapes = (np.frombuffer(p, dtype=np.int32) for p in parts)
                assert len(tokens) == len(targets) and (targets > 0).all()
                found.update(tokens.tolist())
                key = below, escapes.tobytes()
                if len(escapes) and key not in seen:
                    seen.add(key)
                    todo.append((_native.partition_returned(core, below), escapes))
    return found


def test_effects_meet_the_tokens_of_the_mask() -> None:
    """On vocabularies where every byte is a token: all that can be read can be finished."""
    checked = 0
    for world in worlds(21, 30, options=False, kinds=("recursive", "counted", "object", "utf8", "edges")):
        compiled = gs.compile(world.grammar, world.vocabulary)
        core = compiled.matcher()._core
        if not core.complete:
            continue
        todo, seen = [()], 0
        while todo and seen < 25:
            prefix = todo.pop()
            seen += 1
            matcher = compiled.matcher()
            matcher.advance_many(prefix)
            allowed = set(matcher.allowed_ids().tolist()) - set(world.vocabulary.eos_ids)
            # An undeclared key may be spelled like one written before: those names are forgotten here.
            met = tokens_by_effect(core, matcher._config)
            assert allowed <= met and (world.kind == "object" or met == allowed), (str(world), prefix)
            todo += [(*prefix, t) for t in allowed if len(prefix) < 5]
            checked += 1
    assert checked > 150


def test_expansions_and_heads_read_what_the_configuration_reads() -> None:
    for world in worlds(22, 20, options=False):
        compiled = gs.compile(world.grammar, world.vocabulary)
        matcher = compiled.matcher()
        core, expr = matcher._core, matcher._basis.expr
        live = set(core.live_bytes(matcher._config))
        read: set[int] = set()
        for top in _native.partition_reading(core, matcher._config):
            _, arcs, _, _ = _native.partition_head(core, top)
            read |= {b for low, high, _ in arcs for b in range(low, high + 1)}
            assert _native.partition_expansion(core, top) == [[top]]
        assert live <= read
        words = _native.partition_expansion(core, expr)
        assert words and {w[0] for w in words if w} == {
            t for t, _ in _native.partition_items(core, matcher._config)[1]
        }
        assert ([] in words) == _native.partition_items(core, matcher._config)[0]


def test_a_key_being_written_becomes_what_its_spelling_allows() -> None:
    schema = {
        "type": "object",
        "properties": {"ab": {"const": 1}, "ac": {"const": 2}, "b": {"const": 3}},
        "required": ["ac"],
        "additionalProperties": False,
    }
    vocabulary = gs.Vocabulary([bytes([b]) for b in range(256)] + [None], [256])
    matcher = gs.compile(gs.json_schema(schema), vocabulary).matcher()
    matcher.advance_many(b'{"a')
    core = matcher._core
    ((_, stack),) = _native.partition_items(core, matcher._config)[1]
    ends, has_key, ((frame, _),) = _native.partition_frames(core, stack)
    assert has_key and not ends and _native.partition_is_key(core, frame)
    parts = _native.partition_key(core, frame)
    assert [declared for _, declared, _ in parts] == [True, True]  # "b" does not begin like this
    assert all(core.shortest(rest) == 1 and len(follow) == 1 for rest, _, follow in parts)
    assert not _native.partition_is_key(core, parts[0][0])
    with pytest.raises(ValueError, match="no key"):
        _native.partition_key(core, parts[0][0])


def test_ids_from_elsewhere_are_refused() -> None:
    vocabulary = gs.Vocabulary([b"a", None], [1])
    core = gs.compile(gs.regex("a+"), vocabulary).matcher()._core
    far = 1 << 30
    for call in (
        _native.partition_expansion,
        _native.partition_head,
        _native.partition_key,
        _native.partition_is_key,
        _native.partition_items,
        _native.partition_frames,
        _native.partition_returned,
        _native.partition_reading,
    ):
        for bad in (-1, far):
            with pytest.raises(IndexError):
                call(core, bad)
    with pytest.raises(IndexError):
        _native.partition_relative(core, far, -1)
    with pytest.raises(IndexError):
        _native.partition_relative(core, 1, far)
    with pytest.raises(IndexError):
        _native.partition_effects(core, far, ROOT)
    with pytest.raises(IndexError):
        _native.partition_effects(core, 1, np.array([far], dtype=np.int32))
