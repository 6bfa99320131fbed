"""The closest training cells of images, as a part of a page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lab_models.intervals import wilson_interval
from lab_models.metrics import Estimate, plain
from lab_models.predictions import Predictions
from lab_models.report import html
from lab_models.report.galleries import Galleries, GallerySettings, thumbnail
from lab_models.report.words import interval, number, percent
from pipelines.labels import display_name

if TYPE_CHECKING:
    from lab_models.neighbours import FileNeighbours, ReferenceCells


@dataclass(frozen=True)
class NeighbourReportSettings:
    """What a report shows of neighbours.

    Args:
        most_images: Misses whose closest training cells are shown; the surest come first.
        count: Training cells shown for each.
        votes: The k of the k-nearest-neighbour accuracy.
        confidence: Coverage of its interval.
    """

    most_images: int = 12
    count: int = 5
    votes: int = 5
    confidence: float = 0.95


@dataclass(frozen=True)
class Thumbnail:
    """A small picture and what stands below it.

    Args:
        path: File, as in the manifest.
        caption: Lines of text.
        picture: Data URI; ``""`` where the image cannot be read.
    """

    path: str
    caption: tuple[str, ...]
    picture: str


@dataclass(frozen=True)
class ImageNeighbours:
    """One image and its closest cells, the closest first."""

    image: Thumbnail
    cells: tuple[Thumbnail, ...]


@dataclass(frozen=True)
class NeighbourFindings:
    """What a report says about neighbours.

    Args:
        missed: Images of the gallery's class that were named otherwise, with their neighbours.
        missed_count: How many there are in all.
        votes: Of `accuracy`.
        accuracy: Share of images whose label is that of most of the `votes` closest training
            cells; None where the labels of both are not the same classes.
        images: Number of images voted on.
        cells: Number of training cells.
    """

    missed: tuple[ImageNeighbours, ...]
    missed_count: int
    votes: int
    accuracy: Estimate | None
    images: int
    cells: int


def find_for_report(
    predictions: Predictions,
    features: np.ndarray,
    cells: ReferenceCells,
    galleries: Galleries,
    settings: NeighbourReportSettings,
    gallery: GallerySettings,
) -> NeighbourFindings:
    """Finds what the report shows.

    Args:
        predictions: Of the main split.
        features: float32 ``(images, d)`` in the order of `predictions`.
        cells: The training cells.
        galleries: Gives the misses.
        settings: How many.
        gallery: Size and quality of thumbnails.

    Raises:
        LabError: If the features are not of the encoder that the cells' are of.
    """
    from lab_models.neighbours import nearest, vote

    found = nearest(features, cells.features, max(settings.count, settings.votes))
    accuracy = None
    labels = cells.table["label"].to_numpy(str)
    if set(labels) <= set(predictions.classes):
        voted = vote(labels[found.places[:, : settings.votes]])
        right = int((voted == predictions.table["label"].to_numpy(str)).sum())
        low, high = wilson_interval(right, len(predictions), settings.confidence)
        accuracy = Estimate(right / len(predictions), float(low), float(high))
    places = pd.Index(predictions.table["path"])
    missed = []
    for mistake in galleries.missed[: settings.most_images]:
        table = found.table(cells, int(np.flatnonzero(places == mistake.path)[0]))
        words = (f"{display_name(mistake.truth)}, named {display_name(mistake.answer)}",)
        image = Thumbnail(mistake.path, words, mistake.picture)
        missed.append(ImageNeighbours(image, _cells(table.head(settings.count), cells, gallery)))
    return NeighbourFindings(
        tuple(missed),
        galleries.missed_count,
        settings.votes,
        accuracy,
        len(predictions),
        len(cells),
    )


def _cells(
    table: pd.DataFrame, cells: ReferenceCells, settings: GallerySettings
) -> tuple[Thumbnail, ...]:
    return tuple(
        _thumbnail(row["path"], _words(row), cells.root, settings)
        for row in table.to_dict("records")
    )


def _words(row: dict[Any, Any]) -> tuple[str, ...]:
    words = [display_name(row["label"]), f"distance {row['distance']:.4f}"]
    return (*words, f"slide {row['slide']}") if row["slide"] else tuple(words)


def _thumbnail(
    path: str, caption: tuple[str, ...], root: Path | None, settings: GallerySettings
) -> Thumbnail:
    picture = "" if root is None else thumbnail(root / path, settings)
    return Thumbnail(path, caption, picture)


def rows(images: Iterable[ImageNeighbours]) -> str:
    """A row of thumbnails for every image: itself, framed, and its closest cells."""
    return "".join(
        f'<div class="gallery neighbours">{"".join(map(_figure, (one.image, *one.cells)))}</div>'
        for one in images
    )


def _figure(shown: Thumbnail) -> str:
    image = (
        f'<img src="{shown.picture}" alt="{escape(", ".join(shown.caption))}">'
        if shown.picture
        else '<div class="blank">no image</div>'
    )
    file = shown.path.rsplit("/", 1)[-1]
    words = "<br>".join(map(escape, (*shown.caption, file)))
    return f'<figure title="{escape(shown.path)}">{image}<figcaption>{words}</figcaption></figure>'


def findings_json(found: NeighbourFindings | None) -> dict[str, Any] | None:
    """The k-nearest-neighbour accuracy for ``metrics.json``; None where there is none."""
    if found is None or found.accuracy is None:
        return None
    return {
        "votes": found.votes,
        "accuracy": plain(found.accuracy),
        "images": found.images,
        "training_cells": found.cells,
    }


def findings_html(found: NeighbourFindings | None, label: str, network: float) -> str:
    """The section of a report.

    Args:
        found: None where the run has no features of its training images.
        label: The class whose misses are shown.
        network: Accuracy of the network itself on the same images, 0..1.
    """
    if found is None:
        return html.paragraph(
            "The run has no features of its training images that fit its encoder. "
            "lab-models neighbours RUN IMAGE computes them; then make the report anew with "
            "lab-models evaluate RUN.",
            "note",
        )
    parts = []
    if found.accuracy is not None:
        parts.append(html.paragraph(_accuracy_words(found, found.accuracy, network)))
    name = display_name(label)
    parts.append(f"<h3>{escape(f'Training cells closest to every missed {name}')}</h3>")
    if not found.missed:
        return "".join(parts) + html.paragraph(f"No {name} was missed.")
    shown = len(found.missed)
    of_all = f"the {shown} surest of {found.missed_count}" if shown < found.missed_count else "all"
    parts.append(
        html.paragraph(
            f"Misses shown: {of_all}. Framed: the missed image; beside it the closest training "
            "cells, the closest first. Cosine distance of the pooled features: 0 is the same "
            "direction. Neighbours of another label ask whether the label of this image, or "
            "theirs, is right.",
            "note",
        )
    )
    return "".join(parts) + rows(found.missed)


def _accuracy_words(found: NeighbourFindings, accuracy: Estimate, network: float) -> str:
    return (
        f"Named after the majority of their {found.votes} closest among "
        f"{number(found.cells)} training cells, {percent(accuracy.value)} of the "
        f"{number(found.images)} images get the right name (interval {interval(accuracy)}); "
        f"the network itself names {percent(network)} rightly. The first says how far the "
        "features alone tell the classes apart."
    )


def neighbours_page(
    found: FileNeighbours, title: str, subtitle: str, gallery: GallerySettings | None = None
) -> str:
    """The closest cells of image files as one HTML page that opens offline.

    Args:
        found: From `lab_models.neighbours.find_neighbours`.
        title: Heading.
        subtitle: A line below it.
        gallery: Size and quality of thumbnails.
    """
    gallery = gallery or GallerySettings()
    parts = []
    for file, table in found.tables():
        image = Thumbnail(str(file), ("this image",), thumbnail(file, gallery))
        near = ImageNeighbours(image, _cells(table, found.cells, gallery))
        shown = [
            (f"{row['distance']:.4f}", display_name(row["label"]), row["slide"], row["source"],
             row["path"])
            for row in table.to_dict("records")
        ]  # fmt: skip
        head = ("distance", "label", "slide", "source", "path")
        parts.append(
            f"<h3>{escape(str(file))}</h3>"
            + html.paragraph(majority_words(table))
            + rows([near])
            + html.details("as a table", html.table(head, shown, "words"))
        )
    unread = [(str(row.path), str(row.reason)) for row in found.unreadable.itertuples()]
    note = (
        "Framed: the image; beside it the closest cells, the closest first. Cosine distance of "
        "the pooled features: 0 is the same direction."
    )
    return html.page(
        title,
        subtitle,
        [
            ("neighbours", "Closest cells", html.paragraph(note, "note") + "".join(parts)),
            ("unreadable", "Not read",
             html.table(("file", "reason"), unread, "words") if unread else ""),
        ],
    )  # fmt: skip


def majority_words(table: pd.DataFrame) -> str:
    """What most of an image's neighbours are: ``6 of 8 are hairy cell``."""
    counts = table["label"].value_counts(sort=False)
    label = str(counts.idxmax())
    return f"{counts.max()} of the {len(table)} closest cells: {display_name(label)}."
