import json

from vitrail.cli.main import main
from vitrail.studies.table import STUDIES


def test_without_a_name_the_studies_are_listed(capsys):
    assert main(["study"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(STUDIES)
    assert main(["study", "--json"]) == 0
    assert [row["study"] for row in json.loads(capsys.readouterr().out)["studies"]] == list(STUDIES)


def test_an_unknown_study_or_cell_is_answered_with_the_nearest(capsys, tmp_path):
    assert main(["study", "positions"]) == 2
    assert "did you mean position?" in capsys.readouterr().err
    assert main(["study", "position", "--cells", "2D", "--out", str(tmp_path / "x")]) == 2
    assert "did you mean" in capsys.readouterr().err


def test_too_little_time_is_said_with_what_would_do(capsys, tmp_path):
    arguments = ["study", "position", "--cells", "arrangement, 1-D", "--data", "digits", "--minutes", "0.0001"]
    assert main([*arguments, "--processes", "1", "--out", str(tmp_path / "x")]) == 2
    assert "--minutes" in capsys.readouterr().err


def test_the_papers_scale_is_described(capsys):
    assert main(["study", "position", "--scale", "paper"]) == 0
    assert "86," in capsys.readouterr().out
    assert main(["study", "position", "--scale", "paper", "--cells", "1-D", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["cells"]
    assert row["tokens"] == 197
    assert main(["study", "position", "--launch"]) == 2
    assert "--launch" in capsys.readouterr().err
