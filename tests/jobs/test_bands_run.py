"""A folder of images with four channels, from `fit` to `predict`, on the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import vitrail
from vitrail.cli.main import main
from vitrail.core.toml import read_toml
from vitrail.jobs.plan import Plan

CHANNELS = 4


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two classes that only the fourth channel tells apart; uint8, uint16 and float32; one file has three channels."""
    root = tmp_path_factory.mktemp("bands") / "fields"
    generator = np.random.default_rng(0)
    for number in range(90):
        label = number % 2
        pixels = generator.integers(60, 190, (10, 11, CHANNELS))
        pixels[..., 3] = generator.integers(0, 40, (10, 11)) + 200 * label
        stored = [pixels.astype(np.uint8), (pixels * 257).astype(np.uint16), (pixels / 255).astype(np.float32)]
        path = root / ("wheat", "barley")[label] / f"{number:03d}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, stored[number % 3])
    np.save(root / "wheat" / "odd.npy", generator.integers(0, 256, (10, 11, 3), dtype=np.uint8))
    return root


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "fields"
    settings = [
        "--set",
        "depth=1",
        "batch_size=16",
        "rand.operations=1",
        "brightness=0.1",
        "crop_scale=[0.8,1.0]",
        "erase=0.2",
    ]
    model = ["--model", "vit_nano_conv_patch2_8", "--epochs", "40"]
    assert main(["fit", str(data), "--out", str(out), *model, *settings]) == 0
    return out


def test_the_model_takes_four_channels_and_their_measured_scale(data, run):
    plan = read_toml(run / "config.toml", Plan)
    assert plan.model.in_chans == CHANNELS and plan.spec.color == "bands" and plan.spec.channels == CHANNELS
    values = np.stack([np.load(path) / {"u1": 255, "u2": 65535, "f4": 1}[np.load(path).dtype.str[1:]]
                       for path in sorted(data.rglob("[0-9]*.npy"))])  # fmt: skip
    assert np.abs(values.mean(axis=(0, 1, 2)) - plan.spec.mean).max() < 0.03
    log = (run / "log.txt").read_text()
    assert "4 channels: mean and std of each were measured" in log
    assert "RandAugment's changes of colour are left out: images have 4 channels" in log


def test_it_learns_what_only_the_fourth_channel_tells(data, run, capsys):
    assert main(["evaluate", str(run), str(data), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["top1"] > 0.9

    assert main(["predict", str(run), str(data), "--json"]) == 0
    answers = json.loads(capsys.readouterr().out)["predictions"]
    right = [answer["label"] == answer["path"].split("/")[-2] for answer in answers if not answer["error"]]
    assert len(answers) == 91 and np.mean(right) > 0.9
    odd = [answer for answer in answers if answer["error"]]
    assert [answer["path"].split("/")[-1] for answer in odd] == ["odd.npy"]
    assert "3 channels (colour); the others, and the model, have 4" in odd[0]["error"]


def test_the_odd_one_is_named_and_the_page_is_there(run):
    assert "odd.npy: 3 channels (colour)" in (run / "bad_files.csv").read_text()
    page = (run / "report.html").read_text()
    assert "4 channels" in page and page.count("data:image") >= 1


def test_a_repeated_run_has_the_same_spec(data, run, tmp_path):
    again = vitrail.fit(config=run / "config.toml", out=tmp_path / "again")
    assert again.plan == read_toml(run / "config.toml", Plan)


def test_arrays_in_python_and_images_of_another_kind(data, run):
    predictor = vitrail.load(run)
    path = data / "barley" / "001.npy"
    stored = np.load(path)
    pixels = np.rint(stored.astype(float) * {"u1": 1, "u2": 1 / 257, "f4": 255}[stored.dtype.str[1:]]).astype(np.uint8)
    assert np.allclose(predictor.logits(pixels), predictor.logits(path), atol=0.05)
    answer = predictor.predict([Image.new("RGB", (9, 9))])[0]
    assert answer.label is None and answer.error == "3 channels (colour); the others, and the model, have 4"


def test_a_photograph_is_refused_by_name_and_bands_are_by_a_colour_model(digits_run, data, run, tmp_path):
    photo = tmp_path / "photo.png"
    Image.new("RGB", (9, 9)).save(photo)
    with pytest.raises(vitrail.DataError, match="photo.png: 3 channels"):
        vitrail.load(run).logits(photo)
    with pytest.raises(vitrail.DataError, match="001.npy: 4 channels; the others, and the model, have 1"):
        vitrail.load(digits_run).logits(data / "barley" / "001.npy")
