"""The page of an inspection: one HTML file that needs nothing else, not even a network."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from vitrail.report.document import read_part, render_page
from vitrail.report.inspection_data import Attended, InspectionData, Panel
from vitrail.report.pictures import Picture, is_tiny, source
from vitrail.report.text import NO_BREAK_SPACE


def render_inspection(data: InspectionData) -> str:
    """Make the page.

    Args:
        data: what it shows; names may hold anything, they are escaped.

    Returns:
        A whole HTML document; equal data give equal text.
    """
    filters: dict[str, Callable[..., Any]] = {"inline": _inline, "unbroken": unbroken}
    shown = {"data": data, "script": Markup(read_part("inspect.js")), "maps": Markup(_json(_maps(data)))}
    return render_page("inspect.html", "inspect", "inspect.css", filters, **shown)


def _inline(panel: Panel) -> Markup:
    return Markup(panel.drawing.inline)


def unbroken(text: str) -> str:
    """Keep what stands around an equals sign on one line.

    Args:
        text: any.

    Returns:
        The text, with spaces that do not break.
    """
    return text.replace(" = ", f"{NO_BREAK_SPACE}={NO_BREAK_SPACE}")


def _maps(data: InspectionData) -> dict[str, Any]:
    return {
        "layers": data.layers,
        "heads": data.heads,
        "prefix": data.prefix,
        "images": [_image(one) for one in data.attended],
    }


def _image(one: Attended) -> dict[str, Any]:
    return {
        "name": one.name,
        "src": source(one.picture),
        "size": one.picture.size,
        "tiny": is_tiny(one.picture),
        "grid": one.grid,
        "step": one.step,
        "sheets": [
            {
                "src": source(Picture(sheet.png, (0, 0))),
                "across": sheet.across,
                "shares": base64.b64encode(sheet.shares).decode("ascii"),
            }
            for sheet in one.sheets
        ],
    }


def _json(value: Any) -> str:
    """Write JSON that cannot end the script element it stands in."""
    return json.dumps(value, ensure_ascii=True).replace("<", "\\u003c")
