"""`evaluate --probe` at the command line: figures for scripts and for a person."""

from __future__ import annotations

import json

import pytest

import vitrail
from vitrail.cli.evaluate import add_arguments
from vitrail.cli.main import main
from vitrail.cli.parser import Parser
from vitrail.evaluation.probes import PROBES
from vitrail.models.features import FEATURES


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Give the folder of a finished run."""
    out = tmp_path_factory.mktemp("cli") / "run"
    vitrail.fit("digits", "vit_nano_conv_patch2_8", out=out, epochs=1, settings={"depth": 1, "batch_size": 128})
    return out


def test_probes_speak_json_and_to_a_person(run, capsys):
    for probe in ("knn", "fewshot"):
        assert main(["evaluate", str(run), "digits", "--probe", probe, "--json"]) == 0
        answer = json.loads(capsys.readouterr().out)
        keys = {"top1", "top5", "interval", "n", "out", "seconds", "model", "probe", "split", "computed"}
        assert keys <= answer.keys()
        assert answer["probe"] == probe
        assert main(["evaluate", str(run), "digits", "--probe", probe]) == 0
        out = capsys.readouterr().out
        assert f"{100 * answer['top1']:.2f} %" in out
        assert f"{probe} on frozen features (pre_logits): " in out


def test_probes_and_pools_are_rows_of_their_tables():
    parser = Parser()
    add_arguments(parser)
    choices = {action.dest: action.choices for action in parser._actions}
    assert choices["probe"] == tuple(PROBES)
    assert choices["pool"] == tuple(pool for pool in FEATURES if pool != "tokens")
