"""What is trained to be held against study hairy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab_models.metrics import MetricSettings
from lab_models.recipes import Recipe, get_recipe
from tflite.runtime.errors import LabError


@dataclass(frozen=True)
class StudyComparisonSettings:
    """What is trained and compared.

    Args:
        recipes: In the order of the table.
        scale: See `Recipe.at_scale`.
        seeds: Every recipe is trained once with each.
        weights: Of the backbones that do not start from random weights as their recipe is
            written; ``""`` leaves them as the scale has them.
        changes: Fields changed in every recipe, as `Recipe.changed` takes them.
        own_changes: The same for single recipes, by name.
        focus: The class that right and false answers are counted of.
        subsets: Letters of the named sets whose images the figures are of, where the data has
            them: the study tested on A and B. C, other cells of the slides with hairy cells, and
            D, lookalikes, belong to the shortcut test. ``""`` takes all.
        metrics: How figures are computed.
    """

    recipes: tuple[str, ...] = ("hal_r", "hal_t3002", "hal_c3003")
    scale: str = "demo"
    seeds: tuple[int, ...] = (0,)
    weights: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    own_changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    focus: str = "hairy_cell"
    subsets: str = "AB"
    metrics: MetricSettings = field(default_factory=MetricSettings)

    def __post_init__(self) -> None:
        for name in ("recipes", "seeds"):
            values = getattr(self, name)
            if not values or len(set(values)) != len(values):
                raise LabError(f"{name} must be one or more different ones, got {list(values)}.")
        strangers = sorted(set(self.own_changes) - set(self.recipes))
        if strangers:
            raise LabError(
                f"Changes are given for {', '.join(strangers)}, but only "
                f"{', '.join(self.recipes)} are compared."
            )

    def recipe(self, name: str, seed: int) -> Recipe:
        """One recipe as it will be trained.

        Raises:
            LabError: If there is no such recipe or scale, or a change does not fit.
        """
        recipe = get_recipe(name)
        random = recipe.weights == "random"
        changes = {**self.changes, **self.own_changes.get(name, {}), "seed": seed}
        if self.weights and not random:
            # HAL-R is the control without trained weights: it would be none with them.
            changes["weights"] = self.weights
        return recipe.at_scale(self.scale).changed(changes)
