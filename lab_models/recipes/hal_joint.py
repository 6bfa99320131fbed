"""HAL-JOINT: hairy cells by cross-entropy and supervised contrastive learning in one step.

Purpose: the data, network and augmentation of HAL-C3003, but a fourth way: one phase for the new
heads, one for everything, each with both losses, weighed one to one. Not in study hairy.

Command: make train-hairy RECIPE=hal_joint SCALE=full DATA=<your images>

Expected: see the table of the three ways in README.md for demo scale on synthetic smears; not run
here at full scale, for want of the images and of the ImageNet weights.

Time and hardware: full scale needs a GPU of 11 GB (hours); demo scale minutes on 2 CPU cores.
"""

from lab_models.recipes.hal_contrastive import joint_recipe

RECIPE = joint_recipe("hal_joint")
