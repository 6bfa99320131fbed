"""All rewrites in their order, and the one function that applies them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tflite.flatbuffer import Graph, write_model
from tflite.rewrites.broadcast import rewrite_broadcast
from tflite.rewrites.change import Change
from tflite.rewrites.columns import rewrite_columns
from tflite.rewrites.hard_swish import rewrite_hard_swish
from tflite.rewrites.input_scaling import rewrite_input_scaling
from tflite.rewrites.large_depthwise import rewrite_large_depthwise
from tflite.rewrites.multiply import rewrite_multiply
from tflite.rewrites.relu import rewrite_relu
from tflite.rewrites.requantize import rewrite_requantize


@dataclass(frozen=True)
class RewriteResult:
    """A rewritten file.

    Args:
        content: The ``.tflite`` file.
        changes: What was changed, in order; empty if `content` is what was given.
    """

    content: bytes
    changes: tuple[Change, ...]


Rewrite = Callable[[Graph], list[Change]]
"""Changes a graph in place wherever its pattern occurs; an empty list if nowhere."""

REWRITES: dict[str, Rewrite] = {
    "requantize": rewrite_requantize,
    "input_scaling": rewrite_input_scaling,
    "multiply": rewrite_multiply,
    "relu": rewrite_relu,
    "hard_swish": rewrite_hard_swish,
    "columns": rewrite_columns,
    "broadcast": rewrite_broadcast,
    "large_depthwise": rewrite_large_depthwise,
}


def rewrite_graph(content: bytes) -> RewriteResult:
    """Rewrites a file until no rewrite finds anything more.

    Pure and deterministic; what comes out is left as it is when it is rewritten again. A file
    that nothing applies to comes back byte for byte.

    Args:
        content: A ``.tflite`` file. What is appended to it is lost if something changes.

    Raises:
        FlatbufferError: If the content is not a model.
    """
    graph = Graph.read(content)
    changes: list[Change] = []
    while found := [change for rewrite in REWRITES.values() for change in rewrite(graph)]:
        changes += found
    if not changes:
        return RewriteResult(content, ())
    graph.drop_unused()
    return RewriteResult(write_model(graph.model), tuple(changes))
