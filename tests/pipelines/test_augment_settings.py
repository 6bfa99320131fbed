from __future__ import annotations

import json
from dataclasses import FrozenInstanceError

import pytest

from pipelines.augment_settings import (
    PRESETS,
    AugmentSettings,
    hal_projection,
    hal_transfer,
    preset,
)
from tflite.runtime.errors import LabError


def test_the_values_of_hal():
    assert hal_transfer() == AugmentSettings(
        contrast=0.1, rotation=0.5, translation=0.05, zoom=0.05, fill="reflect"
    )
    assert hal_projection() == AugmentSettings(
        contrast=0.5, rotation=0.5, translation=0.1, zoom=0.1, fill="reflect"
    )


@pytest.mark.parametrize("name", PRESETS)
def test_presets_come_by_name_and_through_json(name):
    settings = preset(name)
    assert AugmentSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_an_unknown_preset_is_refused():
    with pytest.raises(LabError, match=r"'hal'; there are \['an2dl'"):
        preset("hal")


@pytest.mark.parametrize(
    "change",
    [
        {"rotation": 0.6},
        {"translation": -0.1},
        {"zoom": 1.0},
        {"contrast": float("nan")},
        {"exposure": "much"},
        {"colour": True},
        {"hue": None},
        {"noise": 256},
        {"horizontal_flip": 1},
        {"fill": "mirror"},
        {"rand_augment_operations": 1.5},
        {"rand_augment_operations": -1},
        {"rand_augment_magnitude": 1.1},
        {"cutmix_alpha": 0},
        {"mixup_alpha": -1.0},
        {"cutmix_probability": 2},
    ],
)
def test_a_bad_field_is_named(change):
    with pytest.raises(LabError, match=next(iter(change))):
        AugmentSettings(**change)


def test_all_bad_fields_are_named_at_once():
    with pytest.raises(LabError, match=r"rotation.*fill.*rand_augment_operations"):
        AugmentSettings(rotation=9, fill="x", rand_augment_operations=99)


def test_a_batch_can_be_mixed_in_one_way_only():
    with pytest.raises(LabError, match="must not exceed 1 together"):
        AugmentSettings(cutmix_probability=0.6, mixup_probability=0.6)


def test_unknown_fields_are_refused():
    with pytest.raises(LabError, match=r"\['rotate'\]"):
        AugmentSettings.from_dict({"rotate": 0.5})


def test_settings_are_frozen():
    with pytest.raises(FrozenInstanceError):
        hal_transfer().rotation = 0.1  # type: ignore[misc]


def test_what_takes_part():
    assert not AugmentSettings(contrast=0.1).moves
    assert AugmentSettings(vertical_flip=True).moves
    assert not hal_transfer().mixes
    assert AugmentSettings(mixup_probability=0.1).mixes
