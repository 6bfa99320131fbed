"""Which trainings the test needs, and which tests the data allows."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab_models.sanity.parts import (
    PARTS,
    WHOLE,
    SanityData,
    part_manifest,
    source_manifest,
    source_names,
    why_no_sources,
    why_no_subsets,
)
from lab_models.sanity.settings import SanityError, SanitySettings
from lab_models.sanity.trainings import Training, folder_name


@dataclass(frozen=True)
class Plan:
    """What will be done.

    Args:
        parts: Trainings whose networks are tested on sets, with masks and by probes.
        left_out: Trainings of leave-one-source-out, by source, with the number of its images
            whose class the others do not have.
        skipped: Why a test is left out, by test.
    """

    parts: list[Training] = field(default_factory=list)
    left_out: list[tuple[str, Training, int]] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def trainings(self) -> list[Training]:
        """All of them, in the order in which they run."""
        return [*self.parts, *(training for _, training, _ in self.left_out)]


def make_plan(data: SanityData, settings: SanitySettings) -> Plan:
    """Decides what can be done with the data.

    Raises:
        SanityError: If a test that was asked for by name cannot be made of the data, or if
            nothing was asked for and the data has neither subsets nor sources.
    """
    no_subsets = why_no_subsets(data)
    no_sources = why_no_sources(data.manifest, settings.column)
    whys = {"subsets": no_subsets, "probes": no_sources, "leave-one-out": no_sources}
    skipped = {test: why for test, why in whys.items() if why}
    refused = {test: why for test, why in skipped.items() if test in settings.tests}
    if refused:
        told = "; ".join(f"{test}: {why}" for test, why in refused.items())
        raise SanityError(f"The data does not allow what was asked for. {told}.")
    if not settings.tests and no_subsets and no_sources:
        raise SanityError(
            f"The data cannot show a shortcut: {no_sources}; and {no_subsets}. Name another "
            "column with --column, or ask for --only masks, which needs neither."
        )
    plan = Plan(skipped={t: why for t, why in skipped.items() if settings.wants(t)})
    if not no_subsets and any(map(settings.wants, ("subsets", "probes", "masks"))):
        _add_parts(plan, data, settings)
    elif settings.wants("masks") or (settings.wants("probes") and not no_sources):
        plan.parts.extend(
            Training(WHOLE, "all images", seed, data.manifest) for seed in settings.seeds
        )
    if settings.wants("leave-one-out") and not no_sources:
        _add_left_out(plan, data, settings)
    return plan


def _add_parts(plan: Plan, data: SanityData, settings: SanitySettings) -> None:
    manifests = {part: part_manifest(data, part) for part in PARTS}
    for seed in settings.seeds:
        for part, title in PARTS.items():
            plan.parts.append(Training(part, title, seed, manifests[part]))


def _add_left_out(plan: Plan, data: SanityData, settings: SanitySettings) -> None:
    column, why = settings.column, []
    for place, name in enumerate(source_names(data.manifest, column)):
        try:
            manifest = source_manifest(data.manifest, column, name)
        except SanityError as error:
            why.append(str(error))
            continue
        images = int((data.manifest.table[column].astype(str) == name).sum())
        unshared = images - len(manifest.rows("test"))
        # Two names may make one folder name.
        folder = f"without_{column}_{place:02d}_{folder_name(name)}"
        for seed in settings.seeds[: settings.leave_one_out_seeds]:
            training = Training(folder, f"all but {name}", seed, manifest)
            plan.left_out.append((name, training, unshared))
    if why:
        plan.skipped["leave-one-out"] = " ".join(why)
    if not plan.left_out and (settings.tests or not plan.parts):
        raise SanityError("No source can be left out. " + " ".join(why))
