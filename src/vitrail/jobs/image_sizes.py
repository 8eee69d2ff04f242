"""Let a trained model take images of other sizes than it was made for."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

from vitrail.core.config import require
from vitrail.models.vision_transformer import VisionTransformer
from vitrail.weights.model_file import ModelRecord
from vitrail.weights.start import follow_rule


def at_other_sizes(
    model: VisionTransformer, record: ModelRecord, dynamic: bool, image_size: int | None, resize: str | None
) -> tuple[VisionTransformer, ModelRecord]:
    """Let a model take images of another size, or of any.

    Args:
        model: a Vision Transformer.
        record: its preprocessing.
        dynamic: take whole images at their own aspect, in tiles of a patch.
        image_size: side in pixels; with `dynamic`, of the square that has as many patches as an image may have. None
            for the model's own.
        resize: rule by which learned positions are carried; None for that which the model names.

    Returns:
        A model that shares the weights, and its record.

    Raises:
        ConfigError: if `image_size` does not suit the patches, the rule is unknown, or the positions follow none.
    """
    model = copy(model) if resize is None else follow_rule(model, resize)
    model.config = model.config.updated(dynamic=True)
    patch, spec = model.config.patch_size, record.spec
    if image_size is not None:
        fits = image_size >= patch if dynamic else image_size > 0 and image_size % patch == 0
        allowed = f"at least the patch size {patch}" if dynamic else f"multiples of the patch size {patch}"
        require(fits, "image_size", image_size, allowed)
        spec = replace(spec, size=(image_size, image_size))
    if dynamic:
        spec = replace(spec, mode="keep", multiple=patch)
    return model, replace(record, config=model.config, spec=spec)
