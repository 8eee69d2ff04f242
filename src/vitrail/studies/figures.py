"""From results to the panels of a figure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from vitrail.evaluation.student import Mean
from vitrail.report.study_data import Curve, Curves, Dot, Dots, Unit
from vitrail.studies.results import Results


def bounds(mean: Mean) -> tuple[float, float]:
    """Give the interval of a mean for drawing.

    Args:
        mean: of the runs of a cell.

    Returns:
        The interval; the mean itself twice where there is none.
    """
    low, high = mean.interval()
    return (low, high) if math.isfinite(low) and math.isfinite(high) else (mean.value, mean.value)


def dots(
    title: str,
    results: Results,
    cells: Mapping[str, int] | Sequence[str],
    metric: str = "",
    unit: Unit = "share",
    line: float | None = None,
) -> Dots:
    """Show the runs of some cells.

    Args:
        title: what is shown.
        results: of the study.
        cells: names, or name → group; those without runs are left out.
        metric: name of the figure; "" for the study's.
        unit: how it is shown.
        line: a value to mark.

    Returns:
        The panel.
    """
    groups = cells if isinstance(cells, Mapping) else dict.fromkeys(cells, 0)
    rows = []
    for cell, group in groups.items():
        values, mean = tuple(results.values(cell, metric).values()), results.mean(cell, metric)
        if values:
            rows.append(Dot(cell, values, mean.value, bounds(mean), group))
    return Dots(title, rows, unit, line)


def paper_dots(title: str, numbers: Mapping[str, float], groups: Mapping[str, int] | None = None) -> Dots:
    """Show the paper's numbers as ours are.

    Args:
        title: what they are.
        numbers: cell → number.
        groups: cell → colour; None for one colour.

    Returns:
        The panel.
    """
    rows = [Dot(cell, (), value, (value, value), (groups or {}).get(cell, 0)) for cell, value in numbers.items()]
    return Dots(title, rows)


def curve(label: str, results: Results, cells: Mapping[str, float], metric: str = "", group: int = 0) -> Curve:
    """Show cells along an axis.

    Args:
        label: what they have in common.
        results: of the study.
        cells: name → place on the axis; those without runs are left out.
        metric: name of the figure; "" for the study's.
        group: colour.

    Returns:
        The curve, its places rising.
    """
    found = [(place, results.mean(cell, metric)) for cell, place in cells.items() if results.values(cell, metric)]
    found.sort(key=lambda one: one[0])
    places = [place for place, _ in found]
    return Curve(label, places, [mean.value for _, mean in found], [bounds(mean) for _, mean in found], group)


def curves(title: str, x_label: str, found: Sequence[Curve], unit: Unit = "share", log_x: bool = True) -> Curves:
    """Show curves that have points.

    Args:
        title: what is shown.
        x_label: what the axis is, with its unit.
        found: curves; those without points are left out.
        unit: how values are shown.
        log_x: whether the axis is logarithmic.

    Returns:
        The panel.
    """
    return Curves(title, x_label, [one for one in found if len(one.x)], unit, log_x)
