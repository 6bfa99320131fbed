"""The exceptions that the device runtime raises on purpose."""

from __future__ import annotations


class LabError(ValueError):
    """Base of every error that lab-models raises for something the user can put right.

    The command lines print the message without a traceback and exit with a non-zero status.
    """


class ImageError(LabError):
    """An image file is missing, empty, truncated, too large, or no image at all."""


class BundleError(LabError):
    """A ``.tflite`` bundle is incomplete, was altered, or its parts do not belong together."""
