"""PBC-MEDIUM: eight classes from 4250 real images, from scratch (study pbc).

Purpose: see `lab_models.recipes.pbc`.

Command: make train-hairy RECIPE=pbc_medium SCALE=full DATA=<folder of the PBC images>

Expected: not measured at full scale.

Time and hardware: not measured; the arithmetic is 1.4 times that of PBC-SMALL, which takes 9
minutes on 2 CPU cores.
"""

from lab_models.recipes.pbc import scratch_recipe

RECIPE = scratch_recipe("medium", epochs=35, batch_size=32, learning_rate=0.002)
