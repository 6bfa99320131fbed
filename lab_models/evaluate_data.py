"""Evaluates a run's model on a data set, its own or a foreign one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lab_models.evaluate import EvaluationSettings, write_evaluation
from lab_models.label_map import LabelMap
from lab_models.neighbours import saved_training_cells
from lab_models.predictions import SCORE_PREFIX, Predictions, make_predictions
from lab_models.report.content import RunFacts, read_facts
from lab_models.report.write import Staging
from lab_models.runs import RunDirectory, write_json
from tflite.runtime.errors import LabError

EVALUATIONS = "evaluations"
NEW = "new"  # the split of images that no split was asked for
MODEL = "model"
"""Instead of names of classes: those of the model."""


@dataclass(frozen=True)
class DataSettings:
    """Which images of a data set are evaluated, and what its labels mean.

    Args:
        kind: Kind of data set, ``""`` to recognise it (see `pipelines.datasets`).
        options: Options of that kind.
        classes: Map the data's classes onto these first (see
            `pipelines.class_mapping.class_set`); what cannot be mapped is left out and named.
            `MODEL` takes the model's own classes. ``""`` leaves nothing out.
        split: Only this split of the data set; ``""`` takes every image.
        labels: What its labels mean to the model; the others are looked up in the table of class
            names (see `lab_models.label_meanings`).
        include_training: Keep images that the model was trained on. Figures on them say
            nothing about new images.
        batch_size: Images at a time.
        name: Folder under ``evaluations/``; ``""`` takes the name of the data's folder.
    """

    kind: str = ""
    options: tuple[tuple[str, Any], ...] = ()
    classes: str = ""
    split: str = ""
    labels: LabelMap = field(default_factory=LabelMap)
    include_training: bool = False
    batch_size: int = 32
    name: str = ""


def evaluate_run(
    run: RunDirectory,
    data: Path,
    chosen: DataSettings | None = None,
    settings: EvaluationSettings | None = None,
    say: Callable[[str], None] = print,
) -> tuple[RunDirectory, dict[str, Any]]:
    """Predicts the images of a data set and writes figures and report about them.

    The result, ``RUN/evaluations/<name>/``, has the layout of a run without a model, so that it
    can be compared like one. Images that the model was trained on, recognised by their content,
    and images that cannot be read are left out, counted and said.

    Args:
        run: Gives the model.
        data: Any data set that `pipelines.datasets` reads.
        chosen: Which images, and what their labels mean.
        settings: Of figures and report.
        say: Takes one line of progress at a time.

    Returns:
        The directory of the evaluation, and the content of its ``metrics.json``.

    Raises:
        LabError: If the data cannot be read, has labels that the model does not know, or holds
            nothing but training images; or if the run has no model. Nothing is written then.
    """
    chosen, settings = chosen or DataSettings(), settings or EvaluationSettings()
    from lab_models.saved_model import load_encoder, load_model

    facts = read_facts(run)
    run.require(run.model)
    images = _read_images(run, facts, Path(data), chosen)
    for note in images.notes:
        say(note)
    say(f"{len(images.manifest):,} images are predicted")
    model = load_model(run)
    predictions, features = _predict(run, model, load_encoder(run, model), images, chosen)
    name = chosen.name or _folder_name(Path(data), chosen.split)
    target = RunDirectory(run.path / EVALUATIONS / name)
    with Staging(target.path) as staged:
        _write_inputs(staged, run, predictions, features, images)
        figures = write_evaluation(
            staged,
            _facts_of_data(facts, images, name),
            predictions,
            features,
            images.statement,
            settings,
            images=f"images of {name}",
            cells=saved_training_cells(run),
        )
    return target, figures


def _facts_of_data(facts: RunFacts, images: _Images, name: str) -> RunFacts:
    """The run's facts, with the evaluated data in place of its own."""
    return replace(
        facts,
        name=f"{facts.name} on {name}",
        manifest=images.manifest.table,
        quarantine=images.quarantine,
        data_root=images.manifest.root,
        parity=None,
    )


@dataclass(frozen=True)
class _Images:
    """The images that are evaluated, labels renamed, and what was left out."""

    manifest: Any
    quarantine: pd.DataFrame
    notes: tuple[str, ...]
    statement: str


def _read_images(run: RunDirectory, facts: RunFacts, data: Path, chosen: DataSettings) -> _Images:
    from lab_models.label_meanings import understand_labels
    from pipelines.datasets import open_dataset, recognise, word_source
    from pipelines.manifest import make_manifest
    from pipelines.quarantine import split_off_unreadable

    onto = None if chosen.classes in ("", MODEL) else chosen.classes
    manifest = open_dataset(data, chosen.kind or None, classes=onto, **dict(chosen.options))
    table = _of_split(manifest.table, chosen.split, data)
    counts = Counter(table["label"])
    meant, told = understand_labels(
        {name: counts[name] for name in sorted(set(manifest.table["label"]))},
        chosen.labels,
        run.classes,
        word_source(chosen.kind or recognise(data)[0]),
        leave_out=chosen.classes == MODEL,
    )
    labels = meant.rename(table["label"])
    if "label_given" not in table.columns and (labels != table["label"]).any():
        table = table.assign(label_given=table["label"])
    table = table.assign(label=labels)[labels != ""]
    said = [*manifest.notes, *told]
    if len(table) < len(labels):
        said.append(f"Left out by the map of labels: {len(labels) - len(table)} images.")
    seen, finding = _trained_on(table, manifest.root, facts)
    said.append(finding)
    if not chosen.include_training:
        table = table[~seen]
        said += [f"Those {int(seen.sum())} are left out."] if seen.any() else []
    if table.empty:
        raise LabError(
            f"No image of {data} is left to evaluate. {' '.join(said)} "
            "Give other images, or --include-training to evaluate on training images."
        )
    # The split's own name may be none that a manifest knows, so it is put back afterwards.
    names = tuple(dict.fromkeys(table["label"]))
    kept, quarantine = split_off_unreadable(
        make_manifest(table.drop(columns="split"), manifest.root, names).with_notes(*said)
    )
    kept = replace(kept, table=kept.table.assign(split=chosen.split or NEW))
    which = f"the split {chosen.split}" if chosen.split else "all images"
    statement = " ".join([f"Evaluated: {which} of the data.", *kept.notes])
    return _Images(kept, quarantine, kept.notes, statement)


def _of_split(table: pd.DataFrame, split: str, data: Path) -> pd.DataFrame:
    if not split:
        return table
    part = table[table["split"] == split]
    if part.empty:
        there = ", ".join(sorted(set(table["split"]) - {""})) or "no splits"
        raise LabError(f"{data} has no images of the split {split!r}; it has: {there}.")
    return part


def _trained_on(table: pd.DataFrame, root: Path, facts: RunFacts) -> tuple[np.ndarray, str]:
    """Which images the model was trained on, recognised by their content: bool, and in words."""
    from pipelines.same_content import same_content
    from pipelines.stored_content import is_there

    none = np.zeros(len(table), bool)
    if facts.manifest is None or facts.data_root is None:
        return none, "The run does not say what it was trained on, so overlap is not known."
    trained = facts.manifest[facts.manifest["split"] == "train"]["path"]
    known = [facts.data_root / path for path in trained]
    gone = sum(not is_there(str(path)) for path in known)
    if gone == len(known):
        return none, "The training images are gone, so overlap with them is not known."
    # A training image met again under its own path is a file equal to itself.
    groups = same_content([*known, *(root / path for path in table["path"])])
    before, now = groups[: len(known)], groups[len(known) :]
    seen = np.isin(now, before[before >= 0])
    words = f"The model was trained on {int(seen.sum()) or 'none'} of the images"
    return seen, words + (f" ({gone} training images are gone)." if gone else ".")


def _predict(
    run: RunDirectory, model: Any, encoder: Any, images: _Images, chosen: DataSettings
) -> tuple[Predictions, np.ndarray]:
    from lab_models.predict import predict_rows

    table, features = predict_rows(
        model,
        encoder,
        images.manifest,
        np.arange(len(images.manifest)),
        run.contract,
        run.classes,
        chosen.batch_size,
    )
    columns = [SCORE_PREFIX + name for name in run.classes]
    scores, classes = chosen.labels.merge(table[columns].to_numpy(np.float64), run.classes)
    merged = pd.DataFrame(scores, columns=[SCORE_PREFIX + name for name in classes])
    table = pd.concat([table.drop(columns=columns), merged], axis=1)
    table["predicted"] = np.array(classes, object)[scores.argmax(axis=1)]
    return make_predictions(table, classes, "the prediction"), features


def _write_inputs(
    staged: RunDirectory,
    run: RunDirectory,
    predictions: Predictions,
    features: np.ndarray,
    images: _Images,
) -> None:
    """Writes what figures and report are computed from."""
    columns = [SCORE_PREFIX + name for name in predictions.classes]
    scores = pd.DataFrame(predictions.scores, columns=columns)
    table = pd.concat([predictions.table, scores], axis=1)
    table.to_csv(staged.predictions, index=False, float_format="%.7g")
    np.savez(staged.features, index=table["index"].to_numpy(np.int64), features=features)
    images.manifest.table.to_csv(staged.manifest, index=False)
    images.quarantine.to_csv(staged.quarantine, index=False)
    write_json(
        staged.contract_json,
        {"classes": predictions.classes, "input": run.contract.to_dict()},
    )
    staged.recipe_json.write_bytes(run.recipe_json.read_bytes())
    write_json(
        staged.environment,
        {
            "data_root": str(images.manifest.root.resolve()),
            "split_statement": images.statement,
            "evaluated_run": str(run.path.resolve()),
        },
    )


def _folder_name(data: Path, split: str) -> str:
    name = re.sub(r"[^\w.-]+", "_", data.resolve().stem) or "data"
    return f"{name}_{split}" if split else name
