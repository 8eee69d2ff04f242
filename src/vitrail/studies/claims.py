"""Claims, the tests that are stated for them, and verdicts. No verdict without a test, its n and its interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from vitrail.evaluation.student import Mean, holm, mean_of
from vitrail.studies.results import Results

LEVEL = 0.05
Kind = Literal["reproduced", "not reproduced", "not separated at this scale", "not testable at this scale"]
Contrasts = Mapping[str, Mapping[str, float]]
"""What is compared, in words → weight of each cell."""


@dataclass(frozen=True)
class Comparison:
    """Hold what one comparison gave.

    Args:
        name: what is compared.
        n: seeds, or runs.
        value: mean of the comparison.
        interval: 95 % interval of the mean, or the range of the runs where no chance is tested.
        p_value: corrected for there being several; None where no chance is tested.
    """

    name: str
    n: int
    value: float
    interval: tuple[float, float]
    p_value: float | None


@dataclass(frozen=True)
class Verdict:
    """Hold what became of a claim.

    Args:
        kind: the verdict.
        reason: why, in words; "" where the comparisons say it.
        comparisons: what was computed.
        unit: "share" for parts of images, which are shown in percentage points; "number".
    """

    kind: Kind
    reason: str = ""
    comparisons: tuple[Comparison, ...] = ()
    unit: Literal["share", "number"] = "share"


Judge = Callable[[Results], Verdict]


@dataclass(frozen=True)
class Claim:
    """Be one sentence that runs can bear out.

    Args:
        sentence: what is claimed.
        test: how it is decided, in words.
        judge: decides.
        by: "paper", or "theory" for what must come out at any scale.
    """

    sentence: str
    test: str
    judge: Judge
    by: Literal["paper", "theory"] = "paper"


def difference(one: str, other: str) -> Mapping[str, float]:
    """Write a difference as a contrast.

    Args:
        one: cell that is counted positively.
        other: cell that is subtracted.

    Returns:
        Weights.
    """
    return {one: 1.0, other: -1.0}


def greater(
    contrasts: Contrasts, metric: str = "", unit: Literal["share", "number"] = "share", plus: float = 0.0
) -> Judge:
    """Test whether every contrast is greater than nothing.

    Reproduced: all are, each with p ≤ 0.05 (paired t-test over seeds, one-sided, Holm-corrected over the contrasts).
    Not reproduced: one is less than nothing, with p ≤ 0.05 by the same test. Otherwise not separated.

    Args:
        contrasts: what is tested.
        metric: name of the figure; "" for the study's.
        unit: how the contrasts are shown.
        plus: is added to each contrast: with a margin, "not worse by more than that" is tested.

    Returns:
        The judge.
    """

    def judge(results: Results) -> Verdict:
        missing = _missing(results, [cell for weights in contrasts.values() for cell in weights])
        if missing:
            return missing
        means = [mean_of([one + plus for one in results.contrast(weights, metric)]) for weights in contrasts.values()]
        above = holm([one.p_greater() for one in means])
        below = holm([_opposite(one).p_greater() for one in means])
        shown = tuple(
            Comparison(name, one.n, one.value, one.interval(), p)
            for name, one, p in zip(contrasts, means, above, strict=True)
        )
        kind: Kind = "not separated at this scale"
        if max(above) <= LEVEL:
            kind = "reproduced"
        elif min(below) <= LEVEL:
            kind = "not reproduced"
        return Verdict(kind, _few(means), shown, unit)

    return judge


def alike(one: str, other: str, margin: float, metric: str = "") -> Judge:
    """Test whether two cells differ by less than a margin, in either direction.

    Args:
        one: a cell.
        other: another one.
        margin: greatest difference that does not matter.
        metric: name of the figure; "" for the study's.

    Returns:
        The judge: two one-sided tests, as `greater` does them.
    """
    contrasts = {f"margin + ({a} − {b})": difference(a, b) for a, b in ((one, other), (other, one))}
    return greater(contrasts, metric, plus=margin)


def inside(low: float, high: float, cells: Sequence[str], metric: str = "", unit: Literal["share", "number"] = "share"
) -> Judge:  # fmt: skip
    """Test whether a figure lies between two bounds in every run: what theory guarantees leaves nothing to chance.

    Args:
        low: lowest that is allowed.
        high: highest that is allowed.
        cells: whose runs.
        metric: name of the figure; "" for the study's.
        unit: how the figure is shown.

    Returns:
        The judge: reproduced if all do, else not reproduced.
    """

    def judge(results: Results) -> Verdict:
        missing = _missing(results, cells)
        if missing:
            return missing
        shown, held = [], True
        for cell in cells:
            values = list(results.values(cell, metric).values())
            held = held and all(low <= value <= high for value in values)
            shown.append(Comparison(cell, len(values), mean_of(values).value, (min(values), max(values)), None))
        return Verdict("reproduced" if held else "not reproduced", "", tuple(shown), unit)

    return judge


def untestable(reason: str) -> Judge:
    """Leave a claim aside.

    Args:
        reason: why this scale says nothing of it.

    Returns:
        The judge.
    """
    return lambda results: Verdict("not testable at this scale", reason)


def _missing(results: Results, cells: Sequence[str]) -> Verdict | None:
    absent = [cell for cell in dict.fromkeys(cells) if not results.values(cell)]
    if not absent:
        return None
    return Verdict("not testable at this scale", f"no run of {', '.join(absent)}")


def _opposite(mean: Mean) -> Mean:
    return Mean(mean.n, -mean.value, mean.error)


def _few(means: Sequence[Mean]) -> str:
    return "one seed tells nothing from chance" if min(one.n for one in means) < 2 else ""
