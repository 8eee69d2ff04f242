"""What every probe must keep: one suite over the table."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

import vitrail
from vitrail.evaluation.metrics import balanced_accuracy, wilson_interval
from vitrail.evaluation.probes import CHOSEN, PROBES, ChosenProbe, FewShotProbe, Labelled

NAMES = [str(digit) for digit in range(10)]


@pytest.fixture(scope="module")
def parts():
    images, labels = load_digits(return_X_y=True)
    cuts = ((0, 500), (500, 700), (700, 1000))
    return [Labelled(images[low:high].astype(np.float32), labels[low:high]) for low, high in cuts]


@pytest.mark.parametrize("name", PROBES)
def test_figures_have_the_names_of_the_contract(name, parts):
    assert PROBES[name].name == name
    found = dict(PROBES[name].measure(*parts, NAMES))
    assert 0.6 < found["top1"] <= found["top5"] <= 1
    assert found["n"] == 300
    assert found["interval"] == list(wilson_interval(round(300 * found["top1"]), 300))
    assert 0 < found["macro_f1"] < 1 and 0 < found["balanced_accuracy"] < 1


@pytest.mark.parametrize("name", PROBES)
def test_the_same_again_is_the_same(name, parts):
    assert dict(PROBES[name].measure(*parts, NAMES)) == dict(PROBES[name].measure(*parts, NAMES))


@pytest.mark.parametrize("name", PROBES)
def test_no_top5_of_three_classes(name, parts):
    few = [Labelled(part.x[part.y < 3], part.y[part.y < 3]) for part in parts]
    assert "top5" not in dict(PROBES[name].measure(*few, NAMES[:3]))


@pytest.mark.parametrize("name", PROBES)
def test_nothing_is_chosen_on_what_is_measured(name, parts):
    """With wrong labels on the measured images the choice stays; with others on validation it may move."""
    train, val, measured = parts
    wrong = Labelled(measured.x, (measured.y + 1) % 10)
    right, lost = (dict(PROBES[name].measure(train, val, one, NAMES)) for one in (measured, wrong))
    assert right.get("chosen") == lost.get("chosen")
    assert lost["top1"] < 0.2


@pytest.mark.parametrize("name", PROBES)
def test_one_class_is_refused(name, parts):
    train, val, measured = parts
    one = Labelled(train.x[train.y == 4], train.y[train.y == 4])
    with pytest.raises(vitrail.DataError, match="one class, '4'") as caught:
        dict(PROBES[name].measure(one, val, measured, NAMES))
    assert "two classes" in caught.value.hint


@pytest.mark.parametrize("name", CHOSEN)
def test_the_best_value_is_taken_and_the_strongest_of_equals(name, parts):
    train, val, _ = parts
    probe = CHOSEN[name]
    found, fair = probe.choose(train, val, NAMES), probe.choose(train, val, NAMES, balanced_accuracy)
    scores = list(probe.scores(train.x, train.y, val.x, 10, probe.values))
    accuracies = [(one.argmax(axis=1) == val.y).mean() for one in scores]
    assert found.score == max(accuracies)
    assert found.wrong == round((1 - found.score) * len(val.y))
    recalls = [[(one.argmax(axis=1) == y)[val.y == y].mean() for y in np.unique(val.y)] for one in scores]
    assert fair.score == pytest.approx(max(np.mean(recalls, axis=1)))
    assert fair.value == probe.values[int(np.argmax(np.mean(recalls, axis=1)))]
    assert found.value == probe.values[int(np.argmax(accuracies))]
    assert len(set(accuracies)) > 2


def test_validation_images_are_learned_from_once_they_have_chosen(parts):
    train, val, measured = parts
    seen = []

    def scores(x, y, points, num_classes, values):
        seen.append((len(x), len(points), values))
        return (np.eye(num_classes)[np.arange(len(points)) % num_classes] for _ in values)

    probe = ChosenProbe("one", "k", (2, 1), scores)
    dict(probe.measure(train, val, measured, NAMES))
    dict(probe.measure(train, val, val, NAMES))
    assert seen == [(500, 200, (2, 1)), (700, 300, (2,)), (500, 200, (2, 1)), (500, 200, (2,))]


def test_few_shots_are_the_mean_of_the_protocol(parts):
    train, val, measured = parts
    found = dict(FewShotProbe(3, (4, 7)).measure(train, val, measured, NAMES))
    expected = [vitrail.evaluation.few_shot(train.x, train.y, measured.x, measured.y, 3, seed) for seed in (4, 7)]
    assert list(found["draws"].values()) == expected
    assert found["top1"] == pytest.approx(np.mean(expected))
    with pytest.raises(vitrail.DataError, match="fewer than shots = 100"):
        dict(FewShotProbe(100).measure(train, val, measured, NAMES))
