"""Tiny smears, and untrained networks in place of trained ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from lab_models.predict import predict_rows
from lab_models.recipes import Recipe, get_recipe
from lab_models.runs import RunDirectory, write_json
from lab_models.sanity.trainings import FOLDER, Training
from lab_models.saved_model import load_encoder, load_model
from pipelines.manifest import write_manifest
from pipelines.smear import LabelSettings, SlideSettings, SmearSettings
from pipelines.split import split_manifest
from tests.lab_models.fake_run import add_networks
from tflite.runtime.contract import InputContract

SMEARS = SmearSettings(
    images=300,
    size=32,
    slides=SlideSettings(hairy_share=0.4, hairy_slides=6, train_slides=8, test_slides=4),
    labels=LabelSettings(lookalikes=6),
)

CHANGES = {
    "backbone": "resnet10_half",
    "weights": "random",
    "input.height": 32,
    "input.width": 32,
    "batch_size": 16,
    "phases": [{"name": "all", "trainable": "full", "epochs": 1}],
    "data.split.by": "image",
}


def tiny_recipe() -> Recipe:
    return get_recipe("hal_t3002").changed(CHANGES)


def untrained(training: Training, recipe: Recipe, out: Path, say) -> RunDirectory:
    """Stands in for `find_or_train`: a finished run whose network has learned nothing."""
    run = RunDirectory(out / FOLDER / training.name / f"seed_{training.seed}" / recipe.name / "now")
    run.path.mkdir(parents=True)
    settings = dataclasses.replace(recipe.data.split, seed=training.seed)
    manifest = split_manifest(training.manifest, settings)
    write_manifest(manifest, run.manifest)
    contract = InputContract(32, 32)
    write_json(run.contract_json, {"classes": manifest.classes, "input": contract.to_dict()})
    write_json(run.recipe_json, recipe.to_dict())
    add_networks(run)
    model = load_model(run)
    rows = np.concatenate([manifest.rows("validation"), manifest.rows("test")])
    table, _ = predict_rows(
        model, load_encoder(run, model), manifest, rows, contract, manifest.classes
    )
    table.to_csv(run.predictions, index=False)
    run.finished.touch()
    return run
