"""PBC-TINY-JOINT: eight classes from 200 real images, cross-entropy and SupCon at once (study pbc).

Purpose: see `lab_models.recipes.pbc`.

Command: make train-hairy RECIPE=pbc_tiny_joint SCALE=full DATA=<folder of the PBC images>

Expected: see the table of the three ways in README.md.

Time and hardware: as PBC-TINY on 2 CPU cores.
"""

from lab_models.recipes.pbc import joint_recipe

RECIPE = joint_recipe("tiny", epochs=100, images_per_class=2, learning_rate=0.002)
