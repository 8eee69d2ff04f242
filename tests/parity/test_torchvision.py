"""Logits equal torchvision's."""

import re

import pytest
import torch
import torchvision
from torchvision.models.vision_transformer import ConvStemConfig

from vitrail.models import create_model

KEYS = (
    (r"conv_proj\.", "patch_embed.proj."),
    (r"class_token", "cls_token"),
    (r"encoder\.pos_embedding", "pos_embed"),
    (r"encoder\.layers\.encoder_layer_(\d+)\.ln_([12])\.", r"blocks.\1.norm\2."),
    (r"encoder\.layers\.encoder_layer_(\d+)\.self_attention\.in_proj_", r"blocks.\1.attn.qkv."),
    (r"encoder\.layers\.encoder_layer_(\d+)\.self_attention\.out_proj\.", r"blocks.\1.attn.proj."),
    (r"encoder\.layers\.encoder_layer_(\d+)\.mlp\.0\.", r"blocks.\1.mlp.fc1."),
    (r"encoder\.layers\.encoder_layer_(\d+)\.mlp\.3\.", r"blocks.\1.mlp.fc2."),
    (r"encoder\.ln\.", "norm."),
    (r"heads\.pre_logits\.", "pre_logits.fc."),
    (r"heads\.head\.", "head."),
)


def renamed(name):
    """Rename one key; each must match exactly one row."""
    found = [re.sub(pattern, new, name) for pattern, new in KEYS if re.match(pattern, name)]
    assert len(found) == 1, name
    return found[0]


def carry_over(theirs, ours):
    ours.load_state_dict({renamed(name): value for name, value in theirs.state_dict().items()}, strict=True)


def test_vit_b_16(build, randomise, assert_same_logits):
    theirs, ours = randomise(build(torchvision.models.vit_b_16)), build(lambda: create_model("B/16"))
    carry_over(theirs, ours)
    assert_same_logits(ours, theirs, (224, 224))


@pytest.mark.parametrize("representation", [None, 48], ids=["plain", "pre-logits"])
def test_a_small_one_of_another_size(representation, randomise, assert_same_logits):
    theirs = torchvision.models.VisionTransformer(
        image_size=64, patch_size=8, num_layers=3, num_heads=4, hidden_dim=64, mlp_dim=96, num_classes=7,
        representation_size=representation,
    )  # fmt: skip
    ours = create_model(
        "B/16", img_size=64, patch_size=8, depth=3, num_heads=4, embed_dim=64, mlp_ratio=1.5, num_classes=7,
        representation_size=representation,
    )  # fmt: skip
    carry_over(randomise(theirs), ours)
    assert_same_logits(ours, theirs, (64, 64))


@torch.no_grad()
def test_gradients_of_the_loss_are_the_same(randomise):
    """In float64, so that the order of additions does not matter."""
    shape = {"image_size": 32, "patch_size": 8, "num_layers": 2, "num_heads": 2, "hidden_dim": 16, "mlp_dim": 64}
    theirs = randomise(torchvision.models.VisionTransformer(**shape, num_classes=5)).double().train()
    ours = create_model("B/16", img_size=32, patch_size=8, depth=2, num_heads=2, embed_dim=16, num_classes=5).double()
    carry_over(theirs, ours)
    images, labels = torch.randn(3, 3, 32, 32, dtype=torch.float64), torch.tensor([0, 3, 4])
    with torch.enable_grad():
        for model in (theirs, ours):
            torch.nn.functional.cross_entropy(model(images), labels).backward()
    mine = dict(ours.named_parameters())
    for name, parameter in theirs.named_parameters():
        torch.testing.assert_close(mine[renamed(name)].grad, parameter.grad, rtol=1e-10, atol=1e-13)


def with_conv_stem(name):
    """Rename the layers of torchvision's convolutional stem, whose last convolution is our projection."""
    found = re.fullmatch(r"conv_proj\.conv_bn_relu_(\d+)\.([01])\.(.*)", name)
    if found:
        return f"stem.{('conv', 'norm')[int(found[2])]}{found[1]}.{found[3]}"
    return renamed(name.replace("conv_proj.conv_last.", "conv_proj."))


@pytest.mark.parametrize("variant", ["vitc_1gf_224", "vitc_18gf_224"])
def test_a_convolutional_stem(variant, randomise, assert_same_logits):
    ours = create_model(variant, depth=2, img_size=64, num_classes=7)
    config = ours.config
    convs = zip(config.stem.widths, config.stem.strides, strict=True)
    theirs = torchvision.models.VisionTransformer(
        image_size=64, patch_size=16, num_layers=2, num_heads=config.block.num_heads, hidden_dim=config.embed_dim,
        mlp_dim=int(config.embed_dim * config.block.mlp_ratio), num_classes=7,
        conv_stem_configs=[ConvStemConfig(width, 3, stride) for width, stride in convs],
    )  # fmt: skip
    randomise(theirs)
    with torch.no_grad():
        for name, statistic in theirs.named_buffers():
            if name.endswith("running_mean"):
                statistic.uniform_(-0.3, 0.3)
            elif name.endswith("running_var"):
                statistic.uniform_(0.5, 1.5)
    ours.load_state_dict({with_conv_stem(name): value for name, value in theirs.state_dict().items()}, strict=True)
    assert_same_logits(ours, theirs, (64, 64))
