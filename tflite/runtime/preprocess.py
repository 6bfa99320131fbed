"""From an image file to the uint8 array a network takes. The one implementation in the project."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Tuple, Union

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from tflite.runtime.contract import InputContract
from tflite.runtime.decoded_fields import DecodedFields
from tflite.runtime.errors import ImageError
from tflite.runtime.references import ImageReference, parse_reference
from tflite.runtime.stored_images import read_stored

ImageSource = Union[str, Path, bytes, "np.ndarray"]

# Cells come as crops of at most a few hundred pixels; a whole 1920x1200 field is 2.3 million.
# Anything far beyond is a mistake or an attack, and must not be decoded into memory.
MAX_PIXELS = 64_000_000
# By content, whatever the file is called. Pillow knows dozens more, some of which call other
# programs; none is a format in which cells are photographed.
IMAGE_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
# In 10,000ths, so that sums are exact and no processor rounds them its own way.
LUMINANCE = np.array([2989, 5870, 1140], np.int32)
# Five fields of 2000 x 2000 pixels; two threads rarely cut out of more at a time.
_FIELDS = DecodedFields(most_bytes=64 * 2**20)
_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def decode_image(source: ImageSource) -> Image.Image:
    """Decodes any image to RGB, 8 bits a channel, upright.

    The rule: the EXIF rotation is applied; 16 bits a channel keep their upper 8;
    palettes are looked up; transparency is laid over white, the colour of an empty bright field;
    CMYK and other modes are converted by Pillow; of several pages or frames the first counts.
    A cut-out (``#xywh=``) is taken last, from the upright image.

    Args:
        source: A path or reference (see `tflite.runtime.references`), the bytes of a file, or a
            uint8 array ``(rows, columns)`` or ``(rows, columns, 3)``. Items of NumPy archives
            may also be uint16 (their upper 8 bits count) and have a last axis of length 1.

    Returns:
        A loaded Pillow image of mode RGB.

    Raises:
        ImageError: If the file is missing, empty, truncated, not an image of one of the
            `IMAGE_FORMATS`, or larger than `MAX_PIXELS`, or a reference leads out of its file;
            the message names the file.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, "An image array")
    if isinstance(source, bytes):
        return _decode_file(io.BytesIO(source), "the bytes given")
    if not isinstance(source, (str, Path)):
        raise ImageError(
            "An image is a path, the bytes of a file or a uint8 array, got "
            f"{type(source).__name__}."
        )
    reference = parse_reference(source)
    if reference.is_file:
        return _decode_file(source, str(source))
    return _decode_part(reference)


def _decode_part(reference: ImageReference) -> Image.Image:
    stored = read_stored(reference)
    if isinstance(stored, np.ndarray):
        image = _from_array(stored, f"{reference}: the item")
    elif isinstance(stored, bytes):
        image = _decode_file(io.BytesIO(stored), str(reference))
    else:
        image = _decode_field(stored)
    if reference.box is None:
        return image
    left, top, width, height = reference.box
    if width < 1 or height < 1 or left + width > image.width or top + height > image.height:
        raise ImageError(
            f"{reference} leads out of the image, which has {image.width} columns and "
            f"{image.height} rows."
        )
    return image.crop((left, top, left + width, top + height))


def _decode_field(path: str) -> Image.Image:
    """An image that cells are cut out of; read anew where the file was changed."""

    def decode() -> Image.Image:
        return _decode_file(path, path)

    try:
        status = Path(path).stat()
    except OSError:
        return decode()  # says what is wrong
    return _FIELDS.get((path, status.st_mtime_ns, status.st_size), decode)


def _decode_file(opened: Union[str, Path, io.BytesIO], name: str) -> Image.Image:
    try:
        # No catch_warnings here: it is not safe where several threads decode.
        with Image.open(opened, formats=IMAGE_FORMATS) as image:
            _check_size(image.size, name)
            image.load()
            return _to_rgb(image)
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError(f"No such image file: {name}.") from None
    except IsADirectoryError:
        raise ImageError(f"{name} is a folder; an image file was expected.") from None
    except UnidentifiedImageError:
        raise ImageError(
            f"{name} is empty or no image that can be read ({', '.join(IMAGE_FORMATS)})."
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(_too_large(name, "far too many")) from None
    except PermissionError as error:
        raise ImageError(f"{name} cannot be read: {error.strerror}.") from None
    # A damaged file can raise nearly anything from inside a decoder.
    except Exception as error:
        raise ImageError(f"{name} is damaged and cannot be decoded: {error}.") from None


def _too_large(name: str, size: str) -> str:
    return f"{name} has {size} pixels; at most {MAX_PIXELS} are decoded. Cut it into cells first."


def _check_size(size: Tuple[int, int], name: str) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise ImageError(_too_large(name, f"{size[0]}x{size[1]}"))


def _from_array(array: np.ndarray, what: str) -> Image.Image:
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,)):
        raise ImageError(
            f"{what} must be uint8 of shape (rows, columns) or (rows, columns, 3), "
            f"got {array.dtype} {array.shape}."
        )
    if 0 in array.shape:
        raise ImageError(f"{what} must not be empty, got shape {array.shape}.")
    return Image.fromarray(np.ascontiguousarray(array)).convert("RGB")


def _to_rgb(image: Image.Image) -> Image.Image:
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I") or image.mode == "F":
        # Pillow's own conversion clips 16 bits at 255 and makes such images white.
        values = np.asarray(image)
        # What NaN becomes as uint8 differs between processors.
        grey = np.nan_to_num(values) if image.mode == "F" else values.astype(np.int64) >> 8
        return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(ground, image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")  # convert always copies


def crop_box(size: Tuple[int, int], contract: InputContract) -> Tuple[float, float, float, float]:
    """The centred crop of an image, in pixels: left, top, right, bottom.

    Args:
        size: Width and height of the image.
        contract: Gives aspect ratio and the fraction kept.
    """
    width, height = size
    scale = contract.crop * min(width / contract.width, height / contract.height)
    half_width, half_height = scale * contract.width / 2, scale * contract.height / 2
    return (
        max(0.0, width / 2 - half_width),
        max(0.0, height / 2 - half_height),
        min(float(width), width / 2 + half_width),
        min(float(height), height / 2 + half_height),
    )


def _crop_and_resize(image: Image.Image, contract: InputContract) -> Image.Image:
    """First across, then down, rounded to 8 bits in between.

    In one call Pillow chooses which comes first, by rules that differ between its versions; where
    they differ, so does about one value in three, by 1. A device must see what training saw.
    """
    box, resampling = crop_box(image.size, contract), _RESAMPLING[contract.interpolation]
    size = (contract.width, contract.height)
    if contract.interpolation == "nearest":  # picks pixels, rounds nothing
        return image.resize(size, resampling, box=box)
    left, top, right, bottom = box
    across = image.resize(
        (contract.width, image.height), resampling, box=(left, 0, right, image.height)
    )
    return across.resize(size, resampling, box=(0, top, contract.width, bottom))


def prepare_image(source: ImageSource, contract: InputContract) -> np.ndarray:
    """The array that a network with this contract takes for one image.

    Args:
        source: A path, the bytes of a file, or a uint8 array.
        contract: The network's input contract.

    Returns:
        uint8 array ``(height, width, 3)``, values 0..255.

    Raises:
        ImageError: If the image cannot be decoded (see `decode_image`).
    """
    array = np.asarray(_crop_and_resize(decode_image(source), contract))
    if contract.colour == "luminance":
        grey = ((array.astype(np.int32) @ LUMINANCE + 5000) // 10_000).astype(np.uint8)
        array = np.repeat(grey[..., None], 3, axis=2)
    return np.ascontiguousarray(array)
