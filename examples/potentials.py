"""What is known of Φ: a bound that learns, an exact potential, and how near each is.

Run: python examples/potentials.py
"""

from __future__ import annotations

from math import exp

import numpy as np

import gramspec as gs
from gramspec.decoding.rows import RowLaw
from gramspec.validity import Exact, Learned, OneStep, Viability
from gramspec.validity.diagnostics import monte_carlo, twisted_walk, weigh
from gramspec.validity.reading import RowReader

vocabulary = gs.Vocabulary([b"a", b"b", b"c", b"</s>"], [3])
target = gs.models.TabularModel(lambda x: [0.5, 0.0, -0.5, -1.0 + 0.3 * len(x)], 4, 3)
compiled = gs.compile(gs.regex("(ab|ba|c)*"), vocabulary)
law, budget = RowLaw(), 8

reader = RowReader(target, (), law.row)
random = np.random.default_rng(1)
drawn = monte_carlo(compiled, reader, (), budget, runs=4000, uniform=random.random)
print(f"Φ(ε) by Monte Carlo: {drawn.mean:.4f} ± {drawn.error:.4f}")

learned = Learned(compiled)
learned.fit(target, [()], row=law.row, budget=budget, runs=300)
potentials = {
    "viability": Viability(compiled),
    "one step": OneStep(compiled, target, row=law.row),
    "learned": learned,
    "exact": Exact(compiled, target, row=law.row, budget=budget),
}
print(f"{'potential':<12}{'contract':>9}{'h(ε)':>9}{'Φ by weights':>14}{'ESS/n':>8}")
for name, potential in potentials.items():
    walks = [twisted_walk(potential, reader, budget, random.random) for _ in range(400)]
    weights = weigh(walks)
    h = exp(potential.log_h(compiled.matcher(), (), budget))
    phi, ess = exp(weights.log_phi), weights.ess / len(walks)
    print(f"{name:<12}{potential.contract:>9}{h:>9.4f}{phi:>14.4f}{ess:>8.2f}")

# A better potential is fewer attempts; the law stays the same.
for name, potential in (("learns from nothing", None), ("exact", potentials["exact"])):
    [texts] = gs.generate(
        *(target, [[]], compiled),
        n=50,
        max_new_tokens=budget,
        sampler="restart",
        potential=potential,
        seed=1,
    )
    print(f"{name}: {sum(text.report.attempts for text in texts)} attempts for {len(texts)} exact samples")
