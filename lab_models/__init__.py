"""Train, question, compare and ship blood-cell classifiers."""

__version__ = "0.1.0"
