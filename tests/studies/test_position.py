import numpy as np

from vitrail.studies.arrangement import CLASSES, arrangement
from vitrail.studies.position import KINDS, PAPER, STUDY
from vitrail.studies.results import Record, Results


def test_arrangements_have_equal_patches_in_other_places():
    dataset = arrangement(None, 0)
    train = dataset.splits["train"]
    assert len(set(map(bytes, train.images))) > 100
    for label, name in enumerate(CLASSES):
        image = train.images[np.flatnonzero(train.labels == label)[0], ..., 0]
        patches = image.reshape(4, 4, 4, 4).transpose(0, 2, 1, 3).reshape(16, 16)
        values, counts = np.unique(patches, axis=0, return_counts=True)
        assert counts.tolist() == [8, 8]
        bright = (image == values.max()).reshape(4, 4, 4, 4).all(axis=(1, 3))
        half = {"left": bright[:, :2], "right": bright[:, 2:], "top": bright[:2], "bottom": bright[2:]}
        assert half[name].all()
    first, other = arrangement(None, 0).splits["test"], arrangement(None, 1).splits["test"]
    assert (first.images == dataset.splits["test"].images).all()
    assert (first.labels != other.labels).any()


def judged(numbers, spread=0.0005, seeds=5):
    records = [
        Record(cell, seed, 1, {"top1": value + 0.01 * seed + spread * ((seed * 7 + index * 3) % 5)})
        for index, (cell, value) in enumerate(numbers.items())
        for seed in range(seeds)
    ]
    results = Results(records, "top1", list(numbers))
    return [claim.judge(results).kind for claim in STUDY.claims[:2]]


def test_the_papers_own_numbers_bear_its_claims_out():
    assert judged(PAPER) == ["reproduced", "reproduced"]


def test_numbers_that_contradict_the_paper_are_seen():
    assert judged({**PAPER, "none": 0.66})[0] == "not reproduced"
    assert judged({**PAPER, "2-D": 0.70})[1] == "not reproduced"
    assert judged(PAPER, spread=0.02) == ["not separated at this scale"] * 2


def test_the_kinds_are_those_of_table_8():
    assert set(PAPER) == {"none", *KINDS}
    assert [cell.name for cell in STUDY.full.cells] == list(PAPER)
