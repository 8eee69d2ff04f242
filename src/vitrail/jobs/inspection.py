"""What an inspection found, and where it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitrail.analysis.survey import Findings
from vitrail.analysis.trend import Trend
from vitrail.core.files import as_text
from vitrail.data.pixels import Pixels
from vitrail.jobs.inspection_images import Chosen
from vitrail.jobs.inspection_words import Artefacts, sentences


@dataclass(frozen=True)
class Looked:
    """Hold what was found in images.

    Args:
        findings: the figures.
        trend: of attention distance with depth.
        artefacts: patches of high norm.
        names: of the images, in order.
        first: names and pixels of the first few.
    """

    findings: Findings
    trend: Trend
    artefacts: Artefacts
    names: list[str]
    first: list[tuple[str, Pixels]]

    @property
    def sentences(self) -> tuple[str, ...]:
        """Say what was found, and whether it is what the paper found."""
        return sentences(self.findings, self.trend, self.artefacts)

    def to_json(self) -> dict[str, Any]:
        """Turn into plain data.

        Returns:
            Keys n, distance, artefacts.
        """
        mean = self.findings.distance.mean(dim=1)
        trend = self.trend
        return {
            "n": self.findings.images,
            "distance": {
                "by_layer": mean.tolist(), "trend": trend.verdict, "rho": trend.rho, "layers": trend.n,
                "p_rising": trend.p_rising, "p_falling": trend.p_falling,
            },
            "artefacts": {"share": self.artefacts.share, "threshold": self.artefacts.threshold},
        }  # fmt: skip


@dataclass(frozen=True)
class Inspection:
    """Hold what an inspection found, and where it is.

    Args:
        model: the model file.
        out: the folder.
        chosen: where the images came from, and those that could not be used; None if none were looked at.
        looked: what was found in them; None if none were looked at.
        notes: what was left out, each a sentence.
        files: names of the figures' files.
        settings: seed, renormalise, layers, heads.
        seconds: time it took.
    """

    model: Path
    out: Path
    chosen: Chosen | None
    looked: Looked | None
    notes: tuple[str, ...]
    files: tuple[str, ...]
    settings: dict[str, Any]
    seconds: float

    @property
    def sentences(self) -> tuple[str, ...]:
        """Say what was found in the images; nothing if none were looked at."""
        return () if self.looked is None else self.looked.sentences

    def to_json(self) -> dict[str, Any]:
        """Turn into the object that `inspect --json` prints, and `inspection.json` holds.

        Returns:
            model, data, split, n, distance, artefacts, sentences, notes, bad_files, files, settings, out, seconds.
        """
        chosen, bad = self.chosen, [] if self.chosen is None else self.chosen.bad
        return {
            "model": str(self.model),
            "data": None if chosen is None else chosen.reference,
            "split": None if chosen is None else chosen.split or None,
            **({"n": 0, "distance": None, "artefacts": None} if self.looked is None else self.looked.to_json()),
            "sentences": self.sentences,
            "notes": self.notes,
            "bad_files": [{"path": as_text(name), "error": as_text(reason)} for name, reason in bad],
            "files": self.files,
            **self.settings,
            "out": str(self.out),
            "seconds": self.seconds,
        }
