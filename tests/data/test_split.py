"""Stratified, seeded, decided by names."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitrail.core.errors import ConfigError
from vitrail.data.split import stratified_split

LABELS = st.lists(st.integers(0, 5), min_size=0, max_size=120)


def names_for(count: int) -> list[str]:
    return [f"class/{index}.jpg" for index in range(count)]


@settings(deadline=None, max_examples=150)
@given(labels=LABELS, fraction=st.floats(0.01, 0.99), seed=st.integers(0, 2**32))
def test_is_stratified_disjoint_and_complete(labels: list[int], fraction: float, seed: int) -> None:
    array = np.array(labels, dtype=np.int64)
    kept, cut = stratified_split(array, names_for(len(labels)), fraction, seed, "test")

    assert sorted([*kept, *cut]) == list(range(len(labels)))
    assert (np.diff(kept) > 0).all() and (np.diff(cut) > 0).all()
    assert kept.dtype == cut.dtype == np.int64
    for label in set(labels):
        size = labels.count(label)
        part = int((array[cut] == label).sum())
        assert part <= size - 1
        assert abs(part - fraction * size) < 1
    if max((labels.count(label) for label in set(labels)), default=0) >= 2:
        assert len(cut) >= 1
    else:
        assert len(cut) == 0


@settings(deadline=None, max_examples=60)
@given(labels=LABELS, seed=st.integers(0, 99), data=st.data())
def test_order_of_samples_does_not_matter(labels: list[int], seed: int, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(labels))))
    names = names_for(len(labels))
    _, cut = stratified_split(np.array(labels, dtype=np.int64), names, 0.3, seed, "val")
    shuffled = np.array([labels[index] for index in order], dtype=np.int64)
    _, cut_shuffled = stratified_split(shuffled, [names[index] for index in order], 0.3, seed, "val")

    assert {names[index] for index in cut} == {names[order[index]] for index in cut_shuffled}


def test_the_total_is_right_even_for_many_tiny_classes() -> None:
    labels = np.arange(200) // 2
    _, cut = stratified_split(labels, names_for(200), 0.2, 0, "test")

    assert len(cut) == 40
    assert len(set(labels[cut])) == 40


def test_seed_and_salt_choose_different_samples() -> None:
    labels, names = np.zeros(400, dtype=np.int64), names_for(400)
    cuts = [set(stratified_split(labels, names, 0.5, seed, salt)[1]) for seed, salt in ((0, "a"), (1, "a"), (0, "b"))]

    assert cuts[0] == set(stratified_split(labels, names, 0.5, 0, "a")[1])
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert 60 < len(cuts[one] & cuts[other]) < 140


def test_added_samples_hardly_move_the_others() -> None:
    names = names_for(1100)
    _, before = stratified_split(np.zeros(1000, dtype=np.int64), names[:1000], 0.2, 0, "test")
    _, after = stratified_split(np.zeros(1100, dtype=np.int64), names, 0.2, 0, "test")

    assert len(set(before) - set(after)) <= 20


def test_unicode_spelling_does_not_matter() -> None:
    names = [f"Äpfel/{index}é.jpg" for index in range(50)]
    labels = np.zeros(50, dtype=np.int64)
    decomposed = [unicodedata.normalize("NFD", name) for name in names]

    cuts = [stratified_split(labels, spelling, 0.2, 3, "x")[1].tolist() for spelling in (names, decomposed)]

    assert names != decomposed and cuts[0] == cuts[1]


def test_the_choice_is_the_same_on_every_machine() -> None:
    _, cut = stratified_split(np.arange(40) % 2, names_for(40), 0.2, 7, "test")

    assert cut.tolist() == [2, 4, 6, 7, 21, 27, 28, 33]


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, float("nan")])
def test_fraction_out_of_range(fraction: float) -> None:
    with pytest.raises(ConfigError, match="fraction"):
        stratified_split(np.zeros(3, dtype=np.int64), names_for(3), fraction, 0, "test")
