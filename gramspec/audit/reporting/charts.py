"""Plots of a report as SVG elements: distances to laws, frequencies against laws, coverage.

Law: colours come from the page's CSS variables (light and dark), every plot has a title and a description,
every text is escaped. Cost: a few kilobytes per plot; long lists are cut and the plot says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from gramspec.automaton.wording import visible

LAW_STYLES: Final = {"conditional": 0, "masked": 1, "canonical": 2, "forced": 2}
_SHAPES: Final = ("diamond", "circle", "triangle", "square", "falling", "cross")
_ROW: Final = 26
_WIDTH: Final = 760
_LABELS: Final = 210
_LONGEST_LABEL: Final = 28


@dataclass(frozen=True)
class Outcome:
    """One text of a law: how often it came and how often each law has it.

    Attributes
    ----------
    label : str
        The text.
    observed : float
        Its probability (enumerated) or frequency (drawn).
    laws : mapping of str to float
        Its probability under each law.
    """

    label: str
    observed: float
    laws: Mapping[str, float]


def style_of(law: str, laws: Sequence[str]) -> int:
    """Number of the colour and the shape of a law: fixed for the common ones, in order for others."""
    if law in LAW_STYLES:
        return LAW_STYLES[law]
    others = [name for name in laws if name not in LAW_STYLES]
    return min(len(_SHAPES) - 1, 3 + (others.index(law) if law in others else 0))


def shortened(text: str, longest: int = _LONGEST_LABEL) -> str:
    """A text on one line, invisible characters spelled, its middle left out where it is long."""
    shown = visible(text) or "(empty)"
    if len(shown) <= longest:
        return shown
    head = (longest - 1) * 2 // 3
    return f"{shown[:head]}…{shown[-(longest - 1 - head) :]}"


def distance_plot(
    distances: Mapping[str, Sequence[float]], *, name: str, floor: float | None = None, unit: str = "worlds"
) -> str:
    """A bar per law, as long as the mean total variation to it, and a dot per world.

    Parameters
    ----------
    distances : mapping of law to sequence of float
        Total variation between what the engine samples and the law, in each world.
    name : str
        Of the engine.
    floor : float, optional
        The mean distance that a perfect sampler shows at the number of draws taken.
    unit : str
        What the values of one law are counted in.
    """
    laws = [law for law, values in distances.items() if values]
    if not laws:
        return ""
    means = {law: sum(distances[law]) / len(distances[law]) for law in laws}
    order = sorted(laws, key=lambda law: means[law])
    top = max(0.1, *(max(values) for law, values in distances.items() if law in means))
    axis = _Axis(0.0, min(1.0, _nice(top)))
    height = len(order) * (_ROW + 10) + 44
    parts = [axis.grid(12, height - 32)]
    for i, law in enumerate(order):
        y = 16 + i * (_ROW + 10)
        number = style_of(law, laws)
        parts.append(_label(law, y + _ROW / 2, weight="600" if i == 0 else "400"))
        width = max(1.5, axis.at(means[law]) - _LABELS)
        parts.append(
            f'<rect class="bar law-{number}" x="{_LABELS}" y="{y}" width="{width:.1f}" height="{_ROW}"/>'
        )
        values = distances[law]
        for j, value in enumerate(values[:200]):
            spread = (j * 0.618034 % 1.0 - 0.5) * (_ROW - 10) if len(values) > 1 else 0.0
            parts.append(
                f'<circle class="dot" cx="{axis.at(value):.1f}" cy="{y + _ROW / 2 + spread:.1f}" r="2.4"/>'
            )
        right = max(axis.at(value) for value in values)
        parts.append(_value(f"{means[law]:.3f}", max(right, _LABELS + width) + 8, y + _ROW / 2))
    if floor is not None:
        x = axis.at(floor)
        parts.append(f'<line class="floor" x1="{x:.1f}" x2="{x:.1f}" y1="8" y2="{height - 32}"/>')
        parts.append(_text(x + 4, 10, "sampling floor", "tick"))
    parts.append(axis.ticks(height - 16, "total variation (0: the same law)"))
    said = "; ".join(f"{law}: mean {means[law]:.3f} over {len(distances[law])} {unit}" for law in order)
    return _svg(height, f"Total variation between {name} and each law", said, parts)


def law_plot(
    outcomes: Sequence[Outcome], *, name: str, observed: str, order: Sequence[str] = (), most: int = 12
) -> str:
    """A bar per text, as long as it is frequent, and a mark where each law has it.

    Parameters
    ----------
    outcomes : sequence of Outcome
        Sorted here by the largest gap between the frequency and a law.
    name : str
        Of the engine.
    observed : str
        What the bars are: "enumerated", "10,000 draws".
    order : sequence of str
        Laws of the whole page, so that each has one colour on it.
    most : int
        Texts shown; the others are counted below the plot.
    """
    if not outcomes:
        return ""
    laws = list(dict.fromkeys(law for outcome in outcomes for law in outcome.laws))

    def gap(outcome: Outcome) -> float:
        values = [outcome.observed, *outcome.laws.values()]
        return max(values) - min(values)

    chosen = sorted(outcomes, key=gap, reverse=True)[:most]
    chosen.sort(key=lambda outcome: max([outcome.observed, *outcome.laws.values()]), reverse=True)
    axis = _Axis(0.0, min(1.0, _nice(max(0.02, *(max([o.observed, *o.laws.values()]) for o in chosen)))))
    styles = {law: style_of(law, [*order, *(law for law in laws if law not in order)]) for law in laws}
    legend, top = _legend(styles, f"{name} ({observed})")
    height = len(chosen) * _ROW + 44 + top
    parts = [axis.grid(top, height - 32), legend]
    for i, outcome in enumerate(chosen):
        y = top + 6 + i * _ROW
        middle = y + (_ROW - 8) / 2
        parts.append(_label(shortened(outcome.label), middle, css="label mono"))
        width = max(0.8, axis.at(outcome.observed) - _LABELS)
        parts.append(
            f'<rect class="bar observed" x="{_LABELS}" y="{y}" width="{width:.1f}" height="{_ROW - 8}"/>'
        )
        for law in laws:
            if law in outcome.laws:
                parts.append(_mark(styles[law], axis.at(outcome.laws[law]), middle))
    left = len(outcomes) - len(chosen)
    more = f" ({left} texts with smaller gaps are not shown)" if left else ""
    parts.append(axis.ticks(height - 16, f"probability{more}"))
    said = "; ".join(
        f"{shortened(o.label)}: {o.observed:.3f}, "
        + ", ".join(f"{law} {probability:.3f}" for law, probability in o.laws.items())
        for o in chosen
    )
    return _svg(height, f"Frequencies of {name} against the exact laws", said, parts)


def coverage_plot(rows: Sequence[tuple[str, Mapping[str, int]]], *, name: str) -> str:
    """A bar per suite, split into what passed, what was found and what was refused.

    Parameters
    ----------
    rows : sequence of (suite, counts)
        Counts by ``passed``, ``failed`` and ``refused``.
    name : str
        Of the engine.
    """
    shown = [(suite, counts) for suite, counts in rows if sum(counts.values())]
    if not shown:
        return ""
    height = len(shown) * (_ROW + 4) + 40
    room = _WIDTH - _LABELS - 90
    parts = []
    for i, (suite, counts) in enumerate(shown):
        y = 8 + i * (_ROW + 4)
        total = sum(counts.values())
        parts.append(_label(suite, y + _ROW / 2))
        x = float(_LABELS)
        for part in ("passed", "failed", "refused"):
            width = room * counts.get(part, 0) / total
            if counts.get(part, 0):
                width = max(width, 2.0)
                parts.append(
                    f'<rect class="part {part}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_ROW - 4}">'
                    f"<title>{escape(suite)}: {counts[part]:,} {part}</title></rect>"
                )
            x += width
        parts.append(_value(f"{total:,}", x + 8, y + _ROW / 2 - 2))
    y = height - 22
    for j, part in enumerate(("passed", "failed", "refused")):
        x = _LABELS + j * 110.0
        parts.append(f'<rect class="part {part}" x="{x}" y="{y}" width="12" height="12" rx="2"/>')
        parts.append(_text(x + 18, y + 10.5, part, "tick"))
    said = "; ".join(
        f"{suite}: " + ", ".join(f"{n} {part}" for part, n in counts.items()) for suite, counts in shown
    )
    return _svg(height, f"What was checked on {name}, by suite", said, parts)


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float

    def at(self, value: float) -> float:
        room = _WIDTH - _LABELS - 70
        share = (value - self.low) / (self.high - self.low)
        return _LABELS + room * min(1.0, max(0.0, share))

    def marks(self) -> list[float]:
        return [self.low + (self.high - self.low) * i / 4 for i in range(5)]

    def grid(self, top: float, bottom: float) -> str:
        return "".join(
            f'<line class="grid" x1="{self.at(v):.1f}" x2="{self.at(v):.1f}" y1="{top}" y2="{bottom}"/>'
            for v in self.marks()
        )

    def ticks(self, y: float, caption: str) -> str:
        digits = 2 if self.high >= 0.08 else 3
        marks = (_text(self.at(v), y, f"{v:.{digits}f}", "tick", "middle") for v in self.marks())
        return "".join(marks) + _text(_LABELS, y + 13, caption, "tick")


def _nice(value: float) -> float:
    """The next of 0.04, 0.08, 0.1, 0.2, 0.4, 0.6, 0.8, 1."""
    return next((step for step in (0.04, 0.08, 0.1, 0.2, 0.4, 0.6, 0.8) if value <= step), 1.0)


def _svg(height: float, title: str, description: str, parts: Sequence[str]) -> str:
    said = escape(f"{title}: {description}")
    return (
        f'<svg class="plot" role="img" viewBox="0 0 {_WIDTH} {height:.0f}" aria-label="{said}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, text: str, css: str, anchor: str = "start") -> str:
    return f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _label(text: str, middle: float, *, css: str = "label", weight: str = "400") -> str:
    return (
        f'<text class="{css}" x="{_LABELS - 10}" y="{middle + 4:.1f}" text-anchor="end"'
        f' font-weight="{weight}">{escape(shortened(text))}</text>'
    )


def _value(text: str, x: float, middle: float) -> str:
    return _text(x, middle + 4, text, "value")


def _mark(number: int, x: float, y: float) -> str:
    match _SHAPES[number]:
        case "diamond":
            drawn = f'<path d="M{x:.1f} {y - 6.5:.1f}l5.5 6.5l-5.5 6.5l-5.5 -6.5z"'
        case "circle":
            drawn = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5"'
        case "triangle":
            drawn = f'<path d="M{x:.1f} {y - 6:.1f}l6 11l-12 0z"'
        case "square":
            drawn = f'<rect x="{x - 4.5:.1f}" y="{y - 4.5:.1f}" width="9" height="9"'
        case "falling":
            drawn = f'<path d="M{x:.1f} {y + 6:.1f}l6 -11l-12 0z"'
        case _:
            drawn = f'<path d="M{x - 5:.1f} {y - 5:.1f}l10 10m0 -10l-10 10"'
    return f'{drawn} class="mark law-{number}"/>'


def _legend(styles: Mapping[str, int], observed: str) -> tuple[str, int]:
    """The legend, and where it ends; it takes another line where one is too short."""
    parts = [f'<rect class="bar observed" x="{_LABELS}" y="6" width="18" height="12"/>']
    parts.append(_text(_LABELS + 24, 16, observed, "tick"))
    x, y = _LABELS + 44 + 6.2 * len(observed), 12
    for law, number in styles.items():
        width = 32 + 6.2 * len(law)
        if x + width > _WIDTH:
            x, y = float(_LABELS + 9), y + 20
        parts.append(_mark(number, x, y))
        parts.append(_text(x + 12, y + 4, law, "tick"))
        x += width
    return "".join(parts), y + 18
