"""`torch.compile` and `torch.export` agree with eager, for a covering array: each row of each table at least once."""

import copy

import pytest
import torch
from torch._dynamo.testing import CompileCounter
from torch.nn.functional import cross_entropy

from vitrail.nn.activation import ACTIVATIONS
from vitrail.nn.init import INITS
from vitrail.nn.mlps import MLPS
from vitrail.nn.norm import NORMS
from vitrail.nn.pooling import POOLS
from vitrail.nn.position import POSITIONS
from vitrail.nn.stem import STEMS

TABLES = {
    "position": POSITIONS, "pool": POOLS, "stem": STEMS, "norm": NORMS, "act": ACTIVATIONS, "mlp": MLPS, "init": INITS,
}  # fmt: skip
EXTRAS = {
    "registers": (2, 0, 0), "qk_norm": (False, True), "layer_scale": (0.1, None), "pre_norm": (False, False, True),
    "patch_bias": (True, True, False),
}  # fmt: skip


def covering_array():
    """Row i takes row i of every table, cyclically; the last one is distilled, which only the class token allows."""
    count = max(len(table) for table in TABLES.values())
    array = [{name: list(table)[index % len(table)] for name, table in TABLES.items()} for index in range(count)]
    for index, row in enumerate(array):
        row["class_token"] = POOLS[row["pool"]].needs_class_token or index % 2 == 0
        row["mlp"] = "mlp" if row["pool"] == "map" else row["mlp"]
        row |= {name: values[index % len(values)] for name, values in EXTRAS.items()}
    return [*array, {**array[-1], "pool": "class_token", "class_token": True, "distilled": True}]


ARRAY = covering_array()
IDS = ["-".join(value for value in row.values() if isinstance(value, str)) for row in ARRAY]
IDS[-1] += "-distilled"


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def assert_agree(got, expected, tolerance=1e-6):
    got, expected = (value if isinstance(value, tuple) else (value,) for value in (got, expected))
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        assert one.shape == other.shape
        assert (one - other).abs().max().item() <= tolerance * max(1e-3, other.abs().max().item())


def train_once(model, images):
    out = model.train()(images)
    heads = out if isinstance(out, tuple) else (out,)
    sum(cross_entropy(logits.reshape(2, -1, 5).mean(dim=1), torch.tensor([0, 3])) for logits in heads).backward()
    return out


def check_compiled(model, images, tolerance, **options):
    eager = copy.deepcopy(model)
    compiled = torch.compile(model, fullgraph=True, **options)
    with torch.no_grad():
        expected = eager.eval()(images)
        assert expected.abs().max() > 0.1
        assert_agree(compiled.eval()(images), expected, tolerance)
    assert_agree(train_once(compiled, images), train_once(eager, images), tolerance)
    grads = dict(model.named_parameters())
    for name, parameter in eager.named_parameters():
        assert parameter.grad is not None, name
        assert_agree(grads[name].grad, parameter.grad, tolerance)


def test_the_array_covers_every_row_of_every_table():
    for name, table in TABLES.items():
        assert {row[name] for row in ARRAY} == set(table)
    for name, values in EXTRAS.items():
        assert {row[name] for row in ARRAY} == set(values)
    assert {row.get("distilled", False) for row in ARRAY} == {False, True}
    assert {row["class_token"] for row in ARRAY} == {False, True}


@pytest.mark.parametrize("fields", ARRAY, ids=IDS)
def test_compiled_agrees_forward_and_backward(fields, tiny, images_for):
    model = tiny(**fields)
    check_compiled(model, images_for(model), 1e-6, backend="aot_eager")


@pytest.mark.parametrize("fields", ARRAY, ids=IDS)
def test_exported_agrees_for_any_batch(fields, tiny, images_for):
    model = tiny(**fields).eval()
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(model, (images_for(model, batch=3),), dynamic_shapes=({0: batch},)).module()
    with torch.no_grad():
        for size in (3, 1, 7):
            images = images_for(model, batch=size, seed=size)
            assert_agree(program(images), model(images))


@pytest.mark.slow
def test_inductor_agrees(tiny, images_for):
    model = tiny(stem="conv", distilled=True)
    check_compiled(model, images_for(model), 1e-5)


def test_one_graph_serves_every_batch_while_training(tiny, images_for):
    counter = CompileCounter()
    model = tiny(drop_rate=0.1, drop_path_rate=0.2, distilled=True).train()
    compiled = torch.compile(model, backend=counter, fullgraph=True, dynamic=True)
    for size in (2, 3, 5, 8):
        first, second = compiled(images_for(model, batch=size))
        assert len(first) == len(second) == size
    assert counter.frame_count == 1


@pytest.mark.parametrize("position", POSITIONS)
def test_at_another_grid_compiled_and_exported_agree(position, tiny):
    """Positions are carried to the grid within the graph."""
    model = tiny(position=position, registers=2, dynamic=True)
    images = torch.randn(2, 3, 20, 8)
    check_compiled(model, images, 1e-5, backend="aot_eager")
    program = torch.export.export(model.eval(), (images,)).module()
    with torch.no_grad():
        assert_agree(program(images), model(images), 1e-5)
