"""PBC-SMALL-JOINT: eight classes from 2100 cells, cross-entropy and SupCon at once (study pbc).

Purpose: see `lab_models.recipes.pbc`.

Command: make train-hairy RECIPE=pbc_small_joint SCALE=full DATA=<folder of the PBC images>

Expected: see the table of the three ways in README.md.

Time and hardware: as PBC-SMALL on 2 CPU cores.
"""

from lab_models.recipes.pbc import joint_recipe

RECIPE = joint_recipe("small", epochs=25, images_per_class=4, learning_rate=0.002)
