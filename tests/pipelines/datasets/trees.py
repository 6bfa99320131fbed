"""One small data set of every kind, in the layout in which it lies on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from pipelines.labels import PBC_CLASSES
from tests.pipelines.archives import write_an2dl, write_medmnist, write_npz
from tests.pipelines.detection import write_coco, write_voc
from tests.pipelines.disk import write_images, write_table

PREFIXES = ("BA", "EO", "ERB", "MMY", "LY", "MO", "SNE", "PLATELET")
SUBSETS = ("tiny", "small", "medium")


def write_folders(root: Path) -> int:
    write_images(root, ["lymphocyte/a b.png", "lymphocyte/ü.jpg", "smudge_cell/c.bmp"])
    return 3


def write_csv_table(root: Path) -> int:
    write_images(root, ["one.png", "two.png"])
    write_table(root / "manifest.csv", "path,label,slide", "one.png,x,s1", "two.png,y,s2")
    return 2


def write_pbc(root: Path) -> int:
    names = [f"images/{n}/{p}_{i}.jpg" for n, p in zip(PBC_CLASSES, PREFIXES) for i in range(6)]
    write_images(root, names)
    lines = [
        f"{name},{name.split('/')[1]},{name.split('/')[2].split('_')[0]},"
        f"{('train', 'validation')[i % 2]},{SUBSETS[i % 6 // 2]}"
        for i, name in enumerate(names)
    ]
    write_table(root / "manifest.csv", "path,label,prefix,split,smallest_subset", *lines)
    return len(names)


def write_experts(folder: Path, lines: Iterable[str]) -> None:
    write_table(folder / "experts.csv", "path,expert,label", *lines)


def write_hal(root: Path) -> int:
    """All rules once; returns how many images count without set D."""
    write_images(
        root / "hairy_db",
        ["S1/hairy_cell/1.png", "S1/blast/1.png", "S2/hairy_cell/1.png", "S2/blast/1.png"],
    )
    write_table(
        root / "hairy_db" / "slides.csv", "slide,hospital,split", "S1,H1,train", "S2,H2,test"
    )
    train = root / "WBCTrain"
    write_images(train, [f"S1/blast/{name}.png" for name in ("one", "two", "split", "none", "off")])
    agree = ["S1/blast/two.png,E1,blast", "S1/blast/two.png,E2,blast", "S1/blast/one.png,E1,blast"]
    apart = ["S1/blast/split.png,E1,blast", "S1/blast/split.png,E2,monocyte"]
    write_experts(train, [*agree, *apart, "S1/blast/off.png,E1,monocyte"])
    test = root / "WBCTest"
    write_images(test, [f"S1/blast/{name}.png" for name in ("one", "two")])
    write_experts(
        test,
        ["S1/blast/one.png,E1,blast", "S1/blast/two.png,E1,blast", "S1/blast/two.png,E2,blast"],
    )
    write_images(root / "lookalikes", ["S1/abnormal_lymphocyte/1.png"])
    return 4 + 2 + 1


def write_experts_data(root: Path) -> int:
    """Train and test with one image each that does not count; returns how many count."""
    names = ["train/s1/a.png", "train/s1/b.png", "train/s1/c.png", "test/s2/d.png", "test/s2/e.png"]
    write_images(root, names)
    votes = [f"{name},E1,blast" for name in names]
    votes += ["train/s1/b.png,E2,monocyte", "test/s2/d.png,E2,blast", "train/s1/c.png,E2,blast"]
    write_experts(root, votes)
    return 4


def write_bone_marrow(root: Path, inside: str = "") -> int:
    names = ["ABE/ABE_00001.jpg", "HAC/HAC_00001.jpg", "HAC/HAC_00002.jpg"]
    names += ["BLA/0001-1000/BLA_00001.jpg", "BLA/1001-2000/BLA_01001.jpg"]
    write_images(root / inside, names)
    return len(names)


def write_raabin(root: Path) -> int:
    classes = ("Basophil", "Eosinophil", "Lymphocyte", "Monocyte", "Neutrophil")
    names = [f"{part}/{name}/1.jpg" for part in ("Train", "TestA") for name in classes]
    names += ["TestB/Lymphocyte/1.jpg", "TestB/Neutrophil/1.jpg"]
    write_images(root, names)
    return len(names)


WBCATT_HEADER = (
    "img_name,label,cell_size,cell_shape,nucleus_shape,nuclear_cytoplasmic_ratio,"
    "chromatin_density,cytoplasm_vacuole,cytoplasm_texture,cytoplasm_colour,granule_type,"
    "granule_colour,granularity,path"
)


def wbcatt_line(label: str, name: str) -> str:
    place = f"PBC_dataset_normal_DIB/{label.lower()}/{name}"
    return (
        f"{name},{label},small,round,unsegmented-band,low,densely,no,clear,light blue,small,pink,"
        f"yes,{place}"
    )


def write_wbcatt(root: Path, tables: str = "") -> int:
    cells = {
        "train": [("Neutrophil", "BNE_1.jpg"), ("Basophil", "BA_1.jpg")],
        "val": [("Neutrophil", "SNE_2.jpg"), ("Basophil", "BA_2.jpg")],
        "test": [("Neutrophil", "SNE_3.jpg"), ("Basophil", "BA_3.jpg")],
    }
    for side, listed in cells.items():
        lines = [wbcatt_line(label, name) for label, name in listed]
        write_images(root, [line.rsplit(",", 1)[-1] for line in lines])
        write_table(root / tables / f"pbc_attr_v1_{side}.csv", WBCATT_HEADER, *lines)
    return 6


def write_particles(root: Path) -> int:
    """Two slides; a place in three lights and one in standard light alone on each."""
    for folder in ("train/S1", "test/S2"):
        lights = ("standard", "dark_field", "pls_16.2_01")
        write_images(root / folder / "real" / "P1", [f"{light}.png" for light in lights])
        write_images(root / folder / "fake", ["P2.png"])
    return 4


def write_shards(root: Path) -> int:
    from pipelines.datasets.folders import read
    from pipelines.shards.pack import pack_dataset

    beside = root.with_name(f"{root.name}_packed")
    number = write_folders(beside)
    pack_dataset(read(beside), root)
    return number


BUILDERS: dict[str, Callable[[Path], int]] = {
    "folders": write_folders,
    "shards": write_shards,
    "csv_table": write_csv_table,
    "pbc": write_pbc,
    "hal": write_hal,
    "experts": write_experts_data,
    "bone_marrow": write_bone_marrow,
    "raabin": write_raabin,
    "wbcatt": write_wbcatt,
    "coco": write_coco,
    "voc": write_voc,
    "particles": write_particles,
    "medmnist": write_medmnist,
    "an2dl": write_an2dl,
    "npz": write_npz,
}
