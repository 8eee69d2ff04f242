"""Labels that a model's features speak against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vitrail.core.errors import DataError
from vitrail.data.check.survey import Catalogue
from vitrail.data.dataset import Samples
from vitrail.evaluation.label_errors import doubt_labels
from vitrail.jobs.events import Listener, Note
from vitrail.jobs.frozen_features import FrozenFeatures
from vitrail.jobs.predictor import Predictor


@dataclass(frozen=True)
class Suspect:
    """Hold a label that is likely wrong.

    Args:
        index: of the image in the catalogue.
        suggested: the class that is more probable.
        doubt: 0 … 1, by how much.
    """

    index: int
    suggested: str
    doubt: float


def suspects(
    predictor: Predictor, catalogue: Catalogue, splits: dict[str, Samples], listener: Listener
) -> Iterator[Suspect]:
    """Find labels that are likely wrong, by what the labels of images with similar features say.

    The model's own answers do not count: it may have learned the wrong labels by heart.

    Args:
        predictor: whose features are taken.
        catalogue: of the splits.
        splits: name → samples.
        listener: is told what goes on.

    Yields:
        Suspects, the likeliest first.

    Raises:
        DataError: if the images that can be used are of fewer than two classes.
    """
    listener(Note(f"asking {predictor.path.name} which labels are likely wrong: features of {len(catalogue):,} images"))
    features = FrozenFeatures(predictor, listener=listener)
    x, y, places, start = [], [], [], 0
    for part in splits.values():
        found = features.of(part)
        bad = {number for number, _ in found.bad}
        places += [start + number for number in range(len(part)) if number not in bad]
        if len(found.labelled.y):
            x.append(found.labelled.x)
            y.append(found.labelled.y)
        start += len(part)
    labels = np.concatenate(y) if y else np.empty(0, dtype=np.int64)
    if len(np.unique(labels)) < 2:
        raise DataError(
            "a model was given to find wrong labels, but all images have one",
            hint="leave --model out, or give images of two classes or more",
        )
    doubts = doubt_labels(np.concatenate(x), labels, len(catalogue.classes))
    for row in np.argsort(-doubts.doubt, kind="stable").tolist():
        if doubts.suspect[row]:
            yield Suspect(places[row], catalogue.classes[int(doubts.suggested[row])], float(doubts.doubt[row]))
