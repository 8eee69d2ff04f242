"""The page of a run: one HTML file that needs nothing else, not even a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from vitrail.report import plots
from vitrail.report.confusions import worst_confusions
from vitrail.report.data import ClassFigures, ReportData
from vitrail.report.document import render_page
from vitrail.report.risk_plot import draw_risk
from vitrail.report.text import split_name

MAX_CELL_CLASSES = 15
"""With more classes the confusion matrix is drawn by colour alone."""
MAX_CLASS_ROWS = 1000
MAX_CONFUSIONS = 12
MAX_BAD_ROWS = 50


@dataclass(frozen=True)
class Cell:
    """Hold one cell of a confusion matrix that is shown in numbers.

    Args:
        count: images.
        share: part of the images of the true class.
        right: whether it lies on the diagonal.
    """

    count: int
    share: float
    right: bool


def render_report(data: ReportData) -> str:
    """Make the page of a run.

    Args:
        data: what it shows; names may hold anything, they are escaped.

    Returns:
        A whole HTML document; equal data give equal text.
    """
    many = len(data.classes) > MAX_CELL_CLASSES
    epochs, kept, names = data.learning.epochs, data.learning.best_epoch, [one.name for one in data.classes]
    trust = data.reliability
    return render_page(
        "template.html",
        "report",
        data=data,
        loss=Markup(plots.draw_loss(epochs)) if epochs else "",
        accuracy=Markup(plots.draw_accuracy(epochs, kept)) if epochs else "",
        best=next((one for one in epochs if one.number == kept), None),
        trust=trust,
        diagram=Markup(plots.draw_reliability(trust.bins, trust.before)) if trust.bins else "",
        risk=Markup(draw_risk(trust.risk)) if trust.risk else "",
        cells=None if many else confusion_cells(data),
        picture_of_confusion=Markup(plots.draw_confusion(data.confusion)) if many else "",
        block=plots.block_size(len(data.classes)),
        confusions=worst_confusions(data.confusion, names, min(MAX_CONFUSIONS, len(names))) if len(names) > 2 else (),
        long_names=any(len(one) > 4 for one in names),
        classes=class_rows(data.classes),
        intervals=any(one.interval for one in data.classes),
        weakest_first=many,
        wrong=int(data.confusion.sum() - data.confusion.trace()),
        measured=_measured(data.gallery.suspects.images) if data.gallery.suspects else "",
        doubted=_doubted(data),
        bad=data.bad[:MAX_BAD_ROWS],
    )


def confusion_cells(data: ReportData) -> list[list[Cell]]:
    """Turn the confusion matrix into cells.

    Args:
        data: its `confusion`.

    Returns:
        One list a true class.
    """
    return [
        [Cell(int(count), int(count) / max(1, int(row.sum())), number == column) for column, count in enumerate(row)]
        for number, row in enumerate(data.confusion)
    ]


def class_rows(classes: Sequence[ClassFigures]) -> list[ClassFigures]:
    """Choose and order the rows of the table of classes.

    Args:
        classes: all of them, in the order of the confusion matrix.

    Returns:
        As given where they are few; otherwise the weakest first, those without images last, at most `MAX_CLASS_ROWS`.
    """
    if len(classes) <= MAX_CELL_CLASSES:
        return list(classes)
    return sorted(classes, key=lambda one: 2.0 if one.f1 is None else one.f1)[:MAX_CLASS_ROWS]


def _measured(images: Mapping[str, int]) -> str:
    """Say how many images of which splits were measured."""
    parts = [f"{n:,} {split_name(split)}" for split, n in images.items()]
    return f"{' and '.join(parts)} image{'' if list(images.values()) == [1] else 's'}"


def _doubted(data: ReportData) -> int:
    """Count the images of the split in the headline that are shown as suspects; their answers are all wrong."""
    suspects = data.gallery.suspects
    return sum(one.split == data.headline.split for one in suspects.shown) if suspects else 0
