"""Does the kind of positional information matter? Table 8."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vitrail.studies.arrangement import CHANCE, SIZES, arrangement
from vitrail.studies.claims import Claim, difference, greater, inside
from vitrail.studies.results import Results
from vitrail.studies.study import Cell, Paper, Setup, Study

if TYPE_CHECKING:
    from vitrail.report.study_data import Panel

PAPER = {
    "none": 0.61382,
    "1-D": 0.64206,
    "1-D, every layer": 0.63964,
    "1-D, every layer, shared": 0.64292,
    "2-D": 0.64001,
    "2-D, every layer": 0.64046,
    "2-D, every layer, shared": 0.64022,
    "relative": 0.64032,
}


def _cell(name: str, kind: str, at: str = "") -> Cell:
    return Cell(name, {"position": {"kind": kind, "at": at} if at else kind})


PAPERS_CELLS = (
    _cell("none", "none"),
    _cell("1-D", "learned_1d"),
    _cell("1-D, every layer", "learned_1d", "every_layer"),
    _cell("1-D, every layer, shared", "learned_1d", "every_layer_shared"),
    _cell("2-D", "learned_2d"),
    _cell("2-D, every layer", "learned_2d", "every_layer"),
    _cell("2-D, every layer, shared", "learned_2d", "every_layer_shared"),
    _cell("relative", "relative"),
)
LATER_CELLS = (_cell("bias table", "relative_bias"), _cell("sine-cosine", "sincos_2d"), _cell("rotary", "rope_2d"))
KINDS = tuple(cell.name for cell in PAPERS_CELLS[1:])
LATER = tuple(cell.name for cell in LATER_CELLS)

SMALL = {"img_size": 16, "patch_size": 4, "embed_dim": 32, "depth": 2, "pool": "mean"}
"""The mean of the patches: a class token has no place, so that relative kinds reach it by a detour."""
PUZZLES = {
    f"arrangement, {name}": Cell(
        f"arrangement, {name}", {"position": kind, **SMALL}, {"lr": 5e-3, "batch_size": 32}, arrangement, 1, 600
    )
    for name, kind in {
        "none": "none", "1-D": "learned_1d", "2-D": "learned_2d", "relative": "relative",
        "bias table": "relative_bias", "sine-cosine": "sincos_2d", "rotary": "rope_2d",
    }.items()
}  # fmt: skip
NO_PUZZLE, *KIND_PUZZLES = PUZZLES
NOISE = 4 * math.sqrt(CHANCE * (1 - CHANCE) / SIZES["test"])

GAP = 0.25
"""Differences between kinds are small if they are less than this part of what position is worth; the paper's: 0.12."""


def _draw(results: Results) -> Sequence[Panel]:
    from vitrail.studies.figures import dots, paper_dots

    groups = {"none": 1} | dict.fromkeys(KINDS, 0) | dict.fromkeys(LATER, 2)
    return (
        dots("Here: test accuracy", results, groups),
        paper_dots("Paper: ImageNet, 5-shot linear accuracy", PAPER, groups),
        dots("Arrangement of identical patches: test accuracy", results, dict.fromkeys(PUZZLES, 0) | {NO_PUZZLE: 1},
             line=CHANCE),
    )  # fmt: skip


def _small_differences() -> dict[str, dict[str, float]]:
    """Write a quarter of the worth of 1-D less the difference between a kind and 1-D, in both directions."""
    worth = {"1-D": GAP, "none": -GAP}
    contrasts = {}
    for kind in KINDS[1:]:
        for sign, words in ((1.0, "better"), (-1.0, "worse")):
            name = f"¼ of the gap − how much {words} than 1-D {kind} is"
            contrasts[name] = {"none": -GAP, "1-D": GAP + sign, kind: -sign}
    assert all(abs(sum(weights.values())) < 1e-9 for weights in (*contrasts.values(), worth))
    return contrasts


STUDY = Study(
    title="Position",
    question="How much is positional information worth, and does its kind matter?",
    paper=Paper(
        "Table 8, appendix D.4",
        "ImageNet, 5-shot linear accuracy of ViT-B/16",
        PAPER,
        "Without position the model is 2.6 to 2.9 points worse; how position is encoded, and where it enters, changes "
        "0.3 points at most. Patches are few and large, so that telling their places apart is easy for any kind.",
    ),
    laptop=Setup(
        cells=(*PAPERS_CELLS, *LATER_CELLS, *PUZZLES.values()),
        model={
            "img_size": 28,
            "patch_size": 7,
            "embed_dim": 64,
            "depth": 4,
            "num_heads": 4,
            "mlp_ratio": 2.0,
        },
        settings={"batch_size": 64, "optimizer.lr": 2e-3, "optimizer.weight_decay": 0.05},
        seeds=5,
        steps=(400, 8000),
        about="Every cell trains one small ViT (patches of 7 on 28 pixels, width 64, depth 4) from scratch for the "
        "same number of steps of 64 images, with AdamW and no augmentation; only the position differs. Accuracy is in "
        "per cent of the test images. The last rows learn generated images whose class is nothing but where identical "
        "patches lie.",
    ),
    full=Setup(
        cells=PAPERS_CELLS,
        data="",
        variant="B/16",
        recipe="paper_i21k",
        settings={"epochs": 7, "optimizer.lr": 8e-4, "optimizer.weight_decay": 0.1, "drop": {"drop_rate": 0.0}},
        seeds=1,
        about="ViT-B/16 at 224 pixels, pre-trained as in table 3 (JFT, 7 epochs), then 5-shot linear accuracy.",
    ),
    claims=(
        Claim(
            "Any kind of position is better than none.",
            "Each kind against none: paired t-test over seeds, one-sided, Holm-corrected; all must have p ≤ 0.05.",
            greater({f"{kind} − none": difference(kind, "none") for kind in KINDS}),
        ),
        Claim(
            "How position is encoded, and where it enters, hardly matters.",
            "Each kind differs from 1-D by less than a quarter of what 1-D is worth (its gap to none): paired t-test "
            "over seeds for either direction, Holm-corrected; all must have p ≤ 0.05.",
            greater(_small_differences()),
        ),
        Claim(
            "Without position, the arrangement of identical patches cannot be told: accuracy stays at chance.",
            f"Every run lies within four standard errors of {100 * CHANCE:.0f} %.",
            inside(CHANCE - NOISE, CHANCE + NOISE, [NO_PUZZLE]),
            by="theory",
        ),
        Claim(
            "With any kind of position it can.",
            "Every run has 95 % or more.",
            inside(0.95, 1.0, KIND_PUZZLES),
            by="theory",
        ),
        Claim(
            "A head of zeros begins at the log of the number of classes.",
            "The loss of the first step differs from ln 4 by less than 0.00001 in every run on the four arrangements.",
            inside(math.log(4) - 1e-5, math.log(4) + 1e-5, list(PUZZLES), "first_loss", "number"),
            by="theory",
        ),
    ),
    draw=_draw,
    columns={"few_shot": "5-shot", "parameters": "parameters", "step_seconds": "ms a step"},
)
