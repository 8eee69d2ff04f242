"""Explanations: the maps of the model at the right place, errors in their place, files that harm none."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image
from pyarrow import parquet

import vitrail
from vitrail.analysis import attention_maps, gradient_attention
from vitrail.cli.main import main
from vitrail.core.errors import ConfigError, DataError, ImageError
from vitrail.data.pixels import load_pixels
from vitrail.jobs.explain import explain_paths
from vitrail.jobs.explanation_folder import ExplanationFolder
from vitrail.weights.model_file import ModelRecord, save_model

ABOUT_ALL = {"explanations.json", "explanations.html", "explanations.parquet"}


@pytest.fixture(scope="module")
def with_class_token(tmp_path_factory):
    """Give a run on colour images of another height than width, with a class token and a crop."""
    folder = tmp_path_factory.mktemp("colours")
    for name, colour in (("red", (220, 40, 30)), ("blue", (30, 40, 220))):
        for number in range(12):
            (folder / "in" / name).mkdir(parents=True, exist_ok=True)
            noise = np.random.default_rng(number).integers(-20, 20, (20, 30, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "in" / name / f"{number}.png")
    model = vitrail.ViTConfig.of(img_size=(8, 16), patch_size=4, embed_dim=16, depth=2, num_heads=2, num_classes=2)
    settings = {"crop_fraction": 0.5, "mode": "crop", "batch_size": 8}
    return vitrail.fit(folder / "in", model, out=folder / "run", epochs=1, settings=settings)


@pytest.fixture
def images(tmp_path, write_digits):
    """Write five images in two folders, two of them of one name, one broken."""
    files = sorted(write_digits(tmp_path / "digits", 5).rglob("*.png"))
    places = [tmp_path / "in" / place for place in ("a/1.png", "a/broken.png", "b/1.png", "b/1.x.png", "c/1-2.png")]
    for file, place in zip(files, places, strict=True):
        place.parent.mkdir(parents=True, exist_ok=True)
        file.rename(place)
    places[1].write_bytes(b"no image")
    return [str(place) for place in places]


def test_maps_are_those_of_the_model_on_the_pixels_of_predict(digits_run, with_class_token, images):
    for run in (digits_run, with_class_token):
        predictor = vitrail.load(run)
        found = predictor.explain(images[2])
        pixels, _, _ = load_pixels([images[2]], predictor.spec)
        maps = attention_maps(predictor.model, torch.from_numpy(predictor.spec.normalise(np.stack(pixels))))
        np.testing.assert_array_equal(found.last, maps.last[0].numpy())
        np.testing.assert_array_equal(found.rollout, maps.rollout[0].numpy())
        assert found.last.shape == found.rollout.shape == predictor.model.config.grid
        assert found.prediction == predictor.predict(images[2], top=3)[0]
        assert found.query == ("the class token" if run is with_class_token else "all patches, on average")


def test_of_a_class_they_are_those_of_its_logit(with_class_token):
    predictor = vitrail.load(with_class_token)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 16, 3), dtype=np.uint8)
    batch = torch.from_numpy(predictor.spec.normalise(predictor.spec.pixels(Image.fromarray(pixels))[None]))
    found = {name: predictor.explain(pixels, target=name) for name in ("blue", "red")}
    for name, one in found.items():
        assert list(one.maps) == ["last", "rollout", "gradient_attention"]
        assert one.target == name
        expected = gradient_attention(predictor.model, batch, torch.tensor([predictor.classes.index(name)]))
        np.testing.assert_array_equal(one.maps["gradient_attention"].values, expected[0].numpy())
        assert one.to_json()["gradient_attention"][0][0] == pytest.approx(float(expected[0, 0, 0]), rel=1e-6)
    assert found["red"].to_json()["gradient_attention"] != found["blue"].to_json()["gradient_attention"]
    unasked = predictor.explain(pixels, method="gradient_attention")
    assert unasked.target == unasked.prediction.label
    with pytest.raises(ConfigError, match="unknown map 'last'"):
        _ = unasked.last


def test_one_head_of_one_layer(with_class_token):
    predictor = vitrail.load(with_class_token)
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    heads = predictor.explain(pixels, method=("heads", "last"), layer=1)
    assert list(heads.maps) == ["layer_1_head_0", "layer_1_head_1", "last"]
    assert list(predictor.explain(pixels, layer=1, head=1).maps) == ["layer_1_head_1"]
    mean = (heads.maps["layer_1_head_0"].values + heads.maps["layer_1_head_1"].values) / 2
    np.testing.assert_allclose(mean, heads.last, rtol=1e-12)
    np.testing.assert_allclose(predictor.explain(pixels, layer=1).maps["layer_1"].values, mean, rtol=1e-12)


def test_the_map_to_believe_is_that_of_the_probability_of_the_class(with_class_token):
    """The curves begin with the answer for the image, and end with that for an image without patches."""
    predictor = vitrail.load(with_class_token)
    predictor.record = dataclasses.replace(predictor.record, temperature=0.37)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 16, 3), dtype=np.uint8)
    found = predictor.explain(pixels, target="blue", faithfulness=True)
    probability = dict(predictor.predict(pixels, top=2)[0].top)["blue"]
    assert list(found.faithfulness.curves) == list(found.maps)
    for curves in found.faithfulness.curves.values():
        assert curves.deletion[0] == curves.insertion[-1] == pytest.approx(probability, abs=1e-6)
    assert len(found.faithfulness.chance) == 29
    said = found.to_json()["faithfulness"]
    assert said["best"] == max(said["maps"], key=lambda name: said["maps"][name]["gain"])
    assert said["believed"] == (said["best"] if said["maps"][said["best"]]["beats_chance"] else None)
    for name, row in said["maps"].items():
        assert row["gain"] == pytest.approx(row["insertion"] - row["deletion"], abs=1e-6)
        assert row["beats_chance"] == (found.faithfulness.curves[name].gain > said["chance"]["bound"])


def test_a_command_asks_for_a_class_and_what_to_believe(with_class_token, tmp_path, capsys):
    Image.new("RGB", (60, 40), (30, 40, 220)).save(tmp_path / "sky.png")
    command = ["explain", str(with_class_token.path), str(tmp_path / "sky.png"), "--out", str(tmp_path / "out")]
    assert main([*command, "--class", "red", "--faithfulness", "--method", "rollout", "gradient_attention"]) == 0
    path, answer, file, believed = capsys.readouterr().out.strip().split("\t")
    assert path == str(tmp_path / "sky.png") and "%" in answer and file == str(tmp_path / "out" / "sky.png")
    assert believed == "no map beats chance" or believed.startswith("believe ")
    (record,) = json.loads((tmp_path / "out" / "explanations.json").read_text("utf-8"))["explanations"]
    assert record["target"] == "red"
    assert {"rollout", "gradient_attention", "faithfulness"} <= record.keys() and "last" not in record
    for wrong, hint in (
        (["--class", "rod"], "did you mean red"),
        (["--layer", "2"], "layers 0 … 1"),
        (["--head", "7"], "heads 0 … 1"),
        (["--method", "rollin"], "did you mean rollout"),
    ):
        assert main([*command, "--overwrite", *wrong]) == 2
        assert hint in capsys.readouterr().err
    assert {file.name for file in (tmp_path / "out").iterdir()} == {*ABOUT_ALL, "sky.png", "faithfulness.parquet"}
    assert main([*command, "--overwrite"]) == 0
    assert {file.name for file in (tmp_path / "out").iterdir()} == {*ABOUT_ALL, "sky.png"}


def test_any_kind_of_image_gives_the_same_answer(digits_run, images, tmp_path):
    predictor = vitrail.load(digits_run)
    image = Image.open(images[0])
    expected = predictor.explain(images[0])
    for source in (image, np.asarray(image), (tmp_path / "in" / "a" / "1.png").read_bytes()):
        found = predictor.explain(source)
        np.testing.assert_array_equal(found.last, expected.last)
        assert found.prediction.label == expected.prediction.label
        assert found.prediction.path == ""


def test_the_box_is_what_the_model_saw(with_class_token, tmp_path):
    predictor = vitrail.load(with_class_token)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    found = predictor.explain(pixels)
    assert found.size == (40, 60)
    assert found.box == (15.0, 12.5, 45.0, 27.5)
    other = pixels.copy()
    other[:8], other[32:], other[:, :8], other[:, 52:] = 0, 255, 9, 77
    np.testing.assert_array_equal(predictor.explain(other).last, found.last)
    other[20, 30] ^= 255
    assert (predictor.explain(other).last != found.last).any()


def test_a_turned_photograph_is_explained_upright(with_class_token, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 30)).save(tmp_path / "turned.jpg", exif=exif)
    found = vitrail.load(with_class_token).explain(tmp_path / "turned.jpg")
    assert found.size == (60, 30)
    assert found.box == (7.5, 26.25, 22.5, 33.75)


def test_an_image_that_cannot_be_used_raises(digits_run, images):
    with pytest.raises(ImageError, match="broken"):
        vitrail.load(digits_run).explain(images[1])


def test_every_image_gets_a_picture_of_its_own_and_errors_stay_in_place(digits_run, images, tmp_path):
    out = tmp_path / "out"
    found = list(explain_paths(digits_run.path, images, out))
    assert [one.path for one in found] == images
    assert [one.error is None for one in found] == [True, False, True, True, True]
    assert "broken" in found[1].error
    names = [file.name for one in found for file in one.files]
    assert names == ["1.png", "1-2.png", "1.x.png", "1-2-2.png"]
    assert {file.name for file in out.iterdir()} == {*names, *ABOUT_ALL}
    page = (out / "explanations.html").read_text("utf-8")
    assert page.count('<section class="card">') == 4 and "a/broken.png" in page
    assert parquet.read_table(out / "explanations.parquet").num_rows == 4 * 2 * found[0].explanation.last.size
    for name in names:
        with Image.open(out / name) as picture:
            assert picture.format == "PNG"
            assert picture.width > 600


def test_the_index_holds_the_numbers(digits_run, images, tmp_path):
    found = list(explain_paths(digits_run.path, images, tmp_path / "out"))
    records = json.loads((tmp_path / "out" / "explanations.json").read_text("utf-8"))["explanations"]
    assert [record["path"] for record in records] == images
    for one, record in zip(found, records, strict=True):
        assert record["error"] == one.error
        if one.explanation is not None:
            np.testing.assert_allclose(record["last"], one.explanation.last, atol=1e-6)
            np.testing.assert_allclose(record["rollout"], one.explanation.rollout, atol=1e-6)
            assert record["grid"] == list(one.explanation.last.shape)
            assert record["box"] == list(one.explanation.box)
            assert record["label"] == one.explanation.prediction.label


def test_what_was_done_is_kept_when_the_stream_is_given_up(digits_run, images, tmp_path):
    stream = explain_paths(digits_run.path, images, tmp_path / "out")
    next(stream)
    stream.close()
    records = json.loads((tmp_path / "out" / "explanations.json").read_text("utf-8"))["explanations"]
    assert [record["path"] for record in records] == images[:1]


def test_overwriting_replaces_own_files_only(digits_run, images, tmp_path):
    out = tmp_path / "out"
    list(explain_paths(digits_run.path, images, out))
    (out / "mine.png").write_bytes(b"mine")
    Image.open(images[0]).save(out / "1.x-2.png")
    with pytest.raises(ConfigError, match="already holds"):
        explain_paths(digits_run.path, images, out)
    (found,) = explain_paths(digits_run.path, [str(out / "1.x-2.png")], out, overwrite=True)
    assert [file.name for file in found.files] == ["1.x-2-2.png"]
    assert {file.name for file in out.iterdir()} == {*ABOUT_ALL, "mine.png", "1.x-2.png", "1.x-2-2.png"}
    with pytest.raises(ConfigError, match="one of the inputs"):
        explain_paths(digits_run.path, [str(found.files[0])], out, overwrite=True)
    assert found.files[0].is_file()


def test_an_index_that_names_other_files_removes_none_of_them(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "precious.png").write_bytes(b"x")
    files = ["../precious.png", str(tmp_path / "precious.png"), "explanations.json"]
    index = tmp_path / "out" / "explanations.json"
    for text in (json.dumps({"explanations": [{"files": files}]}), "{", "[]", '{"explanations": [1]}'):
        index.write_text(text)
        assert ExplanationFolder.prepare(tmp_path / "out", overwrite=True).own_files() == []
        assert (tmp_path / "precious.png").read_bytes() == b"x"


def test_long_names_and_names_that_are_no_text(tmp_path):
    folder = ExplanationFolder.prepare(tmp_path / "out")
    names = [
        folder.write_picture(name, b"x").name for name in ("ä" * 127 + ".gif", "ä" * 127 + ".jpg", "A.png", "a.png")
    ]
    assert names == ["ä" * 100 + ".png", "ä" * 100 + "-2.png", "A.png", "a-2.png"]
    assert folder.write_picture("", b"x").name == "image.png"


def test_images_of_n_channels_are_explained_as_far_as_they_can_be_shown(tmp_path):
    torch.manual_seed(0)
    config = vitrail.ViTConfig.of(
        img_size=8, patch_size=4, in_chans=5, embed_dim=8, depth=1, num_heads=2, num_classes=2
    )
    spec = vitrail.ImageSpec(size=(8, 8), mean=(0.5,) * 5, std=(0.5,) * 5, color="bands")
    record = ModelRecord(config, ("sea", "land"), spec)
    save_model(tmp_path / "model.safetensors", vitrail.VisionTransformer(config), record)
    np.save(tmp_path / "bands.npy", np.random.default_rng(0).integers(0, 256, (9, 12, 5), dtype=np.uint8))
    (found,) = explain_paths(tmp_path / "model.safetensors", [str(tmp_path / "bands.npy")], tmp_path / "out")
    assert found.error is None
    assert found.explanation.size == (9, 12)
    assert found.explanation.prediction == vitrail.load(tmp_path / "model.safetensors").predict(found.path, top=3)[0]
    with Image.open(found.files[0]) as picture:
        assert picture.width > 600


def test_a_model_without_classes_is_explained_all_the_same(images, tmp_path, capsys):
    config = vitrail.ViTConfig.of(img_size=8, patch_size=4, embed_dim=8, depth=2, num_heads=2, num_classes=0)
    path = tmp_path / "features.safetensors"
    save_model(path, vitrail.VisionTransformer(config), ModelRecord(config, (), vitrail.ImageSpec(size=(8, 8))))
    (found,) = explain_paths(path, images[:1], tmp_path / "out")
    assert found.error is None and found.to_json()["label"] is None
    assert found.explanation.last.shape == (2, 2)
    with Image.open(found.files[0]) as picture:
        assert picture.width > 600
    assert main(["explain", str(path), images[0], "--out", str(tmp_path / "again")]) == 0
    assert capsys.readouterr().out.split("\t")[:2] == [images[0], ""]


def test_a_model_without_pooling_has_no_answer_for_an_image(digits_run, images, tmp_path):
    trained = vitrail.load(digits_run)
    config = trained.model.config.updated(pool="none", class_token=True)
    path = tmp_path / "tokens.safetensors"
    save_model(path, vitrail.VisionTransformer(config), ModelRecord(config, trained.classes, trained.spec))
    predictor = vitrail.load(path)
    for ask in (
        lambda: predictor.predict(images[0]),
        lambda: predictor.logits(images[0]),
        lambda: predictor.explain(images[0]),
        lambda: explain_paths(predictor, images, tmp_path / "out"),
        lambda: vitrail.evaluate(predictor, "digits"),
    ):
        with pytest.raises(ConfigError, match="every token has logits of its own") as caught:
            ask()
        assert "embed" in caught.value.hint
    assert not (tmp_path / "out").exists()
    assert predictor.embed(images[0]).shape == (1, config.num_tokens, config.embed_dim)
    assert predictor.embed(images[0], "mean").shape == (1, config.embed_dim)


def test_nothing_is_made_when_something_is_wrong(digits_run, images, tmp_path):
    for reference, paths in ((digits_run.path, [str(tmp_path / "gone.png")]), (tmp_path / "gone", images)):
        with pytest.raises((DataError, vitrail.WeightsError)):
            explain_paths(reference, paths, tmp_path / "out")
        assert not (tmp_path / "out").exists()
