"""`make fuzz`: every fuzz harness under atheris for a bounded time, with its executions, coverage and finds.

Law: a find stops its harness for a moment only; it is kept as a file, and the run fails at the end.
Source: libFuzzer's options and its final statistics.

``python -m tests.fuzz.drive --seconds 600`` runs all; ``regex tokens`` after it runs these. Inputs that reach
new code are kept in ``build/fuzz/corpus``, finds in ``build/fuzz/found``.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.harness import Harness
from tests.fuzz.harnesses import HARNESSES
from tests.fuzz.replay import found

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Session:
    """What became of one harness."""

    executions: int = 0
    coverage: int = 0
    corpus: int = 0
    peak: int = 0
    finds: dict[str, Path] = field(default_factory=dict)
    broken: str = ""


def quoted(word: bytes) -> str:
    """A word in the syntax of libFuzzer's dictionaries."""
    return '"' + "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\x{b:02x}" for b in word) + '"\n'


def prepare(harness: Harness, folder: Path) -> tuple[Path, Path, list[str]]:
    """Corpus with the seeds, folder of finds, and options that name files."""
    corpus, finds = folder / "corpus" / harness.name, folder / "found" / harness.name
    for path in (corpus, finds):
        path.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate([*harness.seeds(), *found(harness)]):
        if len(data) <= harness.longest:
            (corpus / f"seed{number:04}").write_bytes(data)
    options = [f"-artifact_prefix={finds}/"]
    if harness.words:
        words = folder / f"{harness.name}.dict"
        words.write_text("".join(quoted(word) for word in harness.words if word))
        options.append(f"-dict={words}")
    return corpus, finds, options


def fuzz(harness: Harness, given: argparse.Namespace) -> Session:
    """Run one harness until its time is up, again after each find."""
    corpus, finds, files = prepare(harness, given.folder)
    session = Session()
    end = time.monotonic() + given.seconds
    seed = given.seed
    while (left := int(end - time.monotonic())) > 0 and len(session.finds) < given.most:
        options = [
            *(f"-max_total_time={left}", f"-timeout={given.timeout}", f"-rss_limit_mb={given.megabytes}"),
            *(f"-max_len={harness.longest}", f"-seed={seed}", "-print_final_stats=1", "-len_control=20"),
            *("-report_slow_units=1000000", "-print_funcs=0", *files, str(corpus)),
        ]
        known = set(finds.iterdir())
        before = session.executions
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.target", harness.name, *options],
            cwd=ROOT,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env={**os.environ, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"},
        )
        tell(session, done.stderr + done.stdout)
        seed += 1
        if done.returncode == 0:
            break
        new = set(finds.iterdir()) - known
        cause = cause_of(done.stderr + done.stdout)
        for path in new:
            # A seed that is wrong would end each further process as well.
            wrong = path.read_bytes()
            for kept in [kept for kept in corpus.iterdir() if kept.read_bytes() == wrong]:
                kept.unlink()
            if cause in session.finds:
                path.unlink()  # the same place again
                continue
            session.finds[cause] = path
            print(f"{harness.name}: {cause}\n  python -m tests.fuzz.replay {harness.name} {path}", flush=True)
        if not new and session.executions == before:
            session.broken = (done.stderr + done.stdout)[-3000:]
            break
    return session


def tell(session: Session, output: str) -> None:
    """Add the statistics of one process."""
    executed = re.findall(r"number_of_executed_units: (\d+)", output) or re.findall(
        r"^#(\d+)\s", output, re.M
    )
    session.executions += int(executed[-1]) if executed else 0
    for name, pattern in (("coverage", r"cov: (\d+)"), ("corpus", r"corp: (\d+)"), ("peak", r"rss: (\d+)Mb")):
        values = [int(value) for value in re.findall(pattern, output)]
        setattr(session, name, max([getattr(session, name), *values]))


def cause_of(output: str) -> str:
    """What a process died of, the same text for the same cause."""
    traced = re.findall(r'File "[^"]*/(?:gramspec|tests)/([^"]*)", line (\d+), in (\w+)', output)
    error = re.findall(r"^(?:[\w.]+\.)?(\w*(?:Error|Exception|Finding|Interrupt)\b.*)$", output, re.M)
    died = re.findall(
        r"(?:ERROR: |SUMMARY: )(?:libFuzzer: |AddressSanitizer: )(.*)|runtime error: (.*)", output
    )
    # An exception of Python ends the process like an exit of its own.
    if died and not error:
        return " ".join(part for part in died[0] if part)[:160] + (f" at {traced[-1]}" if traced else "")
    where = " at {}:{} {}".format(*traced[-1]) if traced else ""
    # Without the details, which are another text for every input.
    return (re.sub(r"[\d'\"].*", "…", error[0])[:160] if error else "a signal") + where


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a program; 1 when something was found, 2 when a harness could not run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("harness", nargs="*", help=f"of {', '.join(HARNESSES)}; all by default")
    parser.add_argument("--seconds", type=float, default=600, help="for each harness")
    parser.add_argument("--timeout", type=int, default=60, help="seconds of one input")
    parser.add_argument("--megabytes", type=int, default=4096, help="resident memory of a harness")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=int, default=20, help="finds of a harness, then it stops")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "fuzz")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.harness if name not in HARNESSES]
    if unknown:
        parser.error(f"no harness {unknown[0]!r}: there are {', '.join(HARNESSES)}")
    if importlib.util.find_spec("atheris") is None:
        print('atheris is not installed: pip install -c constraints.txt -e ".[fuzz]"', file=sys.stderr)
        return 2
    given.folder = given.folder.resolve()
    status = 0
    for name in given.harness or HARNESSES:
        print(f"== {name}: {HARNESSES[name].what}", flush=True)
        session = fuzz(HARNESSES[name], given)
        print(
            f"{name}: {session.executions:,} executions, {session.coverage:,} counters covered, corpus of"
            f" {session.corpus:,}, at most {session.peak:,} MB, {len(session.finds)} finds",
            flush=True,
        )
        if session.broken:
            print(session.broken, file=sys.stderr, flush=True)
        status = max(status, 2 if session.broken else 1 if session.finds else 0)
    return status


if __name__ == "__main__":
    sys.exit(main())
