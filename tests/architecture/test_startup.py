"""Importing vitrail and asking for help are quick, because nothing heavy is imported.

Times are of the processor, not of the clock, so that a busy machine does not fail: user and system time of a fresh
interpreter, its own start included, the best of several.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from vitrail.cli.main import VERBS

HEAVY = {
    "PIL", "huggingface_hub", "jinja2", "matplotlib", "numpy", "pandas", "pyarrow", "rich", "safetensors", "scipy",
    "sklearn", "tensorboard", "timm", "torch", "torchvision", "transformers",
}  # fmt: skip
"""What neither `import vitrail` nor any `--help` may import."""

IMPORT = ("-c", "import vitrail")
HELPS = [("-m", "vitrail", *verb, "--help") for verb in ([], *([verb] for verb in VERBS))]


def imported_by(arguments):
    """List what a fresh interpreter imports: the roots of names that `-X importtime` prints."""
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def processor_seconds(arguments, rounds=5):
    """Measure a fresh interpreter: the least user and system time of `rounds`, in seconds."""
    times = []
    for _ in range(rounds):
        process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        times.append(usage.ru_utime + usage.ru_stime)
    return min(times)


@pytest.mark.parametrize("arguments", [IMPORT, *HELPS], ids=" ".join)
def test_nothing_heavy_is_imported(arguments):
    found = imported_by(arguments)
    assert "vitrail" in found
    assert found & HEAVY == set()


def test_what_is_heavy_is_seen():
    assert imported_by(["-c", "import vitrail.nn.mlp"]) >= {"vitrail", "torch"}


def test_import_takes_less_than_a_fifth_of_a_second():
    assert processor_seconds(IMPORT) < 0.2


@pytest.mark.parametrize("arguments", HELPS, ids=" ".join)
def test_help_takes_less_than_half_a_second(arguments):
    assert processor_seconds(arguments) < 0.5


def test_time_is_seen():
    assert processor_seconds(["-c", "import time\nwhile time.process_time() < 0.2: pass"], rounds=1) >= 0.2
