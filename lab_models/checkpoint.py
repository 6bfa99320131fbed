"""What a stopped training needs to go on exactly where it was, in one file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lab_models.runs import RunError
from tflite.runtime.files import whole_file

if TYPE_CHECKING:
    pass

Arrays = list[np.ndarray]


@dataclass
class TrainingState:
    """The state of a training after a whole epoch.

    Args:
        history: One dictionary an epoch, over all phases (the rows of ``history.csv``).
        phase: Position of the current phase.
        phase_finished: Whether that phase has ended and its final weights are in `weights`.
        weights: All weights of the model.
        seeds: States of the model's random generators (dropout).
        optimizer: Variables of the optimiser.
        average: Averaged weights; empty when the phase does not average.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    phase: int = 0
    phase_finished: bool = False
    weights: Arrays = field(default_factory=list)
    seeds: Arrays = field(default_factory=list)
    optimizer: Arrays = field(default_factory=list)
    average: Arrays = field(default_factory=list)


_GROUPS = ("weights", "seeds", "optimizer", "average")


def save_state(path: Path, state: TrainingState) -> None:
    """Writes the state whole or not at all."""
    arrays: dict[str, Any] = {
        f"{group}_{i:05d}": array
        for group in _GROUPS
        for i, array in enumerate(getattr(state, group))
    }
    about = {"history": state.history, "phase": state.phase, "done": state.phase_finished}
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def load_state(path: Path) -> TrainingState:
    """Reads what `save_state` wrote.

    Raises:
        RunError: If the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            about = json.loads(stored["about"].tobytes())
            groups = {
                group: [stored[key] for key in sorted(stored.files) if key.startswith(group + "_")]
                for group in _GROUPS
            }
    except Exception as error:
        raise RunError(
            f"The checkpoint {path} is damaged ({error}); remove it to start the run over."
        ) from None
    return TrainingState(about["history"], about["phase"], about["done"], **groups)


def read_variables(variables: Sequence[Any]) -> Arrays:
    """Copies of Keras variables as arrays."""
    import keras

    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables]


def write_variables(variables: Sequence[Any], arrays: Sequence[np.ndarray]) -> None:
    """Assigns arrays to Keras variables.

    Raises:
        RunError: If counts or shapes differ: the state belongs to another network.
    """
    shapes = [tuple(v.shape) for v in variables]
    given = [tuple(a.shape) for a in arrays]
    if shapes != given:
        raise RunError(
            f"The checkpoint does not fit this network: {len(shapes)} variables expected, "
            f"{len(given)} stored, or their shapes differ. Was the recipe changed?"
        )
    for variable, array in zip(variables, arrays):
        variable.assign(array)
