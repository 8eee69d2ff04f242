"""What an inspection found, in sentences that are computed from it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from vitrail.analysis.norms import high_norm_tokens
from vitrail.analysis.survey import Findings
from vitrail.analysis.trend import Trend, depth_trend

VERDICTS = {
    "rises": "Attention reaches further with depth",
    "falls": "Attention reaches less far with depth",
    "open": "No trend of attention distance with depth",
}


@dataclass(frozen=True)
class Artefacts:
    """Hold how many patches are artefacts.

    Args:
        threshold: norms above are.
        share: part of the patches, 0 … 1.
        patches: how many there are in all.
    """

    threshold: float
    share: float
    patches: int


def artefacts_of(findings: Findings) -> Artefacts:
    """Count artefacts.

    Args:
        findings: of a survey.

    Returns:
        How many there are.
    """
    norms = torch.cat([one.flatten() for one in findings.norms])
    high, threshold = high_norm_tokens(norms)
    return Artefacts(threshold, float(high.double().mean()), len(norms))


def trend_of(findings: Findings) -> Trend:
    """Test whether attention distance goes with depth.

    Args:
        findings: of a survey.

    Returns:
        The trend of the mean over heads.
    """
    return depth_trend(findings.distance.mean(dim=1).numpy())


def sentences(findings: Findings, trend: Trend, artefacts: Artefacts) -> tuple[str, ...]:
    """Say what was found, and whether it is what the paper found.

    Args:
        findings: of a survey.
        trend: of its attention distance.
        artefacts: of its images.

    Returns:
        Whole sentences.
    """
    mean = findings.distance.mean(dim=1)
    first = findings.distance[0]
    near, far = int(mean.argmin()), int(mean.argmax())
    ends = f"it is least in layer {near} ({mean[near]:.0f} pixels) and most in layer {far} ({mean[far]:.0f})"
    tests = {
        "rises": f"Attention distance grows with depth, as the paper found {_test(trend, trend.p_rising)}: {ends}.",
        "falls": "Attention distance shrinks with depth, where the paper found it to grow "
        f"{_test(trend, trend.p_falling)}: {ends}.",
        "open": "The paper found attention distance to grow with depth; here that is not separated from chance "
        f"{_test(trend, trend.p_rising)}: {ends}.",
    }
    said = [tests[trend.verdict]]
    if len(first) > 1:
        said.append(f"In layer 0 the heads reach from {first.min():.0f} to {first.max():.0f} pixels.")
    if artefacts.share:
        said.append(f"{100 * artefacts.share:.2g} % of the patches have a norm so high that they are likely artefacts.")
    return tuple(said)


def _test(trend: Trend, p: float) -> str:
    if trend.rho != trend.rho:
        return f"(n = {trend.n} layer{'s' if trend.n > 1 else ''}, too few or too alike to tell)"
    chance = "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
    return f"(Spearman's ρ = {trend.rho:.2f}, n = {trend.n} layers, one-sided permutation test, {chance})"
