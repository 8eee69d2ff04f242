"""Every row of `STUDIES` holds together: cells can be built, claims name them, figures can be drawn."""

from __future__ import annotations

import itertools

import pytest

from vitrail.models.blank import blank_model
from vitrail.report.study_plots import draw_panel
from vitrail.studies.results import Record, Results
from vitrail.studies.table import STUDIES
from vitrail.studies.task import make_model, make_recipe

KINDS = {"reproduced", "not reproduced", "not separated at this scale", "not testable at this scale"}
FIGURES = ("top1", "val_top1", "few_shot", "nll", "loss", "first_loss", "macs", "parameters", "images", "step_seconds")


def invented(study, value, seeds=3):
    """Invent runs of every cell."""
    cells = [cell.name for cell in study.laptop.cells]
    records = [
        Record(cell, seed, 10, {name: value(number, seed) for name in (*FIGURES, study.metric)})
        for number, cell in enumerate(cells)
        for seed in range(seeds)
    ]
    return Results(records, study.metric, cells)


@pytest.mark.parametrize("scale", ["laptop", "paper"])
@pytest.mark.parametrize("name", STUDIES)
def test_cells_can_be_built(name, scale):
    setup = STUDIES[name].setup(scale)
    names = [cell.name for cell in setup.cells]
    assert len(set(names)) == len(names)
    for place, cell in enumerate(setup.cells):
        assert not cell.start or cell.start in names[:place], f"{cell.name} starts from a cell that is not before it"
        make_recipe(setup, cell)
        if STUDIES[name].run is None:
            blank_model(make_model(setup, cell))


@pytest.mark.parametrize("name", STUDIES)
def test_claims_are_judged_by_cells_that_exist(name):
    study = STUDIES[name]
    results = invented(study, lambda number, seed: 0.5 + 0.01 * number + 0.001 * ((seed + number) % 3))
    for claim in study.claims:
        verdict = claim.judge(results)
        assert verdict.kind in KINDS
        assert not verdict.reason.startswith("no run of"), verdict.reason
        assert claim.sentence.endswith(".")
        assert claim.test


@pytest.mark.parametrize("name", STUDIES)
def test_nothing_is_claimed_without_runs(name):
    study = STUDIES[name]
    empty = Results([], study.metric, [cell.name for cell in study.laptop.cells])
    assert {claim.judge(empty).kind for claim in study.claims} == {"not testable at this scale"}


@pytest.mark.parametrize("name", STUDIES)
def test_figures_can_be_drawn(name):
    study = STUDIES[name]
    panels = study.draw(invented(study, lambda number, seed: 0.5 + 0.01 * number + 0.001 * seed))
    assert panels
    for panel in panels:
        assert draw_panel(panel).startswith("<svg")


@pytest.mark.parametrize("name", STUDIES)
def test_the_papers_numbers_are_of_cells_that_exist(name):
    study = STUDIES[name]
    known = {cell.name for cell in itertools.chain(study.laptop.cells, study.full.cells)}
    assert set(study.paper.numbers) <= known
    assert study.paper.where and study.paper.found and study.question.endswith("?")
