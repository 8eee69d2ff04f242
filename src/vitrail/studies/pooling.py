"""Is a class token needed, or does the mean of the patches do? Figure 9."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vitrail.studies.claims import Claim, Verdict, alike, difference, greater
from vitrail.studies.results import Results
from vitrail.studies.study import Cell, Paper, Setup, Study

if TYPE_CHECKING:
    from vitrail.report.study_data import Panel

RATES = (5e-4, 1e-3, 2e-3, 4e-3, 8e-3)
POOLS = {
    "class token": {"pool": "class_token", "representation_size": 64},
    "mean": {"pool": "mean", "class_token": False},
}
MARGIN = 0.01


def _name(pool: str, rate: float) -> str:
    return f"{pool}, {rate:g}"


def best_rate(results: Results, pool: str) -> float | None:
    """Choose the learning rate of a pool by validation images.

    Args:
        results: of the study.
        pool: "class token" or "mean".

    Returns:
        The rate with the highest mean accuracy on validation images; None without runs.
    """
    found = [(results.mean(_name(pool, rate), "val_top1"), rate) for rate in RATES]
    return max(((mean.value, rate) for mean, rate in found if mean.n), default=(0.0, None))[1]


def _equally_good(results: Results) -> Verdict:
    rates = [best_rate(results, pool) for pool in POOLS]
    if None in rates:
        return Verdict("not testable at this scale", "a pool has no run")
    names = [_name(pool, rate) for pool, rate in zip(POOLS, rates, strict=True) if rate]
    return alike(names[0], names[1], MARGIN)(results)


def _other_rate(results: Results) -> Verdict:
    own, others = best_rate(results, "mean"), best_rate(results, "class token")
    if own is None or others is None:
        return Verdict("not testable at this scale", "a pool has no run")
    if own == others:
        return Verdict("not separated at this scale", f"the best of these rates is {own:g} for both")
    ours, theirs = _name("mean", own), _name("mean", others)
    return greater({f"{ours} − {theirs}": difference(ours, theirs)})(results)


def _draw(results: Results) -> Sequence[Panel]:
    from vitrail.studies.figures import curve, curves

    found = [
        curve(pool, results, {_name(pool, rate): rate for rate in RATES}, group=group)
        for group, pool in enumerate(POOLS)
    ]
    return (curves("Here: test accuracy", "learning rate", found),)


STUDY = Study(
    title="Pooling",
    question="Does the mean of the patches classify as well as a class token, if the learning rate suits it?",
    paper=Paper(
        "Figure 9, appendix D.3",
        "ImageNet, 5-shot linear accuracy",
        {},
        "A first try with the mean of the patches in place of the class token did much worse. The reason was neither "
        "the missing token nor the mean, but that it wants another learning rate: 3e-4 in place of 8e-4; then both "
        "are equal.",
    ),
    laptop=Setup(
        cells=tuple(Cell(_name(pool, rate), fields, {"lr": rate}) for rate in RATES for pool, fields in POOLS.items()),
        model={"img_size": 28, "patch_size": 7, "embed_dim": 64, "depth": 4, "num_heads": 4, "mlp_ratio": 2.0},
        settings={"batch_size": 64, "weight_decay": 0.05},
        seeds=4,
        steps=(400, 8000),
        validate=True,
        about="A class token with a tanh layer before the head, against the mean of the patches and one linear layer, "
        "as in the paper; each over five learning rates, for the same number of steps of 64 images. The best rate is "
        "chosen on validation images, and compared on test images. Accuracy is in per cent.",
    ),
    full=Setup(
        cells=(
            Cell("class token, 0.0008", {"has_logits": True}, {"lr": 8e-4}),
            Cell("mean, 0.0008", {"pool": "mean", "class_token": False}, {"lr": 8e-4}),
            Cell("mean, 0.0003", {"pool": "mean", "class_token": False}, {"lr": 3e-4}),
        ),
        data="",
        variant="B/16",
        recipe="paper_i21k",
        settings={"epochs": 7, "weight_decay": 0.1, "drop": {"drop_rate": 0.0}},
        seeds=1,
        about="ViT-B/16 at 224 pixels, pre-trained as in table 3 (7 epochs), then 5-shot linear accuracy.",
    ),
    claims=(
        Claim(
            "At its best learning rate each, class token and mean are equally good.",
            "They differ by less than 1 point: two one-sided paired t-tests over seeds, Holm-corrected, both p ≤ 0.05. "
            "Rates are chosen by mean validation accuracy.",
            _equally_good,
        ),
        Claim(
            "At the class token's best rate the mean does worse than at its own.",
            "Mean at its own best rate against mean at the class token's: paired t-test over seeds, one-sided, p ≤ "
            "0.05. Rates are chosen by mean validation accuracy.",
            _other_rate,
        ),
    ),
    draw=_draw,
    columns={"val_top1": "validation", "few_shot": "5-shot", "diverged": "diverged"},
)
