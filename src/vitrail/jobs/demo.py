"""The whole of vitrail on the digits that come with it: train, measure, explain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitrail.jobs.evaluate import open_for
from vitrail.jobs.events import Listener, silent
from vitrail.jobs.explain import draw_explanations, telling_images
from vitrail.jobs.explanation import Explained
from vitrail.jobs.explanation_folder import ExplanationFolder
from vitrail.jobs.fit import Run, fit
from vitrail.jobs.predictor import load
from vitrail.jobs.run_folder import RunFolder
from vitrail.weights.reference import Reference

DATA = "digits"


@dataclass(frozen=True)
class Demo:
    """Hold what the demonstration left.

    Args:
        run: of the training.
        explanations: folder of the pictures.
        explained: the images that were explained.
    """

    run: Run
    explanations: Path
    explained: tuple[Explained, ...]

    def to_json(self) -> dict[str, Any]:
        """Turn into the object that `demo --json` prints.

        Returns:
            What `fit --json` prints, and explanations.
        """
        return {**self.run.to_json(), "explanations": [one.to_json() for one in self.explained]}


def demonstrate(out: Reference | None = None, seed: int = 0, listener: Listener = silent) -> Demo:
    """Train on the digits, measure, and show what the model looks at in two test images.

    Args:
        out: run folder; None for a new one under `runs/`.
        seed: seed of everything random.
        listener: is told of decisions and progress.

    Returns:
        The run and its explanations.

    Raises:
        ConfigError: if the run folder is in use or cannot be written.
        StorageError: if the disk refuses midway.
        Interrupted: if a signal stopped it; a checkpoint was written.
    """
    run = fit(DATA, out=out, seed=seed, listener=listener)
    predictor = load(run)
    dataset = open_for(predictor, DATA)
    folder = ExplanationFolder.prepare(RunFolder(run.path).explanations.path, overwrite=True)
    explained = tuple(draw_explanations(predictor, telling_images(run.evaluation, dataset), folder))
    return Demo(run, folder.path, explained)
