"""Rewrites of a graph so that XNNPACK takes the whole of it, and takes it fast."""

from tflite.rewrites.change import Change
from tflite.rewrites.prove import Proof, prove_rewrite
from tflite.rewrites.recommend import Recommendation, recommended_quantization
from tflite.rewrites.registry import REWRITES, RewriteResult, rewrite_graph

__all__ = [
    "REWRITES",
    "Change",
    "Proof",
    "Recommendation",
    "RewriteResult",
    "prove_rewrite",
    "recommended_quantization",
    "rewrite_graph",
]
