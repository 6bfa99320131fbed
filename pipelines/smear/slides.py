"""Which images there are: databases, slides, hospitals, classes, and what the experts say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipelines.labels import order_classes
from pipelines.smear.draw import PLAN, generator
from pipelines.smear.settings import SmearSettings

HAIRY, TRAIN, TEST, LOOKALIKES = "hairy_db", "WBCTrain", "WBCTest", "lookalikes"
DATABASES = (HAIRY, TRAIN, TEST, LOOKALIKES)

NEIGHBOURS: dict[str, tuple[str, ...]] = {
    "segmented_neutrophil": ("band_neutrophil",),
    "band_neutrophil": ("segmented_neutrophil", "metamyelocyte"),
    "metamyelocyte": ("band_neutrophil", "myelocyte"),
    "myelocyte": ("metamyelocyte", "promyelocyte"),
    "promyelocyte": ("myelocyte", "blast"),
    "blast": ("abnormal_lymphocyte", "promyelocyte"),
    "lymphocyte": ("reactive_lymphocyte", "abnormal_lymphocyte"),
    "reactive_lymphocyte": ("abnormal_lymphocyte", "lymphocyte", "monocyte"),
    "abnormal_lymphocyte": ("reactive_lymphocyte", "blast", "lymphocyte"),
    "hairy_cell": ("abnormal_lymphocyte",),
    "plasma_cell": ("reactive_lymphocyte",),
    "monocyte": ("reactive_lymphocyte", "myelocyte"),
    "eosinophil": ("segmented_neutrophil",),
    "basophil": ("artefact",),
    "erythroblast": ("lymphocyte",),
    "smudge_cell": ("artefact",),
    "artefact": ("smudge_cell",),
    "giant_thrombocyte": ("large_thrombocyte",),
    "large_thrombocyte": ("giant_thrombocyte",),
    "thrombocyte_aggregation": ("giant_thrombocyte", "large_thrombocyte"),
}
"""The classes that experts take a class for."""

DISPUTE: dict[str, float] = {
    "segmented_neutrophil": 1.0, "band_neutrophil": 3.0, "metamyelocyte": 3.0, "myelocyte": 2.0,
    "promyelocyte": 2.0, "blast": 1.5, "lymphocyte": 1.5, "reactive_lymphocyte": 3.0,
    "abnormal_lymphocyte": 3.0, "hairy_cell": 1.0, "plasma_cell": 1.0, "monocyte": 0.7,
    "eosinophil": 0.1, "basophil": 0.1, "erythroblast": 0.3, "smudge_cell": 1.0, "artefact": 1.0,
    "giant_thrombocyte": 1.5, "large_thrombocyte": 1.0, "thrombocyte_aggregation": 0.5,
}  # fmt: skip
"""How often a class is disputed or mistaken, against the average."""


@dataclass(frozen=True)
class Slide:
    """One slide of a database; `number` tells it from every other slide of the data set."""

    database: str
    name: str
    number: int
    hospital: int
    split: str

    @property
    def hospital_name(self) -> str:
        """The hospital as the tables have it."""
        return f"hospital_{self.hospital:02d}"


@dataclass(frozen=True)
class Image:
    """One image to draw.

    Attributes:
        number: Its generator's number and its file's name.
        slide: Where the cell lies.
        kind: What is drawn: a class, or ``lookalike``.
        label: The stored label, which is the folder's name.
        experts: (expert, label) pairs.
        database: Where the file lies; the slide's database but for lookalikes.
    """

    number: int
    slide: Slide
    kind: str
    label: str
    experts: tuple[tuple[str, str], ...]
    database: str

    def path(self, extension: str) -> str:
        """Path within the database's folder."""
        return f"{self.slide.name}/{self.label}/{self.number:06d}.{extension}"


def list_slides(settings: SmearSettings) -> tuple[Slide, ...]:
    """Every slide; hospitals of ``hairy_db`` come first and are others than those of WBC*."""
    numbers = settings.slides
    rng = generator(settings.seed, PLAN, 0)
    found: list[Slide] = []
    first_test = numbers.hairy_slides - numbers.hairy_test_slides
    for place in range(numbers.hairy_slides):
        split = "train" if place < first_test else "test"
        hospital = 1 + place % numbers.hairy_hospitals
        found.append(Slide(HAIRY, f"H{place + 1:02d}", len(found), hospital, split))
    for database, split, letter, count in (
        (TRAIN, "train", "A", numbers.train_slides),
        (TEST, "test", "B", numbers.test_slides),
    ):
        for place in range(count):
            hospital = 1 + numbers.hairy_hospitals + int(rng.integers(numbers.hospitals))
            found.append(Slide(database, f"{letter}{place + 1:02d}", len(found), hospital, split))
    return tuple(found)


def class_counts(settings: SmearSettings) -> dict[str, tuple[int, int]]:
    """(training, test) images of each class; their sum is `SmearSettings.images`."""
    names = order_classes(settings.counts)
    wanted = np.array([settings.counts[name] for name in names], dtype=float)
    test = round(settings.images * wanted[:, 1].sum() / wanted.sum())
    sides = (
        _apportion(settings.images - test, wanted[:, 0], settings.minimum_per_class),
        _apportion(test, wanted[:, 1], settings.minimum_test_per_class),
    )
    return {name: (int(train), int(test)) for name, train, test in zip(names, *sides)}


def _apportion(total: int, wanted: np.ndarray, minimum: int) -> np.ndarray:
    """Whole numbers in proportion to `wanted`, none below the minimum (largest remainders)."""
    floor = min(minimum, max(total // (2 * len(wanted)), int(total >= len(wanted))))
    raised = np.zeros(len(wanted), bool)
    while True:
        rest = total - floor * raised.sum()
        shares = np.where(raised, floor, rest * wanted / wanted[~raised].sum())
        if not (low := (shares < floor) & ~raised).any():
            break
        raised |= low
    counts = np.floor(shares + 1e-9).astype(np.int64)
    order = np.argsort(counts - shares, kind="stable")
    counts[order[: total - counts.sum()]] += 1
    return counts


def plan(settings: SmearSettings) -> tuple[Image, ...]:
    """Every image of the data set, in the order of their numbers."""
    rng = generator(settings.seed, PLAN, 1)
    slides = list_slides(settings)
    images: list[Image] = []
    for database, split, kind, count in _groups(settings):
        for slide in _choose(slides, database, split, count, rng):
            images.append(_agreed(settings, len(images), slide, kind, rng))
    for slide, kind in _disputed(settings, slides, rng):
        images.append(_unusable(settings, len(images), slide, kind, rng))
    for slide in _lookalikes(settings, slides, rng):
        experts = _experts("abnormal_lymphocyte", 2, settings, rng)
        images.append(
            Image(len(images), slide, "lookalike", "abnormal_lymphocyte", experts, LOOKALIKES)
        )
    return tuple(images)


def _groups(settings: SmearSettings) -> Iterator[tuple[str, str, str, int]]:
    """(database, split, class, count)."""
    for kind, counts in class_counts(settings).items():
        for split, count in zip(("train", "test"), counts):
            share = 1.0 if kind == "hairy_cell" else settings.slides.hairy_share
            hairy = round(count * share)
            if 0 < share < 1 and count > 1:
                hairy = min(max(hairy, 1), count - 1)
            yield HAIRY, split, kind, hairy
            yield (TRAIN if split == "train" else TEST), split, kind, count - hairy


def _choose(
    slides: tuple[Slide, ...], database: str, split: str, count: int, rng: np.random.Generator
) -> list[Slide]:
    """Slides for images of one class: uneven, since a class comes from the patients who have it."""
    fitting = [slide for slide in slides if slide.database == database and slide.split == split]
    shares = rng.dirichlet(np.full(len(fitting), 2.0))
    return [fitting[place] for place in rng.choice(len(fitting), size=count, p=shares)]


def _agreed(
    settings: SmearSettings, number: int, slide: Slide, kind: str, rng: np.random.Generator
) -> Image:
    label = kind
    if rng.random() < settings.labels.mistakes * DISPUTE[kind]:
        label = _neighbour(kind, settings, rng)
    if slide.database == HAIRY:
        return Image(number, slide, kind, label, (("expert_01", label),), slide.database)
    fewest = 2 if slide.database == TEST else 1
    experts = _experts(label, fewest, settings, rng)
    return Image(number, slide, kind, label, experts, slide.database)


def _neighbour(kind: str, settings: SmearSettings, rng: np.random.Generator) -> str:
    # A hairy cell mistaken is called an abnormal lymphocyte; nothing is mistaken for a hairy
    # cell outside hairy_db, as those slides were looked through (study hairy).
    known = [name for name in NEIGHBOURS[kind] if name in settings.counts] or [kind]
    return known[int(rng.integers(len(known)))]


def _experts(
    label: str, fewest: int, settings: SmearSettings, rng: np.random.Generator
) -> tuple[tuple[str, str], ...]:
    number = int(rng.integers(fewest, settings.labels.experts + 1))
    who = rng.choice(settings.labels.experts, size=number, replace=False) + 1
    return tuple((f"expert_{expert:02d}", label) for expert in sorted(who.tolist()))


def _disputed(
    settings: SmearSettings, slides: tuple[Slide, ...], rng: np.random.Generator
) -> Iterator[tuple[Slide, str]]:
    count = round(settings.images * settings.labels.disputed)
    kinds = [name for name in order_classes(settings.counts) if name != "hairy_cell"]
    if not count or not kinds:
        return
    weights = np.array([DISPUTE[name] * sum(settings.counts[name]) for name in kinds])
    fitting = [slide for slide in slides if slide.database != HAIRY]
    for kind in rng.choice(len(kinds), size=count, p=weights / weights.sum()):
        yield fitting[int(rng.integers(len(fitting)))], kinds[kind]


def _unusable(
    settings: SmearSettings, number: int, slide: Slide, kind: str, rng: np.random.Generator
) -> Image:
    """An image that the rules of its database drop: too few experts, or no agreement."""
    experts = _experts(kind, 2, settings, rng)
    too_few = 1 if slide.database == TEST else 0
    if rng.random() < 0.25:
        experts = experts[:too_few]
    else:
        other = _neighbour(kind, settings, rng)
        doubter = int(rng.integers(len(experts)))
        experts = tuple(
            (name, other if place == doubter else label)
            for place, (name, label) in enumerate(experts)
        )
        if other == kind:
            experts = experts[:too_few]
    return Image(number, slide, kind, kind, experts, slide.database)


def _lookalikes(
    settings: SmearSettings, slides: tuple[Slide, ...], rng: np.random.Generator
) -> Iterator[Slide]:
    wanted = settings.labels.lookalikes
    count = max(4, round(settings.images / 110)) if wanted is None else wanted
    for place in range(count):
        database = (TRAIN, TEST)[place % 2]
        fitting = [slide for slide in slides if slide.database == database]
        yield fitting[int(rng.integers(len(fitting)))]
