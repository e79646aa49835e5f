"""The law of a decoder as an audit finds it: enumerated where every choice is seen, else counted from draws.

Law: paths that end in an exhausted budget are left out (given that a text is found, the law is the same).
Source: `gramspec.audit.enumerate`; laws, "How exactness is proved".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from gramspec.audit.adapters.decoder import Decoder
from gramspec.audit.enumerate import output_law
from gramspec.audit.law import Law
from gramspec.audit.law_worlds import LawWorld, Tokens
from gramspec.audit.statistics import draws_for_power
from gramspec.decoding.random import NumpyRandomSource, RandomSource
from gramspec.errors import BudgetExhaustedError

FALSE_ALARM: Final = 1e-8
"""Of one X² test; a run makes fewer than a hundred, so that all together stay below 1e-6."""

PLANTED: Final = 0.1
"""Distance at which the power of the draws is stated, and 0.99 unless a decoder takes fewer."""

Draw = Callable[[RandomSource], Sequence[int]]


class FoundLaw(NamedTuple):
    """A law, and how it is known.

    Attributes
    ----------
    law : Law
        Without unresolved mass.
    draws : list of token sequences or None
        None: enumerated.
    followed : bool
        Whether the enumeration came to its end.
    """

    law: Law
    draws: list[Tokens] | None
    followed: bool


def find_law(decoder: Decoder, draw: Draw, seed: int, most: int, cells: int) -> FoundLaw:
    """The law of `draw`.

    Parameters
    ----------
    decoder : Decoder
        Says whether every choice is seen, and how many draws to take where it is not.
    draw : callable
        From a random source to token ids.
    seed : int
        Of the draws.
    most : int
        Paths to follow.
    cells : int
        Outcomes that the law may have.

    Raises
    ------
    ReplayError
        If the same choices do not give the same text.
    """
    if not decoder.exact:
        count = decoder.draws or draws_for_power(PLANTED, max(2, cells), alpha=FALSE_ALARM)
        drawn = [tuple(int(t) for t in draw(NumpyRandomSource((seed, k)))) for k in range(count)]
        return FoundLaw(Law({ids: n / len(drawn) for ids, n in Counter(drawn).items()}), drawn, True)
    paths = 0

    def counted(random: RandomSource) -> Sequence[int]:
        nonlocal paths
        paths += 1
        return draw(random)

    law = output_law(counted, max_leaves=most, unresolved_errors=(BudgetExhaustedError,))
    return FoundLaw(law.conditioned(), None, paths < most)


def strangest(world: LawWorld, law: Law) -> Tokens | None:
    """The shortest outcome that is no member, if any."""
    members = set(world.members)
    strange = [ids for ids, p in law.items() if p > 0.0 and ids not in members]
    return min(strange, key=lambda ids: (len(ids), ids), default=None)


def how_strange(world: LawWorld, ids: Sequence[int]) -> str:
    """What is wrong with an outcome that is no member."""
    if world.eos in ids[:-1]:
        return "tokens after EOS"
    if not ids or ids[-1] != world.eos:
        return "a text that does not end"
    return "a text that is not in the grammar"
