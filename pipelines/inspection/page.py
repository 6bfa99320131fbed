"""The page of an inspection: one HTML file with all its pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np

from pipelines.inspection.finding import Finding, count_images
from pipelines.inspection.inspector import Inspection
from pipelines.inspection.kinds import kind_module
from pipelines.inspection.overview import class_table, size_sentence
from pipelines.inspection.pictures import contact_sheet, data_url, thumbnail
from pipelines.labels import display_name, visible
from pipelines.manifest import Manifest


@dataclass(frozen=True)
class PageSettings:
    """How much the page shows; the tables hold everything.

    Args:
        findings: Findings of each kind with pictures.
        images: Images of each of them.
        sheet: Images of each class, drawn at random.
        columns: Images in a row of a class' sheet.
        classes: Classes with a sheet.
        rows: Classes in the table.
    """

    findings: int = 40
    images: int = 4
    sheet: int = 36
    columns: int = 12
    classes: int = 100
    rows: int = 500


def inspection_page(inspection: Inspection, settings: PageSettings | None = None) -> str:
    """The whole page as HTML, without scripts and without anything from the network."""
    settings = settings or PageSettings()
    manifest = inspection.manifest
    sections = [("overview", "Overview", _overview(inspection, settings))]
    for kind, findings in inspection.findings.items():
        if findings:
            module = kind_module(kind)
            heading = f"{module.TITLE} ({len(findings):,})"
            sections.append((kind, heading, _findings(inspection, kind, settings)))
    sections.append(("classes", "The classes", _sheets(inspection, settings)))
    template = files("pipelines.inspection") / "page.html"
    return Template(template.read_text(encoding="utf-8")).substitute(
        title="Inspection of a data set",
        subtitle=escape(f"{len(manifest):,} images of {len(manifest.classes)} classes"),
        links="".join(f'<a href="#{name}">{escape(heading)}</a>' for name, heading, _ in sections),
        body="".join(
            f'<section id="{name}"><h2>{escape(heading)}</h2>{inner}</section>'
            for name, heading, inner in sections
        ),
    )


def _overview(inspection: Inspection, settings: PageSettings) -> str:
    manifest = inspection.manifest
    counts = [
        (
            kind_module(kind).TITLE,
            f"{len(found):,}",
            f"{count_images(found):,}",
        )
        for kind, found in inspection.findings.items()
    ]
    return "".join(
        [
            *(_paragraph(note) for note in (*manifest.notes, *inspection.notes)),
            _paragraph(size_sentence(inspection.measurements)),
            "<h3>Findings</h3>",
            _table(("looked for", "findings", "images"), counts),
            "<h3>Classes</h3>",
            *_class_table(manifest, settings),
        ]
    )


def _class_table(manifest: Manifest, settings: PageSettings) -> list[str]:
    head, rows = class_table(manifest)
    rest = len(rows) - settings.rows
    more = [_paragraph(f"{rest:,} more classes are in manifest.csv.", "grey")] if rest > 0 else []
    return [_table(head, rows[: settings.rows]), *more]


def _findings(inspection: Inspection, kind: str, settings: PageSettings) -> str:
    findings = inspection.findings[kind]
    shown = findings[: settings.findings]
    labels = dict(zip(inspection.manifest.table["path"], inspection.manifest.table["label"]))
    blocks = [_finding(inspection, number, f, labels, settings) for number, f in enumerate(shown)]
    rest = len(findings) - len(shown)
    more = _paragraph(f"{rest:,} more in findings.csv.", "grey") if rest else ""
    about = _paragraph(kind_module(kind).ABOUT, "grey")
    return f'{about}<div class="findings">{"".join(blocks)}</div>{more}'


def _finding(
    inspection: Inspection,
    number: int,
    finding: Finding,
    labels: dict[str, str],
    settings: PageSettings,
) -> str:
    figures = []
    for path in finding.paths[: settings.images]:
        image = thumbnail(inspection.manifest.root / path)
        drawn = f'<img src="{data_url(image)}" alt="{escape(path)}">' if image else ""
        figures.append(
            f"<figure>{drawn}<figcaption>{escape(path)}<br>{escape(visible(labels[path]))}</figcaption>"
            "</figure>"
        )
    rest = len(finding.paths) - len(figures)
    more = f" ({rest:,} more)" if rest else ""
    words = f"{number + 1}. {finding.words}{more}"
    return (
        f'<div class="finding"><div class="row">{"".join(figures)}</div>{_paragraph(words)}</div>'
    )


def _sheets(inspection: Inspection, settings: PageSettings) -> str:
    manifest = inspection.manifest
    rng = np.random.default_rng(inspection.settings.seed)
    labels = manifest.table["label"].to_numpy()
    parts = []
    for name in manifest.classes[: settings.classes]:
        rows = np.flatnonzero((labels == name) & inspection.measurements["readable"])
        if not len(rows):
            continue
        drawn = np.sort(rng.choice(rows, min(settings.sheet, len(rows)), replace=False))
        paths: list[Path] = [manifest.path(int(row)) for row in drawn]
        url = data_url(contact_sheet(paths, settings.columns))
        title = f"{display_name(name)}: {len(drawn)} of {len(rows):,} readable images"
        parts.append(
            f'<h3>{escape(title)}</h3><img class="sheet" src="{url}" alt="{escape(title)}">'
        )
    rest = len(manifest.classes) - settings.classes
    if rest > 0:
        parts.append(_paragraph(f"{rest:,} more classes are not shown.", "grey"))
    return "".join(parts)


def _paragraph(text: str, kind: str = "") -> str:
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    title = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = []
    for first, *rest in rows:
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        body.append(f'<tr><th scope="row">{escape(first)}</th>{cells}</tr>')
    return (
        f'<div class="wide"><table><thead><tr>{title}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )
