"""Say what is wrong with labelled images before anything learns from them."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vitrail.core.files import write_atomically
from vitrail.data.check.clean import clean_list, worth_keeping
from vitrail.data.check.findings import FINDINGS, Item, concerned, find_all
from vitrail.data.check.gather import Progress, catalogue_of, survey, survey_quickly
from vitrail.data.check.survey import Catalogue
from vitrail.data.dataset import Dataset
from vitrail.data.sources import list_data
from vitrail.data.sources.listing import UNSPLIT, plural
from vitrail.jobs.events import Advanced, Listener, Note, silent
from vitrail.jobs.label_errors import Suspect, suspects
from vitrail.jobs.output_file import refuse_output
from vitrail.weights.reference import Reference

EVERY_S = 0.1
"""Seconds between two words on how far it has come."""


@dataclass(frozen=True)
class Check:
    """Hold what was found.

    Args:
        reference: what the user gave.
        catalogue: the images.
        findings: a row of `FINDINGS` each → its occurrences; none for most.
        suspects: labels that are likely wrong, the likeliest first; None if no model was asked.
        kept: how many images are worth keeping.
        seconds: time it took.
        files: what was written, name of the flag → path.
    """

    reference: str
    catalogue: Catalogue
    findings: dict[str, tuple[Item, ...]]
    suspects: tuple[Suspect, ...] | None
    kept: int
    seconds: float
    files: dict[str, Path] = field(default_factory=dict)

    @property
    def problems(self) -> dict[str, int]:
        """Titles of what spoils a training or its figures → how many occurrences."""
        found = {name: len(items) for name, items in self.findings.items() if items and FINDINGS[name].problem}
        return {FINDINGS[name].title: number for name, number in found.items()}

    def split_sizes(self) -> dict[str, int]:
        """Count the images of each split.

        Returns:
            Name → images.
        """
        counts = np.bincount(self.catalogue.split_of, minlength=len(self.catalogue.splits)).tolist()
        return dict(zip(self.catalogue.splits, counts, strict=True))

    def to_json(self) -> dict[str, Any]:
        """Turn into the object that `check --json` prints.

        Returns:
            data, n, splits, keep, seconds, out; for every row of `FINDINGS` a list; label_errors with a model.
        """
        catalogue = self.catalogue
        answer: dict[str, Any] = {
            "data": self.reference,
            "n": len(catalogue),
            "splits": self.split_sizes(),
            "keep": self.kept,
            "seconds": self.seconds,
            **{flag: str(path) for flag, path in self.files.items()},
        }
        for name, items in self.findings.items():
            answer[name] = [_item_json(catalogue, item) for item in items]
        if self.suspects is not None:
            answer["label_errors"] = [
                {**_image_json(catalogue, one.index), "suggested": one.suggested, "doubt": one.doubt}
                for one in self.suspects
            ]
        return answer


def check(
    data: Reference | Dataset,
    model: Reference | Any = None,
    *,
    variant: str | None = None,
    out: Reference | None = None,
    write_clean: Reference | None = None,
    near: bool = True,
    device: str | None = None,
    listener: Listener = silent,
) -> Check:
    """Look at every image of a data set, and say what is wrong. No file of the data is changed.

    Args:
        data: a data reference, or an open data set.
        model: whose features tell which labels are likely wrong; None: this is not asked.
        variant: what the weights of `model` are, where their file does not say.
        out: page with pictures to write, `.html`; None for none.
        write_clean: list of what is worth keeping to write, `.csv`; None for none.
        near: whether near duplicates are searched for, which takes time that grows with the square of the number of
            images.
        device: where the model computes; None for the fastest there is.
        listener: is told how far it has come.

    Returns:
        What was found.

    Raises:
        DataError: if the data cannot be read, if not one image can be used, or if a file cannot be written.
        WeightsError: if the model cannot be loaded.
        StorageError: if writing fails.
    """
    clock = time.perf_counter()
    name = data.reference if isinstance(data, Dataset) else os.fspath(data)
    opened = data if isinstance(data, Dataset) else list_data(data)
    for note in opened.notes:
        listener(Note(note))
    classes = opened.classes if isinstance(opened, Dataset) else opened.vocabulary
    catalogue = catalogue_of(classes, opened.splits)
    files = {
        flag: refuse_output(Path(path), flag, suffix, name, catalogue.paths)
        for flag, suffix, path in (("out", ".html", out), ("write_clean", ".csv", write_clean))
        if path is not None
    }
    if "write_clean" in files:
        clean_list(catalogue, range(len(catalogue)), files["write_clean"])  # what cannot be written is told at once
    doubter = _doubter(model, device, variant)
    seen = survey(catalogue, opened.splits, near, _teller(listener))
    found = find_all(seen)
    doubts = None if doubter is None else tuple(suspects(doubter, catalogue, opened.splits, listener))
    kept = worth_keeping(seen)
    result = Check(name, catalogue, found, doubts, len(kept), time.perf_counter() - clock, files)
    if "out" in files:
        from vitrail.jobs.check_page import CheckPage

        write_atomically(files["out"], CheckPage(result, opened.splits, opened.notes).render())
    if "write_clean" in files:
        write_atomically(files["write_clean"], clean_list(catalogue, kept, files["write_clean"]))
    return result


def warn_of_data(dataset: Dataset, listener: Listener) -> None:
    """Look for what can be found without decoding an image, and warn.

    Args:
        dataset: about to be trained on.
        listener: is told of each finding in a sentence.
    """
    catalogue = catalogue_of(dataset.classes, dataset.splits)
    found = find_all(survey_quickly(catalogue, dataset.splits), quick=True)
    told = False
    for name, items in found.items():
        if items:
            told = True
            listener(Note(_warning(catalogue, name, items), warning=FINDINGS[name].problem))
    if told:
        listener(Note(f"`vitrail check {dataset.reference}` shows these images, and finds near duplicates as well"))


def _warning(catalogue: Catalogue, name: str, items: tuple[Item, ...]) -> str:
    finding, first = FINDINGS[name], items[0]
    number = concerned(items)
    example = f"{catalogue.names[first.images[0]]}: {first.detail}" if first.images else first.detail
    extent = f" ({plural(number, 'image')} of {len(catalogue):,})" if number else ""
    return f"{finding.title[0].lower()}{finding.title[1:]}{extent}, such as {example}"


def _doubter(model: Reference | Any, device: str | None, variant: str | None) -> Any:
    if model is None:
        return None
    from vitrail.jobs.predictor import load

    return load(model, device, variant)


def _teller(listener: Listener) -> Progress:
    """Pass progress on, but not more often than a person can see."""
    last = [-EVERY_S]

    def tell(what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done >= total or now - last[0] >= EVERY_S:
            last[0] = now
            listener(Advanced(what, done, total))

    return tell


def _image_json(catalogue: Catalogue, index: int) -> dict[str, Any]:
    path = catalogue.paths[index] if catalogue.paths else catalogue.names[index]
    split = catalogue.split(index)
    return {"path": path, "label": catalogue.label(index), "split": None if split == UNSPLIT else split}


def _item_json(catalogue: Catalogue, item: Item) -> dict[str, Any]:
    images = [_image_json(catalogue, index) for index in item.images]
    if len(images) > 1:
        return {"kind": "exact" if item.exact else "near", "images": images, "detail": item.detail}
    return {**(images[0] if images else {}), "reason": item.detail}
