"""Every pair of a kind of position, of pooling and of stem: it learns, is resized, follows its image, is stored."""

import itertools

import pytest
import torch

from vitrail.data.spec import ImageSpec
from vitrail.nn.pooling import POOLS
from vitrail.nn.position import POSITIONS
from vitrail.nn.stem import STEMS
from vitrail.weights.model_file import ModelRecord, load_model, save_model

TABLES = {"position": POSITIONS, "pool": POOLS, "stem": STEMS}
EXTRAS = {
    "registers": (0, 2), "qk_norm": (False, True), "layer_scale": (None, 0.1), "mlp": ("swiglu", "mlp", "mlp"),
    "pre_norm": (False, False, True), "patch_bias": (True, True, False),
}  # fmt: skip
OTHER = (16, 12)
"""Height and width of another image than the tiny model's 8 × 12."""


def pairs_of(row):
    return {((a, row[a]), (b, row[b])) for a, b in itertools.combinations(TABLES, 2)}


def pairwise():
    """Take, greedily, combinations of rows until each pair of rows of two tables has been taken."""
    product = [dict(zip(TABLES, kinds, strict=True)) for kinds in itertools.product(*TABLES.values())]
    wanted = set().union(*map(pairs_of, product))
    array = []
    while wanted:
        best = max(product, key=lambda row: len(pairs_of(row) & wanted))
        wanted -= pairs_of(best)
        array.append(best)
    return array


def with_extras(index, row):
    extras = {name: values[(index // (place + 1)) % len(values)] for place, (name, values) in enumerate(EXTRAS.items())}
    if row["pool"] == "map":
        extras["mlp"] = "mlp"
    class_token = POOLS[row["pool"]].needs_class_token or index % 3 > 0
    return {**row, **extras, "class_token": class_token}


ARRAY = [with_extras(index, row) for index, row in enumerate(pairwise())]
EACH = pytest.mark.parametrize("fields", ARRAY, ids=["-".join(row[name] for name in TABLES) for row in ARRAY])


def test_every_pair_is_there_and_every_extra():
    for a, b in itertools.combinations(TABLES, 2):
        assert {(row[a], row[b]) for row in ARRAY} == set(itertools.product(TABLES[a], TABLES[b]))
    for name, values in EXTRAS.items():
        assert {row[name] for row in ARRAY} == set(values)


@EACH
def test_each_parameter_learns(fields, tiny, images_for):
    model = tiny(**fields)
    model.train()(images_for(model)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
    moved = [name for name, parameter in model.named_parameters() if parameter.grad.abs().max() > 0]
    assert len(moved) >= 0.9 * len(list(model.parameters())), "biases of keys and before a batch norm may not move"


@EACH
@torch.no_grad()
def test_another_size_is_the_same_on_the_fly_and_resized(fields, tiny, images_for):
    model = tiny(**fields, dynamic=True).eval()
    resized = tiny(**fields, img_size=OTHER).eval()
    state = model.position.resize(model.state_dict(), model.config.grid, resized.config.grid)
    resized.load_state_dict(state, strict=True)
    images = images_for(resized)
    out = resized(images)
    assert torch.isfinite(out).all() and out.std() > 1e-3
    torch.testing.assert_close(model(images), out, rtol=1e-5, atol=1e-5)
    padded = tiny(**fields, dynamic=True, dynamic_pad=True).eval()
    padded.load_state_dict(model.state_dict(), strict=True)
    cut = images[..., :-1, :-2].clone()
    zeros = torch.zeros_like(images)
    zeros[..., :-1, :-2] = cut
    torch.testing.assert_close(padded(cut), model(zeros), rtol=1e-5, atol=1e-5)


@EACH
@torch.no_grad()
def test_a_file_gives_the_same_model(fields, tiny, images_for, tmp_path):
    model = tiny(**fields).eval()
    spec = ImageSpec(size=model.config.image_size)
    save_model(tmp_path / "m.safetensors", model, ModelRecord(model.config, tuple("abcde"), spec))
    read, record = load_model(tmp_path / "m.safetensors")
    assert record.config == model.config
    assert torch.equal(read(images_for(model)), model(images_for(model)))
