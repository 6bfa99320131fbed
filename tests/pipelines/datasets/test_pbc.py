from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.datasets import open_dataset, recognise
from pipelines.errors import ManifestError
from pipelines.labels import HAL_CLASSES, PBC_CLASSES
from pipelines.manifest import write_manifest
from pipelines.quarantine import find_unreadable
from pipelines.split import describe_split, split_manifest
from tests.pipelines.datasets.trees import PREFIXES, SUBSETS, write_pbc
from tests.pipelines.disk import write_images, write_table

PUBLISHED = [f"{name}/{prefix}_1.jpg" for name, prefix in zip(PBC_CLASSES, PREFIXES)]


def test_the_table_keeps_prefix_and_split(tmp_path):
    write_pbc(tmp_path)
    manifest = split_manifest(open_dataset(tmp_path))
    assert manifest.classes == PBC_CLASSES
    assert set(manifest.table["prefix"]) == set(PREFIXES)
    assert len(manifest.rows("train")) == len(manifest.rows("validation")) == 24
    assert "Neither slides nor patients are known" in describe_split(manifest)


def test_subsets_are_nested(tmp_path):
    write_pbc(tmp_path)
    paths = [set(open_dataset(tmp_path, subset=name).table["path"]) for name in SUBSETS]
    assert [len(names) for names in paths] == [16, 32, 48]
    assert paths[0] < paths[1] < paths[2]


@pytest.mark.parametrize(
    ("subset", "message"),
    [
        ("large", "no images of the subset large; it has tiny, small, medium"),
        ("huge", "PBC has the subsets tiny, small, medium, large, got 'huge'"),
    ],
)
def test_a_subset_that_is_not_there(tmp_path, subset, message):
    write_pbc(tmp_path)
    with pytest.raises(ManifestError, match=message):
        open_dataset(tmp_path, subset=subset)


def test_a_table_with_unknown_subsets(tmp_path):
    write_pbc(tmp_path)
    file = tmp_path / "manifest.csv"
    file.write_text(file.read_text().replace("tiny", "minute"))
    with pytest.raises(ManifestError, match=r"smallest_subset of .* has 'minute'"):
        open_dataset(tmp_path, subset="small")


@pytest.mark.parametrize("inside", ["", "PBC_dataset_normal_DIB"])
def test_the_folders_as_published(tmp_path, inside):
    write_images(tmp_path / inside, PUBLISHED)
    write_table(tmp_path / inside / "notes" / "read_me.txt", "no image")
    assert recognise(tmp_path)[0] == "pbc"
    table = open_dataset(tmp_path).table
    assert table["path"].tolist() == [str(Path(inside) / name) for name in sorted(PUBLISHED)]
    assert set(table["prefix"]) == set(PREFIXES)
    with pytest.raises(ManifestError, match=r"no manifest.csv with a column smallest_subset"):
        open_dataset(tmp_path, subset="tiny")


def test_images_beside_the_eight_folders_are_not_passed_over(tmp_path):
    write_images(tmp_path, [*PUBLISHED, "blast/1.png", "blast/2.png"])
    assert recognise(tmp_path)[0] == "folders"
    manifest = open_dataset(tmp_path, "pbc")
    assert len(manifest) == 8
    assert "2 image(s) that lie elsewhere are not read: 'blast (2)'." in manifest.notes


@pytest.mark.parametrize("inside", ["", "PBC"])
def test_an_image_outside_all_folders_is_told(tmp_path, inside):
    write_images(tmp_path / inside, [*PUBLISHED, "overview.png"])
    manifest = open_dataset(tmp_path)
    assert manifest.notes[0].startswith("Read as pbc")
    assert "1 image(s) that lie elsewhere are not read" in manifest.notes[1]


def test_the_eight_folders_on_each_side_are_a_split(tmp_path):
    for side in ("train", "test"):
        write_images(tmp_path / side, PUBLISHED)
    manifest = open_dataset(tmp_path)
    assert manifest.notes[0].startswith("Read as folders")
    assert [len(manifest.rows(side)) for side in ("train", "test")] == [8, 8]
    assert "8 image(s) that lie elsewhere" in " ".join(open_dataset(tmp_path, "pbc").notes)


def test_an_empty_class_folder_is_an_error(tmp_path):
    write_images(tmp_path, PUBLISHED)
    (tmp_path / PUBLISHED[3]).unlink()
    with pytest.raises(ManifestError, match="no image has the label 'ig'"):
        open_dataset(tmp_path)


def test_seven_folders_are_not_pbc(tmp_path):
    write_images(tmp_path, PUBLISHED[:-1])
    assert recognise(tmp_path)[0] == "folders"
    with pytest.raises(ManifestError, match="does not hold the 8 folders"):
        open_dataset(tmp_path, "pbc")


def test_a_label_that_is_none_of_the_eight(tmp_path):
    write_pbc(tmp_path)
    write_images(tmp_path, ["odd.png"])
    file = tmp_path / "manifest.csv"
    write_table(file, *file.read_text().splitlines(), "odd.png,blast,BL,train,tiny")
    for subset in (None, "tiny"):
        with pytest.raises(ManifestError, match="labels 'blast' are not among basophil"):
            open_dataset(tmp_path, subset=subset)


FINE = (*PREFIXES, "BNE", "NEUTROPHIL", "MY", "PMY", "IG")
FOLDER_OF = dict(zip(PREFIXES, PBC_CLASSES)) | dict.fromkeys(("BNE", "NEUTROPHIL"), "neutrophil")


def write_fine(root):
    write_images(root, [f"{FOLDER_OF.get(prefix, 'ig')}/{prefix}_1.jpg" for prefix in FINE])


def test_prefixes_become_finer_classes(tmp_path):
    write_fine(tmp_path)
    manifest = open_dataset(tmp_path, fine=True)
    assert dict(zip(manifest.table["prefix"], manifest.table["label"])) == {
        "SNE": "segmented_neutrophil",
        "BNE": "band_neutrophil",
        "MMY": "metamyelocyte",
        "MY": "myelocyte",
        "PMY": "promyelocyte",
        "BA": "basophil",
        "EO": "eosinophil",
        "ERB": "erythroblast",
        "LY": "lymphocyte",
        "MO": "monocyte",
    }
    assert manifest.classes == tuple(n for n in HAL_CLASSES if n in set(manifest.table["label"]))
    assert set(manifest.table["label_given"]) == set(PBC_CLASSES) - {"platelet"}
    notes = " ".join(manifest.notes)
    for name in ("'neutrophil'", "'immature_granulocyte'", "'platelet'"):
        assert f"1 image(s) left out: {name} is coarser" in notes


def test_the_table_may_give_finer_classes_too(tmp_path):
    write_pbc(tmp_path)
    manifest = open_dataset(tmp_path, fine=True, subset="tiny")
    assert len(manifest) == 14
    assert {"metamyelocyte", "segmented_neutrophil"} <= set(manifest.classes)
    assert set(manifest.table["split"]) == {"train", "validation"}


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("ig/XYZ_2.jpg", r"begin with BA, EO.*, these do not: row \d+ .'ig/XYZ_2.jpg'"),
        ("lymphocyte/SNE_2.jpg", r"1 file.s. contradict their folder: .*'lymphocyte/SNE_2.jpg'"),
    ],
)
def test_prefixes_that_cannot_be_believed(tmp_path, extra, message):
    write_fine(tmp_path)
    write_images(tmp_path, [extra])
    assert len(open_dataset(tmp_path)) == len(FINE) + 1
    with pytest.raises(ManifestError, match=message):
        open_dataset(tmp_path, fine=True)


def test_the_real_prefixes(real_data):
    manifest = open_dataset(real_data / "pbc", fine=True)
    counts = manifest.table["label"].value_counts()
    assert counts["segmented_neutrophil"] == 588
    assert counts["promyelocyte"] == 217
    assert len(manifest) == 5950 - 13 - 57 - 817


def test_the_real_images(real_data):
    root = real_data / "pbc"
    sizes = {"tiny": (200, 80), "small": (2100, 840), "medium": (4250, 1700)}
    for subset, (train, validation) in sizes.items():
        manifest = split_manifest(open_dataset(root, subset=subset))
        assert (len(manifest.rows("train")), len(manifest.rows("validation"))) == (
            train,
            validation,
        )
    assert find_unreadable(open_dataset(root, subset="tiny")).empty


@pytest.mark.parametrize("name", ["PBC", "ig", "ig/IG_2.jpg"])
def test_links_that_lead_out_are_refused_unless_asked_for(tmp_path, name):
    whole, data = tmp_path / "whole", tmp_path / "data"
    write_images(whole, [*PUBLISHED, "other.jpg"])
    if name == "PBC":
        data.mkdir()
        (data / name).symlink_to(whole)
    else:
        write_images(
            data, [path for path in PUBLISHED if name == "ig/IG_2.jpg" or name not in path]
        )
        (data / name).symlink_to(whole / ("ig" if name == "ig" else "other.jpg"))
    with pytest.raises(ManifestError, match="leads out of the data set"):
        open_dataset(data)
    manifest = open_dataset(data, outside_links=True)
    assert len(manifest) == len(PUBLISHED) + (name == "ig/IG_2.jpg")


def test_a_table_may_say_that_images_lie_elsewhere_but_links_may_not(tmp_path):
    whole, data = tmp_path / "whole", tmp_path / "data"
    write_pbc(whole)
    data.mkdir()
    manifest = open_dataset(whole)
    write_manifest(manifest, data / "manifest.csv", rebase=True)
    assert open_dataset(data).table["path"][0].startswith("../whole/")
    for folder in {path.split("/")[0] for path in manifest.table["path"]}:
        (data / folder).symlink_to(whole / folder)
    write_manifest(manifest, data / "manifest.csv")
    with pytest.raises(ManifestError, match="leads out of the data set"):
        open_dataset(data)
    assert len(open_dataset(data, outside_links=True)) == len(manifest)


def test_names_that_differ_by_capitals_are_an_error(tmp_path):
    write_images(tmp_path, [*PUBLISHED, "ig/IG_9.jpg", "ig/ig_9.jpg"])
    with pytest.raises(ManifestError, match=r"capitals only: 'ig/IG_9\.jpg' and 'ig/ig_9\.jpg'"):
        open_dataset(tmp_path)
