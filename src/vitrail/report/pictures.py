"""The pictures of the page of a run, already encoded."""

from __future__ import annotations

from dataclasses import dataclass


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
