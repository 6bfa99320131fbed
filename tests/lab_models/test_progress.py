from __future__ import annotations

import io

import pytest

from lab_models.progress import Progress


class _Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("lab_models.progress.time.perf_counter", lambda: now[0])
    return now


def test_a_line_an_epoch_with_figures_and_the_time_left(clock):
    stream = io.StringIO()
    progress = Progress(total_epochs=4, stream=stream)
    progress.on_epoch_begin(0)
    clock[0] = 10.0
    progress.on_train_batch_end(0, {"loss": 1.0})
    progress.on_epoch_end(0, {"loss": 1.5, "val_accuracy": 0.25})
    assert stream.getvalue() == "epoch 1/4 loss 1.5000 val_accuracy 0.2500 10 s, 30 s left\n"


def test_a_resumed_run_judges_by_its_own_epochs(clock):
    stream = io.StringIO()
    progress = Progress(total_epochs=12, done_epochs=10, stream=stream)
    progress.on_epoch_begin(10)
    clock[0] = 200.0
    progress.on_epoch_end(10, {})
    assert stream.getvalue().endswith("200 s, 3 min left\n")


def test_a_terminal_sees_a_running_line(clock):
    stream = _Terminal()
    progress = Progress(total_epochs=2, stream=stream)
    progress.set_params({"steps": 4})
    progress.on_epoch_begin(0)
    clock[0] = 5.0
    progress.on_train_batch_end(1, {"loss": 0.5})
    assert "epoch 1/2  50% loss 0.5000 15 s left" in stream.getvalue()
    assert "\n" not in stream.getvalue()
