"""RandAugment: every row of every scale against its owner, and what is drawn."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from timm.data import auto_augment
from torch.nn.functional import affine_grid, grid_sample
from torchvision.transforms.v2 import RandAugment
from torchvision.transforms.v2 import functional as tv

from vitrail.core.errors import ConfigError
from vitrail.core.seeding import Stream, uniform
from vitrail.data.augment import Augment, AugmentConfig
from vitrail.data.color_changes import COLORS
from vitrail.data.dataset import Traits
from vitrail.data.randaugment import GEOMETRY, SCALES, Layers, RandAugmentConfig, plan_layers

LEVEL = 1 / 255
VITRAIL = list(SCALES["vitrail"].amounts)
TIMM = {
    "AutoContrast": "auto_contrast", "Equalize": "equalize", "Invert": "invert", "Rotate": "rotate",
    "PosterizeIncreasing": "posterize", "SolarizeIncreasing": "solarize", "SolarizeAdd": "solarize_add",
    "ColorIncreasing": "color", "ContrastIncreasing": "contrast", "BrightnessIncreasing": "brightness",
    "SharpnessIncreasing": "sharpness", "ShearX": "corner_shear_x", "ShearY": "corner_shear_y",
    "TranslateXRel": "translate_x", "TranslateYRel": "translate_y",
}  # fmt: skip


def pictures(height: int, width: int) -> np.ndarray:
    """Two smooth images with some noise, (2, height, width, 3)."""
    generator = np.random.default_rng(5)
    coarse = generator.integers(0, 256, (2, 5, 5, 3), dtype=np.uint8)
    large = [np.asarray(Image.fromarray(one).resize((width, height), Image.Resampling.BICUBIC)) for one in coarse]
    return np.clip(np.stack(large) + generator.integers(-4, 4, (2, height, width, 3)), 0, 255).astype(np.uint8)


def drawn(scale: str, name: str, level: float, sign: float = 1.0, place: float = 0.5) -> Layers:
    """One layer, in which two samples drew the same."""
    amount = SCALES[scale].amounts[name](np.array([level, level]), np.array([sign, sign]))
    return Layers(np.array([[name], [name]]), amount[:, None], np.full((2, 1, 2), place))


def changed(layers: Layers, pixels: np.ndarray) -> torch.Tensor:
    """Apply a layer to images; what comes in from outside is the nearest pixel."""
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    theta = layers.geometry(2, images.shape[3] / images.shape[2])[:, :2]
    if (theta != np.eye(3)[:2]).any():
        grid = affine_grid(torch.from_numpy(theta).float(), list(images.shape), align_corners=False)
        images = grid_sample(images, grid, padding_mode="border", align_corners=False)
    return layers.recolor(images)


def in_pixels(matrix: np.ndarray, height: int, width: int) -> np.ndarray:
    """Turn a map of −1 … 1 into one of pixels from the upper left corner."""
    to_pixels = np.array([[width / 2, 0, width / 2], [0, height / 2, height / 2], [0, 0, 1]])
    return np.asarray(to_pixels @ matrix @ np.linalg.inv(to_pixels))


def posterized(image: Image.Image, bits: int, **_: object) -> Image.Image:
    return ImageOps.posterize(image, bits) if bits else Image.new("RGB", image.size)


def test_timm_draws_from_the_same() -> None:
    assert [TIMM[name] for name in auto_augment._RAND_INCREASING_TRANSFORMS] == list(SCALES["timm"].amounts)


@pytest.mark.parametrize("name", TIMM)
def test_timms_operations(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside of the image: timm fills with one colour what comes in. Pillow refuses to keep 0 bits, which are black."""
    monkeypatch.setitem(auto_augment.NAME_TO_OP, "PosterizeIncreasing", posterized)
    size = (224, 224) if name == "Equalize" else (48, 64)
    pixels, settings = pictures(*size), {"img_mean": (0, 0, 0), "interpolation": Image.Resampling.BILINEAR}
    exact = TIMM[name] in ("posterize", "solarize", "solarize_add", "invert")
    for level, sign in itertools.product((0.0, 2.4, 8.7, 9.9, 12.0), (1, -1)):
        monkeypatch.setattr(auto_augment, "_randomly_negate", lambda value, sign=sign: sign * value)
        operation = auto_augment.AugmentOp(name, prob=1.0, magnitude=level, hparams=settings)
        theirs = np.stack([np.asarray(operation(Image.fromarray(one))) for one in pixels])
        inside = np.ones((*size, 3), dtype=bool)
        if TIMM[name] in GEOMETRY:
            inside = np.asarray(operation(Image.new("RGB", size[::-1], (255, 255, 255)))) > 0
        ours = changed(drawn("timm", TIMM[name], min(level, 10), sign), pixels).permute(0, 2, 3, 1).numpy() * 255

        assert inside.mean() > 0.4
        assert np.abs(ours - theirs)[:, inside].max() <= (0.01 if exact else 3), (level, sign)


def test_timms_magnitude_varies_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """`rand-m9-mstd0.5-inc1`: how often a layer does nothing, and the turns of those that drew to turn."""
    transform = auto_augment.rand_augment_transform("rand-m9-mstd0.5-inc1", {"img_mean": (0, 0, 0)})
    turn = next(operation for operation in transform.ops if operation.name == "Rotate")
    monkeypatch.setattr(turn, "aug_fn", lambda image, degrees, **_: seen.append(degrees) or image)
    random.seed(3)
    seen: list[float] = []
    for _ in range(4000):
        turn(None)
    config = RandAugmentConfig("timm", transform.num_layers, 9, turn.magnitude_std)
    layers = plan_layers(config, uniform(0, Stream.AUGMENT, 0, range(30_000), config.draws))
    ours = layers.amounts[layers.changes == "rotate"]

    assert config.operations == 2 and turn.prob == SCALES["timm"].chance
    assert abs((layers.changes == "identity").mean() - 0.5) < 0.01 and abs(len(seen) / 4000 - 0.5) < 0.035
    assert np.allclose(
        np.quantile(np.abs(ours), [0.05, 0.5, 0.9]), np.quantile(np.abs(seen), [0.05, 0.5, 0.9]), atol=0.2
    )
    assert abs(np.mean(ours > 0) - 0.5) < 0.04 and ours.max() <= 30


def test_a_levels_spread_is_normal_and_each_layers_own() -> None:
    config = RandAugmentConfig("big_vision", 2, 12, 1.5)
    numbers = uniform(1, Stream.AUGMENT, 0, range(40_000), config.draws)
    layers = plan_layers(config, numbers)
    levels = np.where(layers.changes == "brightness", (layers.amounts - 0.1) / 0.18, np.nan)
    both = levels[np.isfinite(levels).all(axis=1)]

    assert abs(np.nanmean(levels) - 12) < 0.1 and abs(np.nanstd(levels) - 1.5) < 0.1
    assert len(both) > 100 and abs(np.corrcoef(both.T)[0, 1]) < 0.3
    assert np.isfinite(plan_layers(RandAugmentConfig("timm", 1, 9), np.zeros((1, 6))).amounts).all()


def blend(other: np.ndarray | float, image: np.ndarray, factor: float) -> np.ndarray:
    return np.clip(other + factor * (image - other), 0, 255)


def smooth(image: np.ndarray) -> np.ndarray:
    out, (height, width) = image.copy(), image.shape[:2]
    parts = [image[y : height - 2 + y, x : width - 2 + x] for y in range(3) for x in range(3)]
    out[1:-1, 1:-1] = (np.sum(parts, axis=0) + 4 * parts[4]) / 13
    return out


def equalized(image: np.ndarray) -> np.ndarray:
    out = np.empty_like(image)
    for channel in range(3):
        plane = image[..., channel].astype(int)
        counts = np.bincount(plane.ravel(), minlength=256)
        step = (counts.sum() - counts[counts > 0][-1]) // 255
        table = np.clip(np.concatenate([[0], ((counts.cumsum() + step // 2) // step)[:-1]]), 0, 255)
        out[..., channel] = table[plane]
    return out


def greyed(image: np.ndarray, pad: int, row: int, column: int) -> np.ndarray:
    out = image.copy()
    out[max(0, row - pad) : row + pad, max(0, column - pad) : column + pad] = 128
    return out


BIG_VISION: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "auto_contrast": lambda x, _: (x - x.min((0, 1))) * 255 / (x.max((0, 1)) - x.min((0, 1))),
    "equalize": lambda x, _: equalized(x),
    "invert": lambda x, _: 255 - x,
    "posterize": lambda x, m: (x.astype(int) >> min(7, 8 - int(m / 10 * 4)) << min(7, 8 - int(m / 10 * 4))) * 1.0,
    "solarize": lambda x, m: np.where(x < int(m / 10 * 256) % 256, x, 255 - x),
    "color": lambda x, m: blend((x @ [0.299, 0.587, 0.114])[..., None], x, m / 10 * 1.8 + 0.1),
    "contrast_with_light": lambda x, m: blend(x.shape[0] * x.shape[1] / 256, x, m / 10 * 1.8 + 0.1),
    "brightness": lambda x, m: blend(0.0, x, m / 10 * 1.8 + 0.1),
    "sharpness": lambda x, m: blend(smooth(x), x, m / 10 * 1.8 + 0.1),
    "cutout": lambda x, m: greyed(x, int(m / 10 * 40), 67, 67),
    "solarize_add": lambda x, m: np.where(x < 128, np.clip(x + int(m / 10 * 110), 0, 255), x),
}
"""`pp/autoaugment.py` of google-research/big_vision in numpy: image of 224 × 224 and level → image, before rounding."""


@pytest.mark.parametrize("name", BIG_VISION)
def test_big_visions_changes_of_colour(name: str) -> None:
    pixels = pictures(224, 224)
    for level in (0, 5, 10, 15, 20):
        theirs = np.stack([BIG_VISION[name](one.astype(float), level) for one in pixels])
        ours = changed(drawn("big_vision", name, level, place=0.3), pixels).permute(0, 2, 3, 1).numpy() * 255
        assert np.abs(ours - theirs).max() <= (3 if name == "equalize" else 0.05), level


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("level", [0, 10, 15, 20])
def test_big_visions_geometry(level: float, sign: int) -> None:
    """From output to input, in pixels of an image of 224 × 224: `hparams.translate_const` is 100 there."""
    turn, shear, pixels = sign * np.deg2rad(level / 10 * 30), sign * level / 10 * 0.3, sign * level / 10 * 100
    about = np.array([[1, 0, 112], [0, 1, 112], [0, 0, 1.0]])
    turned = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    expected = {
        "corner_shear_x": [[1, shear, 0], [0, 1, 0], [0, 0, 1]],
        "corner_shear_y": [[1, 0, 0], [shear, 1, 0], [0, 0, 1]],
        "translate_x": [[1, 0, pixels], [0, 1, 0], [0, 0, 1]],
        "translate_y": [[1, 0, 0], [0, 1, pixels], [0, 0, 1]],
        "rotate": about @ turned @ np.linalg.inv(about),
    }
    assert {*expected, *BIG_VISION} == set(SCALES["big_vision"].amounts), "nothing else is drawn"
    for name, matrix in expected.items():
        ours = in_pixels(drawn("big_vision", name, level, sign).geometry(2)[0], 224, 224)
        assert np.allclose(ours, matrix, atol=1e-9), name


@pytest.mark.parametrize("aspect", [1.0, 2.0])
@pytest.mark.parametrize("strength", [1.0, -0.5])
@pytest.mark.parametrize("name", ["shear_x", "shear_y", "translate_x", "translate_y", "rotate"])
def test_our_geometry(name: str, strength: float, aspect: float) -> None:
    """The middle of the image stays where it is; ranges are those of torchvision's RandAugment."""
    width, height = int(40 * aspect), 40
    matrix = drawn("vitrail", name, 10 * abs(strength), np.sign(strength)).geometry(2, aspect)[0]
    to_pixels = np.diag([width / 2, height / 2, 1])
    expected = np.eye(3)
    space = RandAugment._AUGMENTATION_SPACE
    theirs = {"shear_x": "ShearX", "shear_y": "ShearY", "translate_x": "TranslateX", "translate_y": "TranslateY"}
    value = float(space[theirs.get(name, "Rotate")][0](31, height, width)[30]) * strength
    if name == "rotate":
        turn = np.deg2rad(value)
        expected[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    else:
        expected[{"shear_x": (0, 1), "shear_y": (1, 0), "translate_x": (0, 2), "translate_y": (1, 2)}[name]] = value

    assert np.allclose(to_pixels @ matrix @ np.linalg.inv(to_pixels), expected, atol=1e-6)


def test_layers_compose() -> None:
    names, amounts = np.array([["rotate", "translate_x", "contrast", "shear_x"]]), np.array([[30.0, -0.4, 2.0, 0.2]])
    layers = Layers(names, amounts, np.zeros((1, 4, 2)))
    single = [
        Layers(names[:, [one]], amounts[:, [one]], np.zeros((1, 1, 2))).geometry(1, 1.5)[0] for one in range(4)
    ]  # fmt: skip

    assert np.allclose(layers.geometry(1, 1.5)[0], single[0] @ single[1] @ single[2] @ single[3])
    assert np.allclose(single[2], np.eye(3)), "a change of colour moves nothing"


@pytest.mark.parametrize("scale", SCALES)
def test_every_change_is_drawn_alike(scale: str) -> None:
    config, n = RandAugmentConfig(scale, 3, 5.0), 14_000  # type: ignore[arg-type]
    layers = plan_layers(config, uniform(0, Stream.AUGMENT, 0, range(n), config.draws))
    names = list(SCALES[scale].amounts)
    counts = np.array([(layers.changes == name).sum() for name in names])
    expected = 3 * n * SCALES[scale].chance / len(names)

    assert layers.changes.shape == layers.amounts.shape == (n, 3)
    assert ((counts - expected) ** 2 / expected).sum() < 40, "13 to 15 degrees of freedom"
    assert all(name in COLORS or name in GEOMETRY for name in names)
    turns = layers.amounts[layers.changes == "rotate"]
    assert set(np.unique(turns)) == {-15, 15} and abs(turns.mean()) < 4 * 15 / len(turns) ** 0.5
    numbered = np.array([[names.index(one) if one in names else -1 for one in row] for row in layers.changes[:4000]])
    assert abs(np.corrcoef(numbered[:, 0], numbered[:, 1])[0, 1]) < 0.07


def test_levels_above_the_largest_count_as_it() -> None:
    numbers = uniform(0, Stream.AUGMENT, 0, range(100), 12)
    for scale, alike in (("vitrail", True), ("timm", True), ("big_vision", False)):
        ten, thirty = (plan_layers(RandAugmentConfig(scale, 2, level), numbers) for level in (10, 30))  # type: ignore[arg-type]
        assert np.array_equal(ten.amounts, thirty.amounts) == alike
    assert plan_layers(RandAugmentConfig(), np.zeros((5, 0))).changes.shape == (5, 0)


def test_colours_are_changed_layer_after_layer_in_those_that_drew_it() -> None:
    images = torch.from_numpy(np.concatenate([pictures(24, 24)] * 4)).permute(0, 3, 1, 2).float() / 255
    changes, amounts = np.full((8, 2), "identity", "<U20"), np.zeros((8, 2))
    changes[2], amounts[2] = ["solarize", "brightness"], [0.5, 1.45]
    changes[5], amounts[5] = ["brightness", "solarize"], [1.45, 0.5]
    changes[6], amounts[6] = ["rotate", "shear_x"], [30, 0.3]
    before = images.clone()
    out = Layers(changes, amounts, np.zeros((8, 2, 2))).recolor(images)
    untouched = [0, 1, 3, 4, 6, 7]

    assert torch.equal(images, before) and torch.equal(out[untouched], images[untouched])
    first = tv.adjust_brightness(tv.solarize(images[2], 0.5), 1.45)
    second = tv.solarize(tv.adjust_brightness(images[5], 1.45), 0.5)
    assert torch.allclose(out[2], first, atol=1e-6) and torch.allclose(out[5], second, atol=1e-6)


def test_augment_applies_the_layers_drawn() -> None:
    config = AugmentConfig(rand=RandAugmentConfig(operations=1, magnitude=10))
    pixels = torch.from_numpy(np.concatenate([pictures(24, 24)] * 4))
    numbers = np.full((8, config.draws), 0.5)
    numbers[:, 17] = (VITRAIL.index("solarize") + 0.5) / 14
    numbers[4:, 17] = (VITRAIL.index("rotate") + 0.5) / 14
    numbers[:, 18] = 0.9
    out = Augment(config, Traits(photo=False), (24, 24))(pixels, numbers)
    images = pixels.permute(0, 3, 1, 2) / 255
    turned = tv.rotate(images[4:], 30, interpolation=tv.InterpolationMode.BILINEAR)

    assert torch.allclose(out[:4], 1 - images[:4], atol=1e-6)
    assert torch.allclose(out[4:, :, 3:-3, 3:-3], turned[:, :, 3:-3, 3:-3], atol=2e-2)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("operations", -1),
        ("magnitude", 31.0),
        ("magnitude", -1.0),
        ("spread", -0.1),
        ("spread", float("inf")),
        ("scale", "x"),
    ],
)
def test_values_out_of_range(field: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=field):
        RandAugmentConfig(**{field: value})
