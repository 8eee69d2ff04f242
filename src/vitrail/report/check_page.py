"""The page of a data check: one HTML file that needs nothing else, not even a network."""

from __future__ import annotations

import importlib.resources

import jinja2
from markupsafe import Markup

from vitrail.report.check_data import CheckData
from vitrail.report.page import is_tiny, source
from vitrail.report.text import duration, split_name


def render_check(data: CheckData) -> str:
    """Make the page of a data check.

    Args:
        data: what it shows; names may hold anything, they are escaped.

    Returns:
        A whole HTML document; equal data give equal text.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"split_name": split_name, "duration": duration, "source": source, "tiny": is_tiny}
    style = Markup(_part("style.css") + _part("check.css"))
    return environment.from_string(_part("check.html")).render(data=data, style=style)


def _part(name: str) -> str:
    return importlib.resources.files("vitrail.report").joinpath(name).read_text(encoding="utf-8")
