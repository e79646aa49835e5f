"""Vocabularies as the commands take them: by name, or by file.

Law: a file is read by the reader of its format; a format that is not recognised is refused.
Source: API, section 2.
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from gramspec.errors import GramspecError, OptionError
from gramspec.vocabulary import Vocabulary

VOCABULARY_HELP = (
    "Vocabulary to compile for: 'tekken' (the newest of the package mistral_common), a Tekken, tokenizer.json"
    " or SentencePiece (.model) file, or 'none'."
)
EOS_HELP = "Token that ends a text; needed with a tokenizer.json, which does not tell."


def read_vocabulary(name: str, eos: str | None = None) -> Vocabulary:
    """The vocabulary of a name or a file.

    Parameters
    ----------
    name : str
        ``tekken`` or a path.
    eos : str, optional
        The end-of-sequence token, which a ``tokenizer.json`` does not tell; the other formats do.

    Raises
    ------
    OptionError
        If the file is missing or in no known format, or a package that reads it is not installed.
    VocabularyError
        If the file is malformed.
    """
    path = _newest_tekken() if name == "tekken" else Path(name)
    try:
        if ".model" in path.suffixes:
            return Vocabulary.from_sentencepiece(path)
        document = json.loads(path.read_bytes())
        if isinstance(document, dict) and "config" in document and "vocab" in document:
            return Vocabulary.from_tekken(path)
        if isinstance(document, dict) and "model" in document:
            return _from_tokenizer(path, name, eos)
    except ModuleNotFoundError as error:
        raise OptionError(
            f"--vocabulary {name}: needs {error.name}: pip install 'gramspec[models,tokenizers]'"
        ) from None
    except GramspecError:
        raise
    except (OSError, ValueError) as error:
        raise OptionError(f"--vocabulary {name}: {error}") from None
    raise OptionError(f"--vocabulary {name}: neither a Tekken file nor a tokenizer.json nor a .model file")


def _from_tokenizer(path: Path, name: str, eos: str | None) -> Vocabulary:
    from tokenizers import Tokenizer

    if eos is None:
        raise OptionError(
            f"--vocabulary {name}: a tokenizer.json needs --eos, the name of its last token of a text"
        )
    tokenizer = Tokenizer.from_file(str(path))
    number = tokenizer.token_to_id(eos)
    if number is None:
        raise OptionError(f"--eos {eos}: {name} has no such token")
    return Vocabulary.from_tokenizer(tokenizer, eos_ids=[number])


def _newest_tekken() -> Path:
    try:
        data = Path(str(resources.files("mistral_common"))) / "data"
    except ModuleNotFoundError:
        raise OptionError(
            "--vocabulary tekken: needs mistral_common: pip install 'gramspec[tokenizers]'"
        ) from None
    found = sorted(data.glob("tekken_*.json"))
    if not found:
        raise OptionError(f"--vocabulary tekken: the installed mistral_common has no Tekken file in {data}")
    return found[-1]
