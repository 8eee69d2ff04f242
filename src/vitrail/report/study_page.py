"""The pages of studies: one HTML file each that needs nothing else, and the book that leads to them."""

from __future__ import annotations

from markupsafe import Markup

from vitrail.report.document import render_page
from vitrail.report.study_data import Book, StudyData
from vitrail.report.study_plots import draw_panel


def render_study(data: StudyData) -> str:
    """Make the page of a study.

    Args:
        data: what it shows; names may hold anything, they are escaped.

    Returns:
        A whole HTML document; equal data give equal text.
    """
    panels = [(panel, Markup(draw_panel(panel))) for panel in data.panels]
    return render_page("study.html", "study", "study.css", data=data, panels=panels)


def render_book(book: Book) -> str:
    """Make the page that leads to all studies, with the claims of all in one table.

    Args:
        book: the studies.

    Returns:
        A whole HTML document.
    """
    pictures = [Markup(draw_panel(data.panels[0])) if data.panels else "" for data, _ in book.studies]
    return render_page("book.html", "study", "study.css", book=book, pictures=pictures)
