"""What a model costs: every count of multiply-accumulates that is known, the closed form, and really counting."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from vitrail.bench.cost import count_cost
from vitrail.models import VisionTransformer, ViTConfig
from vitrail.models.variants import variant_fields

GIGA = {
    "Ti/16": {224: "1.254", 384: "4.682"},
    "S/32": {224: "1.143", 384: "3.443"},
    "S/16": {224: "4.599", 384: "15.490"},
    "S/8": {224: "22.406", 384: "98.079"},
    "B/32": {224: "4.409", 384: "13.044"},
    "B/16": {224: "17.564", 384: "55.484"},
    "B/8": {224: "78.148", 384: "294.045"},
    "L/32": {224: "15.378", 384: "45.276"},
    "L/16": {224: "61.555", 384: "191.066", 512: "361.99"},
    "L/14": {224: "81.013"},
    "H/14": {224: "167.295", 518: "1016.72"},
    "g/14": {224: "267.03"},
    "G/14": {224: "483.75"},
}
"""10⁹ MACs at 1000 classes; torchvision prints 17.6, 55.5, 362.0, 1016.7 for the four that it has."""

HYBRID_GIGA = {
    "R+Ti/16": {224: "0.434", 384: "1.327"},
    "R26+S/32": {224: "3.464", 384: "10.264"},
    "R50+B/16": {224: "21.535", 384: "67.156"},
    "R50+L/32": {224: "19.413", 384: "57.136"},
    "vitc_1gf_224": {224: "1.1"},
    "vitc_4gf_224": {224: "4.0"},
    "vitc_18gf_224": {224: "17.7"},
    "vitc_36gf_224": {224: "35.0"},
}
"""With the convolutions of the stem; those of ViT_C as Xiao et al. 2021 print them."""


def config_of(name, **fields):
    return ViTConfig.of(**{**variant_fields(name), **fields})


def closed_form(config):
    """Patches + L·(T(4D² + 2DM) + 2T²D) + head; the norms, softmax and additions are not counted."""
    dim, tokens = config.embed_dim, config.num_tokens
    hidden = int(dim * config.block.mlp_ratio)
    patches = (tokens - config.tokens.count) * config.in_chans * config.patch_size**2 * dim
    block = tokens * (4 * dim**2 + 2 * dim * hidden) + 2 * tokens**2 * dim
    representation = config.representation_size or 0
    head = dim * representation + (representation or dim) * config.num_classes
    return patches + config.depth * block + head * (2 if config.tokens.distilled else 1)


def really_count(config):
    with torch.device("meta"):
        model, image = VisionTransformer(config).eval(), torch.empty(1, config.in_chans, *config.image_size)
    with FlopCounterMode(display=False) as counter:
        model(image)
    return counter.get_total_flops() / 2, sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(("name", "size"), [(name, size) for name, sizes in GIGA.items() for size in sizes])
def test_known_counts(name, size):
    expected = GIGA[name][size]
    macs = count_cost(config_of(name, img_size=size)).macs
    assert f"{macs / 1e9:.{len(expected.partition('.')[2])}f}" == expected
    assert macs == closed_form(config_of(name, img_size=size))


@pytest.mark.parametrize(("name", "size"), [(name, size) for name, sizes in HYBRID_GIGA.items() for size in sizes])
def test_known_counts_with_convolutions_before_the_patches(name, size):
    expected = HYBRID_GIGA[name][size]
    macs = count_cost(config_of(name, img_size=size)).macs
    assert f"{macs / 1e9:.{len(expected.partition('.')[2])}f}" == expected


EXAFLOPS = {"R50x1": 50, "R50x2": 199, "R101x1": 96, "R152x1": 141, "R152x2": 563}
EXAFLOPS |= {"R50+B/32": 106, "R50+B/16": 274, "R50+L/32": 246, "R50+L/16": 1668 / 2}
"""Table 6 of Dosovitskiy et al. 2020, for 7 epochs of 303 million images; training costs 6 FLOPs a MAC."""


@pytest.mark.parametrize("name", EXAFLOPS)
def test_pre_training_costs_what_the_paper_prints(name):
    macs = count_cost(config_of(name)).macs
    assert 6 * macs * 303e6 * 7 / 1e18 == pytest.approx(EXAFLOPS[name], rel=0.045)


@pytest.mark.parametrize(
    "config",
    [
        config_of("B/16"),
        config_of("deit_tiny_distilled_patch16_224"),
        config_of("nano/2", img_size=8, stem="conv", pool="mean", class_token=False),
        config_of("R26+S/32"),
        config_of("R50x1"),
    ],
    ids=["B/16", "distilled", "conv stem", "hybrid", "no block"],
)
def test_counting_two_shallow_models_is_counting_the_deep_one(config):
    cost = count_cost(config)
    assert (cost.macs, cost.parameters) == really_count(config)


@settings(max_examples=25, deadline=None)
@given(
    patch=st.integers(2, 9), grid=st.tuples(st.integers(1, 5), st.integers(1, 5)), channels=st.integers(1, 4),
    heads=st.integers(1, 3), width=st.integers(1, 8), depth=st.integers(0, 3), classes=st.integers(0, 9),
    hidden=st.integers(1, 4), representation=st.none() | st.integers(1, 9),
)  # fmt: skip
def test_the_closed_form_holds_for_any_plain_model(
    patch, grid, channels, heads, width, depth, classes, hidden, representation
):
    config = ViTConfig.of(
        patch_size=patch, img_size=(grid[0] * patch, grid[1] * patch), in_chans=channels, num_heads=heads,
        embed_dim=heads * width, depth=depth, num_classes=classes, mlp_ratio=float(hidden),
        representation_size=representation,
    )  # fmt: skip
    cost = count_cost(config)
    assert cost.macs == closed_form(config)
    assert cost.tokens == 1 + grid[0] * grid[1]
    with torch.device("meta"):
        assert cost.parameters == sum(parameter.numel() for parameter in VisionTransformer(config).parameters())


def test_attentions_share_of_b_16():
    attention = 12 * 2 * 197**2 * 768
    assert f"{attention / 1e9:.3f}" == "0.715"
    assert f"{attention / count_cost(ViTConfig()).macs:.1%}" == "4.1%"


def test_tokens_are_counted_with_those_before_the_patches():
    assert count_cost(config_of("B/16")).tokens == 197
    assert count_cost(config_of("deit_base_distilled_patch16_384")).tokens == 578
    assert count_cost(config_of("B/32", pool="mean", class_token=False)).tokens == 49


def test_nothing_is_allocated_for_the_largest():
    before = torch.get_default_device()
    assert count_cost(config_of("G/14", img_size=518)).parameters > 1_844_440_680
    assert torch.get_default_device() == before
