import dataclasses

import pytest

from vitrail.core.errors import ConfigError
from vitrail.studies.book import run_all_studies
from vitrail.studies.journal import Journal
from vitrail.studies.plan import CellPlan, StudyPlan
from vitrail.studies.table import STUDIES


def test_the_book_leads_to_every_page(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(STUDIES._rows, "other", dataclasses.replace(tiny, title="Other <b>"))
    for name in ("tiny", "other"):
        plan = StudyPlan(name, "laptop", "digits", 5, 1, (CellPlan("plain", 1e-3, 1e-3),))
        Journal(tmp_path / name).write_plan(plan)
    notes = []
    wish = {"out": tmp_path, "names": ["tiny", "other", "position"], "processes": 1, "minutes": 1e-3}
    run = run_all_studies(**wish, listener=notes.append)
    assert [one.name for one in run.runs] == ["tiny", "other"]
    assert "too short" in run.missing["position"]
    page = run.page.read_text("utf-8")
    assert 'href="tiny/study.html"' in page
    assert "Other &lt;b&gt;" in page
    assert page.count("Cats are better.") == 2
    assert "position has no page" in page
    assert (tmp_path / "other" / "study.html").is_file()
    assert run.to_json()["missing"].keys() == {"position"}


def test_without_time_for_any_study_there_is_no_book(tiny, tmp_path):
    with pytest.raises(ConfigError, match="no study could be done"):
        run_all_studies(out=tmp_path, names=["tiny"], processes=1, minutes=1e-4)
    assert not (tmp_path / "index.html").exists()
