"""Handwritten digits, 8 × 8 pixels, part of the package: what `vitrail demo` learns.

Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998,
https://doi.org/10.24432/C50P49, licence CC BY 4.0. `digits.npz` holds its test set of 1,797 images, the one that
`sklearn.datasets.load_digits` gives, as uint8.
"""

from __future__ import annotations

import importlib.resources

import numpy as np

from vitrail.data.dataset import Samples, Traits
from vitrail.data.sources.listing import UNSPLIT, Listing

TOP = 16
"""Largest value in the file: how many of 4 × 4 pixels of the scan were ink."""


def read() -> Listing:
    """Read the embedded digits.

    Returns:
        One unsplit set: images (1797, 8, 8, 1) uint8, 0 … 255, of the classes "0" … "9".
    """
    path = importlib.resources.files("vitrail.data.sources") / "digits.npz"
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        values, labels = arrays["images"], arrays["labels"].astype(np.int64)
    images = np.rint(values[..., None] * (255 / TOP)).astype(np.uint8)
    names = [f"digits/{index}" for index in range(len(labels))]
    classes = tuple(str(digit) for digit in range(10))
    return Listing(classes, {UNSPLIT: Samples(images, labels, names)}, Traits(flip=False, photo=False))
