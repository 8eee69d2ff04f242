"""The exact way from a decoded image to what a model sees. Torch is not imported here.

One `ImageSpec` serves training's last steps, validation, prediction, the server and every export; it is stored in the
model file, so nobody types a mean or a crop again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from vitrail.core.config import require
from vitrail.core.errors import ImageError
from vitrail.data.bands import Bands, Decoded, channels_of

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos", "box"]
Mode = Literal["crop", "squash", "keep"]
ColorMode = Literal["RGB", "L", "bands"]

HALF = (0.5, 0.5, 0.5)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class ImageSpec:
    """Describe how an image becomes the input of a model.

    Args:
        size: height and width in pixels that the model takes.
        mean: subtracted from each channel after scaling to 0 … 1.
        std: each channel is then divided by this; greater than 0.
        interpolation: how pixels are resampled.
        mode: "crop": the image is resized, aspect kept, until `size / crop_fraction` just fits in it, then the centre
            is cut out; "squash": it is resized to `size` whatever its aspect; "keep": the whole image at its own
            aspect, resized to tiles of `multiple` pixels, as many as `size` has or a few fewer.
        crop_fraction: part of the resized image that the crop keeps along the tighter side, 0 < fraction ≤ 1.
        color: "RGB" (3 channels), "L" (1 channel, grey), or "bands": as many channels as `mean` has numbers.
        multiple: side in pixels of the tiles of mode "keep": the model's patch.

    Raises:
        ConfigError: for a value out of its range.

    Source:
        "keep": NaViT (arXiv 2307.06304), the rule of SigLIP 2's NaFlex (arXiv 2502.14786, section 2.4). What is bounded
        is the number of tiles, that is of tokens, not a side: whatever its shape, an image costs what `size` costs.
        Small images are enlarged, as in the other modes, so that things are as large as those the model was trained on.
    """

    size: tuple[int, int] = (224, 224)
    mean: tuple[float, ...] = HALF
    std: tuple[float, ...] = HALF
    interpolation: Interpolation = "bicubic"
    mode: Mode = "crop"
    crop_fraction: float = 1.0
    color: ColorMode = "RGB"
    multiple: int = 1

    def __post_init__(self) -> None:
        require(all(side >= 1 for side in self.size), "size", self.size, "1 or more pixels")
        for name in ("mean", "std"):
            values = getattr(self, name)
            require(len(values) == self.channels, name, values, f"{self.channels} numbers for color {self.color!r}")
            require(all(map(math.isfinite, values)), name, values, "finite numbers")
        require(all(value > 0 for value in self.std), "std", self.std, "greater than 0")
        require(0 < self.crop_fraction <= 1, "crop_fraction", self.crop_fraction, "0 < fraction ≤ 1")
        require(self.multiple >= 1, "multiple", self.multiple, "1 or more pixels")
        fits = self.mode != "keep" or min(self.size) >= self.multiple
        require(fits, "multiple", self.multiple, f"at most a side of size {self.size} with mode 'keep'")

    @property
    def channels(self) -> int:
        """Channels of the model's input."""
        return {"RGB": 3, "L": 1, "bands": len(self.mean)}[self.color]

    @property
    def fixed(self) -> ImageSpec:
        """The nearest spec that gives all images one size: for training, where a batch has one shape."""
        return replace(self, mode="crop") if self.mode == "keep" else self

    def size_for(self, width: float, height: float) -> tuple[int, int]:
        """Find the size that an image is brought to.

        Args:
            width: of the decoded image, in pixels.
            height: of the decoded image, in pixels.

        Returns:
            Height and width in pixels: `size`, but for mode "keep". There the largest scale is taken at which the tiles
            that cover the image are no more than those of `size`, and the image fills them, which moves a side by less
            than a tile. An image narrower than a tile is stretched to one.
        """
        if self.mode != "keep":
            return self.size
        tiles = (self.size[0] // self.multiple) * (self.size[1] // self.multiple)
        rows = min(tiles, math.ceil(math.sqrt(tiles * height / width)))
        columns = min(tiles, math.ceil(math.sqrt(tiles * width / height)))
        while rows * columns > tiles:  # the scale shrinks until a side needs a tile less
            sooner = (rows - 1) * width - (columns - 1) * height
            rows, columns = rows - (sooner >= 0), columns - (sooner <= 0)
        return rows * self.multiple, columns * self.multiple

    def for_channels(self, channels: int) -> ImageSpec:
        """Take images of another number of channels: the mean and deviation of each are the average of what they were.

        Args:
            channels: 1 for grey, 3 for colour, any other number for bands.

        Returns:
            A new spec; this one if it takes as many.

        Raises:
            ConfigError: for less than one channel.
        """
        require(channels >= 1, "in_chans", channels, "1 or more")
        if channels == self.channels:
            return self
        mean, std = (round(sum(values) / len(values), 6) for values in (self.mean, self.std))
        color: ColorMode = "L" if channels == 1 else "RGB" if channels == 3 else "bands"
        return replace(self, mean=(mean,) * channels, std=(std,) * channels, color=color)

    def pixels(self, image: Decoded, box: tuple[float, float, float, float] | None = None) -> npt.NDArray[np.uint8]:
        """Bring a decoded image to the size the model is given: everything but the scaling of values.

        Args:
            image: 8 bits a channel, as `decode` gives it; any size.
            box: left, top, right, bottom in the image's pixels of a part to take, whatever its aspect; None: what
                `mode` and `crop_fraction` say. Mode "keep" keeps the part's aspect.

        Returns:
            (height, width, channels) uint8.

        Raises:
            ImageError: if the image has not the channels that the model takes. (Grey is shown as colour, colour as
                grey; but nothing else can stand for something else.)
        """
        if isinstance(image, Bands) or self.color == "bands":
            if not isinstance(image, Bands) or len(image.planes) != self.channels:
                raise ImageError(f"{_counted(channels_of(image))}; the others, and the model, have {self.channels}")
            return np.concatenate([self._resized(plane, box) for plane in image.planes], axis=2)
        return self._resized(image.convert(self.color), box)

    def _resized(self, image: Image.Image, box: tuple[float, float, float, float] | None) -> npt.NDArray[np.uint8]:
        left, top, right, bottom = box or (0, 0, *image.size)
        height, width = self.size_for(right - left, bottom - top)
        resample = Image.Resampling[self.interpolation.upper()]
        if box is not None or image.size != (width, height) or self.crop_fraction < 1:
            image = image.resize((width, height), resample, box=box or self.seen(image.width, image.height))
        pixels = np.asarray(image, dtype=np.uint8)
        return pixels.reshape(height, width, -1)

    def seen(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Find the part of an image that the model sees.

        Args:
            width: of the decoded image, in pixels.
            height: of the decoded image, in pixels.

        Returns:
            Left, top, right, bottom in the image's pixels: what the crop keeps in mode "crop", else all of it.
        """
        if self.mode != "crop":
            return 0.0, 0.0, float(width), float(height)
        scale = min(height / self.size[0], width / self.size[1]) * self.crop_fraction
        kept_height, kept_width = min(self.size[0] * scale, height), min(self.size[1] * scale, width)
        top, left = (height - kept_height) / 2, (width - kept_width) / 2
        return left, top, left + kept_width, top + kept_height

    def normalise(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Scale values as the model wants them.

        Args:
            pixels: (batch, height, width, channels) uint8.

        Returns:
            (batch, channels, height, width) float32, (value / 255 − mean) / std.
        """
        table = (np.arange(256, dtype=np.float64)[:, None] / 255 - np.asarray(self.mean)) / np.asarray(self.std)
        lookup = table.astype(np.float32)
        planes = [lookup[:, channel][pixels[..., channel]] for channel in range(self.channels)]
        return np.stack(planes, axis=1)


def _counted(channels: int) -> str:
    kind = {1: "1 channel (grey)", 3: "3 channels (colour)"}
    return kind.get(channels, f"{channels} channels")
