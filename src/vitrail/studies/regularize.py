"""What is regularisation worth, and does it depend on how much data there are? Table 3 and section 4.3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vitrail.studies.claims import Claim, greater
from vitrail.studies.results import Results
from vitrail.studies.study import Cell, Paper, Setup, Study
from vitrail.studies.subsets import some_images

if TYPE_CHECKING:
    from vitrail.report.study_data import Panel

FEW, MANY = 500, 20_000
SIZES = (FEW, 3000, MANY)
WAYS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "none": ({}, {}),
    "dropout": ({"drop_rate": 0.1}, {}),
    "stochastic depth": ({"drop_path_rate": 0.1}, {}),
    "augmentation": ({}, {"augment.shift": 0.08, "augment.rotate": 6.0, "augment.zoom": 0.08}),
}
"""How → fields of the model, settings of the recipe."""


def _name(way: str, count: int) -> str:
    return f"{way}, {count:,} images"


def _gain(way: str, count: int, weight: float = 1.0) -> dict[str, float]:
    return {_name(way, count): weight, _name("none", count): -weight}


def _draw(results: Results) -> Sequence[Panel]:
    from vitrail.studies.figures import curve, curves

    found = [
        curve(way, results, {_name(way, count): float(count) for count in SIZES}, group=group)
        for group, way in enumerate(WAYS)
    ]
    return (curves("Here: test accuracy", "training images", found),)


STUDY = Study(
    title="Regularisation",
    question="What are dropout, stochastic depth and augmentation worth with few images, and with many?",
    paper=Paper(
        "Table 3, section 4.3",
        "",
        {},
        "On ImageNet and ImageNet-21k the paper regularises (dropout 0.1, weight decay), and needs it: without, "
        "larger models do worse than smaller ones. On 300 million images it uses no dropout at all. Stochastic depth "
        "and strong augmentation came later (DeiT, AugReg), for small data.",
    ),
    laptop=Setup(
        cells=tuple(
            Cell(_name(way, count), *changes, some_images(count), optional=count == 3000)
            for count in SIZES for way, changes in WAYS.items()
        ),
        model={"img_size": 28, "patch_size": 7, "embed_dim": 64, "depth": 4, "num_heads": 4, "mlp_ratio": 2.0},
        settings={"batch_size": 64, "lr": 1e-3, "weight_decay": 0.05},
        seeds=5,
        steps=(600, 6000),
        about="One small ViT, the same number of steps of 64 images for every cell, so fewer images are seen more "
        "often. Images of a smaller set are among those of a larger one. Augmentation moves, turns and zooms images a "
        "little. Accuracy is in per cent of the test images.",
    ),
    full=Setup(
        cells=(
            Cell("none", {}, {"drop": {"drop_rate": 0.0}}),
            Cell("dropout", {}, {"drop": {"drop_rate": 0.1}}),
            Cell("stochastic depth", {}, {"drop": {"drop_path_rate": 0.1}}),
            Cell("augmentation", {}, {"drop": {"drop_rate": 0.0}, "augment.rand.operations": 2, "mixup": 0.2}),
        ),
        data="",
        variant="B/16",
        recipe="paper_i1k",
        seeds=1,
        about="ViT-B/16 at 224 pixels from scratch, as in table 3 (300 epochs).",
    ),
    claims=(
        Claim(
            f"With few images ({FEW:,}), regularisation helps.",
            "Each way against none: paired t-test over seeds, one-sided, Holm-corrected; all must have p ≤ 0.05.",
            greater({f"{way} − none": _gain(way, FEW) for way in list(WAYS)[1:]}),
        ),
        Claim(
            "The more images there are, the less it is worth.",
            f"What each way gains with {FEW:,} images less what it gains with {MANY:,}: paired t-test over seeds, "
            "one-sided, Holm-corrected; all must have p ≤ 0.05.",
            greater({f"{way}: few − many": _gain(way, FEW) | _gain(way, MANY, -1.0) for way in list(WAYS)[1:]}),
        ),
    ),
    draw=_draw,
    columns={"loss": "training loss", "nll": "test loss"},
)  # fmt: skip
