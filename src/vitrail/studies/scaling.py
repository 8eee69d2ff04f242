"""Which way of making a ViT larger pays? Figure 8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vitrail.studies.claims import Claim, difference, greater
from vitrail.studies.results import Results
from vitrail.studies.study import Cell, Paper, Setup, Study

if TYPE_CHECKING:
    from vitrail.report.study_data import Panel

BASE = "base"
SWEEPS: dict[str, dict[str, dict[str, Any]]] = {
    "depth": {
        "depth 1": {"depth": 1}, "depth 2": {"depth": 2}, BASE: {}, "depth 8": {"depth": 8},
    },
    "width": {
        "width 32": {"embed_dim": 32}, BASE: {}, "width 96": {"embed_dim": 96}, "width 128": {"embed_dim": 128},
    },
    "MLP width": {
        "MLP 64": {"mlp_ratio": 1.0}, BASE: {}, "MLP 256": {"mlp_ratio": 4.0}, "MLP 512": {"mlp_ratio": 8.0},
    },
    "patch size": {
        "patch 14": {"patch_size": 14}, BASE: {}, "patch 4": {"patch_size": 4},
    },
    "all": {
        "all, smaller": {"depth": 2, "embed_dim": 32, "mlp_ratio": 2.0}, BASE: {},
        "all, larger": {"depth": 6, "embed_dim": 96, "patch_size": 4},
    },
}  # fmt: skip
"""What is varied → cell → fields; the base stands in every sweep."""

PAPER_SWEEPS: dict[str, dict[str, Any]] = {
    BASE: {},
    **{f"depth {depth}": {"depth": depth} for depth in (1, 2, 4, 16, 32, 64, 128)},
    **{f"width {width}": {"embed_dim": width, "num_heads": width // 64} for width in (128, 256, 512, 2048)},
    **{f"MLP {width}": {"mlp_ratio": width / 1024} for width in (256, 512, 1024, 4096, 8192)},
    "patch 16": {"patch_size": 16},
}


def _cells(sweeps: Mapping[str, Mapping[str, Any]], optional: Sequence[str] = ()) -> tuple[Cell, ...]:
    fields = {name: given for sweep in sweeps.values() for name, given in sweep.items()}
    return tuple(Cell(name, given, optional=name in optional) for name, given in fields.items())


def _draw(results: Results) -> Sequence[Panel]:
    from vitrail.studies.figures import curve, curves

    found = []
    for group, (sweep, cells) in enumerate(SWEEPS.items()):
        costs = {name: results.mean(name, "macs").value / 1e6 for name in cells if results.values(name)}
        found.append(curve(sweep, results, costs, group=group))
    return (curves("Here: test accuracy against compute", "million MACs an image", found),)


STUDY = Study(
    title="Scaling",
    question="Is a ViT better made deeper, wider, or with smaller patches?",
    paper=Paper(
        "Figure 8, appendix D.2",
        "ImageNet, 5-shot linear accuracy",
        {},
        "From a base of 8 layers, width 1024 and patches of 32: depth helps most, clearly up to 64 layers, though "
        "returns diminish after 16; width helps least; smaller patches, so longer sequences, help without any "
        "parameter; scaling all together is robust. Compute predicts the result better than the number of parameters.",
    ),
    laptop=Setup(
        cells=_cells(SWEEPS, ("MLP 512", "width 128", "all, larger")),
        model={"img_size": 28, "patch_size": 7, "embed_dim": 64, "depth": 4, "num_heads": 4, "mlp_ratio": 2.0},
        settings={"batch_size": 64, "lr": 1e-3, "weight_decay": 0.05},
        seeds=4,
        steps=(400, 6000),
        about="The base has 4 layers, width 64, an MLP of 128 and patches of 7 on 28 pixels; each cell changes one "
        "thing. All are trained from scratch for the same number of steps of 64 images, so larger models take more "
        "compute, which is the axis of the figure. One learning rate serves all. Accuracy is in per cent of the test "
        "images.",
    ),
    full=Setup(
        cells=tuple(Cell(name, fields) for name, fields in PAPER_SWEEPS.items()),
        data="",
        variant="B/32",
        model={"depth": 8, "embed_dim": 1024, "num_heads": 16, "mlp_ratio": 2.0},
        recipe="paper_i21k",
        settings={"epochs": 7, "lr": 6e-4, "weight_decay": 0.1, "drop": {"drop_rate": 0.0}},
        seeds=1,
        about="Eight layers, width 1024, MLP 2048, patches of 32 at 224 pixels, pre-trained as in table 3, then 5-shot "
        "linear accuracy. The paper's figure does not print the values of its sweeps; these span what it shows.",
    ),
    claims=(
        Claim(
            "Deeper is better.",
            "Slope of accuracy over the logarithm of 1, 2, 4 and 8 layers: paired t-test over seeds, one-sided, p ≤ "
            "0.05.",
            greater({"slope, points a doubling": {"depth 1": -0.3, "depth 2": -0.1, BASE: 0.1, "depth 8": 0.3}}),
        ),
        Claim(
            "Returns of depth diminish.",
            "From 1 to 2 layers more is gained than from 4 to 8: paired t-test over seeds, one-sided, p ≤ 0.05.",
            greater({"(2 − 1) − (8 − 4)": {"depth 1": -1.0, "depth 2": 1.0, BASE: 1.0, "depth 8": -1.0}}),
        ),
        Claim(
            "Smaller patches are better, without more parameters.",
            "Patches of 7 against 14, and of 4 against 7: paired t-tests over seeds, one-sided, Holm-corrected, all "
            "with p ≤ 0.05.",
            greater({"patch 7 − 14": difference(BASE, "patch 14"), "patch 4 − 7": difference("patch 4", BASE)}),
        ),
        Claim(
            "Depth pays more than width.",
            "8 layers (twice the compute of the base) against width 96 (about twice, too): paired t-test over seeds, "
            "one-sided, p ≤ 0.05.",
            greater({"depth 8 − width 96": difference("depth 8", "width 96")}),
        ),
    ),
    draw=_draw,
    columns={"few_shot": "5-shot", "parameters": "parameters", "macs": "MACs", "step_seconds": "ms a step"},
)  # fmt: skip
