"""Why a ``.tflite`` file is fast or slow, in words, from the facts about its ops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class OpFacts:
    """One op of a graph.

    Args:
        index: Its place in the order of execution, from 0.
        name: What it computes, as ``"CONV_2D"``.
        output: Name of its first output tensor.
        input_types: Such as ``("int8", "int8", "int32")``, weights and bias included.
        output_types: As above.
        input_shapes: As above; a free dimension is 1 or what the converter guessed.
        output_shapes: As above.
        partition: Number of XNNPACK's partition that it is in, from 0; None if refused.
        cost_ms: Its time alone; None if not measured.
        share: Of the sum of all ops' times, 0..1; None if not measured.
        multiply_adds: Of convolutions and dense ops; None of others.
    """

    index: int
    name: str
    output: str
    input_types: tuple[str, ...]
    output_types: tuple[str, ...]
    input_shapes: tuple[tuple[int, ...], ...]
    output_shapes: tuple[tuple[int, ...], ...]
    partition: int | None
    cost_ms: float | None = None
    share: float | None = None
    multiply_adds: int | None = None

    @property
    def kind(self) -> str:
        """Its name, and the types where they are what matters: ``"QUANTIZE uint8 -> int8"``."""
        if self.name in ("QUANTIZE", "DEQUANTIZE", "CAST"):
            return f"{self.name} {'+'.join(self.input_types)} -> {'+'.join(self.output_types)}"
        return self.name

    @property
    def computes_in(self) -> str:
        """Type of its first input."""
        return self.input_types[0] if self.input_types else "nothing"


@dataclass(frozen=True)
class Finding:
    """One reason.

    Args:
        what: What was found and why it matters.
        share: Of the time, 0..1; None if not measured or not of single ops.
        cure: What would help; empty if nothing needs to.
    """

    what: str
    share: float | None = None
    cure: str = ""

    def sentence(self) -> str:
        """The finding in one line."""
        share = "" if self.share is None else f" ({self.share:.0%} of the time)"
        cure = f" Cure: {self.cure}" if self.cure else ""
        return f"{self.what}{share}.{cure}"


_REWRITE = "the rewrites of tflite.rewrites, which lab-models export applies."
_FREE_BATCH = (
    "shape arithmetic is left where the batch is free",
    "convert with a batch fixed to 1 (tflite.convert.fix_batch), as lab-models export does.",
)
_NORMALISATION = (
    "normalisation and GELU in pieces have no int8 kernels",
    "keep these layers float (selective quantisation, or dynamic_int8), or use a backbone with "
    "batch normalisation.",
)
# Why XNNPACK refuses an op in an int8 graph, and what helps.
_REASONS: dict[str, tuple[str, str]] = {
    "RELU": (
        "XNNPACK has no int8 ReLU that stands alone, only one fused into the op before",
        f"a requantisation with the same tensors does the same: {_REWRITE}",
    ),
    "RELU6": ("XNNPACK has no int8 ReLU6 that stands alone", _REWRITE),
    "RELU_N1_TO_1": ("XNNPACK has no clamp that stands alone in int8", _REWRITE),
    "HARD_SWISH": (
        "XNNPACK has no int8 hard swish",
        f"x * relu6(x + 3) / 6 in ops it takes: {_REWRITE}",
    ),
    "SOFTMAX": (
        "XNNPACK has no int8 softmax",
        "end the file in logits, as lab-models export does; the runtime computes the softmax.",
    ),
    "AVERAGE_POOL_2D": (
        "XNNPACK has no int8 average pooling with windows",
        "global pooling as MEAN, or a depthwise convolution with equal weights.",
    ),
    "GELU": ("XNNPACK has no int8 GELU", _NORMALISATION[1]),
    "BATCH_MATMUL": (
        "XNNPACK has no int8 product of two computed matrices",
        "keep attention float (selective quantisation, or dynamic_int8).",
    ),
    "QUANTIZE uint8 -> int8": (
        "the input is uint8, inside it is int8, and XNNPACK does not take the step between",
        "an int8 input with zero point -128 (the pixel's bits with the highest one turned over).",
    ),
    "QUANTIZE int8 -> uint8": (
        "the output is uint8, inside it is int8, and XNNPACK does not take the step between",
        "an int8 output.",
    ),
    **dict.fromkeys(("SHAPE", "STRIDED_SLICE", "PACK", "GATHER", "FILL", "RANGE"), _FREE_BATCH),
    **dict.fromkeys(
        ("RSQRT", "SQRT", "SQUARED_DIFFERENCE", "DIV", "POW", "EXP", "SUM", "ERF"), _NORMALISATION
    ),
}
_UNKNOWN = (
    "XNNPACK has no kernel for it with these types",
    "another layer of the same purpose, or that layer in float (selective quantisation).",
)
_INT16 = (
    "XNNPACK has no kernels for int16 activations; the plain ones are about 100 times slower",
    "int8_full, and float layers where int8 is too coarse.",
)
_SMALL_SHARE = 0.02
_WORK = ("CONV_2D", "FULLY_CONNECTED")


def explain(
    ops: Sequence[OpFacts], partitions: int, rewritten: str | None = None
) -> tuple[Finding, ...]:
    """Why the file is fast or not.

    Args:
        ops: Of the whole graph.
        partitions: Of XNNPACK.
        rewritten: What rewriting would bring, in words; None if nothing.

    Returns:
        The verdict first; then what XNNPACK refuses, the costliest first; then where the time goes
        otherwise; then what rewriting would bring.
    """
    refused = [op for op in ops if op.partition is None]
    found = [_verdict(ops, refused, partitions)]
    found += sorted(_refusals(refused), key=lambda f: f.share or 0, reverse=True)
    found += _float_islands(ops)
    found += _where_time_goes(ops)
    if rewritten:
        found.append(Finding(rewritten.rstrip(".")))
    return tuple(found)


def graph_type(ops: Sequence[OpFacts]) -> str:
    """What the graph computes in: ``"int8"``, ``"int16"``, ``"float32"``, ``"dynamic int8"`` (int8
    weights, float activations) or ``"mixed"``.
    """
    work = [op for op in ops if op.multiply_adds is not None] or list(ops)
    types = {op.computes_in for op in work}
    if types == {"float32"}:
        weights = {op.input_types[1] for op in work if len(op.input_types) > 1}
        return "dynamic int8" if "int8" in weights else "float32"
    if len(types) == 1 and types <= {"int8", "int16"}:
        return types.pop()
    return "mixed"


def _verdict(ops: Sequence[OpFacts], refused: Sequence[OpFacts], partitions: int) -> Finding:
    kind = graph_type(ops)
    if not refused and partitions == 1:
        praise = {
            "float32": "This float32 graph is one partition: what int8 must be compared with",
            "int8": "This int8 graph is one partition: every op runs on XNNPACK's int8 kernels",
        }
        return Finding(praise.get(kind, f"This graph ({kind}) is one partition"))
    if not partitions:
        return Finding(
            f"XNNPACK takes nothing of this graph ({kind}): every op runs on plain kernels with "
            "one thread",
            _sum_share(refused),
        )
    return Finding(
        f"This graph ({kind}) is cut into pieces: {partitions} for XNNPACK, and {len(refused)} ops "
        "outside that run on plain kernels with one thread; int8 is slower here than it could be",
        _sum_share(refused),
    )


def _refusals(refused: Sequence[OpFacts]) -> list[Finding]:
    findings = []
    for kind in dict.fromkeys(op.kind for op in refused):
        group = [op for op in refused if op.kind == kind]
        reason, cure = _reason(group[0])
        findings.append(Finding(f"{len(group)} x {kind}: {reason}", _sum_share(group), cure))
    return findings


def _reason(op: OpFacts) -> tuple[str, str]:
    if "int16" in op.input_types:
        return _INT16
    return _REASONS.get(op.kind, _REASONS.get(op.name, _UNKNOWN))


def _float_islands(ops: Sequence[OpFacts]) -> list[Finding]:
    inner = [op for op in ops[1:-1] if op.kind in ("DEQUANTIZE int8 -> float32",)]
    if not inner or graph_type(ops) == "float32":
        return []
    ways = [op for op in ops if op.name in ("QUANTIZE", "DEQUANTIZE")]
    return [
        Finding(
            f"{len(inner)} times the graph leaves int8 for float32 and comes back",
            _sum_share(ways),
            "quantise what lies between, or keep longer stretches float.",
        )
    ]


def _where_time_goes(ops: Sequence[OpFacts]) -> list[Finding]:
    """Of the ops that XNNPACK takes: int8 gains most in convolutions, least in moving numbers."""
    if graph_type(ops) != "int8" or _sum_share(ops) is None:
        return []
    taken = [op for op in ops if op.partition is not None]
    work = [op for op in taken if op.name in _WORK]
    depthwise = [op for op in taken if op.name == "DEPTHWISE_CONV_2D"]
    other = [op for op in taken if op.name not in (*_WORK, "DEPTHWISE_CONV_2D")]
    groups = (
        (
            work,
            "convolutions and dense ops, where int8 does up to 4 multiply-adds for one in float",
        ),
        (depthwise, "depthwise convolutions, whose int8 kernels gain less: few products a number"),
        (
            other,
            "sums, products, activations, pooling, where int8 saves memory but no arithmetic",
        ),
    )
    return [
        Finding(f"In XNNPACK, {len(group)} x {what}", share)
        for group, what in groups
        if (share := _sum_share(group)) is not None and share >= _SMALL_SHARE
    ]


def _sum_share(ops: Sequence[OpFacts]) -> float | None:
    shares = [op.share for op in ops if op.share is not None]
    return sum(shares) if shares else None
