"""The figures: well-formed SVG, whatever the numbers, and whatever the user's matplotlib settings."""

from __future__ import annotations

import base64
import io
import math
import re
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vitrail.report.data import Bin, Epoch
from vitrail.report.plots import (
    AMBER,
    BLUE,
    MAX_CELLS,
    RIGHT_RGB,
    WRONG_RGB,
    accuracy_limits,
    block_size,
    confusion_pixels,
    draw_accuracy,
    draw_confusion,
    draw_loss,
    draw_reliability,
)

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def curve(count):
    return [Epoch(one, 2 / one, 1 - 0.9 / one, 1 - 0.8 / one, 1.5 / one) for one in range(1, count + 1)]


@pytest.mark.parametrize("count", [1, 2, 3, 60, 1000])
def test_curves_are_svg_for_any_number_of_epochs(count):
    for svg in (draw_loss(curve(count)), draw_accuracy(curve(count), count)):
        root = ElementTree.fromstring(svg)
        assert root.tag == f"{SVG}svg"
        assert root.get("viewBox", "").startswith("0 0 480")
        assert root.get("width") is None
        assert {"training", "validation", "epoch"} <= set(texts(svg))
        assert len(svg) < 60_000
    assert "kept" in texts(draw_accuracy(curve(count), count))
    assert "kept" not in texts(draw_accuracy(curve(count), None))


def test_epochs_are_whole_numbers():
    for count in (1, 2, 3, 5, 8, 13):
        loss = texts(draw_loss(curve(count)))
        assert not [text for text in loss[: loss.index("epoch")] if not text.lstrip("−").isdigit()], loss


def test_a_loss_of_zero_is_drawn():
    assert ElementTree.fromstring(draw_loss([Epoch(1, 0, 1, 1, 0), Epoch(2, 0, 1, 1, 0)])) is not None


@pytest.mark.parametrize(
    ("shares", "limits"),
    [
        ([0.12, 0.98], (0.1, 1)), ([0.0, 1.0], (0, 1)), ([0.97, 0.985], (0.97, 0.99)), ([1.0, 1.0], (0.99, 1)),
        ([0.5], (0.5, 0.51)), ([0.3, 0.64], (0.3, 0.7)), ([0.0, 0.0], (0, 0.01)),
    ],
)  # fmt: skip
def test_accuracy_limits(shares, limits):
    assert accuracy_limits(shares) == pytest.approx(limits)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_every_point_is_in_sight(shares):
    low, high = accuracy_limits(shares)
    assert 0 <= low < high <= 1
    assert low - 1e-6 <= min(shares) <= max(shares) <= high + 1e-6


@pytest.mark.parametrize("count", [1, 15])
def test_reliability_is_svg_for_any_number_of_bins(count):
    bins = [Bin(one / 15, (one + 1) / 15, 4, (one + 0.5) / 15, one / 15, (0, 1)) for one in range(15 - count, 15)]
    found = texts(draw_reliability(bins))
    assert {"share of the images", "how sure the model is", "100 %"} <= set(found)


def test_reliability_before_the_temperature_is_drawn_as_outlines():
    bins = [Bin(0.8, 1.0, 4, 0.9, 0.75, (0.3, 0.95))]
    before = [Bin(0.2, 0.4, 1, 0.3, 1.0, (0.2, 1.0)), Bin(0.6, 0.8, 3, 0.7, 0.5, (0.1, 0.9))]
    plain, both = draw_reliability(bins), draw_reliability(bins, before)
    assert {"calibrated", "before"} <= set(texts(both))
    assert not {"calibrated", "before"} & set(texts(plain))
    assert AMBER not in plain
    assert both.count(f"stroke: {AMBER}") == 2 * len(before) + 1, "two panels, and the legend"


def test_bins_of_few_images_are_faint():
    few, many = (Bin(0.8, 1.0, n, 0.9, 0.9, interval) for n, interval in ((2, (0.1, 1.0)), (900, (0.88, 0.92))))

    def opacity(svg):
        return float(re.search(rf"fill: {BLUE}; fill-opacity: ([\d.]+)", svg)[1])

    assert opacity(draw_reliability([few])) < opacity(draw_reliability([many])) / 2


def test_large_confusion_is_a_picture_of_its_cells():
    matrix = 3 * np.eye(20, dtype=np.int64)
    matrix[4, 7] = 1
    svg = draw_confusion(matrix)
    data = re.search(r'xlink:href="data:image/png;base64,([^"]+)"', svg)
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(data.group(1)))).convert("RGBA"))
    assert image.shape[:2] == (20, 20), "a cell a pixel, enlarged by the browser"
    assert np.array_equal(image, confusion_pixels(matrix)) or np.array_equal(image[::-1], confusion_pixels(matrix))


def test_confusion_pixels_show_right_and_wrong():
    matrix = np.array([[99, 1, 0], [0, 0, 0], [0, 0, 4]])
    pixels = confusion_pixels(matrix)
    assert tuple(pixels[0, 0, :3]) == tuple(pixels[2, 2, :3]) == RIGHT_RGB
    assert tuple(pixels[0, 1, :3]) == WRONG_RGB
    assert pixels[2, 2, 3] == 255
    assert 255 > pixels[0, 0, 3] > pixels[0, 1, 3] > 90, "one mistake in a hundred can be seen"
    assert not pixels[1, :, 3].any()
    assert not pixels[matrix == 0, 3].any()


@pytest.mark.parametrize("classes", [MAX_CELLS, MAX_CELLS + 1, 1000])
def test_very_many_classes_are_summed_in_blocks(classes):
    block = block_size(classes)
    assert (block - 1) * MAX_CELLS < classes <= block * MAX_CELLS
    matrix = np.zeros((classes, classes), dtype=np.int64)
    matrix[classes - 1, 0] = 1
    pixels = confusion_pixels(matrix)
    assert pixels.shape[0] == pixels.shape[1] == math.ceil(classes / block) <= MAX_CELLS
    assert np.argwhere(pixels[..., 3]).tolist() == [[len(pixels) - 1, 0]]


def test_settings_of_the_user_change_nothing():
    plain = [draw_loss(curve(9)), draw_accuracy(curve(9), 7), draw_confusion(np.eye(30, dtype=np.int64))]
    with matplotlib.rc_context({"svg.fonttype": "path", "axes.facecolor": "red", "font.size": 30, "figure.dpi": 300}):
        assert [
            draw_loss(curve(9)), draw_accuracy(curve(9), 7), draw_confusion(np.eye(30, dtype=np.int64))
        ] == plain  # fmt: skip
        assert matplotlib.rcParams["font.size"] == 30
