"""Says in words how a data set was split and what that does and does not promise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from pipelines.errors import list_some
from pipelines.labels import display_name
from pipelines.manifest import SPLITS, Manifest
from pipelines.split_limits import SINGLY, describe_limits, on_several_sides

if TYPE_CHECKING:
    from pipelines.split import SplitSettings

_NOT_DEALT = ("", "given", "held_out")

FOLD, SUBSET, FRACTION = "test_fold", "nested_subset", "training_fraction"
"""Columns by which a manifest tells that it is one of several folds, subsets or fractions."""

FRACTION_BY, FRACTION_KEPT = "training_fraction_by", "training_fraction_kept"
"""What a fraction counted (images, or groups such as slides), and what was reached, in words."""

_TOLD = 20
"""Classes that are named in one sentence; of more only the number is told."""

_NAMES = ("patient", "slide", "source")


def class_counts(manifest: Manifest) -> pd.DataFrame:
    """Images of each class on each side.

    Returns:
        Index: the classes in order. Columns: `SPLITS` and "" (on no side). int64.
    """
    table = manifest.table
    counts = pd.crosstab(table["label"], table["split"])
    return counts.reindex(index=list(manifest.classes), columns=[*SPLITS, ""], fill_value=0).astype(
        "int64"
    )


def list_counts(counts: pd.Series) -> str:
    """``hairy cell 12, blast 1``: names as people read them with their numbers."""
    return list_some(f"{display_name(str(k))} {int(v)}" for k, v in counts.items())


def describe_split(manifest: Manifest, settings: SplitSettings | None = None) -> str:
    """The split in sentences for a report: sizes, grouping, and what it cannot promise.

    Args:
        manifest: As `pipelines.split.split_manifest` gave it, or as read back from its CSV.
        settings: What it was split by, if the seed is to be told.

    Returns:
        Sentences in one line; the manifest's notes are the last of them.
    """
    if (manifest.table["split"] == "").all():
        return "The images are not split yet."
    sentences = [
        _sizes(manifest),
        *_ways(manifest),
        *_parts(manifest.table),
        *_rare(manifest),
        *manifest.notes,
    ]
    if settings is not None:
        sentences.append(f"Seed of the split: {settings.seed}.")
    return " ".join(sentences)


def _sizes(manifest: Manifest) -> str:
    table = manifest.table
    parts = []
    for side in SPLITS:
        chosen = table[table["split"] == side]
        if len(chosen):
            slides = len(set(chosen["slide"]) - {""})
            parts.append(f"{side} {len(chosen):,}" + (f" of {slides} slides" if slides else ""))
    loose = (table["split"] == "").sum()
    rest = f"; {loose:,} images are on no side" if loose else ""
    return f"Images: {', '.join(parts)}{rest}."


def _ways(manifest: Manifest) -> Iterator[str]:
    table = manifest.table
    ways = table["split_by"] if "split_by" in table.columns else pd.Series("given", table.index)
    if (ways == "held_out").any():
        held = table[ways == "held_out"]
        yield (
            f"Held out as a whole for the test: {len(held):,} images of "
            f"{_held_out(table, ways == 'held_out')}."
        )
    if (ways == "given").any():
        sides = [side for side in SPLITS if ((table["split"] == side) & (ways == "given")).any()]
        yield (
            f"The split of the data set itself was kept for {_listed(sides)}; what it promises is "
            "for its authors to say."
        )
    dealt = [str(way) for way in dict.fromkeys(ways) if way not in _NOT_DEALT]
    for used in dealt:
        yield _dealt(used, table[ways == used], table)
    yield from describe_limits(table, dealt)


def _held_out(table: pd.DataFrame, held: pd.Series) -> str:
    """Names of the sources and slides all of whose images are held out."""
    found, left = [], held.copy()
    for name in ("source", "slide"):
        whole = held.groupby(table[name]).all()
        names = sorted(set(table.loc[left, name]) & set(whole.index[whole]) - {""})
        if names:
            found.append(f"{name if len(names) == 1 else plural(name)} {list_some(names)}")
        left &= ~table[name].isin(names)
    return " and of ".join(found) or "which the names are not known"


def _listed(names: list[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _dealt(used: str, dealt: pd.DataFrame, table: pd.DataFrame) -> str:
    between = _listed([side for side in SPLITS if (dealt["split"] == side).any()])
    if used in SINGLY:
        return (
            f"Between {between} the images were dealt singly, stratified by class; only files of "
            "identical content were kept together."
            if used == "image"
            else f"Between {between} the images were dealt singly, stratified by class, but files "
            "of identical content and near duplicates were kept together."
        )
    if used not in dealt.columns:
        return f"Between {between} the images were dealt by {used}, which is not told further."
    number = len(set(dealt[used]) - {""})
    known = used in _NAMES
    torn, _ = on_several_sides(table if known else dealt, used)
    none = f"no {used} is on two sides" if known else "none is on two sides"
    whole = f"but {torn} of them are on several sides by now" if torn else none
    single = int((dealt[used] == "").sum())
    loose = f" {single:,} images without a {used} were dealt singly." if single else ""
    return (
        f"Between {between} whole {plural(used)} were dealt ({number}), stratified by class: "
        f"{whole}.{loose}"
    )


def _parts(table: pd.DataFrame) -> Iterator[str]:
    """Which fold, subset or fraction this is."""
    if FOLD in table.columns:
        on_test = table["split"] == "test"
        tested = sorted(set(table.loc[on_test, FOLD]))
        if len(tested) == 1 and not (table.loc[~on_test, FOLD] == tested[0]).any():
            number, _, folds = str(tested[0]).partition("/")
            part = SUBSET in table.columns and (table[SUBSET] != "").any()
            often = "no image is tested more than" if part else "every image is tested exactly"
            yield (
                f"This is fold {number} of {folds}: over all folds {often} once, by a model that "
                "was not trained on it."
            )
            if folds != "2":
                yield (
                    "The folds share training images, so their results vary less than those of "
                    "new data would."
                )
    for name in sorted(set(table.get(SUBSET, ())) - {""}):
        yield f"These are the images of the nested subset {name}; larger subsets hold it whole."
    yield from _fractions(table)


def _fractions(table: pd.DataFrame) -> Iterator[str]:
    if FRACTION not in table.columns:
        return
    told = table.reindex(columns=[FRACTION, FRACTION_BY, FRACTION_KEPT], fill_value="")
    for share, by, kept in sorted(set(told.itertuples(index=False, name=None))):
        if not share:
            continue
        reached = f": {kept}" if kept else ""
        if by in ("", "image"):
            yield (
                f"Of the training side {share} of the images (1 is all) were kept{reached}, "
                "stratified by class and not by slide or patient: a curve over such fractions "
                "says what more images of the same slides would bring, not what more slides would."
            )
        else:
            yield (
                f"Of the training side {share} of the {plural(by)} (1 is all) were kept as a "
                f"whole{reached}. The share of the images differs as far as they differ in size; "
                "which of them are kept is drawn, so results vary from seed to seed."
            )
        yield "The smaller fractions of the same kind and seed lie within it."


def plural(column: str) -> str:
    """Several values of a column, as people say it: ``slides``, ``values of the column day``."""
    return f"{column}s" if column in _NAMES else f"values of the column {column}"


def _rare(manifest: Manifest) -> Iterator[str]:
    counts = class_counts(manifest)
    sides = [side for side in SPLITS if counts[side].sum()]
    rare = counts[(counts[sides] == 0).any(axis=1)]
    if len(rare):
        told = (
            f"{display_name(str(label))} " + ", ".join(f"{side} {int(row[side])}" for side in sides)
            for label, row in rare.head(_TOLD).iterrows()
        )
        more = f" and {len(rare) - _TOLD} more" if len(rare) > _TOLD else ""
        listed = "; ".join(told) + more
        yield f"Classes that are not on every side: {listed}."
