"""Any next-token law will do: a table over five tokens, its exact laws, and draws that follow them.

Run: python examples/your_own_model.py
"""

from __future__ import annotations

from collections import Counter

import numpy as np

import gramspec as gs

vocabulary = gs.Vocabulary([b"a", b"b", b"ab", b"c", None], [4])


def row(prefix):
    """A model that loves to stop, except after an a."""
    return (
        np.log([0.2, 0.1, 0.1, 0.1, 0.5]) if not prefix or prefix[-1] else np.log([0.3, 0.3, 0.1, 0.29, 0.01])
    )


model = gs.models.TabularModel(row, vocab_size=5, eos_id=4)
grammar = gs.regex("(ab)*c?")
longest = 5

laws = {
    law: gs.audit.exact_law(model, grammar, longest, vocabulary=vocabulary, law=law).by_text(vocabulary)
    for law in ("conditional", "masked")
}
draws = 2000
seen = {
    law: Counter(
        completion.text
        for completion in gs.generate(
            model, [[]], grammar, law=law, n=draws, max_new_tokens=longest, seed=0, vocabulary=vocabulary
        )[0]
    )
    for law in laws
}
print(f"{'text':<12}{'conditional':>12}{'drawn':>8}{'masked':>12}{'drawn':>8}")
for text, probability in sorted(laws["conditional"].items(), key=lambda item: -item[1]):
    masked = laws["masked"][text]
    print(
        f"{text!r:<12}{probability:>12.4f}{seen['conditional'][text] / draws:>8.3f}"
        f"{masked:>12.4f}{seen['masked'][text] / draws:>8.3f}"
    )
