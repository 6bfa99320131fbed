"""What a person can change about the synthetic smears, in groups."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.labels import HAL_CLASSES
from tflite.runtime.errors import LabError

HAL_COUNTS: dict[str, tuple[int, int]] = {
    "segmented_neutrophil": (6542, 1135),
    "eosinophil": (5063, 1113),
    "basophil": (2512, 707),
    "lymphocyte": (5983, 1137),
    "monocyte": (5094, 1094),
    "band_neutrophil": (3530, 524),
    "promyelocyte": (365, 265),
    "myelocyte": (3561, 425),
    "metamyelocyte": (2070, 195),
    "blast": (5001, 1431),
    "plasma_cell": (116, 185),
    "hairy_cell": (4279, 1453),
    "smudge_cell": (6762, 1171),
    "erythroblast": (4667, 409),
    "artefact": (4515, 1047),
    "giant_thrombocyte": (994, 121),
    "thrombocyte_aggregation": (1660, 221),
    "reactive_lymphocyte": (4697, 1277),
    "abnormal_lymphocyte": (4201, 610),
    "large_thrombocyte": (5000, 854),
}
"""Images of study hairy by class: (training, test). Sums 76,612 and 15,374."""


@dataclass(frozen=True)
class SlideSettings:
    """How many slides and hospitals there are, and what of a smear belongs to its slide.

    Attributes:
        hairy_slides: Slides of ``hairy_db`` (11 in study hairy).
        hairy_test_slides: How many of them are held out (2 in study hairy).
        hairy_hospitals: Hospitals of ``hairy_db`` (3 in study hairy).
        train_slides: Slides of ``WBCTrain``.
        test_slides: Slides of ``WBCTest``.
        hospitals: Hospitals that ``WBCTrain`` and ``WBCTest`` come from.
        hairy_share: Share of the images of each class other than hairy cell that ``hairy_db``
            gives.
        patient: Share of the variance of cell morphology that belongs to the slide's patient,
            0..1. A patient's cells look alike.
        minimum_red_cells: Fewest red cells a field of the slide has on average.
        maximum_red_cells: Most red cells a field of the slide has on average.
        second_cell: Share of images of white cells with a second one at the border (a fault of
            study hairy's data).
    """

    hairy_slides: int = 11
    hairy_test_slides: int = 2
    hairy_hospitals: int = 3
    train_slides: int = 40
    test_slides: int = 16
    hospitals: int = 12
    hairy_share: float = 0.08
    patient: float = 0.15
    minimum_red_cells: float = 5.0
    maximum_red_cells: float = 15.0
    second_cell: float = 0.04


@dataclass(frozen=True)
class StainSettings:
    """How much the stain differs (standard deviations).

    Attributes:
        hospital_strength: Of the logarithm of each dye's strength, between hospitals.
        slide_strength: The same between slides of a hospital.
        image_strength: The same between fields of a slide.
        hospital_hue: Relative change of each dye's absorbance in each channel, between hospitals.
        slide_hue: The same between slides.
        acidity: Of the balance of azure against eosin between slides (the buffer's pH): as one
            goes up by this, the other goes down.
        fading: Greatest loss of azure dyes with the age of a slide, 0..1.
    """

    hospital_strength: float = 0.08
    slide_strength: float = 0.06
    image_strength: float = 0.03
    hospital_hue: float = 0.05
    slide_hue: float = 0.03
    acidity: float = 0.08
    fading: float = 0.15


@dataclass(frozen=True)
class CameraSettings:
    """The camera of one database.

    Attributes:
        white: Brightness of an empty field in red, green and blue, 0..1.
        gamma: Exponent of the tone curve; 1 is linear in transmitted light.
        blur: Standard deviation of the optics' blur in micrometres, in focus.
        defocus: Greatest additional blur in micrometres; each field draws its own.
        magnification: Against the nominal pixel size; 1.05 shows cells 5% larger.
        sharpening: Weight of the unsharp mask that the camera applies.
        noise: Standard deviation of the sensor's noise, of 255.
        exposure: Standard deviation of the logarithm of exposure between fields.
        vignetting: Greatest loss of light towards a border, 0..1.
        format: ``jpg`` or ``bmp``.
        quality: Of jpg, 1..100.
    """

    white: tuple[float, float, float] = (0.96, 0.94, 0.92)
    gamma: float = 1.0
    blur: float = 0.12
    defocus: float = 0.15
    magnification: float = 1.0
    sharpening: float = 0.3
    noise: float = 1.5
    exposure: float = 0.02
    vignetting: float = 0.04
    format: str = "jpg"
    quality: int = 92


HAIRY_CAMERA = CameraSettings(
    white=(0.985, 0.945, 0.87), gamma=0.92, blur=0.10, magnification=1.04, sharpening=0.6,
    noise=1.2, quality=95,
)  # fmt: skip
"""The newer system that ``hairy_db`` was taken with: warm white, sharp, fine pixels."""

WBC_CAMERA = CameraSettings(
    white=(0.93, 0.93, 0.945), gamma=1.06, blur=0.15, magnification=0.98, sharpening=0.25,
    noise=2.2, quality=85,
)  # fmt: skip
"""The older system of ``WBCTrain`` and ``WBCTest``: cool white, softer, noisier, stronger jpg."""


@dataclass(frozen=True)
class LabelSettings:
    """Where classes end, and what the experts make of it.

    Attributes:
        continuum_noise: Standard deviation of the place on a continuum (maturation of
            granulocytes, size of thrombocytes; 1 is the whole line) at which an image lies, around
            what its label says. This blurs the cuts between neighbouring classes.
        disputed: Images of ``WBCTrain`` and ``WBCTest`` whose experts disagree, as share of
            `SmearSettings.images`; they are written in addition and dropped by the reader.
        experts: Most experts that label one image.
        lookalikes: Cells that look like hairy cells but are labelled abnormal lymphocyte (set D),
            written in addition; None gives 1 per 110 images, at least 4.
        mistakes: Share of the images whose label, though agreed on, is a neighbouring class.
    """

    continuum_noise: float = 0.03
    disputed: float = 0.04
    experts: int = 4
    lookalikes: int | None = None
    mistakes: float = 0.01


@dataclass(frozen=True)
class SmearSettings:
    """Everything that decides which smears are drawn; equal settings give equal files.

    Attributes:
        images: Images with an agreed label (sets A, B and C of study hairy, training and test).
            Disputed images and lookalikes come on top, see `LabelSettings`.
        size: Height and width in pixels, 32..1024.
        seed: 0..2**63-1.
        micrometres: Width of an image (256 pixels of 0.1 micrometres in study hairy).
        counts: Class to (training, test) counts; only their proportions matter.
        minimum_per_class: Training images that a class has at least, so that the rare ones
            survive in a small set (plasma cells would be 8 of 5000). The other classes give them
            up in proportion. No more than half of an equal share is granted
            (but one image, if there are as many as classes).
        minimum_test_per_class: The same of test images.
        slides: Slides, hospitals, patients.
        stain: Spread of the stain.
        hairy_camera: Camera of ``hairy_db``.
        wbc_camera: Camera of ``WBCTrain`` and ``WBCTest``.
        labels: Continua, experts, lookalikes.
    """

    images: int = 6000
    size: int = 96
    seed: int = 3001
    micrometres: float = 25.6
    counts: Mapping[str, tuple[int, int]] = field(
        default_factory=lambda: dict(HAL_COUNTS), hash=False
    )
    minimum_per_class: int = 120
    minimum_test_per_class: int = 30
    slides: SlideSettings = SlideSettings()
    stain: StainSettings = StainSettings()
    hairy_camera: CameraSettings = HAIRY_CAMERA
    wbc_camera: CameraSettings = WBC_CAMERA
    labels: LabelSettings = LabelSettings()

    def __post_init__(self) -> None:
        """Refuses settings that cannot be drawn; names every one of them at once."""
        problems = [*_own_problems(self), *_group_problems(self)]
        if problems:
            raise LabError("These smear settings cannot be drawn: " + "; ".join(problems) + ".")


def _own_problems(settings: SmearSettings) -> list[str]:
    found = []
    if settings.images < 1:
        found.append(f"images must be at least 1, got {settings.images}")
    if not 32 <= settings.size <= 1024:
        found.append(f"size must be 32..1024 pixels, got {settings.size}")
    if not 0 <= settings.seed < 2**63:
        found.append(f"seed must be in 0..2**63-1, got {settings.seed}")
    if not 10 <= settings.micrometres <= 100:
        found.append(f"micrometres must be 10..100, got {settings.micrometres}")
    unknown = sorted(set(settings.counts) - set(HAL_CLASSES))
    if unknown or not settings.counts:
        found.append(f"counts must name classes among {', '.join(HAL_CLASSES)}, got {unknown}")
    elif min(min(pair) for pair in settings.counts.values()) <= 0:
        found.append("counts must be positive")
    return found


def _group_problems(settings: SmearSettings) -> list[str]:
    found = []
    slides, labels = settings.slides, settings.labels
    if not 0 < slides.hairy_test_slides < slides.hairy_slides:
        found.append(
            f"slides.hairy_test_slides must be 1..{slides.hairy_slides - 1}, "
            f"got {slides.hairy_test_slides}"
        )
    if min(slides.train_slides, slides.test_slides, slides.hospitals, slides.hairy_hospitals) < 1:
        found.append("every database needs at least 1 slide and 1 hospital")
    if not 0 < slides.hairy_share < 1:
        found.append(f"slides.hairy_share must lie between 0 and 1, got {slides.hairy_share}")
    for name in ("patient", "second_cell"):
        if not 0 <= getattr(slides, name) <= 1:
            found.append(f"slides.{name} must be in 0..1, got {getattr(slides, name)}")
    if not 0 <= slides.minimum_red_cells <= slides.maximum_red_cells:
        found.append("slides.minimum_red_cells must be in 0..maximum_red_cells")
    if labels.experts < 2:
        found.append(f"labels.experts must be at least 2, got {labels.experts}")
    if not (0 <= labels.disputed <= 1 and 0 <= labels.mistakes <= 1):
        found.append("labels.disputed and labels.mistakes must be in 0..1")
    for name in ("hairy_camera", "wbc_camera"):
        camera = getattr(settings, name)
        if camera.format not in ("jpg", "bmp") or not 1 <= camera.quality <= 100:
            found.append(
                f"{name} must write jpg (quality 1..100) or bmp, "
                f"got {camera.format!r} of quality {camera.quality}"
            )
    return found


def settings_to_dict(settings: SmearSettings) -> dict:
    """The settings as plain values that JSON can hold, tuples as lists."""

    def plain(value: object) -> object:
        if isinstance(value, Mapping):
            return {str(key): plain(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(item) for item in value]
        if isinstance(value, float) and not math.isfinite(value):
            raise LabError(f"Smear settings must be finite numbers, got {value}.")
        return value

    return {key: plain(value) for key, value in dataclasses.asdict(settings).items()}
