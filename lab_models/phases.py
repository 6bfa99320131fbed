"""Training in named phases, with averaging, early stopping and resuming."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import pandas as pd

from lab_models.checkpoint import (
    Arrays,
    TrainingState,
    load_state,
    read_variables,
    save_state,
    write_variables,
)
from lab_models.contrastive.collapse import FIGURES
from lab_models.freezing import set_trainable
from lab_models.monitoring import best_epoch, plateau_cuts, should_stop
from lab_models.optimization import build_loss, build_optimizer
from lab_models.runs import RunDirectory
from lab_models.schedules import build_schedule
from tflite.runtime.errors import LabError
from tflite.runtime.files import whole_file

if TYPE_CHECKING:
    import tensorflow as tf

    from lab_models.networks import Networks
    from lab_models.recipes import Phase, Recipe

HISTORY_COLUMNS = (
    "epoch", "phase", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds"
)  # fmt: skip
DataFor = Callable[["Phase"], "TrainingData"]


class TrainingDivergedError(LabError):
    """The loss became infinite or no number."""


@dataclass(frozen=True)
class TrainingData:
    """What a phase trains on and watches.

    Args:
        batches_from: Gives the endless stream of batches from the start of an epoch on, as the
            phase's model takes them: ``(image, label, weight)``, or features instead of images.
        steps_per_epoch: Batches an epoch.
        validation: The validation images once, in the same form; None to go without.
        contrastive_loss: Of a phase that compares views.
        watch: Callbacks of this phase that come before the history is written.
        leftovers: Files that nobody needs once the phase is over.
    """

    batches_from: Callable[[int], tf.data.Dataset]
    steps_per_epoch: int
    validation: tf.data.Dataset | None
    contrastive_loss: keras.losses.Loss | None = None
    watch: tuple[keras.callbacks.Callback, ...] = ()
    leftovers: tuple[Path, ...] = ()


def run_phases(
    networks: Networks,
    recipe: Recipe,
    data_for: DataFor,
    run: RunDirectory,
    callbacks: tuple[keras.callbacks.Callback, ...] = (),
) -> pd.DataFrame:
    """Trains the networks of a recipe through its phases, going on where a stopped run was.

    After each epoch everything needed to go on is written to ``run.checkpoints``. At a phase's
    end the networks hold, by its settings, the best epoch's, the averaged, or the last weights.

    Args:
        networks: Trained in place.
        recipe: Its phases are trained in order.
        data_for: Gives a phase's data; called when the phase begins or goes on, with the networks
            as they are then.
        run: Where checkpoints and ``history.csv`` go.
        callbacks: Any Keras callbacks, for every phase.

    Returns:
        The history, one row an epoch, columns `HISTORY_COLUMNS`, and the figures of a collapse
        watch where there was one.

    Raises:
        TrainingDivergedError: If the loss is no longer finite.
        LabError: If a phase needs validation images and there are none.
    """
    path = run.checkpoints / "state.npz"
    state = load_state(path) if path.exists() else TrainingState()
    if state.weights:
        write_variables(networks.weights, state.weights)
        write_variables(networks.seeds, state.seeds)
    for position, phase in enumerate(recipe.phases):
        if position < state.phase or (position == state.phase and state.phase_finished):
            continue
        if position > state.phase:
            state = TrainingState(history=state.history, phase=position)
        data = data_for(phase)
        _check_validation(phase, data)
        _PhaseRun(networks, recipe, phase, data, run, state).train(callbacks)
    return _as_table(state.history)


def _as_table(history: list[dict[str, Any]]) -> pd.DataFrame:
    further = [key for row in history for key in row if key not in HISTORY_COLUMNS]
    return pd.DataFrame(history, columns=[*HISTORY_COLUMNS, *dict.fromkeys(further)])


def _check_validation(phase: Phase, data: TrainingData) -> None:
    if phase.watches_validation and data.validation is None:
        raise LabError(
            f"Phase {phase.name!r} watches the validation loss, but there are no validation "
            "images. Set data.split.validation above 0, or run the phase with a fixed length."
        )


class _PhaseRun:
    """One phase while it runs. `state` is changed in place and saved after every epoch."""

    def __init__(
        self,
        networks: Networks,
        recipe: Recipe,
        phase: Phase,
        data: TrainingData,
        run: RunDirectory,
        state: TrainingState,
    ) -> None:
        self.networks, self.model = networks, networks.model_for(phase, recipe)
        self.phase, self.data, self.run, self.state = phase, data, run, state

    @property
    def rows(self) -> list[dict[str, Any]]:
        """History of this phase."""
        return [row for row in self.state.history if row["phase"] == self.phase.name]

    def train(self, callbacks: tuple[keras.callbacks.Callback, ...]) -> None:
        self._compile()
        done = len(self.rows)
        if done < self.phase.epochs and not self.stopped():
            before = len(self.state.history) - done
            self.model.fit(
                self.data.batches_from(len(self.state.history)),
                initial_epoch=before + done,
                epochs=before + self.phase.epochs,
                steps_per_epoch=self.data.steps_per_epoch,
                validation_data=self.data.validation,
                shuffle=False,  # the stream has its own order
                verbose=0,
                callbacks=[*self.data.watch, _EpochKeeper(self), *callbacks],
            )
        self._take_final_weights()

    def _compile(self) -> None:
        set_trainable(self.networks.classifier, self.phase)
        settings = self.phase.optimizer
        rate: Any = settings.learning_rate
        if settings.schedule != "plateau":
            rate = build_schedule(settings, self.data.steps_per_epoch, self.phase.epochs)
        optimizer = build_optimizer(settings, rate)
        if self.phase.compares_views:
            self.model.compile(optimizer, self.data.contrastive_loss)
        else:
            self.model.compile(
                optimizer, build_loss(self.phase.loss), metrics=["accuracy"], jit_compile=False
            )
        # Built now rather than at the first step, so that its stored variables have a place.
        self.model.optimizer.build(self.model.trainable_variables)
        if self.state.optimizer:
            write_variables(self.model.optimizer.variables, self.state.optimizer)

    def values(self, name: str) -> list[float]:
        """A column of this phase's history."""
        return [row[name] for row in self.rows]

    def stopped(self) -> bool:
        """Whether early stopping has struck."""
        rule = self.phase.early_stopping
        return rule is not None and should_stop(
            self.values(rule.monitor), rule.monitor, rule.patience, rule.min_delta
        )

    def learning_rate(self) -> float:
        """The rate at the present step."""
        settings = self.phase.optimizer
        if settings.schedule == "plateau":
            cuts = plateau_cuts(
                self.values("val_loss"), settings.plateau_patience, settings.plateau_min_delta
            )
            return settings.learning_rate * settings.plateau_factor**cuts
        return float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))

    def average(self) -> None:
        """Takes the present weights into the running average."""
        weights, epochs = read_variables(self.networks.weights), len(self.rows)
        # The ramp keeps the first, nearly random weights from lingering in the average.
        momentum = min(self.phase.average_weights, (1 + epochs) / (4 + epochs))
        self.state.average = [
            (momentum * a + (1 - momentum) * w).astype(w.dtype)
            for a, w in zip(self.state.average or weights, weights)
        ]

    def current_weights(self) -> Arrays:
        """The weights that count: the averaged ones where the phase averages."""
        return self.state.average or read_variables(self.networks.weights)

    def is_best(self) -> bool:
        """Whether the last epoch is the best so far by the early-stopping rule."""
        rule = self.phase.early_stopping
        if rule is None:
            return False
        values = self.values(rule.monitor)
        return best_epoch(values, rule.monitor, rule.min_delta) == len(values) - 1

    def save(self) -> None:
        """Writes the checkpoint, then the history that people read."""
        self.state.weights = read_variables(self.networks.weights)
        self.state.seeds = read_variables(self.networks.seeds)
        self.state.optimizer = read_variables(self.model.optimizer.variables)
        if not self.state.phase_finished and self.is_best():
            best = TrainingState(phase=self.state.phase, weights=self.current_weights())
            save_state(self.run.checkpoints / "best.npz", best)
        save_state(self.run.checkpoints / "state.npz", self.state)
        with whole_file(self.run.history) as temporary:
            _as_table(self.state.history).to_csv(temporary, index=False)

    def _take_final_weights(self) -> None:
        rule = self.phase.early_stopping
        if rule is not None and rule.restore_best:
            best = load_state(self.run.checkpoints / "best.npz")
            write_variables(self.networks.weights, best.weights)
        elif self.state.average:
            write_variables(self.networks.weights, self.state.average)
        self.state.phase_finished, self.state.average = True, []
        self.save()
        for path in self.data.leftovers:
            path.unlink(missing_ok=True)


class _EpochKeeper(keras.callbacks.Callback):
    """Averages, records, checkpoints and stops at the ends of epochs."""

    def __init__(self, phase_run: _PhaseRun) -> None:
        super().__init__()
        self.phase_run = phase_run
        self._raw: Arrays = []
        self._start = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._start = time.perf_counter()
        if self.phase_run.phase.optimizer.schedule == "plateau":
            self.model.optimizer.learning_rate = self.phase_run.learning_rate()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise TrainingDivergedError(
                f"The loss became {loss} in phase {self.phase_run.phase.name!r}, step {batch + 1}."
                f" Lower the learning rate (now {self.phase_run.learning_rate():.2g}), lengthen "
                "the warm-up, or set optimizer.gradient_clip."
            )

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Has the averaged weights validated, which are the ones that are kept."""
        if self.phase_run.phase.average_weights:
            self._raw = read_variables(self.phase_run.networks.weights)
            self.phase_run.average()
            write_variables(self.phase_run.networks.weights, self.phase_run.state.average)

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._raw:
            write_variables(self.phase_run.networks.weights, self._raw)
            self._raw = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = logs or {}
        if self.phase_run.data.validation is None and self.phase_run.phase.average_weights:
            self.phase_run.average()
        names = ("loss", "accuracy", "val_loss", "val_accuracy")
        self.phase_run.state.history.append(
            {
                "epoch": epoch + 1,
                "phase": self.phase_run.phase.name,
                **{name: float(logs.get(name, math.nan)) for name in names},
                "learning_rate": self.phase_run.learning_rate(),
                "seconds": round(time.perf_counter() - self._start, 2),
                **{name: float(logs[name]) for name in FIGURES if name in logs},
            }
        )
        self.phase_run.save()
        if self.phase_run.stopped():
            self.model.stop_training = True
