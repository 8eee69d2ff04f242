"""The page of some explanations: one HTML file that needs nothing else, not even a network."""

from __future__ import annotations

import importlib.resources

import jinja2
from markupsafe import Markup

from vitrail.report.explanation_data import ExplanationPage
from vitrail.report.page import source
from vitrail.report.text import percent


def render_explanations(data: ExplanationPage) -> str:
    """Make the page of some explanations.

    Args:
        data: what it shows; names may hold anything, they are escaped.

    Returns:
        A whole HTML document; equal data give equal text.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"percent": percent, "source": source, "number": number, "signed": signed}
    style = Markup(_part("style.css") + _part("explanations.css"))
    return environment.from_string(_part("explanations.html")).render(data=data, style=style)


def number(value: float) -> str:
    """Write an area.

    Args:
        value: about 0 … 1.

    Returns:
        With three decimals.
    """
    return f"{value:.3f}"


def signed(value: float) -> str:
    """Write a gain.

    Args:
        value: about -1 … 1.

    Returns:
        With its sign and three decimals.
    """
    return f"{value:+.3f}".replace("-", "−")


def _part(name: str) -> str:
    return importlib.resources.files("vitrail.report").joinpath(name).read_text(encoding="utf-8")
