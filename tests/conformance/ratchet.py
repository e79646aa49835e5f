"""Ratchets: files that say what passes today, so that no case ever gets worse.

Law: a status moves only towards the front of `RANKS`; a case that the file does not know may not be wrong.
Source: house rule "a case that passes may never fail again".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

RANKS = ["right", "refused", "malformed", "limit", "time", "wrong", "crash"]
"""From best to worst. A refusal by name is better than a wrong answer."""

HERE = Path(__file__).resolve().parent


def load(name: str) -> dict[str, str]:
    """The recorded statuses; empty when there is no file yet."""
    path = HERE / name
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def save(name: str, statuses: Mapping[str, str]) -> None:
    """Write the statuses, one case a line, sorted."""
    text = json.dumps(dict(sorted(statuses.items())), indent=0, ensure_ascii=False)
    (HERE / name).write_text(text + "\n", encoding="utf-8")


def rank(status: str) -> int:
    """Place of a status in `RANKS`."""
    return RANKS.index(status)


def worse(recorded: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """One line for each case that is worse than recorded, or new and wrong."""
    lines = []
    for name, status in found.items():
        before = recorded.get(name)
        if before is None:
            if status in ("wrong", "crash"):
                lines.append(f"{name}: new, {status}")
        elif rank(status) > rank(before):
            lines.append(f"{name}: {before} -> {status}")
    return lines


def raised(recorded: Mapping[str, str], found: Mapping[str, str]) -> dict[str, str]:
    """The better status of each case; cases that are gone are dropped."""
    return {name: min(status, recorded.get(name, status), key=rank) for name, status in found.items()}
