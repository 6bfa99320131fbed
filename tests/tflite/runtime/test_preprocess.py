import hashlib
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tflite.runtime import preprocess
from tflite.runtime.contract import INTERPOLATIONS, InputContract
from tflite.runtime.errors import ImageError
from tflite.runtime.preprocess import crop_box, decode_image, prepare_image

pytestmark = pytest.mark.device

CONTRACT = InputContract(16, 24)


def encode(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def smooth_image(height=32, width=48):
    """Colours that change slowly, so that lossy formats keep them nearly."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack(
        [rows * 255 // height, columns * 255 // width, (rows + columns) * 255 // (height + width)],
        axis=-1,
    ).astype(np.uint8)


RGB = smooth_image()
GREY = RGB[..., 1]


@pytest.mark.parametrize(
    ("format", "options", "tolerance"),
    [
        ("PNG", {}, 0),
        ("BMP", {}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("JPEG", {"quality": 95, "subsampling": 0}, 8),
    ],
)
def test_colour_images_of_every_format_decode_to_their_pixels(format, options, tolerance):
    image = decode_image(encode(Image.fromarray(RGB), format, **options))
    assert image.mode == "RGB"
    difference = np.abs(np.asarray(image).astype(int) - RGB)
    assert difference.max() <= tolerance


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF"])
def test_grey_images_get_three_equal_channels(format):
    array = np.asarray(decode_image(encode(Image.fromarray(GREY), format)))
    np.testing.assert_array_equal(array, np.repeat(GREY[..., None], 3, axis=2))


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_upper_eight_bits(format):
    values = np.array([[0, 255, 256], [32768, 65279, 65535]], np.uint16)
    array = np.asarray(decode_image(encode(Image.fromarray(values), format)))
    assert array[..., 0].tolist() == [[0, 0, 1], [128, 254, 255]]


def png_of(width, height, bits, colour_type, rows):
    """A PNG written by hand: of forms that Pillow does not write, or with a header that lies."""

    def chunk(kind, content):
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def deep_png(pixels):
    """Of uint16 ``(rows, columns, 3 or 4)``."""
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return png_of(width, height, 16, {3: 2, 4: 6}[channels], rows)


def deep_tiff(pixels):
    """A TIFF of uint16 ``(rows, columns, 3)``, one strip; Pillow cannot write these."""
    height, width, _ = pixels.shape
    strip, bits = 8, 8 + pixels.nbytes
    short, long = 3, 4
    tags = [
        (256, short, 1, width), (257, short, 1, height), (258, short, 3, bits), (259, short, 1, 1),
        (262, short, 1, 2), (273, long, 1, strip), (277, short, 1, 3), (278, short, 1, height),
        (279, long, 1, pixels.nbytes),
    ]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    body = pixels.astype("<u2").tobytes() + struct.pack("<3H", 16, 16, 16)
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + directory


DEEP = np.random.default_rng(5).integers(0, 65536, (4, 6, 3)).astype(np.uint16)


@pytest.mark.parametrize(
    "content",
    [
        deep_png(DEEP),
        deep_png(np.dstack([DEEP, np.full((4, 6), 65535, np.uint16)])),
        deep_tiff(DEEP),
    ],
    ids=["png", "png with transparency", "tiff"],
)
def test_sixteen_bit_colours_keep_their_upper_eight_bits(content):
    np.testing.assert_array_equal(np.asarray(decode_image(content)), DEEP >> 8)


def test_one_bit_images_are_black_and_white():
    array = np.asarray(decode_image(encode(Image.fromarray(GREY > 127), "PNG")))
    assert set(np.unique(array)) == {0, 255}


def test_float_tiffs_are_taken_as_pixel_values_and_clipped():
    values = np.array([[-5.0, 0.0, 127.6, 300.0]], np.float32)
    array = np.asarray(decode_image(encode(Image.fromarray(values), "TIFF")))
    assert array[0, :, 0].tolist() == [0, 0, 127, 255]


@pytest.mark.filterwarnings("error")
def test_float_tiffs_without_numbers_have_defined_pixels():
    values = np.array([[np.nan, np.inf, -np.inf]], np.float32)
    array = np.asarray(decode_image(encode(Image.fromarray(values), "TIFF")))
    assert array[0, :, 0].tolist() == [0, 255, 0]


def test_palettes_are_looked_up():
    image = Image.fromarray(RGB).quantize(16)
    expected = np.asarray(image.convert("RGB"))
    for format in ("PNG", "BMP", "GIF"):
        np.testing.assert_array_equal(np.asarray(decode_image(encode(image, format))), expected)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_shows_white(mode):
    image = Image.new(mode, (3, 1), (10, 20, 30, 255) if mode == "RGBA" else (10, 255))
    image.putpixel((1, 0), (10, 20, 30, 0) if mode == "RGBA" else (10, 0))
    array = np.asarray(decode_image(encode(image, "PNG")))
    assert array[0, 1].tolist() == [255, 255, 255]
    assert array[0, 0, 0] == 10


def test_a_transparent_palette_colour_shows_white():
    image = Image.new("P", (2, 1), 0)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    array = np.asarray(decode_image(encode(image, "PNG", transparency=0)))
    assert array[0].tolist() == [[255, 255, 255], [200, 100, 50]]


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(format):
    image = Image.fromarray(RGB).convert("CMYK")
    array = np.asarray(decode_image(encode(image, format)))
    expected = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(array - expected).max() <= (0 if format == "TIFF" else 12)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(orientation):
    upright = np.zeros((8, 16, 3), np.uint8)
    upright[:, :8] = 255  # the left half is white
    # What a camera held that way would have stored.
    undo = {
        1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]  # fmt: skip
    image = Image.fromarray(upright)
    stored = image.transpose(undo) if undo is not None else image
    exif = Image.Exif()
    exif[0x0112] = orientation
    array = np.asarray(decode_image(encode(stored, "PNG", exif=exif)))
    np.testing.assert_array_equal(array, upright)


def test_bytes_paths_and_arrays_give_the_same(tmp_path):
    path = tmp_path / "größe µm.png"
    content = encode(Image.fromarray(RGB), "PNG")
    path.write_bytes(content)
    expected = prepare_image(RGB, CONTRACT)
    for source in (path, str(path), content):
        np.testing.assert_array_equal(prepare_image(source, CONTRACT), expected)


def test_a_png_named_jpg_is_read_as_what_it_is(tmp_path):
    path = tmp_path / "cell.jpg"
    path.write_bytes(encode(Image.fromarray(RGB), "PNG"))
    np.testing.assert_array_equal(np.asarray(decode_image(path)), RGB)


# Bad input: each kind gets one message that names the file.


def write(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.jpg", b""),
        ("text.jpg", b"These are the notes of Tuesday, not a picture.\n"),
        ("zeros.bmp", bytes(5000)),
        ("page.png", b"<!doctype html><html><body>404</body></html>"),
    ],
)
def test_what_is_no_image_says_so(tmp_path, name, content):
    path = write(tmp_path, name, content)
    with pytest.raises(ImageError, match=r"empty or no image") as caught:
        decode_image(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "BMP", "TIFF", "GIF", "WEBP"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_images_are_refused(tmp_path, format, share):
    generator = np.random.default_rng(0)
    noise = Image.fromarray(generator.integers(0, 256, (64, 64, 3), np.uint8))
    content = encode(noise, format)
    path = write(tmp_path, f"cut.{format.lower()}", content[: int(len(content) * share)])
    with pytest.raises(ImageError) as caught:
        decode_image(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_a_folder_say_so(tmp_path):
    with pytest.raises(ImageError, match="No such image file"):
        decode_image(tmp_path / "nowhere.png")
    with pytest.raises(ImageError, match="folder"):
        decode_image(tmp_path)


def png_header(width, height):
    """A PNG that claims a size and holds nearly nothing."""
    return png_of(width, height, 8, 2, bytes(100))


@pytest.mark.parametrize("size", [(9000, 9000), (20000, 20000), (100000, 100000)])
def test_a_gigantic_image_is_refused_before_it_is_decoded(tmp_path, size):
    path = write(tmp_path, "huge.png", png_header(*size))
    with pytest.raises(ImageError, match="at most 64000000") as caught:
        decode_image(path)
    assert str(path) in str(caught.value)


def test_the_largest_image_allowed_is_decoded(monkeypatch):
    monkeypatch.setattr(preprocess, "MAX_PIXELS", RGB.shape[0] * RGB.shape[1])
    assert decode_image(encode(Image.fromarray(RGB), "PNG")).size == (48, 32)
    monkeypatch.setattr(preprocess, "MAX_PIXELS", RGB.shape[0] * RGB.shape[1] - 1)
    with pytest.raises(ImageError, match="48x32"):
        decode_image(encode(Image.fromarray(RGB), "PNG"))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8, 3), np.int64),
        np.full((8, 8, 3), np.nan),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 1), np.uint8),
        np.zeros((1, 8, 8, 3), np.uint8),
        np.zeros(8, np.uint8),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((8, 0), np.uint8),
    ],
    ids=lambda a: f"{a.dtype}{a.shape}",
)
def test_arrays_of_other_types_and_shapes_are_refused(array):
    with pytest.raises(ImageError, match="image array must"):
        prepare_image(array, CONTRACT)


# Crop, resize, colour.


@pytest.mark.parametrize(
    ("size", "contract", "box"),
    [
        ((48, 32), InputContract(16, 24), (0, 0, 48, 32)),
        ((48, 32), InputContract(16, 16), (8, 0, 40, 32)),
        ((32, 48), InputContract(16, 16), (0, 8, 32, 40)),
        ((48, 32), InputContract(16, 16, crop=0.5), (16, 8, 32, 24)),
        ((10, 10), InputContract(300, 480), (0, 1.875, 10, 8.125)),
    ],
)
def test_the_crop_is_the_largest_centred_rectangle_of_the_aspect(size, contract, box):
    assert crop_box(size, contract) == pytest.approx(box)


def test_an_image_of_the_right_size_passes_unchanged():
    image = smooth_image(16, 24)
    np.testing.assert_array_equal(prepare_image(image, CONTRACT), image)


def test_only_the_centre_is_seen():
    image = np.zeros((32, 48, 3), np.uint8)
    image[:, 8:40] = 200
    prepared = prepare_image(image, InputContract(16, 16))
    # The filter reaches a pixel or two beyond the crop, so that its rim is no artefact.
    assert (prepared[:, 1:-1] == 200).all()
    assert prepared.min() >= 150


def test_shrinking_averages_all_pixels():
    checkerboard = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    prepared = prepare_image(checkerboard, InputContract(8, 8))
    assert np.abs(prepared.astype(int) - 127).max() <= 2


@pytest.mark.parametrize("interpolation", ["nearest", "box", "bilinear", "bicubic", "lanczos"])
def test_every_interpolation_gives_the_contract_s_shape(interpolation):
    prepared = prepare_image(RGB, InputContract(20, 9, interpolation=interpolation))
    assert (prepared.shape, prepared.dtype) == ((20, 9, 3), np.uint8)
    assert prepared.flags.c_contiguous


def test_luminance_is_the_weighted_sum_in_all_channels():
    image = np.full((16, 24, 3), (100, 50, 200), np.uint8)
    prepared = prepare_image(image, InputContract(16, 24, colour="luminance"))
    # 0.2989 * 100 + 0.587 * 50 + 0.114 * 200 = 82.04
    assert np.unique(prepared).tolist() == [82]


def test_white_stays_white_as_luminance():
    image = np.full((16, 24, 3), 255, np.uint8)
    prepared = prepare_image(image, InputContract(16, 24, colour="luminance"))
    assert np.unique(prepared).tolist() == [255]


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_across_comes_before_down_in_every_shape(interpolation):
    """Whatever order this version of Pillow prefers in one call."""
    generator = np.random.default_rng(0)
    for height, width, side in [(40, 40, 16), (250, 12, 30), (12, 250, 30), (97, 64, 200)]:
        image = generator.integers(0, 256, (height, width, 3), np.uint8)
        contract = InputContract(side, side, crop=0.8, interpolation=interpolation)
        left, top, right, bottom = crop_box((width, height), contract)
        sample = Image.Resampling[interpolation.upper()]
        if interpolation == "nearest":
            box = (left, top, right, bottom)
            expected = Image.fromarray(image).resize((side, side), sample, box)
        else:
            across = Image.fromarray(image).resize((side, height), sample, (left, 0, right, height))
            expected = across.resize((side, side), sample, (0, top, side, bottom))
        np.testing.assert_array_equal(prepare_image(image, contract), np.asarray(expected))


def test_the_bytes_are_those_of_every_version_of_pillow():
    """Made with Pillow 11.3 and 13.0, which take the passes in different orders."""
    generator, digest = np.random.RandomState(0), hashlib.sha256()
    for number in range(200):
        width, height, out_width, out_height = generator.randint(8, 250, 4)
        contract = InputContract(
            int(out_height),
            int(out_width),
            crop=float(generator.uniform(0.05, 1)),
            interpolation=("nearest", "box", "bilinear", "bicubic")[number % 4],
            colour=("rgb", "luminance")[number // 4 % 2],
        )
        image = generator.randint(0, 256, (height, width, 3)).astype(np.uint8)
        digest.update(prepare_image(image, contract).tobytes())
    assert digest.hexdigest()[:16] == "6980e1788826a3c0"
