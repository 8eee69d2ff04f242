"""The model that a student imitates: which one, whether it knows the student's classes, and what it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from vitrail.core.errors import ConfigError
from vitrail.data.spec import ImageSpec
from vitrail.data.translation import Translation
from vitrail.jobs.device import thread_limit
from vitrail.nn.shapes import Images
from vitrail.weights.hub import pinned
from vitrail.weights.load import Loaded, load_weights
from vitrail.weights.model_file import tensors_sha256
from vitrail.weights.reference import model_path

MOST_NAMED = 5
"""Classes listed in an error."""


@dataclass(frozen=True)
class TeacherConfig:
    """Name the model that a student imitates.

    Args:
        reference: of a trained model, that of a repository with its commit; "" for no teacher.
        variant: what it is, where its file does not say; "" if it does.
        classes: "by_name"; or "by_order", where names are others or missing: they are then taken to be the student's
            classes, in the same order.
        sha256: of its tensors, of which the plan of a run makes sure; "" until they were read.
    """

    reference: str = ""
    variant: str = ""
    classes: Literal["by_name", "by_order"] = "by_name"
    sha256: str = ""


def settle_teacher(config: TeacherConfig, classes: tuple[str, ...], spec: ImageSpec) -> TeacherConfig:
    """Make sure of a teacher before anything is trained.

    Args:
        config: which one.
        classes: of the student.
        spec: what the student is shown.

    Returns:
        The teacher, its repository with the commit and its weights with their hash.

    Raises:
        WeightsError: if there is no such model.
        ConfigError: if it knows other classes or takes other channels, or its weights are not those of the config.
    """
    if not config.reference:
        return config
    path = model_path(config.reference)
    loaded = load_weights(path, config.variant or None)
    found = tensors_sha256(loaded.model.state_dict())
    if config.sha256 not in ("", found):
        raise ConfigError(
            f"teacher {config.reference}: its weights have sha256 {found[:12]}…, not {config.sha256[:12]}… as planned",
            hint="the teacher has changed since; bring it back, or begin a new run with --teacher",
        )
    _order(config, loaded, classes)
    _translation(config, loaded, spec)
    return replace(config, reference=pinned(config.reference, path), sha256=found)


class Teacher:
    """Answer for a student's batches: its images, brought to what the teacher takes; its classes, in its order.

    Args:
        config: which one; it suits the student.
        classes: of the student, in the order of the labels.
        spec: how the student's images were prepared.
        device: where. On a CPU it may use as many threads as there are now, however few its student is given.
    """

    def __init__(
        self, config: TeacherConfig, classes: tuple[str, ...], spec: ImageSpec, device: torch.device | str = "cpu"
    ) -> None:
        loaded = load_weights(model_path(config.reference), config.variant or None)
        order = _order(config, loaded, classes)
        self.model = loaded.model.to(device).eval().requires_grad_(False)
        self.translate = _translation(config, loaded, spec)
        self.order = torch.tensor(order, device=device)
        self.device, self.threads = torch.device(device), torch.get_num_threads()
        size = loaded.record.spec.size
        moved = order != list(range(len(order)))
        self.told = (
            f"teacher {config.reference}: {len(order)} classes, {config.classes.replace('_', ' ')}"
            f"{', brought to this order' if moved else ''}"
            f"{'' if size == spec.size else f'; it sees each batch at {size[0]} × {size[1]} pixels'}"
        )

    @torch.no_grad()
    def __call__(self, images: Images) -> Float[Tensor, "batch classes"]:
        """Compute logits.

        Args:
            images: a batch of the student's, varied and mixed.

        Returns:
            One row an image, classes in the student's order.
        """
        with thread_limit(self.model.config, len(images), self.device, self.threads):
            logits: Tensor = self.model(self.translate(images))
        return logits[:, self.order]


def _order(config: TeacherConfig, loaded: Loaded, classes: tuple[str, ...]) -> list[int]:
    """Find the teacher's logit for each class of the student."""
    name, record = f"teacher {config.reference}", loaded.record
    fit_it = f"fit it on these data first, `vitrail fit DATA --model {config.reference} --out RUN`, and give that run"
    if not record.classes or record.config.pool.per_token:
        raise ConfigError(f"{name}: has no answer for an image", hint=fit_it)
    theirs, alike = record.classes, len(record.classes) == len(classes)
    if alike and record.names_classes and set(theirs) == set(classes):
        place = {one: index for index, one in enumerate(theirs)}
        return [place[one] for one in classes]
    if alike and config.classes == "by_order":
        return list(range(len(classes)))
    if alike and not record.names_classes:
        trust = "--set teacher.classes=by_order, if they are those of the data in the same order; or "
        raise ConfigError(f"{name}: does not name its {len(theirs)} classes", hint=trust + fit_it)
    raise ConfigError(f"{name}: knows other classes than the data: {_unlike(theirs, classes)}", hint=fit_it)


def _unlike(theirs: Sequence[str], ours: Sequence[str]) -> str:
    lacking, beside = sorted(set(ours) - set(theirs)), sorted(set(theirs) - set(ours))
    parts = [f"{len(theirs)}, not {len(ours)}"] if len(theirs) != len(ours) else []
    parts += [f"without {_some(lacking)}"] if lacking else []
    return "; ".join(parts + ([f"with {_some(beside)}"] if beside else []))


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:MOST_NAMED]))
    return shown + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")


def _translation(config: TeacherConfig, loaded: Loaded, spec: ImageSpec) -> Translation:
    try:
        return Translation(spec, loaded.record.spec)
    except ConfigError as error:
        raise ConfigError(f"teacher {config.reference}: {error.message}", hint=error.hint) from error
