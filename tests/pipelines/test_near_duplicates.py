from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from pipelines.errors import ManifestError
from pipelines.near_duplicates import (
    COLUMN,
    ImageHashes,
    NearDuplicateSettings,
    find_pairs,
    hash_files,
    hash_image,
    join_pairs,
    mark_near_duplicates,
)
from tests.pipelines.disk import manifest_of
from tests.pipelines.untimed import UNTIMED


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


@settings(UNTIMED, max_examples=25)
@given(
    number=st.integers(0, 150),
    seed=st.integers(0, 99),
    distance=st.integers(0, 128),
    turns=st.sampled_from([1, 8]),
)
def test_pairs_are_those_of_comparing_bit_by_bit(number, seed, distance, turns):
    draws = np.random.default_rng(seed)
    few = draws.integers(0, 2, (7, 256))  # images gather around seven pictures
    bits = few[draws.integers(0, 7, (number, turns))] ^ (draws.random((number, turns, 256)) < 0.1)
    usable = draws.random(number) < 0.9
    words = np.packbits(bits.astype(np.uint8), axis=2).view(np.uint64)
    pairs, apart = find_pairs(ImageHashes(words.reshape(number, turns, 4), usable), distance)
    expected = {}
    for i in np.flatnonzero(usable):
        for j in np.flatnonzero(usable):
            least = int((bits[i, 0] != bits[j]).sum(1).min())
            if i < j and least <= distance:
                expected[int(i), int(j)] = least
    assert dict(zip(map(tuple, pairs.tolist()), apart.tolist())) == expected
    assert pairs.tolist() == sorted(pairs.tolist())


def test_more_images_than_a_block_holds():
    bits = np.random.default_rng(0).integers(0, 2**63, (1500, 1, 4), dtype=np.uint64)
    bits[1400:] = bits[:100]
    pairs, apart = find_pairs(ImageHashes(bits, np.ones(1500, bool)), 20)
    assert pairs.tolist() == [[row, row + 1400] for row in range(100)]
    assert not apart.any()


@UNTIMED
@given(pairs=st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=20))
def test_groups_hang_together_by_pairs(pairs):
    groups = join_pairs(np.array(pairs, np.int64).reshape(-1, 2), 20)
    near = {row: {row} for row in range(20)}
    for i, j in pairs:
        together = near[i] | near[j]
        for row in together:
            near[row] = together
    paired = {row for pair in pairs for row in pair}
    for i in range(20):
        assert (groups[i] == -1) == (i not in paired)
        for j in paired:
            assert (groups[i] == groups[j]) == (j in near[i])
    numbers = [group for group in groups.tolist() if group >= 0]
    assert list(dict.fromkeys(numbers)) == list(range(len(set(numbers))))


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
