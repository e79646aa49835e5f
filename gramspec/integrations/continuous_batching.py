"""Continuous batching of Transformers, which drops logits processors without a word, made to refuse ours.

Law: none. Cost: one look at the arguments of `generate_batch`.
Source: `ContinuousMixin.generate_batch`, which makes its processors from the configuration alone.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable
from typing import Any

from gramspec.errors import OptionError

_MARK = "_gramspec_refuses"


def refuse_in_generate_batch(kind: type) -> None:
    """Make `generate_batch` an error for calls that hand it a processor of this class.

    Calls without one are passed on as they are. Done once; without Transformers nothing is done.

    Parameters
    ----------
    kind : type
        The class of processors whose masks would be lost.
    """
    try:
        from transformers.generation.continuous_batching.continuous_api import ContinuousMixin
    except ImportError:
        return
    inner = ContinuousMixin.generate_batch
    if getattr(inner, _MARK, False):
        return

    @functools.wraps(inner)
    def generate_batch(self: Any, *args: Any, **kwargs: Any) -> Any:
        given = kwargs.get("logits_processor")
        caller = sys._getframe(1)
        if given is None and caller.f_code.co_name == "generate":  # cache_implementation="paged"
            given = caller.f_locals.get("logits_processor")
        refuse(given, kind)
        return inner(self, *args, **kwargs)

    setattr(generate_batch, _MARK, True)
    ContinuousMixin.generate_batch = generate_batch  # type: ignore[method-assign]


def refuse(processors: Any, kind: type) -> None:
    """Refuse a list of processors, or one, that holds one of this class.

    Raises
    ------
    OptionError
        Naming the class.
    """
    listed = processors if isinstance(processors, Iterable) else [processors]
    if any(isinstance(processor, kind) for processor in listed):
        raise OptionError(
            f"{kind.__name__} in continuous batching (generate_batch, cache_implementation='paged'): it makes"
            " its processors from the configuration and would drop this one; texts would be unconstrained"
            "\n  hint: call model.generate with a batch, or gs.generate"
        )
