"""The page of a study: what was asked, what came out, beside what the paper says."""

from __future__ import annotations

import math
import platform
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from vitrail import __version__
from vitrail.core.files import write_atomically
from vitrail.report.study_data import Compared, Judged, Panel, StudyData
from vitrail.report.study_page import render_study
from vitrail.report.study_plots import draw_panel, draw_png
from vitrail.report.text import duration, short_count
from vitrail.studies.claims import Comparison, Verdict
from vitrail.studies.table import STUDIES

if TYPE_CHECKING:
    from vitrail.studies.run import StudyRun

DASH = "–"


def write_page(run: StudyRun) -> StudyData:
    """Write `study.html` and each panel of its figure as SVG and PNG.

    Args:
        run: the study.

    Returns:
        What the page shows.

    Raises:
        StorageError: if the disk refuses.
    """
    data = gather(run)
    for number, panel in enumerate(data.panels, start=1):
        path = run.folder / "figures" / f"{run.name}-{number}"
        write_atomically(path.with_suffix(".svg"), draw_panel(panel))
        write_atomically(path.with_suffix(".png"), draw_png(panel))
    write_atomically(run.page, render_study(data))
    return data


def gather(run: StudyRun) -> StudyData:
    """Gather what the page shows.

    Args:
        run: the study.

    Returns:
        Plain data.
    """
    study, plan = STUDIES[run.name], run.plan
    setup = study.setup(plan.scale)
    judged = [
        Judged(claim.sentence, claim.by, verdict.kind, claim.test, verdict.reason, list(_compared(verdict)))
        for claim, verdict in zip(study.claims, run.verdicts, strict=True)
    ]
    panels = [panel for panel in study.draw(run.results) if _has_points(panel)]
    found = (study.paper.where, study.paper.found)
    return StudyData(
        run.name, study.title, study.question, setup.about, judged, panels, list(_table(run)), found,
        list(_facts(run)), list(_notes(run)), _command(run),
    )  # fmt: skip


def _has_points(panel: Panel) -> bool:
    return bool(getattr(panel, "rows", ()) or getattr(panel, "curves", ()))


def _compared(verdict: Verdict) -> Iterator[Compared]:
    for one in verdict.comparisons:
        known = all(map(math.isfinite, one.interval))
        interval = f"{_amount(one.interval[0], verdict)} … {_amount(one.interval[1], verdict)}" if known else DASH
        yield Compared(one.name, one.n, _amount(one.value, verdict), interval, _chance(one))


def _amount(value: float, verdict: Verdict) -> str:
    if verdict.unit == "share":
        return f"{100 * value:.2f}".replace("-", "−")
    return f"{value:.4g}".replace("-", "−")


def _chance(one: Comparison) -> str:
    if one.p_value is None:
        return ""
    return "< 0.001" if one.p_value < 0.001 else f"{one.p_value:.3f}"


def _table(run: StudyRun) -> Iterator[list[str]]:
    study, results = STUDIES[run.name], run.results
    numbers, columns = study.paper.numbers, study.columns
    yield ["cell", "here", "95 % interval", "n", *columns.values(), *(["paper"] if numbers else [])]
    for cell in results.cells:
        mean = results.mean(cell)
        if not mean.n:
            continue
        low, high = mean.interval()
        interval = f"{_figure(low)} … {_figure(high)}" if mean.n > 1 else DASH
        others = [_column(name, results.mean(cell, name).value) for name in columns]
        paper = [_figure(numbers[cell]) if cell in numbers else DASH] if numbers else []
        yield [cell, _figure(mean.value), interval, str(mean.n), *others, *paper]


def _figure(value: float) -> str:
    return DASH if math.isnan(value) else f"{100 * value:.2f}" if abs(value) <= 1 else f"{value:,.4g}"


def _column(name: str, value: float) -> str:
    if math.isnan(value):
        return DASH
    if name in ("parameters", "macs", "images"):
        return short_count(round(value))
    return f"{1000 * value:.1f}" if name == "step_seconds" else _figure(value)


def _facts(run: StudyRun) -> Iterator[tuple[str, str]]:
    plan = run.plan
    images = {record.figures["images"] / record.steps for record in run.results.records if "images" in record.figures}
    yield "data", plan.data
    if images:
        yield "steps of a training", f"{plan.steps:,}, of {max(images):.0f} images"
    yield "seeds planned", str(plan.seeds)
    yield "runs done", f"{len(run.results.records)} of {plan.seeds * len(plan.cells)}"
    yield "time given", duration(60 * plan.minutes)
    yield "trainings side by side", f"{plan.processes}, one thread each"
    yield "versions", f"vitrail {__version__}, torch {torch.__version__}, Python {platform.python_version()}"


def _notes(run: StudyRun) -> Iterator[str]:
    plan = run.plan
    if plan.left_out:
        yield f"Left out, because the time did not suffice: {', '.join(plan.left_out)}."
    if not run.complete:
        yield "Not every planned run is done: where n is smaller than the seeds planned, fewer were taken."
    yield (
        "Intervals and tests are over seeds: the split, the order of the images and the weights change together, and "
        "all cells of a seed share them, so differences are paired. What another test set would change is not in them."
    )
    yield "Nothing was chosen on test images: the last weights of a training are measured, not the best."


def _command(run: StudyRun) -> str:
    plan = run.plan
    return (
        f"vitrail study {run.name} --data {plan.data} --minutes {plan.minutes:g} --processes {plan.processes}\n"
        f"# exactly these runs, whatever the machine's pace: put plan.toml into a folder, and give it as --out"
    )
