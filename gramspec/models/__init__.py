"""Language models: one protocol, and what implements it.

Law: a model gives rows of logits; grammars are unknown here. Importing this room does not import torch.
Source: API, section 4; architecture, room `models`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gramspec.models.counters import Counters
from gramspec.models.memo import MemoModel
from gramspec.models.protocol import LanguageModel, ModelSequence
from gramspec.models.tabular import TabularModel

if TYPE_CHECKING:
    from gramspec.models.transformers_adapter import TransformersModel

__all__ = [
    "Counters",
    "LanguageModel",
    "MemoModel",
    "ModelSequence",
    "TabularModel",
    "TransformersModel",
    "embedded",
    "load",
]


def load(
    model_or_path: Any,
    tokenizer: Any = None,
    *,
    device: str | None = None,
    dtype: Any = None,
) -> TransformersModel:
    """Load a causal language model from memory or from a local directory; nothing is downloaded.

    Parameters
    ----------
    model_or_path : transformers.PreTrainedModel, str or path
        A model object, or a directory that holds ``config.json`` and weights.
    tokenizer : transformers tokenizer, str or path, optional
        A tokenizer object, a directory, or a ``tokenizer.json`` file. None: the tokenizer in the
        model's directory, where there is one.
    device : str, optional
        Where to compute, e.g. ``"cuda"``. None: where the model is (a path: the CPU).
    dtype : torch.dtype or str, optional
        Type of the weights, e.g. ``"float32"``. None: as the model is (a path: as its file says).

    Returns
    -------
    TransformersModel
        A `LanguageModel`.

    Raises
    ------
    ModelError
        When the path or the model cannot be used; the message says why.
    """
    from gramspec.models.loading import load_model

    model: TransformersModel = load_model(model_or_path, tokenizer, device=device, dtype=dtype)
    return model


def embedded() -> tuple[TransformersModel, TransformersModel]:
    """Return the pair of tiny models in the package, (target, draft), loaded once per process.

    Raises
    ------
    ModelError
        When the package was installed without its model files.
    """
    from gramspec.models.pair import embedded_pair

    return embedded_pair()


def __getattr__(name: str) -> Any:
    if name == "TransformersModel":
        from gramspec.models.transformers_adapter import TransformersModel

        return TransformersModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
