"""The pages of studies: one HTML file each that needs nothing else, and the book that leads to them."""

from __future__ import annotations

import importlib.resources

import jinja2
from markupsafe import Markup

from vitrail.report.study_data import Book, StudyData
from vitrail.report.study_plots import draw_panel
from vitrail.report.text import duration


def render_study(data: StudyData) -> str:
    """Make the page of a study.

    Args:
        data: what it shows; names may hold anything, they are escaped.

    Returns:
        A whole HTML document; equal data give equal text.
    """
    panels = [(panel, Markup(draw_panel(panel))) for panel in data.panels]
    return _render("study.html", data=data, panels=panels)


def render_book(book: Book) -> str:
    """Make the page that leads to all studies, with the claims of all in one table.

    Args:
        book: the studies.

    Returns:
        A whole HTML document.
    """
    pictures = [Markup(draw_panel(data.panels[0])) if data.panels else "" for data, _ in book.studies]
    return _render("book.html", book=book, pictures=pictures)


def _render(template: str, **values: object) -> str:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"duration": duration}
    style = Markup(_part("style.css") + _part("study.css"))
    return environment.from_string(_part(template)).render(style=style, **values)


def _part(name: str) -> str:
    return importlib.resources.files("vitrail.report").joinpath(name).read_text(encoding="utf-8")
