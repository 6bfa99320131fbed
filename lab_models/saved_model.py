"""Loads the trained network of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab_models.runs import RunDirectory, RunError

if TYPE_CHECKING:
    import keras


def load_model(run: RunDirectory) -> keras.Model:
    """The trained classifier, pixel values to class scores.

    Raises:
        RunError: If it is missing, damaged, or does not fit the run's classes and contract.
    """
    path = run.require(run.model)
    import keras

    try:
        model = keras.saving.load_model(path, compile=False)
    # A damaged archive raises nearly anything from inside zip, HDF5 and JSON readers.
    except Exception as error:
        raise RunError(f"{path} cannot be loaded as a Keras model: {error}") from None
    wanted = ((None, *run.contract.shape), (None, len(run.classes)))
    if (model.input_shape, model.output_shape) != wanted:
        raise RunError(
            f"{path} takes {model.input_shape} and gives {model.output_shape}, but "
            f"{run.contract_json.name} says {wanted[0]} and {wanted[1]}; they are not of one run."
        )
    return model


def load_encoder(run: RunDirectory, model: keras.Model) -> keras.Model:
    """The part of `model` up to the pooled features, sharing its layers.

    ``encoder.keras`` only says which layer that is: loaded on its own it would be a second
    network, and every image would be computed twice.

    Args:
        run: The run.
        model: From `load_model`.

    Raises:
        RunError: If the encoder is missing or its last layer is not in the model.
    """
    path = run.require(run.encoder)
    import keras

    try:
        name = keras.saving.load_model(path, compile=False).layers[-1].name
        features = model.get_layer(name).output
    # As above; and get_layer raises ValueError for a layer that is not there.
    except Exception as error:
        raise RunError(f"{path} cannot be loaded as part of {run.model.name}: {error}") from None
    return keras.Model(model.input, features)
