"""Railroad diagrams: tracks with a size of their own, laid out and written as SVG.

Law: a train that enters on the left and never turns back can take exactly the ways the tracks stand for.
Cost: linear in the number of tracks.
Source: Jensen and Wirth (1974), "Pascal User Manual and Report" (syntax diagrams).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias
from xml.sax.saxutils import escape

from gramspec.automaton.wording import visible

_HEIGHT: Final = 24  # of a box
_GAP: Final = 14  # between neighbours
_ARM: Final = 22  # where a track leaves the main line
_BEND: Final = 8
_CHAR: Final = 7.3
_SMALL: Final = 6.2
_MARGIN: Final = 16
_TITLE: Final = 30
_LONGEST: Final = 48

_STYLE: Final = (
    "path{fill:none;stroke:#444;stroke-width:1.4}"
    "rect{stroke:#444;stroke-width:1.2;fill:#fff}"
    "rect.literal{fill:#e8f3e8}rect.key{fill:#d5ead5}rect.set{fill:#fdf3d8}rect.reference{fill:#e6eefb}"
    "rect.note{fill:#f2f2f2;stroke-dasharray:4 3}"
    "text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:#111;dominant-baseline:central}"
    "text.box{text-anchor:middle}text.small{font-size:10px;fill:#555;text-anchor:middle}"
    "text.title{font-weight:bold;font-size:13px}text.remark{font-size:11px;fill:#555}"
    "circle{fill:#444}"
)


@dataclass(frozen=True, slots=True)
class Box:
    """Text itself, a key of an object, one character of a set, a reference to a diagram, or a remark."""

    text: str
    kind: Literal["literal", "key", "set", "reference", "note"]


@dataclass(frozen=True, slots=True)
class Row:
    """One after another; none: a plain line."""

    items: tuple[Track, ...]


@dataclass(frozen=True, slots=True)
class Stack:
    """Any one of them; the first lies on the main line."""

    items: tuple[Track, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """Once or more; the way back says how often, or what stands between two turns."""

    item: Track
    label: str


Track: TypeAlias = Box | Row | Stack | Loop


@dataclass(frozen=True, slots=True)
class Diagram:
    """A track with its name and a remark."""

    name: str
    remark: str
    track: Track


class _Size(NamedTuple):
    width: float
    up: float
    down: float


def svg(diagrams: Sequence[Diagram], title: str) -> str:
    """One SVG document with the diagrams one below the other."""
    pen = _Pen()
    y = float(_MARGIN)
    right = 0.0
    for diagram in diagrams:
        size = pen.size(diagram.track)
        y += _TITLE / 2
        pen.text(_MARGIN, y, diagram.name, "title")
        remark_x = _MARGIN + _CHAR * (_cells(diagram.name) + 3)
        pen.text(remark_x, y, diagram.remark, "remark")
        right = max(right, remark_x + _SMALL * 1.1 * _cells(diagram.remark))
        y += _TITLE / 2 + size.up
        x = _MARGIN + _GAP
        pen.dot(_MARGIN, y)
        pen.line(_MARGIN, y, x)
        pen.draw(diagram.track, x, y)
        pen.line(x + size.width, y, x + size.width + _GAP)
        pen.dot(x + size.width + _GAP, y)
        right = max(right, x + size.width + 2 * _GAP)
        y += size.down + _MARGIN
    width, height = round(right + _MARGIN), round(y + _MARGIN)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}"><title>{_safe(title)}</title><style>{_STYLE}</style>'
        f'<rect width="{width}" height="{height}" style="stroke:none"/>'
    )
    return "\n".join([head, *pen.out, "</svg>"]) + "\n"


def count_boxes(track: Track) -> int:
    """How many boxes a track has."""
    match track:
        case Box():
            return 1
        case Loop():
            return count_boxes(track.item)
        case Row() | Stack():
            return sum(count_boxes(item) for item in track.items)


class _Pen:
    def __init__(self) -> None:
        self.out: list[str] = []
        self.sizes: dict[int, _Size] = {}

    def size(self, track: Track) -> _Size:
        known = self.sizes.get(id(track))
        if known is None:
            known = self.sizes[id(track)] = self._measure(track)
        return known

    def _measure(self, track: Track) -> _Size:
        half = _HEIGHT / 2
        match track:
            case Box():
                return _Size(_CHAR * _cells(_cut(track)) + 18, half, half)
            case Row():
                sizes = [self.size(item) for item in track.items]
                width = sum(s.width for s in sizes) + _GAP * max(len(sizes) - 1, 1)
                return _Size(
                    width, max([s.up for s in sizes] + [half]), max([s.down for s in sizes] + [half])
                )
            case Stack():
                sizes = [self.size(item) for item in track.items]
                below = sum(s.up + s.down + _GAP for s in sizes[1:])
                width = max(s.width for s in sizes) + 2 * _ARM
                return _Size(width, sizes[0].up, sizes[0].down + below)
            case Loop():
                inner = self.size(track.item)
                width = max(inner.width, _SMALL * _cells(track.label) + 2 * _BEND) + 2 * _ARM
                return _Size(width, inner.up, inner.down + _GAP + (_HEIGHT if track.label else _BEND))

    def draw(self, track: Track, x: float, y: float) -> None:
        """Draw from the left end; the right end lies at the same height, the track's width away."""
        size = self.size(track)
        match track:
            case Box():
                self._box(track, x, y, size.width)
            case Row():
                for index, item in enumerate(track.items):
                    if index:
                        self.line(x, y, x + _GAP)
                        x += _GAP
                    self.draw(item, x, y)
                    x += self.size(item).width
                if len(track.items) < 2:
                    self.line(x, y, x + _GAP)
            case Stack():
                self._stack(track, x, y, size)
            case Loop():
                self._loop(track, x, y, size)

    def _box(self, box: Box, x: float, y: float, width: float) -> None:
        round_corner = 11 if box.kind == "literal" else 3
        self.out.append(
            f'<rect class="{box.kind}" x="{x:.1f}" y="{y - _HEIGHT / 2:.1f}" width="{width:.1f}"'
            f' height="{_HEIGHT}" rx="{round_corner}"/>'
        )
        self.text(x + width / 2, y, _cut(box), "box")

    def _stack(self, stack: Stack, x: float, y: float, size: _Size) -> None:
        level = y
        for index, item in enumerate(stack.items):
            inner = self.size(item)
            if index:
                level += _GAP + inner.up
            left, right = x + _ARM, x + size.width - _ARM
            if index:
                drop = level - y - 2 * _BEND
                bend, back = f"q{_BEND} 0 {_BEND} {_BEND}", f"q0 {_BEND} {_BEND} {_BEND}"
                self._path(f"M{x:.1f} {y:.1f}{bend}v{drop:.1f}{back}H{left:.1f}")
                up = f"q{_BEND} 0 {_BEND} {-_BEND}v{-drop:.1f}q0 {-_BEND} {_BEND} {-_BEND}"
                self._path(f"M{left + inner.width:.1f} {level:.1f}H{x + size.width - 2 * _BEND:.1f}{up}")
            else:
                self.line(x, y, left)
                self.line(left + inner.width, y, right + _ARM)
            self.draw(item, left, level)
            level += inner.down

    def _loop(self, loop: Loop, x: float, y: float, size: _Size) -> None:
        inner = self.size(loop.item)
        left = x + (size.width - inner.width) / 2
        self.line(x, y, left)
        self.draw(loop.item, left, y)
        self.line(left + inner.width, y, x + size.width)
        level = y + inner.down + _GAP
        begin, end = x + size.width - _ARM + _BEND, x + _ARM - _BEND
        drop = level - y - 2 * _BEND
        down = f"q{_BEND} 0 {_BEND} {_BEND}v{drop:.1f}q0 {_BEND} {-_BEND} {_BEND}"
        up = f"q{-_BEND} 0 {-_BEND} {-_BEND}v{-drop:.1f}q0 {-_BEND} {_BEND} {-_BEND}"
        self._path(f"M{begin:.1f} {y:.1f}{down}H{end:.1f}{up}")
        if loop.label:
            self.text(x + size.width / 2, level + _HEIGHT / 2, loop.label, "small")
        middle = x + size.width / 2
        self._path(f"M{middle + 4:.1f} {level - 4:.1f}l-6 4l6 4")

    def line(self, x: float, y: float, to: float) -> None:
        self._path(f"M{x:.1f} {y:.1f}H{to:.1f}")

    def dot(self, x: float, y: float) -> None:
        self.out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>')

    def text(self, x: float, y: float, text: str, kind: str) -> None:
        self.out.append(f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{_safe(text)}</text>')

    def _path(self, path: str) -> None:
        self.out.append(f'<path d="{path}"/>')


def _safe(text: str) -> str:
    """XML has no control characters, surrogates and U+FFFE, U+FFFF at all, however they are escaped."""
    return escape(visible(text)).replace("  ", " \u00a0")


def _cut(box: Box) -> str:
    """Long names of diagrams differ at their end, other texts begin with what matters."""
    if len(box.text) <= _LONGEST:
        return box.text
    return "…" + box.text[1 - _LONGEST :] if box.kind == "reference" else box.text[: _LONGEST - 1] + "…"


def _cells(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
