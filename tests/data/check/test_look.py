"""One look at an image: fingerprints that tell pictures apart and no more, headers, reasons."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vitrail.data.check.look import SIDE, look, look_at_all


@pytest.fixture
def picture():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8))


def saved(image, path, **options):
    image.save(path, **options)
    return str(path)


def test_equal_pixels_have_one_fingerprint_whatever_file_they_are_in(tmp_path, picture):
    looks = [look(saved(picture, tmp_path / name)) for name in ("a.png", "b.bmp", "c.tif")]
    looks.append(look(np.asarray(picture)))
    assert len({one.pixels for one in looks}) == 1
    assert len({one.content for one in looks}) == 4
    assert looks[3].content == b""
    assert looks[3].header is None
    assert {one.size for one in looks} == {(20, 30)}


def test_a_single_changed_pixel_or_another_shape_has_another_fingerprint(picture):
    pixels = np.asarray(picture)
    changed = pixels.copy()
    changed[3, 5, 1] ^= 1
    shapes = [pixels, changed, pixels.reshape(30, 20, 3), pixels[:, :, :1], pixels[:, :, ::-1]]
    assert len({look(np.ascontiguousarray(one)).pixels for one in shapes}) == 5


def test_grey_is_one_picture_with_or_without_three_channels(tmp_path, picture):
    grey = picture.convert("L")
    one, other = (look(saved(image, tmp_path / f"{image.mode}.png")) for image in (grey, grey.convert("RGB")))
    assert one.pixels == other.pixels
    assert (one.header.mode, other.header.mode) == ("L", "RGB")


def test_an_image_that_exif_turns_equals_one_that_lies_upright(tmp_path, picture):
    exif = Image.Exif()
    exif[274] = 6
    turned = look(saved(picture.transpose(Image.Transpose.ROTATE_90), tmp_path / "turned.png", exif=exif))
    upright = look(saved(picture, tmp_path / "upright.png"))
    assert turned.header.turned
    assert not upright.header.turned
    assert turned.pixels == upright.pixels
    assert turned.size == upright.size == (20, 30)


def test_a_file_that_cannot_be_used_has_a_reason_and_nothing_else(tmp_path, picture):
    path = tmp_path / "cut.png"
    picture.save(path)
    path.write_bytes(path.read_bytes()[:600])
    found = look(str(path))
    assert "truncated" in found.reason
    assert not found.reason.startswith(str(tmp_path))
    assert found.pixels == b""
    assert found.thumbnail is None
    assert look(str(tmp_path / "gone.png")).reason == "no such file"


@pytest.mark.parametrize(("name", "options", "misnamed"), [("a.jpg", {"format": "PNG"}, True), ("A.JPEG", {}, False)])
def test_a_name_that_ends_like_another_format_is_seen(tmp_path, picture, name, options, misnamed):
    assert look(saved(picture, tmp_path / name, **options)).header.is_misnamed is misnamed


def test_images_of_any_number_of_channels_are_looked_at(tmp_path):
    bands = np.random.default_rng(1).integers(0, 256, (9, 8, 5), dtype=np.uint8)
    np.save(tmp_path / "bands.npy", bands)
    found = look(str(tmp_path / "bands.npy"))
    assert found.reason == ""
    assert found.header.mode == "bands"
    assert found.pixels == look(bands).pixels
    assert found.pixels != look(np.ascontiguousarray(bands[:, :, ::-1])).pixels


def test_the_thumbnail_is_the_mean_of_what_each_of_its_pixels_covers():
    pixels = np.random.default_rng(2).integers(0, 256, (64, 96), dtype=np.uint8)
    means = pixels.reshape(SIDE, 2, SIDE, 3).mean(axis=(1, 3))
    assert np.abs(look(pixels[..., None]).thumbnail - means).max() <= 1


@pytest.mark.parametrize("threads", [1, 4])
def test_looks_come_in_order_with_any_number_of_threads(tmp_path, threads):
    images = np.random.default_rng(3).integers(0, 256, (150, 6, 5, 1), dtype=np.uint8)
    paths = [saved(Image.fromarray(image[..., 0]), tmp_path / f"{number}.png") for number, image in enumerate(images)]
    expected = [look(image).pixels for image in images]
    assert [one.pixels for one in look_at_all(images, threads)] == expected
    assert [one.pixels for one in look_at_all(paths, threads)] == expected
