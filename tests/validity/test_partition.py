"""`Partition`: masses of configurations against enumeration, and contract W on random worlds.

Laws: under the proxy itself, on an unambiguous grammar and single-byte tokens, h = Φ within the budget
(<= 1e-12); h is positive exactly where viable; every token's h is that of its own configuration.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pytest

import gramspec as gs
from gramspec.automaton.ambiguity import find_ambiguity
from gramspec.automaton.graph import TextGraph
from gramspec.errors import OptionError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar
from gramspec.testing.worlds import World, worlds
from gramspec.validity.partition import Partition
from gramspec.validity.partition_system import ExploreLimits
from gramspec.validity.partition_weights import ByteWeights, StateWeights, TokenWeights
from gramspec.validity.protocol import Potential
from gramspec.vocabulary import Vocabulary

EVERYTHING = ExploreLimits(least_reach=0.0)


def dyck() -> Grammar:
    rule = ir.Rule("S")
    kinds = [ir.concat(ir.literal(a), ir.Ref(rule), ir.literal(b), ir.Ref(rule)) for a, b in ("()", "[]")]
    rule.define(ir.union(ir.EPSILON, *kinds))
    return Grammar(ir.Ref(rule), "two kinds of brackets")


def arithmetic() -> Grammar:
    total, product, factor = ir.Rule("total"), ir.Rule("product"), ir.Rule("factor")
    total.define(ir.union(ir.Ref(product), ir.concat(ir.Ref(total), ir.literal("+"), ir.Ref(product))))
    product.define(ir.union(ir.Ref(factor), ir.concat(ir.Ref(product), ir.literal("*"), ir.Ref(factor))))
    digits = ir.repeat(ir.byte_set(b"12"), 1)
    factor.define(ir.union(digits, ir.concat(ir.literal("("), ir.Ref(total), ir.literal(")"))))
    return Grammar(ir.Ref(total), "sums of products")


def is_dyck(text: bytes) -> bool:
    open_ = []
    for byte in text:
        if byte in b"([":
            open_.append(byte)
        elif not open_ or open_.pop() != {ord(")"): ord("("), ord("]"): ord("[")}[byte]:
            return False
    return not open_


def is_sum(text: bytes) -> bool:
    joined = text.decode()
    # What Python reads and the grammar does not: signs, powers, calls.
    if joined[:1] in ("+", "*") or any(pair in joined for pair in ("++", "**", "*+", "+*", "(+", "(*")):
        return False
    if any(pair in joined for pair in (")(", "()", "1(", "2(", ")1", ")2")):
        return False
    try:
        compile(joined, "", "eval")
    except SyntaxError:
        return False
    return True


def is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def bytes_vocabulary(alphabet: bytes) -> Vocabulary:
    return Vocabulary([*(bytes([b]) for b in alphabet), None], [len(alphabet)])


def some_weights(alphabet: Iterable[int], seed: int = 3, stop: float = 0.15) -> ByteWeights:
    row = np.zeros(256)
    alphabet = list(alphabet)
    row[alphabet] = np.random.default_rng([seed, len(alphabet)]).uniform(0.2, 1.0, len(alphabet))
    return ByteWeights(row, stop)


def masses_by_prefix(
    alphabet: bytes,
    longest: int,
    member: Callable[[bytes], bool],
    weights: ByteWeights,
    prefixes: list[bytes],
) -> dict[bytes, float]:
    """Mass of the completions of each prefix, texts of at most `longest` bytes, stop included."""
    out = dict.fromkeys(prefixes, 0.0)
    for n in range(longest + 1):
        for letters in itertools.product(alphabet, repeat=n):
            text = bytes(letters)
            if member(text):
                for prefix in prefixes:
                    if text.startswith(prefix):
                        rest = list(text[len(prefix) :])
                        out[prefix] += float(np.prod(weights.weights[rest])) * weights.stop
    return out


@pytest.mark.parametrize(
    ("grammar", "alphabet", "longest", "member", "prefixes"),
    [
        (dyck(), b"()[]", 8, is_dyck, [b"", b"(", b"([", b"([]", b"[[()"]),
        (arithmetic(), b"12+*()", 6, is_sum, [b"", b"1", b"(", b"(1+", b"1*(2"]),
        (gs.json_schema({}, whitespace="compact"), b'{}:,"1', 6, is_json, [b"", b"{", b'{"', b'"1', b'{"":']),
    ],
    ids=["dyck", "arithmetic", "json"],
)
def test_masses_within_a_budget_equal_enumeration(
    grammar: Grammar, alphabet: bytes, longest: int, member: Callable[[bytes], bool], prefixes: list[bytes]
) -> None:
    compiled = gs.compile(grammar, bytes_vocabulary(alphabet))
    weights = some_weights(alphabet)
    potential = Partition(compiled, weights, max_bytes=longest + 1, explore=EVERYTHING)
    exact = masses_by_prefix(alphabet, longest, member, weights, prefixes)
    assert sum(v > 0 for v in exact.values()) == len(prefixes)
    for prefix in prefixes:
        matcher = compiled.matcher()
        ids = [alphabet.index(b) for b in prefix]
        assert matcher.advance_many(ids) == len(ids)
        found = np.exp(potential.log_h(matcher, ids, longest + 1 - len(ids)))
        assert found == pytest.approx(exact[prefix], rel=1e-12, abs=1e-15)


def test_a_stack_left_out_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wrong version that multiplies no frames agrees at the root only."""
    from gramspec.validity.partition import _Masses

    compiled = gs.compile(dyck(), bytes_vocabulary(b"()[]"))
    weights = some_weights(b"()[]")
    exact = masses_by_prefix(b"()[]", 6, is_dyck, weights, [b"", b"(["])
    monkeypatch.setattr(_Masses, "_stack_value", lambda self, stack: self.algebra.one())
    wrong = Partition(compiled, weights, max_bytes=7, explore=EVERYTHING)
    matcher = compiled.matcher()
    assert np.exp(wrong.log_h(matcher, (), 7)) == pytest.approx(exact[b""], rel=1e-12)
    matcher.advance_many([0, 2])
    assert np.exp(wrong.log_h(matcher, (0, 2), 5)) > 3 * exact[b"(["]


def test_masses_without_a_budget_are_the_limit() -> None:
    compiled = gs.compile(dyck(), bytes_vocabulary(b"()[]"))
    weights = some_weights(b"()[]", stop=0.3)
    whole = Partition(compiled, weights, max_bytes=None)
    bounded = Partition(compiled, weights, max_bytes=300)
    w = weights.weights
    # Z = 1 + (w( w) + w[ w]) Z², its smaller root; after an opening bracket Z·w)·Z is left to write.
    gain = w[ord("(")] * w[ord(")")] + w[ord("[")] * w[ord("]")]
    root = (1 - np.sqrt(1 - 4 * gain)) / (2 * gain)
    matcher = compiled.matcher()
    assert np.exp(whole.log_h(matcher, (), 500)) == pytest.approx(root * weights.stop, rel=1e-12)
    assert np.exp(bounded.log_h(matcher, (), 301)) == pytest.approx(root * weights.stop, rel=1e-12)
    h = whole.h_children(matcher, (), 500)
    assert h[0] == pytest.approx(root**2 * w[ord(")")] * weights.stop, rel=1e-12)
    assert max(whole.iterations) <= 12


def test_short_budgets_lower_h() -> None:
    compiled = gs.compile(dyck(), bytes_vocabulary(b"()[]"))
    potential = Partition(compiled, some_weights(b"()[]"), max_bytes=64)
    matcher = compiled.matcher()
    matcher.advance_many([0, 0, 0])
    values = [potential.log_h(matcher, (0, 0, 0), budget) for budget in range(1, 30)]
    assert values[:3] == [-np.inf] * 3 and np.isfinite(values[3:]).all()
    assert (np.diff(values[3:]) > -1e-12).all() and values[-1] > values[3] + 0.1


def allowed(world: World) -> gs.CompiledGrammar:
    return gs.compile(world.grammar, world.vocabulary)


def unambiguous(grammar: Grammar) -> bool:
    if any(isinstance(node, ir.TokenEdge) for node in ir.walk(grammar.expr)):
        return False  # not looked at
    report = find_ambiguity(TextGraph(grammar), max_pairs=4000, max_pairs_each=400)
    return report.ambiguous == 0 and report.unfinished == 0


def test_single_bytes_agree_with_the_law_of_the_proxy_on_worlds() -> None:
    """Random grammars of every kind, objects and counters too; ambiguous ones give no less than the mass."""
    checked = 0
    for world in worlds(7, 40, options=False):
        alphabet = bytes(sorted({b for t in world.small.tokens if t for b in t}))
        compiled = gs.compile(world.grammar, bytes_vocabulary(alphabet))
        weights = some_weights(alphabet, world.seed)
        potential = Partition(compiled, weights, max_bytes=8, explore=EVERYTHING)

        def phi(matcher: gs.Matcher, budget: int, row: np.ndarray, stop: float) -> float:
            if budget < 1:
                return 0.0
            total = stop if matcher.is_accepting else 0.0
            for token in matcher.allowed_ids().tolist():
                if token < len(row):
                    after = matcher.fork()
                    after.advance(token)
                    total += row[token] * phi(after, budget - 1, row, stop)
            return total

        row = weights.weights[list(alphabet)]
        exact = phi(compiled.matcher(), 5, row, weights.stop)
        found = float(np.exp(potential.log_h(compiled.matcher(), (), 5)))
        if unambiguous(world.grammar):
            assert found == pytest.approx(exact, rel=1e-11, abs=1e-290), str(world)
            checked += 1
        else:
            assert found >= exact - 1e-12, str(world)
    assert checked > 25


def test_contract_w_on_worlds() -> None:
    every = worlds(8, 16, options=False) + worlds(12, 4, residuals=True, options=False)
    every += worlds(13, 3, kinds=("edges",), options=False) + worlds(14, 3, kinds=("members",), options=False)
    for i, world in enumerate(every):
        compiled = allowed(world)
        # Ambiguous grammars may merge stacks in another order, and so count a text more or less often.
        tolerance = 1e-9 if unambiguous(world.grammar) else 3.0
        weights = some_weights(range(256), world.seed)
        potential = Partition(compiled, weights, max_bytes=(None, 6, 40)[i % 3])
        assert isinstance(potential, Potential) and potential.contract == "W"
        todo: list[tuple[int, ...]] = [()]
        seen = 0
        while todo and seen < 40:
            prefix = todo.pop()
            seen += 1
            budget = world.max_new_tokens - len(prefix)
            matcher = compiled.matcher()
            matcher.advance_many(prefix)
            h = potential.h_children(matcher, prefix, budget)
            assert h.dtype == np.float64 and h.shape == (len(world.vocabulary),)
            viable = matcher.viable(budget)
            assert np.array_equal(h > 0.0, viable) and (h <= 1.0).all(), str(world)
            for eos in world.vocabulary.eos_ids:
                assert h[eos] == float(matcher.is_accepting)
            for token in np.flatnonzero(viable).tolist():
                if token in world.vocabulary.eos_ids:
                    continue
                child = matcher.fork()
                child.advance(token)
                alone = np.exp(potential.log_h(child, (*prefix, token), budget - 1))
                if alone > 0.0:  # the bound of `viable` is weaker than that of the child's own state
                    assert h[token] == pytest.approx(alone, rel=tolerance), (str(world), prefix, token)
                todo.append((*prefix, token))


def test_h_is_read_once_for_each_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """A JSON string allows thousands of tokens and leads to a handful of configurations."""
    from gramspec.validity.partition import _Masses

    words = [bytes(w) for n in (1, 2) for w in itertools.product(b'abcdefghij"', repeat=n)]
    vocabulary = Vocabulary([*words, *(b"x" + w for w in words), None], [2 * len(words)])
    compiled = gs.compile(gs.regex('"[a-z]*"'), vocabulary)
    potential = Partition(compiled, some_weights(b'abcdefghijx"'))
    asked: list[int] = []
    real = _Masses._config_value
    monkeypatch.setattr(_Masses, "_config_value", lambda self, c: asked.append(c) or real(self, c))
    matcher = compiled.matcher()
    matcher.advance(words.index(b'"'))
    first = potential.h_children(matcher, (0,), 50)
    assert (first > 0).sum() > 200 and 0 < len(asked) <= 6
    asked.clear()
    matcher.advance(words.index(b"a"))
    again = potential.h_children(matcher, (0, 0), 50)  # same state: nothing is asked again
    assert asked == [] and np.array_equal(first, again)


def test_objects_with_undeclared_keys_stay_small() -> None:
    """Each undeclared key written makes a new state of the native engine; its value is known already."""
    schema = {"properties": {"id": {"type": "integer"}}, "required": ["id"], "type": "object"}
    compiled = gs.compile(gs.json_schema(schema), bytes_vocabulary(bytes(range(32, 127))))
    potential = Partition(compiled, ByteWeights.uniform(alphabet=range(32, 127)), max_bytes=None)
    masses = next(iter(potential._engines.values()))
    matcher = compiled.matcher()
    sizes = []
    for n in range(12):
        text = ('{"id":1' if n == 0 else f',"k{n}":"v"').encode()
        for byte in text:
            h = potential.h_children(matcher, (), 400)
            assert (h[matcher.viable(400)] > 0).all() and h[byte - 32] > 0
            matcher.advance(byte - 32)
        sizes.append(len(masses.system.system))
    assert sizes[-1] == sizes[2]


def test_a_full_engine_is_left_for_a_fresh_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long tokens lead to many counts, which masks do not make; the answers stay those of a large engine."""
    from gramspec.matching.basis import Basis

    vocabulary = Vocabulary([*(b"c" * n for n in range(1, 41)), None], [40])
    moves: list[str] = []
    real = Basis.fresh
    monkeypatch.setattr(Basis, "fresh", lambda self: moves.append("fresh") or real(self))
    found = []
    for limits in (gs.Limits(max_configurations=450), gs.Limits()):
        moves.clear()
        compiled = gs.compile(gs.regex("c{0,300}"), vocabulary, limits=limits)
        potential = Partition(compiled, some_weights(b"c"), max_bytes=None)
        matcher = compiled.matcher()
        rows = []
        for _ in range(100):
            rows.append(potential.h_children(matcher, (), 400))
            matcher.advance(2)
        found.append((len(moves), np.array(rows)))
    assert found[0][0] >= 1 and found[1][0] == 0
    assert np.allclose(found[0][1], found[1][1], rtol=1e-12)


def test_weights_from_texts_counts_and_rows() -> None:
    weights = ByteWeights.from_texts(["aab", b"ab"])
    assert weights.weights.sum() + weights.stop == pytest.approx(1.0)
    assert weights.weights[ord("a")] / weights.weights[ord("b")] == pytest.approx(3.5 / 2.5)
    assert weights.stop == pytest.approx(2.5 / (5 + 2 + 257 * 0.5))
    vocabulary = Vocabulary([b"a", b"bb", None], [2])
    counted = TokenWeights.from_counts(vocabulary, [2, 1, 3])
    assert counted.weights[ord("a")] == counted.weights[ord("b")]
    assert counted.token_lengths(vocabulary.tokens)[:3] == pytest.approx([0, 2 / 3, 1 / 3])
    assert TokenWeights.from_counts(vocabulary, {0: 2, 1: 1, 2: 3}).fingerprint == counted.fingerprint
    for bad in ([1, 1], [1, -1, 0], [np.nan, 0, 0]):
        with pytest.raises(OptionError, match="counts"):
            TokenWeights.from_counts(vocabulary, bad)
    with pytest.raises(OptionError, match="texts"):
        ByteWeights.from_texts([])
    for row, stop in ((np.ones(3), 0.1), (np.zeros(256), 0.1), (np.ones(256), 0.0), (np.ones(256), 1.0)):
        with pytest.raises(OptionError):
            ByteWeights(row, stop)


def test_weights_by_state_follow_the_rows_seen() -> None:
    """After `{"` a forced key has mass near one once rows have shown it; the base gives it little."""
    alphabet = bytes(range(32, 127))
    compiled = gs.compile(
        gs.json_schema(
            {
                "type": "object",
                "properties": {"kind": {"const": "x"}},
                "required": ["kind"],
                "additionalProperties": False,
            }
        ),
        bytes_vocabulary(alphabet),
    )
    base = ByteWeights.uniform(alphabet=alphabet)
    learned = StateWeights(base)
    before = learned.fingerprint
    text = b'{"kind":"x"}'
    matcher = compiled.matcher()
    for _ in range(20):
        matcher = compiled.matcher()
        for byte in [*text, None]:
            row = np.full(len(alphabet) + 1, 1e-4)
            row[-1 if byte is None else alphabet.index(byte)] = 1.0
            learned.observe_row(matcher, row / row.sum())
            if byte is not None:
                matcher.advance(alphabet.index(byte))
    assert learned.fingerprint != before and learned.stop > 0.9
    plain, fitted = Partition(compiled, base), Partition(compiled, learned)
    assert plain.name != fitted.name
    start = compiled.matcher()
    assert plain.log_h(start, (), 50) < -30 < -3 < fitted.log_h(start, (), 50)
    moved = Partition(compiled, learned)
    name = moved.name
    learned.observe_row(start, np.ones(len(alphabet) + 1) / (len(alphabet) + 1))
    assert moved.name == name
    moved.refit()
    assert moved.name != name
    with pytest.raises(OptionError, match="probabilities"):
        learned.observe_row(start, [1.0])


def test_weights_by_state_are_fitted_along_runs() -> None:
    """A target that writes "ab" or "abab" for sure: where it stands, its own bytes have nearly all mass."""
    from gramspec.models.tabular import TabularModel

    def rows(prefix: Sequence[int]) -> np.ndarray:
        n = len(prefix)
        p = np.array([0.98, 0.01, 0.01] if n % 2 == 0 else [0.01, 0.98, 0.01])
        if n >= 2 and n % 2 == 0:
            p = np.array([0.3, 0.01, 0.69])
        return np.log(p)

    model = TabularModel(rows, 3, 2)
    compiled = gs.compile(gs.regex("[ab]*"), bytes_vocabulary(b"ab"))
    done: list[tuple[int, int]] = []
    learned = StateWeights(ByteWeights.uniform(alphabet=b"ab", stop=0.5), prior=0.1).fit(
        compiled, model, [()], runs=12, max_tokens=30, progress=lambda i, n: done.append((i, n))
    )
    assert done[-1] == (12, 12)
    # Three positions in five of the automaton's one state are odd or first; EOS comes after even ones.
    assert 0.1 < learned.stop < 0.6
    again = StateWeights(ByteWeights.uniform(alphabet=b"ab", stop=0.5), prior=0.1)
    assert again.fit(compiled, model, [()], runs=12, max_tokens=30).fingerprint == learned.fingerprint
    with pytest.raises(OptionError, match="runs"):
        again.fit(compiled, model, [()], runs=0)


def test_fluency_spares_forced_text() -> None:
    """In the middle of a rule the bytes that may come share a row; elsewhere nothing changes."""
    alphabet = b"abcdx"
    compiled = gs.compile(gs.regex("x(a|bcd)"), bytes_vocabulary(alphabet))
    plain = ByteWeights.uniform(alphabet=alphabet, stop=0.5)
    fluent = ByteWeights(plain.weights, 0.5, fluency=0.8)
    w = 0.1  # of each byte
    matcher = compiled.matcher()
    one = np.exp(Partition(compiled, plain).log_h(matcher, (), 9))
    assert one == pytest.approx(0.5 * w * (w + w**3), rel=1e-12)
    two, forced = 0.2 * w + 0.8 / 2, 0.2 * w + 0.8  # of two bytes, of one
    found = np.exp(Partition(compiled, fluent).log_h(matcher, (), 9))
    assert found == pytest.approx(0.5 * w * (two + two * forced**2), rel=1e-12)
    # A state that may also end, or that calls others, keeps the plain row.
    digits = gs.compile(gs.regex("x[ab]*"), bytes_vocabulary(alphabet))
    values = [
        np.exp(Partition(digits, x, max_bytes=None).log_h(digits.matcher(), (), 9)) for x in (plain, fluent)
    ]
    assert values[0] == pytest.approx(values[1]) == pytest.approx(0.5 * w / (1 - 2 * w))
    assert plain.fingerprint != fluent.fingerprint
    with pytest.raises(OptionError, match="fluency"):
        ByteWeights(plain.weights, 0.5, fluency=1.0)


def test_a_power_flattens_h() -> None:
    compiled = gs.compile(dyck(), bytes_vocabulary(b"()[]"))
    weights = some_weights(b"()[]")
    matcher = compiled.matcher()
    matcher.advance(0)
    plain = Partition(compiled, weights).h_children(matcher, (0,), 30)
    half = Partition(compiled, weights, power=0.5)
    h = half.h_children(matcher, (0,), 30)
    assert np.allclose(h[:4], np.sqrt(plain[:4])) and h[4] == plain[4] == 0.0
    child = matcher.fork()
    child.advance(1)
    assert half.log_h(child, (0, 1), 29) == pytest.approx(np.log(h[1]))
    assert half.name != Partition(compiled, weights).name


def test_options_are_checked() -> None:
    compiled = gs.compile(dyck(), bytes_vocabulary(b"()[]"))
    weights = some_weights(b"()[]")
    for bad in ({"floor": 0.0}, {"floor": 1.0}, {"max_bytes": 0}, {"power": 0.0}, {"power": 1.5}):
        with pytest.raises(OptionError):
            Partition(compiled, weights, **bad)
    with pytest.raises(OptionError, match="max_variables"):
        from gramspec.validity.partition_solve import SolveLimits

        Partition(compiled, weights, solve=SolveLimits(max_variables=3))
