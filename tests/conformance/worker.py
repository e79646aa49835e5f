"""A process that compiles schemas and reads texts, so that whatever one schema does harms no other.

Law: one JSON line in, one out; address space bounded; exceptions that are no `GramspecError` are told apart.
Source: `gramspec.json_schema`, `Grammar.accepts`.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import gramspec as gs
from tests.conformance import walks

REMOTES = Path(__file__).resolve().parents[3] / "shared" / "data" / "json_schema_test_suite" / "remotes"
"""What the test suite serves at ``http://localhost:1234/``."""

_registries: dict[str, Any] = {}


def suite_registry(draft: str) -> Any:
    """The remote documents of the test suite; those that name no draft are read by `draft`."""
    if draft not in _registries:
        import referencing
        from referencing.jsonschema import DRAFT7, DRAFT201909, DRAFT202012

        default = {"7": DRAFT7, "2019-09": DRAFT201909, "2020-12": DRAFT202012}[draft]
        resources = []
        for path in sorted(REMOTES.rglob("*.json")):
            document = json.loads(path.read_text(encoding="utf-8"))
            made = referencing.Resource.from_contents(document, default_specification=default)
            resources.append((f"http://localhost:1234/{path.relative_to(REMOTES).as_posix()}", made))
        _registries[draft] = referencing.Registry().with_resources(resources)
    return _registries[draft]


def answer(job: dict[str, Any]) -> dict[str, Any]:
    """What became of one job: ``outcome``, ``reason``, one verdict a text, residual predicates, seconds."""
    begin = time.perf_counter()
    done: dict[str, Any] = {"outcome": "compiled", "reason": "", "verdicts": [], "residuals": []}
    try:
        options = dict(job["options"])
        if "suite_registry" in options:
            options["registry"] = suite_registry(options.pop("suite_registry"))
        grammar = gs.json_schema(job["schema"], **options)
        done["residuals"] = [str(one) for one in getattr(grammar, "residuals", ())]
        if job.get("walks"):
            done["walked"] = _walked(grammar, job["walks"])
        done["verdicts"] = [grammar.accepts(text.encode("utf-8", "surrogatepass")) for text in job["texts"]]
    except gs.EmptyLanguageError:
        done["outcome"], done["verdicts"] = "empty", [False] * len(job["texts"])
    except gs.UnsupportedError as error:
        done["outcome"], done["reason"] = "refused", f"{error.pointer}\t{error.reason}"
    except gs.GrammarError as error:
        done["outcome"], done["reason"] = "malformed", f"{error.pointer}\t{error.reason}"
    except gs.LimitError as error:
        done["outcome"], done["reason"] = "limit", str(error)
    except gs.GramspecError as error:
        done["outcome"], done["reason"] = "error", f"{type(error).__name__}: {error}"
    except MemoryError:
        done["outcome"], done["reason"] = "memory", "MemoryError"
    except Exception as error:
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = f"{Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}" if place else "?"
        done["outcome"], done["reason"] = "crash", f"{type(error).__name__} at {where}: {error}"[:300]
    done["seconds"] = time.perf_counter() - begin
    done["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return done


def _walked(grammar: gs.Grammar, seed: int) -> dict[str, Any]:
    """Random walks on two vocabularies; texts as latin-1, so that every byte has a place in JSON."""
    found: dict[str, Any] = {"exact": True, "texts": [], "dead": [], "cut": 0, "unspellable": 0}
    # The search for endings in a partial vocabulary is dear, so not every seed does it.
    for complete in (True, False) if seed % 5 == 0 else (True,):
        try:
            # Whether texts end in the tokens of a partial vocabulary is a search, which may meet its limit.
            limits = gs.Limits() if complete else gs.Limits(max_states=20_000)
            compiled = gs.compile(grammar, walks.vocabulary(complete=complete), limits=limits)
            walked = walks.walk(compiled, seed)
        except (gs.VocabularyError, gs.LimitError):
            if complete:
                raise
            found["unspellable"] += 1
            continue
        found["exact"] = found["exact"] and compiled.masks_exact
        found["texts"] += [text.decode("latin-1") for text in walked.texts]
        found["dead"] += [text.decode("latin-1") for text in walked.dead]
        found["cut"] += walked.cut
    for text in found["texts"]:
        assert grammar.accepts(text.encode("latin-1")), f"a walk ended outside the grammar: {text!r}"
    return found


def main() -> None:
    """Answer jobs until the input ends."""
    memory = int(sys.argv[1]) << 20
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Whatever a library prints must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
