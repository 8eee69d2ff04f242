"""The page of a data check: one HTML file that needs nothing else, not even a network."""

from __future__ import annotations

from vitrail.report.check_data import CheckData
from vitrail.report.document import render_page


def render_check(data: CheckData) -> str:
    """Make the page of a data check.

    Args:
        data: what it shows; names may hold anything, they are escaped.

    Returns:
        A whole HTML document; equal data give equal text.
    """
    return render_page("check.html", "check", "check.css", data=data)
