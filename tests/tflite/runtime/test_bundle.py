import dataclasses
import shutil
import zipfile

import pytest

from tflite.runtime.bundle import beside_paths, bundle_bytes, read_bundle
from tflite.runtime.errors import BundleError
from tflite.runtime.sidecar import labels_text, sha256

pytestmark = pytest.mark.device


def rewrite(path, bundle, model=None, **changes):
    """Puts another sidecar and another model into a bundle and leaves nothing beside it."""
    for beside in beside_paths(path):
        beside.unlink()
    if "labels" in changes:
        changes = {"rejection_thresholds": {}, **changes}
    sidecar = dataclasses.replace(bundle.sidecar, **changes)
    path.write_bytes(bundle_bytes(bundle.model if model is None else model, sidecar))


def test_a_bundle_is_read(bundle_copy):
    bundle = read_bundle(bundle_copy)
    assert bundle.sidecar.labels == ("lymphocyte", "segmented_neutrophil", "large_thrombocyte")
    assert len(bundle.model) == bundle.sidecar.model_bytes
    assert sha256(bundle.model) == bundle.sidecar.model_sha256
    assert read_bundle(str(bundle_copy)) == bundle


def test_the_hash_covers_the_plain_model_alone(bundle_copy):
    bundle = read_bundle(bundle_copy)
    content = bundle_copy.read_bytes()
    assert content.startswith(bundle.model)
    assert content[len(bundle.model) :][:2] == b"PK"


def test_any_zip_reader_finds_the_parts(bundle_copy):
    with zipfile.ZipFile(bundle_copy) as archive:
        assert archive.namelist() == ["sidecar.json", "labels.txt"]
        assert archive.testzip() is None


def test_the_file_alone_is_enough(bundle_copy, tmp_path):
    alone = tmp_path / "renamed.tflite"
    shutil.copy(bundle_copy, alone)
    assert read_bundle(alone).sidecar == read_bundle(bundle_copy).sidecar


def test_line_ends_beside_may_be_those_of_windows(bundle_copy):
    for beside in beside_paths(bundle_copy):
        beside.write_bytes(beside.read_bytes().replace(b"\n", b"\r\n"))
    read_bundle(bundle_copy)


def test_equal_parts_make_equal_files(golden_bundle):
    again = bundle_bytes(golden_bundle.model, golden_bundle.sidecar)
    assert again == golden_bundle.path.read_bytes()


# What is refused.


def test_a_swapped_labels_file_is_refused(bundle_copy):
    _, labels = beside_paths(bundle_copy)
    labels.write_text("segmented_neutrophil\nlymphocyte\nlarge_thrombocyte\n")
    with pytest.raises(BundleError, match=r"model_int8\.labels\.txt does not belong"):
        read_bundle(bundle_copy)


def test_a_sidecar_of_another_bundle_is_refused(bundle_copy):
    sidecar, _ = beside_paths(bundle_copy)
    sidecar.write_text(sidecar.read_text().replace("tiny", "other"))
    with pytest.raises(BundleError, match=r"model_int8\.json does not belong"):
        read_bundle(bundle_copy)


def test_a_model_without_a_sidecar_is_refused(bundle_copy, golden_bundle):
    bundle_copy.write_bytes(golden_bundle.model)
    with pytest.raises(BundleError, match="carries no readable sidecar"):
        read_bundle(bundle_copy)


def test_a_zip_without_the_parts_is_refused(bundle_copy, golden_bundle):
    bundle_copy.write_bytes(golden_bundle.model)
    with zipfile.ZipFile(bundle_copy, "a") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(BundleError, match="carries no readable sidecar"):
        read_bundle(bundle_copy)


def test_every_altered_byte_of_the_model_is_noticed(bundle_copy, golden_bundle):
    content = bundle_copy.read_bytes()
    for position in range(8, len(golden_bundle.model), 97):
        damaged = bytearray(content)
        damaged[position] ^= 0x10
        bundle_copy.write_bytes(damaged)
        with pytest.raises(BundleError, match="altered"):
            read_bundle(bundle_copy)


def test_no_altered_byte_of_the_appendix_gives_another_bundle(bundle_copy, golden_bundle):
    for beside in beside_paths(bundle_copy):
        beside.unlink()
    content = bundle_copy.read_bytes()
    refused = 0
    for position in range(len(golden_bundle.model), len(content), 3):
        damaged = bytearray(content)
        damaged[position] ^= 0x04
        bundle_copy.write_bytes(damaged)
        try:
            bundle = read_bundle(bundle_copy)
        except BundleError:
            refused += 1
        else:
            # Dates and versions in the zip's own headers say nothing about the model.
            assert (bundle.model, bundle.sidecar) == (golden_bundle.model, golden_bundle.sidecar)
    assert refused > len(content[len(golden_bundle.model) :]) / 3 / 2


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.7, 0.9, 0.999])
def test_a_truncated_bundle_is_refused(bundle_copy, share):
    content = bundle_copy.read_bytes()
    bundle_copy.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(BundleError):
        read_bundle(bundle_copy)


def test_bytes_between_model_and_sidecar_are_refused(bundle_copy, golden_bundle):
    rewrite(bundle_copy, golden_bundle, model=golden_bundle.model + b"more")
    with pytest.raises(BundleError, match="was altered"):
        read_bundle(bundle_copy)


def test_the_sidecar_of_another_model_is_refused(bundle_copy, golden_bundle):
    rewrite(bundle_copy, golden_bundle, model_sha256="0" * 64)
    with pytest.raises(BundleError, match="sha256"):
        read_bundle(bundle_copy)


SWAPPED = ("large_thrombocyte", "segmented_neutrophil", "lymphocyte")


def test_a_sidecar_with_another_hash_of_the_labels_is_refused(bundle_copy, golden_bundle):
    rewrite(bundle_copy, golden_bundle, labels=SWAPPED)
    with pytest.raises(BundleError, match="labels inside"):
        read_bundle(bundle_copy)


@pytest.mark.parametrize("hashed", ["sidecar", "file"])
def test_a_labels_file_inside_that_is_not_the_sidecars_is_refused(
    bundle_copy, golden_bundle, hashed
):
    for beside in beside_paths(bundle_copy):
        beside.unlink()
    sidecar = golden_bundle.sidecar
    text = labels_text(SWAPPED if hashed == "file" else sidecar.labels)
    sidecar = dataclasses.replace(sidecar, labels_sha256=sha256(text.encode()))
    bundle_copy.write_bytes(golden_bundle.model)
    with zipfile.ZipFile(bundle_copy, "a") as archive:
        archive.writestr("sidecar.json", sidecar.to_json())
        archive.writestr("labels.txt", labels_text(SWAPPED))
    with pytest.raises(BundleError, match="labels inside"):
        read_bundle(bundle_copy)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"hello, this is a text file\n", bytes(1000)])
def test_what_is_no_model_says_so(tmp_path, content):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(BundleError, match="no TensorFlow Lite model"):
        read_bundle(path)


def test_a_missing_bundle_and_a_folder_say_so(tmp_path, golden):
    with pytest.raises(BundleError, match="No such bundle"):
        read_bundle(tmp_path / "model.tflite")
    with pytest.raises(BundleError, match=r"is a folder.*there: model_int8\.tflite"):
        read_bundle(golden)


def test_a_folder_in_place_of_a_file_beside_says_so(bundle_copy):
    _, labels = beside_paths(bundle_copy)
    labels.unlink()
    labels.mkdir()
    with pytest.raises(BundleError, match="cannot be read"):
        read_bundle(bundle_copy)
