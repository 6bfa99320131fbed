from __future__ import annotations

import numpy as np
import pytest

from pipelines.augment_settings import AugmentSettings, hal_transfer
from pipelines.augment_sheet import SheetSettings, choose_rows, draw_sheet
from tests.pipelines.fake_manifest import FakeManifest, write_manifest
from tflite.runtime.contract import InputContract
from tflite.runtime.errors import LabError

CONTRACT = InputContract(height=16, width=16)
LOOK = SheetSettings(versions=3, picture=16, gap=4, text=10, margin=60)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory) -> FakeManifest:
    return write_manifest(tmp_path_factory.mktemp("images"), (20, 7, 2))


class TestChooseRows:
    def test_every_class_comes_before_any_comes_twice(self, manifest):
        assert manifest.label_ids[choose_rows(manifest, 3, 0)].tolist() == [0, 1, 2]
        assert (
            manifest.label_ids[choose_rows(manifest, 8, 0)].tolist() == [0] * 3 + [1] * 3 + [2] * 2
        )

    def test_no_row_comes_twice(self, manifest):
        for count in (1, 10, 29, 100):
            rows = choose_rows(manifest, count, 0)
            assert len(set(rows)) == len(rows) == min(count, 29)

    def test_the_seed_decides(self, manifest):
        first, again, other = (choose_rows(manifest, 5, seed) for seed in (0, 0, 1))
        assert (first == again).all()
        assert (first != other).any()

    def test_no_rows_are_refused(self, manifest):
        with pytest.raises(LabError, match="at least one image"):
            choose_rows(manifest, 0, 0)


class TestDrawSheet:
    rows = np.array([3, 12, 28])

    def draw(self, manifest, augment=None, **look):
        settings = SheetSettings(**{**vars(LOOK), **look})
        augment = augment or AugmentSettings(exposure=0.5)
        return np.asarray(draw_sheet(manifest, self.rows, CONTRACT, augment, 0, settings))

    def pictures(self, sheet: np.ndarray) -> np.ndarray:
        """The flat colour of each picture, by line and column."""
        top = round(3.6 * LOOK.text) + LOOK.gap + 8
        columns = [60 + 8, *(60 + 4 + i * 20 + 8 for i in (1, 2, 3))]
        return sheet[[top, top + 20, top + 40]][:, columns, 0]

    def test_originals_stand_first_and_versions_differ(self, manifest):
        found = self.pictures(self.draw(manifest))
        np.testing.assert_array_equal(found[:, 0], 2 * self.rows)
        assert all(len(set(line)) == 4 for line in found[1:].tolist())

    def test_without_augmentation_all_are_the_original(self, manifest):
        found = self.pictures(self.draw(manifest, AugmentSettings()))
        np.testing.assert_array_equal(found, np.repeat(2 * self.rows[:, None], 4, axis=1))

    def test_the_size_follows_from_the_settings(self, manifest):
        low = self.draw(manifest)
        wide = self.draw(manifest, versions=5)
        assert wide.shape[1] - low.shape[1] == 2 * (16 + 4)
        mixed = self.draw(manifest, AugmentSettings(mixup_probability=1.0))
        assert mixed.shape[0] > low.shape[0]

    def test_it_is_the_same_again(self, manifest):
        settings = hal_transfer()
        np.testing.assert_array_equal(self.draw(manifest, settings), self.draw(manifest, settings))

    @pytest.mark.parametrize("name", ["versions", "picture", "gap", "text", "margin"])
    def test_bad_fields_are_named(self, name):
        with pytest.raises(LabError, match=name):
            SheetSettings(**{name: 0})
