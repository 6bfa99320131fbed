"""The shortcut test from data and recipe to a page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lab_models.recipes import Recipe
from lab_models.runs import RunDirectory
from lab_models.sanity.measure import (
    Blotter,
    Case,
    choose_examples,
    open_network,
    read_left_out,
    try_masks,
    try_probes,
    try_sets,
)
from lab_models.sanity.parts import (
    AT_HOME,
    WHOLE,
    SanityData,
    choose_focus,
    read_data,
    single_source_classes,
)
from lab_models.sanity.plan import Plan, make_plan
from lab_models.sanity.results import LeftOut, Results
from lab_models.sanity.settings import SanityError, SanitySettings
from lab_models.sanity.trainings import Training, find_or_train
from lab_models.sanity.write import write_results
from lab_models.train import draw_smears

Say = Callable[[str], None]


@dataclass
class _Found:
    """What the cases have given so far."""

    results: Results
    tables: list[pd.DataFrame] = field(default_factory=list)
    blotter: Blotter | None = None

    def add(self, **more: tuple) -> None:
        """Appends to tuples of the results."""
        grown: dict[str, Any] = {
            name: (*getattr(self.results, name), *new) for name, new in more.items()
        }
        self.results = replace(self.results, **grown)


def run_sanity(
    recipe: Recipe,
    data: Path | None,
    out: Path,
    settings: SanitySettings | None = None,
    *,
    smears_folder: Path = Path("data"),
    say: Say = print,
) -> Results:
    """Trains what the test needs, tests it, and writes ``sanity.html``, JSON and CSV.

    Each training is an ordinary run below ``out/trainings/``. Called again, the function uses the
    finished ones, goes on with a stopped one, and makes the figures anew.

    Args:
        recipe: How every network is trained.
        data: Any data set that `pipelines.datasets` reads; None draws synthetic smears.
        out: Folder of the test.
        settings: What is tested; by default everything that the data allows.
        smears_folder: Where synthetic smears are kept.
        say: Takes one line of progress at a time.

    Raises:
        LabError: If the data or the recipe do not allow the test, or a training fails. Finished
            trainings stay.
    """
    settings = settings or SanitySettings()
    folder = data or draw_smears(recipe, smears_folder, say)
    sanity_data = read_data(folder, recipe.data.subset, recipe.data.map_classes)
    # Before hours of training, not after.
    choose_focus(sanity_data.manifest.classes, settings.focus, {})
    plan = make_plan(sanity_data, settings)
    for test, why in plan.skipped.items():
        say(f"left out: {test}: {why}")
    runs = _train_all(plan, recipe, out, say)
    found = _Found(_empty_results(folder, recipe, sanity_data, plan, runs, settings))
    cases = [_make_case(training, run, sanity_data) for training, run in zip(plan.parts, runs)]
    for number, case in enumerate(cases):
        say(f"tests network {number + 1} of {len(cases)}: {case.part}, seed {case.seed}")
        _measure(case, sanity_data, found, settings)
    found.add(left_out=_left_out(plan, runs[len(plan.parts) :], settings))
    answers = pd.concat(found.tables, ignore_index=True) if found.tables else None
    write_results(out, found.results, answers)
    return found.results


def _train_all(plan: Plan, recipe: Recipe, out: Path, say: Say) -> list[RunDirectory]:
    runs = []
    for number, training in enumerate(plan.trainings):
        say(
            f"training {number + 1} of {len(plan.trainings)}: {training.title}, "
            f"seed {training.seed}"
        )
        runs.append(find_or_train(training, recipe, out, say))
    return runs


def _empty_results(
    folder: Path, recipe: Recipe, data: SanityData, plan: Plan, runs: list[RunDirectory],
    settings: SanitySettings,
) -> Results:  # fmt: skip
    """What is known before any network has answered."""
    single: dict[str, dict[str, str]] = {}
    column = settings.column
    for training, run in zip(plan.parts, runs):
        if training.name in single or column not in data.manifest.table.columns:
            continue
        trained = np.flatnonzero(_trained_on(run, data))
        single[training.name] = single_source_classes(
            data.manifest, trained, column, settings.single_source
        )
    last = list(single.values())[-1] if single else {}
    return Results(
        data=str(folder),
        recipe=recipe.name,
        column=column,
        focus=choose_focus(data.manifest.classes, settings.focus, last),
        trained_on={training.name: training.title for training in plan.parts},
        single_source=single,
        runs={f"{t.name}, seed {t.seed}": str(r.path) for t, r in zip(plan.trainings, runs)},
        skipped=plan.skipped,
        notes=data.manifest.notes,
        confidence=settings.confidence,
        limits=settings.verdict,
    )


def _trained_on(run: RunDirectory, data: SanityData) -> np.ndarray:
    """Which images a run was trained on: bool ``(images,)``."""
    used = pd.read_csv(run.require(run.manifest), dtype=str, keep_default_na=False)
    trained = set(used["path"][used["split"] == "train"])
    return data.manifest.table["path"].isin(trained).to_numpy()


def _make_case(training: Training, run: RunDirectory, data: SanityData) -> Case:
    unseen = np.flatnonzero(~_trained_on(run, data))
    if training.name == WHOLE:
        used = pd.read_csv(run.require(run.manifest), dtype=str, keep_default_na=False)
        side = "test" if (used["split"] == "test").any() else "validation"
        chosen = set(used["path"][used["split"] == side])
        rows = np.flatnonzero(data.manifest.table["path"].isin(chosen))
        return Case(training.name, training.seed, run, {side: rows}, unseen)
    sets = {"A+B": data.rows("AB", "test"), "C": data.rows("C", "test")}
    mixed = {AT_HOME: data.rows("AC", "test")}
    return Case(training.name, training.seed, run, sets, unseen, mixed)


def _measure(case: Case, data: SanityData, found: _Found, settings: SanitySettings) -> None:
    network = open_network(case, data)
    if settings.wants("subsets") or case.part == WHOLE:
        tested, tables = try_sets(network, data, settings)
        found.tables += tables
        found.add(tested=tuple(tested))
    if settings.wants("probes"):
        probed, why = try_probes(network, data, settings)
        if not probed and "probes" in settings.tests:
            raise SanityError("No probe can be made. " + " ".join(why))
        fresh = [f"Probe of {case.part}, seed {case.seed}: {reason}" for reason in why]
        found.add(probed=tuple(probed), notes=tuple(fresh))
    if settings.wants("masks"):
        focus = found.results.focus
        if found.blotter is None:
            rows = np.unique(np.concatenate(list(case.sets.values())))
            found.blotter = Blotter(data.manifest, rows, network.contract, settings.masks)
            examples = choose_examples(case, data, found.blotter, focus, network.contract, settings)
            found.add(examples=tuple(examples))
            found.results = replace(found.results, mask_found=found.blotter.found)
        found.add(masked=tuple(try_masks(network, data, found.blotter, focus, settings)))


def _left_out(
    plan: Plan, runs: list[RunDirectory], settings: SanitySettings
) -> tuple[LeftOut, ...]:
    return tuple(
        read_left_out(source, training.seed, run, unshared, settings)
        for (source, training, unshared), run in zip(plan.left_out, runs)
    )
