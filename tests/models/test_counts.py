"""Every parameter count that is known from elsewhere, exactly, by building the model (on the meta device)."""

import pytest
import timm
import torch

from vitrail.models import VisionTransformer, ViTConfig, create_model
from vitrail.models.families import family_rows

KNOWN = {
    "Ti/16": {224: 5_717_416, 384: 5_790_376},
    "S/32": {224: 22_878_952, 384: 22_915_432},
    "S/16": {224: 22_050_664, 384: 22_196_584},
    "B/32": {224: 88_224_232, 384: 88_297_192},
    "B/16": {224: 86_567_656, 384: 86_859_496},
    "B/8": {224: 86_576_872, 384: 87_744_232},
    "L/32": {224: 306_535_400, 384: 306_632_680},
    "L/16": {224: 304_326_632, 384: 304_715_752, 512: 305_174_504},
    "H/14": {224: 632_045_800, 518: 633_470_440},
    "g/14": {224: 1_012_611_432},
    "G/14": {224: 1_844_440_680},
}
"""Google's models_test.py, torchvision and timm; 1000 classes."""

IN21K = {
    "Ti/16": (9_777_171, 9_740_115),
    "S/32": (31_051_347, 30_903_507),
    "S/16": (30_223_059, 30_075_219),
    "B/32": (104_843_091, 104_252_499),
    "B/16": (103_186_515, 102_595_923),
    "L/32": (328_949_075, 327_899_475),
    "L/16": (326_740_307, 325_690_707),
    "H/14": (660_385_363, 658_745_683),
}
"""21843 classes, with and without the tanh layer before the head."""

DISTILLED = {
    "deit_tiny_distilled_patch16_224": 5_910_800,
    "deit_small_distilled_patch16_224": 22_436_432,
    "deit_base_distilled_patch16_224": 87_338_192,
    "deit_tiny_distilled_patch16_384": 5_983_760,
    "deit_small_distilled_patch16_384": 22_582_352,
    "deit_base_distilled_patch16_384": 87_630_032,
}

HYBRIDS = {
    "R+Ti/16": {224: 6_337_704, 384: 6_355_944},
    "R26+S/32": {224: 36_431_912, 384: 36_468_392},
    "R26+B/32": {224: 101_383_976, 384: 101_456_936},
    "R50+B/16": {224: 98_659_112, 384: 98_950_952},
    "R50+B/32": {224: 110_945_832, 384: 111_018_792},
    "R50+L/32": {224: 328_994_856, 384: 329_092_136},
    "R50+L/16": {224: 316_483_624, 384: 316_872_744},
}
"""Google's models_test.py and timm."""

CONV_STEMS = {"vitc_1gf_224": 4.6, "vitc_4gf_224": 17.8, "vitc_18gf_224": 81.6, "vitc_36gf_224": 167.8}
"""Millions, as Xiao et al. 2021 print them."""

CCT_2 = {"embed_dim": 128, "num_heads": 2, "mlp_ratio": 1.0}
CCT_7 = {"embed_dim": 256, "num_heads": 4, "mlp_ratio": 2.0}
CCT = {
    "CCT-2/3x2": (CCT_2, 2, 4, "0.284"),
    "CCT-4/3x2": (CCT_2, 4, 4, "0.482"),
    "CCT-6/3x2": (CCT_7, 6, 4, "3.33"),
    "CCT-7/3x2": (CCT_7, 7, 4, "3.85"),
    "CCT-6/3x1": ({**CCT_7, "position": "sincos_2d"}, 6, 2, "3.17"),
    "CCT-7/3x1": (CCT_7, 7, 2, "3.76"),
}
"""Size, depth, patch, millions of parameters as the authors print them, at 32 pixels and 10 classes. The 3.17 leave out
a table of positions, the others do not."""

MEAN_WITHOUT_CLASS_TOKEN = {"B/16": 86_566_120, "B/32": 88_222_696, "S/16": 22_049_896, "S/32": 22_878_184}
FAMILIES = {
    "deit3_small_patch16_224": 22_059_496,
    "deit3_small_patch16_384": 22_205_416,
    "deit3_medium_patch16_224": 38_849_512,
    "deit3_base_patch16_224": 86_585_320,
    "deit3_base_patch16_384": 86_877_160,
    "deit3_large_patch16_224": 304_374_760,
    "deit3_large_patch16_384": 304_763_880,
    "deit3_huge_patch14_224": 632_126_440,
    "vit_so400m_patch14_siglip_224": 427_680_704,
}
"""Exactly as published, head included."""

MASK_TOKEN = {
    "vit_small_patch14_dinov2": (22_056_576, 384),
    "vit_base_patch14_dinov2": (86_580_480, 768),
    "vit_large_patch14_dinov2": (304_368_640, 1024),
    "vit_giant_patch14_dinov2": (1_136_480_768, 1536),
}
"""Published counts, which include a mask token as wide as this; it is of no use after pre-training."""

BIG_VISION = {
    "mu": (32, 1, 128, 2), "So400m": (1152, 27, 4304, 16), "g": (1408, 40, 6144, 16), "g-opt": (1536, 40, 6144, 16),
    "G": (1664, 48, 8192, 16), "G-opt": (1536, 48, 8192, 16), "e": (1792, 56, 15360, 16),
}  # fmt: skip
"""Width, depth, hidden width and heads of `decode_variant`."""

HEADS = {5: 85_802_501, 10: 85_806_346, 100: 85_875_556}


def count(name, **fields):
    with torch.device("meta"):
        model = create_model(name, **fields)
    assert all(parameter.is_meta for parameter in model.parameters())
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(("name", "size"), [(name, size) for name, sizes in KNOWN.items() for size in sizes])
def test_plain(name, size):
    assert count(name, img_size=size) == KNOWN[name][size]


@pytest.mark.parametrize("name", IN21K)
@pytest.mark.parametrize("has_logits", [True, False], ids=["pre-logits", "no pre-logits"])
def test_imagenet_21k(name, has_logits):
    assert count(name, num_classes=21843, has_logits=has_logits) == IN21K[name][not has_logits]


@pytest.mark.parametrize("name", DISTILLED)
def test_distilled(name):
    assert count(name) == DISTILLED[name]


@pytest.mark.parametrize(("name", "size"), [(name, size) for name, sizes in HYBRIDS.items() for size in sizes])
def test_hybrids(name, size):
    assert count(name, img_size=size) == HYBRIDS[name][size]


@pytest.mark.parametrize("name", CONV_STEMS)
def test_convolutional_stems(name):
    assert round(count(name) / 1e6, 1) == CONV_STEMS[name]


@pytest.mark.parametrize("name", CCT)
def test_compact_transformers(name):
    size, depth, patch, millions = CCT[name]
    parts = {"stem": "cct", "pool": "seq", "class_token": False, "qkv_bias": False}
    parameters = count(ViTConfig.of(**size, **parts, depth=depth, patch_size=patch, img_size=32, num_classes=10))
    assert f"{parameters / 1e6:.{len(millions.partition('.')[2])}f}" == millions


@pytest.mark.parametrize("norm_after", [True, False], ids=["norm after pooling", "norm before pooling"])
@pytest.mark.parametrize("name", MEAN_WITHOUT_CLASS_TOKEN)
def test_mean_without_class_token(name, norm_after):
    pool = {"kind": "mean", "norm_after": norm_after}
    assert count(name, pool=pool, class_token=False) == MEAN_WITHOUT_CLASS_TOKEN[name]


@pytest.mark.parametrize("name", FAMILIES)
def test_families(name):
    assert count(name) == FAMILIES[name]


def test_the_trunk_of_so400m():
    assert (
        count("So400m/14", class_token=False, pool={"kind": "mean", "norm_after": False}, num_classes=0) == 412_442_352
    )


@pytest.mark.parametrize("name", MASK_TOKEN)
def test_dinov2_but_for_its_mask_token(name):
    published, width = MASK_TOKEN[name]
    assert count(name) == published - width


@pytest.mark.parametrize(("rep", "expected"), [(True, 22_122_472), (False, 21_974_632)], ids=["tanh head", "linear"])
def test_the_better_baseline(rep, expected):
    assert count("vit_small_patch16_baseline_224", has_logits=rep) == expected
    assert count(f"vit_small_patch16_baseline{'_tanh' * rep}_224") == expected


@pytest.mark.parametrize("name", BIG_VISION)
def test_the_sizes_of_big_vision(name):
    with torch.device("meta"):
        model = create_model(f"{name}/16", num_classes=0)
    hidden = model.blocks[0].mlp.fc1.out_features
    assert (model.config.embed_dim, model.config.depth, hidden, model.config.block.num_heads) == BIG_VISION[name]


@pytest.mark.parametrize("name", [name for name, _ in family_rows() if name.endswith("dinov3")])
def test_dinov3_has_as_many_parameters_as_in_timm_and_biases_of_queries_and_keys_and_values(name):
    with torch.device("meta"):
        theirs = timm.create_model(name, num_classes=0)
        ours = create_model(name)
    biases = 3 * ours.config.embed_dim * ours.config.depth
    assert count(name) - biases == sum(parameter.numel() for parameter in theirs.parameters())


@pytest.mark.parametrize("classes", HEADS)
def test_other_heads(classes):
    assert count("B/16", num_classes=classes) == HEADS[classes]


def test_no_head():
    assert count("B/16", num_classes=0) == 86_567_656 - 769_000


TABLE_8 = {
    "none": ({"kind": "none"}, 0),
    "1-D": ({"kind": "learned_1d", "at": "stem"}, 151_296),
    "1-D, every layer": ({"kind": "learned_1d", "at": "every_layer"}, 1_815_552),
    "1-D, every layer, shared": ({"kind": "learned_1d", "at": "every_layer_shared"}, 151_296),
    "2-D": ({"kind": "learned_2d", "at": "stem"}, 10_752),
    "2-D, every layer": ({"kind": "learned_2d", "at": "every_layer"}, 129_024),
    "2-D, every layer, shared": ({"kind": "learned_2d", "at": "every_layer_shared"}, 10_752),
    "relative": ({"kind": "relative"}, 12 * 25_152),
}
"""The eight cells of the paper's table 8."""

POSITIONS_BESIDE = {
    "2-D, own vector of the class token": ({"kind": "learned_2d", "prefix": True}, 10_752 + 768),
    "relative, shared": ({"kind": "relative", "at": "every_layer_shared"}, 25_152),
    "relative bias": ({"kind": "relative_bias"}, 12 * 732 * 12),
    "relative bias, shared": ({"kind": "relative_bias", "at": "every_layer_shared"}, 732 * 12),
    "sine-cosine": ({"kind": "sincos_2d"}, 0),
    "rotary": ({"kind": "rope_2d"}, 0),
}


@pytest.mark.parametrize("cell", [*TABLE_8, *POSITIONS_BESIDE])
def test_position(cell):
    position, own = {**TABLE_8, **POSITIONS_BESIDE}[cell]
    assert count("B/16", position=position) == 86_416_360 + own


def test_relative_positions_without_a_class_token():
    fields = {"pool": "mean", "class_token": False}
    none = count("B/16", position="none", **fields)
    assert count("B/16", position="relative_bias", **fields) - none == 12 * 729 * 12
    assert count("B/16", position="relative", **fields) - none == 12 * 391 * 64


def test_the_better_plain_baseline():
    """Beyer et al. 2022: S/16 with the mean of patches and fixed sines and cosines."""
    fields = {"position": "sincos_2d", "pool": "mean", "class_token": False}
    assert count("S/16", **fields) == 21_974_632
    assert count("S/16", **fields, representation_size=384) == 22_122_472


def test_the_config_that_googles_code_calls_testing():
    fields = {"embed_dim": 10, "depth": 1, "num_heads": 2, "mlp_ratio": 1.0, "patch_size": 16}
    assert count(ViTConfig.of(**fields)) == 21_390


def test_each_term_of_the_closed_form():
    """n = C·P²·D + D  +  T·D  +  D  +  L·(4D² + 2DM + 9D + M)  +  2D  +  D·K + K, for ViT-B/16."""
    with torch.device("meta"):
        model = VisionTransformer(ViTConfig())
    size = {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()}
    own = {name: p.numel() for name, p in model.named_parameters(recurse=False)}
    assert own == {"cls_token": 768, "pos_embed": 151_296}
    assert (size["patch_embed"], size["norm"], size["head"]) == (590_592, 1_536, 769_000)
    assert [sum(p.numel() for p in block.parameters()) for block in model.blocks] == [7_087_872] * 12
    assert sum(size.values()) + sum(own.values()) == 86_567_656
