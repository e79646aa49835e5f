"""`Network`: one forward of a Transformers model on one sequence, and what its cache can do.

Law: rows in float32 (float64 for float64 weights), evaluation mode, no gradients, batch of one.
Source: `transformers.cache_utils` (`DynamicCache`, `is_croppable`, `activate_past_recording`).
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from gramspec.errors import ModelError
from gramspec.models.counters import Counters
from gramspec.models.trees import tree_depths

# Recurrent families whose scan starts from the cached state when several tokens follow a warm cache. Others
# restart it from zeros (Mamba, Jamba, Falcon-Mamba): every family not named here takes one token per forward.
CHUNKED_FAMILIES = frozenset({"mamba2", "qwen3_next", "falcon_h1"})

_TREE_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}  # of rows, relative to the largest logit

Rows = NDArray[np.floating[Any]]
CacheKind = Literal["full", "window", "recurrent"]


class Network:
    """A causal model with the facts that decide how its cache is rolled back.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        A causal language model; it is put in evaluation mode.
    counters : Counters
        Where forwards and positions are counted.

    Attributes
    ----------
    kind : {"full", "window", "recurrent"}
        "full": every layer keeps all keys, so any tail can be cropped and a tree's path selected.
        "window": croppable back to the last crop (sliding windows, convolutions).
        "recurrent": not croppable; states are copied and accepted tokens replayed.
    chunks : bool
        Whether several tokens may follow a warm cache in one forward.
    trees : bool
        Whether a branching tree can be scored in one forward under a 4-D attention mask.
    width : int
        Width of a row of logits.

    Raises
    ------
    ModelError
        When the model is no causal language model with a Transformers cache.
    """

    def __init__(self, model: PreTrainedModel, counters: Counters) -> None:
        self.model = model.eval()
        self.counters = counters
        self.name = type(model).__name__
        if getattr(model.config, "is_encoder_decoder", False):
            raise ModelError(f"{self.name} is an encoder-decoder; a causal language model is needed")
        parameters = inspect.signature(model.forward).parameters
        keys = [key for key in ("past_key_values", "cache_params") if key in parameters]
        if not keys:
            raise ModelError(
                f"{self.name}.forward takes neither past_key_values nor cache_params: unknown cache"
            )
        self._key = keys[0]
        self._keep = "logits_to_keep" in parameters
        self._positions = "position_ids" in parameters
        self._records = True
        self.width, self.kind = self._probe()
        self._records = self.kind == "window"
        family = getattr(model.config, "model_type", "")
        self.chunks = self.kind != "recurrent" or family in CHUNKED_FAMILIES
        implementation = getattr(model.config, "_attn_implementation", None)
        self._masked = (
            self.kind == "full" and "position_ids" in parameters and implementation in ("eager", "sdpa")
        )
        self._trees: bool | None = None if self._masked else False
        self._batches: bool | None = None if self._masked else False

    def _probe(self) -> tuple[int, CacheKind]:
        """Run two tokens once: the width of a row, and whether the filled cache can be cropped."""
        try:
            cache: Any = self.new_cache()
            ids = torch.tensor([[0, 0]], device=self.model.device)
            with torch.no_grad():
                output = self.model(input_ids=ids, use_cache=True, return_dict=True, **{self._key: cache})
            logits = output.logits
        except Exception as error:
            raise ModelError(f"{self.name} cannot run two tokens with a DynamicCache: {error}") from error
        if logits is None or logits.dim() != 3 or logits.shape[:2] != (1, 2):
            shape = None if logits is None else tuple(logits.shape)
            raise ModelError(
                f"{self.name} gives logits of shape {shape} for 2 tokens, not (1, 2, vocabulary)"
            )
        layers: list[Any] = cache.layers
        croppable: bool = cache.is_croppable
        if getattr(output, self._key, None) is not cache or not layers:
            raise ModelError(f"{self.name} does not fill the cache it is given: unknown cache")
        if all(type(layer) is DynamicLayer for layer in layers):
            return int(logits.shape[-1]), "full"
        return int(logits.shape[-1]), "window" if croppable else "recurrent"

    @property
    def trees(self) -> bool:
        """Whether one forward scores a branching tree; the first use compares a small tree with its paths.

        The comparison runs five short forwards, which are not counted.
        """
        if self._trees is None:
            self._trees = self._check_trees()
        return self._trees

    @property
    def batches(self) -> bool:
        """Whether several sequences can share a forward; the first use compares two with one by one."""
        if self._batches is None:
            self._batches = self.trees and self._check_batches()
        return self._batches

    def new_cache(self) -> Any:
        """Return an empty cache of the classes that the model's configuration names."""
        cache = DynamicCache(config=self.model.config)
        if self._records:
            cache.activate_past_recording()
        return cache

    def run(self, ids: Sequence[int], cache: Any, keep: int) -> Rows:
        """Feed `ids` after what `cache` holds; return the rows after the last `keep` of them."""
        extra = {}
        if self.kind == "recurrent" and self._positions:
            # Bamba counts them from zero at each forward when they are left to it.
            held = cache.get_seq_length()
            extra["position_ids"] = torch.arange(held, held + len(ids), device=self.model.device)[None]
        return self._forward(ids, cache, keep, extra)

    def run_tree(self, ids: Sequence[int], parents: Sequence[int], cache: Any, held: int, keep: int) -> Rows:
        """Feed a tree of tokens after the `held` tokens in `cache`, in one forward.

        Parameters
        ----------
        ids : sequence of int
            Token of each node.
        parents : sequence of int
            Parent of each node within `ids`, -1 for the last token in the cache.
        cache : transformers.Cache
            Receives every node, in order.
        held : int
            Tokens in the cache before.
        keep : int
            Rows to return, of the last nodes.
        """
        count = len(ids)
        # Rows are copied in NumPy: a tensor operation for each would cost ten times as much.
        hidden = np.ones((count, held + count), dtype=np.bool_)
        hidden[:, :held] = False
        for node, parent in enumerate(parents):
            if parent >= 0:
                hidden[node] = hidden[parent]
            hidden[node, held + node] = False
        dtype = self.model.dtype
        mask = torch.zeros((1, 1, count, held + count), dtype=dtype)
        mask.masked_fill_(torch.from_numpy(hidden), torch.finfo(dtype).min)
        positions = torch.tensor([[held + depth - 1 for depth in tree_depths(parents)]])
        device = self.model.device
        extra = {"attention_mask": mask.to(device), "position_ids": positions.to(device)}
        return self._forward(ids, cache, keep, extra)

    def run_batch(self, feeds: Sequence[Any]) -> list[Rows]:
        """Feed several sequences in one forward, each after its own cache.

        Caches are laid side by side: keys on the left of a common length, new tokens on the right of
        another; a mask hides the rest. Afterwards each cache holds its own new tokens.

        Parameters
        ----------
        feeds : sequence of Feed
            Tokens and cache of each sequence.
        """
        device, count = self.model.device, len(feeds)
        held = max(feed.held for feed in feeds)
        new = max(len(feed.ids) for feed in feeds)
        ids = torch.zeros((count, new), dtype=torch.long)
        positions = torch.zeros((count, new), dtype=torch.long)
        seen = torch.zeros((count, new, held + new), dtype=torch.bool)
        seen[:, :, held:] |= torch.eye(new, dtype=torch.bool)  # padding sees itself
        for b, feed in enumerate(feeds):
            begin = new - len(feed.ids)
            ids[b, begin:] = torch.tensor(feed.ids)
            depths = torch.tensor(tree_depths(feed.links))
            positions[b, begin:] = feed.held + depths - 1
            seen[b, begin:, : feed.held] = True
            for node, parent in enumerate(feed.links):
                if parent >= 0:
                    seen[b, begin + node] |= seen[b, begin + parent]
        mask = torch.zeros((count, 1, new, held + new), dtype=self.model.dtype)
        mask.masked_fill_(~seen[:, None], torch.finfo(self.model.dtype).min)
        cache = self._side_by_side(feeds, held) if held else self.new_cache()
        keep = max(feed.keep for feed in feeds)
        options: dict[str, Any] = {self._key: cache}
        if self._keep:
            options["logits_to_keep"] = keep
        with torch.no_grad():
            logits = self.model(
                input_ids=ids.to(device),
                attention_mask=mask.to(device),
                position_ids=positions.to(device),
                use_cache=True,
                return_dict=True,
                **options,
            ).logits[:, -keep:]
            if logits.dtype is not torch.float64:
                logits = logits.to(torch.float32)
            rows: Rows = logits.cpu().numpy()
            for b, feed in enumerate(feeds):
                for own, layer in zip(feed.cache.layers, cache.layers, strict=True):
                    fresh = slice(held + new - len(feed.ids), None)
                    own.update(
                        layer.keys[b : b + 1, :, fresh].clone(), layer.values[b : b + 1, :, fresh].clone()
                    )
        self.counters.add(forwards=count, positions=sum(len(feed.ids) for feed in feeds))
        return [rows[b, keep - feed.keep :] for b, feed in enumerate(feeds)]

    def _side_by_side(self, feeds: Sequence[Any], held: int) -> Any:
        cache = self.new_cache()
        for index, layer in enumerate(cache.layers):
            parts: list[list[torch.Tensor]] = [[], []]
            shaped = next(feed.cache.layers[index] for feed in feeds if feed.held)
            for feed in feeds:
                own = feed.cache.layers[index]
                for side, name in zip(parts, ("keys", "values"), strict=True):
                    tensor = getattr(own, name) if feed.held else getattr(shaped, name)[:, :, :0]
                    side.append(torch.nn.functional.pad(tensor, (0, 0, 0, held - feed.held)))
            layer.update(torch.cat(parts[0]), torch.cat(parts[1]))
        return cache

    def _forward(self, ids: Sequence[int], cache: Any, keep: int, extra: dict[str, Any]) -> Rows:
        options = dict(extra)
        options[self._key] = cache
        if self._keep:
            options["logits_to_keep"] = keep
        with torch.no_grad():
            tensor = torch.tensor([list(ids)], device=self.model.device)
            logits = self.model(input_ids=tensor, use_cache=True, return_dict=True, **options).logits
            rows = logits[0, -keep:]
            if rows.dtype is not torch.float64:
                rows = rows.to(torch.float32)
            result: Rows = rows.cpu().numpy()
        self.counters.add(forwards=1, positions=len(ids))
        return result

    def _check_trees(self) -> bool:
        """Compare a tree of two paths, scored under a mask, with the paths scored one by one."""
        counted = self.counters
        self.counters = Counters()
        try:
            a, b, c, d = (i % self.width for i in (1, 2, 3, 5))
            alone = []
            for path in ([a, b, c, d], [a, b, d, c]):
                cache = self.new_cache()
                self.run(path[:2], cache, 1)
                alone.append(self.run(path[2:], cache, 2))
            cache = self.new_cache()
            self.run([a, b], cache, 1)
            tree = self.run_tree([c, d, d, c], [-1, 0, -1, 2], cache, 2, 4)
        except (RuntimeError, ValueError, TypeError):
            return False  # the architecture refuses such a mask: paths are scored one by one
        finally:
            self.counters = counted
        difference = np.abs(tree - np.concatenate(alone)).max()
        scale = max(1.0, float(np.abs(tree).max()))
        return bool(difference <= scale * _TREE_TOLERANCE.get(self.model.dtype, 5e-2))

    def _check_batches(self) -> bool:
        """Compare three sequences of other lengths, one of them new, in one forward with each alone."""
        from gramspec.models.caches import Feed

        counted = self.counters
        self.counters = Counters()
        try:
            a, b, c, d = (i % self.width for i in (1, 2, 3, 5))
            cases = [([a, b, c], [d, c], [-1, -1]), ([b], [a, c, d], [-1, 0, 1]), ([], [c, a], [-1, 0])]
            alone, feeds = [], []
            for before, ids, links in cases:
                caches = [self.new_cache(), self.new_cache()]
                for cache in caches:
                    if before:
                        self.run(before, cache, 1)
                held = len(before)
                alone.append(self.run_tree(ids, links, caches[0], held, len(ids)))
                feeds.append(Feed(ids, links, caches[1], held, len(ids), 0, [], []))
            together = self.run_batch(feeds)
            # The caches have to go on as well: one more token after each.
            more = [Feed([b], [-1], f.cache, f.held + len(f.ids), 1, 0, [], []) for f in feeds[1:]]
            together += self.run_batch(more)
            alone += [self.run([*before, *ids, b], self.new_cache(), 1) for before, ids, _ in cases[1:]]
        except (RuntimeError, ValueError, TypeError):
            return False  # the architecture refuses such a batch: sequences are scored one by one
        finally:
            self.counters = counted
        scale = max(1.0, *(float(np.abs(rows).max()) for rows in alone))
        worst = max(float(np.abs(x - y).max()) for x, y in zip(together, alone, strict=True))
        return worst <= scale * _TREE_TOLERANCE.get(self.model.dtype, 5e-2)
