"""The look that all pictures of a report share.

Figures are made without pyplot: nothing global is touched, nothing has to be closed, and a
notebook keeps its own backend.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

from tflite.runtime.files import whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P = ParamSpec("P")

DPI = 130

# Okabe and Ito's palette without black and yellow: told apart with every common colour blindness.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A4A1E")
MARKERS = ("o", "^", "s", "D", "v", "P", "X")
GREY = "#6b7280"
INK = "#1f2937"
SEQUENTIAL = "Blues"

_STYLE: Any = {
    "font.size": 10.0,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlesize": 11.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "grid.color": "#e5e7eb",
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "legend.frameon": False,
}


def look(number: int) -> tuple[str, str]:
    """Colour and marker of class `number`; the first 49 differ from each other."""
    return COLOURS[number % len(COLOURS)], MARKERS[number // len(COLOURS) % len(MARKERS)]


def in_report_style(plot: Callable[P, Figure]) -> Callable[P, Figure]:
    """Lets a function draw in the report's style; outside it nothing changes."""

    @functools.wraps(plot)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Figure:
        from matplotlib import rc_context

        with rc_context(_STYLE):
            return plot(*args, **kwargs)

    return styled


def make_figure(width: float, height: float, **subplots: Any) -> tuple[Figure, Any]:
    """A figure and its axes, to be called inside a function marked `in_report_style`.

    Args:
        width: In inches.
        height: In inches.
        **subplots: Passed on to ``Figure.subplots``.

    Returns:
        The figure, and what ``Figure.subplots`` returns.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(**subplots)


def save_figure(figure: Figure, path: Path, dpi: int = DPI) -> Path:
    """Writes a figure as PNG, whole or not at all.

    Args:
        figure: The figure.
        path: Where to, ending in ``.png``.
        dpi: Dots per inch.
    """
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", facecolor="white", dpi=dpi)
    return path
