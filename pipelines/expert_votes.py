"""What several experts said of one image, and which images count by a rule."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tflite.runtime.errors import LabError

_ROUNDING = 1e-9


@dataclass(frozen=True)
class ExpertRule:
    """When an image counts.

    Args:
        experts: At least so many experts must have labelled it, from 1.
        agreement: At least this fraction of them must have given its label, above 0 up to 1; 1
            wants all of them to agree. With 0.5 and less, ties still do not count.
    """

    experts: int = 1
    agreement: float = 1.0

    def __post_init__(self) -> None:
        """Refuses numbers out of range."""
        if not isinstance(self.experts, int) or isinstance(self.experts, bool) or self.experts < 1:
            raise LabError(f"A rule needs a whole number of experts from 1, got {self.experts!r}.")
        if isinstance(self.agreement, str) or not 0 < self.agreement <= 1:
            raise LabError(
                "The agreement of experts is a fraction above 0 up to 1, got "
                f"{self.agreement!r}; 1 wants all of them to agree."
            )


def tally_votes(votes: pd.DataFrame) -> pd.DataFrame:
    """Counts the votes on each image.

    Args:
        votes: Columns ``path``, ``expert`` and ``label``, one line a vote. An expert who gave an
            image the same label twice has one vote; one who gave two labels has two.

    Returns:
        Indexed by ``path``, in the order of first appearance: ``experts`` (int64, distinct
        experts), ``labels`` (int64, distinct labels), ``label`` (the one given most often, "" if
        several were) and ``agreement`` (float64, fraction of the votes that gave the label; of
        the most frequent ones for ties).
    """
    once = votes.drop_duplicates(["path", "expert", "label"])
    given = once.groupby(["path", "label"], sort=False).size().rename("votes").reset_index()
    images = given.groupby("path", sort=False)["votes"].agg(["size", "sum", "max"])
    first = given[given["votes"] == given["path"].map(images["max"])]
    single = first[~first["path"].duplicated(keep=False)].set_index("path")["label"]
    return pd.DataFrame(
        {
            "experts": once.groupby("path", sort=False)["expert"].nunique().astype("int64"),
            "labels": images["size"].astype("int64"),
            "label": single.astype(object).reindex(images.index, fill_value=""),
            "agreement": images["max"] / images["sum"],
        },
        index=images.index,
    )


def why_not_counted(tally: pd.DataFrame, rule: ExpertRule) -> np.ndarray:
    """Why each image does not count, in words; "" for those that do.

    Args:
        tally: As `tally_votes` gives it.
        rule: The rule.

    Returns:
        Text ``(images,)``.
    """
    return np.select(
        [
            tally["experts"] < rule.experts,
            tally["label"] == "",
            tally["agreement"] < rule.agreement - _ROUNDING,
        ],
        [f"fewer than {rule.experts} expert(s)", "experts disagree", "experts disagree"],
        "",
    )


def describe_not_counted(reasons: np.ndarray, what: str) -> list[str]:
    """One sentence on the images that do not count, or none if all do.

    Args:
        reasons: A reason an image, "" for those that count.
        what: Where the images are, such as a database's name.
    """
    counts = Counter(str(reason) for reason in reasons if reason)
    if not counts:
        return []
    told = ", ".join(f"{number} {reason}" for reason, number in sorted(counts.items()))
    return [f"{sum(counts.values())} of {len(reasons)} images of {what} do not count: {told}."]
