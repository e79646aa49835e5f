"""Vocabularies of an audit: a small one over all bytes, where every token can be tried by hand.

Law: every byte is a token, so that a byte that may follow can be written; pieces of several bytes cross the
borders that masks get wrong (quotes with braces, halves of characters, escapes, words with blanks).
"""

from __future__ import annotations

import functools
from importlib import resources
from pathlib import Path
from typing import Final

from gramspec.errors import OptionError
from gramspec.vocabulary import Vocabulary

_PIECES: Final = (
    '{"', '"}', '":', '": ', '", "', '","', '"]', "]}", "}}", "},", '},{"', "[[", "],", '":"', '":{"', "{}",
    "[]", '""', ": ", ", ", "  ", "\n  ", "\r\n", '\\"', "\\\\", "\\n", "\\u", "\\u00", "00", "10", "12",
    "123", "0.", ".0", ".5", "e1", "E+", "-1", "1,", "1}", "true", "false", "null", "tru", "nul", "ab",
    "abc", "aa", "aaa", "bc", "na", "name", '"name', "id", '"a"', '"a":', 'a"', 'b"', " a", " the", "é",
    "日", "😀", "ü", "x", "xy", "foo", "bar", "fo", "(", "))", "()", "+1", "20", "2024", "-01", "@", ".com",
)  # fmt: skip
_HALVES: Final = (b"\xc3", b'\xa9"', b"\xe6\x97", b"\xa5", b"\xf0\x9f", b'\x98\x80"')


@functools.cache
def small_vocabulary() -> Vocabulary:
    """All bytes, some eighty pieces of several bytes, and EOS, which is the last id."""
    tokens = [bytes([value]) for value in range(256)]
    for piece in (*(p.encode() for p in _PIECES), *_HALVES):
        if piece not in tokens:
            tokens.append(piece)
    return Vocabulary([*tokens, None], [len(tokens)])


@functools.cache
def partial_vocabulary() -> Vocabulary:
    """The small vocabulary without the letter z: what needs one has no ending in these tokens."""
    small = small_vocabulary()
    return Vocabulary([None if b"z" in (token or b"") else token for token in small.tokens], small.eos_ids)


def named_vocabulary(name: str) -> Vocabulary:
    """A vocabulary by name.

    Parameters
    ----------
    name : str
        ``small``: `small_vocabulary`. ``embedded``: that of the embedded pair of models. ``tekken``: 131,072
        tokens, of the package mistral_common.

    Raises
    ------
    OptionError
        If there is none of that name, or a package that it needs is not installed.
    """
    if name == "small":
        return small_vocabulary()
    try:
        if name == "embedded":
            return _embedded()
        if name == "tekken":
            return _tekken()
    except ModuleNotFoundError as error:
        raise OptionError(
            f"vocabulary {name!r} needs {error.name}: pip install 'gramspec[models,tokenizers]'"
        ) from None
    raise OptionError(f"no vocabulary is called {name!r}; there are small, embedded, tekken")


@functools.cache
def _embedded() -> Vocabulary:
    from tokenizers import Tokenizer

    from gramspec.models.pair import DIRECTORY

    tokenizer = Tokenizer.from_file(str(DIRECTORY / "tokenizer.json"))
    end = tokenizer.token_to_id("<|eos|>")
    assert end is not None
    return Vocabulary.from_tokenizer(tokenizer, eos_ids=[end])


@functools.cache
def _tekken() -> Vocabulary:
    data = Path(str(resources.files("mistral_common"))) / "data"
    files = sorted(data.glob("tekken_*.json"))
    if not files:
        raise OptionError("vocabulary 'tekken': the package mistral_common has no Tekken file")
    return Vocabulary.from_tekken(files[-1])
