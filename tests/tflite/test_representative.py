from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tflite.representative import (
    LabelledImages,
    RepresentativeSettings,
    choose_representative,
    load_images,
)
from tflite.runtime.contract import InputContract
from tflite.runtime.errors import ImageError, LabError
from tflite.runtime.preprocess import prepare_image


def choose(label_ids, classes, images, seed=0):
    labels = [f"class {i}" for i in range(classes)]
    return choose_representative(
        np.asarray(label_ids), labels, RepresentativeSettings(images, seed)
    )


@given(
    counts=st.lists(st.integers(1, 30), min_size=2, max_size=8),
    extra=st.integers(0, 60),
    seed=st.integers(0, 5),
)
def test_every_class_is_there_as_evenly_as_it_can_be(counts, extra, seed):
    label_ids = np.random.default_rng(seed).permutation(np.repeat(range(len(counts)), counts))
    wanted = len(counts) + extra
    chosen = choose(label_ids, len(counts), wanted, seed)
    assert len(chosen) == len(set(chosen.tolist())) == min(wanted, sum(counts))
    taken = np.bincount(label_ids[chosen], minlength=len(counts))
    # A class has fewer than another only because it has no more to give.
    for own, all_of_it in zip(taken, counts, strict=True):
        assert own == all_of_it or own >= taken.max() - 1


def test_the_draw_repeats_with_the_seed_and_differs_with_another():
    label_ids = np.arange(300) % 3
    first = choose(label_ids, 3, 30, seed=1)
    np.testing.assert_array_equal(first, choose(label_ids, 3, 30, seed=1))
    assert set(first.tolist()) != set(choose(label_ids, 3, 30, seed=2).tolist())


def test_a_class_without_training_images_is_named():
    with pytest.raises(LabError, match="no image of: class 1, class 3"):
        choose([0, 2, 2], 4, 10)


def test_fewer_images_than_classes_are_refused():
    with pytest.raises(LabError, match="each of the 3 classes, got images=2"):
        choose([0, 1, 2], 3, 2)


def test_images_are_those_of_the_input_path(tmp_path):
    contract = InputContract(8, 12, crop=0.9)
    generator = np.random.default_rng(0)
    paths = []
    for number in range(5):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(generator.integers(0, 256, (20, 30, 3), np.uint8)).save(paths[-1])
    images = load_images(paths, contract, workers=3)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, [prepare_image(path, contract) for path in paths])


def test_an_unreadable_image_is_named(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"")
    with pytest.raises(ImageError, match=r"bad\.png"):
        load_images([tmp_path / "bad.png"], InputContract(8, 8))


def test_labels_and_paths_must_be_as_many(image_files):
    with pytest.raises(LabError, match="one label an image"):
        LabelledImages(image_files.paths, image_files.label_ids[1:])
    taken = image_files.take(np.array([5, 0]))
    assert taken.name(0) == taken.paths[0].as_posix()
    assert taken.paths == (image_files.paths[5], image_files.paths[0])
    assert taken.label_ids.tolist() == [2, 0]


def test_names_are_relative_to_the_root_where_they_lie_below():
    paths = (Path("/data/slide 1/a.png"), Path("/elsewhere/b.png"))
    images = LabelledImages(paths, np.array([0, 1]), Path("/data"))
    assert [images.name(0), images.name(1)] == ["slide 1/a.png", "/elsewhere/b.png"]
    assert images.take(np.array([1, 0])).name(1) == "slide 1/a.png"
