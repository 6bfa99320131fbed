from __future__ import annotations

import pytest

from pipelines.datasets import open_dataset, recognise
from pipelines.datasets.wbcatt import ATTRIBUTES
from pipelines.errors import ManifestError
from tests.pipelines.datasets.trees import WBCATT_HEADER, wbcatt_line, write_wbcatt
from tests.pipelines.disk import write_image, write_images, write_table


def edit(root, side, old, new):
    file = root / f"pbc_attr_v1_{side}.csv"
    file.write_text(file.read_text().replace(old, new))


def test_attributes_and_sides(tmp_path):
    write_wbcatt(tmp_path)
    manifest = open_dataset(tmp_path)
    table = manifest.table.set_index("img_name")
    assert manifest.classes == ("basophil", "neutrophil")
    assert set(ATTRIBUTES) < set(table.columns)
    assert table.loc["BNE_1.jpg", "nucleus_shape"] == "unsegmented-band"
    assert table["split"].to_dict() == {
        "BNE_1.jpg": "train",
        "BA_1.jpg": "train",
        "SNE_2.jpg": "validation",
        "BA_2.jpg": "validation",
        "SNE_3.jpg": "test",
        "BA_3.jpg": "test",
    }


def test_all_eight_folders_of_pbc_may_lie_beside(tmp_path):
    write_wbcatt(tmp_path)
    folders = ("eosinophil", "erythroblast", "ig", "lymphocyte", "monocyte", "platelet")
    write_images(tmp_path / "PBC_dataset_normal_DIB", [f"{name}/1.jpg" for name in folders])
    assert recognise(tmp_path)[0] == "wbcatt"
    assert len(open_dataset(tmp_path)) == 6
    assert len(open_dataset(tmp_path, "pbc")) == 12


def test_tables_may_lie_in_a_folder_of_their_own(tmp_path):
    write_wbcatt(tmp_path, "annotations")
    manifest = open_dataset(tmp_path)
    assert len(manifest) == 6
    assert manifest.root == tmp_path


def test_images_may_lie_elsewhere(tmp_path):
    write_wbcatt(tmp_path / "images")
    tables = tmp_path / "tables"
    tables.mkdir()
    for file in (tmp_path / "images").glob("*.csv"):
        file.rename(tables / file.name)
    with pytest.raises(ManifestError, match=r"is in none of .*as the option images"):
        open_dataset(tables)
    assert len(open_dataset(tables, images=tmp_path / "images")) == 6


def test_one_table_with_columns_of_its_own(tmp_path):
    write_image(tmp_path / "a" / "x.png")
    lines = ("img_name;label;path;cell_size;vacuoles;split", "x.png;Blasts;a\\x.png;big;NA;Val")
    file = write_table(tmp_path / "cells.csv", *lines)
    assert recognise(file)[0] == "wbcatt"
    with pytest.raises(ManifestError, match=r"lacks the column.s. cell_shape"):
        open_dataset(file)
    table = open_dataset(file, attributes="cell_size").table
    assert table.loc[0, ["path", "label", "vacuoles"]].tolist() == ["a/x.png", "blast", "NA"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("chromatin_density", "density", r"pbc_attr_v1_val.csv lacks the column.s. chromatin_dens"),
        ("granularity,", "granularity,extra,", r"differ in the column.s. 'extra'"),
        ("Neutrophil,", "Newtrophil,", r"'Newtrophil' is not in the table.*neutrophil"),
        ("SNE_2.jpg,N", "SNE_9.jpg,N", r"img_name is not the file of path in 1 line"),
        ("PBC_dataset_normal_DIB/neu", "../neu", r"neutrophil/SNE_2.jpg leads out of the data set"),
        (
            "PBC_dataset_normal_DIB/neu",
            "/etc/neu",
            r"neutrophil/SNE_2.jpg leads out of the data set",
        ),
        ("SNE_2.jpg", "SNE_3.jpg", r"path stands in the table twice"),
        ("SNE_2.jpg", "SNE_4.jpg", r"1 of 6 files are missing"),
        ("SNE_2.jpg", "sne_3.jpg", r"differ by capitals only: .*SNE_3.jpg.*sne_3.jpg"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, old, new, message):
    write_wbcatt(tmp_path)
    edit(tmp_path, "val", old, new)
    with pytest.raises(ManifestError, match=message):
        open_dataset(tmp_path)


def test_a_table_without_lines(tmp_path):
    write_wbcatt(tmp_path)
    write_table(tmp_path / "pbc_attr_v1_val.csv", WBCATT_HEADER)
    with pytest.raises(ManifestError, match=r"val.csv has no line below its first"):
        open_dataset(tmp_path)


def test_links_that_lead_out(tmp_path):
    data = tmp_path / "data"
    write_wbcatt(data)
    write_image(tmp_path / "secret.jpg")
    place = data / wbcatt_line("Neutrophil", "SNE_2.jpg").rsplit(",", 1)[-1]
    place.unlink()
    place.symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(ManifestError, match=r"SNE_2.jpg leads out of the data set"):
        open_dataset(data)
