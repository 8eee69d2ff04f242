"""The shapes written in annotations are those that tensors have, checked by jaxtyping in a process of its own."""

import subprocess
import sys

CHECKED = """
from jaxtyping import install_import_hook
install_import_hook(["vitrail.nn", "vitrail.models.vision_transformer"], "beartype.beartype")
import torch
from vitrail.models.vision_transformer import VisionTransformer
from vitrail.models.config import ViTConfig
from vitrail.nn.activation import ACTIVATIONS
from vitrail.nn.init import INITS
from vitrail.nn.mlps import MLPS
from vitrail.nn.norm import NORMS
from vitrail.nn.pooling import POOLS
from vitrail.nn.position import POSITIONS
from vitrail.nn.stem import STEMS
BASE = dict(img_size=(8, 12), patch_size=4, embed_dim=16, depth=2, num_heads=2, num_classes=3, drop_rate=0.1,
            drop_path_rate=0.1)
"""

FORWARD = """
stems = [{"kind": kind, **({"layers": (1,), "pre_activation": True} if kind == "resnet" else {})} for kind in STEMS]
tables = dict(position=POSITIONS, pool=POOLS, stem=stems, norm=NORMS, act=ACTIVATIONS, mlp=MLPS, init=INITS)
cases = [{name: row} for name, table in tables.items() for row in table]
cases += [dict(distilled=True), dict(pool="mean", class_token=False), dict(num_classes=0), dict(has_logits=True),
          dict(pool={"kind": "mean", "norm_after": False}), dict(qkv_bias=False, qk_scale=0.3), dict(in_chans=1),
          dict(qk_norm=True, layer_scale=0.1, pre_norm=True, registers=2, patch_bias=False)]
for fields in cases:
    model = VisionTransformer(ViTConfig.of(**{**BASE, **fields}))
    images = torch.randn(2, model.config.in_chans, 8, 12)
    model.train()(images), model.eval()(images)
    state = model.position.resize(model.state_dict(), (2, 3), (4, 5))
print("forwards", len(cases))
"""

WRONG = """
from jaxtyping import TypeCheckError
model = VisionTransformer(ViTConfig.of(**BASE))
block, position, grid = model.blocks[0], model.position, (2, 3)
wrong = {
    "tokens without a batch": lambda: block(torch.randn(7, 16), position, grid),
    "whole numbers for tokens": lambda: model.forward_head(torch.ones(2, 7, 16, dtype=torch.int64)),
    "a grid of three": lambda: block(torch.randn(2, 7, 16), position, (2, 3, 1)),
    "queries unlike keys": lambda: position.rotate(torch.randn(2, 2, 7, 8), torch.randn(2, 2, 6, 8), grid),
    "a position that is none": lambda: block(torch.randn(2, 7, 16), None, grid),
}
for name, call in wrong.items():
    try:
        call()
    except TypeCheckError:
        print("seen:", name)
print("of", len(wrong))
"""


def run(code):
    return subprocess.run([sys.executable, "-c", CHECKED + code], capture_output=True, text=True)


def test_every_row_of_every_table_has_the_shapes_it_says():
    done = run(FORWARD)
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout.split()[1]) > 15


def test_wrong_shapes_are_seen():
    done = run(WRONG)
    assert done.returncode == 0, done.stderr[-3000:]
    *seen, last = done.stdout.splitlines()
    assert last == f"of {len(seen)}", done.stdout
