"""An inspection: its figures hold the numbers of the analysis, errors come before work, nothing of others is harmed."""

from __future__ import annotations

import json
import re

import numpy as np
import pyarrow.parquet
import pytest
import torch
from PIL import Image

import vitrail
from vitrail.analysis import attention_distance, attention_weights, patch_filters, token_norms
from vitrail.analysis.weights import entering_tokens, walk
from vitrail.cli.main import main
from vitrail.core.errors import ConfigError, DataError, WeightsError
from vitrail.data.pixels import load_pixels
from vitrail.jobs.attended import Choice, attended_images
from vitrail.jobs.inspect import batch_size_for, inspect
from vitrail.jobs.inspection_folder import FIGURES
from vitrail.jobs.inspection_images import choose_images
from vitrail.models.config import ViTConfig
from vitrail.weights.model_file import ModelRecord, save_model

FIELDS = {
    "img_size": (8, 12), "patch_size": 4, "embed_dim": 16, "depth": 2, "num_heads": 2, "num_classes": 2, "registers": 1,
}  # fmt: skip


def write_model(path, data=None, scale=0.4, **fields):
    model = vitrail.create_model("mu/16", **{**FIELDS, **fields})
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    spec = vitrail.ImageSpec(size=model.config.image_size)
    save_model(path, model, ModelRecord(model.config, ("a", "b"), spec, data=data or {}))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write nine images in a folder without classes, one of them broken."""
    place = tmp_path_factory.mktemp("images")
    for number in range(9):
        pixels = np.random.default_rng(number).integers(0, 256, (10, 14, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"{number}.png")
    (place / "4.png").write_bytes(b"no image")
    return place


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture(scope="module")
def done(model, folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "seen"
    said = []
    return inspect(model, folder, out=out, device="cpu", listener=said.append), out, said


def table(out, name):
    return pyarrow.parquet.read_table(out / f"{name}.parquet").to_pydict()


def test_the_folder_holds_the_page_and_every_figure_in_three_forms(done):
    inspection, out, _ = done
    drawn = [name for name in FIGURES if name != "position_bias"]
    expected = {"index.html", "inspection.json"}
    expected |= {f"{name}.{suffix}" for name in drawn for suffix in ("png", "svg", "parquet")}
    assert {file.name for file in out.iterdir()} == expected
    assert set(inspection.files) == expected - {"inspection.json"}
    summary = json.loads((out / "inspection.json").read_text(encoding="utf-8"))
    assert summary == json.loads(json.dumps(inspection.to_json()))
    assert (summary["n"], summary["data"], len(summary["distance"]["by_layer"])) == (
        8,
        str(done[0].chosen.reference),
        2,
    )


def test_numbers_are_those_of_the_analysis(done, model, folder):
    _, out, _ = done
    predictor = vitrail.load(model)
    paths = [str(folder / f"{number}.png") for number in range(9) if number != 4]
    images = torch.from_numpy(predictor.spec.normalise(np.stack(load_pixels(paths, predictor.spec)[0])))
    weights = list(attention_weights(predictor.model, images))
    distance = torch.cat([attention_distance(one, (2, 3), 4) for one in weights])
    found = table(out, "attention_distance")
    assert (found["layer"], found["head"]) == ([0, 0, 1, 1], [0, 1, 0, 1])
    assert found["distance"] == pytest.approx(distance.tolist(), abs=1e-6)
    *_, last = walk(predictor.model, entering_tokens(predictor.model, images), (2, 3))
    norms = table(out, "norms")
    assert sorted(norms["norm"]) == pytest.approx(sorted(token_norms(last.tokens, 2).flatten().tolist()), rel=1e-5)
    assert set(norms["image"]) == set(paths)
    filters = patch_filters(predictor.model).components
    assert table(out, "filters")["value"] == pytest.approx(filters.flatten().tolist(), abs=1e-9)
    assert len(table(out, "positions")["similarity"]) == 6


def test_what_could_not_be_used_is_named(done):
    inspection, out, said = done
    (bad,) = inspection.to_json()["bad_files"]
    assert bad["path"].endswith("4.png")
    assert any("4.png" in note for note in inspection.notes)
    assert any("4.png" in event.text for event in said if hasattr(event, "text") and event.warning)
    assert "4.png" in (out / "index.html").read_text(encoding="utf-8")
    steps = [event.done for event in said if getattr(event, "what", "") == "images"]
    assert steps == sorted(steps)
    assert steps[-1] == 8


def test_the_page_says_what_is_written_in_the_summary(done):
    inspection, out, _ = done
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "n = 2 layers" in inspection.sentences[0]
    maps = json.loads(re.search(r'id="maps">(.*?)</script>', page).group(1))
    assert maps["prefix"] == ["class token", "register 1"]
    assert [len(image["sheets"]) for image in maps["images"]] == [2] * 6
    assert any("6 of 8 images" in note for note in inspection.notes)


def test_a_folder_that_is_in_use_is_left_alone(done, model, folder, tmp_path):
    _, out, _ = done
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    with pytest.raises(ConfigError, match="already holds an inspection"):
        inspect(model, folder, out=out)
    (tmp_path / "own.txt").write_text("mine")
    with pytest.raises(ConfigError, match="holds no inspection"):
        inspect(model, folder, out=tmp_path, overwrite=True)
    with pytest.raises(ConfigError, match="is a file"):
        inspect(model, folder, out=tmp_path / "own.txt")

    def interrupting(event):
        if getattr(event, "done", 0):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inspect(model, folder, out=out, overwrite=True, listener=interrupting)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


def test_what_is_wrong_is_said_before_any_work(model, folder, tmp_path):
    for fault, message in (
        ({"layers": (1, 2)}, "layer 2 does not exist: this model's layers are 0 … 1"),
        ({"heads": (-1,)}, "head -1 does not exist"),
        ({"images": 0}, "images = 0"),
    ):
        with pytest.raises(ConfigError, match=message):
            inspect(model, folder, out=tmp_path / "new", **fault)
    without = write_model(tmp_path / "resnet.safetensors", depth=0)
    with pytest.raises(ConfigError, match="no attention"):
        inspect(without, folder, out=tmp_path / "new")
    with pytest.raises(DataError, match="no such file"):
        inspect(model, tmp_path / "nowhere", out=tmp_path / "new")
    assert not (tmp_path / "new" / "index.html").exists()


def test_not_one_image_that_can_be_used(model, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="not one image"):
        inspect(model, tmp_path / "in", out=tmp_path / "out")


def test_a_model_that_computes_no_numbers(folder, tmp_path):
    broken = write_model(tmp_path / "broken.safetensors", scale=1e30)
    with pytest.raises(WeightsError, match=r"broken\.safetensors computes numbers that are not finite"):
        inspect(broken, folder, out=tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_without_data_what_it_was_trained_on_or_the_weights_alone(folder, tmp_path, monkeypatch):
    gone, told = write_model(tmp_path / "gone.safetensors", {"reference": str(tmp_path / "gone")}), []
    bare = inspect(gone, out=tmp_path / "bare", device="cpu", listener=told.append)
    assert bare.looked is None
    assert [name for name in bare.files if name.endswith(".png")] == ["filters.png", "positions.png"]
    assert any("none were given" in note for note in bare.notes)
    assert any("is not there" in event.text for event in told)
    for part in ("weights", "images"):
        monkeypatch.setattr(f"vitrail.jobs.inspect.figures_of_{part}", lambda *given: ([], []))
    trained = write_model(tmp_path / "trained.safetensors", {"reference": str(folder)})
    said = inspect(trained, out=tmp_path / "trained", images=4, device="cpu").to_json()
    assert (said["data"], said["n"]) == (str(folder), 4)


def test_patches_are_joined_where_the_page_would_be_too_large(tmp_path, monkeypatch):
    predictor = vitrail.load(write_model(tmp_path / "larger.safetensors", img_size=24))
    pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    images, choice = [("one", pixels), ("two", pixels)], Choice.of(predictor.model.config, (1,))
    first, second = attended_images(predictor, images, choice)
    assert (first.step, first.grid, len(first.sheets), second.name) == (1, (6, 6), 1, "two")
    monkeypatch.setattr("vitrail.jobs.attended.ROOM", first.size - 1)
    (found,) = attended_images(predictor, images, choice)
    assert (found.step, found.grid, found.name) == (2, (3, 3), "one")
    assert found.size < first.size
    monkeypatch.setattr("vitrail.jobs.attended.CELLS", 150)
    (smaller,) = attended_images(predictor, images[:1], choice)
    assert (smaller.step, smaller.grid) == (3, (2, 2))


def test_images_of_one_size_wait_for_each_other(tmp_path):
    for number in range(10):
        side = 8 if number % 3 else 12
        Image.new("RGB", (side, 8)).save(tmp_path / f"{number}.png")
    chosen = choose_images(tmp_path, seed=0)
    spec = vitrail.ImageSpec(size=(8, 8), mode="keep", multiple=4)
    batches = [(len(one.names), one.pixels.shape[1:3]) for one in chosen.batches(spec, 9, 4)]
    assert sum(count for count, _ in batches) == 9
    assert max(count for count, _ in batches) == 4
    other = [one.names for one in choose_images(tmp_path, seed=1).batches(spec, 9, 4)]
    assert other != [one.names for one in choose_images(tmp_path, seed=0).batches(spec, 9, 4)]


def test_batches_suit_the_memory_and_cka():
    assert batch_size_for(6, 257) == 16
    assert batch_size_for(1, 5) == 32
    assert batch_size_for(24, 1370) == 4


def test_all_layers_and_heads_are_chosen_unless_said():
    config = ViTConfig.of(**FIELDS)
    assert Choice.of(config) == Choice((0, 1), (0, 1))
    assert Choice.of(config, (1, 1), (0,)) == Choice((1,), (0,))


def test_the_command(model, folder, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["inspect", str(model), str(folder), "--out", str(out)]
    flags = ["--images", "4", "--layers", "0,1", "--heads", "1", "--json", "--device", "cpu", "--renormalise"]
    assert main([*command, *flags]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["n"], answer["layers"], answer["heads"], answer["renormalise"]) == (4, [0, 1], [1], True)
    assert (out / "index.html").is_file()
    assert main([*command, "--layers", "9", "--overwrite"]) == 2
    assert "--layers from 0 to 1" in capsys.readouterr().err
    assert main([*command, "--heads", "one"]) == 2
