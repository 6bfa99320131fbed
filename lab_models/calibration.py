"""Whether a score of 0.9 is right nine times out of ten."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tflite.runtime.scores import CALIBRATION_BINS, expected_calibration_error, reliability_bins

__all__ = ["expected_calibration_error", "reliability_table"]


def reliability_table(
    truth: np.ndarray, scores: np.ndarray, bins: int = CALIBRATION_BINS
) -> pd.DataFrame:
    """Confidence against accuracy, a row for each bin; see `tflite.runtime.scores`.

    Args:
        truth: int ``(images,)``.
        scores: float ``(images, classes)``.
        bins: Number of bins over 0..1, closed on the right.

    Returns:
        Columns ``low, high, count, confidence, accuracy``; the last two are NaN where the bin is
        empty.

    Raises:
        LabError: If `bins` is below 1.
    """
    return pd.DataFrame(reliability_bins(truth, scores, bins))
