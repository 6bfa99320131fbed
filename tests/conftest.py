"""Shared by all tests. Imports nothing heavy: the device's tests use it without TensorFlow."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

try:
    from hypothesis import HealthCheck, settings
except ImportError:  # the device's environment does without
    pass
else:
    # A busy machine must not fail a property test: speed is measured in `make bench`.
    settings.register_profile(
        "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("untimed")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the real images, where the environment names one."""
    folder = os.environ.get("LAB_MODELS_DATA")
    if not folder:
        pytest.skip("LAB_MODELS_DATA is unset: no real images to test on")
    return Path(folder)
