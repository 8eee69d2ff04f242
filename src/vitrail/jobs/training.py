"""The training inside `fit`: what consumes the loop's events: log, evaluation, best weights, checkpoints, signals."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial

import torch

from vitrail import __version__
from vitrail.core.config import to_dict
from vitrail.core.errors import DataError, Interrupted
from vitrail.data.dataset import Dataset
from vitrail.data.loader import BadFile, TrainLoader
from vitrail.engines.build import build_engine
from vitrail.evaluation.calibration import fit_calibration, negative_log_likelihood
from vitrail.evaluation.metrics import balanced_accuracy, softmax, standard_error
from vitrail.evaluation.selective import risk_coverage
from vitrail.jobs.bad_files import BadFiles
from vitrail.jobs.beginning import begin_model, begin_objective
from vitrail.jobs.evaluate import Evaluation
from vitrail.jobs.events import Evaluated, Event, Listener, Note, Started
from vitrail.jobs.inference import compute_outputs
from vitrail.jobs.pace import steps_in
from vitrail.jobs.plan import Plan, Request, choose_epochs
from vitrail.jobs.run_folder import RunFolder
from vitrail.jobs.stop_signals import StopSignals
from vitrail.jobs.suspects import SuspectLabels, suspect_labels
from vitrail.jobs.tally import Tally
from vitrail.train.checkpoint import load_checkpoint, read_record, save_checkpoint
from vitrail.train.loop import EpochDone, StepDone, TrainState, train_model
from vitrail.train.optimizer import count_learning
from vitrail.weights.model_file import ModelRecord, load_model, save_model

CHECKPOINT_SECONDS = 30.0


class Training:
    """Carry out a plan.

    Args:
        plan: everything that decides the run.
        dataset: the opened data.
        device: where.
        folder: where results go.
        listener: is told of everything.
        notes: decisions made so far, told first.
        begun: `time.perf_counter()` when the job began.
    """

    def __init__(
        self,
        plan: Plan,
        dataset: Dataset,
        device: torch.device,
        folder: RunFolder,
        listener: Listener,
        notes: Sequence[str] = (),
        begun: float | None = None,
    ) -> None:
        self.begun = time.perf_counter() if begun is None else begun
        self.plan, self.dataset, self.device, self.folder = plan, dataset, device, folder
        self.listener = listener
        self.notes: list[str] = []
        for text in notes:
            self.tell(Note(text))
        self.loader = TrainLoader(
            dataset.splits["train"],
            plan.spec,
            plan.recipe.augment,
            plan.recipe.mix,
            dataset.traits,
            len(dataset.classes),
            plan.recipe.batch_size,
            plan.seed,
            order=plan.recipe.order,
        )
        self.objective = begin_objective(plan, dataset, device, self.tell)
        self.bad = BadFiles(folder, self.tell)
        self.bad.add("train", self.loader.bad.values())
        if plan.spec.color == "bands" and plan.recipe.augment.rand.operations:
            self.tell(Note(f"RandAugment's changes of colour are left out: images have {plan.spec.channels} channels"))
        model, self._weights = begin_model(plan, dataset.classes, self.tell)
        self.state = TrainState.start(model.to(device), plan.recipe)
        self._tell_what_learns()
        self._data = {
            "reference": plan.data,
            "splits": {name: len(samples) for name, samples in dataset.splits.items()},
            "made_splits": list(dataset.made_splits),
            "fingerprint": dataset.fingerprint(),
        }
        self._stop = StopSignals()
        self.tally = Tally(reading=time.perf_counter() - self.begun)

    @property
    def fresh(self) -> tuple[str, ...]:
        """Names of the tensors that do not begin as those of the weights that the run starts from."""
        return tuple(self._weights.get("fresh", ()))

    @property
    def seconds(self) -> float:
        """Time that the run has taken so far, sessions before a resumption included."""
        return self.tally.elapsed + time.perf_counter() - self.begun

    def tell(self, event: Event) -> None:
        """Pass an event on, and keep notes for the report.

        Args:
            event: what happened.
        """
        if isinstance(event, Note):
            self.notes.append(event.text)
        self.listener(event)

    def _tell_what_learns(self) -> None:
        learning, total = count_learning(self.state.model)
        if learning < total:
            self.tell(Note(f"{learning:,} of {total:,} parameters learn, the rest is frozen"))
        if self.plan.recipe.balances:
            self.tell(Note("rare classes count more: probabilities are those of classes that are equally frequent"))

    def fix_steps(self, request: Request) -> Plan:
        """Decide how many steps to take.

        Args:
            request: its `epochs` or `minutes`, if given.

        Returns:
            The plan with its steps.
        """
        if self.plan.steps:
            return self.plan
        per_epoch = self.loader.steps_per_epoch
        if request.minutes is not None:
            validate = partial(self._validate, self.state)
            left = max(1.0, request.minutes * 60 - (time.perf_counter() - self.begun))
            steps = steps_in(left, self.state.model, self.loader, self.plan.recipe, self.objective, validate)
            self.tell(Note(f"{request.minutes:g} minutes allow {steps} steps ({steps / per_epoch:.1f} epochs)"))
        else:
            images = int(self.loader.usable.sum())
            epochs = request.epochs or choose_epochs(self.plan, images, self.device.type)
            steps = epochs * per_epoch
            if request.epochs is None:
                self.tell(Note(f"{epochs} epochs: suits {images} training images on {self.device.type}"))
        return replace(self.plan, steps=steps)

    def run(self, plan: Plan, resume: bool) -> None:
        """Train to the last step.

        Args:
            plan: with its steps.
            resume: go on from the checkpoint.

        Raises:
            Interrupted: after a signal; a checkpoint was written.
            NonFiniteError: if the loss or the gradient is not finite.
        """
        self.plan = plan
        if resume:
            load_checkpoint(self.folder.checkpoint, self.state)
            self.folder.forget_metrics_after(self.state.step)
            self.bad.recall()
            self.tally = self._earlier()
            self.tell(Note(f"resumed at step {self.state.step} of {plan.steps}"))
        self.bad.write()
        self.tell(Started(plan.steps, self.loader.steps_per_epoch, self.state.step))
        saved = time.perf_counter()
        with self._stop:
            for event in train_model(self.state, self.loader, plan.recipe, plan.steps, self.device, self.objective):
                self.tell(event)
                if isinstance(event, StepDone):
                    self.bad.add("train", event.batch.bad)
                    self.tally.add(event)
                    lr = event.lr
                else:
                    self._end_of_epoch(event, lr)
                    self.tally = Tally(elapsed=self.tally.elapsed)
                    if event.last or time.perf_counter() - saved > CHECKPOINT_SECONDS:
                        self._save_checkpoint()
                        saved = time.perf_counter()
                if self._stop.number and not self._ends_soon(event, plan.steps):
                    self._save_checkpoint()
                    raise Interrupted(
                        f"stopped at step {self.state.step} of {plan.steps}; checkpoint in {self.folder.path / 'last'}",
                        f"go on with the same command, and --out {self.folder.path} --resume",
                        self._stop.number,
                    )

    def _ends_soon(self, event: StepDone | EpochDone, steps: int) -> bool:
        """Say whether training, or an epoch that must be evaluated first, ends without another step."""
        if isinstance(event, EpochDone):
            return event.last
        return event.step % self.loader.steps_per_epoch == 0 or event.step == steps

    def _earlier(self) -> Tally:
        """Go on counting where the checkpoint's session stopped."""
        kept = Tally(**read_record(self.folder.checkpoint)["record"].get("tally", {}))
        return replace(kept, reading=kept.reading + self.tally.reading)

    def _end_of_epoch(self, event: EpochDone, lr: float) -> None:
        clock = time.perf_counter()
        figures, score = self._validate(self.state)
        best = self.state.best
        highest, error = max(score, (best["highest"], best["error"])) if best else score
        better = score[0] >= highest - error
        record = {
            "epoch": event.epoch,
            "step": event.step,
            **self.tally.figures(),
            **{f"val_{name}": value for name, value in figures.items()},
            "lr": lr,
            "validation_seconds": time.perf_counter() - clock,
        }
        if better:
            self.state.best = {**figures, "epoch": event.epoch, "step": event.step, "highest": highest, "error": error}
            save_model(self.folder.model, self.state.evaluated, self._record())
        self.folder.write_metrics(record)
        self.bad.write()
        self.tell(Evaluated(event.epoch, record, better))

    def _validate(self, state: TrainState) -> tuple[dict[str, float], tuple[float, float]]:
        """Measure on the validation split; give the figure that chooses the best weights, and its standard error."""
        samples = self.dataset.splits["val"]
        outputs = compute_outputs(
            build_engine("torch", state.evaluated, device=str(self.device)), self.plan.spec, samples
        )
        if not len(outputs.labels):
            raise DataError(f"not one image of the val split can be used; the first: {outputs.bad[0][1]}")
        self.bad.add("val", (BadFile(number, samples.names[number], reason) for number, reason in outputs.bad))
        predicted = outputs.logits.argmax(axis=1)
        top1 = float((predicted == outputs.labels).mean())
        figures = {"top1": top1, "nll": negative_log_likelihood(outputs.logits, outputs.labels)}
        if not self.plan.recipe.balances:
            return figures, (top1, standard_error(top1, len(samples)))
        score = balanced_accuracy(predicted, outputs.labels)
        return {**figures, "balanced_accuracy": score[0]}, score

    def _record(self) -> ModelRecord:
        training = {
            "recipe": to_dict(self.plan.recipe),
            "seed": self.plan.seed,
            "steps": self.plan.steps,
            "start": self.plan.start,
            "weights": self._weights,
            **({"teacher": to_dict(self.plan.teacher)} if self.plan.teacher.reference else {}),
            "best": self.state.best,
            "versions": {"vitrail": __version__, "torch": torch.__version__, "python": platform.python_version()},
        }
        return ModelRecord(self.plan.model, self.dataset.classes, self.plan.spec, 1.0, training, self._data)

    def _save_checkpoint(self) -> None:
        tally = asdict(replace(self.tally, elapsed=self.seconds))
        record = {"plan": to_dict(self.plan), "classes": list(self.dataset.classes), "tally": tally}
        save_checkpoint(self.folder.checkpoint, self.state, record)

    def calibrate(self) -> SuspectLabels:
        """Measure the best weights on the validation split; store calibration and risk in the model file.

        Returns:
            Labels of the validation split that are likely wrong.
        """
        model, record = load_model(self.folder.model)
        engine = build_engine("torch", model, device=str(self.device))
        samples = self.dataset.splits["val"]
        outputs = compute_outputs(engine, record.spec, samples)
        found = fit_calibration(outputs.logits, outputs.labels)
        probabilities = softmax(found.apply(outputs.logits))
        curve = risk_coverage(probabilities, outputs.labels)
        risk = tuple(zip(curve.thresholds, curve.accepted, curve.wrong, strict=True))
        save_model(self.folder.model, model, replace(record, **asdict(found), risk=risk))
        return suspect_labels(outputs, probabilities, "val", self.dataset.classes, samples.names)

    def write_bad_files(self, evaluation: Evaluation) -> None:
        """Write `bad_files.csv` for all splits.

        Args:
            evaluation: of the last split.
        """
        bad = (BadFile(number, evaluation.names[number], why) for number, why in evaluation.outputs.bad)
        self.bad.add(evaluation.split, bad)
        self.bad.write()
