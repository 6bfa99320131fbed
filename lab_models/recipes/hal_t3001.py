"""HAL-T3001: hairy cells by transfer learning (study hairy).

Purpose: 20 classes of white blood cells with Xception from ImageNet weights; cross-entropy,
10 epochs of the dense layer, then 4 of everything, batch 20.

Command: make train-hairy RECIPE=hal_t3001 SCALE=full DATA=<your images>

Expected: test accuracy 0.8766 on the study's own images (one run there); not
run here at full scale, for want of those images and of the ImageNet weights.
At demo scale on synthetic smears: see the table in README.md.

Time and hardware: full scale needs a GPU of 11 GB (hours); demo scale minutes on 2 CPU cores.
"""

from lab_models.recipes.hal import transfer_recipe

RECIPE = transfer_recipe("hal_t3001", top_epochs=10, tuning_epochs=4, batch_size=20)
