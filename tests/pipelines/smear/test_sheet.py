from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipelines.smear import SmearSettings, write_sheet
from pipelines.smear.picture import draw_image
from pipelines.smear.sheet import draw_sheet
from pipelines.smear.slides import plan
from tflite.runtime.errors import LabError

SETTINGS = SmearSettings(images=45, size=32)


def test_a_row_a_class_and_the_lookalikes():
    sheet = draw_sheet(SETTINGS, columns=2)
    assert sheet.shape == (21 * (32 + 20), 2 * 34, 3)
    assert sheet.dtype == np.uint8


def test_pictures_are_those_of_the_data_set():
    first = next(image for image in plan(SETTINGS) if image.kind == "segmented_neutrophil")
    sheet = draw_sheet(SETTINGS, columns=1)
    np.testing.assert_array_equal(sheet[18:50, :32], draw_image(SETTINGS, first))


def test_the_file_is_the_sheet(tmp_path):
    write_sheet(tmp_path / "sheet.png", SETTINGS, 1)
    found = cv2.imread(str(tmp_path / "sheet.png"))[..., ::-1]
    np.testing.assert_array_equal(found, draw_sheet(SETTINGS, 1))


@pytest.mark.parametrize(("name", "columns"), [("sheet.txt", 1), ("sheet.png", 0)])
def test_what_cannot_be_drawn_is_an_error(tmp_path, name, columns):
    with pytest.raises(LabError, match="sheet"):
        write_sheet(tmp_path / name, SETTINGS, columns)
    assert not list(tmp_path.iterdir())
