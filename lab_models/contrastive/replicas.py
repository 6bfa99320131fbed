"""What replicas of one training tell each other. Alone, each function gives what one has."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def number_of_replicas() -> int:
    """How many replicas train together."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def gather(rows: Any) -> Any:
    """The rows of all replicas, in the order of the replicas.

    The gradient flows back to the replica that a row came from, summed over all that used it.

    Args:
        rows: ``(n, ...)``; n may differ from replica to replica.
    """
    if number_of_replicas() == 1:
        return rows
    return tf.distribute.get_replica_context().all_gather(rows, axis=0)


def first_position(count: Any) -> Any:
    """Position, in the whole batch, of the first of this replica's rows, int32 scalar.

    Args:
        count: How many rows this replica has, int32 scalar.
    """
    if number_of_replicas() == 1:
        return tf.constant(0)
    counts = gather(tf.reshape(count, (1,)))
    me = tf.distribute.get_replica_context().replica_id_in_sync_group
    return tf.reduce_sum(tf.where(tf.range(tf.size(counts)) < me, counts, 0))


def averaged_by_keras(logs: dict[str, Any]) -> dict[str, Any]:
    """The figures of a step in the shape in which ``fit`` can average them over the replicas.

    With several workers Keras averages along the first axis, which scalars do not have.

    Args:
        logs: Scalars by name.
    """
    if not isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy):
        return logs
    return {name: tf.reshape(value, (1,)) for name, value in logs.items()}
