"""Every family of timm that we hold: its random weights give its logits here, and what is written gives ours there.

Layer scales, norms, positions, registers and heads are drawn at random too.
"""

import json

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from timm.models.vision_transformer import checkpoint_filter_fn

from vitrail.core.errors import WeightsError
from vitrail.models import VisionTransformer
from vitrail.weights.formats import FORMATS
from vitrail.weights.formats.timm import DINOV3, KEYS
from vitrail.weights.formats.timm_models import FOREIGN, TOLD
from vitrail.weights.infer import infer_config
from vitrail.weights.load import load_weights
from vitrail.weights.start import take_over

SHAPE = {"img_size": 32, "patch_size": 8, "embed_dim": 64, "depth": 2, "num_heads": 4}
HEAD, NONE = {"num_classes": 5}, {"num_classes": 0}
FAMILIES = {
    "deit3": ("deit3_small_patch16_224", HEAD),
    "dino": ("vit_small_patch16_224", NONE),
    "mae": ("vit_base_patch16_224", {"global_pool": "avg", **HEAD}),
    "dinov2": ("vit_small_patch14_dinov2", NONE),
    "dinov2 reg": ("vit_small_patch14_reg4_dinov2", NONE),
    "dinov2 giant": ("vit_giant_patch14_dinov2", {**NONE, "mlp_ratio": 5.25}),
    "dinov2 giant reg": ("vit_giant_patch14_reg4_dinov2", {**NONE, "mlp_ratio": 5.25}),
    "tipsv2": ("vit_base_patch14_reg1_tipsv2", NONE),
    "dinov3": ("vit_small_patch16_dinov3", HEAD),
    "dinov3 biases": ("vit_small_patch16_dinov3_qkvb", NONE),
    "dinov3 gated": ("vit_huge_plus_patch16_dinov3_qkvb", HEAD),
    "lingbot": ("vit_small_patch16_lingbot", NONE),
    "clip": ("vit_base_patch16_clip_224", HEAD),
    "clip quickgelu": ("vit_base_patch16_clip_quickgelu_224", HEAD),
    "siglip": ("vit_base_patch16_siglip_224", NONE),
    "siglip so400m": ("vit_so400m_patch16_siglip_256", {**NONE, "mlp_ratio": 3.7362}),
    "siglip gap": ("vit_so400m_patch16_siglip_gap_256", HEAD),
    "flexivit": ("flexivit_small", HEAD),
    "gap": ("vit_medium_patch16_gap_256", HEAD),
    "gap reg": ("vit_little_patch16_reg4_gap_256", HEAD),
    "gap reg, norm before": ("vit_so150m_patch16_reg4_gap_256", HEAD),
    "map reg": ("vit_so150m_patch16_reg4_map_256", HEAD),
    "all positions, reg": ("test_vit2", HEAD),
    "rms norm": ("test_vit4", HEAD),
    "hybrid root": ("vit_tiny_r_s16_p8_224", {**HEAD, "img_size": 64, "patch_size": 8}),
    "hybrid": ("vit_small_r26_s32_224", {**HEAD, "img_size": 64, "patch_size": 1}),
    "qk norm": ("vit_small_patch16_224", {"qk_norm": True, **HEAD}),
}


def made(case, randomise, seed=0, **fields):
    name, own = FAMILIES[case]
    if "test_vit" not in name:
        own = {**SHAPE, **own}
    else:
        own = {"img_size": 32, "patch_size": 8, "depth": 2, **own}
    return randomise(timm.create_model(name, **{**own, **fields}), seed).eval()


@pytest.fixture
def folder(tmp_path):
    def write(model):
        timm.models.save_for_hf(model, tmp_path / "hub", safe_serialization=True)
        return tmp_path / "hub"

    return write


def assert_same(ours, theirs, size=None):
    images = torch.randn(2, 3, *(size or ours.config.image_size), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        got, expected = ours(images), theirs(images)
    scale = expected.abs().max()
    assert got.shape == expected.shape
    assert (expected[0] - expected[1]).abs().max() > 0.01 * scale
    assert (got - expected).abs().max() <= 1e-5 * scale, (got - expected).abs().max() / scale


@pytest.mark.parametrize("case", FAMILIES)
def test_a_folder_of_timm(case, folder, randomise):
    theirs = made(case, randomise)
    loaded = load_weights(folder(theirs))
    assert_same(loaded.model, theirs)
    assert loaded.record.config.block.norm.eps == theirs.blocks[0].norm1.eps, "too small to show in the logits"
    assert loaded.record.spec.mean == tuple(theirs.pretrained_cfg["mean"])


@pytest.mark.parametrize("case", FAMILIES)
def test_timm_takes_what_is_written(case, folder, randomise, tmp_path):
    loaded = load_weights(folder(made(case, randomise)))
    path = tmp_path / "weights.safetensors"
    FORMATS["timm"].write(path, loaded.model, loaded.record)
    written, read = load_file(path), load_file(tmp_path / "hub" / "model.safetensors")
    assert written.keys() == read.keys()
    assert all(torch.equal(value, read[name]) for name, value in written.items()), "to ∘ from = identity"
    theirs = made(case, randomise, seed=2)
    theirs.load_state_dict(written, strict=True)
    assert_same(loaded.model, theirs)
    alone = load_weights(path, known=FORMATS["timm"].known(loaded.record.config))
    assert_same(alone.model, theirs)


RESIZED = ("deit3", "dinov2", "dinov2 reg", "gap reg", "all positions, reg", "flexivit", "siglip")


@pytest.mark.parametrize("case", RESIZED)
@pytest.mark.parametrize("side", [24, 48])
def test_another_size_is_by_timms_rule(side, case, folder, randomise):
    small = made(case, randomise)
    theirs = made(case, randomise, seed=2, img_size=side)
    flexible = {"interpolation": "bilinear", "antialias": False} if case == "flexivit" else {}
    theirs.load_state_dict(checkpoint_filter_fn(small.state_dict(), theirs, **flexible))
    loaded = load_weights(folder(small))
    ours = VisionTransformer(loaded.record.config.updated(img_size=side))
    ours.load_state_dict(take_over(ours, loaded.model, same_classes=True).state)
    assert_same(ours, theirs, (side, side))


@pytest.mark.parametrize("case", ["dinov2 reg", "dinov3 gated"])
def test_images_of_any_size_when_timm_takes_them(case, folder, randomise):
    theirs = made(case, randomise, dynamic_img_size=True)
    loaded = load_weights(folder(theirs))
    assert loaded.record.config.tokens.dynamic
    assert_same(loaded.model, theirs, (24, 40))


def test_a_pickled_state_dict_alone(randomise, tmp_path):
    theirs = made("dinov3 gated", randomise)
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    known = {"num_heads": 4, "img_size": 32}
    loaded = load_weights(tmp_path / "weights.pth", known=known)
    assert_same(loaded.model, theirs)
    assert any("mean of the patches is assumed" in note for note in loaded.report.notes)
    named = timm.create_model("vit_small_patch16_dinov3", num_classes=0)
    torch.save(named.state_dict(), tmp_path / "dinov3.pth")
    loaded = load_weights(tmp_path / "dinov3.pth", variant="vit_small_patch16_dinov3")
    assert loaded.record.config.pool.kind == "class_token", "a variant has its own pooling"
    theirs = made("clip quickgelu", randomise)
    torch.save(theirs.state_dict(), tmp_path / "clip.pth")
    loaded = load_weights(tmp_path / "clip.pth", known={"num_heads": 4})
    assert any("GELU is assumed" in note for note in loaded.report.notes)
    quick = load_weights(tmp_path / "clip.pth", known={"num_heads": 4, "act": "quick_gelu"})
    assert_same(quick.model, theirs)


HIDDEN = {
    "EVA": ("eva02_small_patch14_224", {"mlp_ratio": 4}),
    "EVA, told by layer scale": ("vit_small_patch16_rope_ape_224", {}),
    "a Perception Encoder": ("vit_pe_core_base_patch16_224", {}),
    "no position": ("vit_small_patch16_rope_224", {}),
    "no class token": ("vit_medium_patch16_rope_reg1_gap_256", {}),
}


@pytest.mark.parametrize("case", HIDDEN)
def test_models_that_turn_queries_and_keys_unseen_are_refused(case, tmp_path):
    name, fields = HIDDEN[case]
    save_file(timm.create_model(name, **{**SHAPE, **fields}).state_dict(), tmp_path / "weights.safetensors")
    with pytest.raises(WeightsError, match="may be turned|pos_embed is missing"):
        load_weights(tmp_path / "weights.safetensors", known={"num_heads": 4})


@pytest.mark.parametrize("name", FOREIGN)
def test_models_told_by_name_alone_are_refused(name, folder):
    path = folder(timm.create_model(name, img_size=32, depth=1))
    with pytest.raises(WeightsError, match="which vitrail does not have"):
        load_weights(path)


@pytest.mark.parametrize("name", TOLD)
def test_what_no_tensor_shows_is_as_timm_has_it(name):
    with torch.device("meta"):
        model = timm.create_model(name, depth=1)
    acts = {"GELU": "gelu", "GELUTanh": "gelu_tanh", "QuickGELU": "quick_gelu", "SiLU": "silu"}
    act = acts[type(model.blocks[0].mlp.act).__name__]
    fields = {"num_heads": model.blocks[0].attn.num_heads, "act": act}
    assert {key: fields[key] for key in TOLD[name]} == dict(TOLD[name])


def test_a_part_that_is_not_known_is_refused(folder, randomise):
    path = folder(made("deit3", randomise))
    config = json.loads((path / "config.json").read_text())
    config["model_args"]["pool_include_prefix"] = True
    (path / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="pool_include_prefix are not known"):
        load_weights(path)


def test_biases_of_keys_have_no_place(randomise, folder, tmp_path):
    loaded = load_weights(folder(made("dinov3 biases", randomise)))
    loaded.model.blocks[0].attn.qkv.bias.data[64:128] = 1
    with pytest.raises(WeightsError, match=r"no place for blocks.0.attn.k_bias"):
        FORMATS["timm"].write(tmp_path / "weights.safetensors", loaded.model, loaded.record)


@torch.no_grad()
def test_names_of_2020_and_21(randomise, tmp_path):
    """Read `jx_vit_*_in21k`: patches as a matrix at first, and a tanh layer before the head, which timm has no more."""
    theirs = made("dino", randomise)
    layer, head = torch.nn.Linear(64, 64), torch.nn.Linear(64, 7)
    names = {"pre_logits.fc": layer, "head": head}
    state = theirs.state_dict()
    for name, module in names.items():
        state |= {f"{name}.weight": module.weight.data, f"{name}.bias": module.bias.data}
    state["patch_embed.proj.weight"] = state["patch_embed.proj.weight"].flatten(1)
    torch.save(state, tmp_path / "jx_vit.pth", _use_new_zipfile_serialization=False)
    loaded = load_weights(tmp_path / "jx_vit.pth", known={"num_heads": 4})
    images = torch.randn(2, 3, 32, 32)
    expected = head(torch.tanh(layer(theirs(images))))
    assert (loaded.model(images) - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_what_once_was_called_small():
    with torch.device("meta"):
        old = timm.create_model("vit_base_patch16_224", depth=8, mlp_ratio=3.0, qkv_bias=False)
    config, notes = infer_config(old.state_dict(), {})
    assert (config.block.num_heads, config.block.qk_scale) == (8, 768**-0.5)
    assert any("of 2020" in note for note in notes)


def test_heads_are_found_by_shape_and_kind_of_mlp():
    models = {"vit_huge_plus_patch16_dinov3": 20, "vit_huge_patch14_224": 16, "vit_giant_patch14_dinov2": 24}
    for name, heads in models.items():
        with torch.device("meta"):
            state, _ = KEYS.to_ours(timm.create_model(name).state_dict())
        config, notes = infer_config(state, {}, None, {} if "pos_embed" in state else DINOV3)
        assert config.block.num_heads == heads, notes
