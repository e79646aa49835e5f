"""`RowCache`: token rows that no schema has a part in, kept on disk between processes.

Law: a row taken from a file is the row that the engine would make; whatever is wrong with a file, it is made.
Cost: one read and a SHA-256 of some 100 KB a vocabulary, in place of walks through the vocabulary.
Source: architecture, "Token rows"; docs/serialisation.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import gramspec
from gramspec import _native
from gramspec.automaton.engine import Engine
from gramspec.automaton.fingerprint import fingerprint
from gramspec.automaton.loader import load_parts
from gramspec.automaton.storing import Writer, pack, unpack
from gramspec.errors import OptionError, RowCacheWarning, SerialisationError
from gramspec.grammar.builtins import shared
from gramspec.limits import Limits
from gramspec.vocabulary import Vocabulary

_MAGIC = b"\x89gsrows\n"
_FORMAT = 1  # of one row, as gramspec/native/stored_rows.cpp writes it
_MOST_BYTES = 1 << 28  # of one file
_SUFFIX = ".rows"

# Texts that visit what JSON grammars have in common: the rows of their prefixes are kept.
_PROBES = (
    b'{"ab": [1, -20.5e+3, true, false, null, {}, []], "\\u00e9": "\\" \\ud83d\\ude00 \xc3\xa9\xe2\x82\xac"}',
    b'[{"a":0.25,"b":"x"},[[]],"\xf0\x9f\x98\x80",1E-7]',
)


class RowCache:
    """Vocabulary-wide token rows in a directory.

    Files are written as a whole and renamed into place, so that any number of processes may share the
    directory. A file is named after everything that its rows depend on: the vocabulary, the version of
    gramspec and the expressions that all grammars share. Who can write into the directory can change
    masks: it should be the user's own.

    Parameters
    ----------
    directory : path-like
        Made when first needed.
    max_bytes : int
        How much its files may take; those not used for the longest time are removed.

    Raises
    ------
    OptionError
        If `max_bytes` is negative.
    """

    def __init__(self, directory: str | os.PathLike[str], *, max_bytes: int = 1 << 28) -> None:
        if max_bytes < 0:
            raise OptionError(f"max_bytes: {max_bytes} is negative")
        self.directory = Path(directory)
        self.max_bytes = max_bytes

    def path(self, vocabulary: Vocabulary) -> Path:
        """The file of a vocabulary, whether or not it is there."""
        return self.directory / f"{_key(vocabulary)}{_SUFFIX}"

    def warm(self, vocabulary: Vocabulary, *, limits: Limits | None = None) -> bool:
        """Give the rows to the engine that compiled grammars of this vocabulary and these limits share.

        Parameters
        ----------
        vocabulary : Vocabulary
        limits : Limits, optional
            Those that grammars are compiled with.

        Returns
        -------
        bool
            Whether they came from the file. Otherwise they were made, and stored for the next process.

        Warns
        -----
        RowCacheWarning
            If the file is damaged (it is made anew), or the directory cannot be written.
        """
        from gramspec.matching.compiled import _engine as engine_of

        engine = engine_of(vocabulary, limits or Limits())
        path = self.path(vocabulary)
        try:
            if self._taken(path, engine, vocabulary):
                return True
        except (SerialisationError, ValueError) as error:
            warnings.warn(f"{path}: {error}; it is made anew", RowCacheWarning, stacklevel=2)
        data = _stored(engine, vocabulary)
        try:
            self._write(path, data)
        except OSError as error:
            warnings.warn(f"{path} cannot be written: {error}", RowCacheWarning, stacklevel=2)
        return False

    def clear(self) -> None:
        """Remove all files of rows from the directory."""
        for path, _, _ in self._files():
            path.unlink(missing_ok=True)

    def _taken(self, path: Path, engine: Engine, vocabulary: Vocabulary) -> bool:
        try:
            if path.stat().st_size > _MOST_BYTES:
                raise SerialisationError("file", f"it is larger than {_MOST_BYTES} bytes")
            data = path.read_bytes()
        except OSError:  # not there, or removed by another process
            return False
        reader = unpack(data, _MOST_BYTES, _MAGIC)
        if reader.text() != _key(vocabulary):
            raise SerialisationError("key", "the rows are those of another vocabulary or version")
        # Everything is read before anything is taken over.
        rows = [reader.string() for _ in range(reader.length("rows"))]
        reader.end()
        for config, row in zip(_configurations(engine), rows, strict=True):
            if row:
                _native.adopt_row(engine.core, config, row)
        with contextlib.suppress(OSError):
            os.utime(path)  # used now
        return True

    def _write(self, path: Path, data: bytes) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.directory, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(name, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
        self._limit()

    def _limit(self) -> None:
        """Remove the files that were not used for the longest time, until the others fit."""
        files = sorted(self._files(), key=lambda file: file[2], reverse=True)
        total = 0
        for path, size, _ in files:
            total += size
            if total > self.max_bytes:
                path.unlink(missing_ok=True)

    def _files(self) -> Iterator[tuple[Path, int, float]]:
        """Files of rows with their size and the time of their last use."""
        for path in self.directory.glob(f"*{_SUFFIX}"):
            with contextlib.suppress(OSError):
                status = path.stat()
                yield path, status.st_size, status.st_mtime

    def __repr__(self) -> str:
        return f"RowCache({str(self.directory)!r}, max_bytes={self.max_bytes})"


def _stored(engine: Engine, vocabulary: Vocabulary) -> bytes:
    """The file of a vocabulary; makes the rows."""
    writer = Writer()
    writer.words.append(writer.string(_key(vocabulary)))
    rows = [_native.stored_row(engine.core, config) for config in _configurations(engine)]
    writer.words.append(len(rows))
    writer.words += map(writer.string, rows)
    return pack(writer, _MAGIC)


def _configurations(engine: Engine) -> Iterator[int]:
    """Where the probes lead in the shared expressions: told by expression and text, never by numbers."""
    core = engine.core
    for number in load_parts(engine, [expr for _, _, expr in shared()]):
        start = core.start(number)
        for probe in _PROBES:
            for end in range(len(probe) + 1):
                yield core.advance_bytes(start, probe[:end])


def _key(vocabulary: Vocabulary) -> str:
    parts = (str(_FORMAT), gramspec.__version__, _shared_key(), vocabulary.fingerprint)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@cache
def _shared_key() -> str:
    """Identifies the shared expressions and the probes."""
    digest = hashlib.sha256()
    for kind, data, expr in shared():
        digest.update(f"{kind} {data!r} {fingerprint(expr)}\n".encode())
    for probe in _PROBES:
        digest.update(len(probe).to_bytes(8, "little") + probe)
    return digest.hexdigest()
