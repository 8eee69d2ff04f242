"""`vitrail evaluate`."""

from __future__ import annotations

import argparse

from vitrail.cli.parser import positive_int
from vitrail.cli.reference import add_reference, add_sizes, load_reference
from vitrail.core.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags.

    Args:
        parser: of this verb.
    """
    add_reference(parser)
    add_sizes(parser)
    parser.add_argument("data", metavar="DATA", help="labelled images, as for `vitrail fit`")
    parser.add_argument(
        "--split", default="test", choices=("test", "val", "train"), help="which images (default: test)"
    )
    parser.add_argument(
        "--probe",
        choices=("knn", "least-squares", "linear", "fewshot"),
        help="measure not the model's own answers, but a simple classifier of its frozen features, learned on the "
        "training split: nearest neighbours, least squares, logistic regression, or the paper's few-shot protocol",
    )
    parser.add_argument("--shots", type=positive_int, metavar="N", help="images of each class for fewshot (default: 5)")
    parser.add_argument(
        "--pool",
        choices=("model", "pre_logits", "class_token", "mean"),
        help="which features to probe, as for `vitrail embed` (default: what the last layer of the head reads)",
    )
    parser.add_argument("--out", metavar="FILE", help="write the answer for every image: .csv or .parquet")
    parser.add_argument(
        "--max-error", type=float, metavar="E", help="say how many images are answered if at most this part of the "
        "answers may be wrong",
    )  # fmt: skip
    parser.add_argument("--against", metavar="REF", help="a second model: say which is better on these images")
    parser.add_argument("--strict", action="store_true", help="stop if one image cannot be used")
    parser.add_argument("--device", metavar="D", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: auto)")


def run(options: argparse.Namespace) -> None:
    """Measure, and print the figures.

    Args:
        options: the parsed flags.
    """
    from vitrail.cli.console import Console, print_json
    from vitrail.cli.glance import print_glance
    from vitrail.jobs.compare import contest
    from vitrail.jobs.digest import digest_evaluation
    from vitrail.jobs.evaluate import evaluate

    if options.probe:
        _probe(options)
        return
    for flag in ("shots", "pool"):
        if getattr(options, flag):
            raise UsageError(f"--{flag} was given without --probe, for which it is", hint=f"leave --{flag} out")
    with Console() as console:
        evaluation = evaluate(
            load_reference(options),
            options.data,
            options.split,
            listener=console,
            strict=options.strict,
            out=options.out,
            max_error=options.max_error,
        )
        other = None
        if options.against:
            other = contest(evaluation, evaluate(options.against, options.data, options.split, listener=console))
    if options.json:
        print_json(evaluation.to_json() | ({"against": other.to_json()} if other else {}))
    else:
        sizes = " --dynamic" * options.dynamic + (f" --image-size {options.image_size}" if options.image_size else "")
        next_command = f"vitrail predict {options.reference} IMAGE…{sizes}"
        print_glance(digest_evaluation(evaluation, {"answers": options.out} if options.out else {}, next_command))
        if other:
            print(other.sentence())


def _probe(options: argparse.Namespace) -> None:
    """Measure a probe, and print the figures."""
    from vitrail.cli.console import Console, print_json
    from vitrail.cli.glance import print_probe
    from vitrail.evaluation.probes import FewShotProbe
    from vitrail.jobs.probe import probe_features

    for name in ("out", "max_error", "against"):
        if getattr(options, name) is not None:
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(
                f"{flag} was given beside --probe, which has figures only", hint=f"leave {flag} out; see --json"
            )
    if options.shots and options.probe != "fewshot":
        raise UsageError(f"--shots was given beside --probe {options.probe}", hint="give --probe fewshot")
    probe = FewShotProbe(options.shots) if options.shots else options.probe
    with Console() as console:
        result = probe_features(
            load_reference(options),
            options.data,
            probe,
            options.split,
            listener=console,
            pool=options.pool,
            strict=options.strict,
        )
    if options.json:
        print_json(result.to_json())
    else:
        print_probe(result)
