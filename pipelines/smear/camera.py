"""The camera: from transmitted light to the pixels of a file."""

from __future__ import annotations

import cv2
import numpy as np

from pipelines.smear.settings import CameraSettings
from pipelines.smear.shapes import Field

_EXTENSION = {"jpg": ".jpg", "bmp": ".bmp"}


def photograph(
    light: np.ndarray, field: Field, camera: CameraSettings, rng: np.random.Generator
) -> np.ndarray:
    """Takes the picture.

    Optics blur light, not colours; then come exposure and the fall of light towards a side, tone
    curve, sharpening and noise.

    Args:
        light: Transmittance, float64 ``(size, size, 3)``, red, green, blue.
        field: The field of view.
        camera: The database's camera.
        rng: The image's generator.

    Returns:
        uint8 ``(size, size, 3)``, red, green, blue.
    """
    defocus = camera.defocus * rng.random() ** 2
    seen = field.blur(light, np.hypot(camera.blur, defocus))
    gain = np.exp(camera.exposure * rng.standard_normal()) * np.array(camera.white)
    seen = seen * gain * _fall(field, camera, rng)[..., None]
    seen = np.clip(seen, 0, 1.2) ** camera.gamma
    if camera.sharpening:
        seen += camera.sharpening * (seen - field.blur(seen, 0.25))
    grain = rng.standard_normal(seen.shape, dtype=np.float32)
    return np.clip(np.rint(255 * seen + camera.noise * grain), 0, 255).astype(np.uint8)


def _fall(field: Field, camera: CameraSettings, rng: np.random.Generator) -> np.ndarray:
    y, x = field.grid()
    slopes = camera.vignetting * (rng.random(2) - 0.5) / field.width
    return 1 + slopes[0] * (x - field.width / 2) * 2 + slopes[1] * (y - field.width / 2) * 2


def encode(pixels: np.ndarray, camera: CameraSettings) -> bytes:
    """The file's content for uint8 ``(size, size, 3)`` pixels in red, green, blue."""
    options = [cv2.IMWRITE_JPEG_QUALITY, camera.quality] if camera.format == "jpg" else []
    done, content = cv2.imencode(_EXTENSION[camera.format], pixels[..., ::-1], options)
    if not done:
        raise RuntimeError(f"OpenCV could not write {camera.format}.")
    return content.tobytes()
