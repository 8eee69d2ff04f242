"""Weights that are trained further at another size, patch or number of channels begin as their owner's code does."""

import numpy as np
import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from scipy.ndimage import zoom
from timm.models import adapt_input_conv
from transformers import DeiTConfig, DeiTForImageClassificationWithTeacher, ViTConfig, ViTForImageClassification

from vitrail.models import VisionTransformer
from vitrail.weights.load import load_weights
from vitrail.weights.start import take_over

TRANSFORMERS = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96, "image_size": 32,
    "patch_size": 8, "num_labels": 5,
}  # fmt: skip
TORCHVISION = {
    "patch_size": 8, "num_layers": 2, "num_heads": 2, "hidden_dim": 128, "mlp_dim": 96, "num_classes": 5,
}  # fmt: skip
SIZES = pytest.mark.parametrize("size", [(48, 48), (24, 24), (40, 16)], ids="at {}".format)


def of_timm(**fields):
    shape = {"img_size": 32, "patch_size": 8, "embed_dim": 64, "depth": 2, "num_heads": 4, "num_classes": 5}
    return timm.create_model("vit_tiny_patch16_224", **{**shape, **fields})


def started(path, expected_adaptations, **fields):
    """Build a model with other fields than the weights' and let it take them over."""
    heads = fields.pop("num_heads", None)
    loaded = load_weights(path, known={"num_heads": heads} if heads else {})
    model = VisionTransformer(loaded.record.config.updated(**fields))
    start = take_over(model, loaded.model, same_classes=True)
    assert start.fresh == []
    assert len(start.adapted) == len(expected_adaptations), start.adapted
    for text, words in zip(start.adapted, expected_adaptations, strict=True):
        assert words in text
    model.load_state_dict(start.state)
    return model.eval()


def saved(model, path):
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path)
    return path


@SIZES
def test_timm_at_another_size(size, randomise, assert_same_logits, tmp_path):
    theirs = randomise(of_timm())
    ours = started(saved(theirs, tmp_path / "weights"), ["resize = timm)"], img_size=size, num_heads=4)
    theirs.set_input_size(img_size=size)
    assert_same_logits(ours, theirs, size)


class Interpolating(torch.nn.Module):
    """Ask a model of transformers to interpolate."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        return self.model(images, interpolate_pos_encoding=True)


@SIZES
@pytest.mark.parametrize("kind", ["vit", "deit"])
def test_transformers_at_another_size(kind, size, randomise, assert_same_logits, tmp_path):
    pair = {"vit": (ViTForImageClassification, ViTConfig), "deit": (DeiTForImageClassificationWithTeacher, DeiTConfig)}
    make, config = pair[kind]
    theirs = randomise(make(config(**TRANSFORMERS)))
    theirs.save_pretrained(tmp_path)
    ours = started(tmp_path, ["resize = transformers)"], img_size=size)
    assert_same_logits(ours, Interpolating(theirs), size)


@pytest.mark.parametrize("side", [48, 24])
def test_torchvision_at_another_size(side, randomise, assert_same_logits, tmp_path):
    small = randomise(torchvision.models.VisionTransformer(image_size=32, **TORCHVISION))
    torch.save(small.state_dict(), tmp_path / "weights.pth")
    ours = started(tmp_path / "weights.pth", ["resize = torchvision)"], img_size=side, num_heads=2)
    theirs = torchvision.models.VisionTransformer(image_size=side, **TORCHVISION)
    resized = torchvision.models.vision_transformer.interpolate_embeddings(side, 8, small.state_dict())
    theirs.load_state_dict(resized)
    assert_same_logits(ours, theirs, (side, side))


@SIZES
def test_google_at_another_size(size, randomise, tmp_path):
    theirs = randomise(of_timm())
    path = saved(theirs, tmp_path / "weights")
    loaded = load_weights(path, known={"num_heads": 4})
    fields = {"img_size": size, "position.resize": "google"}
    ours = started(path, ["resize = google)"], num_heads=4, **fields)
    table = loaded.model.pos_embed[0, 1:].detach().reshape(4, 4, -1).numpy()
    zoomed = zoom(table, (size[0] / 32, size[1] / 32, 1), order=1)
    got = ours.pos_embed[0, 1:].detach().reshape(zoomed.shape).numpy()
    np.testing.assert_allclose(got, zoomed, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("patch", "size"), [(16, (64, 64)), (16, (32, 48)), (4, (16, 16))])
def test_timm_with_another_patch(patch, size, randomise, assert_same_logits, tmp_path):
    theirs = randomise(of_timm())
    grid = size[0] // patch, size[1] // patch
    carried = [] if grid == (4, 4) else ["positions carried"]
    exact = "approximate" if patch < 8 else "pixels by the pseudo-inverse"
    path = saved(theirs, tmp_path / "weights")
    ours = started(path, [*carried, exact], num_heads=4, img_size=size, patch_size=patch)
    theirs.set_input_size(img_size=size, patch_size=patch)
    assert_same_logits(ours, theirs, size)


@pytest.mark.parametrize("channels", [1, 2, 4, 6])
@torch.no_grad()
def test_other_channels(channels, randomise, tmp_path):
    theirs = randomise(of_timm())
    words = "summed" if channels == 1 else f"3 to {channels} channels: repeated and scaled by 3 / {channels}"
    ours = started(saved(theirs, tmp_path / "weights"), [words], num_heads=4, in_chans=channels)
    other, state = of_timm(in_chans=channels).eval(), theirs.state_dict()
    kernel = "patch_embed.proj.weight"
    other.load_state_dict({**state, kernel: adapt_input_conv(channels, state[kernel])})
    images = torch.randn(2, channels, 32, 32)
    expected = other(images)
    assert (ours(images) - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_size_patch_and_channels_at_once(randomise, tmp_path):
    words = ["positions carried", "summed", "pseudo-inverse"]
    path = saved(randomise(of_timm()), tmp_path / "weights")
    ours = started(path, words, num_heads=4, img_size=48, patch_size=16, in_chans=1)
    assert ours(torch.randn(1, 1, 48, 48)).shape == (1, 5)
