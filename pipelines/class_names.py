"""Looks class names up: preferred names, coarser and finer classes.

The names themselves stand in `pipelines.class_table`, the orders of classes in
`pipelines.labels`; `pipelines.class_mapping` maps one data set's classes onto another's.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from pipelines.class_table import DATASET_WORDS, PRIVATE_WORDS, TABLE, ClassName
from pipelines.errors import ManifestError, name_some


def preferred_name(word: str, dataset: str | None = None) -> str:
    """The preferred name of a class.

    Args:
        word: A name, a synonym, or a data set's own word. Capitals, hyphens, spaces and a plural
            s do not matter.
        dataset: Where the word comes from, one of `datasets`; its own words go before all
            others. Without it, words that mean a class in one data set only, such as numbers,
            are not known.

    Raises:
        ManifestError: If the word is not known (names the nearest ones), or there is no such
            data set.
    """
    found = find_name(word, dataset)
    if found is None:
        near = difflib.get_close_matches(normal_form(word), _words(dataset), n=3)
        hint = f"the nearest are {', '.join(near)}" if near else "nothing is spelt like it"
        where = f" of {dataset}" if dataset else ""
        raise ManifestError(f"The class{where} {word!r} is not in the table of names; {hint}.")
    return found


def find_name(word: str, dataset: str | None = None) -> str | None:
    """As `preferred_name`, but None for a word that is not known.

    Raises:
        ManifestError: If there is no such data set.
    """
    require_dataset(dataset)
    known, key = _words(dataset), normal_form(word)
    return known.get(key) or (known.get(key[:-1]) if key.endswith("s") else None)


def datasets() -> tuple[str, ...]:
    """The data sets whose own words are known."""
    return tuple(DATASET_WORDS)


def require_dataset(dataset: str | None) -> None:
    """Refuses a data set whose words are not known; None is none in particular.

    Raises:
        ManifestError: Names the data sets that are known.
    """
    if dataset is not None and dataset not in DATASET_WORDS:
        raise ManifestError(
            f"The table of class names knows no data set {dataset!r}; it knows "
            f"{', '.join(datasets())}."
        )


def names() -> tuple[str, ...]:
    """All preferred names, coarser before finer."""
    return tuple(_parents())


def ancestors(name: str) -> tuple[str, ...]:
    """The coarser classes that a class belongs to, the nearest first.

    Raises:
        ManifestError: If `name` is not in the table (synonyms are looked up).
    """
    parents = _parents()
    above = [parents[preferred_name(name)]]
    while above[-1]:
        above.append(parents[above[-1]])
    return tuple(above[:-1])


def descendants(name: str) -> tuple[str, ...]:
    """All finer classes within a class, in the order of the table.

    Raises:
        ManifestError: If `name` is not in the table (synonyms are looked up).
    """
    coarse = preferred_name(name)
    return tuple(finer for finer in names() if coarse in ancestors(finer))


def normal_form(word: str) -> str:
    """A word in lower case, with one underscore for every run of spaces, hyphens and the like."""
    plain = unicodedata.normalize("NFKC", word).casefold()
    return re.sub(r"[\W_]+", "_", plain).strip("_")


@cache
def _parents() -> dict[str, str]:
    check_table(TABLE, DATASET_WORDS)
    return {entry.name: entry.parent for entry in TABLE}


@cache
def _words(dataset: str | None) -> dict[str, str]:
    """Normal form of every word known for a data set -> preferred name."""
    _parents()
    private = {normal_form(word) for word in PRIVATE_WORDS}
    words: dict[str, str] = {}
    for own in DATASET_WORDS.values():
        words |= {normal_form(w): name for w, name in own.items() if normal_form(w) not in private}
    for entry in TABLE:
        words |= dict.fromkeys(map(normal_form, (entry.name, *entry.synonyms)), entry.name)
    if dataset is not None:
        words |= {normal_form(w): name for w, name in DATASET_WORDS[dataset].items()}
    return words


def check_table(table: Sequence[ClassName], dataset_words: Mapping[str, Mapping[str, str]]) -> None:
    """Refuses a table of names with gaps, double meanings or cycles.

    Args:
        table: Classes.
        dataset_words: Data set -> its own words -> names.

    Raises:
        ManifestError: Names all faults at once.
    """
    faults = list(_table_faults(table, dataset_words))
    if faults:
        raise ManifestError("The table of class names cannot be used: " + ";\n  ".join(faults))


def _table_faults(
    table: Sequence[ClassName], dataset_words: Mapping[str, Mapping[str, str]]
) -> Iterator[str]:
    parents = {entry.name: entry.parent for entry in table}
    for entry in table:
        if normal_form(entry.name) != entry.name:
            yield f"the name {entry.name!r} is not in snake_case"
        if entry.parent and entry.parent not in parents:
            yield f"the parent {entry.parent!r} of {entry.name!r} is missing"
    yield from _cycles(parents)
    yield from _double_words(table)
    shared = {
        normal_form(word): entry.name for entry in table for word in (entry.name, *entry.synonyms)
    }
    private = {normal_form(word) for word in PRIVATE_WORDS}
    for dataset, words in dataset_words.items():
        for word, count in Counter(map(normal_form, words)).items():
            if count > 1:
                yield f"{dataset} has the word {word!r} twice"
        for word, name in words.items():
            if name not in parents:
                yield f"{dataset} calls a class {word!r} that is missing: {name!r}"
            if (
                normal_form(word) not in private
                and shared.setdefault(normal_form(word), name) != name
            ):
                yield f"{word!r} means {shared[normal_form(word)]!r} or, in {dataset}, {name!r}"


def _cycles(parents: Mapping[str, str]) -> Iterator[str]:
    for name in parents:
        seen, above = {name}, parents[name]
        while above in parents and above not in seen:
            seen.add(above)
            above = parents[above]
        if above == name:
            yield f"{name!r} is, over its parents, part of itself"


def _double_words(table: Sequence[ClassName]) -> Iterator[str]:
    counts = Counter(normal_form(word) for entry in table for word in (entry.name, *entry.synonyms))
    double = [word for word, count in counts.items() if count > 1]
    if double:
        yield f"these words stand in the table more than once: {name_some(double)}"
    plural = sorted(word for word in counts if word.endswith("s") and word[:-1] in counts)
    if plural:
        yield f"these words differ from others by a plural s only: {name_some(plural)}"
