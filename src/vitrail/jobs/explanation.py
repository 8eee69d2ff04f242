"""What `explain` finds out about one image, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vitrail.analysis.faithfulness import Curves, Faithfulness
from vitrail.core.table import Table
from vitrail.jobs.prediction import Prediction

Map = npt.NDArray[np.float64]
DIGITS = 7
"""Digits of a number that are written: as many as float32 has."""


@dataclass(frozen=True)
class NamedMap:
    """Hold one map of an image.

    Args:
        title: for people, without a capital.
        values: (rows, columns) float64.
        signed: whether numbers below 0 speak against the class; otherwise there are none.
        remark: what the numbers add up to, where that says how far to trust them.
    """

    title: str
    values: Map
    signed: bool = False
    remark: str = ""


@dataclass(frozen=True)
class Explanation:
    """Hold what a model looks at in one image.

    Args:
        prediction: its answer; without label and probability for a model that has no classes.
        maps: by name, such as `last` and `rollout`; all of one shape.
        box: left, top, right, bottom of the part that the model saw, which the maps cover, in pixels of the image.
        size: height and width of the image, upright, in pixels.
        query: who looks, in words: the class token; or, for models that pool the patches, all these on average.
        target: the class that was asked about; None for a model that has no classes.
        faithfulness: which of the maps to believe; None if that was not measured.
    """

    prediction: Prediction
    maps: Table[NamedMap]
    box: tuple[float, float, float, float]
    size: tuple[int, int]
    query: str
    target: str | None = None
    faithfulness: Faithfulness | None = None

    @property
    def last(self) -> Map:
        """Share of attention that each patch gets in the last block, mean over heads."""
        return self.maps["last"].values

    @property
    def rollout(self) -> Map:
        """The same by attention rollout over all blocks."""
        return self.maps["rollout"].values

    def to_json(self) -> dict[str, Any]:
        """Turn into plain data.

        Returns:
            Keys top, grid, size, box, query, target; the name of each map; and faithfulness, if it was measured.
        """
        first = next(iter(self.maps.values()))
        measured = {} if self.faithfulness is None else {"faithfulness": verdict(self.faithfulness)}
        return {
            "top": self.prediction.to_json()["top"],
            "grid": list(first.values.shape),
            "size": list(self.size),
            "box": list(self.box),
            "query": self.query,
            "target": self.target,
            **{name: [[_rounded(one) for one in row] for row in found.values] for name, found in self.maps.items()},
            **measured,
        }


@dataclass(frozen=True)
class Explained:
    """Hold what became of one image.

    Args:
        path: the image, as it was named.
        explanation: what the model looks at; None if the image could not be used.
        files: pictures written.
        error: why the image could not be used; None if it could.
    """

    path: str
    explanation: Explanation | None
    files: tuple[Path, ...] = ()
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Turn into the object that `explain --json` prints.

        Returns:
            Keys path, label, probability, files, error; and faithfulness, if it was measured.
        """
        found = self.explanation
        answer = None if found is None else found.prediction
        measured = {} if found is None or found.faithfulness is None else {"faithfulness": verdict(found.faithfulness)}
        return {
            "path": self.path,
            "label": None if answer is None else answer.label,
            "probability": None if answer is None else answer.probability,
            "files": [str(file) for file in self.files],
            "error": self.error,
            **measured,
        }

    def record(self) -> dict[str, Any]:
        """Turn into the entry of `explanations.json`: all numbers, files by their names in the folder."""
        numbers = {} if self.explanation is None else self.explanation.to_json()
        return {**self.to_json(), "files": [file.name for file in self.files], **numbers}


def verdict(measured: Faithfulness) -> dict[str, Any]:
    """Turn a measurement into plain data.

    Args:
        measured: of one image.

    Returns:
        Keys believed, best, risk; maps: name → deletion, insertion, gain, beats_chance; chance: n, deletion, insertion,
        spread, bound.
    """
    return {
        "believed": measured.believed,
        "best": measured.best,
        "risk": _rounded(measured.risk),
        "maps": {
            name: {**_areas([curves]), "gain": _rounded(curves.gain), "beats_chance": measured.beats_chance(name)}
            for name, curves in measured.curves.items()
        },
        "chance": {
            "n": len(measured.chance),
            **_areas(list(measured.chance)),
            "spread": _rounded(measured.spread),
            "bound": _rounded(measured.bound),
        },
    }


def _areas(curves: list[Curves]) -> dict[str, float]:
    deleted = float(np.mean([one.deleted for one in curves]))
    return {"deletion": _rounded(deleted), "insertion": _rounded(float(np.mean([one.inserted for one in curves])))}


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
