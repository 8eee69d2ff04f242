"""Images of any shape, whole and at their own aspect: the same answers alone and together, in order, none dropped."""

from __future__ import annotations

import json

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from pyarrow import parquet
from safetensors.torch import save_file
from transformers import AutoModel

import vitrail
from vitrail.cli.main import main
from vitrail.core.errors import ConfigError
from vitrail.data.decode import decode
from vitrail.jobs.embed import embed_paths
from vitrail.weights.model_file import ModelRecord, load_model, save_model

SHAPES = ((20, 30), (30, 20), (24, 24), (9, 80), (1, 300), (21, 31), (300, 1), (40, 60), (5, 5))
BAD = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write 27 pictures of nine shapes and two colours as class folders, one of them broken."""
    folder = tmp_path_factory.mktemp("shapes")
    for number in range(27):
        colour = ((220, 40, 30), (30, 40, 220))[number % 2]
        noise = np.random.default_rng(number).integers(-20, 20, (*SHAPES[number % len(SHAPES)], 3))
        place = folder / ("red", "blue")[number % 2] / f"{number:02d}.png"
        place.parent.mkdir(exist_ok=True)
        Image.fromarray(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)).save(place)
    (folder / "red" / f"{BAD:02d}.png").write_bytes(b"broken")
    return folder


@pytest.fixture(scope="module")
def files(folder):
    return sorted(str(file) for file in folder.rglob("*.png"))


@pytest.fixture(scope="module", params=["learned_1d", "rope_2d"])
def run(request, folder, tmp_path_factory):
    """Train on crops of one size, to be validated and used on whole images."""
    fields = {"img_size": 16, "patch_size": 4, "embed_dim": 16, "depth": 2, "num_heads": 2, "num_classes": 2}
    model = vitrail.ViTConfig.of(**fields, dynamic=True, position=request.param)
    settings = {"mode": "keep", "batch_size": 8}
    return vitrail.fit(folder, model, out=tmp_path_factory.mktemp("runs") / "run", epochs=1, settings=settings)


def alone(predictor, file):
    """Compute tokens and logits of one file by hand."""
    pixels = predictor.spec.pixels(decode(file))
    with torch.inference_mode():
        tokens = predictor.model.forward_features(torch.from_numpy(predictor.spec.normalise(pixels[None])))
        return tokens[0].numpy(), predictor.model.forward_head(tokens)[0].numpy()


def test_training_keeps_the_aspect_where_it_measures(run):
    predictor = vitrail.load(run)
    assert (predictor.spec.mode, predictor.spec.multiple) == ("keep", 4)
    assert predictor.model.config.tokens.dynamic
    assert load_model(run.path / "model.safetensors")[1].spec == predictor.spec
    evaluation = vitrail.evaluate(run, run.plan.data, split="val")
    records = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert evaluation.top1 == records[-1]["val_top1"]


def test_together_is_alone(run, files):
    predictor = vitrail.load(run)
    good = [file for file in files if not file.endswith(f"{BAD:02d}.png")]
    expected = [alone(predictor, file) for file in good]
    assert {len(tokens) - 1 for tokens, _ in expected} == {9, 15, 16}
    np.testing.assert_allclose(predictor.logits(good), [logits for _, logits in expected], atol=1e-5)
    features = predictor.embed(good, "mean")
    np.testing.assert_allclose(features, [tokens[1:].mean(axis=0) for tokens, _ in expected], atol=1e-5)
    answers = predictor.predict(files, top=2)
    assert [answer.path for answer in answers] == files
    assert [answer.path for answer in answers if answer.error] == [file for file in files if file not in good]
    by_path = dict(zip(good, expected, strict=True))
    for answer in answers:
        if answer.error is None:
            assert answer.label == predictor.classes[int(by_path[answer.path][1].argmax())]


def test_labels_do_not_shift_in_an_evaluation(run, folder):
    predictor = vitrail.load(run)
    evaluation = vitrail.evaluate(predictor, folder, split="train")
    numbers = evaluation.outputs.indices.tolist()
    bad = [number for number, _ in evaluation.outputs.bad]
    assert sorted(numbers + bad) == list(range(len(evaluation.names)))
    for number, label, logits in zip(numbers, evaluation.outputs.labels, evaluation.outputs.logits, strict=True):
        name = evaluation.names[number]
        assert predictor.classes[label] in name
        np.testing.assert_allclose(logits, alone(predictor, str(folder / name))[1], atol=1e-5)


def test_an_explanation_is_on_the_grid_of_its_image(run, files):
    predictor = vitrail.load(run)
    for shape, grid in (((20, 30), (3, 5)), ((30, 20), (5, 3)), ((1, 300), (1, 16)), ((24, 24), (4, 4))):
        found = predictor.explain(np.zeros((*shape, 3), np.uint8))
        assert found.last.shape == found.rollout.shape == grid
        assert found.box == (0.0, 0.0, shape[1], shape[0])


def test_tokens_of_several_grids(run, files, tmp_path):
    predictor = vitrail.load(run)
    assert predictor.grid is None
    with pytest.raises(ConfigError, match="16 … 17 tokens, which make no array"):
        predictor.embed([np.zeros((24, 24, 3), np.uint8), np.zeros((20, 30, 3), np.uint8)], "tokens")
    assert predictor.embed(np.zeros((2, 20, 30, 3), np.uint8), "tokens").shape == (2, 16, 16)
    answers = list(embed_paths(predictor, files, str(tmp_path / "tokens.parquet"), "tokens"))
    table = parquet.read_table(tmp_path / "tokens.parquet")
    assert table.column_names == ["path", "features", "error", "grid"]
    about = json.loads(table.schema.metadata[b"vitrail"])
    assert (about["shape"], about["grid"], about["prefix_tokens"]) == ([None, 16], None, 1)
    assert table["path"].to_pylist() == files == [answer.path for answer in answers]
    for file, features, error, grid in zip(*(table[name].to_pylist() for name in table.column_names), strict=True):
        assert (error is None) == (features is not None) == (grid is not None) == (not file.endswith(f"{BAD:02d}.png"))
        if error is None:
            np.testing.assert_allclose(np.float32(features), alone(predictor, file)[0], atol=1e-5)
            height, width = predictor.spec.size_for(*decode(file).size)
            assert grid == [height // 4, width // 4] and len(features) == 1 + grid[0] * grid[1]
    list(embed_paths(predictor, files, str(tmp_path / "mean.parquet"), "mean"))
    table = parquet.read_table(tmp_path / "mean.parquet")
    assert json.loads(table.schema.metadata[b"vitrail"])["shape"] == [16]
    assert table["grid"].to_pylist() == [None if one.grid is None else list(one.grid) for one in answers]


@pytest.fixture(scope="module")
def timms(tmp_path_factory):
    """Make a model of timm's, every parameter drawn at random, and its file."""
    fields = {"img_size": 64, "patch_size": 16, "embed_dim": 128, "depth": 2, "num_heads": 2, "num_classes": 5}
    theirs = timm.models.VisionTransformer(**fields, dynamic_img_size=True).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
    path = tmp_path_factory.mktemp("timm") / "vit.safetensors"
    save_file(theirs.state_dict(), path)
    return theirs, path


@pytest.mark.parametrize(("image_size", "grid"), [(None, (3, 5)), (112, (6, 8)), (100, (5, 7))])
def test_a_model_of_another_library_takes_whole_images(timms, image_size, grid):
    theirs, path = timms
    predictor = vitrail.load(path, dynamic=True, image_size=image_size)
    image = np.random.default_rng(0).integers(0, 256, (50, 75, 3), dtype=np.uint8)
    pixels = predictor.spec.pixels(Image.fromarray(image))
    assert pixels.shape == (16 * grid[0], 16 * grid[1], 3)
    normalised = torch.tensor(pixels).permute(2, 0, 1)[None] / 255 * 2 - 1
    with torch.inference_mode():
        np.testing.assert_allclose(predictor.logits(image), theirs(normalised).numpy(), atol=1e-4)
    assert predictor.explain(image).rollout.shape == grid


def test_dinov2_takes_whole_images(real_weights):
    predictor = vitrail.load(real_weights / "dinov2-small", dynamic=True)
    theirs = AutoModel.from_pretrained(real_weights / "dinov2-small").eval()
    image = np.random.default_rng(0).integers(0, 256, (50, 75, 3), dtype=np.uint8)
    pixels = predictor.spec.normalise(predictor.spec.pixels(Image.fromarray(image))[None])
    assert pixels.shape == (1, 3, 182, 266), "13 × 19 patches, of 16 × 16 = 256"
    with torch.inference_mode():
        expected = theirs(torch.from_numpy(pixels)).last_hidden_state.numpy()
    np.testing.assert_allclose(predictor.embed(image, "tokens"), expected, atol=1e-4)


def test_another_size_without_another_aspect(timms):
    theirs, path = timms
    predictor = vitrail.load(path, image_size=96)
    assert predictor.grid == (6, 6) and predictor.spec.mode == "crop"
    image = np.random.default_rng(0).integers(0, 256, (50, 75, 3), dtype=np.uint8)
    pixels = predictor.spec.pixels(Image.fromarray(image))
    normalised = torch.tensor(pixels).permute(2, 0, 1)[None] / 255 * 2 - 1
    with torch.inference_mode():
        np.testing.assert_allclose(predictor.logits(image), theirs(normalised).numpy(), atol=1e-4)
    assert predictor.embed(image, "tokens").shape == (1, 37, 128)
    assert predictor.embed([], "tokens").shape == (0, 37, 128)


def test_a_predictor_and_its_dynamic_twin_share_weights_and_nothing_else(timms):
    plain = vitrail.load(timms[1])
    assert vitrail.load(plain) is plain
    twin = vitrail.load(plain, dynamic=True)
    assert twin.model.cls_token is plain.model.cls_token
    image = np.random.default_rng(0).integers(0, 256, (50, 75, 3), dtype=np.uint8)
    before = plain.logits(image)
    assert np.abs(twin.logits(image) - before).max() > 1e-3
    assert not plain.model.config.tokens.dynamic and plain.spec.mode == "crop" and plain.grid == (4, 4)
    np.testing.assert_array_equal(plain.logits(image), before)


@pytest.mark.parametrize(("size", "dynamic"), [(8, True), (0, True), (72, False), (0, False), (-16, False)])
def test_sizes_that_do_not_suit_the_patches(timms, size, dynamic):
    with pytest.raises(ConfigError, match=f"image_size = {size}"):
        vitrail.load(timms[1], image_size=size, dynamic=dynamic)


def test_the_command_line_takes_whole_images(timms, files, tmp_path, capsys):
    expected = vitrail.load(timms[1], dynamic=True, image_size=96)
    flags = ["--dynamic", "--image-size", "96"]
    assert main(["predict", str(timms[1]), *files, *flags, "--json"]) == 0
    answers = json.loads(capsys.readouterr().out)["predictions"]
    assert answers == [json.loads(json.dumps(answer.to_json())) for answer in expected.predict(files)]
    out = ["--out", str(tmp_path / "looks")]
    assert main(["explain", str(timms[1]), files[0], *flags, *out, "--json"]) == 0
    index = json.loads((tmp_path / "looks" / "explanations.json").read_text())["explanations"]
    assert index[0]["grid"] == list(expected.explain(files[0]).last.shape)
    capsys.readouterr()
    out = ["--out", str(tmp_path / "features.parquet"), "--pool", "tokens"]
    assert main(["embed", str(timms[1]), *files, *flags, *out, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["shape"] == [None, 128]
    assert main(["convert", str(timms[1]), str(tmp_path / "out"), "--format", "vitrail", "--dynamic"]) == 2


def test_images_that_patches_do_not_tile_are_padded(tmp_path):
    """Tiles of one pixel keep an aspect to the pixel, and the model pads what its patches do not tile."""
    fields = {"img_size": 16, "patch_size": 4, "embed_dim": 16, "depth": 2, "num_heads": 2, "num_classes": 2}
    config = vitrail.ViTConfig.of(**fields, dynamic=True, dynamic_pad=True)
    record = ModelRecord(config, ("red", "blue"), vitrail.ImageSpec((16, 16), mode="keep"))
    save_model(tmp_path / "model.safetensors", vitrail.VisionTransformer(config), record)
    predictor = vitrail.load(tmp_path / "model.safetensors")
    images = [np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in SHAPES]
    sizes = {predictor.spec.size_for(*shape[::-1]) for shape in SHAPES}
    assert any(height % 4 or width % 4 for height, width in sizes)
    expected = [alone(predictor, image)[1] for image in images]
    np.testing.assert_allclose(predictor.logits(images), expected, atol=1e-5)
