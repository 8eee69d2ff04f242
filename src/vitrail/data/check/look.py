"""One look at every image: what it is, whether it can be used, and two fingerprints of its content."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from vitrail.core.errors import ImageError
from vitrail.data.bands import Bands, Decoded
from vitrail.data.check.header import Header, read_header
from vitrail.data.decode import ImageLike, ImageList, decode, name_of, pillow_warnings_off
from vitrail.data.picture import picture
from vitrail.data.pixels import cores, in_parts

SIDE = 32
"""Pixels a side of the thumbnail."""
TOGETHER = 32
"""Images that one thread looks at before it gives them back."""
DIGEST = 16
"""Bytes of a fingerprint: among a million images, two are taken for one with a probability below 1e-26."""


@dataclass(frozen=True, slots=True)
class Look:
    """Hold what is known of one image.

    Args:
        reason: why it cannot be used; empty if it can. Everything below is then empty.
        header: what its file says of itself; None for images in memory.
        size: height and width as a person sees it, upright.
        content: fingerprint of the file's bytes; empty for images in memory.
        pixels: fingerprint of the decoded pixels.
        thumbnail: (32, 32) uint8, the image's luminance, each pixel a mean.
        colour: mean red, green and blue, 0 … 255.
    """

    reason: str = ""
    header: Header | None = None
    size: tuple[int, int] = (0, 0)
    content: bytes = b""
    pixels: bytes = b""
    thumbnail: npt.NDArray[np.uint8] | None = None
    colour: tuple[int, int, int] = (0, 0, 0)


def look(source: ImageLike) -> Look:
    """Look at one image.

    Args:
        source: a path, or an array (height, width, channels) of uint8.

    Returns:
        What is known of it; one that cannot be used has a reason and no more.
    """
    header, content = None, b""
    try:
        image = decode(source)
        if isinstance(source, str | os.PathLike):
            header = read_header(source)
            with open(source, "rb") as file:
                content = hashlib.file_digest(file, _digest).digest()
    except (ImageError, OSError) as error:
        return Look(reason=str(error).removeprefix(name_of(source)))
    shown = picture(image)
    thumbnail = np.asarray(shown.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX))
    tint = shown.convert("RGB").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    assert isinstance(tint, tuple)
    colour = (int(tint[0]), int(tint[1]), int(tint[2]))
    return Look("", header, (image.height, image.width), content, pixels_digest(image), thumbnail, colour)


def look_at_all(images: ImageList, threads: int | None = None) -> Iterator[Look]:
    """Look at many images, ahead of whoever consumes them.

    Args:
        images: paths, or an array (n, height, width, channels).
        threads: how many look at once; None: one a core. (Pillow lets other threads run while it decodes.)

    Yields:
        One look an image, in order.
    """

    def several(part: ImageList) -> list[Look]:
        with pillow_warnings_off:
            return [look(source) for source in part]

    threads = threads or cores()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="look")
    parts = in_parts(images, TOGETHER)
    try:
        waiting: deque[Future[list[Look]]] = deque(
            pool.submit(several, part) for part in itertools.islice(parts, 2 * threads)
        )
        while waiting:
            looks = waiting.popleft().result()
            waiting += (pool.submit(several, part) for part in itertools.islice(parts, 1))
            yield from looks
    finally:
        pool.shutdown(cancel_futures=True)


def pixels_digest(image: Decoded) -> bytes:
    """Take the fingerprint of what a person sees: a grey image equals one in colour of the same greys.

    Args:
        image: what `decode` gave.

    Returns:
        16 bytes.
    """
    planes = image.planes if isinstance(image, Bands) else _planes(image)
    digest = _digest(f"{image.height} {image.width} {len(planes)}".encode())
    for plane in planes:
        digest.update(plane.tobytes())
    return digest.digest()


def _planes(image: Image.Image) -> tuple[Image.Image, ...]:
    if image.mode == "L":
        return (image,)
    planes = image.split()
    first = planes[0].tobytes()
    return planes[:1] if all(plane.tobytes() == first for plane in planes[1:]) else planes


def _digest(content: bytes = b"") -> Any:
    return hashlib.blake2b(content, digest_size=DIGEST)
