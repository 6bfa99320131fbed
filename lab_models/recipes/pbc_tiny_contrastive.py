"""PBC-TINY-CONTRASTIVE: eight classes from 200 cells, in the three steps of HAL-C (study pbc).

Purpose: see `lab_models.recipes.pbc`.

Command: make train-hairy RECIPE=pbc_tiny_contrastive SCALE=full DATA=<folder of the PBC images>

Expected: see the table of the three ways in README.md.

Time and hardware: as PBC-TINY on 2 CPU cores.
"""

from lab_models.recipes.pbc import contrastive_recipe

RECIPE = contrastive_recipe("tiny", epochs=100, images_per_class=2, learning_rate=0.002)
