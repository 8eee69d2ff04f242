"""What is asked of a model about images, made complete and checked before any image is opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vitrail.analysis.fills import FILLS
from vitrail.analysis.maps import require_attention
from vitrail.analysis.methods import METHODS
from vitrail.core.errors import ConfigError
from vitrail.core.table import did_you_mean
from vitrail.jobs.predictor import Predictor

ALWAYS = ("last", "rollout")
OF_A_CLASS = "gradient_attention"
OF_A_LAYER = "attention"
FREE = "--method integrated_gradients needs no attention"


@dataclass(frozen=True)
class Inquiry:
    """Hold what is asked about each image.

    Args:
        methods: rows of `METHODS`; empty for a choice by what else is asked: one layer's attention if there is a layer
            or head, else the last block's and rollout, and gradient-weighted attention if there is a class.
        target: name or number of the class that is asked about; None for the one that the model takes an image for.
        layer: number of a block, from 0.
        head: number of a head, from 0.
        faithfulness: whether to measure which map is faithful.
        fill: row of `FILLS`, for that measurement.
    """

    methods: tuple[str, ...] = ()
    target: str | int | None = None
    layer: int | None = None
    head: int | None = None
    faithfulness: bool = False
    fill: str = "blur"

    def settled(self, predictor: Predictor) -> Inquiry:
        """Choose the methods, turn the class into its number, and refuse what this model cannot answer.

        Args:
            predictor: the trained model.

        Returns:
            An inquiry with methods, whose class is None or a number.

        Raises:
            ConfigError: for a method, class, layer, head or filling that does not exist, an attention that the model
                does not have, a package that is missing, or something asked that no method takes.
        """
        config = predictor.model.config
        _ = FILLS[self.fill]
        methods = tuple(dict.fromkeys(self.methods)) or self._by_default()
        rows = [METHODS[name] for name in methods]
        if any(row.needs_attention for row in rows):
            try:
                require_attention(predictor.model)
            except ConfigError as error:
                raise ConfigError(error.message, hint=FREE) from None
        about_class = self.faithfulness or any(row.needs_class for row in rows)
        if about_class and not predictor.classes:
            raise ConfigError("this model has no classes to ask about", hint=f"--method {' '.join(ALWAYS)} need none")
        if predictor.classes:
            predictor.require_classifier()
        if self.target is not None and not about_class:
            hint = f"add --method {OF_A_CLASS}, or --faithfulness"
            raise ConfigError(f"none of {', '.join(methods)} knows a class", hint=hint)
        for what, value, count, taken in (
            ("layer", self.layer, config.depth, [row.takes_layer for row in rows]),
            ("head", self.head, config.block.num_heads, [row.takes_head for row in rows]),
        ):
            if value is not None and not any(taken):
                hint = f"add --method {OF_A_LAYER}"
                raise ConfigError(f"{what} = {value}: none of {', '.join(methods)} asks for one {what}", hint=hint)
            if value is not None and not 0 <= value < count:
                hint = f"this model has {what}s 0 … {count - 1}"
                raise ConfigError(f"{what} = {value} does not exist", hint=hint)
        for row in rows:
            row.require()
        return replace(self, methods=methods, target=self._number(predictor.classes))

    def _by_default(self) -> tuple[str, ...]:
        if self.layer is not None or self.head is not None:
            return (OF_A_LAYER,)
        return ALWAYS if self.target is None else (*ALWAYS, OF_A_CLASS)

    def _number(self, classes: Sequence[str]) -> int | None:
        if self.target is None:
            return None
        if isinstance(self.target, str):
            if self.target not in classes:
                hint = did_you_mean(self.target, classes, f"the model knows {len(classes)} classes")
                raise ConfigError(f"unknown class {self.target!r}", hint=hint)
            return classes.index(self.target)
        if not 0 <= self.target < len(classes):
            raise ConfigError(f"target = {self.target} is not allowed; allowed: 0 … {len(classes) - 1}, or a name")
        return self.target


USUAL = Inquiry()
"""What is asked if nothing else is."""
