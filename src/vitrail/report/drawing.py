"""One figure in the forms in which it is kept: inline for a page, and as two files."""

from __future__ import annotations

import io
from dataclasses import dataclass

from matplotlib.figure import Figure

from vitrail.report.plots import as_svg

DPI = 160
PAPER = "white"
FONTS = "DejaVu Sans, Verdana, sans-serif"
"""Of a file, which has no page to take them from."""


@dataclass(frozen=True)
class Drawing:
    """Hold a figure.

    Args:
        inline: an `<svg>` element that takes font and colour from its page.
        svg: a whole SVG file, transparent.
        png: an encoded PNG on white.
    """

    inline: str
    svg: str
    png: bytes


def as_drawing(figure: Figure, label: str) -> Drawing:
    """Write a figure in every form; to be called where it was drawn, within `style`.

    Args:
        figure: drawn.
        label: what it shows, for those who cannot see it.

    Returns:
        The figure; equal figures give equal files.
    """
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=DPI, facecolor=PAPER, metadata={"Software": None, "Title": label})
    inline = as_svg(figure, label)
    alone = inline.replace("<svg ", f'<svg font-family="{FONTS}" ', 1)
    return Drawing(inline, f'<?xml version="1.0" encoding="utf-8"?>\n{alone}\n', png.getvalue())
