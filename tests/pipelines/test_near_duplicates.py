from __future__ import annotations

import os
from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageEnhance

from pipelines.errors import ManifestError
from pipelines.hash_pairs import find_pairs
from pipelines.near_duplicates import (
    COLUMN,
    NearDuplicateSettings,
    hash_files,
    hash_image,
    mark_near_duplicates,
)
from tests.pipelines.disk import manifest_of


def picture(seed, size=96):
    """A smooth image of its own for each seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC)


def save(image, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


def distance_between(one, other, **fields):
    chosen = NearDuplicateSettings(**fields)
    a, b = hash_image(one, chosen), hash_image(other, chosen)
    return np.bitwise_count(a[0] ^ b).sum(1).min()


ALTERED = {
    "half the size": lambda image: image.resize((48, 48)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "more contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.2),
    "cut by a pixel": lambda image: image.crop((1, 1, 95, 95)),
    **{turn.name: lambda image, turn=turn: image.transpose(turn) for turn in Image.Transpose},
}


@pytest.mark.parametrize("name", ALTERED)
def test_altered_images_stay_near_and_others_far(name):
    chosen = NearDuplicateSettings()
    assert distance_between(picture(1), ALTERED[name](picture(1))) <= chosen.distance - 8
    assert distance_between(picture(1), ALTERED[name](picture(2))) > chosen.distance + 8


def test_turns_can_be_left_out():
    turned = picture(1).transpose(Image.Transpose.ROTATE_90)
    assert distance_between(picture(1), turned, turns=False) > 48
    assert hash_image(picture(1), NearDuplicateSettings(turns=False)).shape == (1, 4)


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_empty_images_are_like_no_other(grey):
    assert hash_image(Image.new("RGB", (30, 20), (grey,) * 3), NearDuplicateSettings()) is None


def test_files_that_cannot_be_read_are_marked(tmp_path):
    save(picture(1), tmp_path / "a.png")
    (tmp_path / "b.png").write_text("no image")
    seen = []
    files = [tmp_path / "a.png", tmp_path / "b.png", tmp_path / "missing.png"]
    hashes = hash_files(files, progress=lambda done, total: seen.append((done, total)))
    assert hashes.usable.tolist() == [True, False, False]
    assert len(find_pairs(hashes, 256)[0]) == 0
    assert seen[-1] == (3, 3)


@pytest.mark.parametrize("size", [8, 16, 24, 32])
@pytest.mark.parametrize("seed", range(3))
def test_a_turned_picture_has_the_same_eight_forms(size, seed):
    settings = NearDuplicateSettings(hash_size=size, distance=4)
    small = picture(seed).convert("L").resize((4 * size,) * 2, Image.Resampling.LANCZOS)
    forms = hash_image(small, settings)
    assert (forms[0] == np.packbits(imagehash.phash(small, size).hash).view(np.uint64)).all()
    assert len(np.unique(forms, axis=0)) == 8
    for turn, own in zip(Image.Transpose, forms[1:], strict=True):
        turned = hash_image(small.transpose(turn), settings)
        assert (turned[0] == own).all()
        assert (np.unique(turned, axis=0) == np.unique(forms, axis=0)).all()


def test_a_manifest_names_the_groups_whatever_its_order(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 6})
    for row in range(6):
        save(picture(row), manifest.path(row))
    save(picture(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT), manifest.path(4))
    save(picture(1).resize((50, 50)), manifest.path(5))
    marked = mark_near_duplicates(manifest)
    assert marked.table[COLUMN].tolist() == ["", "x/1.png", "", "", "x/1.png", "x/1.png"]
    assert "3 images in 1 groups, the largest of 3" in marked.notes[-1]
    mixed = manifest.with_table(manifest.table.iloc[[5, 4, 3, 2, 1, 0]])
    assert mark_near_duplicates(mixed).table[COLUMN].tolist()[::-1] == marked.table[COLUMN].tolist()


def test_no_near_duplicates_are_told_too(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 2})
    save(Image.new("L", (8, 8)), manifest.path(0))
    marked = mark_near_duplicates(manifest)
    assert marked.table[COLUMN].tolist() == ["", ""]
    assert marked.notes[-1].endswith(
        "bits apart): none; 1 images are unreadable or too empty to be compared."
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hash_size": 12}, "hash_size must be 8, 16, 24 or 32, got 12"),
        ({"distance": 128}, "distance must be from 0 to below half of the 256 bits, got 128"),
        ({"distance": -1, "workers": 0}, "distance must.*; workers must be at least 1, got 0"),
        ({"minimum_contrast": float("nan")}, "minimum_contrast must be at least 0, got nan"),
    ],
)
def test_bad_settings_are_all_named(fields, message):
    with pytest.raises(ManifestError, match=message):
        NearDuplicateSettings(**fields)


@pytest.mark.skipif(
    "LAB_MODELS_DATA" not in os.environ, reason="LAB_MODELS_DATA is unset: no real images"
)
def test_planted_among_real_cells_all_are_found_and_no_others(tmp_path):
    files = sorted((Path(os.environ["LAB_MODELS_DATA"]) / "pbc" / "images").rglob("*.jpg"))[::20]
    turns = list(Image.Transpose)
    planted = []
    for number, file in enumerate(files[:60]):
        with Image.open(file) as image:
            copy = image.transpose(turns[number % len(turns)])
        if number % 3 == 0:
            copy = copy.crop((4, 4, copy.width - 4, copy.height - 4))
        elif number % 3 == 1:
            copy = ImageEnhance.Brightness(copy).enhance(1.15).resize((180, 180))
        planted.append(tmp_path / f"{number}.jpg")
        save(copy, planted[-1], quality=60)
    hashes = hash_files([*files, *planted])
    pairs, _ = find_pairs(hashes, NearDuplicateSettings().distance)
    assert pairs.tolist() == [[number, len(files) + number] for number in range(60)]
