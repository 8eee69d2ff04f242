"""What `fit` will do: everything that decides a run, chosen from tables where the user did not say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from vitrail.core.config import require
from vitrail.core.errors import ConfigError
from vitrail.core.override import full_name, override
from vitrail.data.dataset import Dataset
from vitrail.data.probe import probe_images
from vitrail.data.spec import ImageSpec
from vitrail.data.statistics import measured_spec
from vitrail.jobs.architecture import find_architecture, without_token
from vitrail.jobs.choices import EPOCH_CHOICES, RECIPE_CHOICES
from vitrail.jobs.default_model import default_model
from vitrail.jobs.events import Listener, silent
from vitrail.jobs.teacher import TeacherConfig, settle_teacher
from vitrail.models.blank import blank_model
from vitrail.models.config import ViTConfig
from vitrail.nn.lora import adapt
from vitrail.nn.pooling import POOLS
from vitrail.train.optimizer import policies_of
from vitrail.train.recipe import Recipe
from vitrail.train.recipes import RECIPES
from vitrail.weights.reference import Reference

IMITATION = "recipe.objective.distillation"


@dataclass(frozen=True)
class Request:
    """Hold what the user asked `fit` for; None where nothing was said.

    Args:
        data: data reference.
        model: variant, or reference of weights to start from, or a config.
        recipe: row of `RECIPES`, or a recipe.
        seed: seed of everything random.
        epochs: passes over the training split.
        minutes: time to train; fixes the number of steps by measuring.
        image_size: side in pixels.
        settings: key → value, laid over the plan at the end.
        variant: what the weights to start from are, where their file does not say.
        teacher: reference of the model to imitate.
        offline: whether a fresh network is wanted where no model is named, and nothing may be fetched.
    """

    data: str
    model: Reference | ViTConfig | None = None
    recipe: str | Recipe | None = None
    seed: int = 0
    epochs: int | None = None
    minutes: float | None = None
    image_size: int | None = None
    settings: Mapping[str, Any] | None = None
    variant: str | None = None
    teacher: Reference | None = None
    offline: bool = False

    def __post_init__(self) -> None:
        if self.epochs is not None and self.minutes is not None:
            raise ConfigError("epochs and minutes were both given", hint="give one of them")
        for name in ("epochs", "minutes", "image_size"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"{name} = {value} is not allowed; allowed: greater than 0")
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed = {self.seed} is not allowed; allowed: 0 … 2**63 − 1")


@dataclass(frozen=True)
class Plan:
    """Hold everything that decides a run; `config.toml` is this, and repeats the run bit for bit.

    Args:
        data: data reference.
        seed: seed of everything random.
        steps: optimizer steps; 0 until fixed.
        start: reference of the weights the run starts from, that of a repository with its commit; "" for fresh ones.
        variant: what those weights are, where their file does not say; "" if it does.
        model: the architecture.
        spec: the exact preprocessing.
        recipe: how it learns.
        teacher: the model that it imitates.
    """

    data: str
    seed: int = 0
    steps: int = 0
    start: str = ""
    variant: str = ""
    model: ViTConfig = ViTConfig()
    spec: ImageSpec = ImageSpec()
    recipe: Recipe = Recipe()
    teacher: TeacherConfig = TeacherConfig()


def make_plan(
    request: Request, dataset: Dataset, device: str, earlier: str | None = None, listener: Listener = silent
) -> tuple[Plan, list[str]]:
    """Choose what the user left open, from tables, never from a timing.

    Args:
        request: what the user asked for.
        dataset: the opened data.
        device: "cpu", "cuda" or "mps".
        earlier: what the run that is resumed started from, "" for a fresh network; None for a new run.
        listener: is told of a download before it begins.

    Returns:
        The plan, its steps not yet fixed, and a sentence for each choice.

    Raises:
        ConfigError: for unknown names and values that do not fit together.
        DataError: if not one training image can be used.
        WeightsError: if the weights to start from cannot be read, or a recipe wants some and there are none.
    """
    probe = probe_images(dataset.splits["train"])
    settings = {full_name(Plan, key): value for key, value in (request.settings or {}).items()}
    if request.teacher is not None:
        settings = {"teacher.reference": str(request.teacher), **settings}
    of_model = {key.removeprefix("model."): settings.pop(key) for key in list(settings) if key.startswith("model.")}
    named = RECIPES[request.recipe] if isinstance(request.recipe, str) else request.recipe
    chosen, notes = (
        (request.model, [])
        if request.model
        else default_model(request, named, of_model, probe, device, earlier, listener)
    )
    model = chosen if isinstance(chosen, ViTConfig) else str(chosen)
    side = request.image_size or (named.image_size if named else None)
    sized = ({} if side is None else {"img_size": side}) | (_model_fields(named) if named else {})
    of_data = {"num_classes": len(dataset.classes)}
    config, spec, start, scaled = find_architecture(model, request.variant, sized | of_data | of_model, probe)
    if spec.color == "bands" and not scaled:
        spec = measured_spec(dataset.splits["train"], spec, request.seed)
        notes.append(f"images of {spec.channels} channels: mean and std of each were measured on training images")
    recipe = named
    if recipe is None:
        images = len(dataset.splits["train"])
        rows = (row for row in RECIPE_CHOICES if row.trained == bool(start))
        recipe_name = next(row for row in rows if max(spec.size) <= row.side and images <= row.images).recipe
        at, how = f"{spec.size[0]} × {spec.size[1]} pixels", f"from {'trained weights' if start else 'scratch'}"
        notes.append(f"recipe {recipe_name}: suits training {how} on {images:,} images at {at}")
        recipe = RECIPES[recipe_name]
    plan = Plan(str(request.data), request.seed, 0, start, request.variant or "", config, spec, recipe)
    plan = override(plan, settings)
    if settings.get("spec.mode") == "keep" and "spec.multiple" not in settings:
        plan = replace(plan, spec=replace(plan.spec, multiple=plan.model.patch_size))
    if plan.teacher.reference and IMITATION not in settings and plan.recipe.objective.distillation == "none":
        plan = override(plan, {IMITATION: "hard"})
        notes.append("hard distillation: the class that the teacher finds most probable is learned beside the label")
    return _checked(plan, dataset), notes


def _model_fields(recipe: Recipe) -> dict[str, Any]:
    """Say what a recipe, asked for by the user, changes in the model; a recipe chosen from a table changes nothing."""
    new_head = {"representation_size": None} if recipe.parts.new_head else {}
    return new_head | ({"drop": recipe.drop} if recipe.drop else {})


def take_plan(given: Plan, request: Request, dataset: Dataset) -> Plan:
    """Take over the plan of another run.

    Args:
        given: what its `config.toml` says.
        request: what the user asked for; its data and seed may be those of the plan, the rest must be left open.
        dataset: the opened data.

    Returns:
        The plan, for these data.

    Raises:
        ConfigError: if something else was asked for beside the plan, or the plan does not fit the data.
    """
    asked = {
        name: getattr(request, name)
        for name in ("model", "variant", "recipe", "epochs", "minutes", "image_size", "settings", "teacher")
    }
    beside = [name for name, value in asked.items() if value]
    if beside:
        raise ConfigError(
            f"{' and '.join(beside)} given beside a config, which decides everything",
            hint="leave it out, or change a copy of the config",
        )
    if request.seed != given.seed:
        raise ConfigError(f"seed = {request.seed}, but the config says {given.seed}", hint="leave --seed out")
    return _checked(replace(given, data=request.data), dataset)


def _checked(plan: Plan, dataset: Dataset) -> Plan:
    """Refuse settings that contradict the data or each other; make sure of the teacher."""
    classes = len(dataset.classes)
    if plan.model.num_classes != classes:
        raise ConfigError(
            f"model.num_classes = {plan.model.num_classes}, but {dataset.reference} has {classes} classes",
            hint="leave num_classes out: it is taken from the data",
        )
    if plan.model.pool.per_token:
        allowed = ", ".join(kind for kind, row in POOLS.items() if not row.per_token)
        raise ConfigError(
            f"model.pool = {plan.model.pool.kind!r} is not allowed: every token has logits of its own, but `fit` "
            f"trains classifiers of images; allowed: {allowed}",
            hint="--set pool=mean reads all patches",
        )
    if plan.model.image_size != plan.spec.size:
        raise ConfigError(
            f"model.img_size = {plan.model.image_size}, but spec.size = {plan.spec.size}",
            hint="give --image-size, which sets both",
        )
    if plan.spec.mode == "keep":
        tiles, tokens = plan.spec.multiple % plan.model.patch_size == 0, plan.model.tokens
        allowed = "crop or squash with a model that takes one size"
        require(tokens.dynamic, "spec.mode", "keep", allowed, "--set dynamic=true mode=keep")
        allowed = f"multiples of the patch size {plan.model.patch_size}, or dynamic_pad=true"
        require(tiles or tokens.dynamic_pad, "spec.multiple", plan.spec.multiple, allowed)
    _check_parts(plan)
    if plan.model.in_chans != plan.spec.channels:
        raise ConfigError(f"model.in_chans = {plan.model.in_chans}, but images have {plan.spec.channels} channels")
    _check_distillation(plan)
    return replace(plan, teacher=settle_teacher(plan.teacher, dataset.classes, plan.spec))


def _check_parts(plan: Plan) -> None:
    """Refuse to freeze what was never trained, and parts that the model does not have."""
    parts = plan.recipe.parts
    if parts.builds_on_weights and not plan.start:
        raise ConfigError(
            "the recipe keeps weights as they are (last_blocks, lora.targets), but none of the model was trained",
            hint="give a run folder, weights, hf:owner/name or published name as --model",
        )
    policies_of(parts, plan.model.depth)
    if parts.lora.targets:
        adapt(blank_model(plan.model), parts.lora)


def _check_distillation(plan: Plan) -> None:
    """Refuse imitation of nobody, a teacher that nobody imitates, and a token that the model does not have."""
    objective, teacher = plan.recipe.objective, plan.teacher.reference
    if objective.distillation != "none" and not teacher:
        hint = "--teacher REF names one: a run, a model file or published weights that know these classes"
        raise ConfigError(f"distillation = {objective.distillation} without a teacher", hint=hint)
    if teacher and objective.distillation == "none":
        raise ConfigError(f"teacher {teacher}, but distillation = none", hint="--set distillation=hard, or soft")
    if objective.distillation_token and not plan.model.tokens.distilled:
        raise without_token("distillation_token = True, but the model has no distillation token")


def choose_epochs(plan: Plan, images: int, device: str) -> int:
    """Choose how long to train when the user did not say.

    Args:
        plan: its recipe may say.
        images: size of the training split.
        device: "cpu", "cuda" or "mps".

    Returns:
        Passes over the training split.
    """
    row = next(row for row in EPOCH_CHOICES if images <= row.images)
    fresh = row.epochs if device == "cpu" else row.gpu_epochs
    return plan.recipe.epochs or (row.trained_epochs if plan.start else fresh)


def differences(old: Any, new: Any, prefix: str = "") -> list[str]:
    """Name the entries in which two plans differ.

    Args:
        old: plain data.
        new: plain data.
        prefix: dotted prefix.

    Returns:
        Sentences "key: old → new".
    """
    if isinstance(old, dict) and isinstance(new, dict):
        keys = dict.fromkeys([*old, *new])
        return [line for key in keys for line in differences(old.get(key), new.get(key), f"{prefix}.{key}".lstrip("."))]
    return [] if old == new else [f"{prefix}: {old!r} → {new!r}"]
