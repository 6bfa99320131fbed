"""Exact gradients of a loss over a large batch in the memory of a small one.

A contrastive loss compares every embedding of a batch with every other, so its gradient is not
the sum of the gradients of parts. But it reaches the network through the embeddings alone. So
(Gao et al. 2021, "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup"):

1. the outputs of all parts are computed, and nothing else is kept;
2. the loss is taken over all of them, and its gradient with respect to the outputs;
3. each part is run once more, with the same random numbers, and its outputs' gradient is carried
   back into the weights, where the parts' contributions add up.

The result is the gradient of the undivided batch; the price is a second forward pass.

Batch normalisation is the exception, and the rule is this: each part is normalised by its own
statistics, as a plain batch of that size would be, and the moving statistics are updated once for
each part, in order, by the second pass only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

Outputs = Sequence[Any]
MakeInput = Callable[[Any, Any], Any]
LossOfOutputs = Callable[[Outputs], Any]


@dataclass(frozen=True)
class Portions:
    """How a batch is divided, and what the model makes of it.

    Args:
        count: Number of images in the batch, int32 scalar.
        size: Images in a part; the last part may hold fewer.
        rows_per_image: Rows of the model's input and outputs for each image, its views.
        output_sizes: Length of the last axis of each output, which is ``(rows, length)``.
        make_input: From the first and the past-the-last position of a part to the model's input.
            Called twice for each part; it must give the same both times.
    """

    count: Any
    size: int
    rows_per_image: int
    output_sizes: tuple[int, ...]
    make_input: MakeInput

    def number(self) -> Any:
        """How many parts there are, int32 scalar."""
        return -(-self.count // self.size)

    def bounds(self, part: Any) -> tuple[Any, Any]:
        """First and past-the-last image of a part."""
        import tensorflow as tf

        first = part * self.size
        return first, tf.minimum(first + self.size, self.count)

    def rows(self, part: Any) -> slice:
        """Rows of a part in the outputs of the whole batch."""
        first, last = self.bounds(part)
        return slice(first * self.rows_per_image, last * self.rows_per_image)


@dataclass(frozen=True)
class BatchGradients:
    """What `gradients_in_parts` found.

    Args:
        loss: The loss as `loss_of` gave it, a scalar.
        gradients: One for each trainable variable.
        state: New values of the non-trainable variables.
    """

    loss: Any
    gradients: list[Any]
    state: list[Any]


def gradients_in_parts(
    model: keras.Model,
    batch: Portions,
    loss_of: LossOfOutputs,
    scale: Callable[[Any], Any] = lambda loss: loss,
) -> BatchGradients:
    """The gradient of a loss over all outputs of a batch, part by part.

    Args:
        model: Its variables are read and not written.
        batch: How the batch is divided.
        loss_of: From the joined outputs to the loss, a float32 scalar. May communicate between
            replicas.
        scale: Multiplies the loss before gradients are taken, as half precision needs it.

    Returns:
        Loss, gradients and new state; nothing is assigned.
    """
    import tensorflow as tf

    trainable = [tf.convert_to_tensor(v.value) for v in model.trainable_variables]
    state = [tf.convert_to_tensor(v.value) for v in model.non_trainable_variables]
    passes = _Passes(model, trainable, batch)
    outputs = [tf.stop_gradient(output) for output in passes.forward(state)]
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        loss = loss_of(outputs)
        scaled = scale(loss)
    slopes = tape.gradient(scaled, outputs, unconnected_gradients="zero")
    gradients, state = passes.backward(slopes, state)
    return BatchGradients(loss, gradients, state)


@dataclass(frozen=True)
class _Passes:
    model: keras.Model
    trainable: list[Any]
    batch: Portions

    def _run(self, part: Any, state: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Outputs and new state of one part; what layers assign goes into the state alone."""
        images = self.batch.make_input(*self.batch.bounds(part))
        outputs, state = self.model.stateless_call(
            self.trainable, list(state), images, training=True
        )
        return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs], list(state)

    def _loop(self, body: Callable[..., Any], *carried: Any) -> Any:
        import tensorflow as tf

        number = self.batch.number()
        # One part at a time: more of them at once would take the memory that parts are to save.
        return tf.while_loop(
            lambda part, *_: part < number,
            lambda part, *values: (part + 1, *body(part, *values)),
            (tf.constant(0), *carried),
            parallel_iterations=1,
        )[1:]

    def forward(self, state: Sequence[Any]) -> list[Any]:
        """All parts' outputs, joined."""
        import tensorflow as tf

        number = self.batch.number()
        arrays = [
            tf.TensorArray(tf.float32, number, infer_shape=False, element_shape=(None, size))
            for size in self.batch.output_sizes
        ]

        def body(part: Any, arrays: Any, state: Any) -> tuple[Any, Any]:
            outputs, state = self._run(part, state)
            return [a.write(part, tf.cast(o, a.dtype)) for a, o in zip(arrays, outputs)], state

        arrays, _ = self._loop(body, arrays, list(state))
        joined = zip(arrays, self.batch.output_sizes)
        return [tf.ensure_shape(array.concat(), (None, size)) for array, size in joined]

    def backward(self, slopes: Sequence[Any], state: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Gradients of the weights from those of the outputs, and the state after all parts."""
        import tensorflow as tf

        def body(part: Any, sums: Any, state: Any) -> tuple[Any, Any]:
            with tf.GradientTape() as tape:
                tape.watch(self.trainable)
                outputs, state = self._run(part, state)
            gradients = tape.gradient(
                outputs,
                self.trainable,
                output_gradients=[
                    tf.cast(slope[self.batch.rows(part)], output.dtype)
                    for slope, output in zip(slopes, outputs)
                ],
                unconnected_gradients="zero",
            )
            return [total + gradient for total, gradient in zip(sums, gradients)], state

        start = [tf.zeros_like(value) for value in self.trainable]
        return self._loop(body, start, list(state))
