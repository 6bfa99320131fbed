import io
import pickle
import random
import subprocess
import sys
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tflite.runtime import npz_arrays, zip_bytes
from tflite.runtime.errors import ImageError
from tflite.runtime.npz_arrays import NpzArray, array_names, check_archive

pytestmark = pytest.mark.device

SAVE = {"stored": np.savez, "deflated": np.savez_compressed}
IMAGES = np.random.default_rng(0).integers(0, 40, (30, 16, 11, 3), dtype=np.uint8)
LABELS = np.arange(30)[:, None] % 8


@pytest.fixture(params=SAVE)
def archive(request, tmp_path):
    SAVE[request.param](tmp_path / "cells.npz", images=IMAGES, labels=LABELS)
    return tmp_path / "cells.npz"


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(zip_bytes, "LEAST_SPACING", 1000)
    monkeypatch.setattr(zip_bytes, "BLOCKS_KEPT", 2)


def header_of(shape, dtype="|u1", version=(1, 0), fortran=False):
    stream = io.BytesIO()
    described = {"descr": dtype, "fortran_order": fortran, "shape": shape}
    if version == (1, 0):
        np.lib.format.write_array_header_1_0(stream, described)
        return stream.getvalue()
    np.lib.format.write_array_header_2_0(stream, described)
    # Version 3 is as 2 where the names of columns are ASCII; NumPy has no public writer of it.
    return stream.getvalue().replace(b"NUMPY\x02", b"NUMPY" + bytes(version[:1]))


def zipped(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def zipped_parts(path, header, parts):
    made = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with made, made.open("x.npy", "w") as stream:
        stream.write(header)
        for part in parts:
            stream.write(part)


def damaged(path, change):
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    return path


def read_everything(path):
    """What a reader of a data set does; the arrays by name."""
    names = tuple(array_names(path))
    check_archive(path, names)
    arrays = {name: NpzArray(path, name) for name in names}
    for array in arrays.values():
        for index in range(len(array)):
            array.read(index)
    return {name: array.read_all() for name, array in arrays.items()}


def test_items_are_those_of_numpy(archive):
    array = NpzArray(archive, "images")
    assert (len(array), array.shape, array.dtype) == (30, IMAGES.shape, np.uint8)
    assert array.item_bytes == 16 * 11 * 3
    for index in (29, 0, 17, 3, 17):
        assert np.array_equal(array.read(index), IMAGES[index])
    assert np.array_equal(array.read_all(), IMAGES)
    assert np.array_equal(NpzArray(str(archive), "labels").read(3), LABELS[3])


def test_names_shapes_and_types_are_listed_in_order(archive):
    assert list(array_names(archive).items()) == [
        ("images", (IMAGES.shape, IMAGES.dtype)),
        ("labels", (LABELS.shape, LABELS.dtype)),
    ]


def test_a_sound_archive_passes_its_check(archive):
    check_archive(archive, ("images", "labels"))


def test_items_over_the_borders_of_blocks(archive, small_blocks):
    array = NpzArray(archive, "images")
    order = list(range(30)) * 3
    random.Random(3).shuffle(order)
    assert all(np.array_equal(array.read(index), IMAGES[index]) for index in order)
    if isinstance(array._bytes, zip_bytes.DeflatedBytes):
        assert len(array._bytes._states) == -(-IMAGES.nbytes // 1000)
        assert len(array._bytes._kept) == 2


def test_blocks_that_end_where_the_data_end(tmp_path, monkeypatch):
    values = np.arange(872, dtype=np.uint8)  # with its header of 128 bytes, 1000
    np.savez_compressed(tmp_path / "a.npz", x=values)
    monkeypatch.setattr(zip_bytes, "LEAST_SPACING", 500)
    array = NpzArray(tmp_path / "a.npz", "x")
    assert [int(array.read(index)) for index in (871, 0, 371, 372)] == [103, 0, 115, 116]


def test_several_threads_at_once(archive, small_blocks):
    array = NpzArray(archive, "images")

    def read(seed):
        order = random.Random(seed).sample(range(30), 30)
        return all(np.array_equal(array.read(index), IMAGES[index]) for index in order)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(16)))


def test_well_packed_pixels_do_not_fill_the_memory(tmp_path):
    """150 MB of zeros in 150 KB: a chunk of the file could become hundreds of megabytes."""
    zipped_parts(tmp_path / "zeros.npz", header_of((150, 1000, 1000)), [bytes(10**6)] * 150)
    tracemalloc.start()
    try:
        check_archive(tmp_path / "zeros.npz", ("x",))
        array = NpzArray(tmp_path / "zeros.npz", "x")
        assert not any(array.read(index).any() for index in (149, 0, 75))
        assert tracemalloc.get_traced_memory()[1] < 40 * 2**20
    finally:
        tracemalloc.stop()


GROWTH = """
import random, re, sys
from pathlib import Path
from tflite.runtime.npz_arrays import NpzArray, check_archive
def peak():  # megabytes; unlike that of getrusage, not inherited from the process that started us
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
check_archive(sys.argv[1], ())
before = peak()
check_archive(sys.argv[1], ("x",))
array = NpzArray(sys.argv[1], "x")
for index in [*range(len(array)), *random.Random(0).choices(range(len(array)), k=200)]:
    assert array.read(index)[0, 0] == index % 251
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_memory_stays_flat_over_a_large_archive(tmp_path):
    """200 MB of pixels, of which half a byte each is noise."""
    pixels = np.random.default_rng(0).integers(0, 16, (500, 800), dtype=np.uint8).tobytes()
    parts = (bytes([index % 251]) + pixels[1:] for index in range(500))
    zipped_parts(tmp_path / "a.npz", header_of((500, 500, 800)), parts)
    done = subprocess.run(
        [sys.executable, "-c", GROWTH, str(tmp_path / "a.npz")],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr
    assert 0 < int(done.stdout) < 60


@pytest.mark.parametrize("index", [-1, 30, 10**12])
def test_items_that_are_not_there(archive, index):
    with pytest.raises(ImageError, match=f"has 30 items; number {index} "):
        NpzArray(archive, "images").read(index)


def test_arrays_that_are_not_there(archive):
    for call in (lambda: NpzArray(archive, "masks"), lambda: check_archive(archive, ("masks",))):
        with pytest.raises(ImageError, match="no array 'masks'; it has: images, labels"):
            call()


@pytest.mark.parametrize("call", [array_names, lambda path: NpzArray(path, "images")])
def test_files_that_are_no_archives(tmp_path, call):
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "text.npz").write_text("no archive" * 100)
    np.save(tmp_path / "single.npy", IMAGES)
    for name in ("empty.npz", "text.npz", "single.npy"):
        with pytest.raises(ImageError, match=f"{name} is no NumPy archive"):
            call(tmp_path / name)
    with pytest.raises(ImageError, match="No such file"):
        call(tmp_path / "missing.npz")
    with pytest.raises(ImageError, match="is a folder"):
        call(tmp_path)


def test_truncated_archives(archive):
    whole = archive.read_bytes()
    for length in random.Random(0).sample(range(len(whole)), 100):
        archive.write_bytes(whole[:length])
        with pytest.raises(ImageError, match="is no NumPy archive"):
            read_everything(archive)


def test_an_archive_truncated_after_it_was_opened(archive):
    array = NpzArray(archive, "images")
    archive.write_bytes(archive.read_bytes()[:1500])
    with pytest.raises(ImageError, match="is damaged: the array images cannot be read from item"):
        array.read(29)


def test_flipped_bits_are_found_or_change_nothing(archive):
    whole, draw, found = archive.read_bytes(), random.Random(1), 0
    for _ in range(400):
        flipped = bytearray(whole)
        flipped[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        archive.write_bytes(flipped)
        try:
            arrays = read_everything(archive)
        except ImageError:
            found += 1
        else:  # such as the date of a member, or its own name in the directory
            assert sorted(map(bytes, (a.tobytes() for a in arrays.values()))) == sorted(
                (IMAGES.tobytes(), LABELS.tobytes())
            )
    assert found > 300


def test_flipped_pixels_are_found(archive):
    start = NpzArray(archive, "images")._bytes._start + 200
    for place in range(start, start + 2000, 97):
        whole = archive.read_bytes()
        damaged(archive, lambda data, place=place: data.__setitem__(place, data[place] ^ 16))
        with pytest.raises(ImageError, match="array images cannot be read to its end"):
            check_archive(archive, ("images",))
        check_archive(archive, ("labels",))
        archive.write_bytes(whole)


class Program:
    """Its pickle makes a file when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_pickles_are_refused_and_not_run(tmp_path):
    harm, proof = tmp_path / "harm", tmp_path / "proof"
    np.savez(tmp_path / "proof.npz", images=np.array([Program(proof)], object))
    with np.load(tmp_path / "proof.npz", allow_pickle=True) as opened:
        opened["images"]
    assert proof.exists()  # it would have been run

    np.savez(tmp_path / "a.npz", images=np.array([Program(harm)], object))
    (tmp_path / "bare.npz").write_bytes(pickle.dumps(Program(harm)))
    zipped(tmp_path / "c.npz", {"images.npy": pickle.dumps(Program(harm))})
    assert array_names(tmp_path / "a.npz") == {"images": ((1,), np.dtype(object))}
    check_archive(tmp_path / "a.npz", ("images",))
    for name, message in (("a", "Python objects"), ("bare", "no NumPy"), ("c", "no NumPy array")):
        with pytest.raises(ImageError, match=message):
            NpzArray(tmp_path / f"{name}.npz", "images")
    assert not harm.exists()


@pytest.mark.parametrize(
    "name", ["../../x.npy", "/x.npy", "folder/x.npy", "..\\x.npy", "x\n.npy", "x.txt", ".npz"]
)
def test_members_that_lead_elsewhere_or_are_no_arrays(tmp_path, name):
    content = header_of((3,)) + b"abc"
    path = zipped(tmp_path / "a.npz", {"images.npy": content, name: content})
    with pytest.raises(ImageError, match=r"is no NumPy archive: it holds .*Nothing was unpacked"):
        array_names(path)
    assert NpzArray(path, "images").read_all().tobytes() == b"abc"
    assert list(tmp_path.rglob("*")) == [path]


def test_a_name_that_stands_there_twice(tmp_path):
    content = header_of((3,)) + b"abc"
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as made:
        made.writestr("x.npy", content)
        with pytest.warns(UserWarning, match="Duplicate"):
            made.writestr("x.npy", content)
    with pytest.raises(ImageError, match="holds the array x twice"):
        array_names(tmp_path / "a.npz")


def test_encrypted_members(archive):
    def encrypt(data):
        for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            data[data.index(signature) + place] |= 1

    damaged(archive, encrypt)
    for call in (array_names, lambda path: NpzArray(path, "images")):
        with pytest.raises(ImageError, match=r"images\.npy is encrypted"):
            call(archive)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression(tmp_path, compression):
    zipped(tmp_path / "a.npz", {"x.npy": header_of((3,)) + b"abc"}, compression)
    for call in (array_names, lambda path: NpzArray(path, "x")):
        with pytest.raises(ImageError, match=f"compressed by method {compression}; NumPy's"):
            call(tmp_path / "a.npz")


BAD_HEADERS = {
    "too few values": (header_of((4,)) + b"abc", "claims .4,. values of uint8, 132 bytes"),
    "too many values": (header_of((2,)) + b"abc", "claims .2,. values of uint8, 130 bytes"),
    "huge shape": (header_of((10**30, 10**30)) + b"abc", "claims"),
    "negative shape": (header_of((-1, -3)) + b"abc", "is no NumPy array, or a damaged one"),
    "columns first": (header_of((1, 3), fortran=True) + b"abc", "save np.ascontiguousarray"),
    "single value": (header_of(()) + b"a", "is a single value"),
    "no values at all": (header_of((3,), "|V0"), "holds values of the kind"),
    "arrays as values": (header_of((1,), "(3,)|u1") + b"abc", "holds values of the kind"),
    "objects": (header_of((1,), "|O") + b"abc", "holds Python objects"),
    "hidden objects": (header_of((1,), [("a", "|O")]) + bytes(8), "holds Python objects"),
    "no array": (b"abc", "is no NumPy array"),
    "nothing": (b"", "is no NumPy array"),
    "unknown version": (b"\x93NUMPY\x09\x00" + header_of((3,))[8:] + b"abc", "is no NumPy array"),
    "a program": (header_of((3,)).replace(b"(3,)", b"f(3)") + b"abc", "is no NumPy array"),
    "endless header": (b"\x93NUMPY\x02\x00\x00\x00\x00\x40" + b" " * 10**7, "is no NumPy array"),
}


@pytest.mark.parametrize("case", BAD_HEADERS)
def test_headers_that_do_not_fit(tmp_path, case):
    content, message = BAD_HEADERS[case]
    zipped(tmp_path / "a.npz", {"x.npy": content})
    with pytest.raises(ImageError, match=message):
        NpzArray(tmp_path / "a.npz", "x")


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_versions_of_the_header(tmp_path, version):
    zipped(tmp_path / "a.npz", {"x.npy": header_of((3,), version=version) + b"abc"})
    with np.load(tmp_path / "a.npz") as opened:
        assert opened["x"].tolist() == [97, 98, 99]
    assert NpzArray(tmp_path / "a.npz", "x").read_all().tolist() == [97, 98, 99]


def test_a_column_of_a_single_axis_may_be_in_any_order(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.asfortranarray(np.arange(3)))
    assert NpzArray(tmp_path / "a.npz", "x").read_all().tolist() == [0, 1, 2]


@pytest.mark.parametrize("shape", [(0, 4, 3), (3, 0, 3)])
@pytest.mark.parametrize("save", SAVE.values(), ids=SAVE)
def test_arrays_of_nothing(tmp_path, save, shape):
    save(tmp_path / "a.npz", x=np.zeros(shape, np.uint8))
    array = NpzArray(tmp_path / "a.npz", "x")
    assert len(array) == shape[0]
    assert array.read_all().shape == shape
    if shape[0]:
        assert array.read(2).shape == shape[1:]
    else:
        with pytest.raises(ImageError, match="has 0 items"):
            array.read(0)


def test_values_that_take_part_in_no_image_are_read_too(tmp_path):
    words = np.array(["a", "längeres Wort"])
    rows = np.array([(1, 2.5)], [("n", "<i4"), ("x", "<f8")])
    np.savez_compressed(tmp_path / "a.npz", words=words, rows=rows, big=np.array([7], ">u2"))
    assert NpzArray(tmp_path / "a.npz", "words").read_all().tolist() == words.tolist()
    assert NpzArray(tmp_path / "a.npz", "rows").read(0)["x"] == 2.5
    assert NpzArray(tmp_path / "a.npz", "big").read(0) == 7


def test_sizes_that_the_bytes_cannot_hold_are_refused_before_they_are_read(tmp_path):
    """The archive's directory and the array's header agree on 4 GB; there are 100 bytes."""
    zipped(tmp_path / "a.npz", {"x.npy": header_of((40, 10**8))})

    def claim(data):
        place = data.index(b"PK\x01\x02") + 24
        data[place : place + 4] = (4 * 10**9 + 128).to_bytes(4, "little")

    damaged(tmp_path / "a.npz", claim)
    for call in (array_names, lambda path: NpzArray(path, "x")):
        with pytest.raises(ImageError, match=r"claims 4,000,000,128 bytes and its .* cannot hold"):
            call(tmp_path / "a.npz")


def test_an_item_that_is_too_large_is_refused_before_it_is_read(archive, monkeypatch):
    monkeypatch.setattr(npz_arrays, "MOST_ITEM_BYTES", 16 * 11 * 3 - 1)
    with pytest.raises(ImageError, match="has 528 bytes; at most 527 are read"):
        NpzArray(archive, "images").read(0)


@pytest.mark.parametrize("number", [1001, pytest.param(100_000, marks=pytest.mark.slow)])
def test_more_arrays_than_an_archive_of_images_has(tmp_path, number):
    content = header_of((3,)) + b"abc"
    zipped(tmp_path / "a.npz", {f"{n}.npy": content for n in range(number)}, zipfile.ZIP_STORED)
    with pytest.raises(ImageError, match=f"holds {number:,} arrays, more than 1,000"):
        array_names(tmp_path / "a.npz")
    assert NpzArray(tmp_path / "a.npz", "7").read(2) == ord("c")
    with pytest.raises(ImageError, match=r"has no array 'x'; it has: 0, 1, .* more\."):
        NpzArray(tmp_path / "a.npz", "x")
