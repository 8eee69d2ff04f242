"""What a person sees: modes, inks, profiles. Files are written byte by byte, references computed by formulas."""

from __future__ import annotations

import io
import struct
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from vitrail.data.decode import decode

ADOBE = b"\xff\xee"
RNG = np.random.default_rng(11)


def array_of(source: object) -> np.ndarray:
    return np.asarray(decode(source)).astype(float)


def on_white(values: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Composite, both 0 … 1."""
    return 255 * (values * alpha + 1 - alpha)


def linear(values: np.ndarray) -> np.ndarray:
    """sRGB's curve (IEC 61966-2-1), from 0 … 1 to light."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def encoded(light: np.ndarray) -> np.ndarray:
    light = light.clip(0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


# Columns: red, green and blue of sRGB and of Adobe RGB (1998), adapted to the profile's white D50 (Bradford).
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
ADOBE_RGB = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])


def adobe_rgb(written: ModuleType) -> bytes:
    tags = {name: written.xyz(*column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), ADOBE_RGB.T, strict=True)}
    curves = {name: written.curve(563 / 256) for name in (b"rTRC", b"gTRC", b"bTRC")}
    return written.profile(b"RGB ", {b"wtpt": written.WHITE, **tags, **curves})


def from_adobe_rgb(pixels: np.ndarray) -> np.ndarray:
    light = np.linalg.inv(SRGB) @ ADOBE_RGB @ ((pixels / 255) ** (563 / 256)).reshape(-1, 3).T
    return 255 * encoded(light.T.reshape(pixels.shape))


def in_gamut() -> np.ndarray:
    """Colours of Adobe RGB that sRGB has too."""
    pixels = RNG.integers(0, 256, (40, 40, 3)).astype(np.uint8)
    light = (np.linalg.inv(SRGB) @ ADOBE_RGB @ ((pixels / 255) ** (563 / 256)).reshape(-1, 3).T).T
    good = pixels.reshape(-1, 3)[((light > 0.002) & (light < 0.998)).all(axis=1)]
    return good[: len(good) // 10 * 10].reshape(10, -1, 3)


def with_profile(written: ModuleType, rows: np.ndarray, color: int, profile: bytes) -> bytes:
    import zlib

    return written.png(rows, color, 8, [(b"iCCP", b"some\0\0" + zlib.compress(profile))])


def test_a_profile_is_brought_to_srgb(written: ModuleType) -> None:
    pixels = in_gamut()
    content = with_profile(written, pixels.reshape(len(pixels), -1), 2, adobe_rgb(written))
    expected = from_adobe_rgb(pixels)

    assert pixels.size > 600 and np.abs(expected - pixels).max() > 30, "the profile matters"
    assert np.abs(array_of(content) - expected).max() <= 2


@pytest.mark.parametrize("fmt", ["JPEG", "TIFF", "WEBP", "AVIF", "PNG"])
def test_profiles_are_found_in_every_format(written: ModuleType, fmt: str) -> None:
    """Beside the same file without the profile, whose pixels are those that the format could keep."""
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}, "AVIF": {"quality": 100}}
    found = {}
    for profile in (None, adobe_rgb(written)):
        buffer = io.BytesIO()
        Image.new("RGB", (16, 16), (90, 140, 180)).save(buffer, fmt, icc_profile=profile, **options.get(fmt, {}))
        found[profile is None] = array_of(buffer.getvalue())

    assert np.abs(found[True] - [90, 140, 180]).max() <= 2
    assert np.abs(found[False] - from_adobe_rgb(found[True])).max() <= 2


def test_alpha_is_put_on_white_after_the_profile(written: ModuleType) -> None:
    pixels = in_gamut()
    alpha = RNG.integers(0, 256, (*pixels.shape[:2], 1)).astype(np.uint8)
    alpha[0] = 0
    rows = np.concatenate([pixels, alpha], axis=2).reshape(len(pixels), -1)
    result = array_of(with_profile(written, rows, 6, adobe_rgb(written)))

    assert np.abs(result - on_white(from_adobe_rgb(pixels) / 255, alpha / 255)).max() <= 2
    assert (result[0] == 255).all()


def test_a_grey_profile(written: ModuleType) -> None:
    """Gamma 1: numbers are light itself."""
    pixels = np.arange(256).reshape(16, 16)
    grey = written.profile(b"GRAY", {b"wtpt": written.WHITE, b"kTRC": written.curve(1.0)})
    result = decode(with_profile(written, pixels, 0, grey))

    assert result.mode == "L"
    assert np.abs(np.asarray(result) - 255 * encoded(pixels / 255)).max() <= 2


def test_a_palette_with_a_profile(written: ModuleType) -> None:
    import zlib

    palette = in_gamut()[0, :4]
    indices = np.arange(16).reshape(4, 4) % 4
    extra = [(b"iCCP", b"some\0\0" + zlib.compress(adobe_rgb(written))), (b"PLTE", palette.tobytes())]

    assert np.abs(array_of(written.png(indices, 3, 8, extra)) - from_adobe_rgb(palette[indices])).max() <= 2


def test_srgbs_own_profile_changes_nothing(written: ModuleType) -> None:
    pixels = RNG.integers(0, 256, (20, 60)).astype(np.uint8)
    tags = {name: written.xyz(*column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), SRGB.T, strict=True)}
    points = np.rint(65535 * linear(np.linspace(0, 1, 1024))).astype(">u2")
    table = b"curv" + struct.pack(">II", 0, len(points)) + points.tobytes()
    own = written.profile(b"RGB ", {b"wtpt": written.WHITE, **tags, b"rTRC": table, b"gTRC": table, b"bTRC": table})

    assert (array_of(with_profile(written, pixels, 2, own)) == pixels.reshape(20, 20, 3)).all()


def test_profiles_that_cannot_be_used_are_ignored(written: ModuleType) -> None:
    pixels = RNG.integers(0, 256, (4, 12)).astype(np.uint8)
    good = adobe_rgb(written)
    grey = written.profile(b"GRAY", {b"wtpt": written.WHITE, b"kTRC": written.curve(1.0)})
    for broken in (b"\0", b"no profile at all" * 20, good[:200], good[:-60], grey, good[:36] + b"none" + good[40:]):
        assert (array_of(with_profile(written, pixels, 2, broken)) == pixels.reshape(4, 4, 3)).all()
    spoilt = written.png(pixels, 2, 8, [(b"iCCP", b"some\0\0no deflate")])
    assert (array_of(spoilt) == pixels.reshape(4, 4, 3)).all()
    huge = written.tiff(pixels.tobytes(), (4, 4), [8] * 3, 2, {34675: ("s", good + b"\0" * (5 * 2**20))})
    assert (array_of(huge) == pixels.reshape(4, 4, 3)).all()
    assert (array_of(with_profile(written, pixels, 0, good)) == pixels).all(), "made for colour, and the image is grey"
    random = np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(good)
        for place in random.integers(0, len(good), 3):
            damaged[place] = random.integers(0, 256)
        assert decode(with_profile(written, pixels, 2, bytes(damaged))).size == (4, 4)


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bit_grey_tiff(written: ModuleType, order: str) -> None:
    values = np.linspace(0, 65535, 70).astype(np.uint16).reshape(7, 10)
    data = values.astype(order + "u2").tobytes()
    result = decode(written.tiff(data, (10, 7), [16], 1, order=order))

    assert result.mode == "L" and np.abs(np.asarray(result) - values / 257).max() <= 0.51
    white_is_zero = array_of(written.tiff(data, (10, 7), [16], 0, order=order))
    assert np.abs(white_is_zero - (255 - values / 257)).max() <= 0.51


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_sixteen_bit_images_of_pillow(mode: str) -> None:
    values = np.linspace(0, 65535, 64).reshape(8, 8)
    kind = {"I;16": "<u2", "I;16B": ">u2", "I": "<i4"}[mode]
    image = Image.frombytes(mode, (8, 8), values.astype(kind).tobytes())

    assert image.mode == mode and np.abs(array_of(image) - values.astype(int) / 257).max() <= 0.51


def test_sixteen_bit_png(written: ModuleType) -> None:
    grey = RNG.integers(0, 65536, (5, 6))
    assert np.abs(array_of(written.png(grey, 0, 16)) - grey / 257).max() <= 0.51
    colour = RNG.integers(0, 65536, (5, 18))
    assert np.abs(array_of(written.png(colour, 2, 16)) - (colour / 257).reshape(5, 6, 3)).max() <= 1
    for color, values in ((4, 1), (6, 3)):
        parts = RNG.integers(0, 65536, (5, 6, values + 1)) / 65535
        expected = on_white(parts[..., :values], parts[..., values:])
        result = array_of(written.png((parts * 65535).round().reshape(5, -1), color, 16))
        assert np.abs(result - expected).max() <= 2


def test_transparent_colours_of_png(written: ModuleType) -> None:
    """A key of 16 bits is compared with pixels of 16 bits, not with what is left of them."""
    keys = np.array([0x1234, 0x5678, 0x9ABC])
    rows = np.array([[*keys, *(keys + 0x0300), 0x0034, 0x0078, 0x00BC]])
    result = array_of(written.png(rows, 2, 16, [(b"tRNS", struct.pack(">HHH", *keys))]))
    assert (result[0, 0] == 255).all()
    assert np.abs(result[0, 1:] - (rows[0, 3:] / 257).reshape(2, 3)).max() <= 1

    grey = written.png(np.array([[7, 8, 7]]), 0, 8, [(b"tRNS", b"\0\7")])
    assert array_of(grey).tolist() == [[255, 8, 255]]
    bits = written.png(np.array([[0, 1] * 4]), 0, 1, [(b"tRNS", b"\0\0")])
    assert array_of(bits).tolist() == [[255] * 8]


def test_premultiplied_alpha(written: ModuleType) -> None:
    """TIFF's ExtraSamples 1: the colours are stored times alpha already."""
    alpha = RNG.integers(0, 256, (6, 7, 1))
    stored = (RNG.random((6, 7, 3)) * alpha).astype(np.uint8)
    pixels = np.concatenate([stored, alpha], axis=2).astype(np.uint8)
    expected = stored + 255.0 - alpha
    result = array_of(written.tiff(pixels.tobytes(), (7, 6), [8] * 4, 2, {338: ("H", [1])}))
    assert np.abs(result - expected).max() <= 2
    assert np.abs(array_of(Image.frombytes("RGBa", (7, 6), pixels.tobytes())) - expected).max() <= 2

    grey = np.ascontiguousarray(pixels[..., 2:])
    result = array_of(written.tiff(grey.tobytes(), (7, 6), [8] * 2, 1, {338: ("H", [1])}))
    assert result.shape == (6, 7) and np.abs(result - (grey[..., 0] + 255.0 - grey[..., 1])).max() <= 2


@pytest.mark.parametrize("colors", [1, 3])
def test_hidden_colour_does_not_show(written: ModuleType, colors: int) -> None:
    pixels = np.zeros((4, 4, colors + 1), np.uint8)
    pixels[..., 0] = 200
    assert (array_of(written.png(pixels.reshape(4, -1), {1: 4, 3: 6}[colors], 8)) == 255).all()


def test_palette_with_alpha_in_memory() -> None:
    image = Image.new("PA", (3, 1))
    image.putpalette([200, 0, 0, 0, 100, 0], "RGB")
    for x, value in enumerate([(0, 255), (1, 51), (0, 0)]):
        image.putpixel((x, 0), value)
    expected = [[200, 0, 0], [204, 224, 204], [255, 255, 255]]
    assert np.abs(array_of(image)[0] - expected).max() <= 1


def inked(ink: np.ndarray) -> np.ndarray:
    """Ink 0 … 255 to colour, without a profile."""
    return 255 * (1 - ink[..., :3] / 255) * (1 - ink[..., 3:] / 255)


def cmyk_jpeg(ink: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    Image.new("CMYK", (16, 16), ink).save(buffer, "JPEG", quality=100, subsampling=0)
    return buffer.getvalue()


def test_cmyk_jpeg_of_adobe_is_stored_inverted() -> None:
    content = cmyk_jpeg((40, 120, 200, 30))
    assert ADOBE in content and b"Adobe" in content
    assert np.abs(array_of(content) - inked(np.array([40, 120, 200, 30]))).max() <= 2


def test_cmyk_jpeg_without_adobes_marker_is_stored_plainly() -> None:
    """The same numbers, whose file does not say that Adobe's software inverted them."""
    content = cmyk_jpeg((40, 120, 200, 30))
    start = content.index(ADOBE)
    plain = content[:start] + content[start + 2 + int.from_bytes(content[start + 2 : start + 4], "big") :]
    stored = 255 - np.array([40, 120, 200, 30])

    assert b"Adobe" not in plain
    assert np.abs(array_of(plain) - inked(stored)).max() <= 2


def test_ycck_jpeg() -> None:
    """Adobe's transform 2: the marker of a CMYK file changed says that its first three are luma and chroma."""
    content = bytearray(cmyk_jpeg((40, 120, 200, 30)))
    content[content.index(b"Adobe") + 11] = 2
    y, cb, cr, k = 255.0 - np.array([40, 120, 200, 30])
    red, blue = y + 1.402 * (cr - 128), y + 1.772 * (cb - 128)
    green = y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128)
    # libjpeg turns YCCK to CMYK by 255 − RGB, which is stored inverted: ink is 255 minus that again
    ink = np.array([red.clip(0, 255), green.clip(0, 255), blue.clip(0, 255), 255 - k])

    assert np.abs(array_of(bytes(content)) - inked(ink)).max() <= 2


def test_cmyk_tiff(written: ModuleType) -> None:
    ink = RNG.integers(0, 256, (5, 6, 4)).astype(np.uint8)
    assert np.abs(array_of(written.tiff(ink.tobytes(), (6, 5), [8] * 4, 5)) - inked(ink.astype(float))).max() <= 2


def test_lab_tiff(written: ModuleType) -> None:
    """CIE L*a*b*, D50, 8 bits, a* and b* signed."""
    lab = np.stack([RNG.integers(20, 90, 50), RNG.integers(-20, 21, 50), RNG.integers(-20, 21, 50)], axis=1)
    data = np.stack([np.rint(lab[:, 0] * 2.55), lab[:, 1] % 256, lab[:, 2] % 256], axis=1).astype(np.uint8)
    fy = (np.rint(lab[:, 0] * 2.55) / 2.55 + 16) / 116
    f = np.stack([fy + lab[:, 1] / 500, fy, fy - lab[:, 2] / 200])
    tristimulus = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * [[0.9642], [1.0], [0.8249]]
    expected = 255 * encoded(np.linalg.inv(SRGB) @ tristimulus).T

    assert np.abs(array_of(written.tiff(data.tobytes(), (50, 1), [8] * 3, 8))[0] - expected).max() <= 2


def test_damaged_exif_turns_nothing(written: ModuleType) -> None:
    pixels = np.arange(6).reshape(2, 3)
    for exif in (
        b"",
        b"II*\0\xff\xff\xff\xff",
        b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x04\0\0\xff\xff",
        b"garbage",
    ):
        assert (array_of(written.png(pixels, 0, 8, [(b"eXIf", exif)])) == pixels).all()
