from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lab_models.contrastive.collapse import (
    FIGURES,
    CollapseFigures,
    CollapseSettings,
    alignment,
    collapse_figures,
    collapsed_epochs,
    effective_rank,
    is_collapsed,
    mean_cosine,
    uniformity,
)
from tflite.runtime.errors import LabError

NUMBERS = st.floats(-3, 3, width=32).map(lambda value: 0.0 if abs(value) < 1e-3 else value)


@st.composite
def labelled_embeddings(draw) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of any length, among them zero vectors and equal rows, of a few classes."""
    shape = draw(st.tuples(st.integers(2, 12), st.integers(1, 5)))
    embeddings = draw(arrays.arrays(np.float32, shape, elements=NUMBERS, fill=st.nothing()))
    labels = draw(st.lists(st.integers(0, 3), min_size=shape[0], max_size=shape[0]))
    return embeddings, 2 * np.array(labels)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    if min(lengths) == 0:
        return float(max(lengths) == 0)
    return float(a @ b / lengths[0] / lengths[1])


def brute_force(embeddings: np.ndarray, labels: np.ndarray) -> tuple[float, float, float]:
    """Mean cosine, alignment and uniformity, pair by pair."""
    rows = embeddings.astype(np.float64)
    sizes = {label: int((labels == label).sum()) for label in set(labels.tolist())}
    total = cosines = kernels = 0.0
    positive: dict[int, list[float]] = {}
    for i, j in itertools.permutations(range(len(rows)), 2):
        weight = 1 / sizes[labels[i]] / sizes[labels[j]]
        value = cosine(rows[i], rows[j])
        total += weight
        cosines += weight * value
        kernels += weight * math.exp(-2 * (2 - 2 * value))
        if labels[i] == labels[j]:
            positive.setdefault(labels[i], []).append(2 - 2 * value)
    means = [sum(values) / len(values) for values in positive.values()]
    aligned = sum(means) / len(means) if means else math.nan
    return cosines / total, aligned, math.log(kernels / total)


class TestFigures:
    @given(labelled_embeddings())
    def test_equal_a_double_loop(self, case):
        embeddings, labels = case
        figures = collapse_figures(embeddings, labels)
        expected = brute_force(embeddings, labels)
        got = (figures.mean_cosine, figures.alignment, figures.uniformity)
        np.testing.assert_allclose(got, expected, atol=1e-9)

    @given(labelled_embeddings())
    def test_without_labels_every_row_counts_the_same(self, case):
        embeddings, _ = case
        each_its_own = np.arange(len(embeddings))
        for figure in (mean_cosine, effective_rank, uniformity):
            assert figure(embeddings) == pytest.approx(figure(embeddings, each_its_own), abs=1e-9)

    @given(labelled_embeddings())
    def test_the_effective_rank_is_the_entropy_of_the_singular_values(self, case):
        embeddings, labels = case
        rows = []
        for row, label in zip(embeddings.astype(np.float64), labels):
            length = np.linalg.norm(row)
            unit = np.append(row / length, 0) if length else np.append(0 * row, 1)
            rows.append(unit / math.sqrt((labels == label).sum()))
        # Singular values are the roots of the eigenvalues of the Gram matrix.
        values = np.sqrt(np.clip(np.linalg.eigvalsh(np.array(rows) @ np.array(rows).T), 0, None))
        shares = [value / values.sum() for value in values if value > 1e-7]
        expected = math.exp(-sum(share * math.log(share) for share in shares))
        rank = effective_rank(embeddings, labels)
        assert rank == pytest.approx(expected, rel=1e-4)
        assert 1 <= rank <= min(len(rows), embeddings.shape[1] + 1) + 1e-9

    @given(labelled_embeddings(), st.floats(0.01, 100))
    def test_the_length_of_rows_does_not_matter(self, case, factor):
        embeddings, labels = case
        first = collapse_figures(embeddings, labels)
        second = collapse_figures(np.float64(embeddings) * factor, labels)
        np.testing.assert_allclose(
            list(first.to_dict().values()), list(second.to_dict().values()), atol=1e-7
        )

    @given(labelled_embeddings(), st.integers(2, 3))
    def test_a_class_counts_the_same_however_often_its_images_are_there(self, case, times):
        embeddings, labels = case
        copies = np.where(labels == labels[0], times, 1)
        more = np.repeat(embeddings, copies, axis=0), np.repeat(labels, copies)
        assert effective_rank(*more) == pytest.approx(effective_rank(embeddings, labels), abs=1e-6)

    def test_one_point_collapse(self):
        figures = collapse_figures(np.tile([0.6, 0.8, 0.0], (50, 1)), np.arange(50) % 3)
        assert figures.mean_cosine == pytest.approx(1)
        assert figures.effective_rank == pytest.approx(1, abs=1e-6)
        assert figures.alignment == pytest.approx(0, abs=1e-12)
        assert figures.uniformity == pytest.approx(0, abs=1e-12)
        assert is_collapsed(figures)

    def test_collapse_to_the_zero_vector_is_a_collapse(self):
        figures = collapse_figures(np.zeros((20, 4)), np.arange(20) % 2)
        one_point = collapse_figures(np.ones((20, 4)), np.arange(20) % 2)
        assert figures.to_dict() == pytest.approx(one_point.to_dict(), abs=1e-9)
        assert is_collapsed(figures)

    def test_rows_in_all_directions(self):
        figures = collapse_figures(np.repeat(np.eye(5), 4, axis=0), np.repeat(np.arange(5), 4))
        assert figures.effective_rank == pytest.approx(5)
        assert figures.alignment == 0
        assert figures.mean_cosine == pytest.approx(3 / 19)
        assert not is_collapsed(figures)

    @pytest.mark.parametrize("counts", [(50, 50), (95, 5), (990, 10)])
    def test_two_classes_at_opposite_points_are_no_collapse_at_any_imbalance(self, counts):
        labels = np.repeat([0, 1], counts)
        embeddings = np.where(labels[:, None] == 0, 1.0, -1.0) * np.array([[0.6, 0.8]])
        figures = collapse_figures(embeddings, labels)
        assert abs(figures.mean_cosine) < 0.1
        assert figures.effective_rank == pytest.approx(1)
        assert figures.uniformity == pytest.approx(math.log(0.5), abs=0.1)
        assert not is_collapsed(figures)

    def test_imbalance_alone_raises_the_plain_mean_cosine(self):
        embeddings = np.repeat([[1.0, 0.0], [-1.0, 0.0]], [95, 5], axis=0)
        assert mean_cosine(embeddings) == pytest.approx(0.81, abs=0.005)

    def test_more_rows_than_a_block(self):
        generator = np.random.default_rng(0)
        embeddings, labels = generator.normal(size=(2100, 3)), generator.integers(0, 4, 2100)
        points = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
        weights = 1 / np.bincount(labels)[labels]
        kernel = np.exp(4 * points @ points.T - 4) * np.outer(weights, weights)
        pairs = np.outer(weights, weights)
        expected = math.log((kernel.sum() - np.trace(kernel)) / (pairs.sum() - np.trace(pairs)))
        assert uniformity(embeddings, labels) == pytest.approx(expected, abs=1e-9)

    def test_alignment_without_pairs_is_not_a_number(self):
        assert math.isnan(alignment(np.eye(3), [0, 1, 2]))

    @pytest.mark.parametrize("dtype", ["float16", "float32"])
    def test_lower_precision_is_enough(self, dtype):
        embeddings = np.random.default_rng(0).normal(size=(40, 8))
        labels = np.arange(40) % 4
        exact = list(collapse_figures(embeddings, labels).to_dict().values())
        got = list(collapse_figures(embeddings.astype(dtype), labels).to_dict().values())
        np.testing.assert_allclose(got, exact, rtol=1e-3, atol=1e-3)

    def test_names(self):
        assert FIGURES == ("mean_cosine", "effective_rank", "alignment", "uniformity")

    @pytest.mark.parametrize(
        ("embeddings", "labels", "message"),
        [
            (np.ones((1, 3)), [0], r"at least 2 images, got the shape \(1, 3\)"),
            (np.ones(3), [0, 1, 2], r"got the shape \(3,\)"),
            (np.ones((3, 0)), [0, 1, 2], r"got the shape \(3, 0\)"),
            (np.ones((3, 2)), [0, 1], "each of the 3 embeddings"),
            ([[1, np.nan], [1, 2], [np.inf, 0]], [0, 1, 1], "2 of 3 embeddings .* not finite"),
        ],
    )
    def test_bad_input_is_refused(self, embeddings, labels, message):
        with pytest.raises(LabError, match=message):
            collapse_figures(embeddings, labels)


def figures_of(cosine: float, rank: float = 3.0) -> CollapseFigures:
    return CollapseFigures(cosine, rank, 0.1, -1.0)


class TestJudgement:
    def test_limits(self):
        settings = CollapseSettings(largest_mean_cosine=0.9, smallest_effective_rank=2)
        assert not is_collapsed(figures_of(0.89, 2.0), settings)
        assert is_collapsed(figures_of(0.9, 2.0), settings)
        assert is_collapsed(figures_of(0.0, 1.9), settings)

    @pytest.mark.parametrize(
        ("cosines", "count"),
        [
            ([], 0),
            ([1.0], 1),
            ([0.9, 0.99995, 1.0], 2),
            ([1.0, 1.0, 0.9998], 0),
            ([1.0, 0.5, 1.0], 1),
        ],
    )
    def test_epochs_in_a_row(self, cosines, count):
        assert collapsed_epochs([figures_of(value) for value in cosines]) == count

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"largest_mean_cosine": 1.5}, r"largest_mean_cosine must be in 0..1, got 1.5"),
            ({"smallest_effective_rank": 0.5}, "smallest_effective_rank must be at least 1"),
            ({"patience": 0}, "patience must be at least 1, got 0"),
            ({"patience": float("nan")}, "patience must be at least 1, got nan"),
        ],
    )
    def test_settings_out_of_range_are_refused(self, changes, message):
        with pytest.raises(LabError, match=message):
            CollapseSettings(**changes)
