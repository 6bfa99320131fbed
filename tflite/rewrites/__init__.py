"""Rewrites of an int8 graph so that XNNPACK takes the whole of it."""

from tflite.rewrites.change import Change
from tflite.rewrites.registry import REWRITES, RewriteResult, rewrite_graph

__all__ = ["REWRITES", "Change", "RewriteResult", "rewrite_graph"]
