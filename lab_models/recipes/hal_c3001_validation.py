"""HAL-C3001-VALIDATION: hairy cells by supervised contrastive learning (study hairy).

Purpose: the run with which the study chose projection-head-16: as HAL-C3001, but the head at 1e-5
and both parts for 7 epochs. 20 classes, Xception from ImageNet weights; SupCon with
projection-head-16, then a classifier with dropout 0.3 on the frozen encoder.

Command: make train-hairy RECIPE=hal_c3001_validation SCALE=full DATA=<your images>

Expected: validation accuracy 0.9129 for HAL-C3001 in the study (one run there); not
run here at full scale, for want of those images and of the ImageNet weights.
At demo scale on synthetic smears: see the table in README.md.

Time and hardware: full scale needs a GPU of 11 GB (there 45 minutes an epoch of the second phase);
demo scale minutes on 2 CPU cores.
"""

from lab_models.recipes.hal_contrastive import contrastive_recipe

RECIPE = contrastive_recipe(
    "hal_c3001_validation",
    units=16,
    classifier_dropout=0.3,
    head_learning_rate=1e-5,
    tuning_epochs=7,
)
