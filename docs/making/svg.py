"""A few shapes of SVG, written the same way every time.

Law: the same calls give the same text, so that a drawing can be compared with the stored one.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

INK, GREY, LIGHT, GOOD, BAD, SOFT = "#263238", "#78909c", "#eceff1", "#00796b", "#c62828", "#b2dfdb"


class Drawing:
    """A drawing on white; lengths are pixels.

    Parameters
    ----------
    width, height : float
        Of the whole.
    title : str
        What a screen reader says.
    """

    def __init__(self, width: float, height: float, title: str) -> None:
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" role="img"'
            f' aria-label="{escape(title)}" font-family="sans-serif" font-size="14">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{_n(width)}" height="{_n(height)}" rx="8" fill="#ffffff"/>',
        ]

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        colour: str = INK,
        anchor: str = "start",
        bold: bool = False,
        size: float = 14,
        halo: bool = True,
    ) -> None:
        """One line of text; y is its base line."""
        weight = ' font-weight="bold"' if bold else ""
        weight += ' stroke="#ffffff" stroke-width="4" paint-order="stroke"' if halo else ""
        self.parts.append(
            f'<text x="{_n(x)}" y="{_n(y)}" fill="{colour}" text-anchor="{anchor}"'
            f' font-size="{_n(size)}"{weight}>'
            f"{escape(words)}</text>"
        )

    def box(
        self, x: float, y: float, width: float, height: float, *, fill: str = LIGHT, stroke: str = "none"
    ) -> None:
        """A rectangle."""
        self.parts.append(
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" rx="4"'
            f' fill="{fill}" stroke="{stroke}" stroke-width="1.5"/>'
        )

    def line(
        self,
        points: Sequence[tuple[float, float]],
        *,
        colour: str = GREY,
        width: float = 1.5,
        dashed: bool = False,
    ) -> None:
        """A line through points."""
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        path = " ".join(f"{_n(x)},{_n(y)}" for x, y in points)
        self.parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{_n(width)}"{dash}/>'
        )

    def dot(self, x: float, y: float, *, colour: str = INK, radius: float = 3) -> None:
        """A filled circle."""
        self.parts.append(f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}" fill="{colour}"/>')

    def node(self, x: float, y: float, words: str, *, fill: str = LIGHT, stroke: str = GREY) -> None:
        """A token in a box around a point."""
        width = 18 + 8 * len(words)
        self.box(x - width / 2, y - 14, width, 28, fill=fill, stroke=stroke)
        self.text(x, y + 5, words, anchor="middle", halo=False)

    def __str__(self) -> str:
        return "\n".join([*self.parts, "</svg>", ""])


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
