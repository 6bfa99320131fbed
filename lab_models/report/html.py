"""The few pieces of HTML that pages are built of. Every text that goes in is escaped here."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    return f"<p{_class(kind)}>{escape(text)}</p>"


def _class(kind: str) -> str:
    return f' class="{escape(kind)}"' if kind else ""


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "", muted: Sequence[bool] = ()
) -> str:
    """A table whose first column names the rows.

    Args:
        head: Column titles; no head is drawn if all are empty.
        rows: Cells as text.
        kind: CSS class.
        muted: For each row, whether it is printed in grey.
    """
    title = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    top = f"<thead><tr>{title}</tr></thead>" if any(head) else ""
    body = []
    for place, row in enumerate(rows):
        grey = _class("muted" if place < len(muted) and muted[place] else "")
        first, *rest = (escape(str(cell)) for cell in row)
        cells = "".join(f"<td>{cell}</td>" for cell in rest)
        body.append(f'<tr{grey}><th scope="row">{first}</th>{cells}</tr>')
    return (
        f'<div class="wide"><table{_class(kind)}>{top}<tbody>{"".join(body)}</tbody></table></div>'
    )


def picture(path: Path, alt: str, caption: str = "", kind: str = "") -> str:
    """A PNG file as a figure that travels inside the page."""
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    under = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return (
        f'<figure{_class(kind)}><img src="data:image/png;base64,{data}" alt="{escape(alt)}">'
        f"{under}</figure>"
    )


def details(summary: str, inner: str) -> str:
    """A part that opens on a click, and prints as it stands."""
    return f"<details><summary>{escape(summary)}</summary>{inner}</details>"


def page(title: str, subtitle: str, sections: Sequence[tuple[str, str, str]]) -> str:
    """A whole page in one file: no network, no scripts from elsewhere.

    Args:
        title: Heading.
        subtitle: A line below it.
        sections: Anchor, heading and inner HTML of each; those with empty HTML are left out.
    """
    filled = [section for section in sections if section[2]]
    here = files("lab_models.report")
    links = "".join(f'<a href="#{a}">{escape(heading)}</a>' for a, heading, _ in filled)
    body = "".join(
        f'<section id="{a}"><h2>{escape(heading)}</h2>{inner}</section>'
        for a, heading, inner in filled
    )
    return Template((here / "page.html").read_text(encoding="utf-8")).substitute(
        title=escape(title),
        subtitle=escape(subtitle),
        style=(here / "style.css").read_text(encoding="utf-8"),
        links=links,
        body=body,
    )
