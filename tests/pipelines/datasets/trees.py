"""One small data set of every kind, in the layout in which it lies on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from pipelines.labels import PBC_CLASSES
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


BUILDERS: dict[str, Callable[[Path], int]] = {
    "folders": write_folders,
    "csv_table": write_csv_table,
    "pbc": write_pbc,
    "hal": write_hal,
}
