from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tflite.runtime.errors import ImageError
from tflite.runtime.preprocess import decode_image
from tflite.runtime.references import parse_reference

pytestmark = pytest.mark.device


@pytest.mark.parametrize(
    "name",
    [
        "cell.png",
        "slide #7/cell #3.png",
        "cell#xywh=1,2,3,4.png",
        "cell#xywh=1,2,3",
        "cell#xywh=-1,2,3,4",
        "cell#xywh=01,2,3,4",
        "cell#bytes=1",
        "cell#bytes=1,2,3",
        "a.npz#array=,3",
        "a.npz#array=x",
        "a.npz#array=x,1.5",
        "#xywh=1,2,3,4",
    ],
)
def test_what_has_no_proper_fragment_is_a_file(name):
    reference = parse_reference(name)
    assert reference.is_file
    assert reference.file == name


def test_fragments_survive_joining_to_a_folder():
    path = Path("data") / "a.npz#array=train_images,17#xywh=1,2,3,4"
    reference = parse_reference(path)
    assert reference.file == str(Path("data/a.npz"))
    assert reference.item == ("train_images", 17)
    assert reference.box == (1, 2, 3, 4)


PIXELS = np.random.default_rng(1).integers(0, 256, (3, 20, 30, 3), dtype=np.uint8)


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "field.png"
    Image.fromarray(PIXELS[0]).save(path)
    return path


def decoded(source):
    image = decode_image(source)
    assert image.mode == "RGB"
    return np.asarray(image)


def test_bytes_in_the_middle_of_a_file_are_an_image_of_their_own(picture, tmp_path):
    content = picture.read_bytes()
    shard = tmp_path / "shard"
    shard.write_bytes(b"before" + content + b"after")
    part = f"{shard}#bytes=6,{len(content)}"
    np.testing.assert_array_equal(decoded(part), PIXELS[0])
    np.testing.assert_array_equal(decoded(Path(part + "#xywh=2,3,4,5")), PIXELS[0][3:8, 2:6])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_items_of_an_archive_are_images(tmp_path, save):
    path = tmp_path / "set.npz"
    deep = PIXELS.astype(np.uint16) << 8 | 0xFF
    save(path, colour=PIXELS, grey=PIXELS[..., 0], flat=PIXELS[..., :1], deep=deep)
    grey = np.repeat(PIXELS[..., :1], 3, axis=3)
    for item in (2, 0, 1):
        np.testing.assert_array_equal(decoded(f"{path}#array=colour,{item}"), PIXELS[item])
        np.testing.assert_array_equal(decoded(f"{path}#array=grey,{item}"), grey[item])
        np.testing.assert_array_equal(decoded(f"{path}#array=flat,{item}"), grey[item])
        np.testing.assert_array_equal(decoded(f"{path}#array=deep,{item}"), PIXELS[item])
    cut = decoded(f"{path}#array=colour,1#xywh=0,0,30,20")
    np.testing.assert_array_equal(cut, PIXELS[1])


def test_a_changed_archive_is_read_anew(tmp_path):
    path = tmp_path / "set.npz"
    np.savez(path, images=PIXELS)
    decoded(f"{path}#array=images,0")
    np.savez_compressed(path, images=PIXELS[::-1])
    np.testing.assert_array_equal(decoded(f"{path}#array=images,0"), PIXELS[2])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_cut_from_the_upright_image(tmp_path, orientation):
    path = tmp_path / "turned.png"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(PIXELS[0]).save(path, exif=exif)
    whole = decoded(path)
    assert whole.shape == ((20, 30, 3) if orientation < 5 else (30, 20, 3))
    np.testing.assert_array_equal(decoded(f"{path}#xywh=3,1,10,12"), whole[1:13, 3:13])


@pytest.mark.parametrize(
    ("fragment", "message"),
    [
        ("#xywh=0,0,31,20", "30 columns and 20 rows"),
        ("#xywh=30,0,1,1", "leads out of the image"),
        ("#xywh=0,0,0,5", "leads out of the image"),
        ("#bytes=0,100000", "truncated"),
        ("#bytes=0,9999999999999999", "truncated"),
        ("#bytes=0,0", "empty or no image"),
        ("#bytes=10,50", "no image"),
        ("#array=images,0", "no NumPy archive"),
    ],
)
def test_what_is_not_there_says_so_and_names_the_reference(picture, fragment, message):
    with pytest.raises(ImageError, match=message) as caught:
        decode_image(f"{picture}{fragment}")
    assert str(picture) in str(caught.value)


@pytest.mark.parametrize("fragment", ["#xywh=0,0,1,1", "#bytes=0,1", "#array=images,0", ""])
def test_a_missing_file_says_so(tmp_path, fragment):
    with pytest.raises(ImageError, match=r"No such|cannot be read") as caught:
        decode_image(f"{tmp_path}/none{fragment}")
    assert "none" in str(caught.value)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (PIXELS.astype(np.float32), "must be uint8"),
        (PIXELS.transpose(0, 3, 1, 2), "must be uint8"),
        (np.zeros((2, 4, 4, 4), np.uint8), "must be uint8"),
        (np.zeros((2, 0, 4, 3), np.uint8), "not be empty"),
    ],
)
def test_items_that_are_no_image_are_refused(tmp_path, images, message):
    path = tmp_path / "set.npz"
    np.savez(path, images=images)
    with pytest.raises(ImageError, match=message) as caught:
        decode_image(f"{path}#array=images,1")
    assert f"{path}#array=images,1" in str(caught.value)
