"""PBC-TINY: eight classes from 200 real images, from scratch (study pbc).

Purpose: see `lab_models.recipes.pbc`.

Command: make train-hairy RECIPE=pbc_tiny SCALE=full DATA=<folder of the PBC images>

Expected: TO BE MEASURED

Time and hardware: TO BE MEASURED
"""

from lab_models.recipes.pbc import scratch_recipe

RECIPE = scratch_recipe("tiny", epochs=200, batch_size=16, learning_rate=0.001)
