from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lab_models.contrastive.collapse import FIGURES
from lab_models.report.contrastive import collapse_words, plot_collapse, with_embeddings
from lab_models.report.figures import save_figure
from tests.lab_models.fake_run import make_history


def contrastive_history() -> pd.DataFrame:
    """The first phase has embeddings, but for the last two of its epochs."""
    history = make_history()
    epochs = np.arange(len(history), dtype=float)
    values = (0.9 * 0.5**epochs, 3 + 0.8 * epochs, 0.8 * 0.8**epochs, -0.3 * epochs)
    for name, column in zip(FIGURES, values):
        history[name] = np.where(epochs < 10, column, np.nan)
    return history


def test_epochs_without_embeddings_are_left_out_at_the_ends():
    table = with_embeddings(contrastive_history())
    assert table.index.tolist() == list(range(10))
    later = contrastive_history()
    later.loc[:2, list(FIGURES)] = np.nan
    assert with_embeddings(later).index.tolist() == list(range(3, 10))


@pytest.mark.parametrize(
    "history", [make_history(), contrastive_history().assign(alignment=1).head(0)]
)
def test_a_history_without_embeddings_has_no_such_part(history):
    assert with_embeddings(history) is None
    with pytest.raises(ValueError, match="no values in the columns"):
        plot_collapse(history)


@pytest.mark.parametrize("first", [0, 2])
def test_four_curves_with_phases(tmp_path, first):
    history = contrastive_history()
    history.loc[: first - 1, list(FIGURES)] = np.nan
    figure = plot_collapse(history)
    assert [axes.get_title("left") for axes in figure.axes] == [
        "mean cosine", "effective rank", "alignment", "uniformity"
    ]  # fmt: skip
    for axes, name in zip(figure.axes, FIGURES):
        x, y = axes.get_lines()[0].get_data()
        np.testing.assert_array_equal(x, np.arange(first + 1, 11))
        np.testing.assert_allclose(y, history[name][first:10])
        assert [text.get_text() for text in axes.texts] == ["head", "fine-tuning"]
        borders = [line.get_xdata()[0] for line in axes.get_lines() if line.get_linestyle() == ":"]
        assert borders == [4.5]
    save_figure(figure, tmp_path / "c.png", dpi=20)


def test_the_last_figures_in_words():
    table = with_embeddings(contrastive_history())
    assert collapse_words(table, {"projection": {"units": 16}}) == (
        "No collapse: mean cosine 0.00, effective rank 10.2 of 16, alignment 0.11, uniformity "
        "-2.70 (epoch 10, phase fine-tuning)."
    )


def test_a_collapse_is_named_and_shown_in_enough_digits():
    table = with_embeddings(contrastive_history().assign(mean_cosine=0.99997))
    assert collapse_words(table, {}).startswith("Collapsed: mean cosine 0.999970, effective rank")
    lenient = {"collapse": {"largest_mean_cosine": 0.99999}}
    assert collapse_words(table, lenient).startswith("No collapse: mean cosine 0.999970")
