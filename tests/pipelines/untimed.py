"""Property tests must not fail because the machine is busy."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Decorates a property test; ``settings(UNTIMED, max_examples=...)`` for other numbers."""
