"""Token verification of a drafted chain.

Law: the accepted tokens and the next symbol follow the target rows K, whatever the draft rows q were.
Source: Leviathan et al. (2211.17192), Chen et al. (2302.01318); laws, "Verification rules".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.random import RandomSource
from gramspec.kernels.verification import Verdict, token_rule


def verify_token(
    kernels: Sequence[NDArray[np.float64]],
    drafts: Sequence[NDArray[np.float64]],
    drafted: Sequence[int],
    random: RandomSource,
) -> Verdict:
    """Accept x with probability min(1, K/q); on rejection emit from (K - q)₊; all kept: one more from K.

    Parameters
    ----------
    kernels : sequence of ndarray, shape (V + 1,)
        Target row before each drafted token, and one more after the last; without that one the last
        drafted token ends the sequence and nothing follows it.
    drafts : sequence of ndarray, shape (V,)
        The row each drafted token was really drawn from.
    drafted : sequence of int
        The chain.
    random : RandomSource
        Asked only where the outcome is open.

    Returns
    -------
    Verdict
        Symbol V (the last index of a kernel) is †.
    """
    return token_rule(kernels, drafts, drafted, random.choose)
