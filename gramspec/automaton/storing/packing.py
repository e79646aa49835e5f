"""The container of stored data: 32-bit words and a table of byte strings under a digest.

Law: `unpack` gives back what was packed, or an error; its memory is bounded by what it was told to allow.
Cost: one SHA-256 and one inflation of the bytes, then O(1) a word.
Source: docs/serialisation.md.

::

    magic (8) | format (2) | flags (2) | strings (4) | words (4) | bytes of the body (8) | SHA-256 (32) | body

Numbers are little-endian. The body is deflated if flag 1 is set; it holds the lengths of the strings, the
words, and the strings. The digest covers everything before and after it.
"""

from __future__ import annotations

import hashlib
import struct
import sys
import zlib
from array import array

from gramspec.errors import SerialisationError

MAGIC = b"\x89gramsp\n"
"""The first bytes: not text, and damaged by transfers that change line ends or the eighth bit."""

FORMAT = 1
"""The version written. It grows whenever an older reader would misread what is written."""

MOST_BYTES = 1 << 28
"""How large a body may be when it is not told otherwise."""

_HEADER = struct.Struct("<8sHHIIQ")
_DIGEST = hashlib.sha256().digest_size
_DEFLATED = 1
_NONE = 0xFFFFFFFF
_LARGE = 0xFFFFFFFE
_MOST_LARGE = 1 << 16  # bytes of one integer


class Writer:
    """Collects words and strings.

    Attributes
    ----------
    words : list of int
        What was written.
    """

    def __init__(self) -> None:
        self.words: list[int] = []
        self._strings: dict[bytes, int] = {}

    def string(self, value: bytes | str) -> int:
        """The number of a string in the table; a str is kept with its lone surrogates."""
        data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        return self._strings.setdefault(data, len(self._strings))

    def count(self, value: int | None) -> tuple[int, ...]:
        """The words of an integer that is not negative, of any size, or of None."""
        if value is None:
            return (_NONE,)
        if value < _LARGE:
            return (value,)
        return (_LARGE, self.string(value.to_bytes((value.bit_length() + 7) // 8, "little")))

    @property
    def strings(self) -> list[bytes]:
        """The table."""
        return list(self._strings)


class Reader:
    """Reads what a `Writer` wrote; whatever does not fit raises `SerialisationError`.

    Parameters
    ----------
    words : array of int
    strings : list of bytes
    """

    def __init__(self, words: array[int], strings: list[bytes]) -> None:
        self._words = words
        self._strings = strings
        self._at = 0

    @property
    def left(self) -> int:
        """Words that are not yet read."""
        return len(self._words) - self._at

    def word(self) -> int:
        """The next word."""
        if self._at >= len(self._words):
            raise self.refusal("the words end too early")
        self._at += 1
        return self._words[self._at - 1]

    def below(self, bound: int, what: str) -> int:
        """The next word, which must be below a bound."""
        value = self.word()
        if value >= bound:
            raise self.refusal(f"{what} {value} is not one of {bound}")
        return value

    def length(self, what: str, each: int = 1) -> int:
        """The next word as a number of things, each of so many words at least."""
        value = self.word()
        if value * each > self.left:
            raise self.refusal(f"{value} {what} are more than the words left")
        return value

    def string(self) -> bytes:
        """The string that the next word numbers."""
        return self._strings[self.below(len(self._strings), "string")]

    def text(self) -> str:
        """The same as a str."""
        try:
            return self.string().decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise self.refusal(f"a name is not UTF-8: {error}") from None

    def count(self) -> int | None:
        """The next integer, None if None was written."""
        value = self.word()
        if value == _NONE:
            return None
        if value < _LARGE:
            return value
        data = self.string()
        if len(data) > _MOST_LARGE:
            raise self.refusal(f"an integer has {len(data)} bytes, more than {_MOST_LARGE}")
        return int.from_bytes(data, "little")

    def natural(self) -> int:
        """The next integer, which must be there."""
        value = self.count()
        if value is None:
            raise self.refusal("a number is missing")
        return value

    @property
    def strings(self) -> list[bytes]:
        """The table of strings."""
        return self._strings

    def part(self, size: int) -> Reader:
        """A reader of the next so many words, which this one skips."""
        part = Reader(self._words[self._at : self._at + size], self._strings)
        self._at += size
        return part

    def again(self) -> Reader:
        """A reader of the same words from the first one."""
        return Reader(self._words, self._strings)

    @property
    def data(self) -> bytes:
        """All words as the machine has them."""
        return self._words.tobytes()

    def end(self) -> None:
        """Everything must have been read."""
        if self.left:
            raise self.refusal(f"{self.left} words are left over")

    def refusal(self, reason: str) -> SerialisationError:
        """The error for what stands before the current word."""
        return SerialisationError(f"word {max(self._at - 1, 0)}", reason)


def pack(writer: Writer, magic: bytes = MAGIC) -> bytes:
    """The bytes of what was written; `magic` tells one kind of stored data from another."""
    strings = writer.strings
    body = b"".join((_words(map(len, strings)), _words(writer.words), *strings))
    deflated = zlib.compress(body, 6)
    flags = _DEFLATED if len(deflated) < len(body) else 0
    header = _HEADER.pack(magic, FORMAT, flags, len(strings), len(writer.words), len(body))
    stored = deflated if flags else body
    return b"".join((header, _digest(header, stored), stored))


def unpack(
    data: bytes | bytearray | memoryview, most_bytes: int = MOST_BYTES, magic: bytes = MAGIC
) -> Reader:
    """Check bytes and open them for reading.

    Parameters
    ----------
    data : bytes
        What `pack` gave.
    most_bytes : int
        How large the body may be.
    magic : bytes
        The kind of stored data.

    Raises
    ------
    SerialisationError
        If the bytes are not such, are damaged, of another format, or larger than allowed.
    """
    data = memoryview(data).cast("B")
    start = _HEADER.size + _DIGEST
    if len(data) < start or bytes(data[: len(magic)]) != magic:
        what = "a compiled grammar" if magic == MAGIC else "such stored data"
        raise SerialisationError("byte 0", f"these are not the bytes of {what}")
    header, stored = bytes(data[: _HEADER.size]), data[start:]
    _, version, flags, strings, words, size = _HEADER.unpack(header)
    if version != FORMAT:
        raise SerialisationError(
            "byte 8",
            f"format {version} is stored, and format {FORMAT} is read here",
            "store it again with this version of gramspec",
        )
    if bytes(data[_HEADER.size : start]) != _digest(header, stored):
        raise SerialisationError("digest", "the bytes are damaged or incomplete", "store them again")
    if flags & ~_DEFLATED:
        raise SerialisationError("byte 10", f"unknown flags {flags:#x}")
    if size > most_bytes:
        raise SerialisationError("byte 20", f"the body has {size} bytes, more than the {most_bytes} allowed")
    body = memoryview(_inflated(stored, size) if flags else stored)
    fixed = 4 * (strings + words)
    if len(body) != size or fixed > size:
        raise SerialisationError(
            "body", f"{len(body)} bytes where {size} were announced, {fixed} of them words"
        )
    lengths = _numbers(body[: 4 * strings])
    if fixed + sum(lengths) != size:
        raise SerialisationError("body", f"the strings do not fill the body of {size} bytes")
    table, at = [], fixed
    for length in lengths:
        table.append(bytes(body[at : at + length]))
        at += length
    return Reader(_numbers(body[4 * strings : fixed]), table)


def _inflated(stored: memoryview, size: int) -> bytes:
    inflate = zlib.decompressobj()
    try:
        body = inflate.decompress(stored, size + 1)  # no more is made than was announced, and allowed
    except zlib.error as error:
        raise SerialisationError("body", f"it cannot be inflated: {error}") from None
    if not inflate.eof or inflate.unused_data or inflate.unconsumed_tail:
        raise SerialisationError("body", f"it does not inflate to the {size} bytes announced")
    return body


def _digest(header: bytes, stored: bytes | memoryview) -> bytes:
    digest = hashlib.sha256(header)
    digest.update(stored)
    return digest.digest()


def _words(values: object) -> bytes:
    words = array("I", values)  # type: ignore[call-overload]
    if sys.byteorder == "big":
        words.byteswap()
    return bytes(words.tobytes())


def _numbers(data: memoryview) -> array[int]:
    words = array("I")
    words.frombytes(data)
    if sys.byteorder == "big":
        words.byteswap()
    return words
