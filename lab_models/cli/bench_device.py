"""``lab-models bench-device``: networks in the runtimes an instrument could use, side by side."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "bench-device", help="measure int8 and float networks against other runtimes"
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "--model",
        nargs="+",
        metavar="NAME[:HEIGHTxWIDTH]",
        help="backbones, with random weights (default: those of the studies; none with --bundle)",
    )
    parser.add_argument(
        "--bundle", nargs="+", type=Path, default=[], metavar="FILE", help=".tflite files too"
    )
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2], metavar="N")
    parser.add_argument(
        "--runs", type=int, default=50, metavar="N", help="measured inferences (default 50)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("bench/device.csv"), metavar="FILE", help="the CSV"
    )
    parser.add_argument(
        "--no-peers", action="store_true", help="leave onnxruntime and OpenVINO out"
    )
    parser.add_argument(
        "--no-fresh", action="store_true", help="leave load time, memory and processor time out"
    )


def run(arguments: argparse.Namespace) -> int:
    """Measures network by network, prints the table and writes the CSV after each."""
    from tflite.bench_device import (
        DeviceBenchSettings,
        DeviceRow,
        bench_variants,
        device_table,
        file_variant,
        write_device_rows,
    )

    settings = DeviceBenchSettings(
        threads=tuple(arguments.threads),
        runs=arguments.runs,
        fresh=not arguments.no_fresh,
        peers=not arguments.no_peers,
    )
    files = [(path, *file_variant(path)) for path in arguments.bundle]
    rows: list[DeviceRow] = []
    for path, variant, shape in files:
        print(f"measuring {path}", flush=True)
        rows += bench_variants(path.stem, shape, [variant], settings)
        write_device_rows(arguments.out, rows)
    for name in _networks(arguments):
        rows += _bench_network(name, settings)
        write_device_rows(arguments.out, rows)
    print(f"\n{device_table(rows)}\nwritten: {arguments.out}")
    return 0


def _networks(arguments: argparse.Namespace) -> tuple[str, ...]:
    from lab_models.bench_networks import DEVICE_NETWORKS

    if arguments.model:
        return tuple(arguments.model)
    return () if arguments.bundle else DEVICE_NETWORKS


def _bench_network(name: str, settings: Any) -> Any:
    from lab_models.bench_networks import named_network
    from lab_models.quiet import import_tensorflow_quietly
    from tflite.bench_device import bench_variants, make_variants

    import_tensorflow_quietly()
    print(f"converting {name}", flush=True)
    model = named_network(name)
    variants = make_variants(model, settings)
    print(f"measuring {name}", flush=True)
    shape = tuple(model.inputs[0].shape[1:])
    return bench_variants(name.partition(":")[0], shape, variants, settings)
