"""The picture of an explanation: aspect, place of the maps, names of any kind."""

from __future__ import annotations

import io

import matplotlib
import numpy as np
import pytest
from PIL import Image

from vitrail.report.explanation import PANEL, WIDE_PANEL, Look, _Page, draw_look, font_families
from vitrail.report.overlay import COLOURS, MAX_ASPECT, SIGNED_COLOURS, coloured, fitted, overlay, shrunk

MAP = np.array([[0.0, 0.0], [0.0, 0.4]])
RED = (200, 30, 30)


def look(width, height, box=None, maps=None, answers=(("cat", 0.9), ("dog", 0.1)), truth=None, colour=RED):
    maps = {"last block": MAP, "rollout": MAP.T} if maps is None else maps
    image = Image.new("RGB", (width, height), colour)
    return Look(image, box or (0, 0, width, height), maps, answers, "the class token", truth)


def drawn(one):
    return np.asarray(Image.open(io.BytesIO(draw_look(one))).convert("RGB"))


def extent(picture, colour):
    """Give top, left, height and width of what has a colour."""
    rows, columns = np.nonzero((np.abs(picture.astype(int) - colour) <= 2).all(axis=-1))
    return rows.min(), columns.min(), rows.max() - rows.min() + 1, columns.max() - columns.min() + 1


@pytest.mark.parametrize(
    ("width", "height", "panel"),
    [
        (800, 600, (PANEL[0], 255)),
        (600, 800, (315, PANEL[1])),
        (8, 8, (PANEL[0], PANEL[0])),
        (2400, 400, (WIDE_PANEL, 127)),
        (10, 4000, (round(PANEL[1] / MAX_ASPECT), PANEL[1])),
        (4000, 1, (WIDE_PANEL, round(WIDE_PANEL / MAX_ASPECT))),
    ],
)
def test_the_image_keeps_its_aspect(width, height, panel):
    found = extent(drawn(look(width, height)), RED)
    assert found[3] == pytest.approx(panel[0], abs=1)
    assert found[2] == pytest.approx(panel[1], abs=1)


def blend(value):
    import matplotlib

    grey = 64 + Image.new("RGB", (1, 1), RED).convert("L").getpixel((0, 0)) // 2
    return np.rint(0.6 * 255 * np.array(matplotlib.colormaps[COLOURS](float(value))[:3]) + 0.4 * grey).astype(int)


def test_a_map_covers_exactly_what_the_model_saw():
    """The hot patch is at the lower right of the box, which begins a quarter from the left and a half from the top."""
    one = look(40, 20, box=(10.0, 10.0, 30.0, 20.0), maps={"last block": MAP})
    picture = drawn(one)
    panel = (PANEL[0], PANEL[0] // 2)
    page = _Page(panel, panel[0], 2, 1, ("DejaVu Sans",))
    left, top = page.corner(1)
    row, column, height, width = extent(picture[:, int(left) :], blend(1.0))
    assert column == pytest.approx(panel[0] * 0.5, abs=2)
    assert row == pytest.approx(top + panel[1] * 0.75, abs=2)
    assert width == pytest.approx(panel[0] * 0.25, abs=3)
    assert height == pytest.approx(panel[1] * 0.25, abs=3)
    cold = extent(picture[:, int(left) :], blend(0.0))
    assert cold[1] == pytest.approx(panel[0] * 0.25, abs=2)
    assert cold[3] == pytest.approx(panel[0] * 0.5, abs=3)


def test_what_the_model_did_not_see_is_veiled():
    whole, part = drawn(look(40, 20, maps={})), drawn(look(40, 20, box=(10, 0, 30, 20), maps={}))
    assert extent(part, RED)[3] == pytest.approx(extent(whole, RED)[3] / 2, abs=4)
    assert (part != whole).any()


def test_tiny_images_are_enlarged_pixel_by_pixel():
    pixels = np.arange(16, dtype=np.uint8).reshape(4, 4) * 17
    image = Image.fromarray(pixels)
    picture = drawn(Look(image, (0, 0, 4, 4), {}, [("x", 1.0)], "the class token"))
    left, top = _Page((PANEL[0], PANEL[0]), PANEL[0], 1, 1, ("DejaVu Sans",)).corner(0)
    area = picture[int(top) : int(top) + PANEL[0], int(left) : int(left) + PANEL[0], 0]
    assert set(np.unique(area[4:-4, 4:-4]).tolist()) == set(pixels.ravel().tolist())


@pytest.mark.parametrize("name", ["$x^2$ _a_ \\", "猫 кот قط", "two\nlines", "x" * 500, "\udcff\x07", "", " "])
def test_names_may_hold_anything(name):
    picture = drawn(look(30, 20, answers=[(name, 0.5), (name, 0.2)], truth=name))
    assert picture.shape[1] > 600


def test_a_wrong_answer_looks_otherwise():
    plain, right, wrong = (draw_look(look(30, 20, truth=truth)) for truth in (None, "cat", "dog"))
    assert len({plain, right, wrong}) == 3


def test_equal_looks_give_equal_pictures():
    assert draw_look(look(30, 20)) == draw_look(look(30, 20))


def test_even_maps_and_maps_of_nothing_are_drawn():
    for values in (np.full((3, 2), 0.1), np.zeros((1, 1))):
        assert drawn(look(30, 20, maps={"last block": values})).shape[2] == 3


@pytest.mark.parametrize("size", [(5, 7), (1000, 3), (3, 1000), (2000, 1000)])
def test_images_shrink_to_the_panel_and_never_grow(size):
    image = shrunk(Image.new("L", size), (100, 80))
    assert image.size == (min(size[0], 100), min(size[1], 80))


def test_our_own_font_comes_first():
    assert font_families("abc äöü кот") == ("DejaVu Sans",)
    assert font_families("猫")[0] == "DejaVu Sans"


def test_signed_maps_have_0_in_the_middle_and_their_numbers_below():
    scale = coloured(np.array([[-1.0, 0.0], [0.25, 0.5]]), signed=True)
    np.testing.assert_allclose(scale.shares, [[0, 0.5], [0.625, 0.75]])
    assert (scale.low, scale.high) == ("−1", "+1")
    flat = coloured(np.zeros((2, 2)), signed=True)
    assert (flat.shares == 0.5).all()
    plain = coloured(np.array([[1.0, 3.0]]))
    np.testing.assert_allclose(plain.shares, [[0, 1]])
    assert (plain.low, plain.high) == ("0.5×", "1.5× the mean")


def test_many_maps_stand_in_rows_of_four():
    maps = {f"layer 1, head {head}": MAP for head in range(6)}
    picture = drawn(look(40, 40, maps=maps))
    one = drawn(look(40, 40, maps={"a": MAP}))
    assert picture.shape[1] < 4 * (PANEL[0] + 40) and picture.shape[0] > 1.7 * one.shape[0]


@pytest.mark.parametrize(("width", "height"), [(300, 200), (8, 6), (1, 900), (900, 1)])
@pytest.mark.parametrize("signed", [False, True])
def test_a_bare_overlay_covers_the_box_and_veils_the_rest(width, height, signed):
    image = Image.new("RGB", (width, height), (0, 0, 0))
    values = np.array([[-1.0, -1.0], [-1.0, -1.0]]) if signed else np.ones((2, 2))
    made = overlay(image, (width / 4, 0, width, height), values, signed, 320)
    assert max(made.size) == 320
    assert made.size == fitted(image, 320).size
    inside = 255 * np.array(matplotlib.colormaps[SIGNED_COLOURS if signed else COLOURS](0.0)[:3])
    shown = np.asarray(made).astype(float)
    np.testing.assert_allclose(shown[-1, -1], 0.4 * 64 + 0.6 * inside, atol=1)
    if width > 1:
        np.testing.assert_allclose(shown[0, 0], 64 + 0.62 * (255 - 64), atol=1)
