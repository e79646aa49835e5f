"""`HiddenStates`: a fixed projection of a network's last hidden state, as features of a prefix.

Law: a function of the prefix; row j of the projection is drawn once from the seed, with variance 1/width.
Cost: one uncached forward over prompt and prefix for each prefix that is not remembered: for small models.
Source: laws, "Learned" (draft hidden features); Johnson and Lindenstrauss (random projections).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gramspec.errors import ModelError, OptionError

if TYPE_CHECKING:
    from gramspec.models.transformers_adapter import TransformersModel


class HiddenStates:
    """Features of a prefix after one prompt.

    Parameters
    ----------
    model : TransformersModel
        Usually the draft model.
    prompt : sequence of int
        Prompt ids.
    size : int
        Length of the vectors.
    seed : int
        Of the projection.
    remembered : int
        Prefixes whose vectors are kept.

    Raises
    ------
    ModelError
        If the model gives no hidden states.
    OptionError
        If an option is out of range.
    """

    def __init__(
        self,
        model: TransformersModel,
        prompt: Sequence[int],
        *,
        size: int = 8,
        seed: int = 0,
        remembered: int = 65_536,
    ) -> None:
        for name, value, least in (("size", size, 1), ("seed", seed, 0), ("remembered", remembered, 1)):
            if value < least:
                raise OptionError(f"{name}={value!r}: at least {least} is needed")
        self.model = model
        self.size = size
        self._prompt = tuple(model.open(prompt).tokens)  # an empty prompt may have become a BOS token
        self._seed = seed
        self._remembered = remembered
        self._projection: NDArray[np.float64] | None = None
        self._known: OrderedDict[tuple[int, ...], NDArray[np.float64]] = OrderedDict()

    def __call__(self, prefix: Sequence[int]) -> NDArray[np.float64]:
        """Return the projected hidden state after prompt and prefix, float64 [size]."""
        key = tuple(int(t) for t in prefix)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._compute(key)
            while len(self._known) > self._remembered:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        return found

    def _compute(self, prefix: tuple[int, ...]) -> NDArray[np.float64]:
        import torch

        network = self.model.model
        ids = torch.tensor([[*self._prompt, *prefix]], device=network.device)
        with torch.inference_mode():
            output = network(input_ids=ids, output_hidden_states=True, use_cache=False)
        self.model.counters.add(forwards=1, positions=ids.shape[1])
        layers = getattr(output, "hidden_states", None)
        if not layers:
            raise ModelError(f"{type(network).__name__} gives no hidden states")
        state = layers[-1][0, -1].to(torch.float64).cpu().numpy()
        if self._projection is None:
            random = np.random.default_rng([self._seed, self.size, len(state)])
            self._projection = random.standard_normal((self.size, len(state))) / len(state) ** 0.5
        vector: NDArray[np.float64] = self._projection @ (
            state / max(float(np.sqrt((state**2).mean())), 1e-30)
        )
        return vector
