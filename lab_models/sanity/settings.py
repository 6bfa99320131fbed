"""What can be chosen about the shortcut test."""

from __future__ import annotations

from dataclasses import dataclass, field

from tflite.runtime.errors import LabError

TESTS = ("subsets", "probes", "masks", "leave-one-out")


class SanityError(LabError):
    """The data, or what was asked for, does not allow the shortcut test."""


@dataclass(frozen=True)
class ProbeSettings:
    """How a linear probe is fitted and judged.

    Args:
        strength: Inverse of the regularisation of the logistic regression (scikit-learn's C), on
            standardised features.
        folds: Parts of the cross-validation, at most.
        minimum_images: Images of a class that a source (or a slide, of all its classes) needs for
            the class (the slide) to be compared.
        most_images: A random part of this size is taken of larger sets.
        iterations: Of the solver, at most.
        bootstrap_draws: Samples for the interval over slides.
        minimum_slides: With fewer slides no interval over slides is given.
        seed: Of folds, random part and bootstrap.
    """

    strength: float = 1.0
    folds: int = 5
    minimum_images: int = 3
    most_images: int = 6000
    iterations: int = 2000
    bootstrap_draws: int = 1000
    minimum_slides: int = 5
    seed: int = 0


@dataclass(frozen=True)
class MaskSettings:
    """How the cell in the middle of an image is found and blotted out.

    Lengths are shares of the image's shorter side.

    Args:
        minimum_absorbance: Least decadic absorbance of red light, above that of the background,
            that counts as stained cell.
        red_cell_margin: This share of what green is absorbed more than red is taken off, so that
            haemoglobin does not count as stain.
        ground_absorbance: Absorbance in any colour from which on a place is no ground.
        directions: In which the border of the cytoplasm is looked for.
        unevenness: How much farther than in half of the directions that border may lie.
        smoothing: Standard deviation of the blur before the threshold.
        middle: Radius around the middle in which a stained thing must lie to be the cell.
        joining: Gaps up to this width are closed: between lobes, granules, thrombocytes.
        margin: The disc that blots the cell out reaches so far beyond it.
        cover: All discs are at least as large as this quantile of the cells needs, so that the
            size of the disc says little about the cell.
        border: Standard deviation of the soft border.
        smallest: Share of the image's area below which a cell is taken as not found.
        largest: The same above which.
        examples: Images shown in the page, for every set.
    """

    minimum_absorbance: float = 0.06
    red_cell_margin: float = 0.7
    ground_absorbance: float = 0.05
    directions: int = 128
    unevenness: float = 1.25
    smoothing: float = 0.012
    middle: float = 0.22
    joining: float = 0.05
    margin: float = 0.04
    cover: float = 0.5
    border: float = 0.02
    smallest: float = 0.01
    largest: float = 0.85
    examples: int = 6


@dataclass(frozen=True)
class VerdictSettings:
    """From where on a figure is called out in the verdict. Judgement, not statistics.

    Args:
        called: Share of other cells of the database that are given to the class in doubt.
        drop: Loss of accuracy from A+B to C.
        gain: Gain of accuracy on C once C is trained on.
        excess: With the cell masked out, the share of the class that is still found less the
            share of others that are called so.
        told_apart: Balanced accuracy of a probe, or area under a ROC curve; 0.5 is chance.
    """

    called: float = 0.1
    drop: float = 0.2
    gain: float = 0.1
    excess: float = 0.2
    told_apart: float = 0.8


@dataclass(frozen=True)
class SanitySettings:
    """What is tested, and how.

    Args:
        tests: Some of `TESTS`; empty takes all that the data allows.
        seeds: Of the trainings; each part is trained once with each.
        column: Column of the manifest that names where an image comes from.
        leave_one_out_seeds: How many of the seeds leave-one-source-out uses: every source is a
            training of its own.
        focus: Class whose recall is doubted; empty takes hairy cells, or else the largest class
            that comes from a single source.
        single_source: A class with at least this share of its training images in one source
            is one that the source gives away.
        confidence: Coverage of intervals, between 0 and 1.
        thumbnail: Longer side of the examples in the page, in pixels.
        probes: See `ProbeSettings`.
        masks: See `MaskSettings`.
        verdict: See `VerdictSettings`.

    Raises:
        SanityError: If a field is out of range; all bad fields are named.
    """

    tests: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    column: str = "source"
    leave_one_out_seeds: int = 1
    focus: str = ""
    single_source: float = 0.95
    confidence: float = 0.95
    thumbnail: int = 112
    probes: ProbeSettings = field(default_factory=ProbeSettings)
    masks: MaskSettings = field(default_factory=MaskSettings)
    verdict: VerdictSettings = field(default_factory=VerdictSettings)

    def __post_init__(self) -> None:
        faults = []
        unknown = [test for test in self.tests if test not in TESTS]
        if unknown:
            faults.append(f"tests must be among {', '.join(TESTS)}, got {', '.join(unknown)}")
        if not self.seeds or len(set(self.seeds)) != len(self.seeds) or min(self.seeds) < 0:
            faults.append(f"seeds must be different numbers from 0 on, got {list(self.seeds)}")
        if self.leave_one_out_seeds < 1:
            faults.append(f"leave_one_out_seeds must be at least 1, got {self.leave_one_out_seeds}")
        if not 0 < self.confidence < 1:
            faults.append(f"confidence must lie between 0 and 1, got {self.confidence}")
        if not self.column:
            faults.append("column must name a column of the manifest, got nothing")
        if faults:
            raise SanityError("The settings of the sanity test are bad: " + "; ".join(faults) + ".")

    def wants(self, test: str) -> bool:
        """Whether a test was asked for by name, or nothing was and so all are."""
        return not self.tests or test in self.tests
