"""From images to pixels as models take them, many at a time; those that cannot be decoded are named, not raised."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from vitrail.core.errors import ImageError
from vitrail.data.decode import ImageLike, ImageList, decode, examine, name_of, pillow_warnings_off
from vitrail.data.spec import ImageSpec

Pixels = npt.NDArray[np.uint8]
"""Of one image, (height, width, channels), or of several that have one size."""
Loaded = tuple[list[Pixels], list[int], list[tuple[int, str]]]
"""One array for each good image; the positions of the good ones; position and reason of each bad one."""


def cores() -> int:
    """Count the processors that this process may use.

    Returns:
        1 or more.
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load_pixels(
    images: ImageList, spec: ImageSpec, crop: Callable[[int, float], npt.NDArray[np.float64]] | None = None
) -> Loaded:
    """Decode images and bring them to the spec's size, or each to its own where the spec keeps aspects.

    Args:
        images: what to decode.
        spec: size and resampling.
        crop: (position, width ÷ height of the decoded image) → top, left, height, width of a part of it, 0 … 1, to
            take in place of what the spec says.

    Returns:
        One (height, width, channels) uint8 for each good image; the positions of these; position and reason of each
        bad one.
    """
    pixels, good, bad = [], [], []
    with pillow_warnings_off:
        for position, source in enumerate(images):
            try:
                image = decode(source)
            except ImageError as error:
                bad.append((position, error.message))
                continue
            box = None
            if crop is not None:
                top, left, height, width = crop(position, image.width / image.height)
                right, bottom = min(left + width, 1.0) * image.width, min(top + height, 1.0) * image.height
                box = (left * image.width, top * image.height, right, bottom)
            try:
                pixels.append(spec.pixels(image, box))
            except ImageError as error:
                bad.append((position, f"{name_of(source)}{error.message}"))
            else:
                good.append(position)
    return pixels, good, bad


def examine_images(images: ImageList, threads: int | None = None) -> list[tuple[int, str]]:
    """Look at the headers of many files, which takes a small part of the time that decoding does.

    Args:
        images: what to look at.
        threads: how many look at once; None: four a core, since they wait for the disk.

    Returns:
        Position and reason of each that can certainly not be decoded.
    """
    if isinstance(images, np.ndarray):
        return []

    def look(positions: range) -> list[tuple[int, str]]:
        bad = []
        for position in positions:
            try:
                examine(images[position])
            except ImageError as error:
                bad.append((position, error.message))
        return bad

    parts = [range(start, min(start + 256, len(images))) for start in range(0, len(images), 256)]
    with ThreadPoolExecutor(threads or 4 * cores(), thread_name_prefix="examine") as pool:
        return [found for part in pool.map(look, parts) for found in part]


def stream_pixels(
    images: ImageList | Iterator[ImageLike], spec: ImageSpec, batch_size: int, threads: int | None = None
) -> Iterator[tuple[int, list[Pixels], list[int], list[tuple[int, str]]]]:
    """Decode images in order, ahead of whoever consumes them; memory does not grow with their number.

    Args:
        images: what to decode; an iterator is asked for no more than three batches ahead.
        spec: size and resampling.
        batch_size: images a batch.
        threads: how many decode at once; None: one a core. (Pillow lets other threads run while it decodes.)

    Yields:
        Start of the batch, then what `load_pixels` gives for it.
    """
    threads = threads or cores()
    parts = enumerate(in_parts(images, batch_size))
    if isinstance(images, np.ndarray):
        for number, part in parts:
            yield number * batch_size, *load_pixels(part, spec)
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    chunk = max(1, -(-batch_size // threads))
    waiting: deque[tuple[int, list[Future[Loaded]]]] = deque()

    def submit(number: int, part: ImageList) -> None:
        pieces = [part[offset : offset + chunk] for offset in range(0, len(part), chunk)]
        waiting.append((number * batch_size, [pool.submit(load_pixels, piece, spec) for piece in pieces]))

    try:
        for number, part in itertools.islice(parts, 2):
            submit(number, part)
        while waiting:
            start, futures = waiting.popleft()
            results = [future.result() for future in futures]
            for number, part in itertools.islice(parts, 1):
                submit(number, part)
            pixels = [image for result in results for image in result[0]]
            good = [number * chunk + position for number, result in enumerate(results) for position in result[1]]
            bad = [(number * chunk + place, why) for number, result in enumerate(results) for place, why in result[2]]
            yield start, pixels, good, bad
    finally:
        pool.shutdown(cancel_futures=True)


def in_parts(images: ImageList | Iterator[ImageLike], size: int) -> Iterator[ImageList]:
    """Cut images into batches.

    Args:
        images: several, or an iterator, which is asked for one batch at a time.
        size: images a batch.

    Yields:
        Batches in order, none of them empty.
    """
    if isinstance(images, Iterator):
        while part := list(itertools.islice(images, size)):
            yield part
    else:
        for start in range(0, len(images), size):
            yield images[start : start + size]
