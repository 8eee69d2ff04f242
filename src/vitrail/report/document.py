"""What all pages share: one HTML file that needs nothing else, not even a network."""

from __future__ import annotations

import importlib.resources
from collections.abc import Callable, Mapping
from typing import Any

import jinja2
from markupsafe import Markup

from vitrail.report.pictures import is_tiny, source
from vitrail.report.text import duration, mean_count, percent, split_name

FILTERS: Mapping[str, Callable[..., Any]] = {
    "count": mean_count,
    "duration": duration,
    "percent": percent,
    "source": source,
    "split_name": split_name,
    "tiny": is_tiny,
}


def render_page(
    template: str, kind: str, sheet: str = "", filters: Mapping[str, Callable[..., Any]] | None = None, **values: object
) -> str:
    """Fill a template that extends `base.html`.

    Args:
        template: name of a file of this room.
        kind: what the page is, for its title: "report", "check".
        sheet: name of the page's own style sheet, laid over the common one; "" for none.
        filters: of this page alone, beside `FILTERS`.
        values: what the template shows; texts are escaped.

    Returns:
        A whole HTML document; equal values give equal text.
    """
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(read_part),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {**FILTERS, **(filters or {})}
    style = Markup(read_part("style.css") + (read_part(sheet) if sheet else ""))
    return environment.get_template(template).render(kind=kind, style=style, **values)


def read_part(name: str) -> str:
    """Read a file of this room.

    Args:
        name: of a template, style sheet or script.

    Returns:
        Its text.
    """
    return importlib.resources.files("vitrail.report").joinpath(name).read_text(encoding="utf-8")
