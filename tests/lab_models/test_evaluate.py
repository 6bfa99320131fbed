"""Evaluation from saved predictions: figures, pictures, report and card."""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from lab_models.evaluate import EvaluationSettings, finish_report
from lab_models.report.galleries import GallerySettings
from lab_models.report.projection import ProjectionSettings
from lab_models.runs import RunError, write_json
from tests.lab_models.fake_run import make_fake_run
from tflite.runtime.errors import LabError

QUICK = ProjectionSettings(method="pca")
SETTINGS = EvaluationSettings(projection=QUICK, dpi=20)
ABC = ("a", "b", "c")


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    run = make_fake_run(folder / "fake" / "now", images=folder / "images")
    return run, finish_report(run, SETTINGS)


@pytest.fixture
def small(tmp_path):
    return make_fake_run(tmp_path / "fake" / "now", ABC, per_class=8)


class Page(HTMLParser):
    """Collects what a page refers to, and checks that its elements are closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.images, self.links, self.headings, self.text = [], [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)
        if tag == "img":
            self.images.append(values)
        self.links += [values[k] for k in ("href", "src") if k in values]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)
        self.text += data


def test_every_file_of_the_report_is_written(reported):
    run, figures = reported
    names = {path.stem for path in run.plots.iterdir()}
    assert names == {
        "confusion", "confusion_percent", "lymphocytes", "lymphocytes_percent", "recall",
        "reliability", "history", "scatter",
    }  # fmt: skip
    assert json.loads(run.metrics.read_text()) == figures
    assert figures["main_split"] == "test"
    assert list(figures["splits"]) == ["test", "validation"]
    assert not list(run.path.glob(".*"))


def test_the_page_is_whole_and_needs_no_network(reported):
    run, _ = reported
    page = Page(run.report.read_text())
    assert not page.open
    assert page.headings[0] == "Verdict"
    assert page.headings[-1] == "Limits"
    for link in page.links:
        assert link.startswith(("#", "data:image/"))
    assert "http" not in re.sub(r"base64,[^\"]+", "", run.report.read_text())
    for image in page.images:
        assert len(image["alt"]) > 10
        data = base64.b64decode(image["src"].split(",")[1])
        Image.open(io.BytesIO(data)).verify()


def test_what_comes_from_files_is_escaped(reported):
    run, _ = reported
    assert "empty &lt;file&gt; &amp; no image" in run.report.read_text()


def test_changes_from_the_recipe_are_shown(reported):
    run, _ = reported
    text = re.sub(r"<[^>]+>", "|", run.report.read_text())
    assert "batch_size||32||8" in text


def test_the_verdict_stands_first_in_words(reported):
    run, figures = reported
    accuracy = figures["splits"]["test"]["accuracy"]["value"]
    text = Page(run.report.read_text()).text
    assert f"names {100 * accuracy:.1f}\u00a0% correctly" in text
    assert text.index("correctly") < text.index("Classes", text.index("correctly"))
    assert "No slide has images in more than one split" in text


def test_the_card_says_what_the_report_says(reported):
    run, figures = reported
    card = run.model_card.read_text()
    assert f"{100 * figures['splits']['test']['macro_f1']['value']:.1f}" in card
    assert "a person confirms every cell" in card
    assert card.count("| hairy cell |") == 1


def test_a_run_without_extras_gets_a_report_too(small):
    for path in (
        small.features, small.history, small.manifest, small.quarantine, small.environment
    ):  # fmt: skip
        path.unlink()
    finish_report(small, SETTINGS)
    text = Page(small.report.read_text()).text
    assert "no features.npz" in text
    assert "no history.csv" in text
    assert "How the images were split is not known." in text
    assert "only their names are given" in text
    assert not (small.plots / "scatter.png").exists()


def test_making_it_again_gives_the_same_and_leaves_nothing_old(small):
    (small.plots).mkdir()
    (small.plots / "old.png").touch()
    finish_report(small, SETTINGS)
    first = {p.name: p.read_bytes() for p in (small.report, small.metrics, small.model_card)}
    finish_report(small, SETTINGS)
    assert first == {
        p.name: p.read_bytes() for p in (small.report, small.metrics, small.model_card)
    }
    assert not (small.plots / "old.png").exists()


def test_a_failure_leaves_the_old_report(small, monkeypatch):
    finish_report(small, SETTINGS)
    before = {p: p.stat().st_mtime_ns for p in small.path.rglob("*") if p.is_file()}
    monkeypatch.setattr("lab_models.report.write.write_model_card", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        finish_report(small, SETTINGS)
    assert before == {p: p.stat().st_mtime_ns for p in small.path.rglob("*") if p.is_file()}


def test_the_split_can_be_chosen(small):
    figures = finish_report(small, EvaluationSettings(split="validation", projection=QUICK, dpi=20))
    assert figures["main_split"] == "validation"
    with pytest.raises(RunError, match="no image of the split 'nonsense'"):
        finish_report(small, EvaluationSettings(split="nonsense", projection=QUICK))


def test_validation_alone_is_enough(tmp_path):
    run = make_fake_run(tmp_path / "f" / "n", ABC, per_class=8, splits=("validation",))
    assert finish_report(run, SETTINGS)["main_split"] == "validation"


def test_the_recipe_says_whose_mistakes_are_shown(small):
    write_json(small.recipe_json, {"name": "fake", "focus_class": "b"})
    finish_report(small, SETTINGS)
    assert "Missed: b named otherwise" in Page(small.report.read_text()).text
    finish_report(small, EvaluationSettings(projection=QUICK, dpi=20, gallery=GallerySettings("c")))
    assert "Missed: c named otherwise" in Page(small.report.read_text()).text
    with pytest.raises(LabError, match="no class 'zebra'"):
        finish_report(
            small, EvaluationSettings(projection=QUICK, dpi=20, gallery=GallerySettings("zebra"))
        )


def test_an_export_of_an_earlier_version_is_said_to_be_one(small):
    small.tflite.mkdir()
    write_json(small.tflite / "parity.json", {"images": 120, "models": {}})
    finish_report(small, SETTINGS)
    page = Page(small.report.read_text())
    assert "On the device" in page.headings
    assert "exported by an earlier version" in page.text


@pytest.mark.parametrize(
    ("break_it", "match"),
    [
        (lambda run: run.predictions.unlink(), "has no predictions.csv"),
        (lambda run: run.contract_json.unlink(), "has no contract.json"),
        (lambda run: run.recipe_json.write_text("{"), "not valid JSON"),
        (lambda run: run.history.write_bytes(b'"'), "training history"),
        (lambda run: run.predictions.write_text("a,b\n1,2\n"), "lacks the columns"),
    ],
)
def test_a_broken_run_gets_one_clear_error_and_no_report(small, break_it, match):
    break_it(small)
    with pytest.raises(LabError, match=match):
        finish_report(small, SETTINGS)
    assert not small.report.exists()
    assert not small.plots.exists()


def test_what_is_no_run_is_said_to_be_none(tmp_path):
    from lab_models.runs import RunDirectory

    with pytest.raises(RunError, match="no run directory"):
        finish_report(RunDirectory(tmp_path), SETTINGS)
