"""Cases in which a Triton version must agree with its reference; each takes the device that it runs on.

`python -m tests.kernels.triton_cases` runs them in Triton's interpreter and prints a JSON object: the
traceback of each case, or null. The interpreter is switched on before Triton is imported, hence a process of
its own.
"""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable

import torch

from gramspec.kernels import (
    Tilt,
    apply_bitmask,
    row_statistics,
    sample_rows,
    tilted_rows,
    verify_blocks,
    verify_tokens,
)
from gramspec.kernels.verification import block_rule, token_rule

ODD = [(3, 7), (4, 77), (2, 3, 333), (2, 5003)]  # no multiple of 32, and two blocks of 4,096
TYPES = [torch.float32, torch.float16, torch.bfloat16, torch.float64]
WIDE = 131_072


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def words(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    count = (shape[-1] + 31) // 32
    size = (*shape[:-1], count)
    return torch.randint(-(2**31), 2**31 - 1, size, generator=generator(seed), dtype=torch.int32)


def rows_of_all_kinds(
    shape: tuple[int, ...], dtype: torch.dtype, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Random logits and masks; the first row is all masked, the second allows one, the third is -inf."""
    g = generator(seed)
    logits = (torch.randn(shape, generator=g) * 5).to(dtype)
    masks = words(shape, seed + 1)
    flat, rows = masks.view(-1, masks.shape[-1]), logits.view(-1, shape[-1])
    flat[0] = 0
    flat[1] = 0
    flat[1, 0] = 1 << (seed % min(31, shape[-1]))
    if len(rows) > 2:
        rows[2] = -torch.inf
    rows[-1, ::3] = -torch.inf
    return logits, masks


def tilt_of(shape: tuple[int, ...], count: int, dtype: torch.dtype, seed: int) -> Tilt:
    g = generator(seed)
    log_h = -torch.rand((*shape[:-1], count), generator=g) * 60
    if count > 2:
        log_h.view(-1, count)[0, 1] = -torch.inf
    # A token may be listed under no effect: -1, or any number from `count` on.
    low = 0 if dtype is torch.uint8 else -1
    return Tilt(log_h, torch.randint(low, count + 1, shape, generator=g).to(dtype))


def moved(value, device: str):
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, Tilt):
        return Tilt(*(moved(getattr(value, n), device) for n in ("log_h", "effects", "rows")))
    return value


def both(operation: Callable, device: str, *arguments, **options):
    expected = operation(*arguments, **options, backend="reference")
    options = {name: moved(value, device) for name, value in options.items()}
    found = operation(*(moved(a, device) for a in arguments), **options, backend="triton")
    return expected, found


def assert_close(expected, found, tolerance: float) -> None:
    for a, b in zip(expected, found, strict=True):
        b = b.cpu()
        assert a.dtype == b.dtype and a.shape == b.shape
        assert not b.isnan().any()
        assert torch.equal(a.isneginf(), b.isneginf())
        finite = a.isfinite()
        assert float((a[finite] - b[finite]).abs().max() if finite.any() else 0.0) <= tolerance


def tolerance_of(dtype: torch.dtype) -> float:
    return 1e-12 if dtype is torch.float64 else 1e-6


def case_masks_are_the_same_bits(device: str) -> None:
    for dtype in TYPES:
        for seed, shape in enumerate(ODD):
            logits, masks = rows_of_all_kinds(shape, dtype, seed)
            expected, found = logits.clone(), logits.to(device, copy=True)
            apply_bitmask(expected, masks, backend="reference")
            apply_bitmask(found, masks.to(device), backend="triton")
            assert torch.equal(expected, found.cpu())


def case_masks_by_index_in_strided_logits(device: str) -> None:
    logits = torch.randn(4, 3, 100, generator=generator(0))
    table = words((6, 70), 1)  # narrower than the logits: the rest is not allowed
    rows = torch.tensor([5, -1, 0, 0], dtype=torch.int32)
    expected, found = logits.clone(), logits.to(device, copy=True)
    apply_bitmask(expected[:, -1, :], table, rows=rows, backend="reference")
    apply_bitmask(found[:, -1, :], table.to(device), rows=rows.to(device), backend="triton")
    assert torch.equal(expected, found.cpu())
    assert torch.equal(expected[:, :2], logits[:, :2]) and torch.equal(expected[1], logits[1])


def case_statistics_of_masked_rows(device: str) -> None:
    for dtype in TYPES:
        for seed, shape in enumerate(ODD):
            logits, masks = rows_of_all_kinds(shape, dtype, seed)
            expected, found = both(row_statistics, device, logits, masks)
            assert_close(expected, found, tolerance_of(dtype))


def case_statistics_of_tilted_rows(device: str) -> None:
    for seed, (dtype, table) in enumerate(
        [(torch.float32, torch.uint8), (torch.bfloat16, torch.int16), (torch.float64, torch.int32)]
    ):
        for count in (1, 3, 12):
            shape = (2, 2, 5003) if count == 3 else (4, 333)
            logits, masks = rows_of_all_kinds(shape, dtype, seed)
            heat = 0.5 + torch.rand(shape[:-1], generator=generator(seed))
            tilt = tilt_of(shape, count, table, seed)
            for given in (None, masks):
                expected, found = both(row_statistics, device, logits, given, tilt=tilt, temperature=heat)
                assert_close(expected, found, tolerance_of(dtype))


def case_statistics_with_both_tables_by_index(device: str) -> None:
    logits, _ = rows_of_all_kinds((2, 3, 200), torch.float32, 3)
    g = generator(4)
    rows = torch.tensor([[0, -1, 2], [2, 2, 1]], dtype=torch.int32)
    tilt = Tilt(
        -torch.rand(2, 3, 4, generator=g),
        torch.randint(0, 5, (2, 150), generator=g, dtype=torch.uint8),  # narrower than the logits
        torch.tensor([[0, 1, -1], [-1, 0, 0]], dtype=torch.int32),
    )
    expected, found = both(
        row_statistics, device, logits, words((3, 180), 5), rows=rows, tilt=tilt, temperature=0.7
    )
    assert_close(expected, found, 1e-6)


def case_an_effect_far_below_the_others_keeps_its_mass(device: str) -> None:
    logits = torch.zeros(1, 64)
    logits[0, 5] = 300.0
    tilt = Tilt(torch.tensor([[-torch.inf, -400.0]]), torch.ones(1, 64, dtype=torch.uint8))
    tilt.effects[0, 5] = 0
    expected, found = both(row_statistics, device, logits, tilt=tilt)
    assert_close(expected, found, 1e-4)  # float64 of about -700
    assert -700 < float(found.log_s[0]) < -690


def case_nan_and_infinity_have_no_law(device: str) -> None:
    logits = torch.randn(3, 100, generator=generator(0))
    logits[0, 3], logits[1, 99] = torch.nan, torch.inf
    masks = torch.full((3, 4), -1, dtype=torch.int32)
    masks[:, 0] = 0  # also where the mask hides it
    for temperature in (1.0, torch.tensor([1.0, 1.0, -1.0])):
        expected, found = both(row_statistics, device, logits, masks, temperature=temperature)
        for a, b in zip(expected, found, strict=True):
            assert torch.equal(a.isnan(), b.isnan().cpu()) and a[:2].isnan().all()
        uniforms = torch.full((3,), 0.5)
        options = {"temperature": temperature, "log_h_row": torch.zeros(3)}
        a, b = both(sample_rows, device, logits, uniforms, masks, **options)
        assert torch.equal(a.tokens, b.tokens.cpu()) and a.tokens[:2].tolist() == [-1, -1]


def case_the_vocabulary_of_a_real_model(device: str) -> None:
    logits, masks = rows_of_all_kinds((3, WIDE), torch.float32, 0)
    tilt = tilt_of((3, WIDE), 5, torch.uint8, 1)
    uniforms = torch.rand(3, generator=generator(2), dtype=torch.float64)
    a, b = both(sample_rows, device, logits, uniforms, masks, tilt=tilt)
    assert_close(a.statistics, b.statistics, 1e-6)
    assert torch.equal(a.tokens, b.tokens.cpu())


def case_a_uniform_gives_the_same_token(device: str) -> None:
    for seed, dtype in enumerate(TYPES):
        for shape in ((6, 7), (5, 333), (2, 2, 9000)):
            logits, masks = rows_of_all_kinds(shape, dtype, seed)
            tilt = tilt_of(shape, 3, torch.int16, seed)
            uniforms = torch.rand(shape[:-1], generator=generator(seed), dtype=torch.float64)
            here = -torch.rand(shape[:-1], generator=generator(seed + 1)) * 2
            for given, log_h_row in ((None, None), (tilt, None), (tilt, here), (None, here)):
                options = {"tilt": given, "temperature": 0.8, "log_h_row": log_h_row}
                a, b = both(sample_rows, device, logits, uniforms, masks, **options)
                assert torch.equal(a.tokens, b.tokens.cpu())


def case_written_rows_are_the_same(device: str) -> None:
    for seed, dtype in enumerate(TYPES):
        for shape in ((5, 333), (2, 2, 5003)):
            logits, masks = rows_of_all_kinds(shape, dtype, seed)
            tilt = tilt_of(shape, 3, torch.int16, seed)
            here = -torch.rand(shape[:-1], generator=generator(seed))
            for given, log_h_row in ((None, None), (tilt, here)):
                options = {"tilt": given, "temperature": 0.7, "log_h_row": log_h_row}
                a, b = both(tilted_rows, device, logits, masks, **options)
                assert_close(a[:2], b[:2], tolerance_of(dtype))
    logits = torch.randn(2, 40, generator=generator(0))
    logits[0, 3] = torch.nan
    a, b = both(tilted_rows, device, logits, torch.full((2, 2), 2, dtype=torch.int32))
    assert a.rows[0].isnan().all() and b.rows[0].isnan().all() and not b.rows[1].isnan().any()


class Script:
    """A `choose` that follows given indices, then takes the first with weight; it notes what it was asked."""

    def __init__(self, indices: list[int]) -> None:
        self.indices, self.asked = indices, []

    def __call__(self, weights):
        place = len(self.asked)
        index = self.indices[place] if place < len(self.indices) else int((weights > 0).argmax())
        self.asked.append((weights, index))
        return index

    def uniforms(self, position: float) -> list[float]:
        """For each question a uniform inside the interval of its answer, at the given part of its length."""
        return [
            float((weights[:index].sum() + position * weights[index]) / weights.sum())
            for weights, index in self.asked
        ]


def leaves(rule: Callable, *chain) -> list[tuple[Script, tuple[int, int | None]]]:
    """Every way through a rule, with its verdict."""
    found, scripts = [], [[]]
    while scripts:
        script = Script(scripts.pop())
        found.append((script, rule(*chain, script)))
        for depth in range(len(script.indices), len(script.asked)):
            weights, taken = script.asked[depth]
            before = [index for _, index in script.asked[:depth]]
            scripts.extend([*before, other] for other in range(taken + 1, len(weights)) if weights[other] > 0)
    return found


def case_every_interval_of_the_uniforms_decides_as_the_rule(device: str) -> None:
    for rule, operation in ((token_rule, verify_tokens), (block_rule, verify_blocks)):
        rows, verdicts, lawful = [], [], 0.0
        for seed in (1, 3):
            target, restart, draft, drafted, _ = chains(1, 2, 3, seed, torch.float64)
            full = torch.cat([target, restart[..., None]], -1)[0].numpy()
            for code in range(9):
                drafted = torch.tensor([[code // 3, code % 3]])
                for script, verdict in leaves(rule, full, draft[0].numpy(), drafted[0].tolist()):
                    weight = draft[0, 0, code // 3] * draft[0, 1, code % 3]
                    for weights, index in script.asked:
                        weight = weight * weights[index] / weights.sum()
                    lawful += float(weight)
                    for position in (1e-6, 0.5, 1 - 1e-6):
                        coins = [*script.uniforms(position), 0.0, 0.0, 0.0][:3]
                        given = torch.tensor(coins, dtype=torch.float64)
                        rows.append((target[0], restart[0], draft[0], drafted[0], given))
                        verdicts.append(verdict)
        assert abs(lawful - 2) < 1e-12  # two worlds: the intervals fill the unit cubes
        targets, restarts, drafts, chain, coins = (
            torch.stack(part).to(device) for part in zip(*rows, strict=True)
        )
        found = operation(targets, drafts, chain, coins, restart=restarts, backend="triton")
        decided = list(zip(found.accepted.tolist(), found.next.tolist(), strict=True))
        assert decided == verdicts


def case_every_interval_begins_where_the_one_before_ends(device: str) -> None:
    # Sixteen tokens of weight 1/16 each, some masked: every end of an interval is a float64 without rounding.
    logits = torch.zeros(33, 16, dtype=torch.float64)
    masks = torch.full((33, 1), 0b0110_1111_0000_1111, dtype=torch.int32)  # ten allowed
    masks[:, 0] = 0b0000_1111_0000_1111  # eight allowed
    uniforms = torch.arange(33, dtype=torch.float64) / 33
    uniforms[:8] = torch.arange(8, dtype=torch.float64) / 8
    a, b = both(sample_rows, device, logits, uniforms, masks)
    assert a.tokens[:8].tolist() == [0, 1, 2, 3, 8, 9, 10, 11]
    assert torch.equal(a.tokens, b.tokens.cpu())
    a, b = both(sample_rows, device, logits, uniforms, masks, log_h_row=torch.zeros(33))
    assert a.tokens[:8].tolist() == [0, 2, 8, 10, 16, 16, 16, 16]
    assert torch.equal(a.tokens, b.tokens.cpu())


def chains(count: int, gamma: int, width: int, seed: int, dtype: torch.dtype):
    """Target rows with †, draft rows, drafted tokens and uniforms; half of them dyadic (no sum rounds)."""
    g = generator(seed)
    if seed % 2:
        target = torch.rand((count, gamma + 1, width + 1), generator=g, dtype=torch.float64) ** 4
        draft = torch.rand((count, gamma, width), generator=g, dtype=torch.float64) ** 4
        target, draft = target / target.sum(-1, keepdim=True), draft / draft.sum(-1, keepdim=True)
        uniforms = torch.rand((count, gamma + 1), generator=g, dtype=torch.float64)
    else:
        # Multinomial counts over 64: K, q and the uniforms are multiples of 1/64, ties included.
        at = torch.randint(width + 1, (count, gamma + 1, 64), generator=g)
        target = torch.zeros(count, gamma + 1, width + 1, dtype=torch.float64).scatter_add_(
            2, at, torch.full(at.shape, 1 / 64, dtype=torch.float64)
        )
        at = torch.randint(width, (count, gamma, 64), generator=g)
        draft = torch.zeros(count, gamma, width, dtype=torch.float64).scatter_add_(
            2, at, torch.full(at.shape, 1 / 64, dtype=torch.float64)
        )
        uniforms = torch.randint(64, (count, gamma + 1), generator=g).double() / 64
    target, draft = target.to(dtype), draft.to(dtype)
    drafted = torch.multinomial(draft.view(-1, width), 1, generator=g).view(count, gamma)
    return target[..., :-1], target[..., -1].contiguous(), draft, drafted, uniforms


def verdicts_agree(operation: Callable, device: str) -> None:
    for seed in range(4):
        for width, gamma in ((3, 1), (3, 3), (4100, 2)):
            dtype = torch.float64 if seed < 2 else torch.float32
            target, restart, draft, drafted, uniforms = chains(6, gamma, width, seed, dtype)
            draft[0] = target[0, :-1]  # nothing is left over but †
            target[1, :gamma], restart[1] = draft[1], 0.0  # K = q: nothing at all
            lengths = torch.randint(gamma + 1, (6,), generator=generator(seed))
            closed = torch.tensor([True, False] * 3)
            for options in (
                {},
                {"restart": restart},
                {"restart": restart, "lengths": lengths, "closed": closed},
            ):
                a, b = both(operation, device, target, draft, drafted, uniforms, **options)
                assert torch.equal(a.accepted, b.accepted.cpu()) and torch.equal(a.next, b.next.cpu())


def case_token_verification_decides_alike(device: str) -> None:
    verdicts_agree(verify_tokens, device)


def case_block_verification_decides_alike(device: str) -> None:
    verdicts_agree(verify_blocks, device)


def case_a_chain_without_a_law_is_marked(device: str) -> None:
    target, draft = torch.full((3, 3, 4), 0.25), torch.full((3, 2, 4), 0.25)
    drafted, uniforms = torch.zeros(3, 2, dtype=torch.int32), torch.full((3, 3), 0.5)
    target[0, 0, 0] = torch.nan
    target[1, 1, 0] = draft[1, 1, 0] = 0.0
    target[2, 2] = 0.0
    for operation in (verify_tokens, verify_blocks):
        a, b = both(operation, device, target, draft, drafted, uniforms)
        assert a.accepted.tolist() == b.accepted.tolist() == [0, 0, 0]
        assert a.next.tolist() == b.next.tolist() == [-1, -1, -1]


def case_no_rows_are_no_work(device: str) -> None:
    logits, masks = torch.zeros(0, 40), torch.zeros(0, 2, dtype=torch.int32)
    apply_bitmask(logits.to(device), masks.to(device), backend="triton")
    a, b = both(sample_rows, device, logits, torch.zeros(0), masks)
    assert a.tokens.shape == b.tokens.shape == (0,)
    rows = torch.zeros(0, 2, 4)
    a, b = both(
        verify_tokens, device, rows, rows[:, :1], torch.zeros(0, 1, dtype=torch.int64), torch.zeros(0, 2)
    )
    assert a.next.shape == b.next.shape == (0,)


CASES = {name: value for name, value in dict(globals()).items() if name.startswith("case_")}


def main() -> None:
    results: dict[str, str | None] = {}
    for name, case in CASES.items():
        try:
            case("cpu")
            results[name] = None
        except Exception:
            results[name] = traceback.format_exc()
    print(json.dumps(results))


if __name__ == "__main__":
    os.environ["TRITON_INTERPRET"] = "1"
    main()
