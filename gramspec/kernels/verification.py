"""Token and block verification: the rules themselves, and a batch of drafts at once.

Law: the accepted tokens and the symbol after them follow the target rows K over V ∪ {†}, whatever the draft
rows q.
token: x is kept with probability min(1, K/q); on rejection (K - q)₊. block: b_0 = 1, b_i = min(1,
b_{i-1}·K(x_i)/q(x_i)), r_i = Σ (b_i·K - q)₊ at the row after i tokens, g_i = r_i / (r_i + 1 - b_i), g_γ =
b_γ; the largest i that its coin of g_i keeps, then (b_i·K - q)₊, or K after all tokens.
Cost: token reads one row of K and of q, block reads them all; the emitted symbol reads one block again.
Source: laws, "Verification rules"; Leviathan et al. (2211.17192), Chen et al. (2302.01318), Sun et al.
(2403.10444).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gramspec.errors import KernelError
from gramspec.kernels import inverse_cdf
from gramspec.kernels.arrays import (
    Backend,
    Tensor,
    choose_backend,
    host,
    like,
    require_beside,
    require_shape,
    require_type,
    strides,
)

Choose = Callable[[NDArray[np.float64]], int]


class Verdict(NamedTuple):
    """What a verifier decided.

    Attributes
    ----------
    accepted : int
        Drafted tokens kept.
    next : int or None
        Symbol emitted after them; None when all were kept and nothing may follow.
    """

    accepted: int
    next: int | None


class Verdicts(NamedTuple):
    """What a verifier decided on a batch.

    Attributes
    ----------
    accepted : int64, [B]
        Drafted tokens kept.
    next : int64, [B]
        Symbol emitted after them: a token, V for †, -1 where nothing may follow. 0 accepted and -1 next: the
        chain met a row without a law (NaN, no weight, or K(x) = q(x) = 0 for a drafted x).
    """

    accepted: Tensor
    next: Tensor


def token_rule(
    targets: Sequence[NDArray[np.float64]],
    drafts: Sequence[NDArray[np.float64]],
    drafted: Sequence[int],
    choose: Choose,
) -> Verdict:
    """Token verification of one chain.

    Parameters
    ----------
    targets : sequence of ndarray, shape (V + 1,)
        Target row before each drafted token, and one more after the last; without that one the last
        drafted token ends the sequence and nothing follows it. The last entry is †.
    drafts : sequence of ndarray, shape (V,)
        The row each drafted token was really drawn from.
    drafted : sequence of int
        The chain.
    choose : callable
        Index drawn in proportion to weights; asked only where the outcome is open.
    """
    for i, token in enumerate(drafted):
        keep = targets[i][token] / drafts[i][token]
        if keep >= 1.0 or choose(np.array([keep, 1.0 - keep])) == 0:
            continue
        rest = residual(targets[i], drafts[i], 1.0)
        # K and q that differ by rounding only can leave nothing over; then K itself is the residual.
        return Verdict(i, choose(rest if rest.any() else targets[i]))
    n = len(drafted)
    return Verdict(n, choose(targets[n]) if len(targets) > n else None)


def block_rule(
    targets: Sequence[NDArray[np.float64]],
    drafts: Sequence[NDArray[np.float64]],
    drafted: Sequence[int],
    choose: Choose,
) -> Verdict:
    """Block verification of one chain; arguments as for `token_rule`.

    Parameters
    ----------
    targets, drafts, drafted, choose
        As for `token_rule`.
    """
    n = len(drafted)
    kept = [1.0]
    for i, token in enumerate(drafted):
        # numpy.minimum, since the built-in takes 1.0 for the smaller of 1.0 and NaN.
        kept.append(float(np.minimum(1.0, kept[-1] * (targets[i][token] / drafts[i][token]))))
    for i in range(n, 0, -1):
        if i == n:
            gate = kept[n]
        else:
            left = float(residual(targets[i], drafts[i], kept[i]).sum())
            gate = block_gate(left, kept[i])
        if gate <= 0.0:
            continue
        if gate >= 1.0 or choose(np.array([gate, 1.0 - gate])) == 0:
            return _emit(targets, drafts, i, n, kept[i], choose)
    return _emit(targets, drafts, 0, n, 1.0, choose)


def block_gate(left: float, kept: float) -> float:
    """Chance of an inner length; 1 where K = q leaves nothing over (a longer one is kept then)."""
    total = left + (1.0 - kept)
    return 1.0 if total == 0.0 else left / total


def residual(target: NDArray[np.float64], draft: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """(scale·K - q)₊ over V ∪ {†}; q has no †.

    Parameters
    ----------
    target : ndarray, shape (V + 1,)
    draft : ndarray, shape (V,)
    scale : float
        1 in token verification, b_i in block verification.
    """
    left = target * scale
    left[:-1] -= draft
    np.maximum(left, 0.0, out=left)
    return left


def _emit(
    targets: Sequence[NDArray[np.float64]],
    drafts: Sequence[NDArray[np.float64]],
    at: int,
    n: int,
    scale: float,
    choose: Choose,
) -> Verdict:
    if at == n:
        return Verdict(n, choose(targets[n]) if len(targets) > n else None)
    rest = residual(targets[at], drafts[at], scale)
    return Verdict(at, choose(rest if rest.any() else targets[at]))


def verify_tokens(
    targets: Tensor,
    drafts: Tensor,
    drafted: Tensor,
    uniforms: Tensor,
    *,
    restart: Tensor | None = None,
    lengths: Tensor | None = None,
    closed: Tensor | None = None,
    backend: Backend = "auto",
) -> Verdicts:
    """Token verification of a batch of drafted chains.

    Parameters
    ----------
    targets : float32 or float64, [B, γ + 1, V]
        K(v|x) before each drafted token and after the last.
    drafts : float32 or float64, [B, γ, V]
        The row each drafted token was really drawn from, with a positive entry for it.
    drafted : int64 or int32, [B, γ]
        The chains.
    uniforms : float32 or float64, [B, γ + 1]
        In [0, 1); a chain takes them from the left, one for each question whose outcome is open.
    restart : float32 or float64, [B, γ + 1], optional
        K(†|x) of each row; zero without it.
    lengths : int64 or int32, [B], optional
        Drafted tokens of each chain, 0 to γ; γ without it.
    closed : bool, [B], optional
        Whether the last drafted token ends the sequence, so that nothing follows it; not read where none is.
    backend : {"auto", "reference", "triton"}
        Both decide in float64 and differ in the order of sums only, a few units in 1e-16.

    Returns
    -------
    Verdicts

    Raises
    ------
    KernelError
        If an argument has another type, shape or device.
    """
    return _verify("token", targets, drafts, drafted, uniforms, restart, lengths, closed, backend)


def verify_blocks(
    targets: Tensor,
    drafts: Tensor,
    drafted: Tensor,
    uniforms: Tensor,
    *,
    restart: Tensor | None = None,
    lengths: Tensor | None = None,
    closed: Tensor | None = None,
    backend: Backend = "auto",
) -> Verdicts:
    """Block verification of a batch of drafted chains.

    Parameters
    ----------
    targets, drafts, drafted, uniforms, restart, lengths, closed, backend
        As for `verify_tokens`.

    Returns
    -------
    Verdicts

    Raises
    ------
    KernelError
        If an argument has another type, shape or device.
    """
    return _verify("block", targets, drafts, drafted, uniforms, restart, lengths, closed, backend)


class Drafted(NamedTuple):
    """Checked arguments of a batch; optional ones as given."""

    targets: Tensor
    drafts: Tensor
    drafted: Tensor
    uniforms: Tensor
    restart: Tensor | None
    lengths: Tensor | None
    closed: Tensor | None


def _verify(
    rule: Literal["token", "block"],
    targets: Tensor,
    drafts: Tensor,
    drafted: Tensor,
    uniforms: Tensor,
    restart: Tensor | None,
    lengths: Tensor | None,
    closed: Tensor | None,
    backend: Backend,
) -> Verdicts:
    which = choose_backend(targets, backend, "targets")
    given = Drafted(targets, drafts, drafted, uniforms, restart, lengths, closed)
    _check(given)
    if which == "triton":
        from gramspec.kernels.triton_verification import verify

        return Verdicts(*verify(given, rule))
    return _reference(given, token_rule if rule == "token" else block_rule)


def _check(given: Drafted) -> None:
    floats, integers = ("float32", "float64"), ("int32", "int64")
    require_type(given.targets, floats, "targets")
    if len(given.targets.shape) != 3 or 0 in given.targets.shape[1:]:
        raise KernelError("targets", f"shape {tuple(given.targets.shape)}", "[B, γ + 1, V] is needed")
    b, rows, width = given.targets.shape
    checks = (
        ("drafts", given.drafts, floats, (b, rows - 1, width)),
        ("drafted", given.drafted, integers, (b, rows - 1)),
        ("uniforms", given.uniforms, floats, (b, rows)),
        ("restart", given.restart, floats, (b, rows)),
        ("lengths", given.lengths, integers, (b,)),
        ("closed", given.closed, ("bool",), (b,)),
    )
    for place, value, types, shape in checks:
        if value is not None:
            require_type(value, types, place)
            require_beside(value, given.targets, place)
            require_shape(value, shape, place)
    for place, value in (("targets", given.targets), ("drafts", given.drafts)):
        if strides(value)[-1] != 1 and width > 1:
            raise KernelError(
                place, "entries of a row are not next to each other", "call .contiguous() before"
            )


class _NoLawError(Exception):
    """A row without finite positive weight."""


def _reference(given: Drafted, rule: Callable[..., Verdict]) -> Verdicts:
    b, rows, width = given.targets.shape
    drafted = host(given.drafted)
    coins = host(given.uniforms).astype(np.float64)
    lengths = np.full(b, rows - 1) if given.lengths is None else host(given.lengths)
    closed = np.zeros(b, dtype=np.bool_) if given.closed is None else host(given.closed)
    accepted, following = np.zeros(b, dtype=np.int64), np.full(b, -1, dtype=np.int64)
    for i in range(b):
        n = min(max(int(lengths[i]), 0), rows - 1)
        targets = np.zeros((n + (not closed[i] or n == 0), width + 1))
        targets[:, :-1] = host(given.targets[i])[: len(targets)]
        if given.restart is not None:
            targets[:, -1] = host(given.restart[i])[: len(targets)]
        drafts = host(given.drafts[i])[:n].astype(np.float64)
        try:
            with np.errstate(divide="ignore", invalid="ignore"):
                verdict = rule(targets, drafts, drafted[i, :n].tolist(), _reading(coins[i]))
        except _NoLawError:
            continue
        accepted[i] = verdict.accepted
        following[i] = -1 if verdict.next is None else verdict.next
    return Verdicts(like(accepted, given.targets), like(following, given.targets))


def _reading(uniforms: NDArray[np.float64]) -> Choose:
    """A `choose` that takes the uniforms from the left."""
    left = iter(uniforms.tolist())

    def choose(weights: NDArray[np.float64]) -> int:
        index = inverse_cdf.pick(weights, next(left))
        if index < 0:
            raise _NoLawError
        return index

    return choose
