"""What study hairy reports of its models, to stand beside our own figures.

Source: "Pre-classification of Hairy Cells Using Supervised Contrastive Learning", Lund 2022: its
tables of validation and test results, and its text on hairy cells. Figures of images that are not
public; test images are the sets A and B, from slides that were not trained on.
"""

from __future__ import annotations

from dataclasses import dataclass

SOURCE = (
    "Study hairy: Pre-classification of Hairy Cells Using Supervised Contrastive Learning, "
    "Lund 2022; 76,612 training and 15,374 test images, one figure for each model."
)
HAIRY_CELLS = 1453
"""Hairy cells among the study's test images."""


@dataclass(frozen=True)
class StudyFigures:
    """What the study reports of one model; None where it does not.

    Args:
        validation_accuracy: 0..1.
        validation_loss: Cross-entropy in nats.
        test_accuracy: 0..1.
        test_loss: Cross-entropy in nats.
        hairy_right: Hairy cells named rightly, of `HAIRY_CELLS`.
        hairy_false: Other test cells named hairy cell.
    """

    validation_accuracy: float | None = None
    validation_loss: float | None = None
    test_accuracy: float | None = None
    test_loss: float | None = None
    hairy_right: int | None = None
    hairy_false: int | None = None


STUDY_FIGURES = {
    "hal_r": StudyFigures(test_accuracy=0.07617, test_loss=2.889),
    "hal_t3001": StudyFigures(0.9087, 0.2811, 0.8766, 0.4598),
    "hal_t3002": StudyFigures(0.9057, 0.2921, 0.8821, 0.4200, hairy_right=1440, hairy_false=0),
    "hal_t3003": StudyFigures(0.9056, 0.3021, 0.8817, 0.4297),
    "hal_c3001": StudyFigures(0.9129, 0.2660, 0.9004, 0.3550),
    "hal_c3002": StudyFigures(0.9186, 0.2546, 0.9020, 0.3518),
    "hal_c3003": StudyFigures(0.9184, 0.2551, 0.9024, 0.3462, hairy_right=1437, hairy_false=0),
}
"""By recipe."""
