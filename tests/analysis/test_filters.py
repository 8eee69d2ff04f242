"""Principal components against filters that are made of known ones, and against scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from vitrail.analysis import patch_filters
from vitrail.core.errors import ConfigError


def test_known_components_are_found(make):
    model = make(embed_dim=64)
    basis, _ = torch.linalg.qr(torch.randn(48, 3, dtype=torch.float64))
    amounts = torch.randn(64, 3, dtype=torch.float64)
    amounts, _ = torch.linalg.qr(amounts - amounts.mean(dim=0))
    amounts = (amounts - amounts.mean(dim=0)) * torch.tensor([5.0, 2.0, 1.0], dtype=torch.float64)
    model.double().patch_embed.proj.weight.data = (amounts @ basis.T + 0.7).reshape(64, 3, 4, 4)
    found = patch_filters(model, count=3)
    assert found.components.shape == (3, 4, 4, 3)
    assert found.explained.tolist() == pytest.approx([25 / 30, 4 / 30, 1 / 30], abs=1e-6)
    for number, component in enumerate(found.components):
        expected = basis[:, number].reshape(3, 4, 4).permute(1, 2, 0)
        sign = expected.flatten()[component.flatten().abs().argmax()].sign()
        torch.testing.assert_close(component, sign * expected, rtol=0, atol=1e-6)
        assert component.max() == component.abs().max()


@pytest.mark.parametrize(
    ("fields", "layer", "shape"),
    [
        ({}, "patch_embed.proj", (15, 4, 4, 3)),
        ({"in_chans": 1, "embed_dim": 64}, "patch_embed.proj", (16, 4, 4, 1)),
        ({"stem": "conv"}, "stem.conv0", (7, 3, 3, 3)),
        ({"stem": {"kind": "cct", "width": 32}, "patch_size": 4}, "stem.conv0", (27, 3, 3, 3)),
    ],
    ids=["patches", "grey", "conv stem", "cct"],
)
def test_it_is_the_first_layer_and_scikit_learn_agrees(make, fields, layer, shape):
    model = make(**fields)
    found = patch_filters(model)
    assert (found.layer, tuple(found.components.shape)) == (layer, shape)
    rows = model.get_submodule(layer).weight.detach().double().permute(0, 2, 3, 1).flatten(1).numpy()
    pca = PCA(n_components=len(found.components)).fit(rows)
    assert found.total == len(rows)
    np.testing.assert_allclose(found.explained, pca.explained_variance_ratio_, rtol=0, atol=1e-6)
    cosines = np.abs((found.components.flatten(1).numpy() * pca.components_).sum(axis=1))
    np.testing.assert_allclose(cosines, 1, rtol=0, atol=1e-6)


def test_standardised_filters_are_shown_as_they_act(make):
    stem = {"kind": "resnet", "layers": (1,), "width": 8, "groups": 4}
    model = make(stem=stem, img_size=8)
    found = patch_filters(model, count=2)
    assert (found.layer, tuple(found.components.shape)) == ("patch_embed.backbone.stem.conv", (2, 7, 7, 3))
    with torch.no_grad():
        conv = model.patch_embed.backbone.stem.conv
        conv.weight.mul_(torch.arange(1, 9.0)[:, None, None, None]).add_(3)
    torch.testing.assert_close(patch_filters(model, count=2).components, found.components, rtol=0, atol=1e-4)


def test_a_count_below_1_is_refused(make):
    with pytest.raises(ConfigError, match="count = 0"):
        patch_filters(make(), count=0)
