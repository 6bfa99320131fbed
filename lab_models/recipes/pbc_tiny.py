"""PBC-TINY: eight classes from 200 real images, from scratch (study pbc).

Purpose: see `lab_models.recipes.pbc`.

Command: make train-hairy RECIPE=pbc_tiny SCALE=full DATA=<folder of the PBC images>

Expected: validation accuracy 0.938 (0.938, 0.950, 0.925; seeds 0, 1, 2) on 80 images, so every
single figure has an interval of some 0.86 to 0.97.

Time and hardware: 3.5 to 5.5 minutes on 2 CPU cores.
"""

from lab_models.recipes.pbc import scratch_recipe

RECIPE = scratch_recipe("tiny", epochs=200, batch_size=16, learning_rate=0.001)
