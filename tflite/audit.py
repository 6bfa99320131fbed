"""What a ``.tflite`` file is made of, what the fast kernels take of it, and what it costs.

XNNPACK, the interpreter's library of fast kernels, takes the ops it can and runs each connected
group as one partition. Ops it refuses run on plain kernels, one thread, and cut the graph.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from tflite.audit_findings import Finding, OpFacts, explain
from tflite.benchmark import cpu_name
from tflite.flatbuffer import Graph
from tflite.op_costs import Costs, CostSettings, measure_costs, multiply_adds
from tflite.runtime.bundle import read_bundle
from tflite.runtime.errors import LabError
from tflite.runtime.interpreter import interpreter_version, load_interpreter
from tflite.tables import markdown_table

_DELEGATE = "DELEGATE"


@dataclass(frozen=True)
class AuditSettings:
    """What an audit does.

    Args:
        costs: How ops are timed; None leaves times out.
        rewrites: Whether it is tried what the rewrites of `tflite.rewrites` would change.
    """

    costs: CostSettings | None = field(default_factory=CostSettings)
    rewrites: bool = True


@dataclass(frozen=True)
class Rewritten:
    """What rewriting the file would bring.

    Args:
        changes: What each rewrite would do, in words.
        partitions: Of the rewritten file.
        outside: Ops of the rewritten file that XNNPACK refuses.
        whole_ms: Time of one inference; None if not measured.
    """

    changes: tuple[str, ...]
    partitions: int
    outside: int
    whole_ms: float | None


@dataclass(frozen=True)
class Audit:
    """What was found.

    Args:
        source: The file.
        file_bytes: Size of the plain model.
        runtime: Interpreter and version.
        cpu: Name of the processor.
        threads: Of the kernels, for the times.
        ops: In order of execution.
        partitions: Groups of ops that XNNPACK runs.
        whole_ms: Time of one inference; None if not measured.
        rewritten: What rewriting would bring; None if it changes nothing or was not tried.
        findings: Why the file is fast or not, in words, the costliest first.
    """

    source: str
    file_bytes: int
    runtime: str
    cpu: str
    threads: int
    ops: tuple[OpFacts, ...]
    partitions: int
    whole_ms: float | None
    rewritten: Rewritten | None
    findings: tuple[Finding, ...]

    @property
    def refused(self) -> tuple[OpFacts, ...]:
        """The ops that XNNPACK does not take."""
        return tuple(op for op in self.ops if op.partition is None)

    @property
    def sum_ms(self) -> float | None:
        """The costs of all ops that could be timed."""
        timed = [op.cost_ms for op in self.ops if op.cost_ms is not None]
        return sum(timed) if timed else None

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {**asdict(self), "sum_ms": self.sum_ms}

    def text(self) -> str:
        """The audit as Markdown that reads well in a terminal."""
        findings = "".join(f"- {finding.sentence()}\n" for finding in self.findings)
        return f"{self._heading()}\n\n{self._op_table()}\n{self._kind_table()}\n{findings}"

    def _heading(self) -> str:
        refused = self.refused
        lines = [
            f"{self.source}: {self.file_bytes / 1000:,.0f} kB, {len(self.ops)} ops; "
            f"{self.runtime} on {self.cpu}.",
            f"XNNPACK takes {len(self.ops) - len(refused)} ops in "
            f"{_count(self.partitions, 'partition')} and refuses {len(refused)}.",
        ]
        if self.whole_ms is not None:
            lines.append(
                f"One inference {self.whole_ms:.3f} ms{self._clock()} with "
                f"{_count(self.threads, 'thread')}; the ops one by one {self.sum_ms or 0:.3f} ms."
            )
        return "\n".join(lines)

    def _clock(self) -> str:
        return " of processor time" if self.threads == 1 else ""

    def _op_table(self) -> str:
        table = [["op", "types", "inputs", "outputs", "XNNPACK", "ms", "share"]]
        for op in self.ops:
            taken = "refused" if op.partition is None else f"partition {op.partition + 1}"
            table.append(
                [
                    f"{op.index} {op.name}",
                    f"{_list(op.input_types)} -> {_list(op.output_types)}",
                    " ".join(map(_shape, op.input_shapes)),
                    " ".join(map(_shape, op.output_shapes)),
                    taken,
                    _number(op.cost_ms, "{:.4f}"),
                    _number(op.share, "{:.1%}"),
                ]
            )
        return markdown_table(table)

    def _kind_table(self) -> str:
        table = [["kind of op", "number", "refused", "ms", "share", "10^9 multiply-adds/s"]]
        for name, number in Counter(op.name for op in self.ops).most_common():
            group = [op for op in self.ops if op.name == name]
            timed = any(op.cost_ms is not None for op in group)
            cost = sum(op.cost_ms or 0 for op in group)
            work = sum(op.multiply_adds or 0 for op in group)
            table.append(
                [
                    name,
                    str(number),
                    str(sum(op.partition is None for op in group)),
                    _number(cost if timed else None, "{:.3f}"),
                    _number(sum(op.share or 0 for op in group) if timed else None, "{:.1%}"),
                    _number(work / cost / 1e6 if work and cost else None, "{:.0f}"),
                ]
            )
        return markdown_table(table)


def audit_file(path: Path, settings: AuditSettings | None = None) -> Audit:
    """Audits a bundle or a plain ``.tflite`` file.

    Args:
        path: The file.
        settings: None takes the defaults.

    Raises:
        LabError: If there is no such file, it is no model, or it was damaged.
    """
    return audit_model(read_plain_model(path), str(path), settings)


def read_plain_model(path: Path) -> bytes:
    """The plain model of a ``.tflite`` file, with or without a bundle's sidecar.

    Args:
        path: The file; if it is a bundle, its parts must belong together.

    Raises:
        LabError: If it cannot be read or is no model.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise LabError(f"No such file: {path}.") from None
    except OSError as error:
        raise LabError(f"{path} cannot be read: {error.strerror}.") from None
    if zipfile.is_zipfile(BytesIO(content)):
        return read_bundle(path).model
    try:
        Graph.read(content)
    except LabError as error:
        raise LabError(f"{path} is no .tflite model: {error}") from None
    return content


def audit_model(
    content: bytes, source: str = "model", settings: AuditSettings | None = None
) -> Audit:
    """Audits a model.

    Args:
        content: A plain ``.tflite`` file.
        source: Its name, for the report.
        settings: None takes the defaults.

    Raises:
        LabError: If the file is no model, or cannot be run.
    """
    settings = settings or AuditSettings()
    graph = Graph.read(content)
    partitions = find_partitions(content)
    costs = measure_costs(content, settings.costs) if settings.costs else None
    ops = _facts(graph, partitions, costs)
    rewritten = _rewrite(content, settings) if settings.rewrites else None
    return Audit(
        source=source,
        file_bytes=len(content),
        runtime=interpreter_version(),
        cpu=cpu_name(),
        threads=settings.costs.threads if settings.costs else 1,
        ops=ops,
        partitions=len(partitions),
        whole_ms=costs.whole if costs else None,
        rewritten=rewritten,
        findings=explain(ops, len(partitions), _in_words(rewritten, costs) if rewritten else None),
    )


def find_partitions(content: bytes) -> tuple[frozenset[int], ...]:
    """The ops that each partition of XNNPACK took, as numbers in order of execution.

    The interpreter says what goes into a partition and what comes out; what lies between is found
    by walking back from the outputs.

    Args:
        content: A plain ``.tflite`` file.
    """
    plain = load_interpreter(content, delegates=False)._get_ops_details()
    nodes = load_interpreter(content)._get_ops_details()
    maker = {int(t): op["index"] for op in plain for t in op["outputs"]}
    inputs = {op["index"]: [int(t) for t in op["inputs"]] for op in plain}
    return tuple(
        _walk_back(
            [int(t) for t in node["outputs"]], {int(t) for t in node["inputs"]}, maker, inputs
        )
        for node in nodes
        if node["op_name"] == _DELEGATE
    )


def _walk_back(
    outputs: Sequence[int], border: set[int], maker: dict[int, int], inputs: dict[int, list[int]]
) -> frozenset[int]:
    found: set[int] = set()
    waiting = list(outputs)
    while waiting:
        op = maker.get(waiting.pop())
        if op is not None and op not in found:
            found.add(op)
            waiting += [t for t in inputs[op] if t not in border]
    return frozenset(found)


def _facts(
    graph: Graph, partitions: Sequence[frozenset[int]], costs: Costs | None
) -> tuple[OpFacts, ...]:
    where = {op: number for number, ops in enumerate(partitions) for op in ops}
    total = costs.sum if costs else 0
    facts = []
    for index, operator in enumerate(graph.operators):
        ins = [t for t in graph.input_tensors(operator) if t >= 0]
        outs = graph.output_tensors(operator)
        cost = costs.ops[index] if costs else None
        facts.append(
            OpFacts(
                index=index,
                name=graph.op_name(operator),
                output=graph.name(outs[0]) if outs else "",
                input_types=tuple(graph.type_name(t).lower() for t in ins),
                output_types=tuple(graph.type_name(t).lower() for t in outs),
                input_shapes=tuple(graph.shape(t) for t in ins),
                output_shapes=tuple(graph.shape(t) for t in outs),
                partition=where.get(index),
                cost_ms=cost,
                share=cost / total if cost is not None and total else None,
                multiply_adds=multiply_adds(graph, operator),
            )
        )
    return tuple(facts)


def _rewrite(content: bytes, settings: AuditSettings) -> Rewritten | None:
    from tflite.rewrites import rewrite_graph

    result = rewrite_graph(content)
    if result.content == content or not result.changes:
        return None
    partitions = find_partitions(result.content)
    costs = measure_costs(result.content, settings.costs) if settings.costs else None
    taken = len(frozenset[int]().union(*partitions))
    return Rewritten(
        tuple(f"{change.rewrite}: {change.description}" for change in result.changes),
        len(partitions),
        len(Graph.read(result.content).operators) - taken,
        costs.whole if costs else None,
    )


def _in_words(rewritten: Rewritten, costs: Costs | None) -> str:
    counts = Counter(rewritten.changes).most_common()
    changes = "; ".join(f"{change} ({n} times)" if n > 1 else change for change, n in counts)
    speed = ""
    if costs and rewritten.whole_ms:
        speed = f", {rewritten.whole_ms:.3f} ms where it is {costs.whole:.3f} ms now"
    return (
        f"Rewritten (lab-models export does it; tflite.rewrites.rewrite_graph), the file would run "
        f"in {_count(rewritten.partitions, 'partition')} with {rewritten.outside} ops "
        f"outside{speed}. Changes: {changes}."
    )


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _list(names: Sequence[str]) -> str:
    return "+".join(dict.fromkeys(names)) or "none"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
