"""Cases from files: schemas with instances as the public collections write them, or a grammar alone.

Law: what a file holds is said by its shape (below), never guessed; anything else is refused with its place.
Source: the formats of JSONSchemaBench/MaskBench and of the JSON-Schema-Test-Suite.

* ``{"schema", "tests": [{"data", "valid"}]}``: one schema; a JSON array or JSON Lines hold several.
* ``{"kind", "grammar", "valid": [texts], "invalid": [texts], "cause", "options"}``: one grammar of any kind;
  likewise.
* any other ``.json``: a JSON Schema; other extensions: a grammar of that kind, without texts.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from gramspec.audit.adapters.protocol import KINDS
from gramspec.audit.suites.context import GrammarCase, Instance
from gramspec.errors import OptionError

_MOST_BYTES: Final = 256 << 20
_MOST_CASES: Final = 100_000
_KINDS: Final = {
    ".json": "json_schema",
    ".regex": "regex",
    ".re": "regex",
    ".lark": "lark",
    ".gbnf": "gbnf",
    ".choice": "choice",
    ".txt": "choice",
}
_FIELDS: Final = frozenset({"kind", "grammar", "valid", "invalid", "cause", "options", "origin"})
_OPTIONS: Final = frozenset({"formats", "start"})


def read_cases(path: str | Path, kind: str | None = None) -> list[GrammarCase]:
    """The cases of a file.

    Parameters
    ----------
    path : path
        ``.json`` or ``.jsonl``, also ``.gz``; or a grammar: ``.regex``, ``.lark``, ``.gbnf``, ``.choice``
        (one text per line).
    kind : str, optional
        The kind of the grammar where the extension does not tell.

    Raises
    ------
    OptionError
        If the file cannot be read or is in none of these formats; it names the place.
    """
    where = Path(path)
    if kind is not None and kind not in KINDS:
        raise OptionError(f"{path}: no kind of grammar is called {kind!r}; there are {', '.join(KINDS)}")
    text = _text(where)
    suffixes = [suffix.lower() for suffix in where.suffixes if suffix.lower() != ".gz"]
    suffix = suffixes[-1] if suffixes else ""
    if suffix == ".jsonl":
        entries = list(_lines(text, path))
    elif suffix == ".json" and kind in (None, "json_schema", "structural_tag"):
        document = _parsed(text, str(path))
        if not _is_collection(document):
            return [GrammarCase(kind or "json_schema", text.strip(), origin=f"file:{path}")]
        entries = (
            [(f"/{i}", entry) for i, entry in enumerate(document)]
            if isinstance(document, list)
            else [("", document)]
        )
    else:
        found = kind or _KINDS.get(suffix)
        if found is None:
            raise OptionError(
                f"{path}: what it holds cannot be told from its name\n"
                f"  hint: .json, .jsonl, {', '.join(s for s in _KINDS if s != '.json')}, or say its kind"
            )
        return [GrammarCase(found, _grammar(found, text), origin=f"file:{path}")]
    if len(entries) > _MOST_CASES:
        raise OptionError(f"{path}: {len(entries):,} cases, at most {_MOST_CASES:,} are read")
    cases = [case for place, entry in entries for case in _cases(entry, place, str(path))]
    if not cases:
        raise OptionError(f"{path}: it holds no case")
    return cases


def _text(path: Path) -> str:
    try:
        if path.suffix.lower() == ".gz":
            with gzip.open(path) as stream:
                data = stream.read(_MOST_BYTES + 1)
        else:
            with path.open("rb") as stream:
                data = stream.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise OptionError(f"{path}: more than {_MOST_BYTES >> 20} MiB")
        return data.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise OptionError(f"{path}: {error}") from None


def _lines(text: str, path: str | Path) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield f"line {number}", _parsed(line, f"{path}: line {number}")


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise OptionError(f"{place}: nested too deeply") from None
    except ValueError as error:
        raise OptionError(f"{place}: not JSON: {error}") from None


def _grammar(kind: str, text: str) -> str:
    if kind == "choice":
        return json.dumps(text.removesuffix("\n").split("\n"), ensure_ascii=False)
    return text.removesuffix("\n") if kind == "regex" else text


def _is_collection(document: Any) -> bool:
    """Whether a JSON document is cases, not a schema: an array, or an object that cases look like."""
    if isinstance(document, list):
        return True
    if not isinstance(document, dict):
        return False
    return ("schema" in document and "tests" in document) or ("grammar" in document and "kind" in document)


def _cases(entry: Any, place: str, path: str) -> Iterator[GrammarCase]:
    def refused(below: str, why: str) -> OptionError:
        at = f"{path}: {place}{below}" if place or below else path
        return OptionError(f"{at}: {why}")

    if not isinstance(entry, dict):
        raise refused("", "a case must be an object with schema and tests, or kind and grammar")
    origin = f"file:{path}#{place.removeprefix('line ').removeprefix('/') or 0}"
    if "schema" in entry:
        tests = entry.get("tests", [])
        if not isinstance(tests, list):
            raise refused("/tests", "must be an array")
        instances = []
        for i, test in enumerate(tests):
            if not isinstance(test, dict) or "data" not in test or not isinstance(test.get("valid"), bool):
                raise refused(f"/tests/{i}", "must be an object with data, and valid true or false")
            instances.append(Instance(json.dumps(test["data"], ensure_ascii=False), test["valid"]))
        schema = json.dumps(entry["schema"], ensure_ascii=False)
        cause = entry.get("description", "")
        yield GrammarCase(
            "json_schema", schema, tuple(instances), origin, cause if isinstance(cause, str) else ""
        )
        return
    if unknown := sorted(entry.keys() - _FIELDS):
        raise refused(f"/{unknown[0]}", f"no such field; there are {', '.join(sorted(_FIELDS))}")
    kind, grammar = entry.get("kind"), entry.get("grammar")
    if kind not in KINDS:
        raise refused("/kind", f"must be one of {', '.join(KINDS)}")
    if grammar is None or (
        not isinstance(grammar, str) and kind not in ("json_schema", "structural_tag", "choice")
    ):
        raise refused("/grammar", "must be the grammar as text")
    instances = []
    for name, valid in (("valid", True), ("invalid", False)):
        texts = entry.get(name, [])
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise refused(f"/{name}", "must be an array of texts")
        instances += [Instance(text, valid) for text in texts]
    options = entry.get("options", {})
    if not isinstance(options, dict) or not all(isinstance(value, str) for value in options.values()):
        raise refused("/options", "must be an object of texts")
    if unknown := sorted(options.keys() - _OPTIONS):
        raise refused(f"/options/{unknown[0]}", f"no such option; there are {', '.join(sorted(_OPTIONS))}")
    cause = entry.get("cause", "")
    if not isinstance(cause, str):
        raise refused("/cause", "must be text")
    text = grammar if isinstance(grammar, str) else json.dumps(grammar, ensure_ascii=False)
    yield GrammarCase(kind, text, tuple(instances), origin, cause, options)
