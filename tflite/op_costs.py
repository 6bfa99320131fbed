"""What each op of a ``.tflite`` file costs: every op is cut out as a file of its own and timed.

The interpreter's Python interface has no profiler. An op alone runs on the kernel that it would run
on in the graph (XNNPACK's where XNNPACK takes it), on inputs of the same shapes; what a call costs
by itself is measured with an op that does nothing, and taken off. What is then missing is what
happens between ops: caches that are warmer or colder than in the graph, and the way in and out of
partitions. The sum of all ops is therefore given beside the time of the whole.

With one thread, times are processor time: other programs that take the processor in between are
not counted. With more threads, they are by the clock.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite.flatbuffer import Graph, make_operator, options_object, write_model
from tflite.runtime.errors import LabError
from tflite.runtime.interpreter import load_interpreter

# Types that random values may stand in for. Integers of other types are shapes and indices.
_VALUES = ("INT8", "UINT8", "INT16", "FLOAT32", "FLOAT16")


@dataclass(frozen=True)
class CostSettings:
    """How ops are timed.

    Args:
        threads: Of the kernels.
        warm_up: Runs of each op before the first measured one.
        runs: Measured runs of each op; ops take turns, so that load of the machine hits all.
        seconds: Stop after this time even if `runs` are not done, but never before 3 of them.
        seed: Of the random inputs.

    Raises:
        LabError: If a number is out of range.
    """

    threads: int = 1
    warm_up: int = 2
    runs: int = 30
    seconds: float = 20.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.runs < 1 or self.warm_up < 0:
            raise LabError(f"At least 1 run and no negative warm-up are needed, got {self}.")


_LEAST_RUNS = 3


@dataclass(frozen=True)
class Costs:
    """Medians, in milliseconds: of processor time with one thread, else by the clock.

    Args:
        ops: One an op, in the graph's order; None where an op cannot be cut out (it works on
            constants only, on shapes, or on other graphs).
        whole: The whole file.
    """

    ops: tuple[float | None, ...]
    whole: float

    @property
    def sum(self) -> float:
        """Of all ops that could be timed."""
        return math.fsum(ms for ms in self.ops if ms is not None)


def measure_costs(content: bytes, settings: CostSettings | None = None) -> Costs:
    """Times every op of a file, and the whole.

    Args:
        content: A plain ``.tflite`` file.
        settings: None takes the defaults.

    Raises:
        LabError: If the file is none or cannot be run.
    """
    settings = settings or CostSettings()
    graph = Graph.read(content)
    runners = [_runner(single_op_model(graph, op), settings) for op in graph.operators]
    whole, nothing = _runner(content, settings), _runner(_idle_model(), settings)
    if whole is None or nothing is None:
        raise LabError("The model takes inputs that random values cannot stand in for.")
    timed = [run for run in runners if run is not None]
    *op_times, overhead, total = _medians([*timed, nothing, whole], settings)
    each = iter(max(ms - overhead, 0.0) for ms in op_times)
    return Costs(tuple(None if run is None else next(each) for run in runners), total)


def _medians(runners: Sequence[Callable[[], None]], settings: CostSettings) -> list[float]:
    for run in runners:
        for _ in range(settings.warm_up):
            run()
    # One thread computes in the caller's own, whose processor time is then all there is.
    clock = time.thread_time if settings.threads == 1 else time.perf_counter
    times = np.empty((settings.runs, len(runners)))
    end = time.perf_counter() + settings.seconds
    done = 0
    for turn in range(settings.runs):
        if turn >= _LEAST_RUNS and time.perf_counter() > end:
            break
        for number, run in enumerate(runners):
            start = clock()
            run()
            times[turn, number] = clock() - start
        done += 1
    return [float(ms) for ms in np.median(times[:done], axis=0) * 1000]


def _runner(content: bytes | None, settings: CostSettings) -> Callable[[], None] | None:
    """Something to call that runs one inference on random values; None if that cannot be."""
    if content is None:
        return None
    try:
        interpreter = load_interpreter(content, settings.threads)
        generator = np.random.default_rng(settings.seed)
        for details in interpreter.get_input_details():
            values = _random(details["shape"], np.dtype(details["dtype"]), generator)
            interpreter.set_tensor(details["index"], values)
        interpreter.invoke()
    except (LabError, RuntimeError):
        return None
    invoke: Callable[[], None] = interpreter.invoke
    return invoke


def _random(shape: Any, dtype: np.dtype, generator: np.random.Generator) -> np.ndarray:
    if dtype.kind == "f":
        return generator.standard_normal(shape).astype(dtype)
    limits = np.iinfo(dtype)
    return generator.integers(limits.min, limits.max + 1, shape, dtype)


def single_op_model(graph: Graph, operator: Any) -> bytes | None:
    """One op as a file of its own: its computed inputs become the file's inputs.

    Args:
        graph: That the op is of; it is not changed.
        operator: One of its operators.

    Returns:
        A ``.tflite`` file; None if the op computes from constants only or takes something that
        random values cannot stand in for.
    """
    inputs = [t for t in graph.input_tensors(operator) if t >= 0]
    computed = list(dict.fromkeys(t for t in inputs if not _stored(graph, t)))
    if not computed or any(graph.type_name(t) not in _VALUES for t in computed):
        return None
    used = list(dict.fromkeys([*inputs, *graph.output_tensors(operator)]))
    new = {old: number for number, old in enumerate(used)}
    tensors, buffers = [], [options_object("Buffer")]
    for old in used:
        tensor = _copy(graph.tensors[old], buffer=0)
        if _stored(graph, old):
            buffers.append(graph.model.buffers[graph.tensors[old].buffer])
            tensor.buffer = len(buffers) - 1
        tensors.append(tensor)
    numbers = [new.get(t, -1) for t in graph.input_tensors(operator)]
    outputs = [new[t] for t in graph.output_tensors(operator)]
    alone = _copy(operator, opcodeIndex=0, inputs=_ints(numbers), outputs=_ints(outputs))
    code = graph.model.operatorCodes[operator.opcodeIndex]
    return _pack(code, alone, tensors, buffers, [new[t] for t in computed], outputs)


def _pack(
    code: Any,
    operator: Any,
    tensors: list[Any],
    buffers: list[Any],
    inputs: list[int],
    outputs: list[int],
) -> bytes:
    subgraph, model = options_object("SubGraph"), options_object("Model")
    subgraph.tensors, subgraph.operators = tensors, [operator]
    subgraph.inputs, subgraph.outputs = _ints(inputs), _ints(outputs)
    model.version, model.operatorCodes = 3, [code]
    model.subgraphs, model.buffers = [subgraph], buffers
    return write_model(model)


def _idle_model() -> bytes:
    """An op that does next to nothing: the sum of one number with itself."""
    model, subgraph = options_object("Model"), options_object("SubGraph")
    model.version, model.operatorCodes, model.buffers = 3, [], [options_object("Buffer")]
    subgraph.tensors, subgraph.operators = [], []
    model.subgraphs = [subgraph]
    graph = Graph(model)
    first, second = (graph.add_tensor(name, (1, 1), "INT8", 1.0, 0) for name in "ab")
    options = options_object("AddOptions")
    add = make_operator(model, "ADD", [first, first], [second], options, version=2)
    subgraph.operators.append(add)
    subgraph.inputs, subgraph.outputs = _ints([first]), _ints([second])
    return write_model(model)


def _stored(graph: Graph, tensor: int) -> bool:
    data = graph.model.buffers[graph.tensors[tensor].buffer].data
    return data is not None and len(data) > 0


def _copy(thing: Any, **changes: Any) -> Any:
    import copy

    new = copy.copy(thing)
    for name, value in changes.items():
        setattr(new, name, value)
    return new


def _ints(numbers: Sequence[int]) -> np.ndarray:
    return np.array(numbers, np.int32)


def multiply_adds(graph: Graph, operator: Any) -> int | None:
    """Multiply-adds of a convolution or dense op, from its shapes; None of any other op.

    Args:
        graph: That the op is of.
        operator: One of its operators.
    """
    name = graph.op_name(operator)
    if name not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        return None
    kernel = graph.shape(graph.input_tensors(operator)[1])
    outputs = math.prod(graph.shape(graph.output_tensors(operator)[0]))
    # Kernels are (out, rows, columns, in), (1, rows, columns, out) and (out, in).
    each = kernel[1:3] if name == "DEPTHWISE_CONV_2D" else kernel[1:]
    return outputs * math.prod(each)
