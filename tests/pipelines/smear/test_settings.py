from __future__ import annotations

import json

import pytest

from pipelines.smear import CameraSettings, LabelSettings, SlideSettings, SmearSettings
from pipelines.smear.settings import settings_to_dict
from tflite.runtime.errors import LabError


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ({"images": 0}, "images must be at least 1, got 0"),
        ({"size": 8}, "size must be 32..1024 pixels, got 8"),
        ({"seed": -1}, "seed must be"),
        ({"micrometres": 1.0}, "micrometres must be 10..100"),
        ({"counts": {"cat": (1, 1)}}, "cat"),
        ({"counts": {}}, "counts must name classes"),
        ({"counts": {"blast": (0, 1)}}, "counts must be positive"),
        ({"slides": SlideSettings(hairy_test_slides=11)}, "hairy_test_slides must be 1..10"),
        ({"slides": SlideSettings(train_slides=0)}, "at least 1 slide"),
        ({"slides": SlideSettings(hairy_share=0.0)}, "hairy_share"),
        ({"slides": SlideSettings(patient=2.0)}, "patient"),
        ({"labels": LabelSettings(experts=1)}, "experts must be at least 2"),
        ({"labels": LabelSettings(disputed=-1)}, "disputed"),
        ({"wbc_camera": CameraSettings(format="gif")}, "wbc_camera must write jpg"),
        ({"hairy_camera": CameraSettings(quality=0)}, "of quality 0"),
    ],
)
def test_what_cannot_be_drawn_is_named(bad, named):
    with pytest.raises(LabError, match=named):
        SmearSettings(**bad)


def test_every_problem_is_named_at_once():
    with pytest.raises(LabError) as caught:
        SmearSettings(images=0, size=8, seed=-1)
    assert all(name in str(caught.value) for name in ("images", "size", "seed"))


def test_settings_survive_json():
    plain = settings_to_dict(SmearSettings())
    assert json.loads(json.dumps(plain)) == plain
    assert plain["hairy_camera"]["white"] == list(SmearSettings().hairy_camera.white)
