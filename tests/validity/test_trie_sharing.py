"""Sharing of learned mass: smaller budgets, files, threads."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import gramspec as gs
from gramspec.errors import SerialisationError
from gramspec.matching import compile as compile_grammar
from gramspec.testing.proofs import Bench, ProofError, check_potential, prove_frozen, teach
from gramspec.testing.worlds import World, worlds
from gramspec.validity import LearnedMass, PrefixTrie, Viability
from gramspec.validity.stored import load_arrays, save_arrays
from gramspec.validity.trie_file import KIND

COUNT = 24


def bench(world: World) -> Bench:
    return Bench(world, compile_grammar(world.grammar, world.vocabulary))


def shorter(b: Bench) -> Bench:
    return replace(b, world=replace(b.world, max_new_tokens=b.world.max_new_tokens - 1))


def test_a_smaller_budget_begins_with_what_a_larger_one_knows() -> None:
    served = fallen = 0
    for world in worlds(61, 12, draft=False):
        b = bench(world)
        below = shorter(b)
        if not below.world.members or below.world.phi <= 0.0:
            continue
        trie = PrefixTrie(Viability(b.compiled))
        teach(b, b.learned(trie), 4, world.seed)
        wide = check_potential(b, b.learned(trie))
        learned = below.learned(trie)
        narrow = check_potential(below, learned)
        assert all(h <= wide[prefix] + 1e-12 for prefix, h in narrow.items())
        assert learned.nodes > 0 and prove_frozen(below, below.killed(learned)) <= 1e-12
        served += 1
        fallen += narrow[()] < check_potential(below, below.learned())[()] - 1e-12
        # It then learns by itself, and what it learns stays with it.
        teach(below, learned, 2, world.seed + 1)
        check_potential(below, learned)
        assert check_potential(b, b.learned(trie)) == wide
    assert served >= 4 and fallen >= 2


def test_a_larger_budget_never_begins_with_a_smaller_one() -> None:
    class Reverse(PrefixTrie):
        def _made(self, key: Any, row_noise: float) -> LearnedMass:
            smaller = [k for k in self._tries if k.wider(key)]
            return self._tries[smaller[0]] if smaller else super()._made(key, row_noise)

    caught = 0
    for world in worlds(62, COUNT, draft=False):
        b = bench(world)
        below = shorter(b)
        if not below.world.members:
            continue
        for kind in (PrefixTrie, Reverse):
            trie = kind(Viability(b.compiled))
            teach(below, below.learned(trie), 4, world.seed)
            try:
                check_potential(b, b.learned(trie))
                prove_frozen(b, b.killed(b.learned(trie)))
            except (ProofError, gs.ContractError):
                assert kind is Reverse
                caught += 1
    assert caught >= 2


def test_a_file_gives_back_what_was_learned(tmp_path: Any) -> None:
    path = tmp_path / "learned.npz"
    for world in worlds(63, 6, draft=False):
        b = bench(world)
        trie = PrefixTrie(Viability(b.compiled))
        teach(b, b.learned(trie), 4, world.seed)
        before = check_potential(b, b.learned(trie))
        trie.save(path)
        loaded = PrefixTrie.load(path, Viability(b.compiled))
        learned = b.learned(loaded)
        assert check_potential(b, learned) == before
        assert learned.nodes == b.learned(trie).nodes
        teach(b, learned, 2, world.seed + 1)
        assert prove_frozen(b, b.killed(learned)) <= 1e-12


def test_rows_are_kept_in_the_file(tmp_path: Any) -> None:
    from gramspec.models.tabular import TabularModel

    class Noisy(TabularModel):
        row_noise = 1e-4

    vocabulary = gs.Vocabulary([b"a", b"b", None], [2])
    compiled = gs.compile(gs.regex("a|ab|ba"), vocabulary)
    model = Noisy(lambda prefix: np.array([0.1, 0.2, 0.3]), 3, 2)
    trie = PrefixTrie(Viability(compiled))
    gs.generate(model, [[0]], compiled, n=5, max_new_tokens=3, potential=trie)
    trie.save(tmp_path / "t")
    loaded = PrefixTrie.load(tmp_path / "t", Viability(compiled))
    [(key, learned)] = loaded._tries.items()
    own = trie.at(key)
    assert learned.root_h == own.root_h and learned.row_noise == 1e-4
    row = learned.remembered_row((), 3)
    assert row is not None and np.array_equal(row, own.remembered_row((), 3))


def test_damaged_and_foreign_files_are_refused(tmp_path: Any) -> None:
    world = worlds(64, 1, draft=False)[0]
    b = bench(world)
    base = Viability(b.compiled)
    trie = PrefixTrie(base)
    teach(b, b.learned(trie), 4, world.seed)
    path = tmp_path / "t"
    trie.save(path)
    other = gs.compile(gs.regex("a"), gs.Vocabulary([b"a", None], [1]))
    with pytest.raises(SerialisationError, match="another grammar"):
        PrefixTrie.load(path, Viability(other))
    (tmp_path / "cut").write_bytes(path.read_bytes()[:-40])
    with pytest.raises(SerialisationError, match="cannot be read"):
        PrefixTrie.load(tmp_path / "cut", base)
    with pytest.raises(SerialisationError, match="cannot be read"):
        PrefixTrie.load(tmp_path / "absent", base)

    with np.load(path) as data:
        arrays = {name: data[name] for name in data.files if name != "header"}
        header = json.loads(bytes(data["header"]))
    integers = {name for name, a in arrays.items() if np.issubdtype(a.dtype, np.integer)}
    types: Any = {name: (np.integer if name in integers else np.floating, 1) for name in arrays}
    assert load_arrays(path, KIND, types)[0]["base"] == "viability"

    def forged(match: str, head: dict[str, Any] | None = None, **columns: Any) -> None:
        changed = {name: columns.get(name, array) for name, array in arrays.items()}
        save_arrays(tmp_path / "forged", KIND, {**header, **(head or {})}, changed)
        with pytest.raises(SerialisationError, match=match):
            PrefixTrie.load(tmp_path / "forged", base)

    forged("out of range", h=arrays["h"] + 2.0)
    forged("no parent before it", parent=arrays["parent"] + len(arrays["parent"]))
    forged("fit together", p=arrays["p"][:-1])
    forged(
        "more mass", h=np.minimum(arrays["base"], 1.0), unvisited=np.where(arrays["unvisited"] < 0, -1.0, 0.0)
    )
    forged("belongs to no key", owner=arrays["owner"] + 1)
    forged("wrong type", {"keys": [{**header["keys"][0], "budget": "3"}]})
    forged("does not have the parts", {"keys": [{"budget": 3}]})
    forged("another base or language", {"keys": [{**header["keys"][0], "language": "x"}]})
    forged("the base says", base=arrays["base"] * 2.0)


def test_threads_may_share_what_is_learned() -> None:
    """Many calls at once on one trie in little memory: contract S, checked at each row, holds all along."""
    from gramspec.models.tabular import TabularModel

    vocabulary = gs.Vocabulary([b"a", b"b", b"c", None], [3])
    compiled = gs.compile(gs.regex("(ab|ac|b){1,4}"), vocabulary)
    model = TabularModel(lambda prefix: np.sin(np.arange(4.0) * (1 + len(prefix)) + sum(prefix)), 4, 3)
    trie = PrefixTrie(Viability(compiled), max_nodes=12)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            gs.generate(model, [[0]], compiled, n=40, max_new_tokens=9, potential=trie, sampler="restart")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    [learned] = trie._tries.values()
    assert learned.live == 0 and learned.nodes <= 12
