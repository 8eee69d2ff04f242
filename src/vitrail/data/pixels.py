"""From images to pixels of one size, many at a time; those that cannot be decoded are named, not raised."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from vitrail.core.errors import ImageError
from vitrail.data.decode import ImageList, decode, name_of
from vitrail.data.spec import ImageSpec

Pixels = npt.NDArray[np.uint8]


def cores() -> int:
    """Count the processors that this process may use.

    Returns:
        1 or more.
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load_pixels(
    images: ImageList, spec: ImageSpec, crop: Callable[[int, float], npt.NDArray[np.float64]] | None = None
) -> tuple[Pixels, list[int], list[tuple[int, str]]]:
    """Decode images and bring them to the spec's size.

    Args:
        images: what to decode.
        spec: size and resampling.
        crop: (position, width ÷ height of the decoded image) → top, left, height, width of a part of it, 0 … 1, to
            take in place of what the spec says.

    Returns:
        (good, height, width, channels) uint8; the positions of the good ones; position and reason of each bad one.
    """
    pixels, good, bad = [], [], []
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
    empty = np.empty((0, *spec.size, spec.channels), dtype=np.uint8)
    return (np.stack(pixels) if pixels else empty), good, bad


def stream_pixels(
    images: ImageList, spec: ImageSpec, batch_size: int, threads: int | None = None
) -> Iterator[tuple[int, Pixels, list[int], list[tuple[int, str]]]]:
    """Decode images in order, ahead of whoever consumes them; memory does not grow with their number.

    Args:
        images: what to decode.
        spec: size and resampling.
        batch_size: images a batch.
        threads: how many decode at once; None: one a core. (Pillow lets other threads run while it decodes.)

    Yields:
        Start of the batch, then what `load_pixels` gives for it.
    """
    threads = threads or cores()
    starts = iter(range(0, len(images), batch_size))
    if isinstance(images, np.ndarray) or len(images) <= batch_size == 1:
        for start in starts:
            yield start, *load_pixels(images[start : start + batch_size], spec)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        waiting: deque[tuple[int, list[Future[tuple[Pixels, list[int], list[tuple[int, str]]]]]]] = deque()
        chunk = max(1, -(-batch_size // threads))

        def submit(start: int) -> None:
            part = images[start : start + batch_size]
            pieces = [part[offset : offset + chunk] for offset in range(0, len(part), chunk)]
            waiting.append((start, [pool.submit(load_pixels, piece, spec) for piece in pieces]))

        for start in [start for _, start in zip(range(2), starts, strict=False)]:
            submit(start)
        while waiting:
            start, futures = waiting.popleft()
            results = [future.result() for future in futures]
            upcoming = next(starts, None)
            if upcoming is not None:
                submit(upcoming)
            good = [number * chunk + position for number, result in enumerate(results) for position in result[1]]
            bad = [(number * chunk + place, why) for number, result in enumerate(results) for place, why in result[2]]
            yield start, np.concatenate([result[0] for result in results]), good, bad
