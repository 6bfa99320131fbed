from __future__ import annotations

import numpy as np
import pytest

from pipelines.class_names import preferred_name
from pipelines.datasets import open_dataset, recognise
from pipelines.datasets.medmnist import ARRAYS
from pipelines.errors import ManifestError
from pipelines.leaks import check_leaks
from pipelines.manifest import check_manifest
from pipelines.split import split_manifest
from tests.pipelines.archives import CLASSES, SIDES, medmnist_arrays, noise, save
from tests.pipelines.disk import write_table
from tflite.runtime.preprocess import decode_image

WORDS = (
    "basophil", "eosinophil", "erythroblast",
    "immature granulocytes(myelocytes, metamyelocytes and promyelocytes)",
    "lymphocyte", "monocyte", "neutrophil", "platelet",
)  # fmt: skip
"""BloodMNIST's own words, in the order of its numbers."""


def test_its_own_split_and_the_classes_of_bloodmnist(tmp_path):
    arrays = medmnist_arrays(64)
    file = save(tmp_path / "bloodmnist_64.npz", **arrays)
    manifest = open_dataset(file)
    assert manifest.classes == CLASSES
    assert tuple(preferred_name(word, "bloodmnist") for word in WORDS) == CLASSES
    sides = {"train": "train", "val": "validation", "test": "test"}
    for side, split in sides.items():
        rows = manifest.rows(split)
        assert len(rows) == SIDES[side]
        for item in (0, SIDES[side] - 1):
            row = int(rows[item])
            assert manifest.table["path"][row] == f"bloodmnist_64.npz#array={side}_images,{item}"
            assert manifest.table["label"][row] == CLASSES[arrays[f"{side}_labels"][item, 0]]
            pixels = np.asarray(decode_image(manifest.path(row)))
            assert np.array_equal(pixels, arrays[f"{side}_images"][item])
    check_manifest(manifest)
    assert split_manifest(manifest).table["split"].equals(manifest.table["split"])


def test_classes_can_be_mapped_onto_those_of_pbc(tmp_path):
    save(tmp_path / "bloodmnist.npz", **medmnist_arrays())
    assert open_dataset(tmp_path, classes="pbc").classes[3] == "ig"


def test_other_sets_keep_their_numbers_unless_they_are_named(tmp_path):
    file = save(tmp_path / "breastmnist_128.npz", **medmnist_arrays(8, classes=2, colours=()))
    assert open_dataset(file).classes == ("0", "1")
    assert open_dataset(file, names="malignant, benign").classes == ("malignant", "benign")
    assert open_dataset(file, dataset="bloodmnist").classes == CLASSES[:2]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"dataset": "bloodmnist", "size": 64}, "bloodmnist_64.npz"),
        ({"dataset": "BloodMNIST", "size": 28}, "bloodmnist.npz"),
        ({"dataset": "pathmnist"}, "pathmnist.npz"),
    ],
)
def test_a_folder_of_several(tmp_path, options, name):
    save(tmp_path / "bloodmnist.npz", **medmnist_arrays(28))
    save(tmp_path / "bloodmnist_64.npz", **medmnist_arrays(64))
    save(tmp_path / "pathmnist.npz", **medmnist_arrays(28, classes=9))
    save(tmp_path / "other.npz", **medmnist_arrays(28))
    kind, reason = recognise(tmp_path)
    assert kind == "medmnist"
    assert reason.startswith("bloodmnist.npz, bloodmnist_64.npz, pathmnist.npz hold(s)")
    assert open_dataset(tmp_path, **options).table["path"][0] == f"{name}#array=train_images,0"
    with pytest.raises(
        ManifestError,
        match=r"found bloodmnist\.npz \(bloodmnist, 28 px\), bloodmnist_64\.npz \(bloodmnist, 64 "
        r"px\), pathmnist\.npz \(pathmnist, 28 px\)\. Choose one with the options dataset and",
    ):
        open_dataset(tmp_path)
    with pytest.raises(ManifestError, match="of dataset=bloodmnist size=224 was expected"):
        open_dataset(tmp_path, dataset="bloodmnist", size=224)


def test_a_renamed_archive_is_known_by_its_arrays(tmp_path):
    file = save(tmp_path / "cells.npz", **medmnist_arrays())
    assert recognise(file)[0] == "medmnist"
    assert open_dataset(file).classes == tuple("01234567")
    assert open_dataset(file, dataset="bloodmnist").classes == CLASSES
    with pytest.raises(ManifestError, match=r"size=64 was expected in .*found cells\.npz"):
        open_dataset(file, size=64)


def test_a_manifest_beside_it_goes_first(tmp_path):
    save(tmp_path / "bloodmnist.npz", **medmnist_arrays())
    write_table(tmp_path / "manifest.csv", "path,label", '"bloodmnist.npz#array=test_images,3",x')
    assert len(open_dataset(tmp_path)) == 1


def test_a_side_may_be_empty(tmp_path):
    arrays = medmnist_arrays()
    arrays |= {"val_images": noise(0, 28, 28, 3), "val_labels": np.zeros((0, 1), np.uint8)}
    manifest = open_dataset(save(tmp_path / "bloodmnist.npz", **arrays))
    assert manifest.table["split"].value_counts().to_dict() == {"train": 20, "test": 10}


def test_equal_images_on_two_sides_are_a_leak(tmp_path):
    arrays = medmnist_arrays()
    arrays["test_images"][4] = arrays["train_images"][7]
    manifest = open_dataset(save(tmp_path / "bloodmnist.npz", **arrays))
    with pytest.raises(ManifestError, match=r"file content .*test_images,4.*train_images,7"):
        check_leaks(manifest)


UNFIT = {
    "several labels": (
        {"train_labels": np.eye(20, 14, dtype=np.uint8)},
        r"train_labels: has 14 columns, that is, several labels for an image",
    ),
    "three dimensions": (
        {"val_images": noise(10, 28, 28, 28)},
        r"shape \(10, 28, 28, 28\); images",
    ),
    "labels too few": (
        {"test_labels": np.zeros((9, 1), int)},
        "10 images and test_labels 9 labels",
    ),
    "label out of range": (
        {"val_labels": np.full((10, 1), 8)},
        r"val_labels: labels go from 0 to 7 \(basophil, .*'8' stand\(s\) in item 0, 1, 2, 3, 4 and",
    ),
    "floats": ({"train_images": np.zeros((20, 28, 28, 3))}, "float64; images are uint8"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_arrays_that_do_not_fit_are_told(tmp_path, case):
    change, message = UNFIT[case]
    file = save(tmp_path / "bloodmnist.npz", **{**medmnist_arrays(), **change})
    with pytest.raises(ManifestError, match=message):
        open_dataset(file)


@pytest.mark.parametrize("name", [name for pair in ARRAYS for name in (pair.images, pair.labels)])
def test_an_array_that_is_missing_is_named(tmp_path, name):
    arrays = medmnist_arrays()
    del arrays[name]
    file = save(tmp_path / "bloodmnist.npz", **arrays)
    with pytest.raises(ManifestError, match=f"no array '{name}'; it has"):
        open_dataset(file, "medmnist")
    with pytest.raises(ManifestError, match=r"found none\. Choose"):
        open_dataset(tmp_path, "medmnist")


def test_a_truncated_archive_is_told_as_such(tmp_path):
    file = save(tmp_path / "bloodmnist.npz", **medmnist_arrays())
    file.write_bytes(file.read_bytes()[:5000])
    for kind in (None, "medmnist"):
        with pytest.raises(ManifestError, match=r"is no NumPy archive .*, or a truncated one"):
            open_dataset(file, kind)
