"""PBC-SMALL-CONTRASTIVE: eight classes from 2100 cells, in the three steps of HAL-C (study pbc).

Purpose: see `lab_models.recipes.pbc`.

Command: make train-hairy RECIPE=pbc_small_contrastive SCALE=full DATA=<folder of the PBC images>

Expected: see the table of the three ways in README.md.

Time and hardware: as PBC-SMALL on 2 CPU cores.
"""

from lab_models.recipes.pbc import contrastive_recipe

RECIPE = contrastive_recipe("small", epochs=25, images_per_class=4, learning_rate=0.002)
