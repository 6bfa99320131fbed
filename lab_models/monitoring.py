"""Decisions that are made by looking back: best epoch, early stopping, plateau cuts.

All are pure functions of the values so far, so that a resumed run decides as the unbroken one
would have, with no hidden state to save.
"""

from __future__ import annotations

from collections.abc import Sequence


def best_epoch(values: Sequence[float], monitor: str, min_delta: float = 0.0) -> int:
    """Position of the best epoch: the last one that improved on all before by `min_delta`.

    Args:
        values: The monitored value after each epoch; at least one.
        monitor: Its name; a loss is better when lower, anything else when higher.
        min_delta: What counts as an improvement.
    """
    sign = 1.0 if monitor.endswith("loss") else -1.0
    best = 0
    for position, value in enumerate(values):
        if sign * value < sign * values[best] - min_delta:
            best = position
    return best


def should_stop(
    values: Sequence[float], monitor: str, patience: int, min_delta: float = 0.0
) -> bool:
    """Whether the last `patience` epochs brought no improvement (see `best_epoch`)."""
    if not values:
        return False
    return len(values) - 1 - best_epoch(values, monitor, min_delta) >= patience


def plateau_cuts(losses: Sequence[float], patience: int, min_delta: float) -> int:
    """How often the learning rate has been cut so far.

    A cut is made when the loss has not fallen by `min_delta` below its best for `patience`
    epochs; counting then starts again, as with Keras's ``ReduceLROnPlateau``.

    Args:
        losses: Validation loss after each epoch.
        patience: Epochs to wait.
        min_delta: What counts as a fall.
    """
    best, waited, cuts = float("inf"), 0, 0
    for loss in losses:
        if loss < best - min_delta:
            best, waited = loss, 0
            continue
        waited += 1
        if waited >= patience:
            cuts, waited = cuts + 1, 0
    return cuts
