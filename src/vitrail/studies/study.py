"""What a study is, as data: a question, its cells, and the claims that are tested on their runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from vitrail.core.table import Table
from vitrail.studies.claims import Claim
from vitrail.studies.results import Results

if TYPE_CHECKING:
    from vitrail.data.dataset import Dataset
    from vitrail.report.study_data import Panel
    from vitrail.studies.task import Task

Fields = Mapping[str, Any]
Change = Callable[["Dataset", int], "Dataset"]
"""(the study's data, seed) → the data of one cell."""
Figures = dict[str, float]


@dataclass(frozen=True)
class Cell:
    """Be one variation: what differs from the study's model, recipe and data.

    Args:
        name: as the table and the figure call it.
        model: flat fields laid over the study's model.
        recipe: settings laid over the study's recipe, by name.
        data: makes the cell's data out of the study's; None for the study's.
        steps: steps of its trainings ÷ those of the plan, greater than 0.
        fixed_steps: steps of its trainings whatever the plan says; 0 for as the plan says.
        start: name of an earlier cell, whose weights of the same seed it begins with; "" for fresh ones.
        optional: whether it is left out where time is short.
    """

    name: str
    model: Fields = field(default_factory=dict)
    recipe: Fields = field(default_factory=dict)
    data: Change | None = None
    steps: float = 1.0
    fixed_steps: int = 0
    start: str = ""
    optional: bool = False

    def count_steps(self, planned: int) -> int:
        """Say how many steps a training of this cell has.

        Args:
            planned: steps of the plan.

        Returns:
            1 or more.
        """
        return self.fixed_steps or max(1, round(self.steps * planned))


@dataclass(frozen=True)
class Setup:
    """Hold a study at one scale.

    Args:
        cells: what is compared, those that others start from first.
        data: data reference; "" where the user must give one.
        variant: name of the model; "" for what the fields say alone.
        model: flat fields laid over the variant.
        recipe: row of `RECIPES`; "" for the plain defaults: AdamW and cross-entropy, no augmentation.
        settings: laid over the recipe, by name.
        seeds: trainings of each cell that are wanted; with fewer than two, nothing is claimed.
        steps: fewest and most steps of a training; fewer are taken only with a single seed left.
        validate: whether validation images are measured too, for studies that choose something by them.
        about: what is equal between cells, and what differs from the paper; sentences for the page.
    """

    cells: tuple[Cell, ...]
    data: str = "fashion-mnist"
    variant: str = ""
    model: Fields = field(default_factory=dict)
    recipe: str = ""
    settings: Fields = field(default_factory=dict)
    seeds: int = 5
    steps: tuple[int, int] = (300, 4000)
    validate: bool = False
    about: str = ""

    def cell(self, name: str) -> Cell:
        """Find a cell.

        Args:
            name: its name.

        Returns:
            The cell.

        Raises:
            ConfigError: if there is none of that name, with the nearest ones.
        """
        return Table("cell", {one.name: one for one in self.cells})[name]

    def only(self, names: Sequence[str]) -> Setup:
        """Keep some cells, and those that they start from.

        Args:
            names: of cells.

        Returns:
            A setup with these, in the order of this one.

        Raises:
            ConfigError: for an unknown name.
        """
        wanted = {name for given in names for name in self._chain(given)}
        return replace(self, cells=tuple(cell for cell in self.cells if cell.name in wanted))

    def _chain(self, name: str) -> list[str]:
        cell = self.cell(name)
        return [name, *(self._chain(cell.start) if cell.start else [])]


@dataclass(frozen=True)
class Paper:
    """Hold what the paper says.

    Args:
        where: table or figure, and appendix.
        measure: what its numbers are, such as "ImageNet, 5-shot linear accuracy".
        numbers: cell → number, a fraction where it is an accuracy; cells that it does not have are absent.
        found: what it concludes, in our words.
    """

    where: str
    measure: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    found: str = ""


@dataclass(frozen=True)
class Study:
    """Be one question of the paper.

    Args:
        title: what it is about, in two or three words.
        question: one sentence.
        paper: what the paper says.
        laptop: the study as two cores finish it.
        full: the paper's own configuration.
        claims: what is tested, the paper's own first, then what theory guarantees.
        draw: results → the panels of its figure.
        metric: the figure of a run that the table shows first.
        columns: other figures of a run that the table shows: name → heading.
        run: carries out one run; None: train and measure.
    """

    title: str
    question: str
    paper: Paper
    laptop: Setup
    full: Setup
    claims: tuple[Claim, ...]
    draw: Callable[[Results], Sequence[Panel]]
    metric: str = "top1"
    columns: Mapping[str, str] = field(default_factory=dict)
    run: Callable[[Task], Figures] | None = None

    def setup(self, scale: str) -> Setup:
        """Give the study at one scale.

        Args:
            scale: "laptop" or "paper".

        Returns:
            The setup.

        Raises:
            ConfigError: for another scale.
        """
        return Table("scale", {"laptop": self.laptop, "paper": self.full})[scale]
