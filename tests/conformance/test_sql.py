"""The recorded SQL statements in part, and random members of the grammar, judged by SQLite."""

from __future__ import annotations

from collections import Counter

import pytest

pytest.importorskip("sqlglot")

import gramspec as gs
from gramspec.automaton.members import WeightedMembers, seeded
from gramspec.grammar.sql import sql
from gramspec.grammar.sql.prepare import Prepares
from gramspec.grammar.sql.schema import read_schema
from tests.conformance import sql as recorded

needs_data = pytest.mark.skipif(
    not recorded.present(), reason="the statements lie in ../shared/data, not here"
)
SHOP = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, age INTEGER);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer REFERENCES customers, total REAL, "placed on" TEXT);
CREATE VIEW big AS SELECT id, total FROM orders WHERE total > 100;
"""


def judged(what: str, every: int, kinds: tuple[str, ...] = ()) -> recorded.Tally:
    tally = recorded.Tally()
    for case in list(recorded.cases(what, kinds))[::every]:
        recorded.judge(tally, case)
    return tally


def share(tally: recorded.Tally) -> float:
    right, wrong = tally.right.total(), tally.wrong.total()
    return right / (right + wrong)


@needs_data
def test_what_sqlite_prepares_is_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    queries, writes = judged("statements", 5, recorded.QUERIES), judged("statements", 4, recorded.WRITES)
    with capsys.disabled():
        print(f"\n  queries accepted: {share(queries):.1%}, writes: {share(writes):.1%}")
    assert queries.right.total() > 600 and writes.right.total() > 150
    assert share(queries) >= 0.93
    assert share(writes) >= 0.80


@needs_data
def test_what_sqlite_refuses_is_rejected() -> None:
    tally = judged("negatives", 1)
    assert tally.right["negative: name"] > 350
    assert tally.share("negative: name") >= 0.99
    assert tally.share("negative: syntax") >= 0.99
    outputs = judged("llm_outputs", 4)
    assert share(outputs) >= 0.97


@needs_data
def test_the_grammar_of_the_tables_accepts_what_the_quick_way_accepts() -> None:
    chosen = [case for case in recorded.cases("statements", ("SELECT",)) if recorded.schema_of(case.ddl)][
        ::2000
    ]
    found: Counter[tuple[bool, bool]] = Counter()
    for case in chosen:
        quick, exact = recorded.Tally(), recorded.Tally()
        found[recorded.judge(quick, case), recorded.judge(exact, case, exact=True)] += 1
    # Names of the schema may be words that no other name may be, so the grammar of the tables accepts more.
    assert found[True, True] >= 1 and not found[True, False]


@pytest.mark.parametrize("prepare", [False, True])
def test_random_members_prepare(prepare: bool) -> None:
    schema = read_schema(SHOP, "sqlite")
    judge = Prepares(schema)
    grammar = sql(schema, prepare=prepare, comments=False)
    members, choose = WeightedMembers(grammar, 110), seeded(7)
    texts = [members.draw(choose) for _ in range(30)]
    refused = [judge.refusal(text) for text in texts if not judge.holds(text)]
    assert len(refused) <= (0 if prepare else 1), refused
    assert all(grammar.accepts(text) for text in texts[:20])
    assert len({text.split()[0].lower()[:6] for text in texts}) >= 4
    # What the grammar alone lets through is more: the predicates have something to do.
    loose = WeightedMembers(gs.Grammar(grammar.expr), 110)
    assert not all(judge.holds(loose.draw(choose)) for _ in range(20))
