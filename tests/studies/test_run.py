import json
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from vitrail.core.errors import ConfigError, DataError, Interrupted
from vitrail.jobs.events import Note
from vitrail.studies import task as tasks
from vitrail.studies import workers
from vitrail.studies.journal import Journal
from vitrail.studies.plan import CellPlan, StudyPlan
from vitrail.studies.run import run_study

PACE = tuple(CellPlan(name, 1e-3, 1e-3) for name in ("plain", "further", "few & <odd>"))
PLAN = StudyPlan("tiny", "laptop", "digits", 12, 2, PACE)


@pytest.fixture
def planned(tiny, tmp_path):
    """Give a folder with a plan, so that nothing is measured."""
    Journal(tmp_path / "out").write_plan(PLAN)
    return tmp_path / "out"


@pytest.fixture
def counted(monkeypatch):
    """Count the runs that are done."""
    done = []
    original = tasks.carry_out

    def carry_out(task):
        record = original(task)
        done.append((task.cell, task.seed))
        return record

    monkeypatch.setattr(workers, "carry_out", carry_out)
    return done


def figures(run):
    times = ("seconds", "train_seconds", "step_seconds")
    return {
        (one.cell, one.seed): {name: value for name, value in one.figures.items() if name not in times}
        for one in run.results.records
    }


def test_a_study_runs_to_its_page(planned, counted):
    run = run_study("tiny", out=planned, processes=1)
    assert run.complete
    names = ["plain", "further", "few & <odd>"]
    assert counted == [(cell, seed) for seed in (0, 1) for cell in names]
    table = pyarrow.parquet.read_table(planned / "runs.parquet").to_pydict()
    assert table["cell"] == [cell for cell, _ in counted]
    assert table["steps"] == [12, 6, 12] * 2
    page = (planned / "study.html").read_text("utf-8")
    assert "few &amp; &lt;odd&gt;" in page
    assert "<odd>" not in page.replace("&lt;odd&gt;", "")
    assert "there are no cats" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert {path.name for path in (planned / "figures").iterdir()} == {"tiny-1.svg", "tiny-1.png"}
    assert [verdict.kind for verdict in run.verdicts][1:] == ["reproduced", "not testable at this scale"]
    printed = json.loads(json.dumps(run.to_json()))
    assert printed["runs"] == 6
    assert [one["n"] for one in printed["cells"]] == [2, 2, 2]


def test_what_starts_from_another_cell_begins_with_its_weights(planned):
    run = run_study("tiny", out=planned, processes=1)
    by_cell = {one.cell: one.figures for one in run.results.records if one.seed == 0}
    assert by_cell["plain"]["first_loss"] == pytest.approx(np.log(10), abs=1e-5)
    assert by_cell["further"]["first_loss"] < 2.25
    kept = sorted(path.name for path in (planned / "runs").glob("*.safetensors"))
    assert [name[:9] for name in kept] == ["000-plain", "001-plain"]


def test_interrupted_anywhere_it_repeats_no_run_and_ends_the_same(planned, counted, monkeypatch, tmp_path):
    whole = run_study("tiny", out=planned, processes=1)
    other = tmp_path / "other"
    Journal(other).write_plan(PLAN)
    original = workers.carry_out
    for after in (1, 2, 2):
        left = [after]

        def stop(task, left=left):
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            return original(task)

        monkeypatch.setattr(workers, "carry_out", stop)
        with pytest.raises(Interrupted, match="finished runs are in"):
            run_study("tiny", out=other, processes=1)
    monkeypatch.setattr(workers, "carry_out", original)
    counted.clear()
    again = run_study("tiny", out=other, processes=1)
    assert len(counted) == 1
    assert figures(again) == figures(whole)
    counted.clear()
    assert run_study("tiny", out=other, processes=1).complete
    assert counted == []


def test_time_is_looked_at_between_seeds(planned, counted):
    notes = []
    run = run_study("tiny", out=planned, minutes=1e-6, processes=1, listener=notes.append)
    assert {seed for _, seed in counted} == {0}
    assert len(counted) == 3
    assert not run.complete
    assert any(isinstance(note, Note) and "3 of the planned runs" in note.text for note in notes)
    assert "one seed tells nothing" in (planned / "study.html").read_text("utf-8")
    assert run_study("tiny", out=planned, minutes=1e-6, processes=1).complete


def test_a_plan_is_made_by_measuring(tiny, tmp_path):
    run = run_study("tiny", out=tmp_path / "out", minutes=0.5, processes=1, cells=["further"])
    assert run.plan.names == ("plain", "further")
    assert run.plan.steps == 30
    assert run.plan.seeds >= 2
    assert all(cell.step > 0 and cell.around > 0 for cell in run.plan.cells)
    assert Journal(tmp_path / "out").read_plan() == run.plan


def test_other_wishes_than_the_plan_are_refused(planned):
    for wish, named in (({"data": "fashion-mnist"}, "data"), ({"seeds": 3}, "seeds"), ({"cells": ["plain"]}, "cells")):
        with pytest.raises(ConfigError, match=named):
            run_study("tiny", out=planned, **wish)


def test_overwriting_begins_again(planned, counted):
    run_study("tiny", out=planned, processes=1)
    counted.clear()
    run = run_study("tiny", out=planned, processes=1, minutes=0.3, cells=["plain"], overwrite=True)
    assert run.plan.names == ("plain",)
    assert ("plain", 0) in counted


def test_a_file_of_a_run_that_is_broken_is_named(planned):
    run_study("tiny", out=planned, processes=1)
    path = next((planned / "runs").glob("*.json"))
    path.write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match=path.name):
        run_study("tiny", out=planned, processes=1)


@pytest.mark.parametrize(
    ("wish", "said", "hint"),
    [
        ({"name": "tinny"}, "unknown study 'tinny'", "tiny"),
        ({"cells": ["plian"]}, "unknown cell 'plian'", "plain"),
        ({"minutes": 1e-4}, "too short for one training of each", "--minutes"),
        ({"minutes": -1}, "minutes = -1", ""),
        ({"data": "digitz"}, "digitz", "digits"),
    ],
)
def test_what_is_wrong_is_said(tiny, tmp_path, wish, said, hint):
    with pytest.raises((ConfigError, DataError)) as caught:
        run_study(**{"name": "tiny", "out": tmp_path / "out", "processes": 1, **wish})
    assert said in caught.value.message
    assert hint in caught.value.hint
    assert not (tmp_path / "out" / "plan.toml").exists()


def test_a_folder_of_something_else_is_refused(tiny, tmp_path):
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(ConfigError, match="other things"):
        run_study("tiny", out=tmp_path)
    with pytest.raises(ConfigError, match="is a file"):
        run_study("tiny", out=tmp_path / "photo.jpg")


@pytest.mark.slow
def test_side_by_side_gives_the_same_figures(tmp_path):
    wish = {"cells": ["arrangement, none", "arrangement, 1-D"], "data": "digits"}
    pace = tuple(CellPlan(name, 1e-3, 1e-3) for name in wish["cells"])
    runs = []
    for processes in (1, 2):
        out = Path(tmp_path / str(processes))
        Journal(out).write_plan(StudyPlan("position", "laptop", "digits", 5, 1, pace))
        runs.append(run_study("position", out=out, processes=processes, **wish))
    assert figures(runs[0]) == figures(runs[1])
    accuracy = {one.cell: one.figures["top1"] for one in runs[0].results.records}
    assert accuracy["arrangement, none"] < 0.35
    assert accuracy["arrangement, 1-D"] > 0.95
