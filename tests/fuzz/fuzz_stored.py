"""Fuzz harness of stored grammars: bytes that nobody vouches for, loaded and walked.

Law: an error by name, or a compiled grammar that is walked without harm, and has the same masks when it is
stored and loaded again. Bytes made by hand may break the rules of expressions (key classes that overlap), so
that its masks are not exact.
Source: docs/serialisation.md. The digest is made anew here, or hardly any input would get past it.
"""

from __future__ import annotations

import random
import struct
from array import array
from collections.abc import Iterator

import numpy as np

import gramspec as gs
from gramspec.automaton.storing.packing import _DIGEST, _HEADER, FORMAT, MAGIC, _digest, unpack
from gramspec.errors import SerialisationError
from gramspec.grammar.core import Grammar
from gramspec.testing.grammars import KINDS, SeededDice, alphabet_of, expression
from gramspec.testing.random_schemas import Maker
from tests.fuzz.harness import LIMITS, change_bytes, check, dice_of
from tests.fuzz.walking import vocabulary, walk

WALKS, STEPS = 2, 20
_SMALL = [0, 1, 2, 3, 5, 8, 13, 31, 255, 256, 65_535, 0xFFFFFFFF, 0xFFFFFFFE, 0x80000000]


class StoredHarness:
    """See the head of the file.

    An input is a byte of options, the numbers of strings and of words (16 bits each), and the body as it is
    before it is deflated; with option 1 all bytes behind the first stand as they are.
    """

    name = "stored"
    what = "gramspec.CompiledGrammar.from_bytes, and walks along the masks"
    longest = 4096
    words = tuple(struct.pack("<I", value) for value in _SMALL)

    def seeds(self) -> Iterator[bytes]:
        """Small grammars of all kinds, and schemas with and without residual predicates."""
        grammars: list[Grammar] = []
        for number, kind in enumerate(KINDS):
            for turn in range(4):
                dice = SeededDice([number, turn])
                grammars.append(Grammar(expression(dice, kind, alphabet_of(dice, kind))))
        schemas = [Maker(seed, depth=1).document() for seed in range(40)]
        schemas += [{}, {"type": "array", "uniqueItems": True}, {"type": "string", "pattern": "^a+(?!b)"}]
        for schema in schemas:
            try:
                grammars.append(gs.json_schema(schema))
            except gs.GrammarError:
                continue
        for grammar in grammars:
            try:
                data = gs.compile(grammar, vocabulary(complete=True), limits=LIMITS).to_bytes()
            except (gs.GrammarError, gs.VocabularyError, gs.LimitError):
                continue
            opened = opened_input(data)
            if len(opened) <= self.longest:
                yield opened
                yield b"\1" + data

    def mutate(self, data: bytes, choose: random.Random) -> bytes:
        """Other words, or other bytes."""
        if len(data) < 9 or data[0] & 1 or choose.random() < 0.2:
            return change_bytes(data, choose, self.words, self.longest)
        flags, strings, words = struct.unpack_from("<BHH", data)
        body = bytearray(data[5:])
        if choose.random() < 0.1:
            flags ^= choose.choice([2, 4])
        for _ in range(1 + choose.randrange(3)):
            first, last = 4 * strings, min(4 * (strings + words), len(body) // 4 * 4)
            if last <= first:
                break
            at = choose.randrange(first, last, 4)
            match choose.randrange(5):
                case 0:
                    body[at : at + 4] = struct.pack("<I", choose.choice([*_SMALL, words, strings]))
                case 1:
                    value = struct.unpack_from("<I", body, at)[0] + choose.choice([-2, -1, 1, 2])
                    body[at : at + 4] = struct.pack("<I", value & 0xFFFFFFFF)
                case 2:
                    other = choose.randrange(first, last, 4)
                    body[at : at + 4] = body[other : other + 4]
                case 3:
                    part = body[at : at + 4 * choose.randrange(1, 9)]
                    body[at:at] = part[: len(part) // 4 * 4]
                    words += len(part) // 4
                case _:
                    del body[at : at + 4]
                    words -= 1
        return (struct.pack("<BHH", flags, strings, max(words, 0) & 0xFFFF) + body)[: self.longest]

    def run(self, data: bytes) -> None:
        """Load, walk, store, load again."""
        flags = data[0] if data else 0
        own = vocabulary(complete=not flags & 4)
        stored = closed_input(data)
        try:
            compiled = gs.CompiledGrammar.from_bytes(
                stored, own, limits=LIMITS, other_vocabulary=bool(flags & 6)
            )
            mask = compiled.matcher().allowed_ids()
            choose = dice_of(data)
            for _ in range(WALKS):
                walk(compiled, choose, STEPS, exact=False)
            again = gs.CompiledGrammar.from_bytes(compiled.to_bytes(), own, limits=LIMITS)
            check(np.array_equal(again.matcher().allowed_ids(), mask), "another mask after storing it again")
        except (SerialisationError, gs.EmptyLanguageError, gs.VocabularyError, gs.LimitError):
            return


def opened_input(data: bytes) -> bytes:
    """The input of the harness that stands for stored bytes."""
    reader = unpack(data)
    strings = reader.strings
    body = array("I", map(len, strings)).tobytes() + reader.data + b"".join(strings)
    return struct.pack("<BHH", 0, len(strings), reader.left) + body


def closed_input(data: bytes) -> bytes:
    """The stored bytes for an input of the harness."""
    if len(data) < 5 or data[0] & 1:
        return data[1:]
    _, strings, words = struct.unpack_from("<BHH", data)
    body = data[5:]
    header = _HEADER.pack(MAGIC, FORMAT, 0, strings, words, len(body))
    digest = _digest(header, body)
    check(len(digest) == _DIGEST, "the digest has another length")
    return header + digest + body
