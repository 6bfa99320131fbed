from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import ManifestError
from pipelines.inspection import features, measure
from pipelines.inspection.measure import measure_images
from pipelines.inspection.measurements import measure_file
from pipelines.inspection.nuclei import find_nuclei
from pipelines.inspection.settings import MeasurementSettings
from pipelines.manifest import make_manifest
from tests.pipelines.disk import manifest_of
from tests.pipelines.inspection.planted import save
from tests.pipelines.untimed import UNTIMED


@pytest.fixture
def counted(monkeypatch):
    """Paths that were measured."""
    seen = []

    def count(path, settings):
        seen.append(path.name)
        return measure_file(path, settings)

    monkeypatch.setattr(measure, "measure_file", count)
    return seen


def test_measures_once_and_keeps_it(tmp_path, counted):
    manifest = manifest_of(tmp_path / "cells", {"x": 3, "y": 2})
    (tmp_path / "cells" / "y" / "1.png").write_bytes(b"no image")
    first = measure_images(manifest, cache=tmp_path / "kept")
    assert len(counted) == 5
    second = measure_images(manifest, cache=tmp_path / "kept")
    assert len(counted) == 5
    assert (first.rows == second.rows).all()
    assert first.reasons == second.reasons
    assert list(first.reasons) == [4]


def test_measures_anew_what_was_changed_or_is_new(tmp_path, counted):
    manifest = manifest_of(tmp_path, {"x": 3})
    measure_images(manifest, cache=tmp_path / "kept")
    counted.clear()
    save(tmp_path / "x" / "1.png", np.zeros((9, 9, 3), np.uint8))
    save(tmp_path / "x" / "new.png", np.zeros((9, 9, 3), np.uint8))
    paths = ["x/0.png", "x/1.png", "x/2.png", "x/new.png"]
    more = make_manifest(pd.DataFrame({"path": paths, "label": "x"}), tmp_path)
    rows = measure_images(more, cache=tmp_path / "kept")
    assert counted == ["1.png", "new.png"]
    assert rows["height"].tolist() == [8, 9, 8, 9]
    counted.clear()
    measure_images(more, MeasurementSettings(side=64), cache=tmp_path / "kept")
    assert len(counted) == 4


def test_goes_on_after_an_interruption(tmp_path, counted, monkeypatch):
    monkeypatch.setattr(measure, "_CHUNK", 2)
    manifest = manifest_of(tmp_path, {"x": 6})

    def stop(done, total):
        assert total == 6
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_images(manifest, cache=tmp_path / "kept", progress=stop)
    counted.clear()
    measure_images(manifest, cache=tmp_path / "kept")
    assert counted == ["4.png", "5.png"]


def test_a_damaged_part_is_measured_anew(tmp_path, counted):
    manifest = manifest_of(tmp_path, {"x": 2})
    measure_images(manifest, cache=tmp_path / "kept")
    for part in (tmp_path / "kept").iterdir():
        part.write_bytes(part.read_bytes()[:100])
    measure_images(manifest, cache=tmp_path / "kept")
    assert len(counted) == 4


@pytest.mark.slow
def test_processes_measure_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "_FEW", 1)
    manifest = manifest_of(tmp_path, {"x": 3})
    assert (measure_images(manifest, workers=2).rows == measure_images(manifest).rows).all()


def test_bad_arguments(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 1})
    with pytest.raises(ManifestError, match="at least 1 process"):
        measure_images(manifest, workers=0)
    with pytest.raises(ManifestError, match="is a file"):
        measure_images(manifest, cache=tmp_path / "x" / "0.png")
    with pytest.raises(ManifestError, match=r"side must be 32.*joining must be"):
        MeasurementSettings(side=1, joining=2)


@settings(UNTIMED, max_examples=20)
@given(seed=st.integers(0, 999), low=st.integers(0, 255), spread=st.integers(0, 255))
def test_colours_are_counted_as_by_numpy(seed, low, spread):
    high = min(255, low + spread) + 1
    lab = np.random.default_rng(seed).integers(low, high, (9, 7, 3), dtype=np.uint8)
    expected = []
    for channel, (least, most) in enumerate(((0, 256), (96, 192), (64, 160))):
        values = np.clip(lab[..., channel], least, most - 1)
        expected.append(np.histogram(values, 12, (least, most))[0] / values.size)
    assert np.allclose(features._histograms(lab), np.sqrt(np.concatenate(expected)))


def disc(pixels, row, column, radius):
    rows, columns = np.ogrid[: pixels.shape[0], : pixels.shape[1]]
    pixels[np.hypot(rows - row, columns - column) <= radius] = (70, 30, 120)


@pytest.mark.parametrize("side", [96, 128, 360])
def test_nuclei_are_measured_at_any_size(side):
    pixels = np.full((side, side, 3), (230, 225, 228), np.uint8)
    disc(pixels, side * 0.5, side * 0.25, side * 0.15)
    disc(pixels, side * 0.5, side * 0.75, side * 0.1)
    nuclei = find_nuclei(pixels, 16, 55, 0.08)
    assert nuclei.first == pytest.approx(np.pi * 0.15**2, rel=0.1)
    assert nuclei.second == pytest.approx(np.pi * 0.1**2, rel=0.1)
    assert nuclei.gap == pytest.approx(0.25, abs=0.02)


def test_lobes_of_one_nucleus_are_joined():
    pixels = np.full((128, 128, 3), (230, 225, 228), np.uint8)
    for place in (40, 60, 80):
        disc(pixels, 64, place, 8)
    assert find_nuclei(pixels, 16, 55, 0.08).second == 0


def test_an_empty_field_has_no_nucleus():
    pixels = np.full((50, 30, 3), (230, 225, 228), np.uint8)
    assert find_nuclei(pixels, 16, 55, 0.08).first == 0
