"""Cures for an int8 file that answers too differently from its float model."""
