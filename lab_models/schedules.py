"""Learning-rate schedules that Keras lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from lab_models.recipes.phase import Optimizer


@keras.saving.register_keras_serializable("lab_models")
class WarmUpSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A linear warm-up from zero, then a constant, cosine or REX course.

    With ``t`` the step after the warm-up and ``T`` the steps after it, the rate is the peak times
    1 (constant), ``(1 + cos(pi t/T)) / 2`` (cosine; Loshchilov and Hutter 2017, equation 5) or
    ``(1 - t/T) / (1/2 + (1 - t/T)/2)`` (REX; Chen et al. 2022; study particles).

    Args:
        kind: ``constant``, ``cosine`` or ``rex``.
        peak: The highest rate.
        total_steps: Steps of the phase, the warm-up included.
        warmup_steps: Steps in which the rate rises; fewer than `total_steps`.

    Raises:
        ValueError: If the kind is unknown or the warm-up fills the phase.
    """

    KINDS = ("constant", "cosine", "rex")

    def __init__(self, kind: str, peak: float, total_steps: int, warmup_steps: int = 0) -> None:
        super().__init__()
        if kind not in self.KINDS:
            raise ValueError(f"kind must be one of {self.KINDS}, got {kind!r}")
        if not 0 <= warmup_steps < total_steps:
            raise ValueError(
                f"warmup_steps must be at least 0 and below total_steps, got {warmup_steps} "
                f"of {total_steps}; shorten the warm-up or lengthen the phase"
            )
        self.kind, self.peak = kind, peak
        self.total_steps, self.warmup_steps = total_steps, warmup_steps

    def __call__(self, step: Any) -> Any:
        """The rate at an optimiser step (0 is the first), a float32 scalar tensor."""
        step = keras.ops.cast(step, "float32")
        # The first step already moves: (step + 1) / warm-up, so no step is spent at zero.
        rise = (step + 1.0) / max(self.warmup_steps, 1)
        span = self.total_steps - self.warmup_steps
        progress = keras.ops.clip((step - self.warmup_steps) / span, 0.0, 1.0)
        return self.peak * keras.ops.where(step < self.warmup_steps, rise, self._course(progress))

    def _course(self, progress: Any) -> Any:
        if self.kind == "cosine":
            return 0.5 * (1.0 + keras.ops.cos(3.141592653589793 * progress))
        if self.kind == "rex":
            return (1.0 - progress) / (0.5 + 0.5 * (1.0 - progress))
        return keras.ops.ones_like(progress)

    def get_config(self) -> dict[str, Any]:
        """The arguments, for saving."""
        return {
            "kind": self.kind,
            "peak": self.peak,
            "total_steps": self.total_steps,
            "warmup_steps": self.warmup_steps,
        }


def build_schedule(optimizer: Optimizer, steps_per_epoch: int, epochs: int) -> WarmUpSchedule:
    """The schedule that a phase's optimiser settings describe.

    ``plateau`` is a constant course here; its cuts depend on the validation loss and are made by
    the training loop.

    """
    kind = "constant" if optimizer.schedule == "plateau" else optimizer.schedule
    total = steps_per_epoch * epochs
    # A recipe's warm-up is shorter than its phase; rounding to whole steps must not change that.
    warmup = min(round(optimizer.warmup_epochs * steps_per_epoch), total - 1)
    return WarmUpSchedule(kind, optimizer.learning_rate, total, warmup)
