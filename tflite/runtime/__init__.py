"""Runs bundles. Needs the interpreter, numpy and Pillow, and imports nothing else."""
