"""Puts a trained network to the test: on sets of images, blotted images, and by probes."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lab_models.intervals import wilson_interval
from lab_models.metrics import Estimate, MetricSettings, compute_metrics, roc_auc
from lab_models.predictions import read_predictions
from lab_models.runs import RunDirectory
from lab_models.sanity.masks import (
    CELL_OUT,
    MODES,
    background_masked_out,
    cell_masked_out,
    common_ground,
    common_radius,
    find_cell,
)
from lab_models.sanity.parts import SanityData
from lab_models.sanity.probes import probe_slide, probe_source
from lab_models.sanity.readings import Answers, join, read_answers, read_images
from lab_models.sanity.results import UNMASKED, Example, LeftOut, Masked, Probed, SetResult
from lab_models.sanity.settings import MaskSettings, SanityError, SanitySettings
from pipelines.manifest import Manifest
from tflite.runtime.contract import InputContract

if TYPE_CHECKING:
    import keras

SAMPLE = 500
"""Images from which the size of discs and the common ground are taken."""


@dataclass(frozen=True)
class Case:
    """A trained network, and what it is to be tested on.

    Args:
        part: Name of its training.
        seed: Of its training.
        run: Its run.
        sets: Row numbers of the data by name of the set; none was trained on.
        mixed: Further such sets that only the masks are tried on.
        unseen: Row numbers of all images that it was not trained on.
    """

    part: str
    seed: int
    run: RunDirectory
    sets: dict[str, np.ndarray]
    unseen: np.ndarray
    mixed: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    """A case's network in memory.

    Args:
        case: What it is to be tested on.
        network: Pixel values to scores and pooled features.
        contract: Its input contract.
        classes: In the order of its scores.
        answers: For everything that it has not seen.
    """

    case: Case
    network: keras.Model
    contract: InputContract
    classes: tuple[str, ...]
    answers: Answers


def open_network(case: Case, data: SanityData) -> Network:
    """Loads a network and lets it answer.

    Raises:
        LabError: If the run lacks its model, or an image cannot be read.
    """
    from lab_models.saved_model import load_encoder, load_model

    model = load_model(case.run)
    network = join(model, load_encoder(case.run, model))
    contract, classes = case.run.contract, case.run.classes
    answers = read_answers(network, data.manifest, case.unseen, contract, classes)
    return Network(case, network, contract, classes, answers)


def try_sets(
    network: Network, data: SanityData, settings: SanitySettings
) -> tuple[list[SetResult], list[pd.DataFrame]]:
    """The network on its sets and on the lookalikes.

    Returns:
        The figures, and for each set a table ``part, seed, on, path, label, predicted, score``.
    """
    case = network.case
    tried = [
        (name, network.answers.part(rows), len(rows), data.manifest)
        for name, rows in case.sets.items()
    ]
    if data.lookalikes is not None:
        rows = np.arange(len(data.lookalikes))
        answers = read_answers(
            network.network, data.lookalikes, rows, network.contract, network.classes
        )
        tried.append(("D", answers.part(rows), len(rows), data.lookalikes))
    results, tables = [], []
    for name, answers, count, manifest in tried:
        metrics = answers.metrics(settings.confidence)
        if metrics is not None:
            results.append(SetResult(case.part, case.seed, name, metrics, count - metrics.count))
            tables.append(_answer_table(case, name, answers, manifest))
    return results, tables


def _answer_table(case: Case, on: str, answers: Answers, manifest: Manifest) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "part": case.part,
            "seed": case.seed,
            "on": on,
            "path": manifest.table["path"].to_numpy()[answers.rows],
            "label": answers.labels,
            "predicted": answers.answered,
            "score": answers.scores.max(axis=1),
        }
    )


class Blotter:
    """Blots out cells or backgrounds, in the same manner for all networks.

    Args:
        manifest: The images.
        rows: Row numbers of those to be blotted; disc size and ground are taken from a part.
        contract: Input contract of the networks.
        settings: Choices.
    """

    def __init__(
        self, manifest: Manifest, rows: np.ndarray, contract: InputContract, settings: MaskSettings
    ) -> None:
        generator = np.random.default_rng(0)
        chosen = generator.permutation(rows)[:SAMPLE]
        images = read_images(manifest, chosen, contract)
        masks = [find_cell(image, settings) for image in images]
        self._settings = settings
        self._radius = common_radius(masks, settings)
        self._ground = common_ground(images)
        self.found = float(np.mean([mask.found for mask in masks]))

    def change(self, mode: str) -> Callable[[np.ndarray, int], np.ndarray]:
        """The function that blots one image; `mode` is one of `MODES`."""

        def blot(image: np.ndarray, _row: int) -> np.ndarray:
            mask = find_cell(image, self._settings)
            if mode == CELL_OUT:
                return cell_masked_out(image, mask, self._radius, self._settings)
            return background_masked_out(image, mask, self._ground, self._settings)

        return blot

    def example(self, image: np.ndarray, on: str, label: str, longest: int) -> Example:
        """An image beside its blotted forms."""
        pictures = [image, *(self.change(mode)(image, 0) for mode in MODES)]
        mask = find_cell(image, self._settings)
        return Example(on, label, tuple(_data_uri(p, longest) for p in pictures), mask.found)


def _data_uri(image: np.ndarray, longest: int) -> str:
    from PIL import Image

    picture = Image.fromarray(image)
    picture.thumbnail((longest, longest))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def try_masks(
    network: Network, data: SanityData, blotter: Blotter, focus: str, settings: SanitySettings
) -> list[Masked]:
    """The network on its sets, whole and blotted."""
    case, results = network.case, []
    rows = np.unique(np.concatenate(list(case.sets.values())))
    by_mode = {UNMASKED: network.answers}
    for mode in MODES:
        by_mode[mode] = read_answers(
            network.network, data.manifest, rows, network.contract, network.classes,
            blotter.change(mode),
        )  # fmt: skip
    for on, places in {**case.sets, **case.mixed}.items():
        for mode, answers in by_mode.items():
            part = answers.part(places)
            if len(part.rows):
                results.append(_masked(case, on, mode, part, focus, settings.confidence))
    return results


def _masked(
    case: Case, on: str, mode: str, answers: Answers, focus: str, confidence: float
) -> Masked:
    right = answers.answered == answers.labels
    of_focus = answers.labels == focus
    called = answers.answered == focus
    return Masked(
        part=case.part,
        seed=case.seed,
        on=on,
        mode=mode,
        images=len(right),
        accuracy=share(right, confidence),
        majority=float(pd.Series(answers.labels).value_counts(normalize=True).iloc[0]),
        found=share(called[of_focus], confidence),
        called=share(called[~of_focus], confidence),
        ranked=_ranked(answers, focus),
    )


def _ranked(answers: Answers, focus: str) -> float:
    """Area under the ROC curve of the score of a class; NaN without images on both sides."""
    if focus not in answers.classes:
        return math.nan
    truth = (answers.labels == focus).astype(np.int64)
    two = np.stack([1 - answers.scores, answers.scores], axis=2)[:, answers.classes.index(focus)]
    return float(roc_auc(truth, two)[1])


def share(hits: np.ndarray, confidence: float) -> Estimate:
    """Share of True with its Wilson interval; NaN for no image."""
    low, high = wilson_interval(int(hits.sum()), len(hits), confidence)
    value = float(hits.mean()) if len(hits) else math.nan
    return Estimate(value, float(low), float(high))


def choose_examples(
    case: Case, data: SanityData, blotter: Blotter, focus: str, contract: InputContract,
    settings: SanitySettings,
) -> list[Example]:  # fmt: skip
    """A few images of each set to look at: half of the class in doubt, where there are any."""
    generator = np.random.default_rng(0)
    labels = data.manifest.table["label"].to_numpy(str)
    found = []
    for on, rows in case.sets.items():
        mixed = generator.permutation(rows)
        of_focus = mixed[labels[mixed] == focus][: settings.masks.examples // 2]
        others = mixed[labels[mixed] != focus][: settings.masks.examples - len(of_focus)]
        for row in (*of_focus, *others):
            image = read_images(data.manifest, np.array([row]), contract)[0]
            found.append(blotter.example(image, on, str(labels[row]), settings.thumbnail))
    return found


def try_probes(
    network: Network, data: SanityData, settings: SanitySettings
) -> tuple[list[Probed], list[str]]:
    """Probes for source and slide on the features of what the network has not seen.

    Returns:
        The probes that could be made, and why others could not, in words.
    """
    case, found, why = network.case, [], []
    table = data.manifest.table.loc[network.answers.rows].reset_index(drop=True)
    table[settings.column] = table[settings.column].astype(str)
    for make in (probe_source, probe_slide):
        try:
            probe = make(
                network.answers.features, table, settings.column, settings.probes,
                settings.confidence,
            )  # fmt: skip
        except SanityError as error:
            why.append(str(error))
        else:
            found.append(Probed(case.part, case.seed, probe))
    return found, why


def read_left_out(
    source: str, seed: int, run: RunDirectory, unshared: int, settings: SanitySettings
) -> LeftOut:
    """The figures of a run whose test images are the source that was left out.

    Raises:
        RunError: If its predictions are missing or damaged.
    """
    predictions = read_predictions(run.require(run.predictions), run.classes)
    chosen = MetricSettings(confidence=settings.confidence)
    metrics = {}
    for side in predictions.splits:
        part = predictions.part(side)
        metrics[side] = compute_metrics(
            part.truth, part.scores, part.classes, chosen, part.table["slide"].to_numpy(str)
        )
    home = metrics.get("validation")
    return LeftOut(source, seed, metrics["test"], home.accuracy if home else None, unshared)
