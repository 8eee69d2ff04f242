"""`predict` and `embed` at the command line: tables for people, one object for scripts, nothing left behind."""

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
from pyarrow import parquet

import vitrail
from vitrail.cli.answer_table import table_lines
from vitrail.cli.embed import add_arguments
from vitrail.cli.main import main
from vitrail.cli.parser import Parser
from vitrail.jobs.prediction import Prediction
from vitrail.models.features import FEATURES


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Give the folder of a finished run."""
    out = tmp_path_factory.mktemp("cli") / "run"
    vitrail.fit("digits", "vit_nano_conv_patch2_8", out=out, epochs=1, settings={"depth": 1, "batch_size": 128})
    return out


@pytest.fixture
def images(tmp_path):
    """Write three images, the second of them broken."""
    random = np.random.default_rng(0)
    for number in range(3):
        Image.fromarray(random.integers(0, 256, (8, 8), dtype=np.uint8)).save(tmp_path / f"{number}.png")
    (tmp_path / "1.png").write_bytes(b"broken")
    return [str(tmp_path / f"{number}.png") for number in range(3)]


def answer(path, *top, error=None):
    return Prediction(path, *(top[0] if top else (None, None)), top, error)


def test_the_table_is_aligned_with_errors_in_their_place():
    answers = [
        answer("a.png", ("cat", 0.981), ("tabby", 0.01)),
        answer("long/name.png", error="long/name.png: no such file"),
        answer("猫.png", ("猫", 1.0), ("dog", 0.0)),
        answer("e\u0301\n\x1b[1m.png", ("dog", 0.5), ("cat", 0.25)),
    ]
    assert list(table_lines(answers)) == [
        "path            label  probability  next best",
        "a.png           cat         98.1 %  tabby 1.0 %",
        "long/name.png   error: no such file",
        "猫.png          猫         100.0 %  dog 0.0 %",
        "e\u0301\\n\\x1b[1m.png  dog         50.0 %  cat 25.0 %",
    ]


def test_the_table_is_printed_while_answers_come():
    asked = []

    def answers():
        for number in range(1000):
            asked.append(number)
            yield answer(f"{number:0{1 + number // 100}d}.png", ("cat", 0.5))

    lines = table_lines(answers())
    assert next(lines) == "path    label  probability"
    assert len(asked) == 64
    rest = list(lines)
    assert len(rest) == 1000
    assert rest[-1] == "0000000999.png  cat         50.0 %"


def test_a_person_sees_a_table(run, images, capsys):
    assert main(["predict", str(run), *images, "--top", "2"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert [line.split()[0] for line in lines] == ["path", *images]
    assert lines[2].endswith("error: not an image of a known format")
    assert lines[1].count("%") == lines[3].count("%") == 2
    assert err == "warning: 1 of 3 images could not be used\n"


def test_an_error_midway_ends_the_one_object(run, images, capsys, tmp_path):
    out = tmp_path / "out.csv"
    assert main(["predict", str(run), *images, "--strict", "--json", "--out", str(out)]) == 2
    stdout, err = capsys.readouterr()
    told = json.loads(stdout)
    assert [one["path"] for one in told["predictions"]] == images[:1]
    assert told["error"] == f"{images[1]}: not an image of a known format"
    assert told["hint"] in err
    assert not out.exists()


def test_json_comes_with_the_file(run, images, capsys, tmp_path):
    out = tmp_path / "out.jsonl"
    assert main(["predict", str(run), *images, "--json", "--out", str(out)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["out"] == str(out)
    assert told["predictions"] == [json.loads(line) for line in out.read_text().splitlines()]


def test_embed_writes_a_file_and_says_so(run, images, capsys, tmp_path):
    out = tmp_path / "features.parquet"
    assert main(["embed", str(run), *images, "--out", str(out), "--pool", "tokens", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    tokens, dim = told["shape"]
    assert told == {"out": str(out), "n": 3, "failed": 1, "pool": "tokens", "shape": [tokens, dim]}
    rows = parquet.read_table(out).to_pylist()
    assert [row["path"] for row in rows] == images
    assert np.asarray(rows[0]["features"]).shape == (tokens, dim)
    assert rows[1]["features"] is None
    assert main(["embed", str(run), *images, "--out", str(out)]) == 0
    assert capsys.readouterr().err == f"3 answers in {out}\nwarning: 1 of 3 images could not be used\n"


def test_the_flag_names_every_pool():
    parser = Parser()
    add_arguments(parser)
    assert next(action.choices for action in parser._actions if action.dest == "pool") == tuple(FEATURES)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_nothing_behind(run, images, tmp_path, number, status):
    names = tmp_path / "names.txt"
    names.write_text("\n".join([images[0]] * 200_000))
    out = tmp_path / "new" / "out.csv"
    command = [sys.executable, "-m", "vitrail", "predict", str(run), str(names), "--out", str(out)]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # where it is ignored, a child ignores it too
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    waited = time.monotonic() + 60
    while not list(out.parent.glob(".*.tmp")) or not os.path.getsize(next(out.parent.glob(".*.tmp"))):
        assert time.monotonic() < waited
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == status
    assert err.startswith("error: ")
    assert "Traceback" not in err
    assert list(out.parent.iterdir()) == []


def test_paths_come_through_a_pipe(run, images):
    command = [sys.executable, "-m", "vitrail", "predict", str(run), "-"]
    done = subprocess.run(command, input="\n".join(images), capture_output=True, text=True)
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["path", *images]
    assert done.stdout.count("%") == 2


@pytest.mark.parametrize("verb", ["predict", "embed"])
def test_nothing_is_imported_that_is_not_needed(run, images, tmp_path, verb):
    out = ["--out", str(tmp_path / "out.parquet")] if verb == "embed" else []
    program = (
        "import sys; from vitrail.cli.main import main; status = main(sys.argv[1:]); "
        "print(*sys.modules, file=sys.stderr); sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, verb, str(run), images[0], *out], capture_output=True, text=True, check=True
    )
    found = set(done.stderr.split())
    assert {"torch", "PIL.Image", "vitrail.jobs.predictor"} <= found
    allowed = {"pyarrow"} if verb == "embed" else set()
    heavy = {"jinja2", "matplotlib", "pandas", "pyarrow", "rich", "scipy", "sklearn", "tifffile", "torchvision"}
    assert found & heavy == allowed
