"""Judges everything, prints tables, and raises the ratchet files where cases got better.

Law: a status in a ratchet file is never lowered; `--check` writes nothing.
Source: `python -m tests.conformance.update [maskbench] [suite] [hostile] [--check] [--log FILE]`.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.conformance import hostile, hostile_large, hostile_wrong, maskbench, ratchet, suite
from tests.conformance.judge import Judge


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a program; the exit status says whether something got worse."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpora", nargs="*", default=[], help="maskbench, suite, hostile; all by default")
    parser.add_argument("--check", action="store_true", help="compare with the ratchet files, write nothing")
    parser.add_argument("--only", default="", help="only cases whose id begins so; writes nothing")
    parser.add_argument("--log", default="", help="file for one line a case that is not right")
    parser.add_argument("--jobs", type=int, default=1, help="worker processes")
    parser.add_argument("--seconds", type=float, default=30.0, help="time limit of one schema")
    given = parser.parse_args(arguments)
    log: list[str] = []
    failed = False
    for name, run in (("maskbench", _maskbench), ("suite", _suite), ("hostile", _hostile)):
        if given.corpora and name not in given.corpora:
            continue
        found = run(given, log)
        file = f"{name}.json"
        recorded = ratchet.load(file)
        lines = ratchet.worse(recorded, found)
        print(f"\n{name}: {len(lines)} worse than recorded", *lines[:20], sep="\n  ")
        failed = failed or bool(lines)
        if not given.check and not given.only:
            ratchet.save(file, ratchet.raised(recorded, found))
    if given.log:
        with open(given.log, "w", encoding="utf-8") as out:
            out.writelines(f"{line}\n" for line in log)
    return int(failed)


def _spread(given: Any, items: Sequence[Any], work: Callable[[Judge, Any], Any]) -> list[Any]:
    """Do `work` on every item, on so many workers, in order."""

    def lane(index: int) -> list[tuple[int, Any]]:
        with Judge(seconds=given.seconds) as judge:
            return [(i, work(judge, items[i])) for i in range(index, len(items), given.jobs)]

    with ThreadPoolExecutor(given.jobs) as pool:
        done = [pair for part in pool.map(lane, range(given.jobs)) for pair in part]
    return [result for _, result in sorted(done, key=lambda pair: pair[0])]


def _maskbench(given: Any, log: list[str]) -> dict[str, str]:
    cases = [case for case in maskbench.cases() if case.id.startswith(given.only)]
    found = {}
    table: dict[str, Counter[str]] = {}
    reasons: Counter[str] = Counter()
    residual = 0
    slow = []
    for case, verdict in zip(cases, _spread(given, cases, maskbench.verdict), strict=True):
        found[case.id] = verdict.status
        row = table.setdefault(re.split("---|_(?=[a-z]+_|[0-9])", case.id)[0], Counter())
        row[verdict.status] += 1
        for kind in verdict.wrong:
            row["-" + " ".join(kind.split(":")[0].split())] += 1
        residual += bool(verdict.answer.residuals)
        slow.append((verdict.answer.seconds, verdict.answer.peak, case.id))
        if verdict.status != "right":
            reasons[f"{verdict.status}: {general(verdict.reason)}"] += 1
            log.append(
                f"{case.id}\t{verdict.status}\t{verdict.reason}\t{' | '.join(w[:300] for w in verdict.wrong)}"
            )
    _print_table(table)
    print(f"\nwith residual predicates: {residual}; seconds of workers: {sum(s for s, _, _ in slow):.0f}")
    print("slowest:", ", ".join(f"{name} {s:.1f} s" for s, _, name in sorted(slow, reverse=True)[:8]))
    print("reasons:", *(f"{n:5} {reason}" for reason, n in reasons.most_common(40)), sep="\n  ")
    return found


def _suite(given: Any, log: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    reasons: Counter[str] = Counter()
    for draft in suite.DRAFTS:
        table: dict[str, Counter[str]] = {}
        groups = [group for group in suite.groups(draft) if group.id.startswith(given.only)]
        for group, (statuses, notes) in zip(groups, _spread(given, groups, suite.verdicts), strict=True):
            found.update(statuses)
            part = "format" if group.asserts_formats else group.file.split("/")[0]
            for key in (f"{draft}/{group.file}", f"= {draft} {part if '/' in group.file else 'required'}"):
                table.setdefault(key, Counter()).update(statuses.values())
            for name, note in notes.items():
                log.append(f"{name}\t{found[name]}\t{note}")
                reasons[f"{found[name]}: {'' if found[name] == 'wrong' else general(note)}"] += 1
        if table:
            _print_table(table)
    print("\nreasons:", *(f"{n:5} {reason}" for reason, n in reasons.most_common(40)), sep="\n  ")
    return found


def _hostile(given: Any, log: list[str]) -> dict[str, str]:
    cases = [*hostile_wrong.cases(), *hostile_large.cases()]
    cases = [case for case in cases if case.name.startswith(given.only)]
    found = {}
    with Judge(seconds=hostile.SECONDS, memory=hostile.MEGABYTES) as judge:
        for case in cases:
            answer = judge.ask(case.schema, list(case.texts), walks=1, property_order="any")
            found[case.name] = hostile.status(case, answer)
            if found[case.name] != "right":
                told = f"{answer.outcome} {answer.reason} {answer.verdicts}"
                log.append(f"{case.name}\t{found[case.name]}\t{told}\t{case.schema[:300]}")
    _print_table({"hostile": Counter(found.values())})
    return found


def _print_table(table: dict[str, Counter[str]]) -> None:
    total: Counter[str] = Counter()
    width = max(map(len, table))
    print()
    for name, row in sorted(table.items()):
        print(f"  {name:{width}} {_line(row)}")
        if not name.startswith("="):
            total += row
    print(f"  {'total':{width}} {_line(total)}")


def _line(row: Counter[str]) -> str:
    cases = sum(n for status, n in row.items() if not status.startswith("-"))
    share = f"{row['right'] / cases:7.2%}" if cases else "      –"
    others = [f"{status.removeprefix('-')} {row[status]}" for status in [*ratchet.RANKS[1:]] if row[status]]
    others += [f"[{status[1:]} {n}]" for status, n in sorted(row.items()) if status.startswith("-")]
    return f"{row['right']:5}/{cases:<5} {share}  {', '.join(others)}"


def general(reason: str) -> str:
    """A reason without its place and its numbers, to count alike ones together."""
    text = reason.split("\t", 1)[-1]
    return re.sub(r"'[^']{25,}'|\"[^\"]{25,}\"", "'…'", re.sub(r"\d+", "N", text))[:110]


if __name__ == "__main__":
    sys.exit(main())
