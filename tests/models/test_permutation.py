"""Without position an image is a bag of patches; with it, it is not. And images do not see each other."""

import pytest
import torch


def shuffled(images, size, seed=3):
    """Permute the patches of every image, the same way."""
    batch, channels, height, width = images.shape
    patches = images.unflatten(2, (-1, size)).unflatten(4, (-1, size)).permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
    order = torch.randperm(patches.shape[1], generator=torch.Generator().manual_seed(seed))
    assert (order != torch.arange(len(order))).any()
    patches = patches[:, order].unflatten(1, (height // size, width // size))
    return patches.permute(0, 3, 1, 4, 2, 5).reshape(batch, channels, height, width), order


@pytest.mark.parametrize(
    ("pool", "distilled"), [("class_token", False), ("mean", False), ("class_token", True)],
    ids=["class token", "mean", "distilled"],
)  # fmt: skip
def test_without_position_the_order_of_patches_is_nothing(pool, distilled, tiny, images_for):
    model = tiny(position="none", pool=pool, distilled=distilled, img_size=(16, 12)).double().eval()
    images = images_for(model)
    other, order = shuffled(images, 4)
    assert (other - images).abs().max() > 1
    with torch.no_grad():
        torch.testing.assert_close(model(other), model(images), rtol=0, atol=1e-13)
        prefix = model.config.tokens.count
        expected = model.forward_features(images)[:, prefix:][:, order]
        torch.testing.assert_close(model.forward_features(other)[:, prefix:], expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("pool", ["class_token", "mean"])
def test_with_position_it_is_not(pool, tiny, images_for):
    model = tiny(position="learned_1d", pool=pool, img_size=(16, 12)).double().eval()
    images = images_for(model)
    with torch.no_grad():
        difference = (model(shuffled(images, 4)[0]) - model(images)).abs().max()
    assert difference > 0.01


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"distilled": True},
        {"pool": "mean", "class_token": False, "stem": "conv"},
        {"norm": "rms_norm", "has_logits": True},
    ],
    ids=["plain", "distilled", "conv stem", "rms norm"],
)
def test_batch_1_and_batch_8_agree(fields, tiny, images_for):
    model = tiny(embed_dim=64, img_size=32, **fields).eval()
    images = images_for(model, batch=8)
    with torch.no_grad():
        together = model(images)
        alone = torch.cat([model(image[None]) for image in images])
    assert (together - alone).abs().max() <= 1e-5 * together.abs().max()
    assert (together[0] - together[1]).abs().max() > 0.01


def test_an_image_does_not_change_its_neighbours(tiny, images_for):
    model = tiny().train()
    images = images_for(model, batch=3)
    other = images.clone()
    other[1] = 7
    with torch.no_grad():
        assert torch.equal(model(images)[[0, 2]], model(other)[[0, 2]])
