"""Weights of the Hub: huggingface_hub fills its own cache from a Hub on this machine, and vitrail reads from it."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from vitrail.core.errors import StorageError, WeightsError
from vitrail.core.network import network
from vitrail.weights.hub import HubReference, cached, choose_weights, fetch, provenance, reach

LARGE = bytes(range(256)) * 400
FILES = {
    ".gitattributes": b"*.bin filter=lfs\n",
    "README.md": b"---\nlicense: apache-2.0\ntags:\n- vision\n---\n# A model\n",
    "config.json": b'{"model_type": "vit"}',
    "preprocessor_config.json": b"{}",
    "model.safetensors": LARGE,
    "pytorch_model.bin": b"a" * 300,
    "tf_model.h5": b"b" * 300,
    "onnx/model.onnx": b"c" * 300,
}
WANTED = {"config.json", "preprocessor_config.json", "README.md", "model.safetensors"}
REFERENCE = HubReference("some/model")


def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let huggingface_hub wait no second between its attempts."""
    import huggingface_hub.utils._http as http

    waiting = types.SimpleNamespace(sleep=lambda seconds: None, time=lambda: 0.0)
    monkeypatch.setattr("huggingface_hub.file_download.time", waiting)
    monkeypatch.setattr(http, "time", waiting)


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("text", "repo", "revision"),
    [
        ("hf:facebook/dinov2-small", "facebook/dinov2-small", None),
        ("hf:timm/vit_tiny_patch16_224.augreg_in21k", "timm/vit_tiny_patch16_224.augreg_in21k", None),
        ("hf:a/b@v1.0", "a/b", "v1.0"),
        ("hf:a/b@refs/pr/1", "a/b", "refs/pr/1"),
    ],
)
def test_references_are_read_and_written(text: str, repo: str, revision: str | None) -> None:
    assert HubReference.parse(text) == HubReference(repo, revision)
    assert str(HubReference(repo, revision)) == text


@pytest.mark.parametrize(
    "text", ["hf:", "hf:gpt2", "hf:a/b/c", "hf:a/b@", "hf:/b", "hf:a/", "hf://a/b", "hf:a/b c", "a/b", "hf:a/ü", ""]
)
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(WeightsError, match="names no repository of the Hub") as caught:
        HubReference.parse(text)
    assert "hf:owner/name" in caught.value.hint


@pytest.mark.parametrize("repo", ["a--b/c", "a/b..c", "-a/b", "a/b.git", "a/" + "b" * 200])
def test_names_that_the_hub_does_not_allow(hub: Any, repo: str) -> None:
    with pytest.raises(WeightsError, match="no name of a repository"):
        fetch(HubReference(repo))
    assert hub.asked == []


def test_only_what_is_needed_is_fetched(hub: Any) -> None:
    hub.add("some/model", FILES)
    folder = fetch(REFERENCE)
    assert files_in(folder) == WANTED
    assert all((folder / name).read_bytes() == FILES[name] for name in WANTED)
    assert set(hub.bodies) <= WANTED


def test_the_commit_is_named(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = hub.add("some/model", FILES).refs["main"]
    folder = fetch(REFERENCE)
    assert folder.name == commit
    for path in (folder, folder / "model.safetensors"):
        assert HubReference.of(path) == HubReference("some/model", commit)
    assert str(HubReference.of(folder)) == f"hf:some/model@{commit}"
    monkeypatch.chdir(folder)
    assert HubReference.of(Path("model.safetensors")) == HubReference("some/model", commit)


def test_other_paths_come_from_nowhere(tmp_path: Path) -> None:
    digits = "0" * 40
    for path in ("model.safetensors", f"datasets--a--b/snapshots/{digits}/x", "models--a--b/snapshots/main"):
        assert HubReference.of(tmp_path / path) is None


def test_where_weights_came_from(hub: Any, tmp_path: Path) -> None:
    commit = hub.add("some/model", FILES).refs["main"]
    said = {"source": f"hf:some/model@{commit}", "licence": "apache-2.0"}
    folder = fetch(REFERENCE)
    assert provenance(folder) == provenance(folder / "model.safetensors") == said
    (tmp_path / "README.md").write_bytes(FILES["README.md"])
    assert provenance(tmp_path / "model.safetensors") == {"source": "model.safetensors"}


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        (b"---\nlicense: other\nlicense_name: dinov3-license\n---\n", "dinov3-license"),
        (b"---\nlicense:\n- mit\n---\n", None),
        (b"---\n- mit\n---\n", None),
        (b"---\n{[not yaml\n---\n", None),
        (b"no front matter", None),
        (None, None),
    ],
)
def test_the_licence_on_the_card(hub: Any, card: bytes | None, licence: str | None) -> None:
    hub.add("some/model", {"weights.npz": LARGE, **({} if card is None else {"README.md": card})})
    assert provenance(fetch(REFERENCE)).get("licence") == licence


def test_the_cache_serves_when_the_hub_is_gone(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("some/model", FILES)
    folder = fetch(REFERENCE)
    hub.close()
    asked = len(hub.asked)
    assert fetch(REFERENCE) == folder
    offline(monkeypatch)
    assert fetch(REFERENCE) == fetch(HubReference("some/model", folder.name)) == folder
    assert len(hub.asked) == asked


def test_a_hub_that_fails_is_as_good_as_none(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch)
    hub.add("some/model", FILES)
    folder = fetch(REFERENCE)
    hub.status = 503
    assert fetch(REFERENCE) == folder
    with pytest.raises(WeightsError, match="hf:some/other: not whole in the cache, and the Hub is out of reach"):
        fetch(HubReference("some/other"))


def test_a_cache_without_a_list_of_files_serves_too(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("some/model", FILES)
    folder = fetch(REFERENCE)
    shutil.rmtree(folder.parent.parent / "trees")
    monkeypatch.setattr("huggingface_hub._tree_cache._IN_MEMORY_TREE_CACHE", {})
    offline(monkeypatch)
    assert fetch(REFERENCE) == folder


def test_what_is_not_in_the_cache_is_missed_offline(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("some/model", FILES)
    offline(monkeypatch)
    with pytest.raises(WeightsError, match="hf:some/model: not whole in the cache") as caught:
        fetch(REFERENCE)
    assert "HF_HUB_OFFLINE" in str(caught.value)
    assert hub.asked == []


def test_half_a_snapshot_is_not_taken_for_a_whole_one(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("some/model", FILES)
    folder = fetch(REFERENCE)
    (folder / "model.safetensors").unlink()
    offline(monkeypatch)
    with pytest.raises(WeightsError, match=r"not whole in the cache.*model\.safetensors"):
        fetch(REFERENCE)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert files_in(fetch(REFERENCE)) == WANTED


def test_a_commit_in_the_cache_asks_for_nothing(hub: Any) -> None:
    hub.add("some/model", FILES)
    folder = fetch(REFERENCE)
    hub.asked.clear()
    assert fetch(HubReference("some/model", folder.name)) == folder
    assert hub.asked == []
    assert fetch(REFERENCE) == folder
    assert [path for _, path in hub.asked] == ["/api/models/some/model/revision/main"]


def test_a_commit_is_found_without_asking_even_if_the_cache_has_no_list_of_files(
    hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = hub.add("some/model", FILES).refs["main"]
    folder = fetch(REFERENCE)
    shutil.rmtree(folder.parent.parent / "trees")
    monkeypatch.setattr("huggingface_hub._tree_cache._IN_MEMORY_TREE_CACHE", {})
    asked = len(hub.asked)
    assert fetch(HubReference("some/model", commit)) == cached(REFERENCE) == folder
    assert len(hub.asked) == asked


def test_what_the_cache_lacks_is_not_found_in_it(hub: Any) -> None:
    hub.add("some/model", FILES)
    assert cached(REFERENCE) is None
    hub.add("in/parts", {"config.json": b"{}", "model.safetensors.index.json": b'{"weight_map": {}}'})
    assert fetch(HubReference("in/parts"))
    assert cached(HubReference("in/parts")) is None, "only the Hub knows how many parts there are"
    assert not any("some/model" in path for _, path in hub.asked)


def test_a_network_that_is_not_allowed_is_not_used(hub: Any) -> None:
    hub.add("some/model", FILES)
    with network(False), pytest.raises(WeightsError, match="not whole in the cache") as caught:
        fetch(REFERENCE)
    assert "without --offline" in caught.value.hint
    assert hub.asked == []
    folder = fetch(REFERENCE)
    asked = len(hub.asked)
    with network(False):
        assert fetch(REFERENCE) == folder
    assert len(hub.asked) == asked


def test_a_hub_is_reached_or_not_and_soon(hub: Any) -> None:
    hub.add("some/model", FILES)
    reach(REFERENCE, 5)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        begun = time.perf_counter()
        with pytest.raises(WeightsError, match=r"no answer within 0\.2 seconds|timed out"):
            reach(REFERENCE, 0.2)
        assert time.perf_counter() - begun < 10


def test_a_test_that_leaves_this_machine_is_not_forgiven(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://192.0.2.1")
    with pytest.raises(BaseException, match="tests are offline"):
        reach(REFERENCE, 5)


def test_a_branch_that_moved_is_followed_and_a_commit_is_not(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = hub.add("some/model", FILES)
    old = fetch(REFERENCE)
    hub.bodies.clear()
    asked = len(hub.bodies)
    commit = repository.commit({**FILES, "config.json": b'{"model_type": "deit"}'})
    new = fetch(REFERENCE)
    assert new.name == commit != old.name
    assert hub.bodies[asked:] == ["config.json"]
    pinned = fetch(HubReference("some/model", old.name))
    assert (pinned / "config.json").read_bytes() == FILES["config.json"]
    offline(monkeypatch)
    assert fetch(REFERENCE) == new
    assert fetch(HubReference("some/model", old.name)) == old


def test_a_branch_and_a_tag(hub: Any) -> None:
    repository = hub.add("some/model", FILES)
    commit = repository.commit({**FILES, "config.json": b"{}"}, ref="v2")
    assert fetch(HubReference("some/model", "v2")).name == commit
    assert fetch(REFERENCE).name == repository.refs["main"] != commit


def test_parts_of_a_model(hub: Any) -> None:
    parts = {f"model-{index:05}-of-00002.safetensors": bytes([index]) * 99 for index in (1, 2)}
    index = json.dumps({"weight_map": dict(zip("ab", parts, strict=True))}).encode()
    hub.add("some/model", {"config.json": b"{}", "model.safetensors.index.json": index, **parts, "other-1.bin": b"x"})
    assert files_in(fetch(REFERENCE)) == {"config.json", "model.safetensors.index.json", *parts}


@pytest.mark.parametrize("name", ["weights.npz", "flowers.safetensors", "model.safetensors"])
def test_a_file_without_a_config(hub: Any, name: str) -> None:
    hub.add("some/model", {"README.md": b"", name: LARGE})
    path = fetch(REFERENCE)
    assert path.name == name
    assert path.read_bytes() == LARGE


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["model.safetensors", "pytorch_model.bin"], ["model.safetensors"]),
        (["pytorch_model.bin", "a.safetensors", "x.npz"], ["pytorch_model.bin"]),
        (["pytorch_model.bin.index.json", "pytorch_model-1-of-1.bin"],) * 2,
        (["a.npz", "b.pth"], ["a.npz"]),
        (["a.npz", "b.npz"], []),
        (["sub/model.safetensors"], ["sub/model.safetensors"]),
        (["tf_model.h5", "README.md"], []),
        ([], []),
    ],
)
def test_weights_are_chosen(names: list[str], chosen: list[str]) -> None:
    assert choose_weights(names) == chosen


def test_no_weights_and_too_many(hub: Any) -> None:
    hub.add("some/model", {"config.json": b"{}", "tf_model.h5": b"x"})
    with pytest.raises(WeightsError, match=r"holds no weights that vitrail reads, but config\.json, tf_model\.h5"):
        fetch(REFERENCE)
    hub.add("some/more", {"config.json": b"{}", "a.npz": b"x", "b.npz": b"y"})
    with pytest.raises(WeightsError, match=r"several weight files.*: a\.npz, b\.npz") as caught:
        fetch(HubReference("some/more"))
    assert "give its path" in caught.value.hint


def test_no_such_repository_or_revision(hub: Any) -> None:
    hub.add("some/model", FILES)
    with pytest.raises(WeightsError, match="hf:some/modell: no such repository on the Hub, or not for you") as caught:
        fetch(HubReference("some/modell"))
    assert "HF_TOKEN" in caught.value.hint
    for revision in ("v9", "0" * 40, "abc1234"):
        with pytest.raises(WeightsError, match=f"hf:some/model@{revision}: no such revision of some/model"):
            fetch(HubReference("some/model", revision))


def test_a_private_repository_and_its_token(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("some/model", FILES).token = "hf_right"
    with pytest.raises(WeightsError, match="no such repository on the Hub, or not for you"):
        fetch(REFERENCE)
    assert {token for _, token in hub.tokens} == {None}
    hub.tokens.clear()
    monkeypatch.setenv("HF_TOKEN", "hf_right")
    assert files_in(fetch(REFERENCE)) == WANTED
    for path, token in hub.tokens:
        assert token == (None if path.startswith("/large/") else "Bearer hf_right"), path


def test_a_gated_repository(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = hub.add("some/model", FILES)
    repository.token, repository.gated = "hf_right", True
    for token in (None, "hf_wrong"):
        if token:
            monkeypatch.setenv("HF_TOKEN", token)
        with pytest.raises(WeightsError, match="only to those who accepted its terms") as caught:
            fetch(REFERENCE)
        assert "HF_TOKEN" in caught.value.hint
    monkeypatch.setenv("HF_TOKEN", "hf_right")
    assert files_in(fetch(REFERENCE)) == WANTED


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "the Hub refuses: Bad"),
        (401, "the Hub refuses: .*401"),
        (403, "the Hub refuses: 403"),
        (429, "the Hub ref"),
    ],
)
def test_a_hub_that_refuses(hub: Any, status: int, words: str) -> None:
    hub.status = status
    with pytest.raises(WeightsError, match=f"hf:some/model: {words}") as caught:
        fetch(REFERENCE)
    assert "HF_TOKEN" in caught.value.hint


def test_what_was_fetched_is_shown_on_a_terminal_once(hub: Any, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    hub.add("some/model", FILES)
    fetch(REFERENCE)
    assert capfd.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fetch(REFERENCE)
    assert capfd.readouterr().err == ""
    hub.add("some/other", FILES)
    fetch(HubReference("some/other"))
    shown = capfd.readouterr()
    assert "100%" in shown.err and shown.out == ""


def test_a_download_that_breaks_off_goes_on_where_it_was(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch)
    hub.add("some/model", FILES)
    hub.broken, hub.times = {"model.safetensors": 1000}, 1
    assert (fetch(REFERENCE) / "model.safetensors").read_bytes() == LARGE


def test_a_download_that_never_ends_leaves_a_sound_cache(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch)
    hub.add("some/model", FILES)
    hub.broken, hub.times = {"model.safetensors": 1000}, 99
    with pytest.raises(WeightsError, match="hf:some/model: the download broke off") as caught:
        fetch(REFERENCE)
    assert "run it again" in caught.value.hint
    cache = Path(constants.HF_HUB_CACHE)
    assert not list(cache.rglob("*.incomplete")) and not list(cache.rglob("model.safetensors"))
    offline(monkeypatch)
    with pytest.raises(WeightsError, match="not whole in the cache"):
        fetch(REFERENCE)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    hub.times = 0
    assert files_in(fetch(REFERENCE)) == WANTED


def test_a_disk_that_is_full(hub: Any) -> None:
    hub.add("some/model", FILES)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(LARGE) // 2, before[1]))
    try:
        with pytest.raises(StorageError, match="hf:some/model: cannot write") as caught:
            fetch(REFERENCE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "HF_HOME" in caught.value.hint
    assert caught.value.exit_code == 74
    assert files_in(fetch(REFERENCE)) == WANTED


def test_a_cache_that_cannot_be_made(hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("some/model", FILES)
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(StorageError, match="hf:some/model: cannot write .*file"):
        fetch(REFERENCE)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (ConnectionResetError(errno.ECONNRESET, "reset by peer"), WeightsError, "the download broke off: .*reset"),
        (TimeoutError(errno.ETIMEDOUT, "timed out"), WeightsError, "the download broke off: .*timed out"),
        (socket.gaierror(-2, "name not known"), WeightsError, "the download broke off: .*not known"),
        (RuntimeError("of the store"), WeightsError, "the download broke off: of the store"),
        (RuntimeError(), WeightsError, "the download broke off: RuntimeError"),
        (OSError(errno.ENOSPC, "no space"), StorageError, "cannot write .*hub-cache: no space"),
        (PermissionError(errno.EACCES, "denied", "/x"), StorageError, "cannot write /x: denied"),
    ],
)
def test_other_failures(
    hub: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type[Exception], words: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(kind, match=f"hf:some/model: {words}"):
        fetch(REFERENCE)


PROGRAM = """
import sys
from vitrail.weights.hub import HubReference, fetch
assert "torch" not in sys.modules and "huggingface_hub" not in sys.modules
print(fetch(HubReference.parse(sys.argv[1])))
"""


def run(hub: Any, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    given |= {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(home), **environment}
    command = [sys.executable, "-c", PROGRAM, "hf:some/model"]
    return subprocess.run(command, env=given, capture_output=True, text=True, timeout=60)


def test_another_process_has_its_settings_from_the_environment(hub: Any, tmp_path: Path) -> None:
    hub.add("some/model", FILES).token = "hf_right"
    home = tmp_path / "home"
    done = run(hub, home, HF_TOKEN="hf_right")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    folder = Path(done.stdout.strip())
    assert home in folder.parents and files_in(folder) == WANTED
    assert not any("agent" in path for _, path in hub.asked)
    assert all("vitrail/" in agent and "torch/" not in agent for agent in hub.agents if "hf_hub" in agent)
    hub.close()
    gone = run(hub, home, HF_HUB_OFFLINE="1")
    assert gone.stdout == done.stdout, gone.stderr


def test_two_processes_fill_one_cache(hub: Any, tmp_path: Path) -> None:
    hub.add("some/model", FILES)
    with ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda _: run(hub, tmp_path / "home"), range(2)))
    assert [done.returncode for done in both] == [0, 0], both[0].stderr + both[1].stderr
    assert both[0].stdout == both[1].stdout
    assert files_in(Path(both[0].stdout.strip())) == WANTED
