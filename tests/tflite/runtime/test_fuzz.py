"""Damaged bundles, sidecars and images by the hundred; by the thousand with ``-m slow``.

    pytest -m slow tests/tflite/runtime/test_fuzz.py

prints how many cases were tried and what became of them. Damage is drawn from a seed, so a case
that fails can be drawn again.
"""

import collections
import dataclasses
import io
import json
import random
import warnings
import zipfile

import numpy as np
import pytest
from PIL import Image

from tflite.runtime.bundle import beside_paths, bundle_bytes, read_bundle
from tflite.runtime.classifier import Classifier
from tflite.runtime.contract import InputContract
from tflite.runtime.errors import BundleError, ImageError, LabError
from tflite.runtime.preprocess import prepare_image
from tflite.runtime.sidecar import read_sidecar

pytestmark = pytest.mark.device

FEW = pytest.param(400, id="400")


def many(count):
    return pytest.param(count, marks=pytest.mark.slow, id=str(count))


def flip_bit(data, draw):
    place = draw.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << draw.randrange(8)]) + data[place + 1 :]


def flip_bits(data, draw):
    for _ in range(draw.randint(2, 20)):
        data = flip_bit(data, draw)
    return data


def span(data, draw):
    start = draw.randrange(len(data))
    return start, min(len(data), start + draw.choice([1, 2, 4, 16, 64, 512]))


def truncate(data, draw):
    return data[: draw.randrange(len(data))]


def behead(data, draw):
    return data[draw.randrange(1, len(data)) :]


def delete(data, draw):
    start, end = span(data, draw)
    return data[:start] + data[end:]


def repeat(data, draw):
    start, end = span(data, draw)
    return data[:end] + data[start:]


def insert(data, draw):
    start, _ = span(data, draw)
    return data[:start] + draw.randbytes(draw.choice([1, 4, 100])) + data[start:]


def fill(data, draw):
    start, end = span(data, draw)
    return data[:start] + bytes([draw.choice([0, 0xFF, 0x20])]) * (end - start) + data[end:]


def move(data, draw):
    (start, end), place = span(data, draw), draw.randrange(len(data))
    rest = data[:start] + data[end:]
    return rest[:place] + data[start:end] + rest[place:]


def whole_number(data, draw):
    """A length or an offset that is far too large, too small or negative."""
    place = draw.randrange(max(1, len(data) - 4))
    number = draw.choice([0, 1, 2**31 - 1, 2**32 - 1, 2**16, len(data), len(data) - 1])
    return data[:place] + number.to_bytes(4, draw.choice(["little", "big"])) + data[place + 4 :]


DAMAGE = (
    flip_bit, flip_bits, truncate, behead, delete, repeat, insert, fill, move, whole_number,
)  # fmt: skip


def damaged(data, draw):
    """The data with one or two kinds of damage, never as it was."""
    while True:
        result = data
        for kind in draw.choices(DAMAGE, k=draw.choice([1, 1, 1, 2])):
            result = kind(result, draw) if result else result
        if result != data:
            return result


def report(capsys, what, outcomes):
    with capsys.disabled():
        print(f"\n{what}: {sum(outcomes.values())} cases, {dict(outcomes)}")


@pytest.mark.parametrize("cases", [FEW, many(6000)])
def test_a_damaged_bundle_is_refused_or_is_read_as_it_was(
    bundle_copy, golden_bundle, cases, capsys
):
    for beside in beside_paths(bundle_copy):
        beside.unlink()
    content, outcomes = bundle_copy.read_bytes(), collections.Counter()
    appendix = len(golden_bundle.model)
    for seed in range(cases):
        draw = random.Random(seed)
        if seed % 2:  # the zip is a seventh of the file and the part that has to be parsed
            data = content[:appendix] + damaged(content[appendix:], draw)
        else:
            data = damaged(content, draw)
        bundle_copy.write_bytes(data)
        try:
            bundle = read_bundle(bundle_copy)
        except BundleError:
            outcomes["refused"] += 1
        else:
            # So the interpreter gets the very bytes that were exported, and the labels,
            # thresholds and contract that belong to them: its answers cannot be others.
            assert bundle.model == golden_bundle.model, seed
            assert bundle.sidecar == golden_bundle.sidecar, seed
            outcomes["read as it was"] += 1
    assert outcomes["refused"] > cases * 0.9
    if cases > 400:
        report(capsys, "damaged bundles", outcomes)


@pytest.mark.parametrize("cases", [pytest.param(100, id="100"), many(2000)])
def test_damaged_files_beside_are_refused(bundle_copy, cases, capsys):
    outcomes = collections.Counter()
    whole = {beside: beside.read_bytes() for beside in beside_paths(bundle_copy)}
    for seed in range(cases):
        draw = random.Random(seed)
        beside = draw.choice(list(whole))
        data = damaged(whole[beside], draw)
        beside.write_bytes(data)
        with pytest.raises(BundleError, match="does not belong"):
            read_bundle(bundle_copy)
        beside.write_bytes(whole[beside])
        outcomes["refused"] += 1
    read_bundle(bundle_copy)
    if cases > 400:
        report(capsys, "damaged files beside", outcomes)


VALUES = (
    None, True, 0, -1, 1, 2**31, 10**30, 1.5, -0.0, 1e308, float("nan"), float("inf"), "", "0",
    "lymphocyte", "\udcff", [], [0], ["a", "b", "c"], {}, {"a": 1}, [[[]]],
)  # fmt: skip


def replaced(values, draw):
    """A JSON document with one value, at any depth, replaced, removed or added."""
    place, key = values, None
    while isinstance(place, (dict, list)) and place:
        parent, key = (
            place,
            draw.choice(list(place) if isinstance(place, dict) else range(len(place))),
        )
        place = parent[key]
        if draw.random() < 0.3:
            break
    kind = draw.choice(["replace", "replace", "replace", "remove", "add"])
    if kind == "replace":
        parent[key] = draw.choice(VALUES)
    elif kind == "remove":
        del parent[key]
    elif isinstance(parent, dict):
        parent[draw.choice(["a", "path", "__class__"])] = draw.choice(VALUES)
    else:
        parent.append(draw.choice(VALUES))
    return values


@pytest.mark.parametrize("cases", [FEW, many(4000)])
def test_a_rewritten_sidecar_is_refused_or_describes_this_model(
    bundle_copy, golden_bundle, cases, capsys
):
    """Here the checksums are right and the content is wrong: written by a faulty program."""
    for beside in beside_paths(bundle_copy):
        beside.unlink()
    text, outcomes = golden_bundle.sidecar.to_json(), collections.Counter()
    with zipfile.ZipFile(golden_bundle.path) as archive:
        labels = archive.read("labels.txt")
    for seed in range(cases):
        values = replaced(json.loads(text), random.Random(seed))
        buffer = io.BytesIO()
        buffer.write(golden_bundle.model)
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("sidecar.json", json.dumps(values))
            archive.writestr("labels.txt", labels)
        bundle_copy.write_bytes(buffer.getvalue())
        try:
            classifier = Classifier(bundle_copy)
        except BundleError:
            outcomes["refused"] += 1
            continue
        sidecar = classifier.bundle.sidecar
        assert sidecar.labels == golden_bundle.sidecar.labels
        assert sidecar.input.shape == golden_bundle.sidecar.input.shape
        classifier.classify(np.zeros((9, 9, 3), np.uint8))
        outcomes["accepted"] += 1
    assert min(outcomes["refused"], outcomes["accepted"]) > cases * 0.05
    if cases > 400:
        report(capsys, "rewritten sidecars", outcomes)


@pytest.mark.parametrize("cases", [FEW, many(3000)])
def test_damaged_json_is_refused_or_valid(golden_bundle, cases):
    text = golden_bundle.sidecar.to_json().encode()
    for seed in range(cases):
        data = damaged(text, random.Random(seed)).decode(errors="replace")
        try:
            sidecar = read_sidecar(data, "it")
        except BundleError:
            continue
        assert read_sidecar(sidecar.to_json(), "again") == sidecar


def encoded(format, mode="RGB", **options):
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (24, 32, 3), np.uint8)
    image = Image.fromarray(pixels).convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def with_rotation():
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded("JPEG", exif=exif)


def sixteen_bit():
    grey = np.random.default_rng(0).integers(0, 2**16, (24, 32), np.uint16)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "PNG")
    return buffer.getvalue()


IMAGES = {
    "jpeg": encoded("JPEG"), "progressive jpeg": encoded("JPEG", progressive=True),
    "jpeg with exif": with_rotation(), "cmyk jpeg": encoded("JPEG", "CMYK"),
    "png": encoded("PNG"), "palette png": encoded("PNG", "P"), "rgba png": encoded("PNG", "RGBA"),
    "16-bit png": sixteen_bit(), "bmp": encoded("BMP"), "tiff": encoded("TIFF"),
    "lzw tiff": encoded("TIFF", compression="tiff_lzw"), "gif": encoded("GIF", "P"),
    "webp": encoded("WEBP"), "ppm": encoded("PPM"),
}  # fmt: skip
CONTRACTS = (InputContract(16, 16), InputContract(24, 16, crop=0.3, colour="luminance"))


@pytest.mark.parametrize("cases", [FEW, many(12_000)])
def test_a_damaged_image_is_refused_or_an_array(cases, capsys):
    outcomes = collections.Counter()
    names = list(IMAGES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of what it can repair
        for seed in range(cases):
            draw = random.Random(seed)
            contract = draw.choice(CONTRACTS)
            data = damaged(IMAGES[names[seed % len(names)]], draw)
            try:
                pixels = prepare_image(data, contract)
            except ImageError:
                outcomes["refused"] += 1
            else:
                assert (pixels.dtype, pixels.shape) == (np.uint8, contract.shape), seed
                outcomes["decoded"] += 1
    assert min(outcomes["refused"], outcomes["decoded"]) > cases * 0.1
    if cases > 400:
        report(capsys, "damaged images", outcomes)


@pytest.mark.parametrize("name", IMAGES)
def test_the_undamaged_images_can_be_read(name):
    assert prepare_image(IMAGES[name], CONTRACTS[0]).shape == (16, 16, 3)


@pytest.mark.parametrize(
    "array",
    [
        np.full((16, 16, 3), np.nan), np.full((16, 16, 3), np.nan, np.float32),
        np.zeros((16, 16, 3), np.float32), np.zeros((16, 16, 3), np.uint16),
        np.zeros((16, 16, 3), bool), np.zeros((16, 16, 3), np.int64),
        np.zeros((16, 16, 4), np.uint8),
        np.zeros((1, 16, 16, 3), np.uint8), np.zeros((16,), np.uint8), np.zeros((), np.uint8),
        np.zeros((0, 16, 3), np.uint8), np.array([["a"]]), np.array([[None]]),
    ],
    ids=lambda a: f"{a.dtype}{a.shape}",
)  # fmt: skip
def test_arrays_that_are_no_images_are_refused(classifier, array):
    with pytest.raises(ImageError, match="image array must"):
        classifier.classify(array)


@pytest.mark.parametrize("source", [None, 7, 1.5, [1, 2], {"a": 1}, object()])
def test_what_is_no_image_at_all_is_refused(classifier, source):
    with pytest.raises(ImageError, match=r"path, the bytes of a file or a uint8 array"):
        classifier.classify(source)


def test_swapped_labels_with_right_checksums_are_refused_by_the_file_beside(
    bundle_copy, golden_bundle
):
    sidecar = golden_bundle.sidecar
    swapped = dataclasses.replace(sidecar, labels=sidecar.labels[::-1], rejection_thresholds={})
    bundle_copy.write_bytes(bundle_bytes(golden_bundle.model, swapped))
    with pytest.raises(BundleError):
        read_bundle(bundle_copy)


@pytest.mark.slow
def test_ten_thousand_files_of_which_some_go_while_it_runs(classifier, tmp_path):
    folder = tmp_path / "cells"
    folder.mkdir()
    for number in range(10_000):
        (folder / f"{number:05}.png").write_bytes(IMAGES["png"])
    for number in (7, 5000):
        (folder / f"{number:05}.png").write_bytes(b"")

    def remove(done, total):
        if done == 100:
            for number in (3000, 9999):
                (folder / f"{number:05}.png").unlink()

    summary = classifier.classify_folder(folder, tmp_path / "t.csv", progress=remove)
    assert [item.path.name for item in summary.unreadable] == [
        "00007.png", "03000.png", "05000.png", "09999.png",
    ]  # fmt: skip
    assert summary.classified == 9996
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 10_001


def test_no_error_of_the_runtime_is_anything_but_a_lab_error():
    assert issubclass(BundleError, LabError)
    assert issubclass(ImageError, LabError)
