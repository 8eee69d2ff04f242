"""The config: flat names, what is refused and how it is said, written and read back, custom parts."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from vitrail.core.config import from_dict, to_dict
from vitrail.core.errors import ConfigError
from vitrail.models import VisionTransformer, ViTConfig
from vitrail.nn.activation import ACTIVATIONS
from vitrail.nn.norm import LayerNormConfig, RmsNormConfig
from vitrail.nn.pooling import MapPool
from vitrail.nn.position import Learned1d, Position
from vitrail.nn.stem import Stem

SMALL = {"img_size": 8, "patch_size": 4, "embed_dim": 16, "depth": 1, "num_heads": 2, "num_classes": 3}


def test_the_default_is_vit_b_16_at_224():
    config = ViTConfig()
    assert (config.image_size, config.patch_size, config.grid, config.num_tokens) == ((224, 224), 16, (14, 14), 197)
    assert (config.embed_dim, config.depth, config.block.num_heads, config.block.mlp_ratio) == (768, 12, 12, 4.0)
    assert (config.in_chans, config.num_classes, config.representation_size) == (3, 1000, None)
    assert (config.block.qkv_bias, config.block.qk_scale, config.block.act) == (True, None, "gelu")
    assert (config.drop.drop_rate, config.drop.attn_drop_rate, config.drop.drop_path_rate) == (0, 0, 0)
    assert (config.stem.kind, config.position.kind, config.pool.kind) == ("patch", "learned_1d", "class_token")


def test_every_word_of_the_contract_is_a_flat_name():
    config = ViTConfig.of(
        img_size=(16, 24), patch_size=8, in_chans=1, num_classes=2, embed_dim=12, depth=3, num_heads=3, mlp_ratio=2.0,
        qkv_bias=False, qk_scale=0.5, representation_size=4, distilled=False, class_token=True, drop_rate=0.1,
        attn_drop_rate=0.2, drop_path_rate=0.3, position="none", pool="mean", stem="conv", norm="rms_norm", act="silu",
        init="post",
    )  # fmt: skip
    assert config.image_size == (16, 24)
    assert config.grid == (2, 3)
    assert config.num_tokens == 7
    assert config.block.norm == RmsNormConfig()
    assert config.block.qk_scale == 0.5
    assert config.drop.drop_path_rate == 0.3
    assert (config.stem.kind, config.pool.kind, config.position.kind) == ("conv", "mean", "none")


def test_height_comes_before_width():
    model = VisionTransformer(ViTConfig.of(**{**SMALL, "img_size": (8, 16)})).eval()
    assert model(torch.zeros(1, 3, 8, 16)).shape == (1, 3)
    with pytest.raises(ConfigError) as caught:
        model(torch.zeros(1, 3, 16, 8))
    assert caught.value.message == "images have shape (1, 3, 16, 8); this model takes (batch, 3, 8, 16)"
    assert "img_size" in caught.value.hint


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 1, 8, 8), (1, 3, 8, 4), (1, 1, 3, 8, 8)], ids=str)
def test_images_of_another_shape_are_refused(shape):
    with pytest.raises(ConfigError, match="images have shape"):
        VisionTransformer(ViTConfig.of(**SMALL))(torch.zeros(shape))


def test_no_image_at_all_gives_no_logits():
    assert VisionTransformer(ViTConfig.of(**SMALL)).eval()(torch.zeros(0, 3, 8, 8)).shape == (0, 3)


@pytest.mark.parametrize(
    ("fields", "message", "hint"),
    [
        ({"patch_size": 0}, "patch_size = 0 is not allowed; allowed: 1 or more", ""),
        ({"in_chans": 0}, "in_chans = 0 is not allowed; allowed: 1 or more", ""),
        ({"embed_dim": 0}, "embed_dim = 0 is not allowed; allowed: 1 or more", ""),
        ({"num_classes": -1}, "num_classes = -1 is not allowed; allowed: 0 or more", ""),
        ({"depth": -1}, "depth = -1 is not allowed; allowed: 0 or more", ""),
        (
            {"img_size": 225},
            "img_size = 225 is not allowed; allowed: multiples of the patch size 16",
            "the next is [240, 240]",
        ),
        (
            {"img_size": 8},
            "img_size = 8 is not allowed; allowed: multiples of the patch size 16",
            "the next is [16, 16]",
        ),
        (
            {"img_size": 0},
            "img_size = 0 is not allowed; allowed: multiples of the patch size 16",
            "the next is [16, 16]",
        ),
        (
            {"img_size": (32, 40)},
            "img_size = (32, 40) is not allowed; allowed: multiples of the patch size 16",
            "the next is [32, 48]",
        ),
        ({"num_heads": 5}, "num_heads = 5 is not allowed; allowed: a divisor of embed_dim 768", ""),
        ({"num_heads": 0}, "num_heads = 0 is not allowed; allowed: 1 or more", ""),
        ({"mlp_ratio": 0.0}, "mlp_ratio = 0.0 is not allowed; allowed: greater than 0", ""),
        ({"mlp_ratio": 1e-4}, "mlp_ratio = 0.0001 is not allowed; allowed: at least 1 / embed_dim = 1 / 768", ""),
        ({"representation_size": 0}, "representation_size = 0 is not allowed; allowed: 1 or more, or none", ""),
        ({"drop_rate": 1.0}, "drop_rate = 1.0 is not allowed; allowed: 0 ≤ rate < 1", ""),
        ({"drop_path_rate": -0.1}, "drop_path_rate = -0.1 is not allowed; allowed: 0 ≤ rate < 1", ""),
        (
            {"class_token": False},
            "class_token = False is not allowed; allowed: true with pool 'class_token'",
            "pool='mean'",
        ),
        (
            {"pool": "mean", "distilled": True},
            "pool = 'mean' is not allowed; allowed: 'class_token' with distilled=True",
            "",
        ),
        (
            {"representation_size": 5, "distilled": True},
            "representation_size = 5 is not allowed; allowed: none with distilled=True",
            "",
        ),
        ({"position": "lerned_1d"}, "unknown position kind 'lerned_1d'", "did you mean learned_1d or"),
        ({"pool": "maen"}, "unknown pool 'maen'", "did you mean mean?"),
        ({"stem": "cnov"}, "unknown stem 'cnov'", "did you mean conv?"),
        ({"norm": "layernorm"}, "unknown norm 'layernorm'", "did you mean layer_norm"),
        ({"registers": -1}, "registers = -1 is not allowed; allowed: 0 or more", ""),
        ({"dynamic_pad": True}, "dynamic_pad = True is not allowed; allowed: false without dynamic", "dynamic=true"),
        ({"act": "glu"}, "unknown activation 'glu'", "did you mean gelu"),
        ({"init": "jax"}, "unknown init 'jax'", "known: paper, post"),
        ({"norm": {"kind": "layer_norm", "esp": 1e-5}}, "unknown key 'norm.esp'", "did you mean eps?"),
        ({"num_class": 5}, "unknown key 'num_class'", "did you mean num_classes"),
        ({"drop_path": 0.1}, "unknown key 'drop_path'", "did you mean drop_path_rate"),
        ({"embed_dim": "big"}, "embed_dim = 'big' is not allowed; allowed: a whole number", ""),
        ({"depth": True}, "depth = True is not allowed; allowed: a whole number", ""),
        (
            {"img_size": (8, 8, 8)},
            "img_size = (8, 8, 8) is not allowed; allowed: a whole number or tuple[int, int]",
            "",
        ),
        ({"stem": 3}, "3 is not a stem", "give a name (patch, conv, cct, resnet) or an instance"),
    ],
    ids=lambda item: ", ".join(item) + " " + str(list(item.values())) if isinstance(item, dict) else "",
)
def test_what_is_refused(fields, message, hint):
    with pytest.raises(ConfigError) as caught:
        ViTConfig.of(**fields)
    assert caught.value.message == message
    assert caught.value.hint.startswith(hint)
    assert bool(caught.value.hint) == bool(hint)


def test_a_stem_that_does_not_fit_the_patch_is_refused():
    with pytest.raises(ConfigError, match="patch_size = 4 is not a multiple of the stem's reduction 3"):
        VisionTransformer(ViTConfig.of(**SMALL, stem={"kind": "conv", "strides": [3]}))
    with pytest.raises(ConfigError, match="patch_size = 6 .* a power of two"):
        VisionTransformer(ViTConfig.of(**{**SMALL, "img_size": 12, "patch_size": 6}, stem="conv"))


def test_fields_that_only_fit_together_can_be_changed_together():
    assert ViTConfig.of(embed_dim=70, num_heads=7).embed_dim == 70
    config = ViTConfig.of(pool="mean", class_token=False)
    assert config.updated(class_token=True, pool="class_token") == ViTConfig()
    assert config.updated() == config


def test_has_logits_follows_the_width():
    assert ViTConfig.of(has_logits=True, embed_dim=96).representation_size == 96
    assert ViTConfig.of(representation_size=5).updated(has_logits=False).representation_size is None
    assert ViTConfig.of(representation_size=5).updated(depth=3).representation_size == 5


@settings(max_examples=50, deadline=None)
@given(
    depth=st.integers(0, 50), heads=st.integers(1, 9), head_dim=st.integers(1, 80), patch=st.integers(1, 32),
    grid=st.tuples(st.integers(1, 20), st.integers(1, 20)), classes=st.integers(0, 10**6), rate=st.floats(0, 0.99),
    scale=st.none() | st.floats(-10, 10), bias=st.booleans(), representation=st.none() | st.integers(1, 99),
    eps=st.floats(0, 1), act=st.sampled_from(list(ACTIVATIONS)), widths=st.lists(st.integers(1, 9)),
    pool=st.sampled_from([{"kind": "class_token"}, {"kind": "mean", "norm_after": False}]),
)  # fmt: skip
def test_written_and_read_back(
    depth, heads, head_dim, patch, grid, classes, rate, scale, bias, representation, eps, act, widths, pool
):
    config = ViTConfig.of(
        depth=depth, num_heads=heads, embed_dim=heads * head_dim, patch_size=patch, qkv_bias=bias, qk_scale=scale,
        img_size=(grid[0] * patch, grid[1] * patch), num_classes=classes, drop_path_rate=rate, act=act, pool=pool,
        representation_size=representation, norm=LayerNormConfig(eps), stem={"kind": "conv", "widths": widths},
    )  # fmt: skip
    assert from_dict(ViTConfig, to_dict(config)) == config
    assert config.grid == grid
    assert hash(config) == hash(from_dict(ViTConfig, to_dict(config)))


def test_a_config_cannot_be_changed():
    with pytest.raises(AttributeError):
        ViTConfig().depth = 3  # type: ignore[misc]


class Square(nn.Module):
    def forward(self, x):
        return x * x


class LastToken(nn.Module):
    def forward(self, tokens, prefix_tokens):
        return tokens[:, -1]


def halving_stem(in_chans, embed_dim, patch_size):
    return Stem({"pool": nn.AvgPool2d(2)}, out_chans=in_chans, reduction=2)


CUSTOM = {
    "norm": (lambda dim: nn.LayerNorm(dim, eps=1e-5), lambda m: (m.norm.eps, m.blocks[0].norm2.eps) == (1e-5, 1e-5)),
    "norm class": (nn.LayerNorm, lambda m: m.blocks[0].norm1.eps == 1e-5),
    "act": (Square, lambda m: isinstance(m.blocks[0].mlp.act, Square)),
    "act function": (lambda: nn.LeakyReLU(0.3), lambda m: m.blocks[0].mlp.act.negative_slope == 0.3),
    "stem": (halving_stem, lambda m: m.patch_embed.proj.kernel_size == (2, 2)),
    "position": (Learned1d, lambda m: isinstance(m.position, Learned1d) and m.pos_embed.shape == (1, 5, 16)),
    "position that does nothing": (Position, lambda m: m.pos_embed is None),
    "pool": (
        lambda dim, block: LastToken(),
        lambda m: isinstance(m.attn_pool, LastToken) and isinstance(m.norm, nn.LayerNorm),
    ),
    "pool class": (MapPool, lambda m: isinstance(m.attn_pool, MapPool)),
}


@pytest.mark.parametrize("case", CUSTOM)
def test_any_callable_that_builds_is_accepted_where_a_name_is(case):
    custom, is_right = CUSTOM[case]
    model = VisionTransformer(ViTConfig.of(**SMALL, **{case.split()[0]: custom}, init="post"))
    assert is_right(model)
    images = torch.randn(2, 3, 8, 8)
    model(images).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    if case != "position that does nothing":
        plain = VisionTransformer(ViTConfig.of(**SMALL, init="post"))
        shared = {key: value for key, value in model.state_dict().items() if key in plain.state_dict()}
        plain.load_state_dict({**plain.state_dict(), **shared}, strict=True) if case != "stem" else None


@pytest.mark.parametrize("case", CUSTOM)
def test_a_model_with_a_custom_part_cannot_be_written(case):
    config = ViTConfig.of(**SMALL, **{case.split()[0]: CUSTOM[case][0]})
    with pytest.raises(ConfigError, match="has no name and cannot be written") as caught:
        to_dict(config)
    assert "row" in caught.value.hint


def test_the_class_takes_flat_names_and_names_of_kinds():
    flat = {
        "img_size": 32,
        "embed_dim": 24,
        "num_heads": 2,
        "distilled": True,
        "drop_path_rate": 0.1,
        "position": "none",
    }
    config = ViTConfig(**flat)
    assert config == ViTConfig.of(**flat)
    assert type(config) is ViTConfig
    assert (config.block.num_heads, config.tokens.distilled, config.position.kind) == (2, True, "none")
    assert ViTConfig(block={"num_heads": 6}) == ViTConfig(num_heads=6)


@pytest.mark.parametrize(
    ("fields", "words"), [({"num_head": 3}, "num_heads"), ({"position": "learned1d"}, "learned_1d")]
)
def test_the_class_answers_unknown_names_with_the_nearest(fields, words):
    with pytest.raises(ConfigError, match=words):
        ViTConfig(**fields)
