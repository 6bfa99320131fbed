"""The page of the shortcut test."""

from __future__ import annotations

import math
from collections.abc import Callable
from html import escape
from pathlib import Path

from lab_models.metrics import Estimate
from lab_models.report import html
from lab_models.report.words import fixed, interval, number, percent
from lab_models.sanity.masks import MODES
from lab_models.sanity.parts import PARTS, SUBSETS
from lab_models.sanity.results import UNMASKED, Example, Results, SetResult, spread
from lab_models.sanity.study import STUDY
from lab_models.sanity.words import spread_text, verdict
from pipelines.labels import display_name

Row = tuple[str, ...]


def sanity_page(results: Results, pictures: dict[str, Path]) -> str:
    """The whole page as one HTML file that opens offline.

    Args:
        results: What was found.
        pictures: Confusion matrices, by ``<part> <set>``.
    """
    first, *rest = verdict(results)
    lead = html.paragraph(first, "lead statement")
    parts: tuple[tuple[str, str, Callable[[], str]], ...] = (
        (
            "subsets",
            "Subsets" if results.on("part_1", "C") else "Figures",
            lambda: _subsets(results, pictures),
        ),
        ("probes", "Probes", lambda: _probes(results)),
        ("masks", "Masks", lambda: _masks(results)),
        ("left-out", "Leave one source out", lambda: _left_out(results)),
        ("data", "Data and runs", lambda: _data(results)),
    )
    inner = lead + _tiles(results) + "".join(map(html.paragraph, rest))
    sections = [("verdict", "Verdict", inner)]
    sections += [(anchor, heading, make()) for anchor, heading, make in parts]
    subtitle = f"recipe {results.recipe}, {_counted(len(results.runs), 'training')}, {results.data}"
    return html.page("Shortcut test: the cell or the database?", subtitle, sections)


def _counted(count: int, what: str) -> str:
    return f"{number(count)} {what}{'' if count == 1 else 's'}"


def _tiles(results: Results) -> str:
    """The few figures that say most, before and after C was added."""
    if not results.on("part_1", "C"):
        return ""
    focus = display_name(results.focus)
    made: tuple[tuple[str, Callable[[SetResult], float]], ...] = (
        ("right on C", lambda t: t.metrics.accuracy.value),
        (f"of C called {focus}", lambda t: t.called(results.focus) / t.metrics.count),
    )
    tiles = []
    for title, figure in made:
        first, second = (spread(map(figure, results.on(part, "C"))).mean for part in PARTS)
        tiles.append(
            f'<div class="tile"><b>{percent(first, 0)} → {percent(second, 0)}</b>'
            f"<span>{escape(title)}, trained on A+B → A+B+C</span></div>"
        )
    return f'<div class="tiles">{"".join(tiles)}</div>'


def set_table(results: Results) -> tuple[list[str], list[Row]]:
    """Every set, trained on A+B and on A+B+C, mean and spread over seeds; head and rows."""
    parts = list(results.trained_on)
    head = ["tested on", "images", *(f"trained on {results.trained_on[part]}" for part in parts)]
    rows: list[Row] = []
    focus = display_name(results.focus)
    for name in results.sets:
        by_part = [results.on(part, name) for part in parts]
        images = next(tested[0].metrics.count for tested in by_part if tested)
        made = (
            ("accuracy", lambda t: t.metrics.accuracy.value),
            ("macro F1", _macro_f1),
            (f"recall of {focus}", lambda t: t.figure(results.focus, "recall")),
            (f"precision of {focus}", lambda t: t.figure(results.focus, "precision")),
        )
        for title, figure in made:
            cells = [spread_text(map(figure, tested)) for tested in by_part]
            if spread(map(figure, [t for tested in by_part for t in tested])).count:
                rows.append((f"{name}: {title}", number(images), *cells))
        if results.focus:
            called = [spread_text((t.called(results.focus) for t in tested), 1)
                      for tested in by_part]  # fmt: skip
            rows.append((f"{name}: other cells called {focus}", number(images), *called))
    return head, rows


def _macro_f1(tested: SetResult) -> float:
    """NaN for a set of a single class, where it says nothing."""
    several = len(tested.metrics.present) > 1
    return tested.metrics.macro_f1.value if several else math.nan


def study_table(results: Results) -> tuple[list[str], list[Row]]:
    """Accuracy on C and D before and after C was added, ours under the study's; head and rows."""
    head = ["accuracy", "on C: A+B", "A+B+C", "on D: A+B", "A+B+C"]
    rows: list[Row] = [
        (f"study {row.model}", *(fixed(v, 4) for v in (
            row.others_before, row.others_after, row.lookalikes_before, row.lookalikes_after,
        )))
        for row in STUDY
    ]  # fmt: skip
    cells = [
        spread_text((t.metrics.accuracy.value for t in results.on(part, name)), 4)
        for name in ("C", "D")
        for part in PARTS
    ]
    rows.append((f"here: {results.recipe}", *cells))
    for seed in sorted({t.seed for t in results.tested}):
        single = []
        for name in ("C", "D"):
            for part in PARTS:
                found = [t for t in results.on(part, name) if t.seed == seed]
                single.append(fixed(found[0].metrics.accuracy.value, 4) if found else fixed(None))
        rows.append((f"seed {seed}", *single))
    return head, rows


def _subsets(results: Results, pictures: dict[str, Path]) -> str:
    if not results.tested:
        return ""
    inner = html.table(*set_table(results))
    inner += html.paragraph("Mean and standard deviation over the seeds.", "note")
    if results.on("part_1", "C"):
        legend = "; ".join(f"{letter}: {what}" for letter, what in SUBSETS.items())
        inner += html.paragraph(f"{legend}.", "note")
        inner += "<h3>Beside the study</h3>" + html.table(*study_table(results))
        inner += html.paragraph(
            "The study's networks are Xceptions at 256 pixels, tested on its own images; the "
            "figures show the same effect, not the same task. There, too, recall and precision "
            "of hairy cells on A+B were 1.0 before C was added.", "note",
        )  # fmt: skip
    shown = "".join(
        html.picture(path, f"confusion matrix, {title}", f"Trained on {title}; all seeds added up.")
        for title, path in pictures.items()
    )
    return inner + (f'<h3>Confusion</h3><div class="beside">{shown}</div>' if shown else "")


def _estimate(value: Estimate | None, digits: int = 3) -> str:
    if value is None:
        return fixed(None)
    return f"{fixed(value.value, digits)} ({fixed(value.low, 2)} to {fixed(value.high, 2)})"


def probe_table(results: Results) -> tuple[list[str], list[Row]]:
    """Every probe; head and rows."""
    head = ["probe", "images", "slides held out", "right (interval)", "interval over slides",
            "majority", "labels alone"]  # fmt: skip
    rows: list[Row] = [
        (
            f"{p.probe.column}, {results.trained_on.get(p.part, p.part)}, seed {p.seed}",
            number(p.probe.images),
            number(p.probe.groups) if p.probe.groups else "none",
            _estimate(p.probe.accuracy),
            "–" if p.probe.over_slides is None else interval(p.probe.over_slides),
            fixed(p.probe.majority),
            fixed(p.probe.labels_alone),
        )
        for p in results.probed
    ]
    return head, rows


def _probes(results: Results) -> str:
    if not results.probed:
        return ""
    told: list[Row] = []
    for part, title in results.trained_on.items():
        rates: dict[str, list[float]] = {}
        for probed in results.probed:
            if probed.part == part and probed.probe.column != "slide":
                for one in probed.probe.told:
                    rates.setdefault(one.name, []).append(one.rate.value)
        told += [(f"{name}, trained on {title}", spread_text(v)) for name, v in rates.items()]
    notes = sorted({p.probe.note for p in results.probed if p.probe.note})
    compared = "".join(
        f" ({len(p.probe.classes)} of them for the source)"
        for p in results.probed[:1]
        if p.probe.column != "slide"
    )
    return (
        html.paragraph(
            "A logistic regression tries to name the source and the slide from the network's "
            "pooled features of images that the network was not trained on. The class must not "
            "help it: only classes that several sources share are compared"
            f"{compared}, each weighted to be equally frequent "
            'in all of its sources. "Labels alone" is what the best guess from the class '
            "would reach, for slides what the same probe makes of class and source; a probe has "
            "read something only as far as it is above that. For the source whole slides are held "
            "out; slides cannot be."
        )
        + html.table(*probe_table(results))
        + "".join(html.paragraph(note, "note") for note in notes)
        + "<h3>Each source against all others</h3>"
        + html.table(["source", "balanced accuracy (0.5 is chance)"], told)
    )


def mask_table(results: Results) -> tuple[list[str], list[Row]]:
    """Networks on whole and blotted images, mean and spread over seeds; head and rows."""
    focus = display_name(results.focus)
    head = ["images", "accuracy", "most frequent class"]
    if results.focus:
        head += [f"{focus}: found", f"others called {focus}", "ROC AUC of its score"]
    rows: list[Row] = []
    for part, title in results.trained_on.items():
        for on in dict.fromkeys(m.on for m in results.masked if m.part == part):
            for mode in (UNMASKED, *MODES):
                shown = [m for m in results.masked if (m.part, m.on, m.mode) == (part, on, mode)]
                cells = [
                    f"{on}, {mode}, trained on {title} ({number(shown[0].images)})",
                    spread_text(m.accuracy.value for m in shown),
                    fixed(shown[0].majority),
                ]
                if results.focus:
                    cells.append(spread_text(m.found.value for m in shown))
                    cells.append(spread_text(m.called.value for m in shown))
                    cells.append(spread_text(m.ranked for m in shown))
                rows.append(tuple(cells))
    return head, rows


def _masks(results: Results) -> str:
    if not results.masked:
        return ""
    return (
        html.paragraph(
            "A network that still names cells when a disc of the ground's colour covers them "
            "reads the background. A network that no longer names them before an even ground, "
            "equal for all sources, needed the background; part of that loss is the strange look "
            f"of the images. A cell was found in {percent(results.mask_found)} of the images; "
            "where none was, a disc in the middle stands in for it. Look at the examples before "
            "you believe the figures: the disc should hide the cell, the cut-out should keep it."
        )
        + html.table(*mask_table(results))
        + "<h3>Examples</h3>"
        + f'<div class="gallery">{"".join(map(_example, results.examples))}</div>'
        + html.paragraph("As it is; cell masked out; background masked out.", "note")
    )


def _example(example: Example) -> str:
    label = f"{display_name(example.label)} ({example.on})"
    if not example.found:
        label += ", no cell found"
    names = ("as it is", *MODES)
    images = "".join(
        f'<img src="{uri}" alt="{escape(f"{label}, {name}")}">'
        for uri, name in zip(example.pictures, names)
    )
    return f"<figure>{images}<figcaption>{escape(label)}</figcaption></figure>"


def left_out_table(results: Results) -> tuple[list[str], list[Row]]:
    """Every source as the one that was not trained on; head and rows."""
    head = ["left out", "seed", "images", "classes", "accuracy", "interval", "macro F1", "interval",
            "accuracy at home", "not shared"]  # fmt: skip
    rows: list[Row] = [
        (
            left.source, str(left.seed), number(left.metrics.count),
            str(len(left.metrics.present)),
            percent(left.metrics.accuracy.value), interval(left.metrics.accuracy),
            percent(left.metrics.macro_f1.value), interval(left.metrics.macro_f1),
            percent(left.home.value) if left.home else fixed(None), number(left.unshared),
        )
        for left in results.left_out
    ]  # fmt: skip
    return head, rows


def _left_out(results: Results) -> str:
    if not results.left_out:
        return ""
    return html.paragraph(
        f"Each {results.column} in turn is left out of the training and tested on whole, in "
        'the classes that the others have too. "At home" is the accuracy on validation '
        'images of the sources that were trained on; "not shared" counts the images whose '
        "class the others lack."
    ) + html.table(*left_out_table(results))


def _data(results: Results) -> str:
    rows = [("data", results.data), ("recipe", results.recipe), ("sources", results.column)]
    rows += [(f"left out: {test}", why) for test, why in results.skipped.items()]
    for part, found in results.single_source.items():
        told = ", ".join(f"{display_name(name)} ({source})" for name, source in found.items())
        title = results.trained_on.get(part, part)
        rows.append((f"classes from a single source, {title}", told or "none"))
    rows += [(f"run {name}", path) for name, path in results.runs.items()]
    notes = "".join(html.paragraph(note, "note") for note in dict.fromkeys(results.notes))
    return html.table(("", ""), rows, "words") + notes
