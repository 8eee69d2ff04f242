"""Images of any number of channels: `.npy`, TIFF, arrays; what a spec makes of them, and what it refuses."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import tifffile
from PIL import Image

from vitrail.core.errors import ConfigError, DataError, ImageError
from vitrail.data.bands import Bands, channels_of
from vitrail.data.dataset import Samples
from vitrail.data.decode import decode, examine
from vitrail.data.picture import picture, picture_of_pixels
from vitrail.data.pixels import load_pixels
from vitrail.data.probe import probe_images
from vitrail.data.spec import ImageSpec
from vitrail.data.statistics import measured_spec

RNG = np.random.default_rng(3)


def npy(array: np.ndarray, version: tuple[int, int] = (1, 0)) -> bytes:
    """Write NumPy's format by hand: magic, version, length of the header, header, values."""
    order = "F" if array.flags.f_contiguous and array.ndim > 1 and not array.flags.c_contiguous else "C"
    head = repr({"descr": array.dtype.str, "fortran_order": order == "F", "shape": array.shape}).encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    size = struct.pack("<H" if version == (1, 0) else "<I", len(head))
    return b"\x93NUMPY" + bytes(version) + size + head + array.tobytes(order)


def planes(image: object) -> np.ndarray:
    assert isinstance(image, Bands)
    return np.stack([np.asarray(plane) for plane in image.planes], axis=2)


@pytest.mark.parametrize("channels", [2, 4, 5, 12])
@pytest.mark.parametrize("kind", ["u1", "<u2", ">u2", "<f4", ">f4"])
def test_npy_of_n_channels(channels: int, kind: str) -> None:
    part = RNG.random((5, 7, channels))
    top = {"u1": 255, "u2": 65535, "f4": 1}[kind[-2:]]
    stored = (part * top if kind.endswith("f4") else np.floor(part * top)).astype(kind)
    for version in ((1, 0), (2, 0)):
        image = decode(npy(stored, version))
        assert channels_of(image) == channels and image.size == (7, 5)
        assert np.abs(planes(image) - stored.astype(float) / top * 255).max() <= 0.51


def test_npy_of_one_and_three_channels_is_grey_and_colour(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 256, (5, 7, 3)).astype(np.uint8)
    path = tmp_path / "a.npy"
    path.write_bytes(npy(pixels))
    assert decode(path).mode == "RGB" and (np.asarray(decode(str(path))) == pixels).all()
    for grey in (pixels[..., 0], pixels[..., :1]):
        decoded = decode(npy(np.ascontiguousarray(grey)))
        assert decoded.mode == "L" and (np.asarray(decoded) == pixels[..., 0]).all()


def test_npy_by_columns() -> None:
    pixels = np.asfortranarray(RNG.integers(0, 256, (4, 6, 5)).astype(np.uint8))
    assert (planes(decode(npy(pixels))) == pixels).all()


def test_arrays_of_n_channels() -> None:
    pixels = RNG.integers(0, 256, (4, 6, 5)).astype(np.uint8)
    assert (planes(decode(pixels)) == pixels).all()
    assert (planes(decode(pixels[::-1, :, ::2][..., :2])) == pixels[::-1, :, [0, 2]]).all()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (npy(np.zeros((4, 4, 5)))[:-1], "float64"),
        (npy(np.zeros((4, 4, 5), np.uint8))[:-1], "promises 80 bytes of values; it has 79"),
        (npy(np.zeros((4, 4, 5), np.uint8)) + b"x", "promises 80 bytes of values; it has 81"),
        (npy(np.zeros((4, 4), np.int64)), "type int64"),
        (npy(np.zeros(16, np.uint8)), r"shape \(16,\)"),
        (npy(np.zeros((1, 4, 4, 5), np.uint8)), r"shape \(1, 4, 4, 5\)"),
        (npy(np.zeros((0, 4, 5), np.uint8)), r"shape \(0, 4, 5\)"),
        (npy(np.full((4, 4, 5), 255.0, np.float32)), "float32 values from 255 to 255; allowed: 0 … 1"),
        (npy(np.full((4, 4, 5), np.nan, np.float32)), "float32 values from nan"),
        (npy(np.array([["a", "b"]], dtype="U1")), "<U1"),
        (b"\x93NUMPY\x01\0", "."),
        (b"\x93NUMPY\x01\0\x10\0{'descr': '|O', ", "."),
        (b"\x93NUMPY\x09\0\x10\0", "."),
    ],
)
def test_npy_files_that_are_no_images(content: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        decode(content)


def test_a_pickle_in_an_npy_is_not_opened() -> None:
    """The header says objects; what follows would write a file."""
    buffer = io.BytesIO()
    np.save(buffer, np.array([[object()]]), allow_pickle=True)
    with pytest.raises(ImageError, match="type object is no image"):
        decode(buffer.getvalue())


@pytest.mark.parametrize("shape", [(100_000, 100_000), (8000, 8000, 4), (1000, 1000, 300), (2**62, 2**62, 3)])
def test_a_header_that_claims_too_much_is_refused_before_anything_is_read(shape: tuple[int, ...]) -> None:
    head = npy(np.zeros((1, 1, 2), np.uint8)).replace(b"(1, 1, 2)", repr(shape).encode())
    for look in (decode, examine):
        with pytest.raises(ImageError, match="more than (50,000,000|200,000,000 values)"):
            look(head)


def tiff_of(array: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("channels", [2, 4, 5, 7])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_tiff_of_n_channels(channels: int, kind: type, planar: str) -> None:
    part = RNG.random((9, 6, channels))
    top = {np.uint8: 255, np.uint16: 65535, np.float32: 1}[kind]
    stored = (part * top).astype(kind)
    written = np.moveaxis(stored, 2, 0) if planar == "separate" else stored
    content = tiff_of(written, photometric="minisblack", planarconfig=planar, rowsperstrip=4)
    assert np.abs(planes(decode(content)) - stored.astype(float) / top * 255).max() <= 0.51
    examine(content)


@pytest.mark.parametrize("predictor", [False, True])
def test_deflated_and_tiled_tiff(predictor: bool) -> None:
    stored = RNG.integers(0, 256, (40, 50, 6)).astype(np.uint8)
    options = {"planarconfig": "contig", "compression": "zlib", "predictor": predictor, "tile": (16, 16)}
    content = tiff_of(stored, photometric="minisblack", **options)
    assert (planes(decode(content)) == stored).all()


def test_colour_and_a_channel_that_is_not_alpha() -> None:
    """Near infrared, say: Pillow would drop it. As alpha it is put on white."""
    stored = RNG.integers(0, 256, (4, 5, 4)).astype(np.uint8)
    assert (planes(decode(tiff_of(stored, photometric="rgb", extrasamples=["unspecified"]))) == stored).all()
    seen = np.asarray(decode(tiff_of(stored, photometric="rgb", extrasamples=["unassalpha"])))
    part = stored[..., 3:] / 255
    assert np.abs(seen - (stored[..., :3] * part + 255 * (1 - part))).max() <= 1


def test_tiff_colours_of_float() -> None:
    stored = RNG.random((4, 5, 3)).astype(np.float32)
    image = decode(tiff_of(stored, photometric="rgb"))
    assert image.mode == "RGB" and np.abs(np.asarray(image) - stored * 255).max() <= 0.51


def test_tiffs_that_are_refused(written: ModuleType) -> None:
    five = [8] * 5
    spread = {338: ("H", [0] * 4)}
    cases = [
        (written.tiff(b"\0" * 10, (4, 4), five, 1, spread), "truncated|failed"),
        (written.tiff(b"\0" * 10, (60_000, 60_000), five, 1, spread), "60000 × 60000 pixels are more than 50,000,000"),
        (written.tiff(b"\0" * 10, (7000, 7000), five, 1, spread), "5 channels are more than 200,000,000 values"),
        (written.tiff(b"\0" * 80, (4, 4), five, 1, {**spread, 259: ("H", [5])}), "compressed by LZW"),
        (written.tiff(b"\0" * 40, (4, 4), [4] * 5, 1, spread), "."),
        (tiff_of(np.zeros((4, 4, 5)), photometric="minisblack"), "type float64"),
    ]
    for content, reason in cases:
        with pytest.raises(ImageError, match=reason):
            decode(content)


def test_a_strip_that_swells_is_refused(written: ModuleType) -> None:
    """Twenty megabytes in twenty thousand bytes, for an image of 80."""
    bomb = zlib.compress(b"\0" * 20_000_000)
    content = written.tiff(bomb, (4, 4), [8] * 5, 1, {338: ("H", [0] * 4), 259: ("H", [8])})
    with pytest.raises(ImageError, match="more than its place"):
        decode(content)


SPEC = ImageSpec((8, 8), (0.5,) * 5, (0.2,) * 5, color="bands")


def test_a_spec_of_bands() -> None:
    stored = RNG.integers(0, 256, (30, 40, 5)).astype(np.uint8)
    pixels = SPEC.pixels(decode(stored))
    each = ImageSpec((8, 8), (0.5,), (0.2,), color="L")
    expected = np.concatenate([each.pixels(Image.fromarray(stored[..., one].copy())) for one in range(5)], axis=2)

    assert SPEC.channels == 5 and pixels.shape == (8, 8, 5) and (pixels == expected).all()
    assert np.allclose(SPEC.normalise(pixels[None])[0], (np.moveaxis(pixels, 2, 0) / 255 - 0.5) / 0.2, atol=1e-6)
    with pytest.raises(ConfigError, match="std"):
        ImageSpec((8, 8), (0.5,) * 5, (0.2,) * 4, color="bands")


def test_images_with_other_channels_are_bad_and_say_so(tmp_path: Path) -> None:
    files = []
    for channels in (5, 3, 4, 1, 5):
        files.append(str(tmp_path / f"{len(files)}.npy"))
        Path(files[-1]).write_bytes(npy(RNG.integers(0, 256, (9, 9, channels)).astype(np.uint8)))
    pixels, good, bad = load_pixels(files, SPEC)
    assert [image.shape for image in pixels] == [(8, 8, 5)] * 2 and good == [0, 4]
    assert [reason for _, reason in bad] == [
        f"{files[1]}: 3 channels (colour); the others, and the model, have 5",
        f"{files[2]}: 4 channels; the others, and the model, have 5",
        f"{files[3]}: 1 channel (grey); the others, and the model, have 5",
    ]
    _, good, bad = load_pixels(files, ImageSpec((8, 8)))
    assert good == [1, 3] and bad[0] == (0, f"{files[0]}: 5 channels; the others, and the model, have 3")


def test_the_probe_finds_what_most_images_have() -> None:
    def probe(*channels: int) -> tuple[int, str]:
        images = [np.zeros((9, 9, one), np.uint8) for one in channels]
        found = probe_images(Samples(images, np.zeros(len(images), np.int64), [""] * len(images)))
        return found.channels, found.kind

    assert probe(5, 5, 3) == (5, "5-channel")
    assert probe(5, 1, 3) == (3, "colour")
    assert probe(4, 1, 1) == (1, "grey")
    assert probe(4, 5, 5) == (5, "5-channel")


def test_mean_and_spread_are_measured() -> None:
    levels = RNG.integers(20, 200, (40, 1, 1, 5))
    images = list((levels + np.zeros((1, 8, 8, 1))).astype(np.uint8))
    samples = Samples(images, np.zeros(40, np.int64), [str(number) for number in range(40)])
    spec = measured_spec(samples, SPEC, seed=0)
    assert np.allclose(spec.mean, levels.mean(axis=(0, 1, 2)) / 255, atol=1e-6)
    assert np.allclose(spec.std, levels.std(axis=(0, 1, 2)) / 255, atol=1e-6)
    assert measured_spec(samples, SPEC, 1, limit=5) == measured_spec(samples, SPEC, 1, limit=5)
    assert measured_spec(samples, SPEC, 1, limit=5) != measured_spec(samples, SPEC, 2, limit=5)

    still = Samples([np.zeros((8, 8, 5), np.uint8)], np.zeros(1, np.int64), ["a"])
    assert measured_spec(still, SPEC, 0).std == (round(1 / 255, 6),) * 5
    wrong = Samples([np.zeros((8, 8, 4), np.uint8)], np.zeros(1, np.int64), ["a"])
    with pytest.raises(DataError, match="has 5 channels"):
        measured_spec(wrong, SPEC, 0)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 9])
def test_pictures_of_anything(channels: int) -> None:
    stored = RNG.integers(0, 256, (20, 30, channels)).astype(np.uint8)
    shown = picture(decode(stored))
    expected = stored[..., :3] if channels > 2 else stored[..., 0]
    assert (np.asarray(shown) == expected).all()
    assert (np.asarray(picture_of_pixels(stored)) == expected).all()
    image = decode(stored)
    assert picture(image, 15).size == (15, 10) and image.size == (30, 20)
