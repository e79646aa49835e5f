"""Loading: from a model object or a local directory to a `TransformersModel`.

Law: nothing is downloaded and no code from the directory runs; what cannot be loaded is a `ModelError`.
Source: API, section 4 (`gs.models.load`).
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

from gramspec.errors import ModelError


def load_model(model_or_path: Any, tokenizer: Any = None, *, device: Any = None, dtype: Any = None) -> Any:
    """Return a `TransformersModel`; see `gramspec.models.load`."""
    require_packages()
    from gramspec.models.transformers_adapter import TransformersModel

    if isinstance(model_or_path, TransformersModel):
        if tokenizer is None and device is None and dtype is None:
            return model_or_path
        raise ModelError(
            "the model is loaded already; give tokenizer, device and dtype when it is loaded first"
        )
    if isinstance(model_or_path, (str, os.PathLike)):
        directory = Path(model_or_path)
        model = _model_from(directory, dtype)
        if tokenizer is None:
            tokenizer = _tokenizer_beside(directory)
    else:
        model = model_or_path
    if isinstance(tokenizer, (str, os.PathLike)):
        tokenizer = load_tokenizer(Path(tokenizer))
    return TransformersModel(model, tokenizer, device=device, dtype=dtype)


def require_packages() -> None:
    """Import what the adapter needs.

    Raises
    ------
    ModelError
        When a package is not installed; the message names it and the extra that brings it.
    """
    for name in ("torch", "transformers", "tokenizers", "safetensors"):
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            raise ModelError(
                f"language models need the package {error.name}\n  hint: pip install 'gramspec[models]'"
            ) from error


def load_tokenizer(path: Path) -> Any:
    """Return the tokenizer in a directory, or of one ``tokenizer.json`` file.

    Raises
    ------
    ModelError
        When it cannot be read.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    if not path.exists():
        raise ModelError(f"tokenizer: no local file or directory {str(path)!r}; nothing is downloaded")
    try:
        if path.is_file():
            return PreTrainedTokenizerFast(tokenizer_file=str(path))
        return AutoTokenizer.from_pretrained(str(path), local_files_only=True)
    except Exception as error:
        raise ModelError(f"cannot load a tokenizer from {str(path)!r}: {error}") from error


def _model_from(directory: Path, dtype: Any) -> Any:
    from transformers import AutoModelForCausalLM

    if not directory.is_dir():
        raise ModelError(
            f"no local directory {str(directory)!r}; nothing is downloaded: give the path of a directory "
            "with config.json and weights"
        )
    if not (directory / "config.json").is_file():
        raise ModelError(f"{str(directory)!r} holds no config.json")
    try:
        return AutoModelForCausalLM.from_pretrained(
            str(directory), local_files_only=True, dtype="auto" if dtype is None else dtype
        )
    except Exception as error:
        raise ModelError(f"cannot load a model from {str(directory)!r}: {error}") from error


def _tokenizer_beside(directory: Path) -> Any:
    names = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "tekken.json")
    return load_tokenizer(directory) if any((directory / name).is_file() for name in names) else None
