"""The archive with one array of images and one of labels, and the arrays of all archives."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import image_arrays
from pipelines.datasets import open_dataset, recognise
from pipelines.errors import ManifestError
from pipelines.image_cache import load_images
from pipelines.manifest import check_manifest, read_manifest, write_manifest
from pipelines.same_content import same_content
from pipelines.split import split_manifest
from tests.pipelines.archives import noise, save
from tests.pipelines.disk import write_images
from tflite.runtime.contract import InputContract
from tflite.runtime.preprocess import decode_image

IMAGES = noise(6, 9, 7, 3)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def test_images_are_those_of_the_array(tmp_path):
    file = save(tmp_path / "cells.npz", images=IMAGES, labels=LABELS)
    manifest = open_dataset(file)
    assert manifest.root == tmp_path
    assert manifest.table["path"].tolist() == [f"cells.npz#array=images,{i}" for i in range(6)]
    assert manifest.table["label"].tolist() == ["0", "1", "2", "0", "1", "2"]
    assert set(manifest.table["split"]) == {""}
    for row, path in enumerate(manifest.paths()):
        assert np.array_equal(np.asarray(decode_image(path)), IMAGES[row])
    assert load_images(manifest, np.array([5, 0]), InputContract(8, 8)).shape == (2, 8, 8, 3)


def test_a_folder_with_one_archive(tmp_path):
    save(tmp_path / "cells.npz", images=IMAGES, labels=LABELS)
    assert recognise(tmp_path) == ("npz", "the folder holds 'cells.npz'")
    assert len(open_dataset(tmp_path)) == 6
    save(tmp_path / "more.npz", images=IMAGES, labels=LABELS).rename(tmp_path / "more.NPZ")
    with pytest.raises(ManifestError, match=r"found several: 'cells\.npz', 'more\.NPZ'; name"):
        open_dataset(tmp_path)


def test_archives_beside_class_folders_are_left_alone(tmp_path):
    write_images(tmp_path, ["x/1.png", "y/1.png"])
    save(tmp_path / "features.npz", images=IMAGES, labels=LABELS)
    assert recognise(tmp_path)[0] == "folders"


LABEL_FORMS = {
    "int64": LABELS,
    "uint8 in a column": LABELS.astype(np.uint8)[:, None],
    "big-endian": LABELS.astype(">i4"),
    "one-hot": np.eye(3, dtype=np.uint8)[LABELS],
    "one-hot of floats": np.eye(3, dtype=np.float32)[LABELS],
    "one-hot of bools": np.eye(3, dtype=bool)[LABELS],
}


@pytest.mark.parametrize("form", LABEL_FORMS)
@pytest.mark.parametrize(
    ("names", "expected"), [(None, list("012012")), ("c, b,a", list("cbacba")), ("c,b,a,d", None)]
)
def test_labels_and_their_names(tmp_path, form, names, expected):
    file = save(tmp_path / "cells.npz", images=IMAGES, labels=LABEL_FORMS[form])
    manifest = open_dataset(file, names=names)
    assert manifest.table["label"].tolist() == (expected or list("cbacba"))
    assert manifest.classes == tuple(manifest.table["label"][:3])
    check_manifest(manifest)


@pytest.mark.parametrize("kind", ["U", "S"])
def test_labels_that_are_names(tmp_path, kind):
    words = np.array(["monocyte", "blast", "monocyte", "blast", "blast", "größer"])
    given = words if kind == "U" else np.char.encode(words, "utf-8")
    file = save(tmp_path / "cells.npz", images=IMAGES, labels=given)
    assert open_dataset(file).table["label"].tolist() == words.tolist()
    with pytest.raises(ManifestError, match="holds the classes as text; leave the option names"):
        open_dataset(file, names="a,b")


def test_numbers_stand_in_the_order_of_numbers(tmp_path):
    file = save(tmp_path / "cells.npz", images=noise(12, 4, 4, 3), labels=np.arange(12))
    assert open_dataset(file).classes == tuple(map(str, range(12)))


@pytest.mark.parametrize(
    ("arrays", "options", "found"),
    [
        ({"a": IMAGES, "b": LABELS}, {}, ("a", "b")),
        ({"masks": IMAGES[..., 0], "images": IMAGES, "labels": LABELS}, {}, ("images", "labels")),
        ({"x": IMAGES, "y": LABELS, "ids": LABELS}, {}, ("x", "y")),
        ({"x": IMAGES, "y": LABELS, "other": np.arange(9)}, {}, ("x", "y")),
        ({"a": IMAGES, "b": IMAGES, "c": LABELS}, {"images": "b"}, ("b", "c")),
        ({"a": IMAGES, "b": LABELS, "c": LABELS}, {"labels": "c"}, ("a", "c")),
        ({"a": IMAGES, "1": LABELS, "2": LABELS}, {"labels": 2}, ("a", "2")),
    ],
)
def test_the_arrays_are_found_or_named(tmp_path, arrays, options, found):
    manifest = open_dataset(save(tmp_path / "cells.npz", **arrays), **options)
    assert manifest.table["path"][0] == f"cells.npz#array={found[0]},0"
    assert manifest.table["label"].tolist() == list("012012")


DEEP = (noise(6, 9, 7, 3).astype(np.uint16) << 8) + 255


@pytest.mark.parametrize(
    ("images", "noted"), [(IMAGES[..., 0], False), (IMAGES[..., :1], False), (DEEP, True)]
)
def test_grey_images_and_those_of_16_bits(tmp_path, images, noted):
    manifest = open_dataset(save(tmp_path / "cells.npz", images=images, labels=LABELS))
    pixels = np.asarray(decode_image(manifest.path(2)))
    expected = (images[2] >> 8 if noted else images[2]).reshape(9, 7, -1)
    assert np.array_equal(pixels, np.broadcast_to(expected, (9, 7, 3)))
    assert ("uint16, of which the upper 8 bits are used" in " ".join(manifest.notes)) == noted


UNFIT = {
    "no image": ({"labels": LABELS}, "holds no array that could be the images; it holds labels"),
    "no label": ({"images": IMAGES}, "holds no array that could be the labels; it holds images"),
    "nothing": ({}, "holds no array that could be the images; it holds no array"),
    "two of both": (
        {"a": IMAGES, "b": IMAGES, "c": LABELS},
        r"several arrays that could be the images; it holds a \(6, 9, 7, 3\) uint8, b .*option im",
    ),
    "too few labels": ({"images": IMAGES, "labels": LABELS[:5]}, "6 images and labels 5 labels"),
    "no items": ({"images": IMAGES[:0], "labels": LABELS[:0]}, "holds no image: its arrays have"),
    "floats": ({"images": IMAGES / 255, "labels": LABELS}, r"float64; images are uint8.*255 \* im"),
    "numbers of 64 bits": ({"images": IMAGES.astype(int), "labels": LABELS}, r"images\.astype"),
    "four colours": ({"images": noise(6, 9, 7, 4), "labels": LABELS}, r"shape \(6, 9, 7, 4\)"),
    "colours first": ({"images": noise(6, 3, 9, 7), "labels": LABELS}, r"np\.moveaxis\(images, 1,"),
    "no pixel": ({"images": noise(6, 0, 7, 3), "labels": LABELS}, "at least one pixel"),
    "words as images": ({"images": np.full((6, 2, 2), "a"), "labels": LABELS}, "holds <U1; images"),
    "labels of floats": ({"images": IMAGES, "labels": LABELS / 1}, r"Save labels\.astype\(np"),
    "labels without columns": ({"images": IMAGES, "labels": np.zeros((6, 0))}, r"shape \(6, 0\)"),
    "a negative label": (
        {"images": IMAGES, "labels": LABELS - 1},
        r"labels go from 0 on; '-1' stand\(s\) in item 0, 3\.",
    ),
    "several labels": (
        {"images": IMAGES, "labels": np.eye(3, dtype=int)[LABELS] + np.eye(6, 3, dtype=int)},
        r"3 row\(s\) are not one 1 among 0s: item 0, 1, 2\.",
    ),
    "an empty name": ({"images": IMAGES, "labels": np.array([*"abcde", ""])}, "there is no label"),
    "objects": (
        {"images": IMAGES, "labels": LABELS.astype(object)},
        "array labels: holds Python objects",
    ),
    "a name with a comma": ({"a,b": IMAGES, "labels": LABELS}, "rename the array 'a,b'"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_arrays_that_do_not_fit_are_told(tmp_path, case):
    arrays, message = UNFIT[case]
    file = save(tmp_path / "cells.npz", **arrays)
    with pytest.raises(ManifestError, match=message):
        open_dataset(file, "npz")
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": "masks"}, r"no array 'masks'; it has images \(6, 9, 7, 3\) uint8, labels \(6,"),
        ({"labels": "y"}, "no array 'y'; it has images"),
        ({"labels": "images"}, r"shape \(6, 9, 7, 3\); labels are \(images,\)"),
        ({"images": "labels", "labels": "labels"}, "holds int64; images are uint8"),
        ({"names": "a,b"}, r"from 0 to 1 \(a, b\); '2' stand\(s\) in item 2, 5\. Name the classes"),
        ({"names": "a,b,a"}, "all different, with commas between them, got 'a,b,a'"),
        ({"names": "a,,b"}, "all different"),
        ({"names": 5}, r"labels go from 0 to 0 \(5\); '1', '2' stand"),
        ({"names": True}, "The option names of the kind npz takes text"),
    ],
)
def test_options_that_do_not_fit_are_told(tmp_path, options, message):
    file = save(tmp_path / "cells.npz", images=IMAGES, labels=LABELS)
    with pytest.raises(ManifestError, match=message):
        open_dataset(file, **options)


def test_many_wrong_labels_are_named_by_the_first(tmp_path):
    file = save(tmp_path / "cells.npz", images=noise(40, 4, 4), labels=np.full(40, 9))
    with pytest.raises(ManifestError, match=r"'9' stand\(s\) in item 0, 1, 2, 3, 4 and 35 more"):
        open_dataset(file, names="a,b")


def test_a_mountain_of_labels_is_refused_before_it_is_read(tmp_path, monkeypatch):
    """10 MB that unpack to 10 GB of zeros: nothing but headers may be read."""
    monkeypatch.setattr(image_arrays, "check_archive", None)
    monkeypatch.setattr(image_arrays, "NpzArray", None)
    save(tmp_path / "cells.npz", images=IMAGES)
    header = np.zeros((6, 0)).tobytes()
    with zipfile.ZipFile(tmp_path / "cells.npz", "a", zipfile.ZIP_DEFLATED) as made:
        stream = made.open("labels.npy", "w", force_zip64=True)
        with stream:
            described = {"descr": "|u1", "fortran_order": False, "shape": (10**8, 1)}
            np.lib.format.write_array_header_1_0(stream, described)
            for _ in range(100):
                stream.write(header + bytes(10**6))
    with pytest.raises(ManifestError, match="6 images and labels 100,000,000 labels; there must"):
        open_dataset(tmp_path / "cells.npz")


@pytest.mark.parametrize(
    ("setting", "message"),
    [("MOST_IMAGES", "at most 5 images"), ("MOST_LABEL_BYTES", "take 48 bytes; at most 5 are")],
)
def test_more_than_can_be_meant(tmp_path, monkeypatch, setting, message):
    monkeypatch.setattr(image_arrays, setting, 5)
    with pytest.raises(ManifestError, match=message):
        open_dataset(save(tmp_path / "cells.npz", images=IMAGES, labels=LABELS))


def test_damaged_pixels_are_found_when_the_archive_is_read(tmp_path):
    file = tmp_path / "cells.npz"
    np.savez(file, images=IMAGES, labels=LABELS)
    data = bytearray(file.read_bytes())
    data[data.index(IMAGES[3].tobytes())] ^= 1
    file.write_bytes(data)
    with pytest.raises(ManifestError, match=r"is damaged: images\.npy cannot .*CRC"):
        open_dataset(file)


def test_a_table_of_it_is_read_split_and_compared(tmp_path):
    images = noise(40, 8, 8, 3)
    images[39] = images[0]
    file = save(tmp_path / "in" / "cells, all.npz", images=images, labels=np.arange(40) % 2)
    manifest = split_manifest(open_dataset(file))
    assert same_content(manifest.paths()).max() == 0
    assert manifest.table["split"][0] == manifest.table["split"][39]
    write_manifest(manifest, tmp_path / "out.csv", rebase=True)
    again = read_manifest(tmp_path / "out.csv")
    assert again.table["label"].tolist() == manifest.table["label"].tolist()
    assert np.array_equal(np.asarray(decode_image(again.path(7))), images[7])


@settings(max_examples=25)
@given(st.data())
def test_one_hot_rows_mean_what_their_numbers_mean(tmp_path_factory, data):
    classes = data.draw(st.integers(2, 6))
    labels = np.array(data.draw(st.lists(st.integers(0, classes - 1), min_size=1, max_size=8)))
    root = tmp_path_factory.mktemp("npz")
    images = noise(len(labels), 3, 3, 3)
    plain = open_dataset(save(root / "plain.npz", images=images, labels=labels))
    rows = np.eye(classes, dtype=np.float32)[labels]
    assert (
        open_dataset(save(root / "rows.npz", images=images, labels=rows))
        .table["label"]
        .equals(plain.table["label"])
    )
    assert plain.classes == tuple(str(n) for n in sorted(set(labels.tolist())))
