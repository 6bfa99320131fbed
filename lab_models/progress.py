"""Progress of a training with the time left, on a terminal and in a log."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

import keras


class Progress(keras.callbacks.Callback):
    """Prints a line an epoch, and on a terminal a running line between.

    Args:
        total_epochs: Of all phases together, the basis of the time left.
        done_epochs: Already trained, when a run goes on.
        stream: Where to print; standard error if None, so that results can be piped.
    """

    def __init__(
        self, total_epochs: int, done_epochs: int = 0, stream: TextIO | None = None
    ) -> None:
        super().__init__()
        self.total, self.first, self.stream = total_epochs, done_epochs, stream or sys.stderr
        self._start: float | None = None
        self._epoch, self._epoch_start = done_epochs, 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts the clocks."""
        now = time.perf_counter()
        self._start = now if self._start is None else self._start
        self._epoch, self._epoch_start = epoch, now

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Renews the running line, on a terminal only."""
        if self.stream.isatty():
            steps = (self.params or {}).get("steps") or 1
            share = (batch + 1) / steps
            text = f"epoch {self._epoch + 1}/{self.total} {share:4.0%} {_figures(logs or {})}"
            self.stream.write(f"\r\x1b[2K{text} {self._left(self._epoch + share)}")
            self.stream.flush()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Prints the epoch's line."""
        seconds = time.perf_counter() - self._epoch_start
        start = "\r\x1b[2K" if self.stream.isatty() else ""
        self.stream.write(
            f"{start}epoch {epoch + 1}/{self.total} {_figures(logs or {})} "
            f"{seconds:.0f} s, {self._left(epoch + 1)}\n"
        )
        self.stream.flush()

    def _left(self, epochs_done: float) -> str:
        fraction = epochs_done - self.first
        if fraction <= 0 or self._start is None:
            return ""
        elapsed = time.perf_counter() - self._start
        left = elapsed / fraction * (self.total - epochs_done)
        return f"{left / 60:.0f} min left" if left >= 90 else f"{left:.0f} s left"


def _figures(logs: dict[str, Any]) -> str:
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    return " ".join(f"{name} {logs[name]:.4f}" for name in names if name in logs)
