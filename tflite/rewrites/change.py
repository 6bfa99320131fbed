"""What rewrites report."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """One place that a rewrite changed.

    Args:
        rewrite: Name of the rewrite, a key of `tflite.rewrites.REWRITES`.
        tensor: Name of the output tensor of the operator that was changed.
        description: What became of what, in operators' names.
    """

    rewrite: str
    tensor: str
    description: str
