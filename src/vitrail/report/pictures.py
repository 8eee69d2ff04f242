"""The pictures of a page, already encoded."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

TINY = 64
"""Images whose longer side is at most this many pixels are enlarged without smoothing."""


@dataclass(frozen=True)
class Picture:
    """Hold a small picture as a browser takes it.

    Args:
        content: the encoded file, PNG or JPEG.
        size: width and height in pixels.
    """

    content: bytes
    size: tuple[int, int]

    @property
    def kind(self) -> str:
        """Media type of the content."""
        return "image/png" if self.content.startswith(b"\x89PNG") else "image/jpeg"


def source(picture: Picture) -> str:
    """Turn a picture into the source of an `<img>`.

    Args:
        picture: any.

    Returns:
        A data URI.
    """
    return f"data:{picture.kind};base64,{base64.b64encode(picture.content).decode('ascii')}"


def is_tiny(picture: Picture) -> bool:
    """Say whether a picture should be enlarged pixel by pixel.

    Args:
        picture: any.

    Returns:
        True up to `TINY` pixels.
    """
    return max(picture.size) <= TINY


@dataclass(frozen=True)
class TrainingPicture:
    """Hold one image as the network saw it while learning.

    Args:
        picture: after augmentation and mixing, normalisation undone.
        labels: class and weight 0 … 1 of its label, the heaviest first; several if images were mixed.
    """

    picture: Picture
    labels: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class TrainingBatch:
    """Hold the beginning of one batch of training.

    Args:
        step: number of the step, from 1.
        n: how many images the batch has.
        pictures: the first of them.
    """

    step: int
    n: int
    pictures: tuple[TrainingPicture, ...]


@dataclass(frozen=True)
class Mistake:
    """Hold an image that was taken for something else.

    Args:
        name: of the image.
        label: true class.
        predicted: class it was taken for.
        probability: how sure the model was.
        picture: the image.
    """

    name: str
    label: str
    predicted: str
    probability: float
    picture: Picture


@dataclass(frozen=True)
class Suspect:
    """Hold an image whose label is likely wrong.

    Args:
        name: of the image.
        split: where it belongs.
        label: the class that was given.
        suggested: the class that is more probable.
        probability: of the suggested class.
        label_probability: of the given one.
        picture: the image.
    """

    name: str
    split: str
    label: str
    suggested: str
    probability: float
    label_probability: float
    picture: Picture


@dataclass(frozen=True)
class Suspects:
    """Hold what is known of labels that are likely wrong.

    Args:
        images: split → how many of its images were measured.
        found: how many labels are suspect.
        expected: how many would be on average, if labels are as right as those of validation.
        spread: standard deviation of that number.
        many: whether more were found than chance explains.
        shown: the likeliest first.
    """

    images: Mapping[str, int]
    found: int
    expected: float
    spread: float
    many: bool
    shown: tuple[Suspect, ...]


@dataclass(frozen=True)
class Gallery:
    """Hold the images of which a page speaks one by one.

    Args:
        suspects: labels that are likely wrong; None if unknown.
        mistakes: the surest first, without those that are shown as suspects.
        looks: pictures of what the model looks at, as `draw_look` makes them.
    """

    suspects: Suspects | None = None
    mistakes: tuple[Mistake, ...] = ()
    looks: tuple[Picture, ...] = ()
