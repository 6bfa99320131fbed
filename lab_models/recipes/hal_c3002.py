"""HAL-C3002: hairy cells by supervised contrastive learning (study hairy).

Purpose: 20 classes of white blood cells with Xception from ImageNet weights; SupCon with
projection-head-128, then a classifier with dropout 0.2 on the frozen encoder.

Command: make train-hairy RECIPE=hal_c3002 SCALE=full DATA=<your images>

Expected: test accuracy 0.9020 on the study's own images (one run there); not
run here at full scale, for want of those images and of the ImageNet weights.
At demo scale on synthetic smears: see the table in README.md.

Time and hardware: full scale needs a GPU of 11 GB (there 45 minutes an epoch of the second phase);
demo scale minutes on 2 CPU cores.
"""

from lab_models.recipes.hal_contrastive import contrastive_recipe

RECIPE = contrastive_recipe("hal_c3002", units=128, classifier_dropout=0.2)
