"""`vitrail check` at the command line: one object for scripts, words for people, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from vitrail.cli.main import main


@pytest.fixture
def folder(tmp_path):
    """Write eight pictures of two classes."""
    random = np.random.default_rng(0)
    for number in range(8):
        place = tmp_path / "data" / ("cat" if number % 2 else "dog")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(place / f"{number}.png")
    return tmp_path / "data"


def spoil(folder):
    (folder / "dog" / "2.png").write_bytes(b"bad")
    (folder / "cat" / "copy.png").write_bytes((folder / "dog" / "0.png").read_bytes())


def test_json_is_one_object_with_the_keys_that_scripts_use(folder, capsys):
    spoil(folder)
    assert main(["check", str(folder), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {"bad_files", "duplicates", "leaks", "label_conflicts", "n", "keep"} <= set(answer)
    assert [len(answer[key]) for key in ("bad_files", "duplicates", "leaks", "label_conflicts")] == [1, 1, 0, 1]
    assert answer["bad_files"][0]["split"] is None
    assert "error" not in answer


def test_strict_ends_with_2_where_there_is_a_problem_and_prints_all_the_same(folder, capsys):
    assert main(["check", str(folder), "--strict"]) == 0
    assert "no problem found; all images are worth keeping" in capsys.readouterr().out
    spoil(folder)
    assert main(["check", str(folder), "--strict", "--json"]) == 2
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert len(answer["bad_files"]) == 1
    assert "files that cannot be used (1)" in answer["error"]
    assert answer["hint"]
    assert "error: " in err
    assert "Traceback" not in err


def test_people_read_what_is_wrong_and_what_to_do(folder, capsys):
    spoil(folder)
    assert main(["check", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "9 images of 2 classes" in out
    assert "problem: One picture under two labels: 1 (2 images)" in out
    assert "cat/copy.png = dog/0.png: the same picture, labelled cat and dog" in out
    assert "6 of 9 images are worth keeping" in out
    assert "--write-clean" in out


def test_notes_do_not_make_it_strict(folder, capsys):
    Image.open(folder / "dog" / "4.png").convert("P").save(folder / "dog" / "4.png")
    assert main(["check", str(folder), "--strict"]) == 0
    assert "note: Images that are neither plain grey nor plain colour: 1" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [
    ["nowhere"], ["{data}", "--out", "{data}"], ["{data}", "--write-clean", "/dev/null/keep.csv"],
    ["digits", "--write-clean", "keep.csv"], ["{data}", "--model", "nowhere"],
])  # fmt: skip
def test_bad_input_ends_with_2_a_hint_and_nothing_left(folder, tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    assert main(["check", *(one.format(data=folder) for one in arguments), "--json"]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["error"]
    assert answer["hint"]
    assert os.listdir(tmp_path) == ["data"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_half_of_a_file(tmp_path, number):
    random = np.random.default_rng(0)
    (tmp_path / "data" / "a").mkdir(parents=True)
    for place in range(60):
        pixels = random.integers(0, 256, (1500, 1500, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "data" / "a" / f"{place}.png", compress_level=0)
    command = [sys.executable, "-m", "vitrail", "check", "data", "--out", "check.html", "--write-clean", "keep.csv"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    time.sleep(2.5)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    if process.returncode:  # it may have been faster; or still importing, when SIGTERM just ends it
        assert process.returncode in (128 + number, -number)
        assert b"Traceback" not in err
        assert os.listdir(tmp_path) == ["data"]
