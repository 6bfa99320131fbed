"""HAL-R: the net of HAL-T from random weights (study hairy).

Purpose: the study's control, to show what the ImageNet weights are worth: Xception from scratch,
one phase of up to 100 epochs at 1e-3, stopped when the loss is no better for 3 epochs, batch 25.

Command: make train-hairy RECIPE=hal_r SCALE=full DATA=<your images>

Expected: test accuracy 0.076 on the study's own images (it did not learn; one run there); not run
here at full scale. At demo scale the settings are those of the other hairy recipes.

Time and hardware: full scale needs a GPU of 11 GB (hours); demo scale minutes on 2 CPU cores.
"""

from lab_models.recipes.hal import DEMO, FULL_SMEARS
from lab_models.recipes.phase import EarlyStopping, Optimizer, Phase
from lab_models.recipes.recipe import Data, Input, Recipe
from pipelines.augment_settings import hal_transfer
from pipelines.split import SplitSettings

_DEMO = {
    name.replace("phases.1", "phases.0"): value
    for name, value in DEMO.items()
    if not name.startswith("phases.0")
}

RECIPE = Recipe(
    name="hal_r",
    backbone="xception",
    weights="random",
    input=Input(height=256, width=256),
    data=Data(split=SplitSettings(validation=0.2), smears=FULL_SMEARS),
    augment=hal_transfer(),
    dropout=0.2,
    batch_size=25,
    seed=3001,
    phases=(
        Phase(
            "all_layers",
            "full",
            100,
            optimizer=Optimizer("adam", 1e-3),
            early_stopping=EarlyStopping("val_loss", patience=3),
        ),
    ),
    scales={"demo": _DEMO},
)
