"""`Bench`: one engine, one vocabulary and the oracles; what the suites on masks share.

Law: a finding is an error only where every oracle that knows agrees; where they disagree it is a warning.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from gramspec.audit.adapters.protocol import EngineFault, Refused
from gramspec.audit.cases.worlds import RANDOM
from gramspec.audit.driving import Reading, Tokens, drive, read
from gramspec.audit.far_oracles import FarOracles
from gramspec.audit.oracles import Oracles, Verdict
from gramspec.audit.results import Case, Finding, Severity
from gramspec.audit.segmentation import Segmenter, segmenter
from gramspec.audit.shrinking import shrunk
from gramspec.audit.suites.context import Context, GrammarCase
from gramspec.audit.suites.tally import Tally
from gramspec.matching import CompiledGrammar
from gramspec.vocabulary import Vocabulary

ANSWERS: Final = {
    "answers": "every call ends within its time and memory, with an answer or a refusal by name"
}
SMALL: Final = 5000
SHRUNK_EACH: Final = 1
"""How often a finding of one check and cause is shrunk; later ones replace it only if they come smaller."""
NO_CAUSE: Final = ("$schema", "$defs", "$id")
SHRUNK_AT_RANDOM: Final = 12
"""The same for random schemas, whose cause is known when they have been shrunk."""


@dataclass
class Opened:
    """A case on a vocabulary, compiled by the engine."""

    case: GrammarCase
    vocabulary_name: str
    vocabulary: Vocabulary
    compiled: Any
    oracles: Oracles
    segments: Segmenter
    choose: random.Random
    faulty: bool = False
    _ours: CompiledGrammar | None = None
    _asked: bool = False

    def exact(self) -> CompiledGrammar | None:
        """Gramspec's masks for the case, where they are exact."""
        if not self._asked:
            self._ours, self._asked = self.oracles.exact(self.vocabulary), True
        return self._ours

    def record(self, text: str | None = None, ids: Tokens | None = None, valid: bool | None = None) -> Case:
        """The case as results hold it."""
        return Case(
            self.case.kind,
            self.case.grammar,
            text,
            ids,
            self.vocabulary_name,
            self.case.origin,
            valid,
            dict(self.case.options),
        )


@dataclass
class Bench:
    """What a suite on masks does with its context.

    Parameters
    ----------
    context : Context
    tally : Tally
    """

    context: Context
    tally: Tally
    second: bool = field(init=False)
    _shrinks: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.second = self.context.adapter.name != "gramspec"

    @property
    def seconds(self) -> float:
        """What many calls together may take, so that only a single slow call reaches the engine's limit."""
        return float(getattr(self.context.adapter, "seconds", math.inf)) / 2

    def opened(self) -> Iterator[Opened]:
        """Every case of a kind that the engine takes, on every vocabulary, as long as there is time."""
        context = self.context
        kinds = context.adapter.capabilities.kinds
        cases = [case for case in context.cases if case.kind in kinds]
        total = len(cases) * len(context.vocabularies)
        done = 0
        for name, vocabulary in context.vocabularies.items():
            for case in cases:
                if context.spent:
                    self.tally.skip("answers", "the suite's time was over", total - done)
                    context.progress(self.tally.suite, total, total)
                    return
                opened = self._open(case, name, vocabulary)
                if opened is not None:
                    yield opened
                done += 1
                context.progress(self.tally.suite, done, total)
        for kind in sorted({case.kind for case in context.cases} - set(kinds)):
            count = sum(case.kind == kind for case in context.cases)
            self.tally.skip("answers", f"the engine takes no {kind}", count)

    def opened_on(self, name: str, vocabulary: Vocabulary, cases: Sequence[GrammarCase]) -> Iterator[Opened]:
        """Cases of a suite's own, on a vocabulary of their own."""
        for case in cases:
            if case.kind in self.context.adapter.capabilities.kinds and not self.context.spent:
                opened = self._open(case, name, vocabulary)
                if opened is not None:
                    yield opened

    def _open(self, case: GrammarCase, name: str, vocabulary: Vocabulary) -> Opened | None:
        key = f"{name}/{case.kind}/{sorted(case.options.items())}/{case.grammar}"
        kept = self.context.shared.setdefault("opened", {}).get(key)
        choose = self.context.random(self.tally.suite, name, case.origin, case.grammar)
        if kept is None:
            oracles = self._oracles(case, case.grammar)
            kept = Opened(case, name, vocabulary, None, oracles, segmenter(vocabulary), choose)
            kept.compiled = self._compile(kept)
            # Compiled grammars may be large: they are kept for the small vocabulary only.
            if len(vocabulary) < SMALL or kept.faulty:
                self.context.shared["opened"][key] = kept
        elif kept.faulty:
            self.tally.skip("answers", "the engine fails on this case, as another suite says")
            return None
        opened = replace(kept, case=case, choose=choose)
        if isinstance(kept.compiled, Refused):
            self.tally.refused(opened.record(), kept.compiled.reason)
            return None
        return None if kept.compiled is None else opened

    def _oracles(self, case: GrammarCase, grammar: str) -> Oracles:
        """The oracles of a grammar: in this process where they are known to come back."""
        own = case.origin.startswith(("built-in:", "world:")) and case.kind != "lark"
        if own:
            return Oracles(case.kind, grammar, case.options, second=self.second)
        far: FarOracles = self.context.shared.setdefault("far oracles", FarOracles())
        return far.oracles(case.kind, grammar, case.options, second=self.second)

    def _compile(self, opened: Opened) -> Any:
        """The compiled grammar or the refusal; None if it failed (a finding)."""
        case = opened.case
        try:
            compiled = self.context.adapter.compile(case.kind, case.grammar, opened.vocabulary, case.options)
        except EngineFault as fault:
            opened.faulty = True
            self.fault(opened, fault, None)
            return None
        if not isinstance(compiled, Refused):
            self.tally.passed("answers")
        return compiled

    def drive(
        self, opened: Opened, function: Callable[..., Any], text: str | None = None, **arguments: Any
    ) -> Any:
        """Run a driving function; None, and a finding, if the engine fails; a failed case is left alone."""
        if opened.faulty:
            return None
        try:
            found = drive(opened.compiled, opened.vocabulary, function, **arguments)
        except EngineFault as fault:
            opened.faulty = True
            if fault.how != "error":
                for kept in self.context.shared["opened"].values():
                    kept.faulty = kept.faulty or kept.compiled is opened.compiled
            self.fault(opened, fault, text)
            return None
        self.tally.passed("answers")
        return found

    def fault(self, opened: Opened, fault: EngineFault, text: str | None) -> None:
        """A call that did not end, or ended the process."""
        case = opened.case
        words = {
            "timeout": "does not come back",
            "memory": "runs out of memory",
            "crash": "ends its process",
            "error": "raises an error that is no refusal",
        }
        self.tally.failed(
            Finding(
                self.tally.suite,
                "answers",
                "error",
                f"the engine {words[fault.how]} ({fault.stage})",
                "an answer, or a refusal by name",
                str(fault),
                opened.record(text),
                snippet=self.context.snippet(case.kind, case.grammar, text),
                cause=f"{fault.how}: {case.cause or case.kind}",
            )
        )

    def read_texts(self, opened: Opened, texts: Sequence[str]) -> list[Reading] | None:
        """Read texts in their greedy segmentation; None if the engine fails."""
        sequences = [self.tokens(opened, text) for text in texts]
        return self.drive(opened, read, sequences=sequences)  # type: ignore[no-any-return]

    def tokens(self, opened: Opened, text: str) -> Tokens:
        """The greedy segmentation (vocabularies of audits have all bytes)."""
        raw = text.encode("utf-8", "surrogatepass")
        ids = opened.segments.greedy(raw)
        if ids is None:
            ids = opened.segments.single(raw)
        return () if ids is None else ids

    def disagreement(self, opened: Opened, check: str, text: str, verdict: Verdict, observed: bool) -> None:
        """Oracles that do not agree: no verdict on the engine, but told."""
        if not verdict.disagreement:
            self.tally.skip(check, "no oracle knows")
            return
        said = "member" if observed else "no member"
        self.tally.failed(
            Finding(
                self.tally.suite,
                check,
                "note",
                "the oracles disagree, so this is no verdict on the engine",
                verdict.disagreement,
                f"{self.context.adapter.name}: {said}",
                opened.record(text),
                snippet=self.context.snippet(opened.case.kind, opened.case.grammar, text),
                oracles=verdict.oracles,
                cause=opened.case.cause or opened.case.kind,
            )
        )

    def wrong(
        self,
        opened: Opened,
        check: str,
        text: str,
        verdict: Verdict,
        *,
        message: str,
        cause: str = "",
        severity: Severity = "error",
        original: str | None = None,
        shrink: bool = True,
    ) -> None:
        """The engine's verdict on a text is not that of the oracles; shrunk if it is the first of its kind.

        `original`: a text that the engine reads rightly, of which this one is another spelling.
        """
        case = opened.case
        if case.kind == "regex" and re.search(r"\\[a-zA-Z]", case.grammar) and not text.isascii():
            severity = "warning"  # what a class holds hangs on the dialect
        at_random = not cause and case.cause == RANDOM
        cause = cause or case.cause or case.kind
        grammar, small = case.grammar, text
        most = SHRUNK_AT_RANDOM if at_random else SHRUNK_EACH
        if shrink and self._shrinks[check, cause, severity] < most and not self.context.spent:
            self._shrinks[check, cause, severity] += 1
            grammar, small = self._shrunk(opened, text, verdict)
            cause = _keywords(grammar) if at_random else cause
        expected = "member" if verdict.member else "no member"
        record = replace(opened.record(small, valid=verdict.member), grammar=grammar)
        is_smaller = (grammar, small) != (case.grammar, text)
        self.tally.failed(
            Finding(
                self.tally.suite,
                check,
                severity,
                message,
                expected,
                "rejected" if verdict.member else "accepted",
                record,
                opened.record(text, valid=verdict.member) if is_smaller else None,
                self.context.snippet(case.kind, grammar, small),
                oracles=verdict.oracles,
                cause=cause,
                extra={} if original is None else {"read rightly": original},
            )
        )

    def wrong_tokens(
        self, opened: Opened, check: str, text: str, ids: Tokens, verdict: Verdict, *, message: str
    ) -> None:
        """The engine refuses these tokens of a member."""
        case = opened.case
        shown = " ".join(repr(opened.vocabulary.tokens[token]) for token in ids)
        self.tally.failed(
            Finding(
                self.tally.suite,
                check,
                "error",
                message,
                "accepted",
                "rejected",
                opened.record(text, ids, True),
                snippet=self.context.snippet(case.kind, case.grammar, text),
                oracles=verdict.oracles,
                cause=case.cause or case.kind,
                extra={"tokens": shown},
            )
        )

    def _shrunk(self, opened: Opened, text: str, verdict: Verdict) -> tuple[str, str]:
        case = opened.case
        known: dict[str, tuple[Any, Oracles]] = {}

        def fails(grammar: str, smaller: str) -> bool:
            if grammar not in known:
                known[grammar] = self._quietly(case, grammar, opened)
            compiled, oracles = known[grammar]
            if compiled is None:
                return False
            said = oracles.judge(smaller)
            if said.member is not verdict.member:
                return False
            try:
                readings = drive(compiled, opened.vocabulary, read, sequences=[self.tokens(opened, smaller)])
            except EngineFault:
                return False
            return bool(readings[0].complete != verdict.member)

        # A declared verdict is not known of smaller cases: without another oracle nothing is shrunk.
        trials, seconds = (60, 1.0) if self.context.profile == "quick" else (300, 6.0)
        return shrunk(case.kind, case.grammar, text, fails, keep=case.keep, trials=trials, seconds=seconds)

    def _quietly(self, case: GrammarCase, grammar: str, opened: Opened) -> tuple[Any, Oracles]:
        """A smaller grammar compiled, without counting."""
        oracles = self._oracles(case, grammar)
        try:
            compiled = self.context.adapter.compile(case.kind, grammar, opened.vocabulary, case.options)
        except EngineFault:
            return None, oracles
        return (None if isinstance(compiled, Refused) else compiled), oracles


def _keywords(grammar: str) -> str:
    """The keywords at the root of a schema."""
    schema = json.loads(grammar)
    names = sorted(name for name in schema if name not in NO_CAUSE) if isinstance(schema, dict) else []
    return f"{RANDOM}: {', '.join(names)}" if names else RANDOM
