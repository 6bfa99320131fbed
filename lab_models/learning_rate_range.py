"""The learning-rate range test: which rates a network learns with, found in one short run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from lab_models.report.figures import COLOURS, in_report_style, make_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCALES = ("geometric", "linear")


class LearningRateRangeTest(keras.callbacks.Callback):
    """Raises the learning rate step by step and records the loss (Smith 2017, section 3.3).

    Fit with enough epochs for `steps` batches; the test ends the fit by itself. Afterwards the
    model and its optimiser are as they were before::

        test = LearningRateRangeTest(lowest=1e-6, highest=1.0, steps=200)
        model.fit(x, y, epochs=100, callbacks=[test])
        test.suggestion, test.draw()

    Args:
        lowest: First rate, above 0.
        highest: Last rate, above `lowest`.
        steps: Batches from first to last, at least 3.
        scale: ``"geometric"``: each rate is the last one times a factor; ``"linear"``.
        diverged: The test stops when the smoothed loss is this many times its lowest value, or
            is not finite.
        smoothing: Weight of the past in the smoothed loss, 0 up to below 1.

    Attributes:
        rates: Learning rate of every step.
        losses: Loss of every batch, before the step with that rate.
        smoothed: `losses` as exponential mean, corrected for its start.
    """

    def __init__(
        self,
        lowest: float = 1e-6,
        highest: float = 1.0,
        steps: int = 100,
        scale: str = "geometric",
        diverged: float = 4.0,
        smoothing: float = 0.9,
    ) -> None:
        super().__init__()
        if not 0 < lowest < highest or steps < 3:
            raise ValueError(
                "Rates must satisfy 0 < lowest < highest and steps >= 3, got "
                f"{lowest}, {highest}, {steps}."
            )
        if scale not in SCALES or diverged <= 1 or not 0 <= smoothing < 1:
            raise ValueError(
                f"scale must be one of {SCALES}, diverged above 1 and smoothing in 0..1, got "
                f"{scale!r}, {diverged}, {smoothing}."
            )
        space = np.geomspace if scale == "geometric" else np.linspace
        self.planned = [float(rate) for rate in space(lowest, highest, steps)]
        self.scale = scale
        self.diverged = diverged
        self.smoothing = smoothing
        self._forget()

    def _forget(self) -> None:
        self.rates: list[float] = []
        self.losses: list[float] = []
        self.smoothed: list[float] = []
        self._mean = 0.0
        self._sum, self._batches = 0.0, 0

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Remembers weights and optimiser.

        Raises:
            ValueError: If the learning rate is a schedule, which cannot be set, or several
                batches are run at once, so that single losses cannot be seen.
        """
        if getattr(self.model, "steps_per_execution", 1) != 1:
            raise ValueError(
                "The range test looks at single batches; compile with steps_per_execution=1, "
                f"got {self.model.steps_per_execution}."
            )
        self._forget()
        optimizer = self.model.optimizer
        if isinstance(
            getattr(optimizer, "_learning_rate", None),
            keras.optimizers.schedules.LearningRateSchedule,
        ):
            raise ValueError(
                "The range test sets the learning rate itself; compile the model with a plain "
                "number instead of a schedule."
            )
        if not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        self._weights = self.model.get_weights()
        self._optimizer = [keras.ops.convert_to_numpy(v) for v in optimizer.variables]

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Keras starts its mean of the loss anew."""
        self._sum, self._batches = 0.0, 0

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Sets the rate of this step."""
        self.model.optimizer.learning_rate = self.planned[len(self.rates)]

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Records the loss, and ends the fit when it diverges or all steps are done."""
        # Keras reports the mean since the epoch began; the loss of this batch is in its growth.
        self._batches += 1
        total = float((logs or {})["loss"]) * self._batches
        loss = total - self._sum
        self._sum = total
        self.rates.append(self.planned[len(self.rates)])
        self.losses.append(loss)
        self._mean = self.smoothing * self._mean + (1 - self.smoothing) * loss
        self.smoothed.append(self._mean / (1 - self.smoothing ** len(self.losses)))
        finite = math.isfinite(self.smoothed[-1])
        if not finite or self.smoothed[-1] > self.diverged * min(self.smoothed):
            self.model.stop_training = True
        if len(self.rates) == len(self.planned):
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Puts model and optimiser back."""
        self.restore()

    def restore(self) -> None:
        """Puts model and optimiser back; call it if the fit was interrupted."""
        self.model.set_weights(self._weights)
        for variable, value in zip(self.model.optimizer.variables, self._optimizer):
            variable.assign(value)

    @property
    def suggestion(self) -> float | None:
        """Rate at which the smoothed loss falls most steeply over the logarithm of the rate.

        None if the loss never fell: the lowest rate was too high, or there were too few steps.
        """
        losses = np.array([v for v in self.smoothed if math.isfinite(v)])
        if len(losses) < 3:
            return None
        rates = np.array(self.rates[: len(losses)])
        slope = np.gradient(losses, np.log(rates))
        steepest = int(np.argmin(slope))
        return float(rates[steepest]) if slope[steepest] < 0 else None

    @in_report_style
    def draw(self) -> Figure:
        """Loss over learning rate, with the suggestion marked.

        Raises:
            ValueError: If the test has not run yet.
        """
        return _draw(self.rates, self.losses, self.smoothed, self.suggestion, self.scale)


def _draw(rates: Any, losses: Any, smoothed: Any, suggestion: Any, scale: str) -> Figure:
    if not rates:
        raise ValueError("The range test has not run; give it to model.fit first.")
    figure, axes = make_figure(6.5, 4.0)
    axes.plot(rates, losses, color=COLOURS[5], linewidth=0.8, label="batch")
    axes.plot(rates, smoothed, color=COLOURS[0], linewidth=2, label="smoothed")
    if suggestion is not None:
        axes.axvline(
            suggestion, color=COLOURS[1], linestyle="--", label=f"steepest: {suggestion:.2g}"
        )
    axes.set_xscale("log" if scale == "geometric" else "linear")
    top = np.nanmax([v for v in smoothed if math.isfinite(v)] or [1.0])
    axes.set_ylim(0, 1.1 * top)
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss")
    axes.legend()
    return figure
