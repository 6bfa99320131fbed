"""Synthetic blood smears: 20 classes of cells drawn from their morphology, stained, photographed.

`write_smears` writes a data set to disk in the layout of study hairy; the ordinary readers of
`pipelines.datasets` read it.
"""

from pipelines.smear.settings import (
    CameraSettings,
    LabelSettings,
    SlideSettings,
    SmearSettings,
    StainSettings,
)
from pipelines.smear.sheet import write_sheet
from pipelines.smear.write import smears_digest, write_smears

__all__ = [
    "CameraSettings",
    "LabelSettings",
    "SlideSettings",
    "SmearSettings",
    "StainSettings",
    "smears_digest",
    "write_sheet",
    "write_smears",
]
