"""Pictures, layouts, galleries and tables of a report."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lab_models.report import html, plots
from lab_models.report.figures import look, save_figure
from lab_models.report.galleries import GallerySettings, thumbnail
from lab_models.report.json_text import flatten
from lab_models.report.projection import ProjectionSettings, choose_points, project
from pipelines.labels import HAL_CLASSES
from tests.lab_models.fake_run import make_history
from tflite.runtime.errors import LabError


def test_twenty_classes_look_different():
    assert len({look(n) for n in range(20)}) == 20


@pytest.mark.parametrize("classes", [2, 8, 20])
@pytest.mark.parametrize("normalised", [True, False])
def test_confusion_is_drawn_for_any_number_of_classes(tmp_path, classes, normalised):
    confusion = np.diag(np.arange(classes))  # the first class is absent
    figure = plots.plot_confusion(confusion, HAL_CLASSES[:classes], normalised)
    path = save_figure(figure, tmp_path / "c.png", dpi=20)
    with Image.open(path) as image:
        assert image.width > 80
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert texts == ({"100"} if normalised else set(map(str, range(1, classes))))


def test_small_shares_are_not_drawn_as_nothing():
    figure = plots.plot_confusion(np.array([[995, 5], [0, 0]]), ("a", "b"), normalised=True)
    assert [text.get_text() for text in figure.axes[0].texts] == ["100", "<1"]


@pytest.mark.parametrize("drop", [[], ["val_loss", "val_accuracy"], ["phase"], ["learning_rate"]])
def test_curves_are_drawn_of_what_is_there(tmp_path, drop):
    history = make_history().drop(columns=drop)
    figure = plots.plot_history(history)
    assert len(figure.axes) == (2 if "learning_rate" in drop else 3)
    lines = [line.get_label() for line in figure.axes[0].get_lines()]
    assert ("validation" in lines) == ("val_loss" not in drop)
    words = [text.get_text() for text in figure.axes[0].texts]
    assert words == ([] if "phase" in drop else ["head", "fine-tuning"])
    save_figure(figure, tmp_path / "h.png", dpi=20)


def test_pictures_leave_the_settings_of_matplotlib_alone():
    import matplotlib

    before = dict(matplotlib.rcParams)
    plots.plot_scatter(np.zeros((3, 2)), np.array([0, 1, 1]), ("a", "b", "c"), "t")
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_layouts_keep_groups_together_and_repeat(method):
    generator = np.random.default_rng(0)
    groups = np.repeat([0, 1], 30)
    features = generator.normal(size=(60, 80)) * 0.05 + groups[:, None]
    settings = ProjectionSettings(method, seed=4)
    places = project(features, settings)
    np.testing.assert_array_equal(places, project(features, settings))
    centres = np.stack([places[groups == g].mean(axis=0) for g in (0, 1)])
    nearest = np.linalg.norm(places[:, None] - centres, axis=2).argmin(axis=1)
    np.testing.assert_array_equal(nearest, groups)


@pytest.mark.parametrize("method", ["tsne", "pca"])
@pytest.mark.parametrize("shape", [(5, 3), (6, 1), (40, 2)])
def test_layouts_of_few_points_or_dimensions_exist(method, shape):
    features = np.random.default_rng(0).normal(size=shape)
    assert project(features, ProjectionSettings(method)).shape == (shape[0], 2)


@pytest.mark.parametrize("features", [np.zeros((20, 4)), np.zeros((2, 4)), np.zeros((0, 4))])
def test_what_cannot_be_laid_out_is_not(features):
    assert project(features, ProjectionSettings()) is None


def test_points_are_sampled_in_order():
    settings = ProjectionSettings(most_points=10)
    chosen = choose_points(100, settings)
    assert len(set(chosen)) == 10
    assert (np.diff(chosen) > 0).all()
    np.testing.assert_array_equal(choose_points(7, settings), np.arange(7))


def test_missing_umap_is_said_with_the_remedy(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(LabError, match="pip install umap-learn"):
        project(np.random.default_rng(0).normal(size=(9, 3)), ProjectionSettings("umap"))


@pytest.mark.parametrize("settings", [{"method": "x"}, {"most_points": 2}, {"perplexity": 0}])
def test_bad_layouts_are_refused(settings):
    with pytest.raises(LabError):
        ProjectionSettings(**settings)


def test_thumbnails_are_small_and_missing_for_bad_files(tmp_path):
    Image.new("RGB", (300, 150), "red").save(tmp_path / "a.bmp")
    assert thumbnail(tmp_path / "a.bmp", GallerySettings()).startswith("data:image/jpeg;base64,")
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8 no more")
    assert thumbnail(tmp_path / "b.jpg", GallerySettings()) == ""
    assert thumbnail(tmp_path / "none.jpg", GallerySettings()) == ""


def test_tables_escape_their_cells():
    text = html.table(["<a>"], [["<script>", "&"]], muted=[True])
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert 'class="muted"' in text


def test_a_page_leaves_empty_sections_out():
    page = html.page("T & U", "s", [("one", "One", "<p>x</p>"), ("two", "Two", "")])
    assert "<title>T &amp; U</title>" in page
    assert 'href="#one"' in page
    assert "Two" not in page


def test_flattening_names_every_leaf():
    value = {"a": {"b": [1, 2]}, "c": [{"d": 3}], "e": {}}
    assert dict(flatten(value)) == {"a.b": [1, 2], "c.0.d": 3}


def test_drawing_does_not_change_the_history():
    frame = make_history()
    before = frame.copy()
    plots.plot_history(frame)
    pd.testing.assert_frame_equal(frame, before)
