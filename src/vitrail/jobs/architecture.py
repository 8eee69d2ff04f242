"""The model that a run trains, what it is shown, and the weights that it starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from vitrail.core.config import convert
from vitrail.core.errors import ConfigError
from vitrail.data.probe import Probe
from vitrail.data.spec import ImageSpec
from vitrail.models.config import ViTConfig
from vitrail.models.variants import VARIANTS, variant_fields
from vitrail.weights.hub import pinned
from vitrail.weights.load import load_weights
from vitrail.weights.reference import is_variant, model_path


class Architecture(NamedTuple):
    """Hold what is trained.

    Args:
        config: the model.
        spec: what it is shown.
        start: reference of weights; "" for none.
        scaled: whether the weights say the mean and deviation of these channels.
    """

    config: ViTConfig
    spec: ImageSpec
    start: str
    scaled: bool


def find_architecture(
    model: str | ViTConfig, variant: str | None, fields: Mapping[str, Any], probe: Probe
) -> Architecture:
    """Find the architecture that a name stands for.

    Args:
        model: variant, config, or reference of weights.
        variant: what the weights are, where their file does not say.
        fields: what is to be otherwise than in the model, by flat names of `ViTConfig`. Without "in_chans", weights
            keep their channels if the images can be shown in them.
        probe: what the images look like.

    Returns:
        The architecture.

    Raises:
        ConfigError: for a variant without weights, fields that do not fit, or channels that the images do not have.
            Grey is shown as colour and colour as grey, but nothing else can stand for something else.
    """
    asked = convert(fields.get("in_chans"), int | None, "in_chans")
    if asked and asked != probe.channels and not {asked, probe.channels} <= {1, 3}:
        hint = "leave it out: the model then takes what the images have"
        raise ConfigError(f"in_chans = {asked}, but images have {probe.channels} channels", hint=hint)
    if isinstance(model, ViTConfig) or is_variant(model):
        if variant is not None:
            hint = "give them as the model, or the variant itself as the model to train it from scratch"
            raise ConfigError(f"variant = {variant} was given without weights that it describes", hint=hint)
        fresh = {"in_chans": probe.channels, **fields}
        if isinstance(model, ViTConfig):
            config = model.updated(**fresh)
        else:
            config = ViTConfig.of(**variant_fields(model) | fresh)
        return Architecture(config, ImageSpec(config.image_size).for_channels(config.in_chans), "", scaled=False)
    path = model_path(model)
    record = load_weights(path, variant).record
    shown = {record.spec.channels, probe.channels} <= {1, 3}
    channels = record.spec.channels if shown else probe.channels
    config = record.config.updated(**{"in_chans": channels, **fields})
    if config.tokens.distilled and not record.config.tokens.distilled:
        raise without_token(f"{model}: distilled = True, but these weights have no distillation token")
    spec = replace(record.spec, size=config.image_size).for_channels(config.in_chans)
    return Architecture(config, spec, pinned(model, path), scaled=spec.channels == record.spec.channels)


def without_token(message: str) -> ConfigError:
    """Make the error for a distillation token that a model does not have.

    Args:
        message: what was asked for, and of what.

    Returns:
        The error, its hint naming the variants that have one.
    """
    names = ", ".join(name for name, fields in VARIANTS.items() if fields.get("distilled"))
    return ConfigError(
        message, hint=f"models with one: {names}; or any variant with --set distilled=true, from scratch"
    )
