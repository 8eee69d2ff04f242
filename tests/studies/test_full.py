import dataclasses

import pytest

from vitrail.core.errors import ConfigError
from vitrail.data.sources import open_dataset
from vitrail.studies.full import describe_full, exaflops, launch_full
from vitrail.studies.table import STUDIES


@pytest.mark.parametrize("name", STUDIES)
def test_the_papers_configuration_of_every_study_can_be_built(name):
    rows = describe_full(name)
    assert [row.name for row in rows] == [cell.name for cell in STUDIES[name].full.cells]
    assert all(row.macs > 0 and row.exaflops is None for row in rows)


def test_the_cost_of_b16_is_that_of_table_6():
    (row,) = describe_full("position", cells=["1-D"])
    assert exaflops(row.macs, 7 * 303e6) == pytest.approx(224, rel=0.025)
    assert row.parameters == pytest.approx(86e6, rel=0.02)


def test_with_data_the_cost_of_a_training_is_known():
    (row,) = describe_full("position", "digits", ["none"])
    images = len(open_dataset("digits").splits["train"])
    assert row.exaflops == pytest.approx(6e-18 * row.macs * 7 * images)


def test_a_study_without_data_asks_for_it(tmp_path):
    with pytest.raises(ConfigError, match="no data of its own"):
        launch_full("position", None, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_launched_it_trains_each_cell_and_repeats_none(tiny, tmp_path, monkeypatch):
    recipe = {"lr": 1e-2, "epochs": 1, "batch_size": 128}
    small = dataclasses.replace(tiny.laptop, settings=recipe, seeds=1)
    monkeypatch.setitem(STUDIES._rows, "tiny", dataclasses.replace(tiny, full=small))
    run = launch_full("tiny", None, out=tmp_path / "out", cells=["further"])
    assert run.complete
    assert [record.cell for record in run.results.records] == ["plain", "further"]
    assert run.page.is_file()
    assert (tmp_path / "out" / "fits").is_dir()
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "runs").glob("*.json")}
    assert launch_full("tiny", None, out=tmp_path / "out", cells=["further"]).complete
    assert stamps == {path: path.stat().st_mtime_ns for path in stamps}
