"""Attention in a few images, for a page on which it can be explored; small enough to be sent by mail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from vitrail.analysis.shapes import as_attention
from vitrail.analysis.weights import entering_tokens, walk
from vitrail.core.errors import ConfigError
from vitrail.data.picture import picture_of_pixels
from vitrail.data.pixels import Pixels
from vitrail.jobs.predictor import Predictor
from vitrail.jobs.thumbnail import encode
from vitrail.models.config import TokenConfig, ViTConfig
from vitrail.report.attention_sheets import Sheet, coarsened, draw_sheet
from vitrail.report.inspection_data import Attended

ROOM = 6_500_000
"""Bytes that attention may take on the page."""
MOST = 6
"""Images that are shown if there is room."""
CELLS = 24_000_000
"""Numbers, at half a byte each, that are drawn for an image; beyond that patches are joined before it is tried."""
SIDE = 448
"""Pixels of a picture, at most."""


@dataclass(frozen=True)
class Choice:
    """Choose blocks and heads whose attention can be explored; the figures are always of all.

    Args:
        layers: numbers from 0, ascending.
        heads: numbers from 0, ascending.
    """

    layers: tuple[int, ...]
    heads: tuple[int, ...]

    @classmethod
    def of(cls, config: ViTConfig, layers: Sequence[int] = (), heads: Sequence[int] = ()) -> Choice:
        """Check a choice.

        Args:
            config: of the model.
            layers: numbers of blocks, from 0; none for all.
            heads: numbers of heads, from 0; none for all.

        Returns:
            The choice.

        Raises:
            ConfigError: if the model has no such block or head.
        """
        own = {"layer": config.depth, "head": config.block.num_heads}
        for what, given in (("layer", layers), ("head", heads)):
            missing = [number for number in given if not 0 <= number < own[what]]
            if missing:
                raise ConfigError(
                    f"{what} {missing[0]} does not exist: this model's {what}s are 0 … {own[what] - 1}",
                    hint=f"give --{what}s from 0 to {own[what] - 1}, or leave it out for all",
                )
        chosen = [tuple(sorted(set(given))) for given in (layers, heads)]
        return cls(*(one or tuple(range(most)) for one, most in zip(chosen, own.values(), strict=True)))


def attended_images(predictor: Predictor, images: Sequence[tuple[str, Pixels]], choice: Choice) -> list[Attended]:
    """Write the attention of images out, as many as there is room for.

    Args:
        predictor: the model.
        images: names and pixels, those that matter most first.
        choice: blocks and heads.

    Returns:
        One image or more, at most `MOST`. If not even one has room, its patches are joined until it has.
    """
    kept: list[Attended] = []
    for name, pixels in images[:MOST]:
        step = _first_step(predictor.model.config, pixels, choice)
        one = _attended(predictor, name, pixels, choice, step)
        while not kept and one.size > ROOM and one.grid != (1, 1):
            step += 1
            one = _attended(predictor, name, pixels, choice, step)
        if kept and sum(other.size for other in kept) + one.size > ROOM:
            break
        kept.append(one)
    return kept


def prefix_names(tokens: TokenConfig) -> tuple[str, ...]:
    """Name the tokens before the patches, in order.

    Args:
        tokens: of the model.

    Returns:
        Such as "class token", "register 1".
    """
    names = ["class token"] * tokens.class_token + ["distillation token"] * tokens.distilled
    return (*names, *(f"register {number}" for number in range(1, tokens.registers + 1)))


def _first_step(config: ViTConfig, pixels: Pixels, choice: Choice) -> int:
    rows, columns = config.grid_of((1, config.in_chans, *pixels.shape[:2]))
    maps, step = len(choice.layers) * (len(choice.heads) + 1), 1
    while step < max(rows, columns):
        patches = -(-rows // step) * -(-columns // step)
        if maps * (config.tokens.count + patches) * patches <= CELLS:
            break
        step += 1
    return step


def _attended(predictor: Predictor, name: str, pixels: Pixels, choice: Choice, step: int) -> Attended:
    model, spec = predictor.model, predictor.spec
    images = torch.from_numpy(spec.normalise(pixels[None])).to(predictor.device)
    rows, columns = model.config.grid_of(images.shape)
    sheets: list[Sheet] = []
    for number, layer in enumerate(walk(model, entering_tokens(model, images), (rows, columns))):
        if number in choice.layers:
            weights, patches, wide = as_attention(layer.weights)[0].numpy(), rows * columns, columns
            if step > 1:
                weights, patches, wide = coarsened(weights, patches, columns, step)
            sheets.append(draw_sheet(weights, patches, wide, list(choice.heads)))
    grid = -(-rows // step), -(-columns // step)
    return Attended(name, encode(picture_of_pixels(pixels), SIDE), grid, step, tuple(sheets))
