"""Names: they resolve, unknown ones are answered with the nearest, and every row builds and runs."""

import inspect

import pytest
import timm
import torch

import vitrail.models
from vitrail.core.config import from_dict, to_dict
from vitrail.core.errors import ConfigError
from vitrail.models import ViTConfig, create_model, list_models
from vitrail.models.convolutional import SHORT_NAMES
from vitrail.models.sizes import LONG_NAMES, SIZES
from vitrail.models.variants import IMAGE_SIZES, VARIANTS, variant_fields

POST = ["vit_base_patch16_224_in21k", "vit_base_patch32_224_in21k", "vit_large_patch16_224_in21k",
        "vit_large_patch32_224_in21k", "vit_huge_patch14_224_in21k"]  # fmt: skip
TABLE_1 = {
    "Ti": (192, 12, 3, 768), "S": (384, 12, 6, 1536), "M": (512, 12, 8, 2048), "B": (768, 12, 12, 3072),
    "L": (1024, 24, 16, 4096), "H": (1280, 32, 16, 5120), "g": (1408, 40, 16, 6144), "G": (1664, 48, 16, 8192),
}  # fmt: skip


def config_of(name):
    return ViTConfig.of(**variant_fields(name))


def on_meta(name, **fields):
    with torch.device("meta"):
        return create_model(name, **fields)


@pytest.mark.parametrize("size", TABLE_1)
def test_sizes_are_those_of_the_papers(size):
    config = config_of(f"{size}/16")
    hidden = on_meta(f"{size}/16", depth=1).blocks[0].mlp.fc1.out_features
    assert (config.embed_dim, config.depth, config.block.num_heads, hidden) == TABLE_1[size]


@pytest.mark.parametrize(
    ("name", "size", "patch", "image"),
    [
        ("B/16", "B", 16, 224),
        ("S/8", "S", 8, 224),
        ("L/7", "L", 7, 224),
        ("nano/2", "nano", 2, 224),
        ("vit_base_patch16_224", "B", 16, 224),
        ("vit_base_patch16_384", "B", 16, 384),
        ("vit_gigantic_patch14_518", "G", 14, 518),
        ("vit_tiny_patch32_384", "Ti", 32, 384),
        ("deit_small_patch16_224", "S", 16, 224),
        ("deit_small_distilled_patch16_224", "S", 16, 224),
        ("deit_base_distilled_patch16_384", "B", 16, 384),
        ("vit_huge_patch14_224_in21k", "H", 14, 224),
        ("R50+B/16", "B", 16, 224),
        ("R26+S/32", "S", 32, 224),
        ("R50+L/32", "L", 32, 224),
        ("R+Ti/16", "Ti", 32, 224),
        ("vit_base_r50_s16_384", "B", 16, 384),
        ("vit_tiny_r_s16_p8_384", "Ti", 32, 384),
    ],
)
def test_names_resolve(name, size, patch, image):
    config = config_of(name)
    assert (config.embed_dim, config.depth, config.block.num_heads) == tuple(
        SIZES[size][field] for field in ("embed_dim", "depth", "num_heads")
    )
    assert (config.patch_size, config.image_size) == (patch, (image, image))
    assert config.tokens.distilled == ("distilled" in name)
    assert config.num_classes == (21843 if "in21k" in name else 1000)
    assert config.representation_size == (config.embed_dim if "in21k" in name else None)


def test_every_size_has_its_patches_and_image_sizes():
    for long in LONG_NAMES.values():
        for patch, images in IMAGE_SIZES.items():
            assert all(f"vit_{long}_patch{patch}_{image}" in VARIANTS for image in images)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("vit_bsae_patch16_224", "vit_base_patch16_224"),
        ("vit_base_patch16", "vit_base_patch16_224"),
        ("ViT_Base_Patch16_224", "vit_base_patch16_224"),
        ("deit_distilled_small_patch16_224", "deit_small_distilled_patch16_224"),
        ("b/16", "B/16"),
        ("B16", "B/16"),
        ("X/16", "S/16"),
        ("R50+B/8", "R50+B/16"),
        ("R50x4", "R50x1"),
        ("vit_base_resnet50_224", "vit_base_r50_s16_224"),
        ("vit_base_patch16_224_in22k", "vit_base_patch16_224_in21k"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name, nearest):
    with pytest.raises(ConfigError) as caught:
        create_model(name)
    assert caught.value.message == f"unknown model {name!r}"
    assert caught.value.hint.startswith("did you mean ")
    assert nearest in caught.value.hint


@pytest.mark.parametrize("name", ["resnet50", "", "/", "B/0", "B/-1", "B/16/2"])
def test_a_name_like_nothing_is_refused(name):
    with pytest.raises(ConfigError, match="unknown model") as caught:
        create_model(name)
    assert "vitrail models" in caught.value.hint or "did you mean" in caught.value.hint


def test_a_patch_that_does_not_tile_the_image_is_refused():
    with pytest.raises(ConfigError, match=r"img_size = 224 .* multiples of the patch size 15\nhint: the next is \[225"):
        create_model("B/15")
    assert on_meta("B/15", img_size=225).config.grid == (15, 15)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_row_builds_runs_and_is_written_and_read(name):
    model = on_meta(name).eval()
    config = model.config
    assert from_dict(ViTConfig, to_dict(config)) == config == config_of(name)
    images = torch.empty(2, config.in_chans, *config.image_size, device="meta")
    assert model(images).shape == (2, config.num_classes or config.embed_dim)
    assert model.embed(images).shape == (2, config.num_tokens, config.embed_dim)
    out = model.train()(images)
    assert isinstance(out, tuple) == config.tokens.distilled


@pytest.mark.parametrize(
    "name", [n for n in timm.list_models(["vit_*", "deit*"]) if n in VARIANTS and "dinov3" not in n]
)
def test_a_name_that_timm_has_too_means_the_same(name):
    """All of it but, in DINOv2 with registers, the class token's position, which timm adds to the class token."""
    ours = on_meta(name, num_classes=7)
    with torch.device("meta"):
        theirs = timm.create_model(name, num_classes=7, img_size=ours.config.image_size)
    shapes = {key: tuple(value.shape) for key, value in theirs.state_dict().items()}
    if "reg4" in name:
        _, places, width = shapes["pos_embed"]
        shapes["pos_embed"] = (1, places + 1, width)
    assert {key: tuple(value.shape) for key, value in ours.state_dict().items()} == shapes
    assert ours.config.block.num_heads == theirs.blocks[0].attn.num_heads
    norms = [norm for norm in (theirs.norm, theirs.fc_norm) if isinstance(norm, torch.nn.LayerNorm)]
    assert {norm.eps for norm in norms} == {ours.config.block.norm.eps}


@pytest.mark.parametrize("name", POST)
@pytest.mark.parametrize("has_logits", [True, False], ids=["pre-logits", "no pre-logits"])
def test_the_posts_builders(name, has_logits):
    builder = getattr(vitrail.models, name)
    assert {key: item.default for key, item in inspect.signature(builder).parameters.items()} == {
        "num_classes": 21843, "has_logits": True,
    }  # fmt: skip
    with torch.device("meta"):
        whole, other = builder(), builder(7, has_logits)
    assert whole.config == config_of(name)
    assert other.config == on_meta(name, num_classes=7, has_logits=has_logits).config
    assert other.head.out_features == 7
    keys = {key for key in other.state_dict() if key.startswith("pre_logits")}
    assert keys == ({"pre_logits.fc.weight", "pre_logits.fc.bias"} if has_logits else set())
    assert other.config.drop.drop_path_rate == 0


def test_fields_are_laid_over_a_name_or_a_config():
    config = on_meta("S/16", num_classes=3, depth=1, position="none", img_size=(32, 64)).config
    assert config == ViTConfig.of(
        embed_dim=384, num_heads=6, num_classes=3, depth=1, position="none", img_size=(32, 64)
    )
    assert on_meta(config, depth=2).config == config.updated(depth=2)
    assert on_meta(config).config is config
    assert on_meta(POST[0], depth=1, representation_size=5).config.representation_size == 5
    assert on_meta(POST[0], depth=1, embed_dim=96).config.representation_size == 96


def test_a_name_does_not_share_its_fields():
    variant_fields("vit_base_patch16_224")["depth"] = 1
    variant_fields("B/16")["depth"] = 1
    assert config_of("vit_base_patch16_224").depth == config_of("B/16").depth == 12


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*", list(VARIANTS)),
        ("*in21k", POST),
        ("in21k", POST),
        ("deit_*_384", [name for name in VARIANTS if name.startswith("deit_") and name.endswith("384")]),
        ("vit_base_patch?_224", ["vit_base_patch8_224"]),
        ("vit_base_patch[13]?_224", ["vit_base_patch14_224", "vit_base_patch16_224", "vit_base_patch32_224"]),
        ("resnet", [name for name in VARIANTS if name.startswith("resnetv2_")]),
        ("densenet", []),
        ("BASE", []),
    ],
)
def test_listing_by_pattern(pattern, expected):
    assert list_models(pattern) == expected


def test_listing_all_by_default():
    assert list_models() == list(VARIANTS)
    assert len(list_models("*base*")) == len([name for name in VARIANTS if "base" in name]) > 10


@pytest.mark.parametrize("name", SHORT_NAMES)
def test_a_short_name_is_a_row_at_224_pixels(name):
    assert SHORT_NAMES[name] in VARIANTS
    assert config_of(name) == config_of(SHORT_NAMES[name])
    assert config_of(name).img_size == 224


def test_another_stem_takes_the_place_of_a_variants_own():
    assert on_meta("R50+B/16", depth=1, stem="patch").config == on_meta("B/16", depth=1).config
    assert on_meta("R50+B/16", depth=1, **{"stem.width": 32}).patch_embed.proj.in_channels == 512
    assert on_meta("B/16", stem="resnet").config == config_of("R50+B/16")
