"""Archives that are damaged, harmful or no data set: one line, status 2, nothing left behind."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lab_models.cli import main
from tests.pipelines.archives import medmnist_arrays, noise, save

IMAGES, LABELS = noise(12, 9, 7, 3), np.arange(12) % 3


class Program:
    """Its pickle makes a file when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def truncated(folder):
    file = save(folder / "cells.npz", images=IMAGES, labels=LABELS)
    file.write_bytes(file.read_bytes()[:-100])
    return file


def truncated_medmnist(folder):
    file = save(folder / "bloodmnist_28.npz", **medmnist_arrays())
    file.write_bytes(file.read_bytes()[:-100])
    return file


def flipped(folder):
    np.savez(folder / "cells.npz", images=IMAGES, labels=LABELS)
    data = bytearray((folder / "cells.npz").read_bytes())
    data[data.index(IMAGES[5].tobytes())] ^= 1
    (folder / "cells.npz").write_bytes(data)
    return folder / "cells.npz"


def pickled_images(folder):
    images = np.array([Program(folder / "harm")] * 12, object)
    return save(folder / "cells.npz", images=images, labels=LABELS)


def pickled_labels(folder):
    labels = np.array([Program(folder / "harm")] * 12, object)
    return save(folder / "cells.npz", images=IMAGES, labels=labels)


def pickle_called_npz(folder):
    (folder / "cells.npz").write_bytes(pickle.dumps(Program(folder / "harm")))
    return folder / "cells.npz"


def leads_out(folder):
    file = save(folder / "cells.npz", images=IMAGES, labels=LABELS)
    np.save(folder / "x.npy", LABELS)
    with zipfile.ZipFile(file, "a") as archive:
        archive.write(folder / "x.npy", "../../x.npy")
    (folder / "x.npy").unlink()
    return file


def empty(folder):
    (folder / "cells.npz").write_bytes(b"")
    return folder / "cells.npz"


def zip_of_pictures(folder):
    with zipfile.ZipFile(folder / "cells.npz", "w") as archive:
        archive.writestr("lymphocyte/1.png", b"abc")
    return folder / "cells.npz"


def folder_of_that_name(folder):
    (folder / "cells.npz").mkdir()
    return folder / "cells.npz"


def without_images(folder):
    return save(folder / "cells.npz", labels=LABELS)


def labels_too_few(folder):
    return save(folder / "cells.npz", images=IMAGES, labels=LABELS[:7])


def images_of_floats(folder):
    return save(folder / "cells.npz", images=IMAGES / 255, labels=LABELS)


def several_archives(folder):
    save(folder / "a.npz", images=IMAGES, labels=LABELS)
    return save(folder / "b.npz", images=IMAGES, labels=LABELS).parent


BAD_ARCHIVES = {
    truncated: "is no NumPy archive (.npz), or a truncated one",
    truncated_medmnist: "is no NumPy archive (.npz), or a truncated one",
    flipped: "is damaged: images.npy cannot be read (Bad CRC-32",
    pickled_images: "could be the images; it holds images (12,) Python objects (not loaded)",
    pickled_labels: "cells.npz, array labels: holds Python objects, that is, a pickle",
    pickle_called_npz: "is no NumPy archive",
    leads_out: "it holds '../../x.npy', which is no array of np.savez. Nothing was unpacked.",
    empty: "is no NumPy archive",
    zip_of_pictures: "it holds 'lymphocyte/1.png', which is no array",
    folder_of_that_name: "the folder is empty",
    without_images: "holds no array that could be the images; it holds labels (12,) int64.",
    labels_too_few: "images holds 12 images and labels 7 labels; there must be as many.",
    images_of_floats: "Save (255 * images).round().astype(np.uint8) if they go from 0 to 1",
    several_archives: "found several: 'a.npz', 'b.npz'; name one.",
}

COMMANDS = {
    "data": lambda path, out: ["data", path, "--write", f"{out}.csv", "--quarantine", f"{out}.q"],
    "inspect": lambda path, out: ["inspect", path, "--out", out],
    "train": lambda path, out: ["train", "--data", path, "--out", out, "--scale", "demo"],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("make", BAD_ARCHIVES, ids=lambda make: make.__name__)
def test_one_line_and_nothing_written(tmp_path, capsys, make, command):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    path = make(tmp_path / "in" / "deep")
    before = sorted(tmp_path.rglob("*"))
    assert main(COMMANDS[command](str(path), str(tmp_path / "out"))) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert BAD_ARCHIVES[make] in said.err
    assert sorted(tmp_path.rglob("*")) == before
