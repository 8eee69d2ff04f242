"""What holds for every test: no network, no display, the same random numbers, no pretrained weights but local ones."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import random
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import settings

os.environ["MPLBACKEND"] = "Agg"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # two threads on busy cores wait for each other: ten times slower
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_CACHE"] = str(Path(__file__).with_name("no-cache"))  # what the user has there must decide nothing

settings.register_profile("vitrail", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("vitrail")

ROOT = Path(__file__).resolve().parent.parent


def pytest_xdist_auto_num_workers() -> int:
    """Run a process for each core that this one may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class NetworkUsed(BaseException):
    """Say that a test reached for the network; no `except Exception` hides it."""


def is_local(host: object) -> bool:
    """Say whether a host is this machine: no name at all, localhost, or a loopback address."""
    if host in (None, "", b"", "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host)).is_loopback
    except ValueError:
        return False


def guarded(original: Callable[..., Any], host_of: Callable[..., object]) -> Callable[..., Any]:
    """Wrap a function of the socket module so that it refuses hosts that are not this machine."""

    def call(*args: Any, **kwargs: Any) -> Any:
        host = host_of(*args, **kwargs)
        if not is_local(host):
            raise NetworkUsed(f"tests are offline; something asked for {host!r}")
        return original(*args, **kwargs)

    return call


def host_of_address(sock: socket.socket, address: Any) -> object:
    """Find the host in what `connect` was given; sockets that are files have none."""
    return address[0] if sock.family in (socket.AF_INET, socket.AF_INET6) else None


@pytest.fixture(scope="session", autouse=True)
def offline() -> Iterator[None]:
    """Let no test reach another machine."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, guarded(getattr(socket.socket, name), host_of_address))
        patch.setattr(socket, "getaddrinfo", guarded(socket.getaddrinfo, lambda host, *_, **__: host))
        yield


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what vitrail caches away from the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VITRAIL_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def deterministic() -> None:
    """Begin every test with the same random numbers, without importing what the test does not."""
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session")
def root() -> Path:
    """Give the folder of pyproject.toml."""
    return ROOT


@pytest.fixture(scope="session")
def real_weights() -> Path:
    """Give a folder of real pretrained weights, one folder a model; skip where there is none."""
    given = os.environ.get("VITRAIL_TEST_MODELS")
    folder = Path(given) if given else ROOT.parent / "shared" / "models"
    if not folder.is_dir():
        pytest.skip(f"no pretrained weights in {folder}: name a folder of them in VITRAIL_TEST_MODELS")
    return folder


@pytest.fixture(scope="session")
def loopback() -> ModuleType:
    """Give the module of a Hub on this machine."""
    found = importlib.util.spec_from_file_location("loopback_hub", Path(__file__).with_name("loopback_hub.py"))
    assert found is not None
    assert found.loader is not None
    module = sys.modules["loopback_hub"] = importlib.util.module_from_spec(found)  # dataclasses look it up
    found.loader.exec_module(module)
    return module


@pytest.fixture
def hub(loopback: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give an empty Hub on this machine; huggingface_hub asks it and no other, and its cache is empty too."""
    from huggingface_hub import constants

    served = loopback.Hub()
    cache = tmp_path / "hub-cache"
    for name, value in {
        "ENDPOINT": served.endpoint,
        "HUGGINGFACE_CO_URL_TEMPLATE": served.endpoint + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_CACHE": str(cache),
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_TELEMETRY": True,
        "HF_TOKEN_PATH": str(tmp_path / "token"),
    }.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with served.serving():
        yield served
