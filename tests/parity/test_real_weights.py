"""DINOv2's own weights, as transformers published them, give transformers' hidden states and attention here."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from transformers import AutoModel

import vitrail
from vitrail.analysis import attention_weights
from vitrail.data.spec import IMAGENET_MEAN, IMAGENET_STD

pytestmark = pytest.mark.slow
SIZES = {(224, 224): 32, (518, 518): 32, (224, 350): 32}


@pytest.fixture(scope="module")
def folder(real_weights):
    found = real_weights / "dinov2-small"
    if not found.is_dir():
        pytest.skip(f"no {found}")
    return found


@pytest.fixture(scope="module")
def ours(folder):
    return vitrail.load(folder)


@pytest.fixture(scope="module")
def theirs(folder):
    return AutoModel.from_pretrained(folder).eval()


@pytest.fixture(scope="module")
def eager(folder):
    return AutoModel.from_pretrained(folder, attn_implementation="eager").eval()


def drawn(spec, number, size):
    """Draw shapes of a few colours on a coloured ground, another picture for each number."""
    generator = np.random.default_rng(number)
    image = Image.new("RGB", (400, 300), tuple(map(int, generator.integers(0, 256, 3))))
    canvas = ImageDraw.Draw(image)
    for _ in range(6):
        x, y = generator.integers(0, 300, 2)
        box = (int(x), int(y), int(x + generator.integers(20, 150)), int(y + generator.integers(20, 150)))
        color = tuple(map(int, generator.integers(0, 256, 3)))
        (canvas.ellipse if generator.random() < 0.5 else canvas.rectangle)(box, fill=color)
    image = image.resize(size[::-1], Image.Resampling.BICUBIC)
    return torch.as_tensor(spec.normalise(np.asarray(image)[None]))


@torch.no_grad()
def hidden_states(model, images):
    """Give the tokens before the first block, after each, and normalised."""
    x, grid = model.embed(images), model.config.grid_of(images.shape)
    yield x
    for block, position in zip(model.blocks, model.position.by_layer, strict=True):
        x = block(x, position, grid)
        yield x
    yield model.norm(x)


@torch.no_grad()
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_hidden_states_are_those_of_transformers(size, ours, theirs):
    for number in range(SIZES[size]):
        images = drawn(ours.spec, number, size)
        outputs = theirs(images, output_hidden_states=True)
        expected = [*outputs.hidden_states, outputs.last_hidden_state]
        got = list(hidden_states(ours.model, images))
        assert len(got) == len(expected) == 14
        for one, other in zip(got, expected, strict=True):
            assert (one - other).abs().max() <= 1e-4
        torch.testing.assert_close(ours.model(images), outputs.pooler_output, rtol=0, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("size", [(224, 224), (224, 350)], ids=str)
def test_attention_is_that_of_transformers(size, ours, eager):
    for number in range(4):
        images = drawn(ours.spec, number, size)
        expected = eager(images, output_attentions=True).attentions
        found = list(attention_weights(ours.model, images))
        assert len(found) == len(expected) == 12
        for one, other in zip(found, expected, strict=True):
            assert (one - other).abs().max() <= 1e-5


def test_what_comes_with_the_weights(ours):
    assert ours.model.config.grid == (37, 37)
    assert ours.model.config.position.resize == "transformers"
    assert ours.spec.size == (224, 224)
    assert (ours.spec.mean, ours.spec.std) == (IMAGENET_MEAN, IMAGENET_STD)
    assert (ours.spec.interpolation, ours.spec.crop_fraction) == ("bicubic", 224 / 256)
    assert list(ours.report.left) == ["embeddings.mask_token"]
    assert ours.embed([np.zeros((300, 400, 3), dtype=np.uint8)]).shape == (1, 384)


def test_another_rule_moves_the_class_token(folder, ours):
    images = drawn(ours.spec, 0, (224, 224))
    other = vitrail.load(folder, resize="dinov2")
    assert other.model.config.position.resize == "dinov2"
    with torch.no_grad():
        moved = (ours.model(images) - other.model(images)).abs().max()
    assert 0.003 < moved < 0.3
