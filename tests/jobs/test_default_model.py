"""What `fit` starts from where no model is named: the cache, the Hub on this machine, or nothing, and what it says."""

from __future__ import annotations

import json
import socket
import time

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from PIL import Image

from vitrail.cli.main import main
from vitrail.core.errors import WeightsError
from vitrail.core.toml import read_toml
from vitrail.data.dataset import Dataset, Samples
from vitrail.data.spec import ImageSpec
from vitrail.jobs import default_model
from vitrail.jobs.choices import SAME_NETWORK, START_CHOICES
from vitrail.jobs.plan import Plan, Request, make_plan
from vitrail.models import VisionTransformer, ViTConfig
from vitrail.models.variants import VARIANTS
from vitrail.train.recipes import RECIPES
from vitrail.weights.catalogue import PRETRAINED
from vitrail.weights.formats import FORMATS
from vitrail.weights.hub import HubReference, fetch
from vitrail.weights.model_file import ModelRecord, load_model

NAME = "vit_tiny_patch16_224.augreg_in21k_ft_in1k"
REPO = f"timm/{NAME}"
SCRATCH = "vit_pico_conv_patch16_96"


def photographs(side=96, channels=3):
    """Make random images in memory."""
    pixels = np.random.default_rng(0).integers(0, 256, (8, side, side, channels), dtype=np.uint8)
    samples = Samples(pixels, np.arange(8) % 2, [str(number) for number in range(8)])
    return Dataset("random", ("a", "b"), {"train": samples, "val": samples})


@torch.no_grad()
def files(folder, seed=0):
    """Write a small model with every parameter drawn at random as Hugging Face has it."""
    config = ViTConfig.of(
        img_size=32, patch_size=16, embed_dim=64, depth=1, num_heads=1, mlp_ratio=1.0, num_classes=3, in_chans=3
    )
    model, generator = VisionTransformer(config).eval(), torch.Generator().manual_seed(seed)
    for value in model.parameters():
        value.normal_(0, 0.3, generator=generator)
    FORMATS["hugging-face"].write(folder, model, ModelRecord(config, ("x", "y", "z"), ImageSpec((32, 32))))
    return {path.name: path.read_bytes() for path in folder.iterdir()} | {"README.md": b"---\nlicense: mit\n---\n"}


@pytest.fixture
def published(hub, tmp_path):
    """Let the Hub have the weights that are the default on a CPU."""
    return hub.add(REPO, files(tmp_path / "published"))


def choose(data=None, **asked):
    """Plan a run, and give the plan and all that was said."""
    told = []
    earlier = asked.pop("earlier", None)
    request = Request("random", **asked)
    plan, notes = make_plan(request, data or photographs(), "cpu", earlier, lambda event: told.append(event.text))
    return plan, [*told, *notes]


def of_scratch():
    return choose(offline=True)[0]


@pytest.mark.parametrize("name", [name for row in START_CHOICES for name in (row.name, row.gpu_name) if name])
def test_every_default_is_published_free_to_use_and_a_model_that_vitrail_has(name):
    assert PRETRAINED[name].licence == "apache-2.0"
    assert PRETRAINED[name].architecture in VARIANTS
    assert PRETRAINED[name].parameters < 25e6


def test_settings_that_leave_the_network_as_it_is_have_the_names_of_fields():
    from vitrail.core.override import leaves

    assert all(any(name.startswith(kept) for name in [*leaves(ViTConfig), "position.resize"]) for kept in SAME_NETWORK)


def test_size_and_licence_are_said_before_the_download(hub, published):
    def listen(event):
        told.append(event.text)
        assert hub.bodies == [], "nothing was fetched yet"

    told: list[str] = []
    plan, notes = make_plan(Request("random"), photographs(), "cpu", listener=listen)
    size = "5.7 million parameters, about 23 MB"
    assert told == [f"downloading {NAME}: {size}, licence apache-2.0, into the cache of huggingface_hub"]
    assert any(path.startswith("/large/") for _, path in hub.asked), "then they were"
    assert plan.start == f"hf:{REPO}@{published.refs['main']}"
    assert plan.recipe == RECIPES["finetune"]
    assert notes[0].startswith(f"model {NAME}: 5.7 million parameters") and "licence apache-2.0" in notes[0]


def test_what_is_in_the_cache_is_taken_and_nobody_asked(hub, published, tmp_path):
    first, _ = choose()
    hub.asked.clear()
    published.commit(files(tmp_path / "moved", seed=1))
    again, said = choose()
    assert again == first and hub.asked == []
    assert not any("downloading" in text for text in said)
    hub.close()
    assert choose()[0] == first


@pytest.fixture
def silent(monkeypatch):
    """Give the address of a machine that takes connections and says nothing."""
    monkeypatch.setattr(default_model, "PATIENCE_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (lambda hub, patch, _: hub.close(), "the Hub is out of reach"),
        (lambda hub, patch, _: patch.setattr(constants, "HF_HUB_OFFLINE", True), "HF_HUB_OFFLINE"),
        (lambda hub, patch, _: setattr(hub, "status", 503), "503"),
        (lambda hub, patch, _: setattr(hub, "status", 403), "403"),
        (lambda hub, patch, _: hub.repositories.clear(), "no such repository"),
        (lambda hub, patch, silent: patch.setattr(constants, "ENDPOINT", silent), "out of reach"),
    ],
    ids=["refused", "HF_HUB_OFFLINE", "broken", "forbidden", "absent", "silent"],
)
def test_without_the_hub_training_starts_from_scratch_and_says_why(hub, published, monkeypatch, silent, trouble, words):
    trouble(hub, monkeypatch, silent)
    begun = time.perf_counter()
    plan, said = choose()
    assert time.perf_counter() - begun < 10, "huggingface_hub itself would wait for ever"
    assert plan == of_scratch() and plan.start == ""
    (why,) = [text for text in said if text.startswith("from scratch: ")]
    assert words in why and f"--model {NAME}" in why
    with pytest.raises(WeightsError, match="the recipe is made for trained weights") as caught:
        choose(recipe="lora")
    assert words in caught.value.message and "--model" in caught.value.hint


def test_offline_asks_for_nothing_and_starts_from_scratch(hub, published):
    fetch(HubReference(REPO))
    hub.asked.clear()
    plan, said = choose(offline=True)
    assert plan.start == "" and hub.asked == []
    assert [text for text in said if text.startswith("from scratch: --offline")]
    assert choose(offline=True, recipe="lora")[0].start, "a recipe for trained weights takes those in the cache"
    assert hub.asked == []


def test_offline_without_cache_cannot_serve_a_recipe_for_trained_weights(hub, published):
    with pytest.raises(WeightsError, match="--offline was given"):
        choose(offline=True, recipe="linear")
    assert hub.asked == []


@pytest.mark.parametrize("recipe", [name for name, row in RECIPES.items() if row.tunes])
def test_recipes_for_trained_weights_have_them_even_for_small_images(hub, published, recipe):
    settings = {"last_blocks": 1} if recipe == "last_k_blocks" else {}
    size = 32 if recipe == "paper_finetune" else None
    plan, _ = choose(photographs(8, 1), recipe=recipe, settings=settings, image_size=size)
    assert plan.start.startswith(f"hf:{REPO}@")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"recipe": "photos"}, "the recipe is made for it"),
        ({"settings": {"depth": 2}}, "depth would make another network"),
        ({"settings": {"position": "sincos_2d"}}, "position would make another network"),
        ({"data": photographs(channels=5)}, "these have 5 channels"),
        ({"data": photographs(80)}, ""),
        ({"image_size": 64}, ""),
        ({"data": photographs(8, 1)}, ""),
    ],
)
def test_fresh_networks_where_published_weights_do_not_serve(hub, published, asked, words):
    plan, said = choose(**asked)
    assert plan.start == "" and hub.asked == []
    assert any(text.startswith(f"from scratch: {words}") or words in text for text in said)
    assert any(text.startswith("from scratch") for text in said) is bool(words)


@pytest.mark.parametrize(
    "settings", [{"drop_path_rate": 0.2}, {"dynamic": True, "mode": "keep"}, {"lr": 1e-3}, {"in_chans": 1}]
)
def test_settings_that_weights_can_follow_keep_them(hub, published, settings):
    assert choose(photographs(channels=1), settings=settings)[0].start


@pytest.mark.parametrize("begun", [True, False], ids=["trained", "fresh"])
def test_a_run_that_goes_on_starts_as_it_began_whatever_the_cache_has_by_now(hub, published, tmp_path, begun):
    first = choose()[0] if begun else of_scratch()
    published.commit(files(tmp_path / "moved", seed=1))
    fetch(HubReference(REPO))
    assert choose()[0].start not in (first.start, "")
    again, said = choose(earlier=first.start)
    assert again == first
    assert not any("downloading" in text or "from scratch:" in text for text in said)


def test_what_another_run_started_from_is_not_taken_up(hub, published):
    assert choose(earlier="other-run")[0].start == ""


@pytest.fixture
def folder(tmp_path):
    """Write photographs of two classes."""
    random = np.random.default_rng(0)
    for number in range(20):
        place = tmp_path / "data" / "ab"[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (90, 100, 3), np.uint8)).save(place / f"{number}.png")
    return tmp_path / "data"


def test_a_run_from_the_default_goes_on_without_a_network(hub, published, folder, tmp_path, capsys):
    out = tmp_path / "run"
    command = ["fit", str(folder), "--epochs", "1", "--out", str(out), "--json"]
    assert main(command) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["baseline"]["accuracies"]
    assert f"downloading {NAME}: " in said.err
    assert f"model {NAME}: " in (out / "log.txt").read_text(encoding="utf-8")
    start, first = read_toml(out / "config.toml", Plan).start, published.refs["main"]
    published.commit(files(tmp_path / "moved", seed=1))
    fetch(HubReference(REPO))
    hub.close()
    assert main([*command, "--resume"]) == 0, "though the branch has moved"
    assert load_model(out / "model.safetensors")[1].training["start"] == start == f"hf:{REPO}@{first}"


def test_a_model_that_is_named_is_taken_from_the_cache_or_refused(hub, published, folder, tmp_path, capsys):
    command = ["fit", str(folder), "--model", NAME, "--offline", "--json", "--epochs", "1", "--out"]
    assert main([*command, str(tmp_path / "run")]) == 2
    said = json.loads(capsys.readouterr().out)
    assert f"hf:{REPO}" in said["error"] and "without --offline" in said["hint"]
    assert hub.asked == []
    fetch(HubReference(REPO))
    hub.asked.clear()
    plan, _ = choose(model=NAME, offline=True)
    assert plan.start.startswith(f"hf:{REPO}@")
