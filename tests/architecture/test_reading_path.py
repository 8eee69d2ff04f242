"""Who follows ViT-B/16 forward reads at most 500 lines: the files of `nn/` that run, and the model's own."""

from __future__ import annotations

import sys

import torch

from vitrail.models import create_model

LINES = 500
ALWAYS = {
    "src/vitrail/models/vision_transformer.py",
    "src/vitrail/nn/position/learned_1d.py",
    "src/vitrail/nn/shapes.py",
}
"""What belongs to the path though a forward pass need not run it: who reads, reads the names of the shapes too."""
BESIDE = {"src/vitrail/models/config.py": "what divides the image's size by the patch's, and refuses images of another"}
"""What runs but is not read by who follows the tokens."""


def files_that_run(root, call):
    """List the files of vitrail whose code runs during a call."""
    found = set()

    def note(frame, event, argument):
        found.add(frame.f_code.co_filename)

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    folder = str(root / "src")
    return {name.removeprefix(f"{root}/") for name in found if name.startswith(folder)}


def reading_path(root):
    """Give file → lines, for the forward pass of B/16 made small: every choice of kind is B/16's own."""
    model = create_model("B/16", img_size=32, embed_dim=24, depth=2, num_heads=2, num_classes=3)
    images = torch.zeros(1, 3, 32, 32)
    files = files_that_run(root, lambda: model.train()(images)) | files_that_run(root, lambda: model.eval()(images))
    return {name: len((root / name).read_text("utf-8").splitlines()) for name in sorted(files | ALWAYS)}


def test_following_the_forward_pass_takes_at_most_500_lines(root):
    lines = reading_path(root)
    counted = {name: count for name, count in lines.items() if name not in BESIDE}
    assert sum(counted.values()) <= LINES, counted


def test_the_path_is_the_model_and_the_parts_of_the_paper(root):
    lines = reading_path(root)
    assert (
        lines.keys() >= {f"src/vitrail/nn/{name}.py" for name in ("patch_embed", "attention", "mlp", "block")} | ALWAYS
    )
    assert lines.keys() >= BESIDE.keys()
    strangers = [
        name for name in lines if not name.startswith("src/vitrail/nn/") and name not in ALWAYS | BESIDE.keys()
    ]
    assert strangers == []
