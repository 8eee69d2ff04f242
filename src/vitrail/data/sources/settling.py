"""Settle what a source leaves open: the class map, and which samples are set aside as val and test."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from vitrail.core.errors import DataError
from vitrail.core.table import nearest
from vitrail.data.dataset import Dataset, Samples
from vitrail.data.sources.listing import SPLITS, UNSPLIT, Listing, canonical, plural, quoted
from vitrail.data.split import stratified_split

Splits = dict[str, Samples]

FRACTIONS = {"test": 0.2, "val": 0.1}
"""Part of train that is set aside for each split, in the order in which they are cut."""


def settle(
    listing: Listing,
    reference: str,
    seed: int = 0,
    classes: Sequence[str] | None = None,
    made: Sequence[str] | None = None,
) -> Dataset:
    """Give every sample its class and its split.

    Args:
        listing: what the source found.
        reference: what the user gave, for messages.
        seed: seed of the run, which decides what is set aside.
        classes: class map of a trained model, matched by name; None makes one from the training split.
        made: with `classes`: splits that were set aside when the model was trained and are to be again.

    Returns:
        The data set. In training, val is set aside if it is not given, and test if neither is. With `classes`, an
        unsplit set is all "test", unless `made` names splits.

    Raises:
        DataError: if a class of one split is unknown to train or to the model, if there are fewer than two classes to
            learn or one without images, if there is no train split, or if nothing is left to set aside.
    """
    notes = list(listing.notes)
    splits = dict(listing.splits)
    if UNSPLIT in splits:
        whole = splits.pop(UNSPLIT)
        splits = {"train": whole} if classes is None or made else {"test": whole}
        if "test" in splits:
            notes.append(f"no split was given: all {plural(len(whole), 'image')} are read as test")
    if classes is None:
        names = _learnable(listing.vocabulary, splits, reference)
        wanted = [] if "val" in splits else ["val"] if "test" in splits else ["test", "val"]
        notes += _alike(names)
    else:
        names = tuple(classes)
        cuttable = [split for split in FRACTIONS if split not in splits] if "train" in splits else []
        wanted = [split for split in cuttable if split in (made or ())]
    splits = _renumber(listing.vocabulary, splits, names, reference, "train" if classes is None else "the model")
    splits = _set_aside(splits, wanted, seed, reference)
    if wanted:
        notes.append(_describe_cuts(splits, wanted, UNSPLIT in listing.splits, seed))
    elif classes is None and "test" not in splits:
        notes.append("no test split was given, and none was made since val is given: there is no test accuracy")
    notes += _absent(splits, names)
    splits = {split: splits[split] for split in SPLITS if split in splits}
    return Dataset(reference, names, splits, listing.traits, tuple(notes), tuple(wanted))


def _learnable(vocabulary: tuple[str, ...], splits: Mapping[str, Samples], reference: str) -> tuple[str, ...]:
    """Make the class map: the names that occur in train, in the vocabulary's order."""
    if "train" not in splits:
        raise DataError(
            f"{reference} has no train split; found: {quoted(splits)}", hint="add one: classes are learned from train"
        )
    train = splits["train"]
    seen = {split: set(np.unique(samples.labels).tolist()) for split, samples in splits.items()}
    empty = [name for code, name in enumerate(vocabulary) if not any(code in codes for codes in seen.values())]
    if empty:
        raise DataError(
            f"{reference} has no image of {_classes(empty)}",
            hint="a class cannot be learned from nothing: add images, or remove its folder",
        )
    names = tuple(vocabulary[code] for code in sorted(seen["train"]))
    if len(names) < 2:
        inner = sorted({name.split("/")[1] for name in train.names if name.count("/") > 1})
        nested = len(inner) > 1 and len(splits) == 1
        raise DataError(
            f"{reference} has one class to learn, {quoted(names)}; at least 2 are needed",
            hint=f"if its folders {quoted(inner)} are the classes, give {reference.rstrip('/')}/{names[0]}"
            if nested
            else "add a folder, or rows, of another class",
        )
    return names


def _renumber(
    vocabulary: tuple[str, ...], splits: Splits, classes: tuple[str, ...], reference: str, authority: str
) -> Splits:
    """Turn labels that index the vocabulary into labels that index the classes, matched by name."""
    codes = {canonical(name): code for code, name in enumerate(classes)}
    table = np.array([codes.get(name, -1) for name in vocabulary], dtype=np.int64)
    unknown: dict[str, list[str]] = {}
    for split, samples in splits.items():
        for code in np.unique(samples.labels):
            if table[code] < 0:
                unknown.setdefault(vocabulary[code], []).append(split)
    if unknown:
        where = " and ".join(dict.fromkeys(split for names in unknown.values() for split in names))
        raise DataError(
            f"{reference}: {_classes(list(unknown))} in {where} but not in {authority}, which has {quoted(classes, 9)}",
            hint=_advice(unknown, classes, authority),
        )
    return {split: Samples(samples.images, table[samples.labels], samples.names) for split, samples in splits.items()}


def _advice(unknown: Collection[str], classes: Sequence[str], authority: str) -> str:
    by_case = {name.casefold(): name for name in classes}
    for name in unknown:
        if name.casefold() in by_case:
            return f"{name!r} and {by_case[name.casefold()]!r} differ only in case: give them one name"
    for name in unknown:
        close = nearest(name, classes, 1)
        if close:
            return f"if {name!r} is {close[0]!r}, give them one name; otherwise leave its images out"
    if authority == "train":
        return "add images of it to train, or leave it out of the other splits"
    return "leave these images out, or train a model that knows them"


def _set_aside(splits: Splits, wanted: Sequence[str], seed: int, reference: str) -> Splits:
    splits = dict(splits)
    for split in wanted:
        train = splits["train"]
        kept, cut = stratified_split(train.labels, train.names, FRACTIONS[split], seed, split)
        if not len(cut):
            raise DataError(
                f"{reference} has too few images to set some aside as {split}: no class has 2 left in train",
                hint="add images, or give the splits yourself",
            )
        splits[split], splits["train"] = train.take(cut), train.take(kept)
    return splits


def _describe_cuts(splits: Mapping[str, Samples], cuts: Sequence[str], unsplit: bool, seed: int) -> str:
    given = "no split was given" if unsplit else f"no {' or '.join(cuts)} split was given"
    bases = ["the images" if unsplit else "train", "the rest"]
    parts = [
        f"{round(100 * FRACTIONS[split])} % of {base} ({len(splits[split]):,}) as {split}"
        for split, base in zip(cuts, bases, strict=False)
    ]
    return f"{given}: {' and '.join(parts).replace(' as', ' were set aside as', 1)}, stratified, seed {seed}"


def _absent(splits: Mapping[str, Samples], classes: Sequence[str]) -> list[str]:
    notes = []
    for split, samples in splits.items():
        counts = np.bincount(samples.labels, minlength=len(classes))
        absent = [name for name, count in zip(classes, counts, strict=True) if not count]
        if absent:
            notes.append(f"{split} has no image of {_classes(absent)}")
    return notes


def _alike(classes: Sequence[str]) -> list[str]:
    groups: dict[str, list[str]] = {}
    for name in classes:
        groups.setdefault(name.casefold(), []).append(name)
    return [
        f"classes {quoted(names)} differ only in case and are learned as {len(names)} classes"
        for names in groups.values()
        if len(names) > 1
    ]


def _classes(names: Sequence[str]) -> str:
    return f"class {names[0]!r}" if len(names) == 1 else f"{len(names):,} classes ({quoted(names)})"
