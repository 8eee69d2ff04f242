"""Weight formats: one file each, a key map and its inverse; one row each in `FORMATS`."""

from vitrail.core.errors import WeightsError
from vitrail.core.table import Table
from vitrail.weights.formats.authors import Deit, Dino, Dinov2, Dinov3, Mae
from vitrail.weights.formats.base import Format, Reading
from vitrail.weights.formats.google import Google
from vitrail.weights.formats.hugging_face import HuggingFace
from vitrail.weights.formats.own import Own
from vitrail.weights.formats.timm import Timm
from vitrail.weights.formats.torchvision import Torchvision

FORMATS: Table[Format] = Table(
    "weight format",
    {
        row.name: row
        for row in (Own(), Deit(), Mae(), Dino(), Dinov2(), Dinov3(), Timm(), Torchvision(), HuggingFace(), Google())
    },
    error=WeightsError,
)
"""The first that claims a content reads it: names of timm's are also those of others."""

__all__ = ["FORMATS", "Format", "Reading"]
