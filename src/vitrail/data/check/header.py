"""What a file says of itself before it is decoded: format, mode, orientation."""

from __future__ import annotations

import os
from dataclasses import dataclass

from PIL import Image

from vitrail.data.decode import FORMATS
from vitrail.data.flatten import ORIENTATION, TURNS

SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "AVIF": (".avif",),
    "NPY": (".npy",),
}
"""Format → the endings that its files go by."""

PLAIN_MODES = frozenset(("L", "RGB"))


@dataclass(frozen=True, slots=True)
class Header:
    """Hold what a file says of itself.

    Args:
        format: a name in `SUFFIXES`.
        mode: Pillow's name of what is in it, such as "CMYK" or "I;16"; "bands" for other numbers of channels.
        turned: whether EXIF data say that it must be turned or mirrored to be upright.
        suffix: how its name ends, in lower case.
    """

    format: str
    mode: str
    turned: bool
    suffix: str

    @property
    def is_misnamed(self) -> bool:
        """Whether the name ends like that of another format."""
        return self.suffix not in SUFFIXES[self.format]

    @property
    def is_plain(self) -> bool:
        """Whether it holds grey or colour of 8 bits, and nothing else."""
        return self.mode in PLAIN_MODES


def read_header(path: str | os.PathLike[str]) -> Header:
    """Read what a file says of itself.

    Args:
        path: a file that can be decoded.

    Returns:
        Its header.

    Raises:
        OSError: if the file cannot be opened.
    """
    suffix = os.path.splitext(path)[1].lower()
    with open(path, "rb") as file:
        if file.read(6) == b"\x93NUMPY":
            return Header("NPY", "bands", False, suffix)
        file.seek(0)
        try:
            with Image.open(file, formats=FORMATS) as image:
                kind = "JPEG" if image.format == "MPO" else image.format or "TIFF"
                return Header(kind, image.mode, _is_turned(image), suffix)
        except Exception:  # decoded by tifffile, or with EXIF data that are damaged
            return Header("TIFF", "bands", False, suffix)


def _is_turned(image: Image.Image) -> bool:
    try:
        return image.getexif().get(ORIENTATION) in TURNS
    except Exception:  # damaged EXIF data raise half a dozen kinds of exception
        return False
