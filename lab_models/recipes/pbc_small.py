"""PBC-SMALL: eight classes from 2100 real images, from scratch (study pbc).

Purpose: see `lab_models.recipes.pbc`.

Command: make train-hairy RECIPE=pbc_small SCALE=full DATA=<folder of the PBC images>

Expected: validation accuracy 0.969 (0.968, 0.963, 0.975; seeds 0, 1, 2), macro-F1 0.970. On another
microscope (zheng1, 300 images) 0.08 to 0.13: the network knows the microscope it was trained on.

Time and hardware: 9 minutes on 2 CPU cores (13 and 20 with other work beside).
"""

from lab_models.recipes.pbc import scratch_recipe

RECIPE = scratch_recipe("small", epochs=50, batch_size=32, learning_rate=0.002)
