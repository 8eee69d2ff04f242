"""The last words: short, aligned whatever the names are, in colour on a terminal only."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len

from vitrail.cli.glance import print_glance, printable, sparkline
from vitrail.cli.main import main
from vitrail.evaluation.metrics import classification_metrics, confusion_matrix
from vitrail.jobs.digest import digest_evaluation
from vitrail.jobs.evaluate import Evaluation
from vitrail.jobs.events import Note
from vitrail.jobs.inference import Outputs
from vitrail.jobs.suspects import SuspectLabel, SuspectLabels

NAMES = (
    "cat", "日本の猫と犬の写真をたくさん集めた長い名前", "Norwegian forest cat, long-haired", "🐈 emoji", "قطة",
    "evil\x1b[31mred\nline\udcff", "кошка", "[bold]markup[/bold] :smile:",
)  # fmt: skip


@pytest.fixture
def digest():
    """Make up an evaluation of eight classes with hard names."""
    random = np.random.default_rng(0)
    labels = random.integers(0, len(NAMES), 900)
    logits = random.normal(size=(900, len(NAMES))).astype(np.float32)
    logits[np.arange(900), labels] += 2.5
    metrics = {**dict(classification_metrics(logits, labels)), "ece_before": 0.3}
    outputs = Outputs(logits, labels, np.arange(900), ((900, "a: cut"), (901, "b: cut")))
    evaluation = Evaluation(
        metrics, "test", NAMES, tuple(map(str, range(902))), outputs,
        confusion_matrix(logits.argmax(axis=1), labels, len(NAMES)), Path("m"), 3.2,
    )  # fmt: skip
    files = {"run folder": "runs/" + 30 * "long-", "report": "runs/report.html"}
    found = digest_evaluation(evaluation, files, "vitrail predict runs IMAGE…")
    return replace(found, validation=tuple(1 - 1 / (one + 2) for one in range(60)), parts={"training": 700.0})


def test_everything_is_there_and_short(digest, capsys):
    print_glance(digest)
    out = capsys.readouterr().out
    metrics = digest.evaluation.metrics
    for text in (
        f"test accuracy  {100 * metrics['top1']:.2f} %", "95 % interval", "n = 900", "macro-F1", "balanced", "top-5",
        f"ECE {100 * metrics['ece']:.2f} % (30.00 % before", "50.0 % → 98.4 %, 60 epochs", "2 images, which do not",
        "training 11 min 40 s", "runs/" + 30 * "long-", "runs/report.html",
        "next           vitrail predict runs IMAGE…",
    ):  # fmt: skip
        assert text in out, text
    assert len(out.splitlines()) <= 25
    assert "\x1b" not in out, "no colour where there is no terminal"
    assert not set(out) & set("▁▂▃▄▅▆▇█")


@pytest.mark.parametrize("worse", [False, True])
def test_whether_tuning_paid_is_among_the_last_words(digest, capsys, worse):
    print_glance(digest)
    assert "tuning" not in capsys.readouterr().out
    print_glance(replace(digest, verdict=Note("tuning did it: 90.00 %", worse)))
    assert "\ntuning         tuning did it: 90.00 %\n" in capsys.readouterr().out


@pytest.mark.parametrize(("found", "said"), [(2, ""), (9, ": some are likely wrong")])
def test_labels_in_doubt_are_counted(digest, capsys, found, said):
    label = SuspectLabel("test", 0, "a.png", "cat", "dog", 0.9, 0.1)
    evaluation = replace(digest.evaluation, suspects=SuspectLabels(900, 3.24, 1.6, found * (label,)))
    print_glance(replace(digest, evaluation=evaluation))
    words = f"\nlabels         {found} of 900 contradict a sure answer, 3.2 ± 1.6 to be expected{said}\n"
    assert words in capsys.readouterr().out


def test_the_weakest_and_the_most_mistaken_are_named(digest):
    matrix = digest.evaluation.confusion
    recall = matrix.diagonal() / matrix.sum(axis=1)
    assert [one.name for one in digest.weakest] == [NAMES[number] for number in np.argsort(recall)[:3]]
    wrong = matrix - np.diag(matrix.diagonal())
    assert digest.confusions[0].count == wrong.max()


def test_columns_are_aligned_whatever_the_names(digest, capsys):
    """The end of the column of names is where the numbers end: the same cell in every row."""
    print_glance(replace(digest, weakest=tuple(replace(digest.weakest[0], name=name) for name in NAMES)))
    lines = capsys.readouterr().out.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("weakest"))
    rows = lines[start : start + 1 + len(NAMES)]
    assert len({cell_len(row.rstrip()) for row in rows}) == 1, rows
    assert "[bold]markup[/bold] :smile:"[:20] in rows[-1]


def test_names_cannot_play_with_the_terminal():
    assert printable("evil\x1b[31m\r\n\udcff") == "evil\\x1b[31m\\r\\n\\udcff"
    assert printable("日本 ñ 🐈") == "日本 ñ 🐈"


@pytest.mark.parametrize(
    ("shares", "drawn"),
    [
        ([], ""), ([0.5, 0.6], ""), ([0.0, 0.5, 1.0], "▁▅█"), ([0.7] * 4, "▄▄▄▄"),
        ([one / 99 for one in range(100)], "▁▁▁▂▂▂▃▃▃▃▄▄▅▅▅▆▆▆▇▇▇███"),
    ],
)  # fmt: skip
def test_a_curve_in_one_line(shares, drawn):
    assert len(sparkline(shares)) == len(drawn)
    assert len(shares) > 90 or sparkline(shares) == drawn
    assert list(sparkline(shares)) == sorted(sparkline(shares))


def test_a_model_without_a_mistake_has_no_tables(digest, capsys):
    labels = digest.evaluation.outputs.labels
    perfect = replace(
        digest.evaluation,
        confusion=confusion_matrix(labels, labels, len(NAMES)),
        outputs=replace(digest.evaluation.outputs, bad=()),
    )
    print_glance(digest_evaluation(perfect, {}, ""))
    out = capsys.readouterr().out
    for absent in ("weakest", "mistaken", "not usable", "next", "validation"):
        assert absent not in out


def test_a_class_without_images_is_not_weak(digest):
    confusion = digest.evaluation.confusion.copy()
    confusion[3] = 0
    found = digest_evaluation(replace(digest.evaluation, confusion=confusion), {}, "")
    assert NAMES[3] not in {one.name for one in found.weakest}


def test_on_a_terminal_there_is_colour_and_nothing_sticks_out(tmp_path):
    run = tmp_path / "run"
    environment = {**os.environ, "COLUMNS": "60", "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"}
    environment.pop("NO_COLOR", None)
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "vitrail", "fit", "digits", "--epochs", "3", "--set", "depth=1", "--out", str(run)]
    with subprocess.Popen(command, stdout=child, stderr=subprocess.DEVNULL, env=environment) as process:
        os.close(child)
        parts = []
        try:
            while part := os.read(parent, 65536):
                parts.append(part)
        except OSError:  # the other end was closed
            pass
    os.close(parent)
    assert process.returncode == 0
    out = b"".join(parts).decode()
    assert "\x1b[1;32m" in out
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out)
    assert re.search(r"validation     ▁[▁-█]█  [\d.]+ % → [\d.]+ %, 3 epochs", plain)
    table = [line for line in plain.splitlines() if re.match(r"weakest|mistaken| {15}\d ", line)]
    assert len(table) >= 5
    assert all(cell_len(line.rstrip()) <= 60 for line in table)


def test_evaluate_ends_with_the_same_words(tmp_path, capsys):
    run = str(tmp_path / "run")
    assert main(["fit", "digits", "--epochs", "1", "--set", "depth=1", "--out", run]) == 0
    fitted = capsys.readouterr().out
    assert main(["evaluate", run, "digits"]) == 0
    evaluated = capsys.readouterr().out
    assert fitted.splitlines()[:2] == evaluated.splitlines()[:2]
    assert f"report         {run}/report.html" in fitted
    assert f"next           vitrail predict {run} IMAGE…" in evaluated
    for out in (fitted, evaluated):
        assert len(out.splitlines()) <= 25
