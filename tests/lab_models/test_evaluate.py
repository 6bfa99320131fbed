"""Evaluation from saved predictions."""

from __future__ import annotations

import json

import pytest

from lab_models.evaluate import EvaluationSettings, finish_report
from lab_models.report.projection import ProjectionSettings
from tests.lab_models.fake_run import make_fake_run

SETTINGS = EvaluationSettings(projection=ProjectionSettings(method="pca"))


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    run = make_fake_run(folder / "fake" / "now", images=folder / "images")
    return run, finish_report(run, SETTINGS)


def test_every_file_of_the_report_is_written(reported):
    run, figures = reported
    for path in (run.metrics, run.report, run.model_card, run.plots / "confusion.png"):
        assert path.stat().st_size > 0
    assert json.loads(run.metrics.read_text()) == figures
    assert not list(run.path.glob(".*"))
