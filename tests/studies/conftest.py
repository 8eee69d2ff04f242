"""A study that takes a second, beside those of the table."""

from __future__ import annotations

import pytest

from vitrail.studies.claims import Claim, difference, greater, inside, untestable
from vitrail.studies.figures import dots
from vitrail.studies.study import Cell, Paper, Setup, Study
from vitrail.studies.table import STUDIES


def first_images(count):
    """Make a change that leaves the first training images."""

    def change(dataset, seed):
        train = dataset.splits["train"]
        splits = {**dataset.splits, "train": train.take(train.labels.argsort(kind="stable")[:: len(train) // count])}
        return type(dataset)(dataset.reference, dataset.classes, splits, dataset.traits)

    return change


@pytest.fixture
def tiny(monkeypatch):
    """Put a study of three cells on the digits into the table, and give it."""
    setup = Setup(
        cells=(
            Cell("plain"),
            Cell("further", start="plain", steps=0.5),
            Cell("few & <odd>", data=first_images(200), recipe={"lr": 1e-3}, optional=True),
        ),
        data="digits",
        model={
            "img_size": 8, "patch_size": 4, "embed_dim": 16, "depth": 1, "num_heads": 2, "mlp_ratio": 2.0,
        },
        settings={"lr": 1e-2},
        seeds=2,
        steps=(10, 30),
    )  # fmt: skip
    study = Study(
        title="Tiny",
        question="Does it run?",
        paper=Paper("Table 0", "accuracy", {"plain": 0.5}, "It does."),
        laptop=setup,
        full=setup,
        claims=(
            Claim("Further is better.", "t-test", greater({"further − plain": difference("further", "plain")})),
            Claim("Accuracies are shares.", "always", inside(0, 1, ["plain", "further"]), "theory"),
            Claim("Cats are better.", "none", untestable("there are no cats")),
        ),
        draw=lambda results: (dots("here", results, results.cells),),
        columns={"few_shot": "5-shot"},
    )
    monkeypatch.setitem(STUDIES._rows, "tiny", study)
    return study
