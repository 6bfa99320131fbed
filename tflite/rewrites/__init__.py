"""Rewrites of an int8 graph so that XNNPACK takes the whole of it."""

from tflite.rewrites.change import Change
from tflite.rewrites.prove import Proof, prove_rewrite
from tflite.rewrites.registry import REWRITES, RewriteResult, rewrite_graph

__all__ = ["REWRITES", "Change", "Proof", "RewriteResult", "prove_rewrite", "rewrite_graph"]
