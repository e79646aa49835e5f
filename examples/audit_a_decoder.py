"""Is my decoder what I say it is? An audit of two decoders of one's own: which law does each sample?

Run: python examples/audit_a_decoder.py (needs gramspec[audit])
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

import gramspec as gs
from gramspec.audit.adapters import Decoder
from gramspec.decoding.rows import RowLaw

GRAMMARS = {"regex": gs.regex, "json_schema": gs.json_schema, "lark": gs.lark}


class Masking(Decoder):
    """Forbid what cannot be continued, renormalise, draw: the usual loop."""

    name = "my masking loop"
    version = "1"
    claims = "masked"
    kinds = tuple(GRAMMARS)

    def sample(self, world, random):
        matcher = gs.compile(GRAMMARS[world.kind](world.grammar), world.vocabulary).matcher()
        ids = []
        while not matcher.is_finished:
            logits = world.target_rows((*world.prompt_ids, *ids))
            masked = np.full(len(logits), -np.inf)
            allowed = matcher.allowed_ids()
            masked[allowed] = logits[allowed]
            row = RowLaw(world.temperature, world.top_k, world.top_p).row(masked, ids)
            ids.append(random.choose(row))  # every choice goes through the source: the law is enumerated
            matcher.advance(ids[-1])
        return ids


class Boastful(Masking):
    """The same loop, sold as sampling from the model given the grammar."""

    name = "the same, claimed to be exact"
    claims = "conditional"


for decoder in (Masking(), Boastful()):
    report = gs.audit.run(decoder, suites=["law"], seed=1, seconds=20)
    print(f"{decoder.name}: {'no fault found' if report.ok else f'{len(report.findings)} findings'}")
    for finding in report.findings[:1]:
        print(f"  {finding.message}\n  it is: {finding.observed}")

with tempfile.TemporaryDirectory() as folder:
    page = Path(folder) / "report.html"
    report.to_html(page)  # tables and plots, to send to a maintainer; to_junit for a CI, to_json for others
    print(f"the report is one page of {page.stat().st_size // 1000} kB")
