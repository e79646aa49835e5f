"""`PrefixTrie`: the mass that visited prefixes have shown, on top of a base potential.

Law: contract of the base; what one law has shown is used for that law alone, and for smaller budgets of it.
Source: laws, "PrefixTrie(base)"; CARS (arXiv 2510.01902), with a coin.
Cost: that of `LearnedMass`; a smaller budget copies what a larger one has learned, once.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict

from gramspec.errors import OptionError
from gramspec.validity.protocol import CompiledLanguage, Potential
from gramspec.validity.trie_file import load_tries, save_tries
from gramspec.validity.trie_node import LearnedMass, TrieKey

__all__ = ["LearnedMass", "PrefixTrie", "TrieKey"]


class PrefixTrie:
    """Learned mass for any number of keys, in bounded memory.

    Parameters
    ----------
    base : Potential
        Value of prefixes not visited yet; contract E or S.
    max_nodes : int
        Prefixes remembered per key.
    max_row_bytes : int
        Bytes of remembered rows per key (only models with row noise need them).
    max_keys : int
        Keys remembered; the one unused for longest is forgotten as a whole.
    """

    def __init__(
        self, base: Potential, *, max_nodes: int = 100_000, max_row_bytes: int = 1 << 28, max_keys: int = 64
    ) -> None:
        if base.contract == "W":
            raise OptionError(f"PrefixTrie: base {base.name!r} has contract W; a base needs contract E or S")
        if max_nodes < 1 or max_keys < 1 or max_row_bytes < 0:
            raise OptionError("PrefixTrie: max_nodes and max_keys are at least 1, max_row_bytes at least 0")
        self.base = base
        self.max_nodes = max_nodes
        self.max_row_bytes = max_row_bytes
        self.max_keys = max_keys
        self._tries: OrderedDict[TrieKey, LearnedMass] = OrderedDict()
        self._lock = threading.RLock()

    @property
    def compiled(self) -> CompiledLanguage:
        """The language and vocabulary of the base."""
        return self.base.compiled

    def cold(self) -> PrefixTrie:
        """A trie with the same base and bounds that has learned nothing."""
        return PrefixTrie(
            self.base, max_nodes=self.max_nodes, max_row_bytes=self.max_row_bytes, max_keys=self.max_keys
        )

    def at(self, key: TrieKey, *, row_noise: float = 0.0) -> LearnedMass:
        """The learned potential of one key.

        Parameters
        ----------
        key : TrieKey
            What defines the law.
        row_noise : float
            Bound on the relative difference between two evaluations of one row of the target.
        """
        with self._lock:
            found = self._tries.get(key)
            if found is None:
                found = self._made(key, row_noise)
                self._tries[key] = found
                idle = [k for k, t in self._tries.items() if t.live == 0 and t is not found]
                for k in idle[: max(0, len(self._tries) - self.max_keys)]:
                    del self._tries[k]
            self._tries.move_to_end(key)
            return found

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything learned so far; it may go on learning meanwhile.

        Parameters
        ----------
        path : path
            The file.
        """
        with self._lock:
            tries = list(self._tries.items())
        save_tries(path, self.base, tries)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        base: Potential,
        *,
        max_nodes: int = 100_000,
        max_row_bytes: int = 1 << 28,
        max_keys: int = 64,
    ) -> PrefixTrie:
        """Read what `save` wrote, for a base equal to the one it was learned on.

        Parameters
        ----------
        path : path
            The file.
        base : Potential
            Of the same name, grammar and vocabulary; each stored prefix is asked of it again.
        max_nodes, max_row_bytes, max_keys : int
            Memory bounds, as for a new trie.

        Raises
        ------
        SerialisationError
            If the file is damaged, or was learned on another base, grammar or vocabulary.
        """
        trie = cls(base, max_nodes=max_nodes, max_row_bytes=max_row_bytes, max_keys=max_keys)
        tries = load_tries(path, base, max_nodes=max_nodes, max_row_bytes=max_row_bytes)
        trie._tries.update(tries[-max_keys:])
        return trie

    def _made(self, key: TrieKey, row_noise: float) -> LearnedMass:
        """A new key: cold, or from the next larger budget of the same law (never from a smaller one)."""
        wider = [k for k in self._tries if key.wider(k)]
        if wider and getattr(self.base, "grows_with_budget", False):
            return self._tries[min(wider, key=lambda k: k.budget)].narrowed(key.budget)
        return LearnedMass(
            self.base,
            key.budget,
            row_noise=row_noise,
            truncated=key.top_k > 0 or key.top_p < 1.0,
            max_nodes=self.max_nodes,
            max_row_bytes=self.max_row_bytes,
        )
