"""The page of some explanations: one HTML file that needs nothing else, not even a network."""

from __future__ import annotations

from vitrail.report.document import render_page
from vitrail.report.explanation_data import ExplanationPage


def render_explanations(data: ExplanationPage) -> str:
    """Make the page of some explanations.

    Args:
        data: what it shows; names may hold anything, they are escaped.

    Returns:
        A whole HTML document; equal data give equal text.
    """
    filters = {"number": number, "signed": signed}
    return render_page("explanations.html", "explain", "explanations.css", filters, data=data)


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
