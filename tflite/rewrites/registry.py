"""All rewrites in their order, and the one function that applies them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tflite.flatbuffer import Graph, write_model


@dataclass(frozen=True)
class Change:
    """One place that a rewrite changed.

    Args:
        rewrite: Name of the rewrite, a key of `REWRITES`.
        tensor: Name of the output tensor of the operator that was changed.
        description: What became of what, in operators' names.
    """

    rewrite: str
    tensor: str
    description: str


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

REWRITES: dict[str, Rewrite] = {}


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
    changes = [change for rewrite in REWRITES.values() for change in rewrite(graph)]
    if not changes:
        return RewriteResult(content, ())
    return RewriteResult(write_model(graph.model), tuple(changes))
