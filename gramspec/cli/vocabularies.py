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


def read_vocabulary(name: str) -> Vocabulary:
    """The vocabulary of a name or a file.

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
            from tokenizers import Tokenizer

            return Vocabulary.from_tokenizer(Tokenizer.from_file(str(path)))
    except ModuleNotFoundError as error:
        raise OptionError(
            f"--vocabulary {name}: needs {error.name}: pip install 'gramspec[models,tokenizers]'"
        ) from None
    except GramspecError:
        raise
    except (OSError, ValueError) as error:
        raise OptionError(f"--vocabulary {name}: {error}") from None
    raise OptionError(f"--vocabulary {name}: neither a Tekken file nor a tokenizer.json nor a .model file")


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
