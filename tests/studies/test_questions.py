"""Numbers that bear out the claims of a study, and numbers that do not."""

import numpy as np
import pytest

from vitrail.data.sources import open_dataset
from vitrail.studies import pooling, regularize, scaling
from vitrail.studies.results import Record, Results
from vitrail.studies.subsets import some_images


def judged(study, value, figures=("top1",), spread=0.001):
    cells = [cell.name for cell in study.laptop.cells]
    records = [
        Record(
            cell, seed, 1, {name: value(cell) + 0.02 * seed + spread * ((3 * seed + number) % 4) for name in figures}
        )
        for number, cell in enumerate(cells)
        for seed in range(4)
    ]
    results = Results(records, "top1", cells)
    return [claim.judge(results).kind for claim in study.claims]


def papers_curve(best):
    def value(cell):
        pool, _, rate = cell.partition(", ")
        return 0.8 - 0.05 * abs(np.log2(float(rate) / best[pool]))

    return value


def test_pools_that_are_equal_at_other_rates_bear_figure_9_out():
    kinds = judged(pooling.STUDY, papers_curve({"class token": 4e-3, "mean": 1e-3}), ("top1", "val_top1"))
    assert kinds == ["reproduced", "reproduced"]


def test_pools_with_one_best_rate_leave_the_second_claim_open():
    kinds = judged(pooling.STUDY, papers_curve({"class token": 2e-3, "mean": 2e-3}), ("top1", "val_top1"))
    assert kinds == ["reproduced", "not separated at this scale"]


def test_a_better_token_is_seen():
    curve = papers_curve({"class token": 4e-3, "mean": 1e-3})
    kinds = judged(pooling.STUDY, lambda cell: curve(cell) + 0.05 * cell.startswith("class"), ("top1", "val_top1"))
    assert kinds[0] == "not reproduced"


SCALES = {
    "depth 1": 0.60, "depth 2": 0.66, "depth 8": 0.73, "width 32": 0.68, "width 96": 0.705, "patch 14": 0.6,
    "patch 4": 0.76,
}  # fmt: skip


def test_depth_patches_and_width_as_in_figure_8():
    assert judged(scaling.STUDY, lambda cell: SCALES.get(cell, 0.70)) == ["reproduced"] * 4
    assert judged(scaling.STUDY, lambda cell: 1 - SCALES.get(cell, 0.70)) == ["not reproduced"] * 4
    assert set(judged(scaling.STUDY, lambda cell: 0.7, spread=0.02)) == {"not separated at this scale"}


def test_regularisation_that_helps_few_images_more_is_seen():
    def gain(cell):
        return 0.7 + (0.05 if " 500 " in cell else 0.001) * (not cell.startswith("none"))

    assert judged(regularize.STUDY, gain) == ["reproduced", "reproduced"]
    assert judged(regularize.STUDY, lambda cell: 1.4 - gain(cell)) == ["not reproduced"] * 2


def test_smaller_sets_are_parts_of_larger_ones_and_balanced():
    dataset = open_dataset("digits")
    small, large = (some_images(count)(dataset, 3).splits["train"] for count in (55, 300))
    assert len(small) == 55
    assert set(small.names) < set(large.names) < set(dataset.splits["train"].names)
    assert np.bincount(small.labels, minlength=10).tolist() == pytest.approx([5.5] * 10, abs=0.5)
    assert len(some_images(10**6)(dataset, 3).splits["train"]) == len(dataset.splits["train"])
    assert set(some_images(55)(dataset, 4).splits["train"].names) != set(small.names)
