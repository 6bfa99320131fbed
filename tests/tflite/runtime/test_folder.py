import dataclasses
import json
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from tflite.runtime.bundle import beside_paths, bundle_bytes
from tflite.runtime.classifier import Classifier
from tflite.runtime.errors import LabError
from tflite.runtime.folder import FolderSettings
from tflite.runtime.images import find_images

pytestmark = pytest.mark.device

IMAGES = 12


@pytest.fixture
def folder(golden, tmp_path):
    """Cells moved sideways, so that their scores differ, and one that cannot be read."""
    folder = tmp_path / "cells"
    folder.mkdir()
    cells = [np.asarray(Image.open(golden / name)) for name in
             ("lymphocyte.png", "segmented_neutrophil.bmp")]  # fmt: skip
    for number in range(IMAGES):
        pixels = np.roll(cells[number % 2], number, axis=1)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    (folder / "05.png").write_bytes(b"no picture")
    return folder


class StopError(Exception):
    pass


def stop_after(count):
    def progress(done, total):
        if done == count:
            raise StopError

    return progress


@pytest.fixture
def counted(golden, monkeypatch):
    """A classifier that counts its inferences."""
    classifier = Classifier(golden / "model_int8.tflite")
    classifier.count = 0
    scores = classifier.scores

    def count(pixels):
        classifier.count += 1
        return scores(pixels)

    monkeypatch.setattr(classifier, "scores", count)
    return classifier


def unbroken(classifier, folder, name="unbroken.csv"):
    out = folder.parent / name
    classifier.classify_folder(folder, out)
    return out.read_bytes()


@pytest.mark.parametrize("settings", [FolderSettings(0), FolderSettings(1, 1), FolderSettings(4)])
@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_a_stopped_run_goes_on_and_gives_the_same_table(counted, folder, settings, name):
    expected = unbroken(counted, folder, f"unbroken-{name}")
    out = folder.parent / name
    counted.count = 0
    with pytest.raises(StopError):
        counted.classify_folder(folder, out, None, stop_after(8), settings)
    assert counted.count == 7  # one of the eight cannot be read
    assert not out.exists()
    summary = counted.classify_folder(folder, out, settings=settings)
    assert counted.count == IMAGES - 1
    assert (summary.taken_over, summary.classified) == (7, IMAGES - 1)
    assert out.read_bytes() == expected
    assert not out.with_name(out.name + ".journal").exists()


def test_it_may_stop_again_and_again(counted, folder):
    expected = unbroken(counted, folder)
    out = folder.parent / "t.csv"
    counted.count = 0
    for done in range(1, IMAGES + 1):
        with pytest.raises(StopError):
            counted.classify_folder(folder, out, progress=stop_after(done))
    counted.classify_folder(folder, out)
    assert counted.count == IMAGES - 1
    assert out.read_bytes() == expected


def stopped(classifier, folder, count=8):
    out = folder.parent / "t.csv"
    with pytest.raises(StopError):
        classifier.classify_folder(folder, out, progress=stop_after(count))
    return out


def test_changed_new_and_mended_files_are_classified_and_lost_ones_left_out(counted, folder):
    out = stopped(counted, folder)
    shutil.copy(folder / "01.png", folder / "00.png")  # another cell of that name
    os.utime(folder / "00.png", ns=(5, 5))
    shutil.copy(folder / "02.png", folder / "05.png")  # now readable
    shutil.copy(folder / "03.png", folder / "005.png")  # new, and early in the order
    (folder / "04.png").unlink()
    expected = unbroken(counted, folder)
    counted.count = 0
    summary = counted.classify_folder(folder, out)
    assert (summary.taken_over, summary.classified) == (5, IMAGES)
    assert counted.count == IMAGES - 5
    assert out.read_bytes() == expected


def test_a_restart_begins_anew(counted, folder):
    out = stopped(counted, folder)
    counted.count = 0
    summary = counted.classify_folder(folder, out, settings=FolderSettings(resume=False))
    assert (summary.taken_over, counted.count) == (0, IMAGES - 1)


def other_bundle(path, bundle, **changes):
    for beside in beside_paths(path):
        beside.unlink()
    sidecar = dataclasses.replace(bundle.sidecar, **changes)
    path.write_bytes(bundle_bytes(bundle.model, sidecar))
    return Classifier(path)


def test_results_of_another_bundle_are_not_mixed_in(counted, folder, bundle_copy, golden_bundle):
    out = stopped(counted, folder)
    other = other_bundle(bundle_copy, golden_bundle, temperature=2.0)
    with pytest.raises(LabError, match="results of another bundle"):
        other.classify_folder(folder, out)
    assert counted.classify_folder(folder, out).taken_over == 7


def test_a_journal_of_another_folder_is_refused(counted, folder):
    out = stopped(counted, folder)
    elsewhere = folder.with_name("elsewhere")
    shutil.copytree(folder, elsewhere)
    with pytest.raises(LabError, match=r"results of other images, such as .*00\.png"):
        counted.classify_folder(elsewhere, out)
    assert counted.classify_folder(folder, out).taken_over == 7


def test_other_thresholds_need_no_other_scores(counted, folder):
    out = stopped(counted, folder)
    counted.thresholds = dict.fromkeys(counted.labels, 1.0)
    summary = counted.classify_folder(folder, out)
    assert summary.taken_over == 7
    assert summary.counts["unknown"] == IMAGES - 1


def test_a_file_that_goes_between_listing_and_reading_is_reported(classifier, folder):
    paths = find_images(folder)
    (folder / "03.png").unlink()
    summary = classifier.classify_to_table(paths, folder.parent / "t.jsonl")
    assert [item.path.name for item in summary.unreadable] == ["03.png", "05.png"]
    assert summary.unreadable[0].error == f"No such image file: {folder / '03.png'}."
    rows = [json.loads(line) for line in (folder.parent / "t.jsonl").read_text().splitlines()]
    assert [list(row) for row in rows].count(["path", "error"]) == 2
    assert len(rows) == IMAGES


def test_a_folder_in_place_of_a_file_is_reported(classifier, folder):
    summary = classifier.classify_to_table([folder, folder / "00.png"])
    assert summary.classified == 1
    assert "is a folder" in summary.unreadable[0].error


def test_a_broken_model_ends_the_run_and_is_no_fault_of_the_image(counted, folder, monkeypatch):
    monkeypatch.setattr(counted, "_runner", lambda pixels: np.full(3, np.nan, np.float32))
    with pytest.raises(LabError, match="model is broken"):
        counted.classify_folder(folder)


def test_no_more_images_are_decoded_than_may_wait(classifier, folder, monkeypatch):
    decoded = []
    prepare = "tflite.runtime.folder.prepare_image"
    monkeypatch.setattr(prepare, lambda path, contract: decoded.append(path) or np.zeros(
        contract.shape, np.uint8))  # fmt: skip
    results = classifier.classify_files(find_images(folder), FolderSettings(2, 3))
    next(results)
    assert len(decoded) <= 3
    results.close()


def test_the_summary_tells_how_fast_it_was(classifier, folder):
    summary = classifier.classify_folder(folder)
    assert 0 < summary.inference_seconds < summary.seconds
    assert summary.images_per_second == pytest.approx(summary.classified / summary.seconds)
    assert 0 < summary.inference_share < 1


# Unknown.


def test_below_its_threshold_an_answer_is_unknown(golden, classifier):
    cell = golden / "lymphocyte.png"
    plain = classifier.classify(cell)
    assert plain.accepted
    labels = classifier.labels
    for above, label in ((1e-6, "unknown"), (0.0, "lymphocyte")):
        thresholds = {**dict.fromkeys(labels, 0.0), "lymphocyte": plain.score + above}
        found = Classifier(golden / "model_int8.tflite", thresholds=thresholds).classify(cell)
        assert (found.label, found.accepted) == (label, label != "unknown")
        assert (found.predicted, found.score, found.scores) == (
            "lymphocyte", plain.score, plain.scores,
        )  # fmt: skip


def test_thresholds_and_temperature_come_from_the_bundle(bundle_copy, golden_bundle, golden):
    labels = golden_bundle.sidecar.labels
    thresholds = {**dict.fromkeys(labels, 0.0), "lymphocyte": 0.95}
    path = golden / "lymphocyte.png"
    before = Classifier(bundle_copy).classify(path)
    assert before.score > 0.95
    other = other_bundle(
        bundle_copy, golden_bundle, temperature=3.0, rejection_thresholds=thresholds
    )
    found = other.classify(path)
    assert (found.label, found.predicted) == ("unknown", "lymphocyte")
    assert found.score < before.score
    assert sum(found.scores.values()) == pytest.approx(1)
    assert Classifier(bundle_copy, thresholds=0).classify(path).label == "lymphocyte"


@pytest.mark.parametrize("thresholds", [1.5, {"lymphocyte": 0.5}, float("nan")])
def test_bad_thresholds_are_refused(golden, thresholds):
    with pytest.raises(LabError, match="ejection threshold"):
        Classifier(golden / "model_int8.tflite", thresholds=thresholds)


# Threads.


def test_threads_that_share_a_classifier_get_the_answers_of_one(classifier, folder):
    (folder / "05.png").unlink()
    paths = find_images(folder)
    expected = [classifier.classify(path) for path in paths]
    assert len({result.score for result in expected}) > 5
    start = threading.Barrier(6)

    def work(number):
        start.wait(10)
        if number % 2:
            return [item.result for item in classifier.classify_files(paths)]
        return classifier.classify_batch(paths)

    with ThreadPoolExecutor(6) as pool:
        for found in pool.map(work, range(6)):
            assert found == expected
