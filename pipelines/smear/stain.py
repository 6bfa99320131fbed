"""The stain of hospitals and slides: from amounts of dye to transmitted light.

Light is taken up as Beer and Lambert have it: transmittance = 10 ** -(sum of amount times
absorbance), the model that colour deconvolution inverts (Ruifrok and Johnston 2001, Analytical
and Quantitative Cytology and Histology 23:291).
"""

from __future__ import annotations

import math

import numpy as np

from pipelines.smear import dyes as dye
from pipelines.smear.draw import HOSPITAL, SLIDE, generator
from pipelines.smear.settings import SmearSettings

_FADES = np.array((0.6, 1.0, 0.1, 0.0, 0.8))  # azure dyes fade, eosin hardly does
_ACIDITY = np.array((0.3, 1.0, -1.0, -0.7, 0.0))  # an acid buffer favours eosin


def slide_stain(settings: SmearSettings, hospital: int, slide: int) -> np.ndarray:
    """Absorbance of each dye on a slide.

    Args:
        settings: Spread and seed.
        hospital: Number of the hospital.
        slide: Number of the slide.

    Returns:
        float64 ``(5, 3)``: dye by red, green, blue.
    """
    spread = settings.stain
    absorbance = dye.ABSORBANCE
    levels = (
        (
            generator(settings.seed, HOSPITAL, hospital),
            spread.hospital_strength,
            spread.hospital_hue,
        ),
        (generator(settings.seed, SLIDE, slide), spread.slide_strength, spread.slide_hue),
    )
    for rng, strength, hue in levels:
        factors = np.exp(strength * rng.standard_normal((dye.NUMBER, 1)))
        absorbance = absorbance * factors * (1 + hue * rng.standard_normal((dye.NUMBER, 3)))
    acidity, age = spread.acidity * rng.standard_normal(), spread.fading * rng.random()
    factors = np.exp(-acidity * _ACIDITY) * (1 - age * _FADES)
    return np.maximum(absorbance, 0.01) * factors[:, None]


def transmit(
    dyes: np.ndarray, absorbance: np.ndarray, strength: float, rng: np.random.Generator
) -> np.ndarray:
    """Light that passes a field.

    Args:
        dyes: Amounts, float64 ``(5, size, size)``.
        absorbance: Of the slide, ``(5, 3)``.
        strength: Standard deviation of the logarithm of each dye's strength in this field.
        rng: The image's generator.

    Returns:
        Transmittance, float64 ``(size, size, 3)`` in 0..1.
    """
    factors = np.exp(strength * rng.standard_normal((dye.NUMBER, 1)))
    weights = absorbance * factors * -math.log(10)
    density = np.zeros((*dyes.shape[1:], 3))
    for channel in range(3):
        for amount, weight in zip(dyes, weights[:, channel]):
            density[..., channel] += amount * weight
    return np.exp(density)
