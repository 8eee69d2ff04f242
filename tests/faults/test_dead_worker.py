"""A process that decodes and is killed: the run says so and stops, with the exit code of wrong input, not a hang."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PROGRAM = """
import sys
from functools import partial
from vitrail.cli.main import main
from vitrail.data.loader import TrainLoader
import vitrail.jobs.training as training
training.TrainLoader = partial(TrainLoader, memory_limit=0, workers=2)
sys.exit(main(sys.argv[1:]))
"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="children are found in /proc")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for number in range(400):
        path = tmp_path / "data" / f"class {number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (40, 40), dtype=np.uint8)).save(path)
    return tmp_path / "data"


def children(process: int) -> list[int]:
    """The processes that torch's loader has started."""
    try:
        text = Path(f"/proc/{process}/task/{process}/children").read_text()
    except OSError:
        return []
    return [int(number) for number in text.split()]


def wait_for(condition, seconds: float = 90.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


@pytest.mark.slow
def test_a_worker_that_is_killed_is_reported(tmp_path: Path, data: Path) -> None:
    metrics = tmp_path / "run" / "metrics.jsonl"
    command = ["fit", str(data), "--model", "vit_nano_conv_patch2_8", "--epochs", "500", "--out", str(tmp_path / "run")]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *command, "--set", "depth=1"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert wait_for(lambda: metrics.is_file() or process.poll() is not None), "no epoch was finished"
    clock = time.monotonic()
    while process.poll() is None and time.monotonic() - clock < 60:
        for worker in children(process.pid)[:1]:  # each epoch has workers of its own: kill until one was needed
            os.kill(worker, signal.SIGKILL)
        time.sleep(0.2)
    killed = process.poll() is None
    if killed:
        process.kill()
    out, errors = process.communicate()

    assert not killed, "it hangs"
    assert process.returncode == 2, errors
    assert "error: a loader worker died" in errors and "hint: " in errors and "Traceback" not in errors
    assert out == ""
    assert (tmp_path / "run" / "model.safetensors").is_file(), "the best weights so far are kept"
