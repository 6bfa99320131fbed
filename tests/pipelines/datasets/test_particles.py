from __future__ import annotations

import pytest

from pipelines.datasets import open_dataset, recognise
from pipelines.errors import ManifestError
from pipelines.manifest import read_manifest, write_manifest
from pipelines.split import split_manifest
from tests.pipelines.datasets.trees import write_particles
from tests.pipelines.disk import write_images, write_table

ANGLES = {"16.2": 5, "33.6": 5, "54.6": 5, "55.4": 5, "56.8": 10}
LIGHTS = (
    "standard",
    "dark_field",
    *(f"pls_{angle}_{i:02}" for angle, number in ANGLES.items() for i in range(1, number + 1)),
)


def _write_place(root, place, lights=LIGHTS):
    write_images(root / place, [f"{light}.png" for light in lights])


def test_all_32_images_of_a_place(tmp_path):
    assert len(LIGHTS) == 32
    _write_place(tmp_path, "S1/real/P1")
    _write_place(tmp_path, "S1/fake/P1")
    manifest = open_dataset(tmp_path)
    assert manifest.classes == ("real", "fake")
    assert len(manifest.further_images) == 31
    assert manifest.table["path"].tolist() == [
        "S1/fake/P1/standard.png",
        "S1/real/P1/standard.png",
    ]
    row = manifest.table.iloc[1]
    assert row["image:pls_16.2_01"] == "S1/real/P1/pls_16.2_01.png"
    assert row["image:dark_field"] == "S1/real/P1/dark_field.png"
    assert row[["slide", "place", "label", "split"]].tolist() == ["S1", "P1", "real", ""]
    assert [note for note in manifest.notes if "no image" in note] == []


def test_sides_slides_and_missing_images(tmp_path):
    write_particles(tmp_path)
    reason = "slides hold folders of particles, such as test/S2/fake"
    assert recognise(tmp_path) == ("particles", reason)
    manifest = open_dataset(tmp_path)
    columns = manifest.table[["split", "slide", "label", "place", "image:dark_field"]]
    assert columns.to_numpy().tolist() == [
        ["test", "S2", "fake", "P2", ""],
        ["test", "S2", "real", "P1", "test/S2/real/P1/dark_field.png"],
        ["train", "S1", "fake", "P2", ""],
        ["train", "S1", "real", "P1", "train/S1/real/P1/dark_field.png"],
    ]
    assert "2 of 4 places have no image 'dark_field', 'pls_16.2_01'." in manifest.notes


def test_another_image_can_be_chosen(tmp_path):
    write_particles(tmp_path)
    manifest = open_dataset(tmp_path, image="dark_field")
    assert manifest.table["path"].tolist() == [
        "test/S2/real/P1/dark_field.png",
        "train/S1/real/P1/dark_field.png",
    ]
    assert manifest.table["image:standard"].tolist() == [
        "test/S2/real/P1/standard.png",
        "train/S1/real/P1/standard.png",
    ]
    assert "2 place(s) have no image dark_field and were left out." in manifest.notes
    assert open_dataset(tmp_path, image="standard").table.equals(open_dataset(tmp_path).table)
    with pytest.raises(
        ManifestError, match=r"has no images 'uv'; it has: dark_field, pls_16\.2_01"
    ):
        open_dataset(tmp_path, image="uv")


def test_images_of_a_place_come_back_from_a_written_manifest(tmp_path):
    write_particles(tmp_path / "data")
    manifest = open_dataset(tmp_path / "data")
    write_manifest(manifest, tmp_path / "manifest.csv", rebase=True)
    again = read_manifest(tmp_path / "manifest.csv")
    assert again.further_images == manifest.further_images
    assert again.table["image:dark_field"].iloc[1] == "data/test/S2/real/P1/dark_field.png"


def test_slides_stay_on_one_side(tmp_path):
    for slide in range(10):
        for name in ("real/P1", "real/P2", "fake/P3"):
            _write_place(tmp_path, f"S{slide}/{name}", LIGHTS[:2])
    table = split_manifest(open_dataset(tmp_path)).table
    assert set(table["split"]) == {"train", "validation"}
    assert (table.groupby("slide")["split"].nunique() == 1).all()


def test_a_slide_on_two_sides_is_refused(tmp_path):
    write_particles(tmp_path)
    _write_place(tmp_path, "test/S1/real/P9")
    with pytest.raises(ManifestError, match="the same slide is on two sides: 'S1'"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("S1/real/P1/more/standard.png", r"S1/real/P1/more/standard.png' lie elsewhere than in"),
        ("S1/1.png", r"'S1/1.png' lie elsewhere"),
        ("1.png", r"'1.png' lie elsewhere"),
        ("S1/unsure/P1.png", r"'S1/unsure/P1.png' lie elsewhere"),
        ("S1/real/P7/dark_field.png", r"'S1/real/P7' have no image called standard"),
        ("S1/real/P1/standard.jpg", r"'S1/real/P1/standard.png' are two images of one name"),
        ("S1/real/P1.png", r"are two images of one name"),
        ("S1/Real/P1.png", r"differ by capitals only: 'S1/Real' and 'S1/real'"),
    ],
)
def test_what_lies_wrong_is_named(tmp_path, extra, message):
    _write_place(tmp_path, "S1/real/P1", LIGHTS[:2])
    write_images(tmp_path, [extra])
    with pytest.raises(ManifestError, match=message):
        open_dataset(tmp_path)


def test_empty_places(tmp_path):
    _write_place(tmp_path, "S1/real/P1", LIGHTS[:2])
    (tmp_path / "S1" / "fake").mkdir()
    with pytest.raises(ManifestError, match="'S1/fake' hold no image"):
        open_dataset(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ManifestError, match=r"there is no image in <split>/<slide>/<real or fake>"):
        open_dataset(tmp_path / "empty", "particles")


def test_links_that_lead_out(tmp_path):
    _write_place(tmp_path / "data", "S1/real/P1", LIGHTS[:2])
    _write_place(tmp_path, "other", LIGHTS[:1])
    (tmp_path / "data" / "S1" / "real" / "P2").symlink_to(tmp_path / "other")
    with pytest.raises(ManifestError, match="leads out of the data set"):
        open_dataset(tmp_path / "data")


def test_sides_without_slides_are_not_taken_for_it(tmp_path):
    """Nothing would keep the cells of a slide together."""
    write_images(tmp_path, ["train/real/1.png", "val/fake/2.png"])
    assert recognise(tmp_path)[0] == "folders"
    with pytest.raises(ManifestError, match="lie elsewhere than in <split>/<slide>"):
        open_dataset(tmp_path, "particles")


def test_a_table_of_places(tmp_path):
    write_images(tmp_path, ["a.png", "a_dark.png", "b.png"])
    write_table(
        tmp_path / "places.csv",
        "path;label;slide;split;image:dark_field;day",
        "a.png;real;S1;train;a_dark.png;3",
        "b.png;fake particle;S2;val;;4",
    )
    assert recognise(tmp_path) == ("particles", "the folder holds a places.csv")
    manifest = open_dataset(tmp_path)
    assert manifest.table["label"].tolist() == ["real", "fake"]
    assert manifest.table["split"].tolist() == ["train", "validation"]
    assert manifest.table["day"].tolist() == ["3", "4"]
    assert "1 of 2 places have no image 'dark_field'." in manifest.notes
    assert open_dataset(tmp_path, image="dark_field").table["path"].tolist() == ["a_dark.png"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a.png,hair,S1,", r"neither real nor fake: row 0 \('a.png'\)"),
        ("a.png,real,S1,gone.png", r"1 of 1 files of the column image:dark_field are missing"),
        ("gone.png,real,S1,", r"1 of 1 files are missing"),
        ("a.png,real,S1,../a.png", r"leads out of the data set"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, line, message):
    write_images(tmp_path, ["data/a.png", "a.png"])
    header = "path,label,slide,image:dark_field"
    write_table(tmp_path / "data" / "places.csv", header, line)
    with pytest.raises(ManifestError, match=message):
        open_dataset(tmp_path / "data")


@pytest.mark.parametrize("header", ["path,label", "path,label,slide"])
def test_tables_without_slides_or_lines(tmp_path, header):
    write_table(tmp_path / "places.csv", header)
    with pytest.raises(ManifestError, match=r"lacks the column\(s\) slide|has no line below"):
        open_dataset(tmp_path)


def test_classes_are_in_the_table_of_names(tmp_path):
    write_particles(tmp_path)
    labels = open_dataset(tmp_path, classes="bone_marrow_particle,fake_particle").table["label"]
    assert labels.tolist() == ["fake_particle", "bone_marrow_particle"] * 2
    assert open_dataset(tmp_path, classes="particles").classes == ("real", "fake")
