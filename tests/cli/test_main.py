"""The command line as a contract: output, exit codes, errors that help."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import vitrail
from vitrail.cli.main import VERBS, main
from vitrail.weights.model_file import load_model, save_model


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Give the folder of a finished run."""
    out = tmp_path_factory.mktemp("cli") / "run"
    fields = {"depth": 1, "batch_size": 128}
    vitrail.fit("digits", "vit_nano_conv_patch2_8", out=out, epochs=1, settings=fields)
    return out


@pytest.fixture(scope="module")
def wrong(tmp_path_factory, run):
    """Make a folder of everything that can be wrong."""
    folder = tmp_path_factory.mktemp("wrong")
    random = np.random.default_rng(0)

    def images(*places: str, count: int = 4) -> None:
        for place in places:
            (folder / place).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                pixels = random.integers(0, 256, (12, 12), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / place / f"{number}.png")

    (folder / "empty").mkdir()
    images("one/cat")
    images("val/train/cat", "val/train/dog", "val/val/cat", "val/val/cow")
    images("bad/cat", "bad/dog", "good/cat", "good/dog")
    for image in (folder / "bad").rglob("*.png"):
        image.write_bytes(b"no image")
    Image.new("L", (12, 12)).save(folder / "image.png")
    (folder / "columns.csv").write_text("file,klass\na.png,cat\n")
    (folder / "cells.csv").write_text("path,label\na.png,cat,tabby\n")
    (folder / "blank.csv").write_text("path,label\na.png,cat\n,dog\n")
    (folder / "only-header.csv").write_text("path,label\n")
    (folder / "empty.txt").write_text("\n\n")
    (folder / "list.txt").write_text("image.png\n")
    (folder / "broken.parquet").write_text("PAR1")
    (folder / "linked").mkdir()
    (folder / "linked" / "image.png").write_bytes((folder / "image.png").read_bytes())
    (folder / "taken.csv").hardlink_to(folder / "linked" / "image.png")
    (folder / "taken.parquet").symlink_to(folder / "linked" / "image.png")
    (folder / "folder.csv").mkdir()
    (folder / "broken.png").write_bytes(b"no image")
    model = (run / "model.safetensors").read_bytes()
    (folder / "cut.safetensors").write_bytes(model[: len(model) // 2])
    (folder / "other.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0" + b"{}".ljust(16))
    (folder / "file").write_text("")
    (folder / "digits.csv").write_text(f"path,label\n{folder / 'image.png'},3\n")
    make_weights(folder)
    _, record = load_model(run / "model.safetensors")
    flat = replace(record, config=record.config.updated(depth=0))
    save_model(folder / "flat.safetensors", vitrail.VisionTransformer(flat.config), flat)
    return folder


def make_weights(folder):
    """Write weights of other libraries that are wrong in one way each."""
    fields = {"img_size": 8, "patch_size": 4, "embed_dim": 64, "depth": 1, "num_heads": 1, "num_classes": 2}
    state = vitrail.create_model("S/16", **fields).state_dict()
    kinds = {
        "timm": state,
        "relative": {**state, "blocks.0.attn.relative_position_bias_table": torch.ones(9, 1)},
        "less": {name: value for name, value in state.items() if name != "norm.bias"},
        "mixed": {**state, "head.bias": torch.ones(3)},
        "more": {**state, "odd.thing": torch.ones(3)},
    }
    for name, tensors in kinds.items():
        save_file(tensors, folder / f"{name}.safetensors")
    torch.save({"model": state, "code": print}, folder / "code.pth")
    (folder / "page.pth").write_text("<!DOCTYPE html><html>not found</html>")
    (folder / "pointer.bin").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    (folder / "beit").mkdir()
    (folder / "beit" / "config.json").write_text(json.dumps({"model_type": "beit"}))
    save_file({"embeddings.cls_token": torch.ones(1, 1, 4)}, folder / "beit" / "model.safetensors")


WRONG = {
    "missing path": (["fit", "{wrong}/nowhere"], "nowhere", "folder"),
    "empty folder": (["fit", "{wrong}/empty"], "empty", "CLASS"),
    "one class": (["fit", "{wrong}/one"], "cat", "another class"),
    "class in val but not in train": (["fit", "{wrong}/val"], "cow", "train"),
    "all files bad": (["fit", "{wrong}/bad"], "not one of", "formats"),
    "image in place of a folder": (["fit", "{wrong}/image.png"], "image", "folder"),
    "csv without its columns": (["fit", "{wrong}/columns.csv"], "label", "path,label"),
    "unknown model": (["fit", "digits", "--model", "vit_smal_patch16_224"], "vit_smal", "vit_small_patch16_224"),
    "unknown recipe": (["fit", "digits", "--recipe", "smal"], "smal", "small"),
    "unknown key": (["fit", "digits", "--set", "lrr=1"], "lrr", "lr"),
    "unknown source": (["fit", "digit"], "digit", "digits"),
    "key without value": (["fit", "digits", "--set", "lr"], "key=value", ""),
    "value of another type": (["fit", "digits", "--set", "lr=fast"], "fast", ""),
    "class count": (["fit", "digits", "--set", "num_classes=3"], "10 classes", "num_classes"),
    "image smaller than a patch": (["fit", "digits", "--model", "S/16", "--image-size", "8"], "patch", "16"),
    "out in use": (["fit", "digits", "--out", "{run}"], "already", "--overwrite"),
    "out is a file": (["fit", "digits", "--out", "{wrong}/file"], "file", "folder"),
    "out below a file": (["fit", "digits", "--out", "{wrong}/file/run"], "file", "--out"),
    "nothing to resume": (["fit", "digits", "--out", "{wrong}/new", "--resume"], "checkpoint", "--resume"),
    "no data": (["fit"], "data", "DATA"),
    "unknown tracker": (["fit", "digits", "--track", "tensorbord"], "tensorbord", "did you mean tensorboard"),
    "unknown device": (["fit", "digits", "--device", "abacus"], "abacus", "cpu"),
    "truncated model": (["predict", "{wrong}/cut.safetensors", "{wrong}/image.png"], "cut.safetensors", "truncated"),
    "other model": (["predict", "{wrong}/other.safetensors", "{wrong}/image.png"], "other.safetensors", "vitrail"),
    "image as model": (["predict", "{wrong}/image.png", "{wrong}/image.png"], "image.png", "another kind"),
    "bare variant": (["predict", "S/16", "{wrong}/image.png"], "variant", "vitrail fit"),
    "missing model": (["predict", "{wrong}/gone", "{wrong}/image.png"], "gone", ""),
    "missing image": (["predict", "{run}", "{wrong}/gone.png"], "gone.png", ""),
    "folder without image": (["predict", "{run}", "{wrong}/empty"], "empty", ".png"),
    "unknown suffix": (["predict", "{run}", "{wrong}/image.png", "--out", "{wrong}/x.doc"], ".doc", ".csv"),
    "unwritable answers": (["predict", "{run}", "{wrong}/image.png", "--out", "{wrong}/file/x.csv"], "x.csv", "--out"),
    "missing folder": (["predict", "{run}", "{wrong}/gone/"], "gone/", "folders"),
    "pattern without match": (["predict", "{run}", "{wrong}/**/*.gif"], "*.gif", "**"),
    "pattern in a missing folder": (["predict", "{run}", "{wrong}/gone/*.png"], "gone cannot be read", "path"),
    "list without its column": (["predict", "{run}", "{wrong}/columns.csv"], "'file', 'klass'", "'path'"),
    "list with a wrong row": (["predict", "{run}", "{wrong}/cells.csv"], "line 2", "quotes"),
    "list with an empty path": (["predict", "{run}", "{wrong}/blank.csv"], "line 3: path is empty", "row"),
    "list of nothing": (["predict", "{run}", "{wrong}/only-header.csv"], "only-header.csv names no path", "row"),
    "text of nothing": (["predict", "{run}", "{wrong}/empty.txt"], "empty.txt names no path", "row"),
    "list that is no Parquet": (["predict", "{run}", "{wrong}/broken.parquet"], "broken.parquet", "Parquet"),
    "stdin twice": (["predict", "{run}", "-", "-"], "twice", "once"),
    "answers into a folder": (
        ["predict", "{run}", "{wrong}/image.png", "--out", "{wrong}/folder.csv"],
        "folder",
        "file",
    ),
    "answers over the list": (["predict", "{run}", "{wrong}/blank.csv", "--out", "{wrong}/blank.csv"], "line 3", ""),
    "answers over an image": (
        ["predict", "{run}", "{wrong}/linked", "--out", "{wrong}/taken.csv"],
        "taken.csv",
        "name",
    ),
    "answers over a match": (
        ["predict", "{run}", "{wrong}/lin*/*", "--out", "{wrong}/taken.parquet"],
        "taken.parquet",
        "another name",
    ),
    "bad image with --strict": (["predict", "{run}", "{wrong}/broken.png", "--strict"], "broken.png: not", "--strict"),
    "bad image with --strict and --out": (
        ["predict", "{run}", "{wrong}/broken.png", "--strict", "--out", "{wrong}/out.csv"],
        "broken.png: not",
        "mend",
    ),
    "embed without --out": (["embed", "{run}", "{wrong}/image.png"], "--out", "--help"),
    "embed into numpy": (["embed", "{run}", "{wrong}/image.png", "--out", "{wrong}/out.npy"], ".npy", ".parquet"),
    "embed into a folder": (["embed", "{run}", "{wrong}/image.png", "--out", "{wrong}"], "", ".parquet"),
    "embed below a file": (
        ["embed", "{run}", "{wrong}/image.png", "--out", "{wrong}/file/x.parquet"],
        "x.parquet",
        "--out",
    ),
    "embed over an image": (
        ["embed", "{run}", "{wrong}/linked", "--out", "{wrong}/taken.parquet"],
        "taken.parquet",
        "another name",
    ),
    "unknown pool": (
        ["embed", "{run}", "{wrong}/image.png", "--out", "{wrong}/out.parquet", "--pool", "sum"],
        "sum",
        "",
    ),
    "no class token": (
        ["embed", "{run}", "{wrong}/image.png", "--out", "{wrong}/out.parquet", "--pool", "class_token"],
        "no class token",
        "mean",
    ),
    "embed of nothing": (["embed", "{run}", "{wrong}/gone.png", "--out", "{wrong}/out.parquet"], "gone.png", "images"),
    "embed of a variant": (
        ["embed", "S/16", "{wrong}/image.png", "--out", "{wrong}/out.parquet"],
        "variant",
        "vitrail",
    ),
    "bad image to embed with --strict": (
        ["embed", "{run}", "{wrong}/broken.png", "--strict", "--out", "{wrong}/out.parquet"],
        "broken.png",
        "mend",
    ),
    "top 0": (["predict", "{run}", "{wrong}/image.png", "--top", "0"], "--top", ""),
    "no folder for pictures": (["explain", "{run}", "{wrong}/image.png"], "--out", ""),
    "missing image to explain": (
        ["explain", "{run}", "{wrong}/gone.png", "--out", "{wrong}/new"],
        "gone.png",
        "images",
    ),
    "missing model to explain": (["explain", "{wrong}/gone", "{wrong}/image.png", "--out", "{wrong}/new"], "gone", ""),
    "bare variant to explain": (["explain", "S/16", "{wrong}/image.png", "--out", "{wrong}/new"], "variant", "fit"),
    "pictures into a file": (["explain", "{run}", "{wrong}/image.png", "--out", "{wrong}/file"], "file", "folder"),
    "pictures below a file": (["explain", "{run}", "{wrong}/image.png", "--out", "{wrong}/file/x"], "file", "--out"),
    "pictures among others": (
        ["explain", "{run}", "{wrong}/image.png", "--out", "{wrong}/good"],
        "not empty",
        "folder",
    ),
    "no attention": (["explain", "{wrong}/flat.safetensors", "{wrong}/image.png", "--out", "{wrong}/new"], "depth", ""),
    "classes unknown to the model": (["evaluate", "{run}", "{wrong}/good"], "'cat', 'dog'", ""),
    "unknown split": (["evaluate", "{run}", "digits", "--split", "exam"], "exam", "--help"),
    "unknown suffix of a table": (["evaluate", "{run}", "digits", "--out", "{wrong}/x.doc"], ".doc", ".csv, .parquet"),
    "unwritable table": (["evaluate", "{run}", "digits", "--out", "{wrong}/file/x.csv"], "x.csv", "--out"),
    "table is the data": (["evaluate", "{run}", "{wrong}/digits.csv", "--out", "{wrong}/digits.csv"], "inputs", "name"),
    "table is a folder": (["evaluate", "{run}", "digits", "--out", "{wrong}/folder.csv"], "folder", "file name"),
    "probe of one class": (["evaluate", "{run}", "{wrong}/one", "--probe", "knn"], "one class", "another class"),
    "more shots than images": (
        ["evaluate", "{run}", "digits", "--probe", "fewshot", "--shots", "999"],
        "fewer than shots = 999",
        "shots",
    ),
    "pattern that matches no layer": (
        ["fit", "digits", "--model", "{run}", "--recipe", "lora", "--set", "lora.targets=queries"],
        "lora.targets = 'queries' matches no linear layer",
        "blocks.0.attn.qkv",
    ),
    "duplicates among unreadable files": (["check", "{wrong}/bad"], "not one of the 8 images", "formats"),
    "equal files among unreadable ones": (["check", "{wrong}/bad", "--exact"], "not one of the 8 images", "formats"),
    "recipe for weights without a network": (
        ["fit", "digits", "--recipe", "lora", "--offline"],
        "made for trained weights",
        "--model",
    ),
    "published weights without a network": (
        ["fit", "digits", "--model", "deit_tiny_patch16_224.fb_in1k", "--offline"],
        "hf:timm/deit_tiny_patch16_224.fb_in1k: not whole in the cache",
        "without --offline",
    ),
    "unknown probe": (["evaluate", "{run}", "digits", "--probe", "svm"], "svm", "--help"),
    "probe of what it learned": (["evaluate", "{run}", "digits", "--probe", "knn", "--split", "train"], "learn", "val"),
    "shots without a probe": (["evaluate", "{run}", "digits", "--shots", "3"], "--shots", "leave"),
    "shots of another probe": (
        ["evaluate", "{run}", "digits", "--probe", "knn", "--shots", "3"],
        "--shots",
        "--probe fewshot",
    ),
    "answers of a probe": (
        ["evaluate", "{run}", "digits", "--probe", "knn", "--out", "{wrong}/x.csv"],
        "--out",
        "--json",
    ),
    "convert into an unknown format": (["convert", "{run}", "{wrong}/new", "--format", "tim"], "tim", "timm"),
    "convert into a format that is read only": (
        ["convert", "{run}", "{wrong}/new", "--format", "deit"],
        "read, not written",
        "google",
    ),
    "convert what a format cannot hold": (
        ["convert", "{run}", "{wrong}/new", "--format", "google"],
        "no place for",
        "--format vitrail",
    ),
    "convert over a file": (["convert", "{run}", "{wrong}/file", "--format", "vitrail"], "exists", "another name"),
    "convert without a format": (["convert", "{run}", "{wrong}/new"], "--format", ""),
    "convert as an unknown variant": (
        ["convert", "{wrong}/timm.safetensors", "{wrong}/new", "--format", "timm", "--variant", "S/1x"],
        "S/1x",
        "",
    ),
    "weights of another variant": (
        ["convert", "{wrong}/timm.safetensors", "{wrong}/new", "--format", "timm", "--variant", "S/16"],
        "not those of S/16",
        "variant",
    ),
    "weights with a part that is not there": (
        ["predict", "{wrong}/relative.safetensors", "{wrong}/image.png"],
        "table of relative positions",
        "read are",
    ),
    "weights without a tensor": (["predict", "{wrong}/less.safetensors", "{wrong}/image.png"], "norm.bias", "whole"),
    "weights of another shape": (["predict", "{wrong}/mixed.safetensors", "{wrong}/image.png"], "head.bias", "mixes"),
    "weights with something more": (["predict", "{wrong}/more.safetensors", "{wrong}/image.png"], "odd.thing", "model"),
    "pickled code": (["predict", "{wrong}/code.pth", "{wrong}/image.png"], "code.pth", "no pickled code"),
    "a page saved as weights": (["predict", "{wrong}/page.pth", "{wrong}/image.png"], "HTML page", "download"),
    "a git-lfs pointer": (
        ["predict", "{wrong}/pointer.bin", "{wrong}/image.png"],
        "git-lfs pointer",
        "git lfs pull",
    ),
    "a folder of another family": (
        ["predict", "{wrong}/beit", "{wrong}/image.png"],
        "model_type 'beit' is not read",
        "dinov2",
    ),
    "unknown verb": (["fti", "digits"], "fti", "fit"),
    "unknown flag": (["fit", "digits", "--epoch", "3"], "--epoch", "--epochs"),
    "epochs and minutes": (["fit", "digits", "--epochs", "1", "--minutes", "1"], "--minutes", ""),
    "epochs 0": (["fit", "digits", "--epochs", "0"], "--epochs", ""),
    "no model fits": (["models", "swin"], "swin", ""),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_gets_one_error_and_a_hint(case, run, wrong, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    arguments, words, hint = WRONG[case]
    arguments = [argument.format(run=run, wrong=wrong) for argument in arguments]
    before = sorted(wrong.rglob("*"))
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    complaint = [line for line in lines if line.startswith("error: ")]
    assert len(complaint) == 1
    assert words in complaint[0]
    assert "Traceback" not in err
    if hint:
        assert lines[-1].startswith("hint: ")
        assert hint in lines[-1]
    assert main([*arguments, "--json"]) == 2
    out, _ = capsys.readouterr()
    answer = json.loads(out)
    assert answer.keys() == {"error", "hint"}
    assert words in answer["error"]
    assert not (tmp_path / "runs").exists()
    assert sorted(wrong.rglob("*")) == before, "nothing is left behind"


def test_a_bug_says_so_and_exits_with_1(capsys, monkeypatch):
    def fail(*args):
        raise RuntimeError("oops")

    monkeypatch.setattr("vitrail.jobs.catalogue.list_costs", fail)
    assert main(["models"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "report" in err


def test_fit_evaluate_and_predict_speak_json(run, wrong, capsys, tmp_path):
    arguments = ["fit", "digits", "--epochs", "1", "--set", "depth=1", "--out", str(tmp_path / "run"), "--json"]
    assert main(arguments) == 0
    fitted = json.loads(capsys.readouterr().out)
    assert {"top1", "top5", "interval", "n", "out", "seconds", "model"} <= fitted.keys()
    assert fitted["out"] == str(tmp_path / "run")
    assert fitted["interval"][0] <= fitted["top1"] <= fitted["interval"][1]
    assert main(["evaluate", str(tmp_path / "run"), "digits", "--json"]) == 0
    evaluated = json.loads(capsys.readouterr().out)
    assert {"top1", "top5", "interval", "n", "out", "seconds", "model"} <= evaluated.keys()
    assert evaluated["top1"] == fitted["top1"]
    assert main(["predict", str(run), str(wrong / "image.png"), str(wrong / "file"), "--top", "2", "--json"]) == 0
    predictions = json.loads(capsys.readouterr().out)["predictions"]
    assert [prediction.keys() for prediction in predictions] == [{"path", "label", "probability", "top", "error"}] * 2
    assert [top.keys() for top in predictions[0]["top"]] == [{"label", "probability"}] * 2
    assert predictions[1]["error"] is not None


@pytest.mark.parametrize(
    "arguments", [["digits", "--set", "depth=1", "lr=0.01"], ["--set", "depth=1", "--set", "lr=0.01", "digits"]]
)
def test_settings_are_given_in_either_way(arguments, tmp_path, capsys):
    assert main(["fit", *arguments, "--epochs", "1", "--out", str(tmp_path / "run"), "--json"]) == 0
    config = (tmp_path / "run" / "config.toml").read_text()
    assert "depth = 1\n" in config
    assert "lr = 0.01\n" in config


def test_top5_is_absent_with_few_classes(wrong, tmp_path, capsys):
    model = ["--model", "vit_nano_conv_patch2_8", "--epochs", "1"]
    assert main(["fit", str(wrong / "good"), *model, "--out", str(tmp_path / "run"), "--json"]) == 0
    assert "top5" not in json.loads(capsys.readouterr().out)


def test_explain_speaks_json_and_errors_stay_in_their_place(run, wrong, capsys, tmp_path):
    images, out = [str(wrong / "image.png"), str(wrong / "file")], str(tmp_path / "out")
    assert main(["explain", str(run), *images, "--out", out, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer.keys() == {"explanations", "out"}
    assert answer["out"] == out
    good, bad = answer["explanations"]
    assert good.keys() == bad.keys() == {"path", "label", "probability", "files", "error"}
    assert [good["path"], bad["path"]] == images
    assert good["files"] == [str(tmp_path / "out" / "image.png")]
    assert bad["label"] is None
    assert bad["files"] == []
    assert "file" in bad["error"]
    assert main(["explain", str(run), *images, "--out", out]) == 2
    capsys.readouterr()
    assert main(["explain", str(run), *images, "--out", out, "--overwrite"]) == 0
    lines, warning = capsys.readouterr()
    assert "%" in lines.splitlines()[0]
    assert lines.splitlines()[0].endswith(good["files"][0])
    assert "error: " in lines.splitlines()[1]
    assert "1 of 2" in warning


def test_answers_for_a_person(run, wrong, capsys):
    assert main(["predict", str(run), str(wrong / "image.png")]) == 0
    assert "%" in capsys.readouterr().out
    assert main(["evaluate", str(run), "digits"]) == 0
    assert "95 % interval" in capsys.readouterr().out


def test_models_lists_published_weights(capsys):
    assert main(["models", "deit_tiny", "--pretrained", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["models"]
    assert {row["name"] for row in rows} >= {"deit_tiny_patch16_224.fb_in1k", "deit_tiny_distilled_patch16_224.fb_in1k"}
    row = next(row for row in rows if row["name"] == "deit_tiny_patch16_224.fb_in1k")
    assert row == {
        "name": "deit_tiny_patch16_224.fb_in1k", "repo": "timm/deit_tiny_patch16_224.fb_in1k", "parameters": 5717416,
        "image_size": [224, 224], "classes": 1000, "licence": "apache-2.0", "top1": 0.7219,
        "source": "timm, results-imagenet.csv",
    }  # fmt: skip
    assert main(["models", "--pretrained"]) == 0
    shown = capsys.readouterr().out
    assert "deit_tiny_patch16_224.fb_in1k" in shown and "72.19" in shown
    assert main(["models", "deit_tiny_patch16_224.fb_in2k", "--pretrained"]) == 2
    assert "did you mean deit_tiny_patch16_224.fb_in1k" in capsys.readouterr().err


def test_models_lists_costs(capsys):
    assert main(["models", "vit_base_patch16_224", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["models"]
    assert rows[0] == {
        "name": "vit_base_patch16_224",
        "parameters": 86_567_656,
        "macs": 17_563_828_224,
        "tokens": 197,
        "image_size": [224, 224],
    }
    assert main(["models", "B/16"]) == 0
    assert "86,567,656" in capsys.readouterr().out


def test_help_lists_only_what_is_built(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert all(verb in out for verb in VERBS)
    assert "serve" not in out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb, capsys):
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    assert "--json" in capsys.readouterr().out


def test_the_console_script_and_python_m(tmp_path):
    for command in ([sys.executable, "-m", "vitrail"], [sys.executable.rpartition("/")[0] + "/vitrail"]):
        done = subprocess.run([*command, "fit", "nowhere", "--json"], capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 2
        assert json.loads(done.stdout)["error"]
        assert "Traceback" not in done.stderr
