"""How weights begin: the statistics of the paper's scheme and of the original post's."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from vitrail.core.errors import ConfigError
from vitrail.models import VisionTransformer, ViTConfig

WIDE = {"img_size": 64, "patch_size": 8, "embed_dim": 256, "depth": 2, "num_heads": 4, "num_classes": 50}


def made(**fields):
    torch.manual_seed(0)
    model = VisionTransformer(ViTConfig.of(**{**WIDE, **fields}))
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def assert_normal(values, deviation, cut=None):
    n = values.numel()
    assert values.std().item() == pytest.approx(deviation, rel=5 / (2 * n) ** 0.5)
    assert abs(values.mean().item()) < 5 * deviation / n**0.5
    fourth = (values / deviation).pow(4).mean().item()
    assert fourth > 2, "a uniform has 1.8, a normal 3, a normal cut off at two deviations 2.4"
    if cut is not None:
        assert values.abs().max().item() <= cut


def assert_uniform(values, bound):
    n = values.numel()
    assert 0.99 * bound < values.abs().max().item() <= bound
    assert values.std().item() == pytest.approx(bound / 3**0.5, rel=5 / (2 * n) ** 0.5)
    assert abs(values.mean().item()) < 5 * bound / 3**0.5 / n**0.5


@pytest.mark.parametrize("block", [0, 1])
def test_paper_dense_layers_are_xavier_uniform(block):
    p = made(init="paper")
    start = f"blocks.{block}."
    for part in p[start + "attn.qkv.weight"].chunk(3):
        assert_uniform(part, math.sqrt(6 / (256 + 256)))
    assert_uniform(p[start + "attn.proj.weight"], math.sqrt(6 / (256 + 256)))
    assert_uniform(p[start + "mlp.fc1.weight"], math.sqrt(6 / (256 + 1024)))
    assert_uniform(p[start + "mlp.fc2.weight"], math.sqrt(6 / (256 + 1024)))
    assert p[start + "attn.qkv.bias"].abs().max() == 0
    assert p[start + "attn.proj.bias"].abs().max() == 0
    for name in ("fc1", "fc2"):
        assert_normal(p[start + f"mlp.{name}.bias"], 1e-6)


def test_paper_patches_are_lecun_normal_and_the_head_zero():
    p = made(init="paper")
    fan_in = 3 * 8 * 8
    cut = 2 * math.sqrt(1 / fan_in) / 0.87962566103423978
    assert_normal(p["patch_embed.proj.weight"], math.sqrt(1 / fan_in), cut=cut)
    assert p["patch_embed.proj.weight"].abs().max() > 0.95 * cut
    for name in ("patch_embed.proj.bias", "head.weight", "head.bias", "cls_token"):
        assert p[name].abs().max() == 0
    assert_normal(p["pos_embed"], 0.02)


def test_paper_representation_layer_is_lecun_normal():
    p = made(init="paper", representation_size=300)
    assert_normal(p["pre_logits.fc.weight"], math.sqrt(1 / 256), cut=2 / 16 / 0.8796)
    assert p["pre_logits.fc.bias"].abs().max() == 0


def test_paper_distillation_token_is_drawn_and_its_head_zero():
    p = made(init="paper", distilled=True)
    assert_normal(p["dist_token"], 0.02)
    assert p["cls_token"].abs().max() == 0
    assert p["head_dist.weight"].abs().max() == p["head_dist.bias"].abs().max() == 0


def test_paper_conv_stem_is_lecun_normal():
    p = made(init="paper", stem={"kind": "conv", "widths": [32, 64, 64, 64]})
    assert_normal(p["stem.conv1.weight"], math.sqrt(1 / (32 * 9)))
    assert_normal(p["stem.conv2.weight"], math.sqrt(1 / (64 * 9)))


@pytest.mark.parametrize("init", ["paper", "post"])
def test_a_hybrids_kernels_are_drawn_and_its_bottlenecks_begin_as_their_shortcuts(init):
    p = made(init=init, stem={"kind": "resnet", "layers": [2]})
    start = "patch_embed.backbone.stages.0.blocks.1."
    expected = {"paper": math.sqrt(1 / 256), "post": math.sqrt(2 / 64)}
    assert_normal(p[start + "conv1.weight"], expected[init])
    assert p[start + "norm3.weight"].abs().max() == 0
    assert p[start + "norm2.weight"].min() == p[start + "norm2.weight"].max() == 1


def test_post_dense_layers_are_normal_with_deviation_0_01():
    p = made(init="post", has_logits=True)
    names = [name for name in p if name.endswith("weight") and p[name].ndim == 2]
    assert len(names) == 2 * 4 + 2
    for name in names:
        assert_normal(p[name], 0.01)


def test_post_convolutions_are_kaiming_normal_by_fan_out():
    p = made(init="post", stem={"kind": "conv", "widths": [32, 64, 64, 64]})
    assert_normal(made(init="post")["patch_embed.proj.weight"], math.sqrt(2 / (256 * 8 * 8)))
    assert_normal(p["stem.conv1.weight"], math.sqrt(2 / (64 * 9)))


def test_post_tokens_and_position_have_deviation_0_02():
    p = made(init="post", distilled=True)
    for name in ("cls_token", "dist_token", "pos_embed"):
        assert_normal(p[name], 0.02)


def test_post_biases_are_zero():
    p = made(init="post", distilled=True, stem="conv")
    names = [name for name in p if name.endswith("bias")]
    assert len(names) > 12
    assert all(p[name].abs().max() == 0 for name in names)


@pytest.mark.parametrize("init", ["paper", "post"])
def test_norms_begin_as_the_identity(init):
    p = made(init=init, stem="conv")
    norms = [name for name in p if "norm" in name]
    assert len(norms) == 2 * (2 * 2 + 1 + 4)
    for name in norms:
        assert torch.equal(p[name], torch.full_like(p[name], float(name.endswith("weight"))))


@pytest.mark.parametrize("classes", [10, 1000])
@pytest.mark.parametrize("distilled", [False, True], ids=["one head", "distilled"])
def test_a_zero_head_begins_at_the_logarithm_of_the_number_of_classes(classes, distilled):
    torch.manual_seed(0)
    model = VisionTransformer(ViTConfig.of(**{**WIDE, "num_classes": classes}, distilled=distilled))
    out = model(torch.randn(4, 3, 64, 64))
    for logits in out if distilled else (out,):
        assert logits.abs().max() == 0
        loss = cross_entropy(logits, torch.arange(4)).item()
        assert loss == pytest.approx(math.log(classes), abs=1e-6)
    assert math.log(classes) == pytest.approx({10: 2.302585, 1000: 6.907755}[classes], abs=5e-7)


@pytest.mark.parametrize("init", ["paper", "post"])
def test_the_seed_decides_everything(init):
    first, again = made(init=init, distilled=True, stem="conv"), made(init=init, distilled=True, stem="conv")
    assert all(torch.equal(first[name], again[name]) for name in first)
    torch.manual_seed(1)
    other = VisionTransformer(ViTConfig.of(**WIDE, init=init)).blocks[0].attn.qkv.weight
    assert not torch.equal(other, first["blocks.0.attn.qkv.weight"])


def test_paper_is_the_default_and_another_name_is_refused():
    assert ViTConfig().init == "paper"
    with pytest.raises(ConfigError, match="unknown init 'papre'\nhint: did you mean paper?"):
        ViTConfig.of(init="papre")
