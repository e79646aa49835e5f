"""The embedded pair: a tiny target and a tinier draft that share a tokenizer, shipped in the package.

Law: float32 on the CPU, the same rows everywhere up to `row_noise`. For demonstrations and tests.
Source: `gramspec/models/embedded/CARD.md`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from gramspec.errors import ModelError

if TYPE_CHECKING:
    from gramspec.models.transformers_adapter import TransformersModel

DIRECTORY = Path(__file__).parent / "embedded"


@lru_cache(maxsize=1)
def embedded_pair() -> tuple[TransformersModel, TransformersModel]:
    """Return (target, draft), loaded once per process."""
    for name in ("target/config.json", "draft/config.json", "tokenizer.json"):
        if not (DIRECTORY / name).is_file():
            raise ModelError(f"the embedded pair is not installed: {DIRECTORY / name} is missing")
    from gramspec.models.loading import load_model, load_tokenizer, require_packages

    require_packages()
    tokenizer = load_tokenizer(DIRECTORY / "tokenizer.json")
    tokenizer.add_special_tokens({"bos_token": "<|bos|>", "eos_token": "<|eos|>", "pad_token": "<|pad|>"})
    with _no_progress_bar():
        target, draft = (
            load_model(DIRECTORY / role, tokenizer, dtype="float32") for role in ("target", "draft")
        )
    return target, draft


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    """Load quietly: the files are a few megabytes."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
