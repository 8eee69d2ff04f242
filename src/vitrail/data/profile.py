"""Colour profiles: what an image's numbers mean, brought to sRGB."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageCms

LARGEST = 4 * 2**20
"""Bytes of a profile beyond which it is ignored."""
SAME = 2
"""Largest difference, of 255, up to which a profile counts as sRGB, and the pixels are left as they are."""
LEVELS = np.arange(256, dtype=np.uint8)

Transform = Callable[[Image.Image], Image.Image]


def to_srgb(image: Image.Image, profile: object) -> Image.Image:
    """Bring an image to sRGB; a profile that is broken or made for other images is ignored.

    Args:
        image: of mode "L", "RGB", "CMYK" or "LAB".
        profile: content of an ICC profile, or None.

    Returns:
        Mode "L" stays so; the others become "RGB".
    """
    transform = None
    if image.mode == "LAB":
        transform = _transform(b"", "LAB")
    elif isinstance(profile, bytes) and 0 < len(profile) <= LARGEST:
        transform = _transform(profile, image.mode)
    if transform is not None:
        return transform(image)
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


@functools.lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> Transform | None:
    """Build the way to sRGB; None where there is none, or where it changes nothing to speak of."""
    try:
        if mode == "L":
            return _grey_transform(profile)
        convert = _built(profile, mode, ImageCms.Flags.HIGHRESPRECALC)
        if mode == "RGB":
            steps = LEVELS[::15]
            lattice = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 1, 3)
            changed = np.asarray(convert(Image.fromarray(lattice)), dtype=int)
            return None if np.abs(changed - lattice).max() <= SAME else convert
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    return convert


def _grey_transform(profile: bytes) -> Transform | None:
    """Look each level up; lcms's own short cut for grey is wrong by up to 10 of 255 in the shadows."""
    exact = _built(profile, "L", ImageCms.Flags.NOOPTIMIZE)(Image.fromarray(LEVELS[None]))
    table = np.asarray(exact, dtype=int)[0, :, 0]
    if np.abs(table - LEVELS).max() <= SAME:
        return None
    return lambda image: image.point(table.tolist())


def _built(profile: bytes, mode: str, flags: ImageCms.Flags) -> Transform:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile)) if profile else ImageCms.createProfile("LAB")
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB", flags=flags)

    def convert(image: Image.Image) -> Image.Image:
        return ImageCms.applyTransform(image, transform) or image

    return convert
